#!/bin/bash
# Posts the review in the folder $1 as a comment, and its verdict as a status of
# HEAD_SHA. What is in the folder is a stranger's: it is checked, and never run.
set -euo pipefail
artifact=$1
repo=$GITHUB_REPOSITORY
marker='<!-- archipelago-review -->'

# A commit may be the head of several pull requests, each into another branch: a verdict
# is one of what it changes there. Only the default branch's has the plain names.
review=review
export ALLOW=allow-data-loss
status() {
	gh api --silent "repos/$repo/statuses/$HEAD_SHA" -f context="$review" -f state="$1" -f description="$2" -f target_url="$RUN_URL"
}
fail() {
	echo "$1" >&2
	status failure "$1"
	exit 1
}
plain() { [ -f "$artifact/$1" ] && [ ! -L "$artifact/$1" ] && [ "$(stat -c %s "$artifact/$1")" -le "$2" ]; }

[[ $HEAD_SHA =~ ^[0-9a-f]{40}$ ]] || exit 1
plain number 10 || fail 'No review was made'
number=$(<"$artifact/number")
[[ $number =~ ^[1-9][0-9]{0,8}$ ]] || fail 'The review names no pull request'
# The artifact may name any pull request: only the one whose head this is gets it.
pull=$(gh api "repos/$repo/pulls/$number" --jq '[.head.sha, .base.ref, .base.repo.default_branch] | @tsv')
IFS=$'\t' read -r head base default <<<"$pull"
if [ "$head" != "$HEAD_SHA" ]; then
	echo "the head of #$number is another commit: nothing is posted" >&2
	exit 0
fi
[[ $base =~ ^[A-Za-z0-9._/+-]{1,200}$ ]] || fail 'The base is not a branch that a status may be called by'
if [ "$base" != "$default" ]; then
	review="review into $base"
	ALLOW="allow-data-loss into $base"
fi
plain review.json 5000000 || fail 'No review was made'
plain review.md 60000 || fail 'No review was made'
verdict=$(jq -er 'if (.verdict | type) == "string" then .verdict else error end' "$artifact/review.json") || fail 'The review has no verdict'

# A text of the pull request calls nobody: its mentions are broken, and those that HTML
# writes by the character's number or name.
body=$(mktemp)
{
	printf '%s\n_Made by the code of this pull request, at %s: it says what that says._\n\n' "$marker" "$HEAD_SHA"
	sed $'s/@/@\xe2\x80\x8b/g; s/&#/\&\xe2\x80\x8b#/g; s/&commat;/\&\xe2\x80\x8bcommat;/g' "$artifact/review.md"
} >"$body"
# GitHub takes 65,536 characters; what breaks the mentions adds to them.
[ "$(stat -c %s "$body")" -le 65536 ] || fail 'The comment is too long: the review has too many mentions'
comment=$(gh api --paginate "repos/$repo/issues/$number/comments" \
	--jq ".[] | select(.user.login == \"github-actions[bot]\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$comment" ]; then
	gh api --silent --method PATCH "repos/$repo/issues/comments/$comment" -F body=@"$body"
else
	gh api --silent "repos/$repo/issues/$number/comments" -F body=@"$body"
fi

case $verdict in
'no effect' | 'changed in place' | 'instances replaced' | 'an island down') status success "$verdict" ;;
'data at risk')
	# What allow.sh wrote for this very commit. It may write while this runs: who writes
	# last looks again.
	allowed() {
		[ "$(gh api "repos/$repo/commits/$HEAD_SHA/status?per_page=100" --jq '.statuses[] | select(.context == env.ALLOW) | .state')" = success ]
	}
	permit() { status success 'data at risk, and allowed'; }
	refuse() { status failure 'data at risk: the label allow-data-loss, set by somebody who may write, allows it'; }
	if allowed; then
		permit
		allowed || refuse
	else
		refuse
		if allowed; then permit; fi
	fi
	;;
*) fail "The review's verdict is unknown" ;;
esac
