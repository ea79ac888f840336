/* Rows of records and a question: what must prove and what must not. */
#include <ldns/ldns.h>

#include "tests/unit/val_proof_lab.h"

/* "=name" is its hash, "-name" and "+name" one below and above. */
static void hash_word(uint8_t out[20], const char *word, const struct shape *shape)
{
	uint8_t name[DNS_NAME_MAX];
	name_put(name, word + 1);
	hash_of(out, name, shape);
	for (int i = 19; *word == '+' && i >= 0 && ++out[i] == 0; i--)
		;
	for (int i = 19; *word == '-' && i >= 0 && out[i]-- == 0; i--)
		;
}

static void shape_word(struct shape *shape, const char *word)
{
	unsigned v = 0;
	if (sscanf(word, "alg=%u", &v) == 1)
		shape->alg = v;
	else if (sscanf(word, "f=%u", &v) == 1)
		shape->flags = v;
	else if (sscanf(word, "i=%u", &v) == 1)
		shape->iterations = v;
	else if (sscanf(word, "claim=%u", &v) == 1)
		shape->claim = v;
	else if (sscanf(word, "next=%u", &v) == 1)
		shape->next_len = v;
	else if (sscanf(word, "n=%u", &v) == 1)
		shape->records = v;
	else if (strncmp(word, "s=", 2) == 0)
		shape->salt_len = (unsigned)put_hex(shape->salt, word + 2);
	else if (strncmp(word, "map=", 4) == 0)
		shape->map = word + 4;
	else if (strncmp(word, "zone=", 5) == 0)
		name_put(shape->zone, word + 5);
	else
		ck_abort_msg("%s", word);
}

/* "owner next TYPE ... key=value ..." */
static void add_text(struct sets *s, char *text, const uint8_t *zone)
{
	static bool types[TYPES];
	struct shape shape = plain;
	char *save, *owner = strtok_r(text, " ", &save),
		    *next = strtok_r(NULL, " ", &save);
	memset(types, 0, sizeof types);
	name_copy(shape.zone, zone);
	for (char *word; (word = strtok_r(NULL, " ", &save));) {
		if (strchr(word, '='))
			shape_word(&shape, word);
		else
			types[ldns_get_rr_type_by_name(word)] = true;
	}
	if (strchr("=+-", *owner)) {
		uint8_t from[20], to[20];
		hash_word(from, owner, &shape);
		hash_word(to, next, &shape);
		add_nsec3(s, from, to, types, &shape);
	} else {
		uint8_t from[DNS_NAME_MAX], to[DNS_NAME_MAX];
		name_put(from, owner);
		name_put(to, next);
		add(s, DNS_NSEC, from, to, name_len(to), types, &shape);
	}
}

/* S secure, C secure and a cut, I insecure, P spent, - nothing. */
static char verdict(enum proof_result r, bool cut)
{
	return r == PROOF_SECURE ? (cut ? 'C' : 'S') : "-SIP"[r];
}

static char ask(const struct proof *p, const char *question)
{
	char kind, name[300], arg[300] = "";
	uint8_t qname[DNS_NAME_MAX], encloser[DNS_NAME_MAX];
	bool cut = false;
	ck_assert_int_ge(sscanf(question, "%c %299s %299s", &kind, name, arg), 2);
	name_put(qname, name);
	if (kind == 'X')
		return verdict(proof_nxdomain(p, qname), false);
	if (kind == 'D') {
		enum proof_result r = proof_nodata(
			p, qname, (uint16_t)ldns_get_rr_type_by_name(arg), &cut);
		return verdict(r, cut);
	}
	name_put(encloser, arg);
	return verdict(proof_wildcard(p, qname, encloser), false);
}

struct row {
	const char *what, *sets, *question;
	char want;
};

static void run(const struct row *row, const char *zone_text)
{
	static struct sets s;
	uint8_t zone[DNS_NAME_MAX];
	char text[2000], *save;
	struct val_work work = {.hashes = VAL_HASHES_MAX};
	s.n = 0;
	name_put(zone, zone_text);
	snprintf(text, sizeof text, "%s", row->sets);
	for (char *one = strtok_r(text, ";", &save); one;
	     one = strtok_r(NULL, ";", &save))
		add_text(&s, one, zone);
	struct proof p = {.zone = zone, .set = s.at, .n = s.n, .work = &work};
	char got = ask(&p, row->question);
	ck_assert_msg(got == row->want, "%s: %s of %s gave %c", row->what, row->question,
		      row->sets, got);
}

#define RUN(rows, zone)                                           \
	for (size_t i = 0; i < sizeof rows / sizeof *(rows); i++) \
	run(&(rows)[i], zone)

/* The zone test with a.test, c.test, ... as each row's records say. */
#define APEX "test a.test NS SOA RRSIG NSEC DNSKEY;"

