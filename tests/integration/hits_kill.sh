#!/bin/bash
# hits_kill.sh BUILD [--full] [--sanitized]: SIGKILL at random moments against the hit log, see hits_kill.c.
set -u
build=$1
rounds=20
case " $* " in
*" --sanitized "*) rounds=6 ;;
*" --full "*) rounds=100 ;;
esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/hits-kill-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
"$build/integration/hits_kill" "$dir" "$rounds"
