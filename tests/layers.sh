#!/bin/sh
# layers.sh: folders depend in one direction only, include <- zones <- resolver <- tools, tests,
# and library headers stay with their owners. Prints each breach; exits 1 if there is one.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
report() { [ -z "$1" ] || { printf '%s\n  %s\n' "$2" "$1"; bad=1; }; }
# Project headers are named from the root, so that an include says its folder.
report "$(grep -nE '^#include "' -r include zones resolver tools tests --include='*.[ch]' |
	grep -vE '#include "(include|zones|resolver|tools|tests)/')" 'include paths start at a top folder:'
report "$(grep -nE '^#include "(zones|resolver|tools|tests)/' -r include)" 'include/ may use only include/:'
report "$(grep -nE '^#include "(resolver|tools|tests)/' -r zones)" 'zones/ may use include/ and zones/:'
report "$(grep -nE '^#include "(tools|tests)/' -r resolver)" 'resolver/ may not use tools/ or tests/:'
report "$(grep -nE '^#include "tests/' -r tools)" 'tools/ may not use tests/:'
owners() { # HEADER-REGEX OWNER-FILES-REGEX
	report "$(grep -nE "^#include <$1>" -r include zones resolver tools tests --include='*.[ch]' |
		grep -vE "^($2):")" "only $2 may include <$1>:"
}
owners 'lmdb\.h' 'zones/blocklist[a-z_]*\.[ch]|resolver/hit_store[a-z_]*\.[ch]|zones/ledger\.[ch]'
owners 'uv\.h' 'resolver/(program[a-z_]*|worker|front[a-z_]*|upstream[a-z_]*|control|trace)\.[ch]'
owners 'ldns/.*' 'zones/(zone_file|feed_data)\.c|resolver/val_sig\.c|(tools|tests)/.*'
owners 'idn2\.h' 'zones/feed_word\.c'
owners 'yajl/.*' 'zones/feed_json\.c'
owners 'libpsl\.h' 'tools/suffix\.[ch]'
owners 'pcap/.*' 'tools/blocklist_simulate\.c'
owners 'curl/.*' 'tools/fetch\.c'
owners 'zlib\.h' 'tools/feed_file\.c|tests/.*'
owners 'yaml\.h' 'resolver/conf\.c'
[ $bad = 0 ] && echo "layers: clean"
exit $bad
