#!/bin/bash
# blocklist_cli.sh BUILD: sinkhole-blocklist as a person and a script use it: what it says, its exit status, and that
# nothing changes when something goes wrong.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1
tool=$PWD/$build/sinkhole-blocklist
dir=$(mktemp -d /tmp/sinkholed-cli-XXXXXX) || exit 2
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
sample=$PWD/zones/sample.txt
cd "$dir" || exit 2
passed=0 failed=0 skipped=0
out=$dir/out err=$dir/err

ok() { passed=$((passed + 1)); }
bad() { # WHAT: with what was said
	failed=$((failed + 1))
	echo "not ok - $1"
	sed 's/^/    out: /' "$out" | head -20
	sed 's/^/    err: /' "$err" | head -20
}
skip() { skipped=$((skipped + 1)); echo "skipped - $1"; }
run() { "$tool" "$1" --state "$dir/state" "${@:2}" >"$out" 2>"$err" </dev/null; }
# STATUS WORDS COMMAND...: the exit status, and words that stdout or stderr must have
expect() {
	local status=$1 words=$2 got
	shift 2
	run "$@"
	got=$?
	if [ $got != "$status" ]; then
		bad "$*: status $got, not $status"
	elif ! cat "$out" "$err" | grep -qF -- "$words"; then
		bad "$*: does not say \"$words\""
	else
		ok
	fi
}
# As expect, and exactly one line on stderr and none on stdout: no half-done talk beside an error
refuse() {
	expect "$@"
	if [ -s "$out" ] || [ "$(wc -l <"$err")" != 1 ]; then bad "${*:3}: not one line on stderr"; else ok; fi
}
# Without when they end: each import renews that
rules() { "$tool" list --state "$dir/state" "$@" | cut -f 1-4,6- | sort; }
is() { if [ "$1" = "$2" ]; then ok; else bad "$3: \"$1\", not \"$2\""; fi; }

# ---- help and version
for c in import check diff simulate add remove explain list lists export stats verify client group backup restore compact promote; do
	expect 0 "usage: sinkhole-blocklist $c" $c --help
done
"$tool" --version >"$out" 2>"$err"; is "$?:$(cut -d ' ' -f 1 "$out")" 0:sinkhole-blocklist "--version"
"$tool" >"$out" 2>"$err"; is $? 2 "no command"
"$tool" --help >/dev/full 2>"$err"; is $? 2 "a full disk behind stdout"

# ---- the state folder is made by whoever sets the service up, never by a slip
refuse 2 "create the state folder" import --list x "$sample"
mkdir state

# ---- no store yet: reading commands say so and make none
for c in list lists stats verify "explain a.example.net" "export --list x" "diff --list x $sample"; do
	refuse 2 blocklist $c
done
is "$(ls state 2>/dev/null)" "" "no store is made by reading"

# ---- usage
refuse 2 "needs --list" import "$sample"
refuse 2 "needs FILE" import --list x
refuse 2 "not \"xml\"" import --list x --format xml "$sample"
refuse 2 "not \"shoot\"" import --list x --action shoot "$sample"
refuse 2 "no domain name" import --list x --action cname=a..b "$sample"
refuse 2 "not \"soon\"" import --list x --expires soon "$sample"
refuse 2 "0 to 65535" import --list x --precedence 65536 "$sample"
refuse 2 "needs --reason" import --list x --force "$sample"
refuse 2 "not \"tld\"" import --list x --force=shrink,tld --reason t "$sample"
refuse 2 "zone's name" import --list x --origin a..b "$sample"
refuse 2 "unknown option --lits" import --lits x "$sample"
refuse 2 "needs --reason" add a.example.net
refuse 2 "no domain name" add --reason t http://a.example.net/
refuse 1 "--force" add --reason t com
refuse 1 "--force" add --reason t 0.0.0.0/0
refuse 2 "write 192.0.2.0/24 for all of that network, or 192.0.2.5 for the one address" add --reason t 192.0.2.5/24
refuse 2 "write 2001:db8::/32" client add --opt-out 2001:db8::1/32
refuse 2 "either --lists" group set x
refuse 2 "a meaning of its own" group set opt-out --lists a
refuse 2 "is over" add --reason t --expires 2020-01-01 a.example.net
refuse 2 "for ever" add --reason t --expires never a.example.net
refuse 2 "one operand too many" add --reason t a.example.net b.example.net
is "$(ls state 2>/dev/null)" "" "no store is made by a slip"