START_TEST(nsec_proves)
{
	static const struct row row[] = {
		{"between two names", APEX "a.test c.test A", "X b.test", 'S'},
		{"two records", "b.test d.test A;test a.test NS SOA", "X c.test", 'S'},
		{"last name, back to the apex", APEX "m.test test A", "X n.test", 'S'},
		{"a zone of one name", "test test NS SOA", "X n.test", 'S'},
		{"a zone of one name, deep", "test test NS SOA", "X a.b.n.test", 'S'},
		{"wildcard itself asked", APEX, "X *.test", 'S'},
		{"below an existing name", APEX "a.test c.test A", "X x.a.test", 'S'},
		{"closest encloser by next", "a.test x.b.test A;a.test x.b.test A",
		 "X a.b.test", 'S'},
		{"closest encloser by owner", "b.test d.test A", "X a.b.test", 'S'},
		{"deep", APEX "a.test c.test A", "X q.w.e.r.t.b.test", 'S'},
		{"white lies, RFC 4470",
		 "a\\255.test b\\000.test RRSIG NSEC;"
		 "\\041.test \\043.test RRSIG NSEC",
		 "X b.test", 'S'},
		{"longer label is behind", APEX "a.test aaa.test A", "X aa.test", 'S'},
		{"bytes over 127", APEX "a.test \\255.test A", "X \\254.test", 'S'},
		{"DS of a name that is not", APEX "a.test c.test NS", "X b.test", 'S'},
		{"no such type", "a.test c.test A", "D a.test MX", 'S'},
		{"no such type at the apex", APEX, "D test MX", 'S'},
		{"type in another window", "a.test c.test A CAA", "D a.test TYPE258",
		 'S'},
		{"type behind the window's end", "a.test c.test A", "D a.test TYPE254",
		 'S'},
		{"type in a window not there", "a.test c.test A", "D a.test TYPE65280",
		 'S'},
		{"type between windows", "a.test c.test A TYPE1024", "D a.test CAA", 'S'},
		{"no CNAME", "a.test c.test A", "D a.test CNAME", 'S'},
		{"DS of a cut", "a.test c.test NS", "D a.test DS", 'C'},
		{"DS of a name that is no cut", "a.test c.test A", "D a.test DS", 'S'},
		{"DS of a DNAME", "a.test c.test DNAME", "D a.test DS", 'S'},
		{"type at a DNAME", "a.test c.test DNAME", "D a.test A", 'S'},
		{"empty non-terminal", "a.test c.b.test A", "D b.test A", 'S'},
		{"deep empty non-terminal", "a.test e.d.c.b.test A", "D c.b.test MX",
		 'S'},
		{"DS of an empty non-terminal", "a.test c.b.test A", "D b.test DS", 'S'},
		{"ANY of an empty non-terminal", "a.test c.b.test A", "D b.test ANY",
		 'S'},
		{"wildcard NODATA", "*.test c.test A", "D b.test MX", 'S'},
		{"wildcard NODATA, two records", "*.test a.test A;b.test test A",
		 "D c.test MX", 'S'},
		{"wildcard NODATA, deep", "*.test a.test A;b.test test A",
		 "D x.c.test MX", 'S'},
		{"wildcard NODATA, DS", "*.test c.test A", "D b.test DS", 'S'},
		{"wildcard is an empty non-terminal",
		 "test x.*.test NS SOA;b.test test A", "D c.test A", 'S'},
		{"RFC 9824, no such name", "a.test \\000.a.test RRSIG NSEC TYPE128",
		 "D a.test A", 'S'},
		{"RFC 9824, no such name, DS", "a.test \\000.a.test RRSIG NSEC TYPE128",
		 "D a.test DS", 'S'},
		{"RFC 9824, no such name, ANY", "a.test \\000.a.test RRSIG NSEC TYPE128",
		 "D a.test ANY", 'S'},
		{"RFC 9824, no such type", "a.test \\000.a.test A RRSIG NSEC",
		 "D a.test MX", 'S'},
		{"wildcard may answer", "a.test c.test A", "W b.test test", 'S'},
		{"wildcard may answer, last", "a.test test A", "W b.test test", 'S'},
		{"wildcard may answer, deep", "a.test c.test A", "W x.y.b.test test",
		 'S'},
		{"wildcard may answer, below", "b.test d.b.test A", "W c.b.test b.test",
		 'S'},
		{"wildcard's own NSEC", "*.test c.test A", "W b.test test", 'S'},
		{"row 20: an expanded NSEC as it was signed", "*.w.test z.test A",
		 "D c.b.w.test MX", 'S'},
		{"others beside",
		 "o.example p.example A;test a.test NS SOA;a.test c.test A", "X b.test",
		 'S'},
		{"NSEC3 beside", APEX "=b.test +b.test A;a.test c.test A", "X b.test",
		 'S'},
	};
	RUN(row, "test");
	static const struct row root[] = {
		{"below the root", ". a NS SOA;a c NS DS", "X b", 'S'},
		{"last of the root", ". a NS SOA;y . NS DS", "X z.z", 'S'},
		{"DS of the root", ". a NS SOA", "D . DS", 'S'},
	};
	RUN(root, ".");
}
END_TEST

