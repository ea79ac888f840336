#!/bin/sh
# lint.sh [--tidy]: cppcheck over the whole tree and mandoc over the man pages; --tidy: clang-tidy too (minutes).
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
# Left out: missing system headers, and uninitialised variables: this version takes every out-parameter for one that is
# read, and both compilers find the real ones.
cppcheck --quiet --error-exitcode=1 --std=c11 -D_GNU_SOURCE -I. --inline-suppr -j 2 \
	--enable=warning,performance,portability --suppress=missingIncludeSystem \
	--suppress=uninitvar --suppress=legacyUninitvar \
	include zones resolver tools tests || bad=1
for page in tools/*.[158]; do
	[ -e "$page" ] || continue
	mandoc -Tlint -Wwarning "$page" || bad=1
done
if [ "${1:-}" = --tidy ]; then
	# -std and include paths as the Makefile has them
	flags="-std=c11 -D_GNU_SOURCE -I. -Ibuild/release/gen $(pkg-config --cflags ldns libuv lmdb yaml-0.1 jansson libssl libcrypto libidn2 yajl libfstrm libprotobuf-c)"
	git ls-files 'zones/*.c' 'resolver/*.c' 'tools/*.c' |
		xargs -P 2 -n 4 sh -c 'f=$1; shift; clang-tidy-14 --quiet --warnings-as-errors="*" "$@" -- $f 2>/dev/null' - "$flags" || bad=1
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