# ---- files that cannot be read
refuse 2 "No such file" import --list x absent
refuse 2 "is a folder" import --list x "$dir"
cp "$sample" secret && chmod 0 secret && chmod 755 "$dir"
plain=
[ "$(id -u)" != 0 ] || plain='setpriv --reuid=65534 --regid=65534 --clear-groups'
if $plain test -x "$tool" 2>/dev/null; then
	$plain "$tool" import --state "$dir/state" --list x secret >"$out" 2>"$err" </dev/null
	is "$?:$(grep -c 'Permission denied' "$err")" 2:1 "an unreadable file"
else
	skip "an unreadable file: root reads everything, and another user cannot run the tool here"
fi
is "$(ls state 2>/dev/null)" "" "no store is made by a missing file"

# ---- import, again, and what is seen of it
expect 0 "accepted" import --list sample "$sample"
is "$(stat -c %s "$err")" 0 "progress is silent in a pipe"
is "$(rules | wc -l)" 20 "the sample's rules"
before=$(rules)
expect 0 "unchanged" import --list sample "$sample"
is "$(awk '$1 == "unchanged" { print $2 }' "$out")" 20 "a second import changes nothing"
expect 0 "sample" lists
expect 0 "generation" stats
expect 0 "good" verify
expect 0 "answered with the sinkhole's address, by list sample" explain x.c2.example.net
expect 2 "is a prefix" explain 192.0.2.0/24
expect 0 "decides" explain 198.51.100.130
expect 1 "on no list" explain www.example.net
expect 1 "on no list" explain dga.example.org
refuse 2 "no domain name" explain a..b
for c in "stats" "lists" "list" "verify" "explain c2.example.net" "explain www.example.net" "check $sample" \
	"import --list sample $sample" "diff --list sample $sample" "client show"; do
	run $c --json
	if python3 -c 'import json,sys
for line in sys.stdin: json.loads(line)' <"$out" 2>>"$err"; then ok; else bad "$c --json: no JSON"; fi
done
"$tool" list --state "$dir/state" >/dev/full 2>"$err"; is $? 2 "list into a full disk"
python3 -c 'import pty, sys
pty.spawn(sys.argv[1:])' "$tool" list --state "$dir/state" >"$out" 2>"$err" </dev/null
is "$(head -n 1 "$out" | tr -d '\r' | tr -s ' ')" "rule kind list action until reason reference" "columns on a terminal"

# ---- broken input leaves the list alone
: >empty
head -c 5000 /dev/urandom >junk
printf '<!DOCTYPE html>\n<p>404\n' >page
printf '/a\n/b\n' >urls
expect 1 "nothing in the input" import --list sample empty
expect 2 "nothing was changed" import --list sample junk
expect 2 "web page" import --list sample page
expect 1 "left as it was" import --list sample urls
expect 1 "nothing in the input" check urls
grep -v stealer "$sample" | grep -v '^[0-9]' >smaller
sed -n '/^# Names below/q;p' "$sample" >half
expect 1 "more than 20 %" import --list sample half
is "$(rules)" "$before" "the list after refused imports"
expect 1 "$(printf -- '-\tc2.test')" diff --list sample half # an import would be refused
expect 1 "11 to remove (-), 9 as they are" diff --list sample --summary half
is "$(rules)" "$before" "the list after a diff"
expect 0 "removed" import --list sample smaller
expect 1 "--force=shrink" import --list sample --force=wide,empty --reason "wrong words" half
expect 0 "removed" import --list sample --force --reason "half is right" half
if grep -q '"forced":true,"reason":"half is right"' state/blocklist/changes.jsonl; then ok; else bad "what is forced is recorded"; fi
# Each gate by its name: who forces a shorter list does not list a top-level domain with it.
printf 'com\n0.0.0.0/0\nc2.test\n' >top
expect 0 "--force=single-label takes them" import --list top --force=shrink --reason t top
is "$(rules --list top | cut -f 1)" c2.test "what --force=shrink takes"
expect 0 "accepted" import --list top --force=single-label --reason t top
is "$(rules --list top | cut -f 1 | tr '\n' ' ')" "c2.test com " "what --force=single-label takes"
if grep -q '"forced":true,"force":"single-label","reason":"t"' state/blocklist/changes.jsonl; then ok; else bad "what is forced is named"; fi
expect 0 "accepted" import --list top --force --reason t top
is "$(rules --list top | wc -l)" 3 "what --force alone takes"
expect 1 "--force=empty" import --list top empty
expect 0 "removed" import --list top --force=empty --reason t empty
is "$(rules --list top)" "" "the list that was emptied"
expect 0 "accepted" import --list sample "$sample"
is "$(rules)" "$before" "the whole sample again"

