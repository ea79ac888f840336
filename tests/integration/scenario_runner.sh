#!/bin/bash
# scenario_runner.sh BUILD: the scenario runner notices what differs, says where, skips what it cannot play and
# survives files that are none.
set -u
cd "$(dirname "$0")/../.." || exit 2
runner=$PWD/$1/scenarios/scenario
dir=$(mktemp -d /tmp/sinkholed-runner-XXXXXX) || exit 2
trap 'rm -rf "$dir"' EXIT
good=tests/scenarios/referral_with_glue.rpl
passed=0 failed=0

# STATUS WORDS FILE...: the exit status, and words of the output
expect() {
	local status=$1 words=$2 got
	shift 2
	"$runner" "$@" >"$dir/out" 2>&1 </dev/null
	got=$?
	if [ $got = "$status" ] && grep -qE -e "$words" "$dir/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - $*: status $got instead of $status, or without: $words"
		sed 's/^/    /' "$dir/out" | head -20
	fi
}
change() { # SED: the good file, changed
	sed -E "$1" "$good" >"$dir/changed.rpl"
	cmp -s "$good" "$dir/changed.rpl" && echo "not ok - nothing to change by $1" && failed=$((failed + 1))
}
text() { cat >"$dir/text.rpl"; }

expect 0 '^1 passed, 0 failed, 0 skipped$' "$good"
expect 1 '^1 passed, 1 failed, 0 skipped$' "$good" "$dir/none.rpl"

# what an answer may get wrong
change '/CHECK_ANSWER/,/ENTRY_END/s/203.0.113.[0-9]+/203.0.113.99/'
expect 1 'step [0-9]+: answer section' "$dir/changed.rpl"
change '/CHECK_ANSWER/,/ENTRY_END/s/NOERROR/NXDOMAIN/'
expect 1 'step [0-9]+: rcode: expected 3, got 0' "$dir/changed.rpl"
change 's/^(STEP [0-9]+) CHECK_SENDS [0-9]+/\1 CHECK_SENDS 63/'
expect 1 'step [0-9]+: packets: expected 63' "$dir/changed.rpl"
change 's/^(STEP [0-9]+) CHECK_SENDS [0-9]+/\1 NO_SENDS_ABOUT example.com/'
expect 1 '[0-9]+ packets about example.com' "$dir/changed.rpl"
change 's/^(STEP [0-9]+) CHECK_ANSWER/\1 CHECK_NONSENSE/'
expect 1 'unknown STEP CHECK_NONSENSE' "$dir/changed.rpl"
for f in unbound deckard; do
	sed '/CHECK_ANSWER/,/ENTRY_END/s/203.0.113.6/203.0.113.99/' tests/scenarios/dialect_$f.rpl >"$dir/changed.rpl"
	expect 1 'step [0-9]+: answer section' "$dir/changed.rpl"
done
sed '/CHECK_ANSWER/,/ENTRY_END/s/10m/11m/' tests/scenarios/dialect_deckard.rpl >"$dir/changed.rpl"
expect 1 'step 4: answer section' "$dir/changed.rpl"
sed '/CHECK_ANSWER/,/ENTRY_END/s/3602/3604/' tests/scenarios/dialect_unbound.rpl >"$dir/changed.rpl"
expect 1 'step 30: answer section' "$dir/changed.rpl"
sed '/CHECK_OUT_QUERY/,/ENTRY_END/s/one\.fwd/six.fwd/' tests/scenarios/dialect_unbound.rpl >"$dir/changed.rpl"
expect 1 'step 80: no such packet went out' "$dir/changed.rpl"
sed 's/^MATCH opcode qname qtype$/MANDATORY/' tests/scenarios/dialect_deckard.rpl >"$dir/changed.rpl"
expect 1 'FAILED' "$dir/changed.rpl"

# what cannot be played
text <<<$'server:\n\ttrust-anchor: "example.com. DS 1 8 2 '$(printf '%064d' 0)$'"\nstub-zone:\n\tname: "."\n\tstub-addr: 192.0.2.1\nCONFIG_END
STEP 1 QUERY\nENTRY_BEGIN\nSECTION QUESTION\nwww.example.com. IN A\nENTRY_END\nSCENARIO_END'
expect 0 '^1 passed' "$dir/text.rpl"
sed 's/DS 1 8 2.*/DS 1 8 2 00"/' "$dir/text.rpl" >"$dir/changed.rpl"
expect 1 'changed.rpl:2: trust-anchor:1: a digest of 1 bytes' "$dir/changed.rpl"
expect 0 '^1 passed' -u "$dir/changed.rpl"
text <<<$'server:\n\tsurprise: yes\nCONFIG_END\nSTEP 1 QUERY\nENTRY_BEGIN\nENTRY_END'
expect 77 ': sets surprise$' "$dir/text.rpl"
text <<<$'rpz:\n\tname: "x"\nCONFIG_END\nSTEP 1 QUERY\nENTRY_BEGIN\nENTRY_END'
expect 77 ': has rpz$' "$dir/text.rpl"

# what is no scenario
: >"$dir/text.rpl"
expect 1 'is empty' "$dir/text.rpl"
head -c 100000 /dev/urandom >"$dir/text.rpl"
expect 1 '^0 passed, 1 failed, 0 skipped$' "$dir/text.rpl"
for n in 3 20 40 60 80; do
	head -n $n "$good" >"$dir/text.rpl"
	"$runner" "$dir/text.rpl" >"$dir/out" 2>&1
	case $? in
	0 | 1 | 77) passed=$((passed + 1)) ;;
	*) failed=$((failed + 1)) && echo "not ok - the first $n lines of a scenario" && cat "$dir/out" ;;
	esac
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