START_TEST(nsec_does_not)
{
	static const struct row row[] = {
		{"nothing", "", "X b.test", '-'},
		{"L10: covers its owner", APEX "b.test c.test A", "X b.test", '-'},
		{"covers its next name", APEX "a.test b.test A", "X b.test", '-'},
		{"L10: the last covers all, even what is before it", "b.test test A",
		 "X a.test", '-'},
		{"L10: the last covers other zones", "m.test test NS SOA", "X n.example",
		 '-'},
		{"L10: ancestor delegation", "a.test c.test NS;test a.test NS SOA",
		 "X x.a.test", '-'},
		{"ancestor delegation with DS", "a.test c.test NS DS;test a.test NS SOA",
		 "X x.a.test", '-'},
		{"ancestor delegation far above", APEX "a.test c.test NS", "X x.y.a.test",
		 '-'},
		{"ancestor DNAME", APEX "a.test c.test DNAME", "X x.a.test", '-'},
		{"DNAME at the apex", "test test NS SOA DNAME", "X a.test", '-'},
		{"DNAME at the apex, NODATA", "test x.a.test NS SOA DNAME", "D a.test A",
		 '-'},
		{"ancestor delegation, NODATA by ENT", "a.test c.b.a.test NS",
		 "D b.a.test A", '-'},
		{"ancestor delegation, DS", "a.test c.test NS", "D x.a.test DS", '-'},
		{"ancestor delegation covers the wildcard",
		 "a.a.test test A;a.test a.a.test NS", "X b.a.test", '-'},
		{"delegation's A", "a.test c.test NS", "D a.test A", '-'},
		{"delegation's NS", "a.test c.test NS DS", "D a.test TXT", '-'},
		{"delegation's DS is there", "a.test c.test NS DS", "D a.test DS", '-'},
		{"DS by the child's apex", "a.test x.a.test NS SOA", "D a.test DS", '-'},
		{"DS of the zone itself", APEX, "D test DS", '-'},
		{"L10: CNAME", "a.test c.test CNAME", "D a.test A", '-'},
		{"CNAME asked", "a.test c.test CNAME", "D a.test CNAME", '-'},
		{"CNAME, DS asked", "a.test c.test CNAME", "D a.test DS", '-'},
		{"L10: NODATA is not NXDOMAIN", "a.test c.test A", "X a.test", '-'},
		{"L10: NXDOMAIN is not NODATA", APEX "a.test c.test A", "D b.test A",
		 '-'},
		{"the type is there", "a.test c.test A MX", "D a.test MX", '-'},
		{"the type is there, window 1", "a.test c.test A CAA", "D a.test CAA",
		 '-'},
		{"the type is there, last window", "a.test c.test A TYPE65535",
		 "D a.test TYPE65535", '-'},
		{"ANY", "a.test c.test A RRSIG NSEC", "D a.test ANY", '-'},
		{"RRSIG", "a.test c.test A RRSIG NSEC", "D a.test RRSIG", '-'},
		{"wildcard not denied", "a.test c.test A", "X b.test", '-'},
		{"the wildcard is there", "*.test c.test A", "X b.test", '-'},
		{"L10: wildcard of the parent, not of the closest encloser",
		 APEX "a.test c.test A;b.c.test d.c.test A", "X x.y.c.test", '-'},
		{"wildcard of a longer name", "b.a.test test A;a.test b.a.test A",
		 "X c.test", '-'},
		{"the wildcard is an empty non-terminal",
		 "test x.*.test NS SOA;a.test c.test A", "X b.test", '-'},
		{"an empty non-terminal", APEX "a.test c.b.test A", "X b.test", '-'},
		{"the apex", APEX "z.test test A", "X test", '-'},
		{"wildcard has the type", "*.test c.test A", "D b.test A", '-'},
		{"wildcard has a CNAME", "*.test c.test CNAME", "D b.test A", '-'},
		{"wildcard has NS", "*.test c.test NS", "D b.test A", '-'},
		{"wildcard has NS, DS asked", "*.test c.test NS", "D b.test DS", '-'},
		{"wildcard without cover", "*.test a.test A", "D b.test MX", '-'},
		{"wildcard of a longer name", "*.test a.test A;a.b.test test A",
		 "D c.b.test MX", '-'},
		{"wildcard, ANY", "*.test c.test A", "D b.test ANY", '-'},
		{"RFC 9824, no NXDOMAIN", APEX "a.test \\000.a.test RRSIG NSEC TYPE128",
		 "X a.test", '-'},
		{"row 21: next name outside the zone",
		 "a.test c.example A;test a.test NS SOA", "X b.test", '-'},
		{"row 21: next name behind the zone", "z.test zone A;test a.test NS SOA",
		 "X zz.test", '-'},
		{"row 21: next name behind the zone, NODATA",
		 "z.test a.zz.zone A;*.test a.test A", "D zz.test MX", '-'},
		{"row 21: next name above", "z.test . A;test a.test NS SOA", "X zz.test",
		 '-'},
		{"row 21: owner outside", "a.tesla zz.test A;test a.test NS SOA",
		 "X b.test", '-'},
		{"row 21: owner above", ". zz.test NS SOA;test a.test NS SOA", "X b.test",
		 '-'},
		{"row 21: owner and next of another zone", "example test A", "X b.test",
		 '-'},
		{"row 21: a type of another zone", "a.example c.example A",
		 "D a.example MX", '-'},
		{"next before owner", APEX "d.test a.test A", "X e.test", '-'},
		{"next before owner, below", "d.test a.test A", "X 0.test", '-'},
		{"row 20: an expanded NSEC as it was signed", "*.w.test z.test A",
		 "X c.b.w.test", '-'},
		{"wildcard, a closer name by owner", "a.b.test z.test A",
		 "W c.b.test test", '-'},
		{"wildcard, a closer name by next", "a.test z.b.test A",
		 "W c.b.test test", '-'},
		{"wildcard, an ENT", "a.test c.b.test A", "W b.test test", '-'},
		{"wildcard, the name is there", "b.test c.test A", "W b.test test", '-'},
		{"wildcard, not covered", "c.test d.test A", "W b.test test", '-'},
		{"wildcard, ancestor delegation", "a.test c.test NS", "W b.a.test a.test",
		 '-'},
		{"wildcard, encloser too deep", "a.test c.test A", "W x.b.test b.test",
		 '-'},
		{"wildcard, encloser is the name", "a.test c.test A", "W b.test b.test",
		 '-'},
		{"wildcard, encloser elsewhere", "a.test c.test A", "W b.test a.test",
		 '-'},
		{"wildcard, encloser above the zone", "a.test c.test A", "W b.test .",
		 '-'},
		{"two records in one", APEX "a.test c.test A n=2", "X b.test", '-'},
		{"bitmap empty", "a.test c.test map=", "D a.test MX", '-'},
		{"bitmap cut short", "a.test c.test map=000240", "D a.test MX", '-'},
		{"bitmap header alone", "a.test c.test map=00", "D a.test MX", '-'},
		{"bitmap of length 0", "a.test c.test map=0000", "D a.test MX", '-'},
		{"bitmap of length 33",
		 "a.test c.test map=0021"
		 "0101010101010101010101010101010101"
		 "01010101010101010101010101010101",
		 "D a.test MX", '-'},
		{"bitmap windows descend", "a.test c.test map=010140000140",
		 "D a.test MX", '-'},
		{"bitmap window twice", "a.test c.test map=000140000140", "D a.test MX",
		 '-'},
		{"bitmap too long", "a.test c.test map=00014001", "D a.test MX", '-'},
		{"row 17: no more than 16",
		 "0.test 1.test A;1.test 2.test A;2.test 3.test A;3.test 4.test A;"
		 "4.test 5.test A;5.test 6.test A;6.test 7.test A;7.test 8.test A;"
		 "8.test 9.test A;9.test a.test A;c.test d.test A;d.test e.test A;"
		 "e.test f.test A;f.test g.test A;g.test h.test A;h.test i.test A;"
		 "test a.test NS SOA;a.test c.test A",
		 "X b.test", '-'},
		{"NSEC covers, NSEC3 has the wildcard",
		 "a.test c.test A;-*.test +*.test A", "X b.test", '-'},
		{"NSEC covers, NSEC3 the rest",
		 "a.test c.test A;=test +test NS SOA;-*.test +*.test A", "X b.test", '-'},
	};
	RUN(row, "test");
}
END_TEST