# ---- the gate: suffixes, own names and addresses, never-block lists, popular names, and how much at once
printf '%s\n' 'state: /nowhere' 'gates: {own_names: [isp.example.org], own_nets: [198.51.100.0/25], popular: popular.csv}' \
	'sinkhole: {ipv4: 203.0.113.80}' "recursion: {forward: [{zone: ., servers: [203.0.113.53]}]}" >gate.yaml
printf 'rank,name\r\n1,www.popular.example\r\n2,fine.example\r\n# comment\r\n' >popular.csv
printf '%s\n' co.uk '*.uk.com' github.io isp.example.org mail.isp.example.org example.org a.root-servers.net root-servers.net \
	198.51.0.0/16 203.0.113.80 203.0.113.53 198.41.0.4 198.51.100.200 good.warned.example evil.warned.example 10.0.0.0/9 1.0.0.0/8 >gated
printf '{"name":"w","type":"hostname","list":["good.warned.example"]}' >warned
run import --list warned warned
is "$("$tool" lists --state "$dir/state" | awk -F '\t' '$1 == "warned" { print $2, $4, $10 }')" "0 passthru -" "a warning list never lapses"
expect 0 "accepted" import --list gated -c gate.yaml gated
is "$(rules --list gated | cut -f 1 | tr '\n' ' ')" "198.51.100.200/32 evil.warned.example " "what the gate lets pass"
expect 0 "line 11: 203.0.113.53/32 (203.0.113.53/32)" import --list gated -c gate.yaml gated
expect 0 "line 14: good.warned.example (list warned)" import --list gated -c gate.yaml gated
expect 0 "public suffix                           1" import --list gated -c gate.yaml gated
expect 0 "suffix that many share                  2" check gated
expect 0 "your own, or root servers               9" check -c gate.yaml gated
printf '0.0.0.0 github.io\n' >exactly
expect 0 "accepted                                1" check --format hosts exactly # nobody's name below it
printf '%s\n' '$ORIGIN rpz.example.' '@ SOA localhost. root.localhost. 1 1 1 1 1' '*.amazonaws.com CNAME .' \
	'*.s3.amazonaws.com CNAME rpz-passthru.' >hidden # left out as a suffix, it still ends the wildcard above
expect 0 "suffix that many share" import --list hidden --format rpz hidden
expect 1 "resolved as it is" explain x.s3.amazonaws.com
expect 0 "by list hidden" explain x.other.amazonaws.com
expect 0 "removed" import --list hidden --force=empty --reason t empty
printf 'wide.example\npopular.example\n' >hot
refused() { # WHY COMMAND...: what JSON says
	is "$("$tool" "${@:2}" --state "$dir/state" -c gate.yaml --json 2>/dev/null | python3 -c '
import json, sys
d = json.loads(sys.stdin.readlines()[-1])
print(d["refused"], [(e["file"], e["line"], e["text"], e.get("why")) for e in d["skipped"].get("popular", {}).get("examples", [])])')" "$1" "refused: $1"
}
refused "popular [('hot', 2, 'popular.example', 'rank 1')]" import --list gated hot
refused "popular [('hot', 2, 'popular.example', 'rank 1')]" diff --summary --list gated hot
expect 1 "line 2: popular.example (rank 1)" import --list gated -c gate.yaml hot
expect 1 "an import is refused" check -c gate.yaml hot
expect 1 "would block popular names" diff --list gated -c gate.yaml hot
is "$(rules --list gated | cut -f 1 | tr '\n' ' ')" "198.51.100.200/32 evil.warned.example " "the list after the gate"
expect 0 "accepted" import --list gated -c gate.yaml --force=popular,shrink --reason "it serves malware now" hot
expect 0 "unchanged                               2" import --list gated -c gate.yaml hot # listed already: decided
is "$("$tool" lists --state "$dir/state" --json | python3 -c 'import json, sys
print({d["list"]: d["forced"] for d in map(json.loads, sys.stdin)}["gated"])')" None "the last import was not forced"
printf 'www.popular.example\n' >www && printf '0.0.0.0 popular.example\n' >hosts
expect 1 "rank 1" check -c gate.yaml www
expect 0 "accepted" check -c gate.yaml --format hosts hosts
printf '1,wide.example\n' >newer
expect 1 "line 1: wide.example (rank 1)" check --popular newer hot
expect 2 "no line of it has a domain name" check --popular empty hot
expect 2 "No such file" check --popular absent hot
seq -f 'n%.0f.grow.example' 1 100 >grow
seq -f 'n%.0f.grow.example' 1 301 >grown
expect 0 "accepted" import --list grow grow
refused "growth []" import --list grow grown
expect 1 "--force=growth" import --list grow grown
expect 0 "set" list set grow max-growth=201 max-shrink=100
expect 0 "added                                 201" import --list grow grown
expect 0 "removed                               300" import --list grow <(echo n1.grow.example)
seq -f 'n%.0f.turn.example' 1 1000 >turn
seq -f 'n%.0f.turn.example' 900 1900 >turned
expect 0 "accepted" import --list turn --max-shrink 30 turn
refused "shrink []" import --list turn turned # as many rules, but other ones
expect 0 "removed                               899" import --list turn --force --reason "another source" turned
is "$("$tool" lists --state "$dir/state" | awk -F '\t' '$1 == "turn" { print $12 }')" yes "a forced import is seen"
refuse 2 "percent, from 1 to 100" list set grow max-shrink=0
refuse 2 "may have no lease" list set grow lease=never
expect 0 "set" list set warned lease=never
refuse 1 "public suffix" add --reason t co.uk
refuse 1 "on a never-block list (list warned)" add --reason t x.good.warned.example
refuse 1 "your own" add --reason t -c gate.yaml isp.example.org
refuse 1 "rank 1" add --reason t -c gate.yaml www.popular.example
expect 0 "listed" add --reason t -c gate.yaml --force www.popular.example
expect 0 "removed" remove --reason t www.popular.example
expect 0 "for ever" add --reason "our customer" --never-block evil.warned.example
expect 0 "let through, by list never-block" explain evil.warned.example
refuse 2 "leave --action out" add --reason t --never-block --action nxdomain a.example.net

