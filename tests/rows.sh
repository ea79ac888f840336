#!/bin/sh
# rows.sh: every test that tests/README.md names is there: FILE.rpl, test_FILE.py:FUNCTION, unit/FILE.c:FUNCTION.
set -u
cd "$(dirname "$0")" || exit 2
bad=0
names=$(grep '^|' README.md | grep -oE '`([a-z0-9_]+\.rpl|test_[a-z_]+\.py:[a-z0-9_]+|unit/[a-z_]+\.c:[a-z0-9_]+)`' | tr -d '`')
for name in $names; do
	case $name in
	*.rpl) [ -e "scenarios/$name" ] ;;
	*.py:*) grep -qs "^def ${name#*:}(" "integration/${name%:*}" ;;
	*) grep -qs "^START_TEST(${name#*:})" "${name%:*}" ;;
	esac || { echo "tests/README.md: there is no $name" >&2; bad=1; }
done
[ -n "$names" ] || bad=1
[ $bad = 0 ] && echo "rows: $(echo "$names" | wc -l) tests named, all there"
exit $bad
