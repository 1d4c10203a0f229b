#!/bin/bash
# Does what the event in the file $1 says of the label allow-data-loss: a status of the
# commit that was the head then. A verdict, and what allows it, hold for one base.
set -euo pipefail
event=$1
repo=$GITHUB_REPOSITORY
field() { jq -er "$1" "$event"; }

action=$(field .action)
number=$(field .pull_request.number)
sha=$(field .pull_request.head.sha)
# They become parts of paths of GitHub's.
if ! [[ $number =~ ^[1-9][0-9]*$ && $sha =~ ^[0-9a-f]{40}$ ]]; then
	echo 'the event names no commit of a pull request' >&2
	exit 1
fi
status() {
	gh api --silent "repos/$repo/statuses/$sha" -f context="$1" -f state="$2" -f description="$3"
}

# again has the pull request's job that fails on data at risk look again. A run of a
# former head is left alone: it would end the present one's.
again() {
	[ "$(gh api "repos/$repo/pulls/$number" --jq .head.sha)" = "$sha" ] || return 0
	local runs jobs run job
	runs=$(gh api "repos/$repo/actions/runs?head_sha=$sha&event=pull_request&status=completed" --jq '.workflow_runs[] | select(.name == "Pull request") | .id')
	for run in $runs; do
		jobs=$(gh api "repos/$repo/actions/runs/$run/jobs" --jq '.jobs[] | select(.name == "data-at-risk") | .id')
		for job in $jobs; do
			gh api --silent --method POST "repos/$repo/actions/jobs/$job/rerun" ||
				echo "job $job does not run again: push, or start it by hand" >&2
		done
	done
}

if [ "$action" = synchronize ]; then
	# The label was for another commit.
	if field '[.pull_request.labels[].name] | index("allow-data-loss") != null' >/dev/null; then
		gh api --silent --method DELETE "repos/$repo/issues/$number/labels/allow-data-loss"
	fi
fi
base=$(field .pull_request.base.ref)
if ! [[ $base =~ ^[A-Za-z0-9._/+-]{1,200}$ ]]; then
	echo 'the event names no branch that a status may be called by' >&2
	exit 1
fi
export ALLOW=allow-data-loss REVIEW=review # as comment.sh names it
if [ "$base" != "$(field .repository.default_branch)" ]; then
	ALLOW="allow-data-loss into $base"
	REVIEW="review into $base"
fi
# of is what a status of the commit has in a field.
of() { gh api "repos/$repo/commits/$sha/status?per_page=100" --jq ".statuses[] | select(.context == env.$1) | .$2"; }
if [ "$action" = synchronize ]; then
	# It may have been the head before, and allowed then.
	state=$(of ALLOW state)
	[ "$state" = success ] || exit 0
	status "$ALLOW" failure 'A push withdrew the label'
	if [ "$(of REVIEW description)" = 'data at risk, and allowed' ]; then
		status "$REVIEW" failure 'data at risk, and no longer allowed'
	fi
	exit
fi
if [ "$action" = edited ]; then
	# The review was of what it changes in another branch.
	status "$REVIEW" failure 'The base changed: push, or close and open the pull request again'
	exit
fi
[ "$(field .label.name)" = allow-data-loss ] || exit 0
if [ "$action" = unlabeled ]; then
	status "$ALLOW" failure 'The label was taken off'
	if [ "$(of REVIEW description)" = 'data at risk, and allowed' ]; then
		status "$REVIEW" failure 'data at risk, and no longer allowed'
		again
	fi
	exit
fi
[ "$action" = labeled ] || exit 0
sender=$(field .sender.login)
if ! [[ $sender =~ ^[A-Za-z0-9_-]+(\[bot\])?$ ]]; then
	echo 'the event names nobody who set the label' >&2
	exit 1
fi
permission=$(gh api "repos/$repo/collaborators/$sender/permission" --jq .permission)
case $permission in
admin | write) ;;
*)
	echo "$sender may not write: the label says nothing" >&2
	gh api --silent --method DELETE "repos/$repo/issues/$number/labels/allow-data-loss"
	exit 1
	;;
esac
status "$ALLOW" success "Set by $sender"
# The review may have said its verdict already, or be about to.
description=$(of REVIEW description)
case $description in
'data at risk'*)
	status "$REVIEW" success 'data at risk, and allowed'
	again
	;;
'') again ;;
esac