# ---- simulate: what the store, or a list that is not in it, would have done with questions that were asked
python3 - <<'END'
import struct
def message(name):
    q = b"".join(bytes([len(l)]) + l for l in name.encode().split(b".")) + b"\0"
    return struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + q + struct.pack(">HH", 1, 1)
def udp(p): return struct.pack(">HHHH", 4000, 53, len(p) + 8, 0) + p
def tcp(p): return struct.pack(">HHIIBBHHH", 4000, 53, 1, 1, 0x50, 0x18, 512, 0, 0) + struct.pack(">H", len(p)) + p
def ip4(p, n, last): return struct.pack(">BBHHHBBH4s4s", 0x45, 0, len(p) + 20, 1, 0, 64, n, 0, bytes([192, 0, 2, last]), bytes(4)) + p
frames = [ip4(udp(message("x.c2.test")), 17, 1), ip4(tcp(message("beacon.test")), 6, 2), ip4(udp(message("www.example.org")), 17, 3)]
out = struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
for f in frames:
    f = bytes(12) + b"\x08\x00" + f
    out += struct.pack("<IIII", 0, 0, len(f), len(f)) + f
open("capture", "wb").write(out)
open("wifi", "wb").write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 105))
END
printf '%s\n' 'x.c2.test 192.0.2.1 2026-01-01T00:00:00Z' 'beacon.test,192.0.2.2' '{"qname":"www.example.org","client":"192.0.2.3"}' \
	'# no question' 'a..b' >asked
printf '%020000d\n' 0 >>asked
simulated() { # WANT ARGUMENTS...
	is "$("$tool" simulate --state "$dir/state" --json "${@:2}" 2>"$err" | python3 -c '
import json, sys
d = json.load(sys.stdin)
print(d["questions"], d["blocked"], d["clients"], d["unreadable"], d["popular"], d["local"],
      [(r["rule"], r["list"], r["hits"]) for r in d["top_rules"]], "top_clients" in d)')" "$1" "simulate ${*:2}"
}
before=$(rules)
both="[('beacon.test', 'sample', 1), ('c2.test', 'sample', 1)]"
simulated "3 2 2 2 0 0 $both False" asked
simulated "3 2 2 0 0 0 $both False" capture
simulated "3 2 2 0 0 0 $both True" --clients --pcap - <capture
printf '7,x.c2.test\n' >best
simulated "3 2 2 2 1 0 $both False" --popular best asked
printf 'example.org\n' >tomorrow
simulated "3 1 1 2 0 2 [('example.org', 'candidate', 1)] False" --candidate tomorrow asked
simulated "3 1 1 2 0 2 [('example.org', 'sample', 1)] False" --candidate tomorrow --list sample asked
simulated "3 3 3 2 0 0 [('beacon.test', 'sample', 1), ('c2.test', 'sample', 1), ('example.org', 'new', 1)] False" --candidate tomorrow --list new asked
is "$(rules)" "$before" "the store after a simulation"
expect 0 "66.6667 %" simulate asked
if "$tool" simulate --state "$dir/state" asked | grep -q '192\.0'; then bad "simulate shows addresses unasked"; else ok; fi
refuse 2 "link of type 105" simulate wifi
refuse 2 "about a --candidate" simulate --list sample asked
refuse 2 "No such file" simulate absent
is "$(ls -d "${TMPDIR:-/var/tmp}"/sinkhole-simulate-* 2>/dev/null)" "" "a simulation leaves nothing"

