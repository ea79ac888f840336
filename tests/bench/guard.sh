#!/bin/sh
# guard.sh BUILD [--write]: instructions per question, whole and stage by stage, counted by callgrind, against tests/bench/instructions.txt;
# fails when one has grown by over 5 %. --write puts today's numbers there, to be committed with their reason.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1 file=tests/bench/instructions.txt count=1600 bad=0 new=
command -v valgrind >/dev/null || { echo "skipped - instructions per question: valgrind is not installed"; exit 77; }
passed=0 failed=0
for way in $("$build/bench/stages"); do
	out=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null '--toggle-collect=measured*' \
		"$build/bench/stages" $way $count 2>&1) || { echo "not ok - $way: $out"; failed=$((failed + 1)); continue; }
	all=$(echo "$out" | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
	now=$((all / count))
	new="$new$way $now
"
	was=$(awk -v w=$way '$1 == w { print $2 }' $file 2>/dev/null)
	if [ -z "$was" ]; then
		[ "${2:-}" = --write ] || { echo "not ok - $way: no number in $file"; failed=$((failed + 1)); continue; }
	elif [ $((now * 100)) -gt $((was * 105)) ] && [ "${2:-}" != --write ]; then
		echo "not ok - $way: $now instructions per question, $file says $was: over 5 % more"
		failed=$((failed + 1))
		continue
	fi
	echo "ok - $way: $now instructions per question (file: ${was:-none})"
	passed=$((passed + 1))
done
if [ "${2:-}" = --write ] && [ $failed = 0 ]; then
	{ echo "# Instructions per question from message to answer, batches of 16; written by guard.sh BUILD --write"
	  printf '%s' "$new"; } >$file
fi
# A list of any size may add 2 % to what is answered from the cache.
number() { awk -v w="$1" '$1 == w { print $2 }' $file; }
with=$(number cached) without=$(number cached_no_list)
if [ $((with * 100)) -gt $((without * 102)) ]; then
	echo "not ok - a cached answer costs $with instructions with a list, $without without: over 2 % more"
	failed=$((failed + 1))
else
	echo "ok - a cached answer costs $with instructions with a list, $without without"
	passed=$((passed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
