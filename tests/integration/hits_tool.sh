#!/bin/bash
# hits_tool.sh BUILD [--full] [--sanitized]: sinkhole-hits adds up from sums what it would from rows: the answers to
# questions of all kinds beside the same added up from its own export; over two nodes' folders, too.
set -u
build=$1
hits=60000
case " $* " in *" --full "*) hits=900000 ;; esac # over a quarter of a million: several runs a segment
dir=$(mktemp -d "${TMPDIR:-/tmp}/hits-tool-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # WHAT HAVE WANT
	if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
		failed=$((failed + 1))
		printf 'failed - %s:\n%s\nnot\n%s\n' "$1" "$(head -c 600 <<<"$2")" "$(head -c 600 <<<"$3")"
	fi
}
tool() { "$build/sinkhole-hits" "$@" --hits "$dir/a/hits,$dir/b/hits"; }
exported() { tool export --purpose test --case 1 "$@" | cut -f1-12; }

end=1767322800 # 2026-01-02T03:00:00Z
"$build/bench/hits_make" "$dir/a" $hits 3 5000 300 $end 1500 >/dev/null || exit 1
"$build/bench/hits_make" "$dir/b" $((hits / 10)) 1 5000 300 $((end - 86400)) >/dev/null || exit 1
exported >"$dir/rows" # time client port over type name action list entry family node count
check 'all rows' "$(wc -l <"$dir/rows")" "$(tool summary | awk '$1 == "records" { print $2 }')"
check 'by time' "$(cut -f1 "$dir/rows" | sort -c 2>&1)" ''

# A client of the sums: IPv6 by /56, of which hits_make sets all but the end to zero.
# shellcheck disable=SC2016
by_client='function id(a) { if (a !~ /:/) return a; if (a ~ /^2001:db8::/) return 0; split(a, p, ":"); return p[1] ":" p[2] ":" p[3] ":" substr("000" p[4], length("000" p[4]) - 3, 2) }'
span() { awk -F'\t' -v s="$1" -v u="$2" '$1 >= s && $1 < u' "$dir/rows"; }

for times in '2025-12-30T00:00:00 2026-01-03T00:00:00' '2025-12-31T00:00:00 2026-01-01T00:00:00' \
	'2025-12-30T22:13:17 2026-01-01T05:30:00' '2025-12-31T12:10:00 2025-12-31T12:40:00'; do
	read -r since until <<<"$times"
	at="$since..$until"
	set -- --since "$since" --until "$until"
	span "$since" "$until" >"$dir/span"
	check "top entries $at" "$(tool top "$@" --limit 1000 | cut -f1-3 | sort)" \
		"$(awk -F'\t' "$by_client"' { n[$9] += $12; if (!seen[$9, id($2)]++) c[$9]++ }
			END { for (e in n) print e "\t" n[e] "\t" c[e] }' "$dir/span" | sort)"
	check "top families of a list $at" "$(tool top families "$@" --list list-2 --limit 1000 | cut -f1-3 | sort)" \
		"$(awk -F'\t' "$by_client"' $8 == "list-2" { n[$10] += $12; if (!seen[$10, id($2)]++) c[$10]++ }
			END { for (e in n) print e "\t" n[e] "\t" c[e] }' "$dir/span" | sort)"
	check "top clients $at" "$(tool top clients "$@" --limit 30 | cut -f2,3)" \
		"$(awk -F'\t' "$by_client"' { n[id($2)] += $12; if (!seen[id($2), $9]++) c[id($2)]++; t[id($2)] = $1 }
			END { for (e in n) print n[e] "\t" c[e] "\t" substr(t[e], 1, 19) "\t" e }' "$dir/span" |
			sort -k1,1nr -k3,3r | head -n 30 | cut -f1,2)"
	check "timeline $at" "$(tool timeline "$@" --by hour | awk -F'\t' '$2 { print substr($1, 1, 13) "\t" $2 "\t" $3 }')" \
		"$(awk -F'\t' "$by_client"' { h = substr($1, 1, 13); n[h] += $12; if (!seen[h, id($2)]++) c[h]++ }
			END { for (e in n) print e "\t" n[e] "\t" c[e] }' "$dir/span" | sort)"
	check "timeline by day of a family $at" \
		"$(tool timeline "$@" --by day --family family1 | awk -F'\t' '$2 { print substr($1, 1, 10) "\t" $2 }')" \
		"$(awk -F'\t' '$10 == "Family1" { n[substr($1, 1, 10)] += $12 } END { for (e in n) print e "\t" n[e] }' "$dir/span" | sort)"
	check "entry $at" "$(tool entry c2-00002.example "$@" | awk -F'\t' '{ n += $2; c++ } END { print n + 0, c + 0 }')" \
		"$(awk -F'\t' "$by_client"' $9 == "c2-00002.example" { n += $12; if (!seen[id($2)]++) c++ } END { print n + 0, c + 0 }' "$dir/span")"
	check "first and last $at" "$(tool top "$@" --limit 5 | cut -f1,4,5)" \
		"$(awk -F'\t' '{ n[$9] += $12; t = substr($1, 1, 19) "Z"; if (!f[$9]) f[$9] = t; l[$9] = t }
			END { for (e in n) print n[e] "\t" e "\t" f[e] "\t" l[e] }' "$dir/span" | sort -k1,1nr | head -n 5 | cut -f2-)"
	for filter in '--client 100.64.0.0/14' '--entry c2-00005.example' '--category phishing --list list-1' '--trigger answer'; do
		# shellcheck disable=SC2086
		check "sums of $filter $at" "$(tool top categories "$@" $filter | awk -F'\t' '{ n += $2 } END { print n + 0 }')" \
			"$(exported "$@" $filter | awk -F'\t' '{ n += $12 } END { print n + 0 }')"
	done