# ---- by hand
expect 0 "listed hand.example.net" add hand.example.net --reason because --authority court --expires 14d
expect 0 "because" explain x.hand.example.net
expect 0 "court" explain x.hand.example.net
expect 0 "(exact)" add single.example.net --reason t --exact --action nxdomain
expect 0 "nxdomain" explain single.example.net
expect 1 "on no list" explain x.single.example.net
expect 0 "(address)" add 127.0.0.66 --reason "a lab may"
expect 0 "lease ends" add extra.example.net --list sample --reason t --expires 60d
expect 0 "its next import takes the entry out" add extra.example.net --list sample --reason t
expect 0 "accepted" import --list sample "$sample"
expect 1 "on no list" explain extra.example.net
expect 0 "for ever" add free.c2.example.net --list allowed --reason t --action passthru --expires never
expect 1 "is not on list" remove other.example.net --reason t
expect 1 "no list \"absent\"" remove other.example.net --list absent --reason t
expect 0 "removed hand.example.net" remove hand.example.net --reason t
expect 1 "on no list" explain hand.example.net
expect 1 "no list" export --list absent
refuse 2 "cannot be the name" add a.example.net --reason t --list 'a b'

# ---- export comes back as it was
expect 0 "accepted" import --list rich --family bot "$sample"
run export --list rich; cp "$out" rich.csv
expect 0 "accepted" import --list copy rich.csv
run export --list copy
if cmp -s "$out" rich.csv; then ok; else bad "export, import, export"; fi
expect 1 "left out" export --list manual --format domains
refuse 2 "not \"xml\"" export --list rich --format xml
refuse 2 "needs --list" export --format rpz
expect 0 "@ SOA" export --list rich --format rpz
expect 0 '"list":"rich"' export --json
expect 0 "flush set" export --format nft

# ---- local data: any order of lines, told and left out, there and back, never by hand
garden='garden.example.net'
printf '%s\n' '$TTL 30' '$ORIGIN rpz.example.' '@ SOA a. b. 1 1 1 1 1' "$garden A 192.0.2.7" "*.wild.example.net TXT \"a;b\"" \
	"$garden AAAA 2001:db8::7" "$garden A 192.0.2.7" "mixed.example.net A 192.0.2.1" "mixed.example.net CNAME ." \
	"$garden NS ns.example.net." "$garden A 192.0.2.256" "$garden CNAME rpz-later." >data.rpz
{ head -3 data.rpz; tail -n +4 data.rpz | tac; } >data-back.rpz
counted() { # WORDS NUMBER: a line of the summary
	if grep -qE "^ *$1 +$2\$" "$out"; then ok; else bad "summary: $1 $2"; fi
}
expect 0 "accepted" import --list data data.rpz
counted "of these, local data" 4
counted duplicate 1
counted "local data beside CNAME" 1
counted "type is never local data" 1
counted "no name or address" 1
counted "action not supported" 1
counted added 3
expect 0 "accepted" import --list data data-back.rpz
counted unchanged 3
is "$(rules --list data | cut -f 1-4,8)" "*.wild.example.net	wildcard	data	local-data	TXT 30 \"a;b\"
$garden	exact	data	local-data	A 30 192.0.2.7; AAAA 30 2001:db8::7
mixed.example.net	exact	data	nxdomain	-" "list shows local data"
expect 0 "data       AAAA 30 2001:db8::7" explain $garden
run explain $garden --json
is "$(python3 -c 'import json,sys; print([r["data"] for r in json.load(sys.stdin)["rules"] if r["list"] == "data"])' <"$out")" \
	"[['A 30 192.0.2.7', 'AAAA 30 2001:db8::7']]" "explain --json tells local data"
