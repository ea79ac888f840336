#!/bin/bash
# check.sh [--full] [--sanitized] [--only GROUP] BUILD: runs what BUILD holds, one line a group, failures in full,
# each job's output in BUILD/log. The last line counts everything: "N passed, N failed, N skipped".
#
# A job is a command with a time limit, which ends what hangs: ten times what it takes on a busy machine. It passes by
# exit status 0 and is skipped by 77; a job that counts by itself (Check's "Checks: N, Failures: N, Errors: N", or a
# last line "N passed, N failed, N skipped") is counted by that.
set -u
cd "$(dirname "$0")/.." || exit 2

usage() { echo "usage: check.sh [--full] [--sanitized] [--only GROUP] BUILD" >&2; exit 2; }
full='' sanitized='' only='' build=''
while [ $# -gt 0 ]; do
	case $1 in
	--full) full=--full ;;
	--sanitized) sanitized=--sanitized ;;
	--only) [ $# -gt 1 ] || usage; only=$2; shift ;;
	-*) usage ;;
	*) build=$1 ;;
	esac
	shift
done
[ -n "$build" ] || usage
log=$build/log
mkdir -p "$log" || exit 2

# Two sanitized programs at a time use both cores as well as anything; more would spoil time-outs.
jobs_at_once=2
slow=${sanitized:+4}
slow=${slow:-1} # time limits are multiplied by this
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp
export PYTHONDONTWRITEBYTECODE=1

total_passed=0 total_failed=0 total_skipped=0
names=() running=0

start_job() { # GROUP NAME SECONDS COMMAND...: in the background, at most jobs_at_once of them
	local group=$1 name=$2 seconds=$3
	shift 3
	[ $running -lt $jobs_at_once ] || { wait -n; running=$((running - 1)); }
	local out=$log/$group-$name.log
	(
		timeout -k 10 $((seconds * slow)) "$@" >"$out" 2>&1 </dev/null
		status=$?
		[ $status != 124 ] || echo "time limit: not done after $((seconds * slow)) s" >>"$out"
		echo $status >"$out.status"
	) &
	running=$((running + 1))
	names+=("$name")
}

count_job() { # LOG: sets passed, failed, skipped
	local status line
	status=$(cat "$1.status" 2>/dev/null || echo 1)
	passed=0 failed=0 skipped=0
	line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -n 1)
	if [ -n "$line" ]; then
		read -r passed _ failed _ skipped _ <<<"$line"
	elif line=$(grep -aE 'Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$1" | tail -n 1) && [ -n "$line" ]; then
		line=${line##*Checks: }
		local checks=${line%%,*} failures errors
		failures=${line#*Failures: } failures=${failures%%,*}
		errors=${line##*Errors: }
		failed=$((failures + errors)) passed=$((checks - failures - errors))
	elif [ "$status" = 0 ]; then
		passed=1
	elif [ "$status" = 77 ]; then
		skipped=1
	fi
	if [ "$status" != 0 ] && [ "$status" != 77 ] && [ $failed = 0 ]; then failed=1; fi
}

end_group() { # GROUP: waits, prints the group's line, failures in full and what was skipped
	local group=$1 name sum_passed=0 sum_failed=0 sum_skipped=0 bad=()
	wait
	running=0
	for name in "${names[@]}"; do
		count_job "$log/$group-$name.log"
		sum_passed=$((sum_passed + passed)) sum_failed=$((sum_failed + failed)) sum_skipped=$((sum_skipped + skipped))
		[ $failed = 0 ] || bad+=("$name")
	done
	[ ${#names[@]} -gt 0 ] || echo "skipped - $group: there is nothing to run" >&2
	printf '%-12s %s\n' "$group" "$sum_passed passed, $sum_failed failed, $sum_skipped skipped ($((SECONDS - group_start)) s)"
	for name in "${names[@]}"; do
		grep -aE '^skipped - ' "$log/$group-$name.log" | grep -vF 'only in make check-full' | sed 's/^/  /'
	done
	for name in "${bad[@]}"; do
		echo "---- $group $name failed:"
		cat "$log/$group-$name.log"
		echo "----"
	done
	total_passed=$((total_passed + sum_passed)) total_failed=$((total_failed + sum_failed))
	total_skipped=$((total_skipped + sum_skipped))
	names=()
}

begin_group() { # GROUP [not-sanitized]: whether it is to run
	if [ -n "$only" ]; then [ "$only" = "$1" ] || return 1; fi
	[ -z "$sanitized" ] || [ "${2:-}" != not-sanitized ] || return 1
	group_start=$SECONDS
	rm -f "$log/$1"-*
	return 0
}

programs_of() { # FOLDER NOT...: names of the programs whose sources are tests/FOLDER/*.c
	local folder=$1 source name
	shift
	for source in tests/"$folder"/*.c; do
		name=$(basename "$source" .c)
		[ -e "$source" ] || continue
		case " $* " in *" $name "*) ;; *) echo "$name" ;; esac
	done
}

if begin_group unit; then
	for p in $(programs_of unit runner support); do
		start_job unit "$p" 180 "$build/unit/$p"
	done
	end_group unit
fi

if begin_group scenarios; then
	for f in tests/scenarios/*.rpl; do
		[ -e "$f" ] && start_job scenarios "$(basename "$f" .rpl)" 120 "$build/scenarios/scenario" "$f"
	done
	end_group scenarios
fi

if begin_group fuzz; then
	for p in $(programs_of fuzz replay); do
		start_job fuzz "$p" 180 "$build/fuzz/$p" "tests/fuzz/corpus/$p"
	done
	end_group fuzz
fi

if begin_group source not-sanitized; then
	start_job source layers 120 tests/layers.sh
	start_job source rows 120 tests/rows.sh
	start_job source lint 600 tests/lint.sh
	start_job source format 180 make --no-print-directory format-check
	end_group source
fi

if begin_group integration; then
	for f in tests/integration/test_*.py; do
		start_job integration "$(basename "$f" .py)" 720 python3 "$f" "$build" $full $sanitized
	done
	for f in tests/integration/*.sh; do
		[ -e "$f" ] && start_job integration "$(basename "$f" .sh)" 720 bash "$f" "$build" $full $sanitized
	done
	end_group integration
fi

if begin_group instructions not-sanitized; then
	start_job instructions guard 600 tests/bench/guard.sh "$build"
	end_group instructions
fi

echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ $total_failed = 0 ]
