#!/bin/bash
# Prints the region stacks of the assembly in the folder $1, in the order of their
# deployment, as an output of a job. It fails where a region is not bootstrapped.
set -euo pipefail
assembly=$1
jq -r '.artifacts[] | select(.type == "aws:cloudformation:stack") | .environment | split("/")[-1]' "$assembly/manifest.json" | sort -u |
	while read -r region; do
		aws ssm get-parameter --region "$region" --name /cdk-bootstrap/hnb659fds/version --query Parameter.Value --output text >/dev/null || {
			echo "$region is not bootstrapped: cdk bootstrap aws://ACCOUNT/$region" >&2
			exit 1
		}
	done
printf 'regions='
jq -c '[.artifacts | to_entries[] | select(.value.type == "aws:cloudformation:stack" and (.key | contains("-region-"))) | .key]' "$assembly/manifest.json"