run export --list data; cp "$out" data.csv
expect 0 "accepted" import --list data-copy data.csv
run export --list data-copy
if cmp -s "$out" data.csv; then ok; else bad "local data: export, import, export"; fi
run diff --list data data.csv
is "$(cat "$out" "$err")" "" "local data: nothing differs from its own export"

# ---- JSON there and back, into a store that has nothing; when a rule ends with the lease is the list's, not the file's
cat >rules.json <<'END'
{"rule":"a.json.example.net","kind":"exact","action":"nxdomain","starts":"2026-01-02T03:04:05Z","expires":"2096-01-02T03:04:05Z",
 "first_listed":"2025-01-02T03:04:05Z","confidence":80,"family":"null","category":"c2","reason":"says \"Event\": \u2603","reference":"TLP:AMBER x","authority":"CERT"}
{"rule":"b.json.example.net","kind":"subtree","action":"local-data","data":"A 30 192.0.2.7; TXT 30 \"a;b\\\"; c\"; TYPE65280 30 \\# 2 3b22; HTTPS 30 \\# 9 00010029b000268690; MX 30 10 m\\;x.example."}
{"rule":"*.c.json.example.net","kind":"wildcard","action":"cname","data":"CNAME 30 garden.example."}
{"rule":"ns.json.example.net","kind":"ns-exact","action":"passthru"}
{"rule":"*.ns.json.example.net","kind":"ns-wildcard"}
{"rule":"198.51.100.0/24","kind":"client+answer","action":"drop"}
{"rule":"2001:db8:7::/48","kind":"server","confidence":0}
END
ours() { run export --list json --format json; sed 's/"until":"[^"]*"/"until":null/' "$out"; }
expect 0 "accepted" import --list json rules.json
counted accepted 7
ours >there.json
mkdir fresh
mv state away; mv fresh state
expect 0 "read as json" import --list json there.json
counted accepted 7
ours >back.json
rm -r state; mv away state
if [ "$(wc -l <there.json)" = 7 ] && cmp -s there.json back.json; then ok; else bad "JSON: export, import, export"; fi
run diff --list json there.json
is "$(cat "$out" "$err")" "" "JSON: nothing differs from its own export"
run export --format json; cp "$out" all.json
refuse 2 "several lists" import --list all all.json
expect 0 "" list remove json --reason t
sed 's/192.0.2.7/192.0.2.8/' data.rpz >data-new.rpz
expect 0 "$(printf '~\t%s\texact\tlocal-data\t-\tA 30 192.0.2.8; AAAA 30 2001:db8::7' $garden)" diff --list data data-new.rpz
refuse 2 "needs records" add a.example.net --reason t --action local-data
refuse 2 "needs records" import --list data --action local-data data.rpz

# ---- formats, several files, standard input
printf '127.0.0.1 localhost\n0.0.0.0 a.hosts.example.net b.hosts.example.net\n' >hosts
printf '$TTL 30\n@ SOA a. b. 42 1 1 1 1\n NS a.\nx.rpz.example.net CNAME .\n*.rpz.example.net CNAME rpz-drop.\n' >zone
expect 0 "read as hosts" import --list hosts hosts
expect 1 "on no list" explain below.a.hosts.example.net
expect 0 "read as rpz" import --list rpz zone
expect 0 "drop" explain y.rpz.example.net
expect 1 "on no list" explain below.x.rpz.example.net
expect 0 "42" lists
expect 0 "several formats" import --list both hosts zone
"$tool" import --list rpz --state "$dir/state" - <zone >"$out" 2>"$err"; is $? 0 "standard input"
cat zone | "$tool" -c /dev/null --state "$dir/state" import --list rpz - >"$out" 2>"$err"; is $? 0 "a pipe"
is "$(awk '$1 == "unchanged" { print $2 }' "$out")" 3 "a pipe gives what a file gives"

# ---- duplicates are counted and shown, whatever their form, and the last one counts
printf 'a.dup.example.net # one\nA.dup.example.net. # two\n*.a.dup.example.net\nb.dup.example.net\n' >duplicates
run import --list duplicates --json duplicates
is "$(python3 -c 'import json,sys
d = json.load(sys.stdin)["skipped"]["duplicate"]
print(d["count"], d["examples"][0]["line"])' <"$out")" "1 2" "duplicates"
is "$(python3 -c 'import json,sys
d = json.load(sys.stdin)
print(d["accepted"], d["added"])' <"$out")" "3 3" "what is accepted is what is stored"
expect 0 "one" explain a.dup.example.net

