#!/bin/bash
# hits_kill.sh BUILD [--full] [--sanitized]: SIGKILL at random moments against the hit log, see hits_kill.c;
# then sinkhole-hits on what that left: its sums agree with each other, damage is told and left out.
set -u
build=$1
rounds=20
case " $* " in
*" --sanitized "*) rounds=6 ;;
*" --full "*) rounds=100 ;;
esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/hits-kill-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # WHAT HAVE WANT
	if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
		failed=$((failed + 1))
		printf 'failed - %s: %s, not %s\n' "$1" "$2" "$3"
	fi
}
hits() { "$build/sinkhole-hits" "$@" --state "$dir"; }

"$build/integration/hits_kill" "$dir" "$rounds"
check 'kills' $? 0

records=$(hits summary | awk -F'\t' '$1 == "records" { print $2 }')
check 'some records' "$([ "${records:-0}" -gt 100 ] && echo yes)" yes
check 'export' "$(hits export --purpose test --case 1 | wc -l)" "$records"
check 'top lists' "$(hits top lists | cut -f1,2)" "kill	$records"
check 'top clients' "$(hits top clients | cut -f1-3)" "192.0.2.1	$records	$records"
check 'no gap, none twice' "$(hits summary | awk '$1 == "missing" || $1 == "repeated" { n += $2 } END { print n + 0 }')" 0
check 'top names has its limit' "$(hits top names --limit 7 | wc -l)" 7
check 'timeline adds up' "$(hits timeline | awk '{ n += $2 } END { print n + 0 }')" "$records"
check 'timeline by day' "$(hits timeline --by day | awk '{ n += $2 } END { print n + 0 }')" "$records"
name=$(hits export --purpose test --case 1 --limit 1 | cut -f6)
check 'name' "$(hits name "$name" | cut -f6)" "$name"
check 'name and below' "$(hits name kill.example --subtree | wc -l)" "$records"
check 'name alone' "$(hits name kill.example | wc -l)" 0
check 'client prefix' "$(hits client 192.0.2.0/24 | wc -l)" "$records"
check 'another client' "$(hits client 192.0.2.2 | wc -l)" 0
check 'another list' "$(hits export --purpose test --case 1 --list other | wc -l)" 0
check 'until a while ago' "$(hits export --purpose test --case 1 --until 1d | wc -l)" 0
check 'since a while ago' "$(hits export --purpose test --case 1 --since yesterday | wc -l)" "$records"
check 'JSON' "$(hits name "$name" --json |
	python3 -c 'import json, sys; h = json.load(sys.stdin); print(h["qname"], h["client"], h["client_port"], h["proxy"], h["count"])')" \
	"$name 192.0.2.1 1024 None 1"
for wrong in 'top nothing' 'client 192.0.2.1/8' 'client x' 'name a..b' 'export --since whenever' 'timeline --by week' 'nothing'; do
	# shellcheck disable=SC2086
	said=$(hits $wrong 2>&1 >/dev/null)
	check "$wrong" "$? $(grep -c . <<<"$said")" '2 1'
done
"$build/sinkhole-hits" top --state "$dir/none" 2>"$dir/said"
check 'no folder' "$? $(grep -c 'there is no hit log' "$dir/said")" '2 1'

# A truncated segment is left out; the rest is shown; the status tells.
first=$(find "$dir/hits" -name '*.hits' | sort | head -n 1)
truncate -s 20480 "$first"
hits summary >"$dir/out" 2>"$dir/said"
check 'damaged segment' "$? $(grep -c 'is damaged and is left out' "$dir/said") $(grep -c '^hits' "$dir/out")" '1 1 1'

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
