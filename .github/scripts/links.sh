#!/bin/bash
# Follows the links of the pages $@, or of all of the repository, that lead outside of it,
# and prints those that lead nowhere. A page that asks who is there, by 403 or 429, is one.
set -euo pipefail
if [ $# = 0 ]; then
	mapfile -t pages < <(git ls-files '*.md' ':!*testdata*')
	set -- "${pages[@]}"
fi
links=$(grep -hoE '\]\(https?://[^) ]+\)' -- "$@" | sed -E 's/^\]\(//; s/\)$//; s/#.*//' | sort -u)
answers() { # some hosts take no HEAD
	curl --silent --output /dev/null --location --max-redirs 5 --connect-timeout 10 --max-time 30 --retry 2 --write-out '%{http_code}' "$@"
}
lost=0
while read -r link; do
	code=$(answers --head "$link") || code=000
	case $code in 2?? | 403 | 429) continue ;; esac
	code=$(answers "$link") || code=000
	case $code in
	2?? | 403 | 429) ;;
	*)
		echo "$code $link"
		lost=$((lost + 1))
		;;
	esac
done <<<"$links"
echo "$(wc -l <<<"$links") links, $lost of them lead nowhere"
[ "$lost" = 0 ]
