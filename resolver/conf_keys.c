#include "resolver/conf_keys.h"

#define FIELD(f) .at = offsetof(struct conf, f), .size = sizeof(((struct conf *)0)->f)
#define COUNT(f) .count_at = offsetof(struct conf, f)

static const struct conf_word sink_actions[] = {
	{"address", RULE_ADDRESS}, {"nxdomain", RULE_NXDOMAIN}, {"nodata", RULE_NODATA},
	{"refuse", RULE_REFUSE},   {"drop", RULE_DROP},		{NULL, 0},
};

static const struct conf_word qmin_modes[] = {
	{"off", CONF_QMIN_OFF},
	{"relaxed", CONF_QMIN_RELAXED},
	{"strict", CONF_QMIN_STRICT},
	{NULL, 0},
};

const struct conf_key conf_keys[] = {
	{
		.path = "listen",
		.type = CONF_LISTEN,
		FIELD(listen),
		COUNT(listen_n),
		.min = 1,
		.max = CONF_LISTEN_MAX,
		.def = "[127.0.0.1@5300, \"::1@5300\"]",
		.restart = true,
		.help = "Addresses to answer on, over UDP and TCP; port 53 unless told. "
			"An "
			"element may be {address: ADDRESS@PORT, proxy: false}.",
	},
	{
		.path = "workers",
		.type = CONF_NUMBER,
		FIELD(workers),
		.min = 1,
		.max = CONF_WORKERS_MAX,
		.def_note = "one per processor",
		.restart = true,
		.help = "Threads that answer.",
	},
	{
		.path = "busy_poll",
		.type = CONF_NUMBER,
		FIELD(busy_poll_us),
		.max = CONF_BUSY_POLL_MAX_US,
		.def = "0",
		.restart = true,
		.help = "Microseconds for which a worker that has answered over UDP asks "
			"for more questions before it sleeps; 0 to sleep at once. "
			"Answers "
			"come sooner, for a processor that is never idle under load: 50 "
			"is a usual figure.",
	},
	{
		.path = "allow",
		.type = CONF_NETS,
		FIELD(allow),
		.max = CONF_NET_MAX,
		.def = "[127.0.0.0/8, \"::1/128\"]",
		.help = "Clients that are served; all others get REFUSED.",
	},
	{
		.path = "state",
		.type = CONF_TEXT,
		FIELD(state),
		.min = 1,
		.max = CONF_PATH_MAX - 1,
		.def = "/var/lib/sinkholed",
		.restart = true,
		.help = "Folder that holds blocklist/ and hits/.",
	},
	{
		.path = "runtime",
		.type = CONF_TEXT,
		FIELD(runtime),
		.min = 1,
		.max = CONF_PATH_MAX - 1,
		.def_note = "the folder of state",
		.restart = true,
		.help = "Folder of control.sock and of the hit rings. It must outlive "
			"the "
			"process: hits not yet in the log are read from there at the "
			"next "
			"start.",
	},
	{
		.path = "user",
		.type = CONF_TEXT,
		FIELD(user),
		.max = 63,
		.def = "sinkholed",
		.restart = true,
		.help = "User to become once the addresses are bound, when started as "
			"root; "
			"\"\" to stay root.",
	},
	{
		.path = "node",
		.type = CONF_TEXT,
		FIELD(node),
		.min = 1,
		.max = CONF_NODE_MAX - 1,
		.def_note = "the host name",
		.restart = true,
		.help = "Name of this machine in hit records.",
	},
	{
		.path = "nsid",
		.type = CONF_TEXT,
		FIELD(nsid),
		.max = CONF_NSID_MAX - 1,
		.def = "\"\"",
		.help = "What clients are told who ask which server answers (NSID, RFC "
			"5001); \"\" to tell nobody.",
	},
	{
		.path = "sinkhole.action",
		.type = CONF_CHOICE,
		FIELD(sinkhole.action),
		.words = sink_actions,
		.def = "address",
		.help = "What a listed name is answered with when neither its entry nor "
			"its "
			"list says.",
	},
	{
		.path = "sinkhole.ipv4",
		.type = CONF_IPV4,
		FIELD(sinkhole.ipv4),
		.def = "192.0.2.1",
		.help = "The address in A answers; the default is a documentation "
			"address "
			"that leads nowhere.",
	},
	{
		.path = "sinkhole.ipv6",
		.type = CONF_IPV6,
		FIELD(sinkhole.ipv6),
		.def = "\"2001:db8::1\"",
		.help = "The address in AAAA answers.",
	},
	{
		.path = "sinkhole.ttl",
		.type = CONF_SECONDS,
		FIELD(sinkhole.ttl_s),
		.max = HOUR,
		.def = "30s",
		.help = "How long clients may keep a sinkhole answer, and so how long a "
			"wrong entry hurts after its removal.",
	},
	{
		.path = "recursion.root_hints",
		.type = CONF_TEXT,
		FIELD(recursion.root_hints),
		.max = CONF_PATH_MAX - 1,
		.def = "\"\"",
		.def_note = "built in",
		.restart = true,
		.help = "File in zone format with the root servers' NS, A and AAAA "
			"records; "
			"nothing built in is used beside it.",
	},
	{
		.path = "recursion.trust_anchor",
		.type = CONF_TEXT,
		FIELD(recursion.trust_anchor),
		.max = CONF_PATH_MAX - 1,
		.def_note = "built in",
		.restart = true,
		.help = "File of DS or DNSKEY lines of any zones; \"\" for no "
			"validation. What it holds is read again by sinkholectl reload; "
			"new keys of these zones are followed (RFC 5011).",
	},
	{
		.path = "recursion.validate_sha1",
		.type = CONF_BOOL,
		FIELD(recursion.validate_sha1),
		.def = "false",
		.help = "Signatures of algorithms 5 and 7 count, too; by default a zone "
			"that has no others counts as unsigned, RFC 9905.",
	},
	{
		.path = "recursion.aggressive_nsec",
		.type = CONF_BOOL,
		FIELD(recursion.aggressive_nsec),
		.def = "true",
		.restart = true,
		.help = "Deny names, or answer them from a wildcard, without asking, "
			"where "
			"what a signed zone has proved about others does (RFC 8198).",
	},
	{
		.path = "recursion.negative_trust_anchors",
		.type = CONF_NAMES,
		FIELD(recursion.negative_trust_anchors),
		COUNT(recursion.negative_trust_anchors_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones that are not validated. For a while only: sinkholectl "
			"nta.",
	},
	{
		.path = "recursion.port",
		.type = CONF_NUMBER,
		FIELD(recursion.port),
		.min = 1,
		.max = 65535,
		.def = "53",
		.help = "Port of upstream servers; other values are for labs.",
	},
	{
		.path = "recursion.ipv4",
		.type = CONF_BOOL,
		FIELD(recursion.ipv4),
		.def = "true",
		.help = "Ask servers over IPv4.",
	},
	{
		.path = "recursion.ipv6",
		.type = CONF_BOOL,
		FIELD(recursion.ipv6),
		.def = "true",
		.help = "Ask servers over IPv6.",
	},
	{
		.path = "recursion.source",
		.type = CONF_SOURCES,
		FIELD(recursion.source4),
		.max = 2,
		.def = "[]",
		.def_note = "any",
		.help = "Addresses to ask from, at most one IPv4 and one IPv6.",
	},
	{
		.path = "recursion.qname_minimisation",
		.type = CONF_CHOICE,
		FIELD(recursion.qname_minimisation),
		.words = qmin_modes,
		.def = "relaxed",
		.help = "Ask each server only for the labels it needs (RFC 9156). "
			"relaxed asks for the whole name where a server denies or "
			"cannot answer a part of it; strict believes denials, and asks "
			"for it when no server of the zone answers for the part.",
	},
	{
		.path = "recursion.case_randomisation",
		.type = CONF_BOOL,
		FIELD(recursion.case_randomisation),
		.def = "true",
		.help = "Random case in names asked, against forged replies.",
	},
	{
		.path = "recursion.permit_private",
		.type = CONF_NETS,
		FIELD(recursion.permit_private),
		.max = CONF_NET_MAX,
		.def = "[]",
		.help = "Prefixes of name servers that are asked though private, "
			"loopback or "
			"reserved.",
	},
	{
		.path = "recursion.local_zones",
		.type = CONF_BOOL,
		FIELD(recursion.local_zones),
		.def = "true",
		.help = "Answer the zones of RFC 6303 and the special-use names here.",
	},
	{
		.path = "recursion.stub",
		.type = CONF_ZONES,
		FIELD(recursion.stub),
		COUNT(recursion.stub_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones whose servers are given: {zone: corp.example, servers: "
			"[192.0.2.53]}. These servers need no permit_private. With "
			"first: true in an entry its names are looked up as if it "
			"were not given when these servers fail; what is denied then "
			"is kept 30s at most.",
	},
	{
		.path = "recursion.forward",
		.type = CONF_ZONES,
		FIELD(recursion.forward),
		COUNT(recursion.forward_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones asked of other resolvers: {zone: ., servers: "
			"[192.0.2.1@53]}. first: true as for stub.",
	},
	{
		.path = "answers.minimal",
		.type = CONF_BOOL,
		FIELD(answers.minimal),
		.def = "true",
		.help = "Leave out authority and additional records nobody needs.",
	},
	{
		.path = "answers.max_wait",
		.type = CONF_MS,
		FIELD(answers.max_wait_ms),
		.max = MINUTE * 1000,
		.def = "1900ms",
		.help = "No UDP answer later than this; 0 = any.",
	},
	{
		.path = "rebinding.enabled",
		.type = CONF_BOOL,
		FIELD(rebinding.enabled),
		.def = "false",
		.help = "Refuse to answer with private addresses, in A and AAAA records "
			"or in address hints, to questions about public names.",
	},
	{
		.path = "rebinding.prefixes",
		.type = CONF_NETS,
		FIELD(rebinding.prefixes),
		.max = CONF_NET_MAX,
		.def = "[0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, "
		       "169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, \"::/96\", "
		       "\"fc00::/7\", \"fe80::/10\"]",
		.help = "What counts as private then. IPv4 in IPv6 dress counts as the "
			"IPv4.",
	},
	{
		.path = "rebinding.exempt",
		.type = CONF_NAMES,
		FIELD(rebinding.exempt),
		COUNT(rebinding.exempt_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Zones whose names may have private addresses, such as a stub "
			"zone's.",
	},
	{
		.path = "serve_stale.enabled",
		.type = CONF_BOOL,
		FIELD(serve_stale.enabled),
		.def = "false",
		.restart = true,
		.help = "Answer from expired data when no server can be reached (RFC "
			"8767); never against a rule.",
	},
	{
		.path = "serve_stale.client_timeout",
		.type = CONF_MS,
		FIELD(serve_stale.client_timeout_ms),
		.max = MINUTE * 1000,
		.def = "1800ms",
		.help = "How long to try before a stale answer; 0 = not at all. The "
			"look-up goes on.",
	},
	{
		.path = "serve_stale.ttl",
		.type = CONF_SECONDS,
		FIELD(serve_stale.ttl_s),
		.min = 1,
		.max = HOUR,
		.def = "30s",
		.help = "TTL of stale answers.",
	},
	{
		.path = "serve_stale.max_age",
		.type = CONF_SECONDS,
		FIELD(serve_stale.max_age_s),
		.max = 30 * DAY,
		.def = "86400s",
		.restart = true,
		.help = "How long after its expiry data may be used.",
	},
	{
		.path = "cache.size",
		.type = CONF_SIZE,
		FIELD(cache.size_bytes),
		.min = 12 * MIB, /* conf_cache_least(1) */
		.max = TIB,
		.def = "256M",
		.def_note = "256M, or the least that the workers need",
		.restart = true,
		.help = "Memory for cached answers and records, and the resolver's own "
			"tables: at least 8M and 4M more for each worker. Questions "
			"under way may take a quarter more.",
	},
	{
		.path = "cache.min_ttl",
		.type = CONF_SECONDS,
		FIELD(cache.min_ttl_s),
		.max = HOUR,
		.def = "0s",
		.restart = true,
		.help = "Keep records at least this long, whatever their TTL.",
	},
	{
		.path = "cache.max_ttl",
		.type = CONF_SECONDS,
		FIELD(cache.max_ttl_s),
		.min = 1,
		.max = 7 * DAY,
		.def = "86400s",
		.restart = true,
		.help = "Keep records at most this long.",
	},
	{
		.path = "cache.prefetch",
		.type = CONF_BOOL,
		FIELD(cache.prefetch),
		.def = "false",
		.help = "Look a name up again when it is asked for in the last tenth of "
			"its TTL: popular names stay cached, for about a tenth more "
			"questions to their servers.",
	},
	{
		.path = "hits.retention",
		.type = CONF_SECONDS,
		FIELD(hits.retention_s),
		.min = HOUR,
		.max = 10U * YEAR,
		.def = "90d",
		.restart = true,
		.help = "Hits older than this are deleted.",
	},
	{
		.path = "hits.max_size",
		.type = CONF_SIZE,
		FIELD(hits.max_size_bytes),
		.min = MIB,
		.max = 1024 * TIB,
		.def = "20G",
		.restart = true,
		.help = "The oldest hits are deleted when the log is larger than this.",
	},
	{
		.path = "follow.listen",
		.type = CONF_SERVERS,
		FIELD(follow.listen),
		COUNT(follow.listen_n),
		.max = CONF_LISTEN_MAX,
		.def = "[]",
		.help = "Where sinkhole-blocklist follow takes NOTIFY of the primaries "
			"of lists, over UDP and TCP. Without it, it learns of changes "
			"when it asks, as often as the zones say.",
	},
	{
		.path = "gates.own_names",
		.type = CONF_NAMES,
		FIELD(gates.own_names),
		COUNT(gates.own_names_n),
		.max = CONF_ZONES_MAX,
		.def = "[]",
		.help = "Your own domains: no list may have them, what is below them, or "
			"a rule that covers them.",
	},
	{
		.path = "gates.own_nets",
		.type = CONF_NETS,
		FIELD(gates.own_nets),
		.max = CONF_NET_MAX,
		.def = "[]",
		.help = "Your own prefixes, the same. The sinkhole's addresses, servers "
			"of stub and forward zones and root servers need no mention.",
	},
	{
		.path = "gates.popular",
		.type = CONF_TEXT,
		FIELD(gates.popular),
		.max = CONF_PATH_MAX - 1,
		.def = "\"\"",
		.help = "File of popular names, such as Tranco's: a name a line, or "
			"RANK,NAME. A change that would block one of them is refused.",
	},
	{
		.path = "gates.max_shrink",
		.type = CONF_NUMBER,
		FIELD(gates.max_shrink),
		.min = 1,
		.max = 100,
		.def = "20",
		.help = "An import that takes more than this share of a list's rules out "
			"is refused: percent, 100 = never.",
	},
	{
		.path = "gates.max_growth",
		.type = CONF_NUMBER,
		FIELD(gates.max_growth),
		.min = 1,
		.max = 50000, /* BLOCKLIST_GROWTH_MAX */
		.def = "200",
		.help = "An import that adds more than this share of a list's rules is "
			"refused: percent, 50000 = never.",
	},
	{
		.path = "lists",
		.type = CONF_LISTS,
		FIELD(lists),
		COUNT(lists_n),
		.max = CONF_LISTS_MAX,
		.def = "[]",
		.help = "Lists that sinkhole-blocklist update fetches, or follow "
			"transfers. What such an element says of a list stands above "
			"what the store has: list set refuses these settings. Keys of "
			"an element:",
	},
};
const int conf_keys_n = sizeof conf_keys / sizeof *conf_keys;
const struct conf_table conf_whole = {conf_keys, sizeof conf_keys / sizeof *conf_keys};
_Static_assert(sizeof conf_keys / sizeof *conf_keys <= CONF_KEYS_MAX,
	       "CONF_KEYS_MAX is the size of arrays by key");

int conf_find_in(const struct conf_table *t, const char *path)
{
	for (int i = 0; i < t->n; i++)
		if (!strcmp(t->key[i].path, path))
			return i;
	return -1;
}

int conf_find(const char *path)
{
	return conf_find_in(&conf_whole, path);
}
