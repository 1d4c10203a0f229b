#!/bin/bash
# Prints the region stacks of the assembly in the folder $1, in the order of their
# deployment, as an output of a job.
set -euo pipefail
printf 'regions='
jq -c '[.artifacts | to_entries[] | select(.value.type == "aws:cloudformation:stack" and (.key | contains("-region-"))) | .key]' "$1/manifest.json"