#define CE "=test +test NS SOA;" /* the closest encloser */
#define NC "-b.test +b.test A;"	 /* covers the next closer name */
#define WC "-*.test +*.test A;"	 /* covers the wildcard */

START_TEST(nsec3_proves)
{
	static const struct row row[] = {
		{"8.4", CE NC WC, "X b.test", 'S'},
		{"8.4, deep", CE NC WC, "X x.y.z.b.test", 'S'},
		{"8.4, any order", WC NC CE, "X b.test", 'S'},
		{"8.4, one record for two", "=test -test NS SOA", "X b.test", 'S'},
		{"8.4, a zone of one name", "=test =test NS SOA", "X x.b.test", 'S'},
		{"8.4, encloser below",
		 "=a.test +a.test A;-b.a.test +b.a.test A;"
		 "-*.a.test +*.a.test A",
		 "X b.a.test", 'S'},
		{"8.4, encloser empty",
		 "=a.test +a.test;-b.a.test +b.a.test A;"
		 "-*.a.test +*.a.test A",
		 "X b.a.test", 'S'},
		{"8.4, opt-out", CE "-b.test +b.test A f=1;" WC, "X b.test", 'I'},
		{"8.4, opt-out over the wildcard alone", CE NC "-*.test +*.test A f=1",
		 "X b.test", 'S'},
		{"8.4, salt",
		 "=test +test NS SOA s=aabb;-b.test +b.test A s=aabb;"
		 "-*.test +*.test A s=aabb",
		 "X b.test", 'S'},
		{"8.4, 50 iterations",
		 "=test +test NS SOA i=50;-b.test +b.test A i=50;"
		 "-*.test +*.test A i=50",
		 "X b.test", 'S'},
		{"8.4, last record wraps", "=test -test NS SOA;-b.test +b.test A",
		 "X b.test", 'S'},
		{"8.5", "=a.test +a.test A", "D a.test MX", 'S'},
		{"8.5, apex", CE, "D test MX", 'S'},
		{"8.5, empty non-terminal", "=a.test +a.test", "D a.test MX", 'S'},
		{"8.5, empty non-terminal, DS", "=a.test +a.test", "D a.test DS", 'S'},
		{"8.5, empty non-terminal, ANY", "=a.test +a.test", "D a.test ANY", 'S'},
		{"8.5, CNAME", "=a.test +a.test A", "D a.test CNAME", 'S'},
		{"8.5, opt-out matters not", "=a.test +a.test A f=1", "D a.test MX", 'S'},
		{"8.5, at a DNAME", "=a.test +a.test DNAME", "D a.test A", 'S'},
		{"8.5, another window", "=a.test +a.test A CAA", "D a.test TYPE258", 'S'},
		{"8.6, cut", "=a.test +a.test NS", "D a.test DS", 'C'},
		{"8.6, cut, opt-out matters not", "=a.test +a.test NS f=1", "D a.test DS",
		 'C'},
		{"8.6, no cut", "=a.test +a.test A", "D a.test DS", 'S'},
		{"8.6, opt-out", CE "-b.test +b.test A f=1", "D b.test DS", 'I'},
		{"8.6, opt-out, deep", CE "-b.test +b.test A f=1", "D x.b.test DS", 'I'},
		{"opt-out, empty non-terminal above unsigned cuts",
		 CE "-b.test +b.test A f=1", "D b.test A", 'I'},
		{"8.7", CE NC "=*.test +*.test A", "D b.test MX", 'S'},
		{"8.7, deep", CE NC "=*.test +*.test A", "D x.y.b.test MX", 'S'},
		{"8.7, DS", CE NC "=*.test +*.test A", "D b.test DS", 'S'},
		{"8.7, wildcard empty", CE NC "=*.test +*.test", "D b.test A", 'S'},
		{"8.6, opt-out, whatever a wildcard has",
		 CE "-b.test +b.test A f=1;=*.test +*.test A DS", "D b.test DS", 'I'},
		{"8.7, opt-out", CE "-b.test +b.test A f=1;=*.test +*.test A",
		 "D b.test MX", 'I'},
		{"8.8", NC, "W b.test test", 'S'},
		{"8.8, deep", NC, "W x.y.b.test test", 'S'},
		{"8.8, below", "-b.a.test +b.a.test A", "W x.b.a.test a.test", 'S'},
		{"8.8, opt-out", "-b.test +b.test A f=1", "W b.test test", 'I'},
		{"row 18: 51 iterations, NXDOMAIN", "=a.test +a.test A i=51", "X b.test",
		 'I'},
		{"row 18: 151 iterations, DS", "=a.test +a.test NS i=151", "D a.test DS",
		 'I'},
		{"row 18: 2500 iterations, NODATA", "=a.test +a.test NS i=2500",
		 "D b.test A", 'I'},
		{"row 18: 65535 iterations, wildcard", "=a.test +a.test NS i=65535",
		 "W b.test test", 'I'},
		{"unknown hash beside", "=x.test +x.test A alg=2;" CE NC WC, "X b.test",
		 'S'},
		{"unknown flag beside", "=b.test +b.test A f=3;" CE NC WC, "X b.test",
		 'S'},
		{"another zone beside", "=b.test +b.test A zone=b.test i=7;" CE NC WC,
		 "X b.test", 'S'},
		{"long next hash beside", "=b.test +b.test A next=21;" CE NC WC,
		 "X b.test", 'S'},
		{"NSEC beside that does not prove", "a.test c.test A;" CE NC WC,
		 "X b.test", 'S'},
	};
	RUN(row, "test");
	static const struct row root[] = {
		{"below the root", "=. =. NS SOA", "X b", 'S'},
		{"DS of the root", "=. =. NS SOA", "D . DS", 'S'},
	};
	RUN(root, ".");
}
END_TEST