# ---- clients and groups
refuse 2 "one of them" client add 192.0.2.0/24
expect 0 "opted out" client add 192.0.2.0/24 --opt-out --reason "ticket 7"
expect 0 "192.0.2.0/24" client show
expect 1 "opted out" explain c2.example.net --client 192.0.2.7
expect 0 "by list" explain c2.example.net --client 192.0.3.7
expect 0 ": ticket 7" client show 192.0.2.7
expect 0 "nothing is said of it" client show 192.0.3.7
expect 0 "removed" client remove 192.0.2.0/24
refuse 1 "nothing is said" client remove 192.0.2.0/24
refuse 2 "bits set behind" client add 192.0.2.1/24 --opt-out
refuse 1 "more than any one subscriber" client add 0.0.0.0/0 --opt-out
refuse 1 "more than any one subscriber" client add 2000::/3 --opt-out
printf '0.0.0.0/0,opt-out\n' >people
expect 1 "--force takes it" client import people
expect 0 "opted out" client add 0.0.0.0/0 --opt-out --force
expect 0 "removed" client remove 0.0.0.0/0
refuse 1 "no list \"absent\"" group set kids --lists absent
refuse 1 "no group \"kids\"" client add 192.0.2.0/24 --group kids
expect 0 "set" group set kids --lists duplicates
expect 0 "set" group set rest --except duplicates
printf 'prefix,group,reason\n192.0.2.0/24,kids,\n192.0.2.128/25,rest,"a, b"\n192.0.2.130,opt-out,\n' >people
expect 0 "3 added" client import people
expect 0 "3 unchanged" client import people
is "$("$tool" client show 192.0.2.1 --state "$dir/state" | tail -n 1)" "lists that apply: duplicates" "a group's lists"
expect 0 "group rest, by 192.0.2.128/25, since " client show 192.0.2.129
expect 0 "all lists but duplicates" client groups
expect 1 "192.0.2.129 (group rest): resolved as it is; no rule" explain a.dup.example.net --client 192.0.2.129
expect 1 "its list does not apply to this client" explain a.dup.example.net --client 192.0.2.129
expect 0 "by list" explain a.dup.example.net --client 192.0.2.1
refuse 1 "prefixes in group kids" group remove kids
printf '192.0.2.5/24\n192.0.2.0/25\n' >people
expect 1 "bits set behind" client import people --group kids --replace
expect 1 "1 added" client import people --group kids
printf '192.0.2.0/25\n' >people
expect 0 "1 removed" client import people --group kids --replace
printf '192.0.2.130\n' >people
expect 0 "1 changed" client import people --group kids
: >people
refuse 1 "no prefix" client import people --group kids --replace
if grep -q '192\.0\.2' state/blocklist/changes.jsonl; then bad "an opt-out leaves a trace"; else ok; fi

# ---- settings of a list
refuse 2 "needs NAME" list set two
refuse 2 "no setting" list set duplicates colour=red
refuse 2 "0 to 65535" list set duplicates precedence=x
refuse 2 "live, monitor or disabled" list set duplicates mode=on
refuse 2 "mode=monitor" list set duplicates action=monitor
refuse 2 "a span" list set duplicates lease=0
refuse 2 "no operands" list get
refuse 1 "no list" list set absent mode=live
expect 0 "set" list set duplicates precedence=7 mode=monitor ede=17 lease=2d "public=see the notice" action=nxdomain
is "$("$tool" lists --state "$dir/state" | awk -F '\t' '$1 == "duplicates" { print $2, $3, $4, $13 }')" \
	"7 monitor nxdomain see the notice" "what list set changed"
refuse 2 "--reason" promote duplicates
expect 0 "will be acted on" promote duplicates --reason "watched for a week"
refuse 1 "live already" promote duplicates --reason again

refuse 2 "needs --reason" list remove duplicates
refuse 1 "group kids names list duplicates" list remove duplicates --reason t
expect 0 "set" group set kids --lists ""
expect 0 "set" group set rest --lists ""
expect 0 "removed, with" list remove duplicates --reason "no longer kept"
refuse 1 "no list" list remove duplicates --reason t
expect 1 "on no list" explain a.dup.example.net

# ---- interrupted while it reads: a fifo keeps it waiting
mkfifo fifo
before=$(rules --list sample)
"$tool" import --state "$dir/state" --list sample fifo >"$out" 2>"$err" &
pid=$!
exec 3<>fifo
cat "$sample" >&3
sleep 0.3
"$tool" import --state "$dir/state" --list sample "$sample" >busy 2>&1; is $? 2 "two imports of one list"
if grep -q "another process" busy; then ok; else bad "two imports: $(cat busy)"; fi
kill -INT $pid
wait $pid; is $? 1 "Ctrl-C's status"
exec 3>&-
if grep -q "nothing was changed" "$err"; then ok; else bad "Ctrl-C"; fi
is "$(rules --list sample)" "$before" "the list after Ctrl-C"

