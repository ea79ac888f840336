#!/bin/sh
# rows.sh: every test that tests/README.md names is there: FILE.rpl, test_FILE.py:FUNCTION, unit/FILE.c:FUNCTION;
# and every row of the RPZ draft's checklist has a case in unit/rpz.c, a line in tests/README.md, or one in the
# README's table of what differs.
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

draft='Z1 Z2 Z3 Z4 A1 A2 A3 A4 A5 A6 A7 A8 E1 E2 E3 E4 T1 T2 T3 T4 T5 PR1 PR2 PR3 PR4 PR5 PR6 PR7 PR8 PR9
G1 G2 G3 G4 G5 G6 O1 O2'
# The first cells of a section's table.
cells() { sed -n "/^## $1/,/^## /p" "$2" | grep '^|' | cut -d'|' -f2; }
tested=$(cells 'The RPZ draft' README.md; grep -oE '\{"(Z|A|E|T|PR|G|O)[0-9]"' unit/rpz.c)
differs=$(cells 'Differs from RPZ' ../README.md)
for row in $draft; do
	printf '%s\n' "$tested" "$differs" | grep -qw "$row" ||
		{ echo "RPZ draft: $row has no test, and README.md does not say that it differs" >&2; bad=1; }
done
[ $bad = 0 ] && echo "rows: $(echo "$names" | wc -l) tests named, all there; $(echo "$draft" | wc -w) rows of the RPZ draft"
exit $bad