START_TEST(nsec3_does_not)
{
	static const struct row row[] = {
		{"no closest encloser", NC WC, "X b.test", '-'},
		{"next closer not covered", CE WC, "X b.test", '-'},
		{"wildcard not covered", CE NC, "X b.test", '-'},
		{"the wildcard is there", CE NC "=*.test +*.test A", "X b.test", '-'},
		{"the name is there", CE "=b.test +b.test A;" WC, "X b.test", '-'},
		{"the name is there, uncovered child", "=b.test +b.test A;" CE WC,
		 "X x.b.test", '-'},
		{"the name, not the next closer name, covered",
		 CE "-x.b.test +x.b.test A;" WC, "X x.b.test", '-'},
		{"ancestor delegation",
		 "=a.test +a.test NS;-b.a.test +b.a.test A;"
		 "-*.a.test +*.a.test A",
		 "X b.a.test", '-'},
		{"ancestor delegation with DS",
		 "=a.test +a.test NS DS;-b.a.test +b.a.test A;"
		 "-*.a.test +*.a.test A",
		 "X b.a.test", '-'},
		{"ancestor DNAME",
		 "=a.test +a.test DNAME;-b.a.test +b.a.test A;"
		 "-*.a.test +*.a.test A",
		 "X b.a.test", '-'},
		{"ancestor DNAME at the apex", "=test +test NS SOA DNAME;" NC WC,
		 "X b.test", '-'},
		{"ancestor delegation, wildcard NODATA",
		 "=a.test +a.test NS;-b.a.test +b.a.test A;=*.a.test +*.a.test A",
		 "D b.a.test MX", '-'},
		{"ancestor delegation, opt-out",
		 "=a.test +a.test NS;-b.a.test +b.a.test A f=1", "D b.a.test DS", '-'},
		{"ancestor delegation, opt-out, NXDOMAIN",
		 "=a.test +a.test NS;-b.a.test +b.a.test A f=1;-*.a.test +*.a.test A",
		 "X b.a.test", '-'},
		{"L11: opt-out without the wildcard", CE "-b.test +b.test A f=1",
		 "X b.test", '-'},
		{"wildcard of a longer name", CE NC "-*.b.test +*.b.test A", "X x.b.test",
		 '-'},
		{"L11: other salt", CE NC "-*.test +*.test A s=aa", "X b.test", '-'},
		{"L11: other iterations", CE NC "-*.test +*.test A i=1", "X b.test", '-'},
		{"L11: other iterations, over the limit", CE NC "-*.test +*.test A i=51",
		 "X b.test", '-'},
		{"L11: iterations that are not the others'",
		 CE NC "-*.test +*.test A claim=1", "X b.test", '-'},
		{"L11: the first's iterations are not the others'",
		 "=test +test NS SOA i=1 claim=2;-b.test +b.test A i=1;-*.test +*.test A "
		 "i=1",
		 "X b.test", '-'},
		{"L11: salt that is not the others'",
		 "=a.test +a.test A;=b.test +b.test A s=aa", "D a.test MX", '-'},
		{"L11: other salt length",
		 "=test +test NS SOA s=aabb;-b.test +b.test A s=aabb;"
		 "-*.test +*.test A s=aa",
		 "X b.test", '-'},
		{"L11: zone of the first record", "=b.test +b.test A zone=b.test;" NC WC,
		 "X b.test", '-'},
		{"row 21: of another zone", "=test +test NS SOA zone=example;" NC WC,
		 "X b.test", '-'},
		{"row 21: of the zone above", "=test +test NS SOA zone=.;" NC WC,
		 "X b.test", '-'},
		{"row 21: of a zone below", "=a.test +a.test A zone=a.test",
		 "D a.test MX", '-'},
		{"row 21: a name of another zone", CE NC WC, "X b.example", '-'},
		{"row 21: a type of another zone", "=a.example +a.example A",
		 "D a.example MX", '-'},
		{"L7: unknown hash", "=a.test +a.test A alg=2", "D a.test MX", '-'},
		{"L7: hash 0", "=a.test +a.test A alg=0", "D a.test MX", '-'},
		{"unknown flag", "=a.test +a.test A f=2", "D a.test MX", '-'},
		{"unknown flag and opt-out", "=a.test +a.test A f=129", "D a.test MX",
		 '-'},
		{"row 18: iterations of an unknown hash", "=a.test +a.test A alg=2 i=51",
		 "D a.test MX", '-'},
		{"row 18: iterations of another zone",
		 "=a.test +a.test A i=51 zone=example", "D a.test MX", '-'},
		{"next hash short", "=a.test +a.test A next=19", "D a.test MX", '-'},
		{"next hash long", "=a.test +a.test A next=21", "D a.test MX", '-'},
		{"next hash empty", "=a.test +a.test A next=0", "D a.test MX", '-'},
		{"two records in one", "=a.test +a.test A n=2", "D a.test MX", '-'},
		{"L5: bitmap cut short", "=a.test +a.test map=0002", "D a.test MX", '-'},
		{"bitmap windows descend", "=a.test +a.test map=010140000140",
		 "D a.test MX", '-'},
		{"L8: nothing", "", "D a.test MX", '-'},
		{"the type is there", "=a.test +a.test A MX", "D a.test MX", '-'},
		{"a CNAME is there", "=a.test +a.test CNAME", "D a.test MX", '-'},
		{"delegation's A", "=a.test +a.test NS", "D a.test A", '-'},
		{"delegation's DS is there", "=a.test +a.test NS DS", "D a.test DS", '-'},
		{"DS by the child's apex", "=a.test +a.test NS SOA", "D a.test DS", '-'},
		{"DS of the zone itself", CE, "D test DS", '-'},
		{"DS not covered by opt-out", CE NC, "D b.test DS", '-'},
		{"DS without an encloser", "-b.test +b.test A f=1", "D b.test DS", '-'},
		{"ANY", "=a.test +a.test A RRSIG", "D a.test ANY", '-'},
		{"NODATA without opt-out", CE NC, "D b.test A", '-'},
		{"NODATA of NXDOMAIN", CE NC WC, "D b.test A", '-'},
		{"wildcard has the type", CE NC "=*.test +*.test A", "D b.test A", '-'},
		{"wildcard has a CNAME", CE NC "=*.test +*.test CNAME", "D b.test A",
		 '-'},
		{"wildcard has NS", CE NC "=*.test +*.test NS", "D b.test DS", '-'},
		{"8.8, not covered", CE WC, "W b.test test", '-'},
		{"8.8, the next closer name is there",
		 "=b.test +b.test A;-x.b.test +x.b.test A", "W x.b.test test", '-'},
		{"8.8, the name is covered, not the next closer", "-x.b.test +x.b.test A",
		 "W x.b.test test", '-'},
		{"8.8, encloser above the zone", NC, "W b.test .", '-'},
		{"8.8, encloser above the zone, which is covered", "-test +test A",
		 "W b.test .", '-'},
		{"8.8, encloser is the name", NC, "W b.test b.test", '-'},
		{"NSEC has the wildcard", CE NC "test a.test NS SOA", "X b.test", '-'},
		{"NSEC has the encloser", "test a.test NS SOA;" NC WC, "X b.test", '-'},
		{"row 17: no more than 16",
		 "=1.test +1.test A;=2.test +2.test A;=3.test +3.test A;=4.test +4.test "
		 "A;"
		 "=5.test +5.test A;=6.test +6.test A;=7.test +7.test A;=8.test +8.test "
		 "A;"
		 "=9.test +9.test A;=a.test +a.test A;=c.test +c.test A;=d.test +d.test "
		 "A;"
		 "=e.test +e.test A;=f.test +f.test A;=g.test +g.test A;" CE NC WC,
		 "X b.test", '-'},
	};
	RUN(row, "test");
}
END_TEST