# ---- killed at any moment of a large import, over transactions; then the same command does the work
seq -f 'n%.0f.big.example.net' 1 120000 >big
for delay in 0.05 0.1 0.2 0.3; do
	"$tool" import --state "$dir/state" --list big big >/dev/null 2>&1 &
	pid=$!
	sleep $delay
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	n=$(rules --list big 2>/dev/null | wc -l)
	case $n in 0 | 120000) ok ;; *) bad "killed after $delay s: $n rules are seen" ;; esac
done
expect 0 "accepted" import --list big big
is "$(rules --list big | wc -l)" 120000 "the same command after SIGKILL"
expect 0 "good" verify

# ---- a terminal: headings and a bar
if command -v script >/dev/null; then
	script -qec "$tool lists --state $dir/state" /dev/null >"$out" 2>"$err" </dev/null
	if grep -q precedence "$out"; then ok; else bad "headings on a terminal"; fi
	script -qec "$tool import --state $dir/state --list big $dir/big" /dev/null >"$out" 2>"$err" </dev/null
	if grep -q '%' "$out"; then ok; else bad "a bar on a terminal"; fi
else
	skip "output on a terminal: script is not installed"
fi

# ---- a full disk
mkdir small
cat >full.sh <<END
mount -t tmpfs -o size=3m tmpfs $dir/small || exit 77
$tool import --state $dir/small --list sample $sample >/dev/null || exit 99
$tool list --state $dir/small >$dir/before
$tool import --state $dir/small --list big $dir/big >$dir/out 2>$dir/err
echo \$? >$dir/status
$tool list --state $dir/small >$dir/after
END
unshare -rm bash full.sh 2>/dev/null
case $? in
0)
	is "$(cat status)" 2 "the status when the disk is full"
	if grep -q "full" "$err" && [ "$(wc -l <"$err")" = 1 ]; then ok; else bad "a full disk"; fi
	if [ -s before ] && cmp -s before after; then ok; else bad "the rules after a full disk"; fi
	;;
*) skip "a full disk: no mount namespace here" ;;
esac

# ---- damage
cp -r state damaged
python3 - damaged/blocklist/data.mdb <<'END'
import sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
at = data.find(b"\x03big\x03") # a label within a name's key
while at >= 0 and data[at + 4] == 3:
    data[at + 1] ^= 1
    at = data.find(b"\x03big\x03", at + 4096) # pages that are not in use have copies
open(path, "wb").write(data)
END
"$tool" verify --state damaged >"$out" 2>"$err"; status=$?
is $status 1 "verify of a damaged store"
if grep -q "damaged" "$err"; then ok; else bad "verify of a damaged store"; fi
truncate -s 8192 damaged/blocklist/data.mdb
"$tool" list --state damaged >"$out" 2>"$err"; is $? 2 "a truncated store"

# Triggers and gardens of policy zones: in, explained, out and in again.
printf '%s\n' '$ORIGIN rpz.test.' '@ SOA a. b. 1 1 1 1 1' '@ NS localhost.' '24.0.113.0.203.rpz-client-ip CNAME rpz-drop.' \
	'x.trig.example.org CNAME *.garden.test.' 'ns.trig.example.org.rpz-nsdname CNAME .' '8.2.0.0.10.rpz-ip CNAME .' >trig
expect 0 "bits are set behind the prefix length" import --list trig --format rpz trig
expect 0 "sent to a walled garden, by list trig" explain x.trig.example.org
expect 0 "left without an answer, by list trig" explain x.trig.example.org --client 203.0.113.7
expect 0 "what its list says of another trigger comes first" explain x.trig.example.org --client 203.0.113.7
expect 1 "lease has lapsed" explain x.trig.example.org --at 400d
expect 1 "on no list" explain ns.trig.example.org
expect 0 "no such name" explain ns.trig.example.org --server
expect 0 "action cname" add y.trig.example.org --action cname=walled.test --reason t
refuse 2 "no domain name" add y.trig.example.org --action cname= --reason t
run export --list trig --format rpz && cp "$out" trig.rpz
expect 0 "unchanged                               3" import --list trig --format rpz --origin rpz.test trig.rpz
run export --list trig --format csv && cp "$out" trig.csv
expect 0 "unchanged                               3" import --list trig --format csv trig.csv
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
