#!/bin/bash
# Prints the stacks of the assembly in the folder $1 as outputs of a job: those that all
# regions share, those of the regions as a list in JSON, in the order of their deployment,
# and an app's own, which are all others but that of the roles. A deployment's name may
# have words of its stacks' names in it.
set -euo pipefail
jq -r '
	[.artifacts | to_entries[] | select(.value.type == "aws:cloudformation:stack") | {stack: .key, of: (.value.properties.tags.deployment + "-")}]
	| "shared=" + ([.[] | . as $s | select(any("storage-", "global", "entry"; . as $part | $s.stack | startswith($s.of + $part))) | .stack] | join(" ")),
	  "regions=" + ([.[] | . as $s | select($s.stack | startswith($s.of + "region-")) | .stack] | tojson),
	  "own=" + ([.[] | . as $s | select(any("storage-", "global", "entry", "region-", "github"; . as $part | $s.stack | startswith($s.of + $part)) | not) | .stack] | join(" "))
' "$1/manifest.json"