/* RFC 5155 Appendix A. */
START_TEST(hashes)
{
	static const struct {
		const char *name, *label;
	} row[] = {
		{"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
		{"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
		{"ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"},
		{"ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
		{"w.example", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
		{"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
		{"x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"},
		{"xx.example", "t644ebqk9bibcna874givr6joj62mlhv"},
	};
	uint8_t hash[VAL_SHA1_LEN], name[DNS_NAME_MAX], label[33];
	struct shape shape = {
		.iterations = 12, .salt_len = 4, .salt = "\xaa\xbb\xcc\xdd"};
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		name_put(name, row[i].name);
		hash_of(hash, name, &shape);
		hash_label(label, hash);
		ck_assert_mem_eq(label + 1, row[i].label, 32);
	}
}
END_TEST

/* The price counts iterations, salt and name; what does not reach is not begun. */
START_TEST(prices)
{
	static const struct {
		unsigned iterations;
		uint8_t salt;
		int32_t price;
	} row[] = {{0, 0, 1},	  {0, 255, 1},	    {50, 0, 1},	       {50, 35, 1},
		   {50, 36, 2},	  {50, 255, 4},	    {63, 0, 1},	       {64, 0, 2},
		   {2500, 0, 40}, {65535, 0, 1024}, {65535, 255, 5120}};
	static const uint8_t salt[UINT8_MAX];
	uint8_t hash[VAL_SHA1_LEN];
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct val_work work = {.hashes = row[i].price};
		ck_assert(proof_hash(hash, (const uint8_t *)"\4test", row[i].iterations,
				     salt, row[i].salt, &work));
		ck_assert_int_eq(work.hashes, 0);
		work.hashes = row[i].price - 1;
		ck_assert(!proof_hash(hash, (const uint8_t *)"\4test", row[i].iterations,
				      salt, row[i].salt, &work));
		ck_assert_int_eq(work.hashes, row[i].price - 1);
	}
}
END_TEST

/* Row 18: one name of 20 labels, each name hashed once, is within or without the work. */
START_TEST(spent)
{
	static const struct {
		const char *sets;
		int32_t hashes, left;
		char want;
	} row[] = {
		{"=test +test NS SOA;-b.test +b.test A;-*.test +*.test A", 21, 0, 'S'},
		{"=test +test NS SOA;-b.test +b.test A;-*.test +*.test A", 20, 0, 'P'},
		{"=test +test NS SOA;-b.test +b.test A;-*.test +*.test A", 0, 0, 'P'},
		{"=test +test NS SOA i=50;-b.test +b.test A i=50;-*.test +*.test A i=50",
		 64, 43, 'S'},
		{"=test +test NS SOA i=51", 64, 64, 'I'},
		{"=test +test NS SOA i=65535", 0, 0, 'I'},
		{"test a.test NS SOA;a.test c.test A", 0, 0, 'S'},
	};
	static const char *const name =
		"1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.b.test";
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		static struct sets s;
		uint8_t zone[DNS_NAME_MAX], qname[DNS_NAME_MAX];
		char text[300], *save;
		struct val_work work = {.hashes = row[i].hashes};
		s.n = 0;
		name_put(zone, "test");
		name_put(qname, name);
		snprintf(text, sizeof text, "%s", row[i].sets);
		for (char *one = strtok_r(text, ";", &save); one;
		     one = strtok_r(NULL, ";", &save))
			add_text(&s, one, zone);
		struct proof p = {.zone = zone, .set = s.at, .n = s.n, .work = &work};
		ck_assert_int_eq(verdict(proof_nxdomain(&p, qname), false), row[i].want);
		ck_assert_int_eq(work.hashes, row[i].left);
	}
}
END_TEST

/* RFC 4034 6.1 and what is special in ours: bytes over 127, prefixes, zero bytes. */
START_TEST(order)
{
	static const char *const row[] = {".",
					  "example",
					  "a.example",
					  "yljkjljk.a.example",
					  "z.a.example",
					  "zabc.a.example",
					  "ab.example",
					  "abc.example",
					  "ac.example",
					  "z.example",
					  "\\001.z.example",
					  "*.z.example",
					  "\\200.z.example",
					  "zz.example",
					  "zz\\000.example",
					  "zz\\000a.example",
					  "test"};
	uint8_t a[DNS_NAME_MAX], b[DNS_NAME_MAX];
	for (int i = 0; i < (int)(sizeof row / sizeof *row); i++)
		for (int k = 0; k < (int)(sizeof row / sizeof *row); k++) {
			name_put(a, row[i]);
			name_put(b, row[k]);
			int c = proof_order(a, b);
			ck_assert_int_eq((c > 0) - (c < 0), (i > k) - (i < k));
		}
}
END_TEST

/* Row 20: why the caller leaves an expanded NSEC out. Under the name asked for it would
 * prove what is not so, under the signed one it does not. */
START_TEST(expanded_owner)
{
	static const struct row row[] = {
		{"as it came", "!.b.w.test z.test A", "X c.b.w.test", 'S'},
		{"as it was signed", "*.w.test z.test A", "X c.b.w.test", '-'},
	};
	RUN(row, "test");
}
END_TEST

/* A next name is compared in lower case, whatever its signer wrote. */
START_TEST(capitals)
{
	static struct sets s;
	bool types[TYPES] = {[DNS_NS] = true, [DNS_SOA] = true};
	struct val_work work = {0};
	s.n = 0;
	add(&s, DNS_NSEC, (const uint8_t *)"\4test", (const uint8_t *)"\1C\4TEST", 8,
	    types, &plain);
	struct proof p = {
		.zone = (const uint8_t *)"\4test", .set = s.at, .n = 1, .work = &work};
	ck_assert_int_eq(proof_nxdomain(&p, (const uint8_t *)"\1b\4test"), PROOF_SECURE);
	ck_assert_int_eq(proof_nxdomain(&p, (const uint8_t *)"\1c\4test"), PROOF_NOTHING);
}
END_TEST

UNIT_SUITE("val_proof", nsec_proves, nsec_does_not, nsec3_proves, nsec3_does_not, hashes,
	   prices, spent, order, expanded_owner, capitals)
