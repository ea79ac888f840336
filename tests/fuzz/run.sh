#!/bin/sh
# run.sh BUILD: runs each fuzz target of a libFuzzer build for FUZZ_SECONDS (default 60), two at a time, on inputs of up to
# 4 KiB, which is longer than most seeds. What it finds is kept below BUILD/found/NAME; a crash is to be reduced and put
# into tests/fuzz/corpus/NAME with its fix.
# The build leaves trace-cmp out: it took 60 % of the replies' run, and without it the same CPU time finds more of the code,
# for the seeds have the numbers and words that it would guess, and compared strings are still seen.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1 bad=0
export build seconds="${FUZZ_SECONDS:-60}"
one() {
	name=$1 found=$build/found/$1
	mkdir -p "$found/corpus" "$build/log"
	if "$build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -max_len=4096 \
		-artifact_prefix="$found/" "$found/corpus" "tests/fuzz/corpus/$name" >"$build/log/fuzz-$name.log" 2>&1; then
		echo "ok - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/log/fuzz-$name.log") runs"
	else
		echo "not ok - $name: see $build/log/fuzz-$name.log and $found"
		tail -n 20 "$build/log/fuzz-$name.log"
		return 1
	fi
}
if [ "${2:-}" = --one ]; then
	one "$3"
	exit
fi
for f in tests/fuzz/*.c; do
	name=$(basename "$f" .c)
	[ "$name" = replay ] || echo "$name"
done | xargs -P 2 -n 1 "$0" "$build" --one || bad=1
exit $bad