done

# Single hits by client, prefix and name are those of the export.
for client in $(awk -F'\t' 'NR % 9973 == 17 { print $2 }' "$dir/rows" | head -n 6); do
	check "client $client" "$(tool client "$client")" "$(awk -F'\t' -v c="$client" '$2 == c' "$dir/rows")"
	check "client $client in sums" "$(tool client "$client" --sum | awk -F'\t' '{ n += $2 } END { print n + 0 }')" \
		"$(awk -F'\t' -v c="$client" '$2 == c { n += $12 } END { print n + 0 }' "$dir/rows")"
done
check 'client prefix' "$(tool client 100.64.0.0/16 | wc -l)" "$(awk -F'\t' '$2 ~ /^100\.64\./' "$dir/rows" | wc -l)"
check 'name' "$(tool name www.c2-00007.example)" "$(awk -F'\t' '$6 == "www.c2-00007.example"' "$dir/rows")"
check 'name and below' "$(tool name c2-00007.example --subtree)" "$(awk -F'\t' '$9 == "c2-00007.example"' "$dir/rows")"
check 'name above' "$(tool name example --subtree --list list-3 | wc -l)" "$(awk -F'\t' '$8 == "list-3"' "$dir/rows" | wc -l)"
check 'newest' "$(exported --limit 9)" "$(tail -n 9 "$dir/rows")"
check 'sample' "$(tool family Family2 | awk -F'\t' '{ print $7 "\t" $5 "\t" $6 }' | sort)" \
	"$(tool family Family2 | awk -F'\t' '{ print $7 "\t" $5 "\t" $6 }' | sort | while read -r row; do grep -F -m1 "$row" "$dir/rows" | cut -f1-3; done)"

# Two spans: new, cleaned, compare.
cut_at=2026-01-01T03:00:00
sets() { awk -F'\t' "$by_client"' { if ($1 < "'$cut_at'") b[id($2)] += $12; else n[id($2)] += $12 }
	END { for (c in n) if (!(c in b)) new++; for (c in b) if (!(c in n)) gone++; print new + 0, gone + 0 }' "$dir/rows"; }
check 'new and cleaned' "$(tool new --since $cut_at | wc -l) $(tool cleaned --since $cut_at | wc -l)" "$(sets)"
check 'compare' "$(tool compare lists --since $cut_at --before 2025-12-01 | cut -f1-4 | sort)" \
	"$(awk -F'\t' '{ if ($1 < "'$cut_at'") b[$8] += $12; else n[$8] += $12 }
		END { for (l in n) print l "\t" b[l] + 0 "\t" n[l] + 0 "\t" n[l] - b[l] }' "$dir/rows" | sort)"
for command in top 'top clients' timeline summary 'entry c2-00001.example' 'family Family1' 'client 100.64.0.0/16' 'new' compare; do
	# shellcheck disable=SC2086
	check "$command --json" "$(tool $command --json | python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)
print("read")')" read
done
for wrong in 'top nothing' 'entry a..b' 'export --action none' 'export --trigger x' 'new names' 'timeline --hits ,'; do
	# shellcheck disable=SC2086
	said=$("$build/sinkhole-hits" $wrong 2>&1 >/dev/null)
	check "$wrong" "$? $(grep -c . <<<"$said")" '2 1'
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
