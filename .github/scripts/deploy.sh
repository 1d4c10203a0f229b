#!/bin/bash
# Deploys the app of cdk.json in waves: what all regions share, then one region after the
# other, then the app's own stacks. $1 is one of the waves: "shared", the name of a
# region's stack, or "own"; without it all are deployed. A region's stack waits for its
# rollout itself, and nothing follows one that failed.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
export PATH="$PWD/node_modules/.bin:$PATH"

# With no stack named the CDK CLI would choose by itself.
deploy() {
	[ $# -gt 0 ] || return 0
	cdk deploy --app cdk.out --require-approval never --exclusively "$@"
}

cdk synth --quiet
stacks=$("$scripts/stacks.sh" cdk.out)
read -ra shared <<<"$(sed -n 's/^shared=//p' <<<"$stacks")"
read -ra own <<<"$(sed -n 's/^own=//p' <<<"$stacks")"
mapfile -t regions < <(sed -n 's/^regions=//p' <<<"$stacks" | jq -r '.[]')

case ${1:-} in
"")
	deploy "${shared[@]}"
	for stack in "${regions[@]}"; do
		deploy "$stack"
	done
	deploy "${own[@]}"
	;;
shared) deploy "${shared[@]}" ;;
own) deploy "${own[@]}" ;;
*)
	for stack in "${regions[@]}"; do
		if [ "$stack" = "$1" ]; then
			deploy "$stack"
			exit
		fi
	done
	echo "deploy: $1 is not a wave: name shared, own, or one of ${regions[*]}" >&2
	exit 1
	;;
esac
