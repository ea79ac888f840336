#!/bin/bash
# store_kill.sh BUILD [--full] [--sanitized]: SIGKILLs an import of 200,000 names at random moments. Each time the
# store opens, verifies and shows exactly the old list (or, killed after its last commit, exactly the new one), and
# the same import run again shows exactly the new one.
set -u
build=$1
kills=8 names=200000
for option in "$@"; do
	[ "$option" = --full ] && kills=20
	[ "$option" = --sanitized ] && kills=4 names=120000
done
helper=$build/integration/store_import_helper
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
store=$dir/blocklist passed=0 failed=0 interrupted=0

result() { # STATUS TEXT
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $2"
	fi
}

"$helper" import "$store" $names 1 || exit 1
"$helper" check "$store" $names 1 || exit 1
begin=$(date +%s%N)
"$helper" import "$store" $names 2 || exit 1
took_ms=$((($(date +%s%N) - begin) / 1000000))
old=2
for ((i = 1; i <= kills; i++)); do
	new=$((old + 1))
	"$helper" import "$store" $names $new &
	pid=$!
	at_ms=$((((RANDOM << 15) + RANDOM) % took_ms))
	sleep "$((at_ms / 1000)).$(printf %03d $((at_ms % 1000)))"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	if [ $? = 137 ]; then
		interrupted=$((interrupted + 1))
	else # the first import was slower than this one
		took_ms=$((took_ms * 3 / 4 + 1))
	fi
	shown=neither
	"$helper" check "$store" $names $old && shown=$old
	[ $shown = $old ] || { "$helper" check "$store" $names $new && shown=$new; }
	[ $shown != neither ]
	result $? "kill $i at $at_ms ms: neither the old list nor the new one"
	# Now and then something else comes first: another list, or the old one again.
	if [ $((i % 4)) = 0 ]; then
		"$helper" import "$store" $names $old && "$helper" check "$store" $names $old
		result $? "kill $i at $at_ms ms: the old list imported again"
	fi
	"$helper" import "$store" $names $new && "$helper" check "$store" $names $new
	result $? "kill $i at $at_ms ms: the same import again"
	old=$new
done
left=$(find "$store" -type f ! -name data.mdb ! -name lock.mdb ! -name lists.lock)
[ -z "$left" ]
result $? "files left behind: $left"
echo "killed in the middle: $interrupted of $kills (an import takes $took_ms ms)"
[ $interrupted -gt $((kills / 3)) ]
result $? "too few kills came in time to say anything"
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
