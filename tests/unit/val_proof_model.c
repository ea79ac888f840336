/* Random small zones, all questions, and a model that knows what is so without a proof.
 */
#include <stdlib.h>

#include "tests/unit/val_proof_lab.h"

/* All names of up to three of four labels below the apex, in canonical
 * order: a name, then what is below it, labels ascending. */
enum {
	LABELS = 4,
	DEPTH = 3,
	NAMES = 1 + LABELS + LABELS * LABELS + LABELS * LABELS * LABELS
};

static const uint16_t asked[] = {DNS_A,	 DNS_MX,    DNS_CNAME, DNS_NS,
				 DNS_DS, DNS_DNAME, DNS_SOA,   DNS_ANY};
enum { ASKED = sizeof asked / sizeof *asked };

struct node {
	uint8_t name[DNS_NAME_MAX];
	int parent, star; /* -1: none */
	bool types[256];
	bool here, empty; /* has records; only descendants have */
	bool dark;	  /* below a cut or a DNAME: not of this zone */
	bool left_out;	  /* not in a chain with opt-out */
	uint8_t hash[20];
};

struct zone {
	struct node node[NAMES];
	struct shape shape;
	int chain[NAMES]; /* the names of its records in their order */
	int n;
	struct sets sets; /* the records */
};

static uint32_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void grow(struct zone *z, int *n, int parent, int depth)
{
	static const char label[LABELS] = {'*', 'a', 'b', 'c'};
	int me = (*n)++;
	z->node[me].parent = parent;
	z->node[me].star = -1;
	for (int i = 0; depth < DEPTH && i < LABELS; i++) {
		struct node *below = &z->node[*n];
		below->name[0] = 1;
		below->name[1] = (uint8_t)label[i];
		memcpy(below->name + 2, z->node[me].name, name_len(z->node[me].name));
		if (i == 0)
			z->node[me].star = *n;
		grow(z, n, me, depth + 1);
	}
}

static bool node_is(const struct zone *z, int i)
{
	return z->node[i].here || z->node[i].empty;
}

static bool node_cut(const struct node *n)
{
	return n->types[DNS_NS] && !n->types[DNS_SOA];
}

/* Parents come before their children. */
static void fill(struct zone *z)
{
	for (int i = 0; i < NAMES; i++) {
		struct node *n = &z->node[i];
		const struct node *up = i ? &z->node[n->parent] : NULL;
		n->dark = up && (up->dark || node_cut(up) || up->types[DNS_DNAME]);
		n->here = i == 0 || (!n->dark && draw(8) == 0);
		if (!n->here)
			continue;
		uint32_t kind = n->name[1] == '*' ? draw(3) : draw(7);
		if (i == 0) {
			n->types[DNS_NS] = n->types[DNS_SOA] = true;
			n->types[DNS_A] = draw(2);
			n->types[DNS_DNAME] = draw(16) == 0;
		} else {
			n->types[DNS_A] = kind == 0 || kind == 1 || kind == 6;
			n->types[DNS_MX] = kind == 1;
			n->types[DNS_CNAME] = kind == 2;
			n->types[DNS_NS] = kind >= 3 && kind <= 5;
			n->types[DNS_DS] = kind == 3;
			n->types[DNS_DNAME] = kind == 6;
		}
	}
	for (int i = NAMES - 1; i > 0; i--)
		if (node_is(z, i) && !z->node[z->node[i].parent].here)
			z->node[z->node[i].parent].empty = true;
}

static const struct zone *by_hash_of;

static int by_hash(const void *a, const void *b)
{
	const struct node *n = by_hash_of->node;
	return memcmp(n[*(const int *)a].hash, n[*(const int *)b].hash, 20);
}

/* A cut that is not signed, and what is empty but for such cuts, RFC 5155 7.1. */
static void leave_out(struct zone *z)
{
	for (int i = 0; i < NAMES; i++)
		z->node[i].left_out = z->node[i].empty || (node_cut(&z->node[i]) &&
							   !z->node[i].types[DNS_DS]);
	for (int i = NAMES - 1; i > 0; i--)
		if (node_is(z, i) && !z->node[i].left_out &&
		    z->node[z->node[i].parent].empty)
			z->node[z->node[i].parent].left_out = false;
}

/* Record k of the chain. */
static void add_link(struct zone *z, int k, bool hashed)
{
	static bool types[TYPES];
	const struct node *n = &z->node[z->chain[k]];
	const struct node *next = &z->node[z->chain[(k + 1) % z->n]];
	memcpy(types, n->types, sizeof n->types);
	types[DNS_RRSIG] = !n->empty;
	types[DNS_NSEC] = !hashed;
	if (hashed)
		add_nsec3(&z->sets, n->hash, next->hash, types, &z->shape);
	else
		add(&z->sets, DNS_NSEC, n->name, next->name, name_len(next->name), types,
		    &z->shape);
}

static bool make_zone(struct zone *z, bool hashed, bool opt_out)
{
	int n = 0;
	memset(z, 0, sizeof *z);
	z->shape = plain;
	z->shape.iterations = draw(3);
	z->shape.salt_len = draw(3);
	name_put(z->node[0].name, draw(4) ? "z.test" : ".");
	name_copy(z->shape.zone, z->node[0].name);
	grow(z, &n, -1, 0);
	ck_assert_int_eq(n, NAMES);
	fill(z);
	if (opt_out) {
		z->shape.flags = 1;
		leave_out(z);
	}
	for (int i = 0; i < NAMES; i++) {
		if (hashed)
			hash_of(z->node[i].hash, z->node[i].name, &z->shape);
		if (hashed ? node_is(z, i) && !z->node[i].left_out : z->node[i].here)
			z->chain[z->n++] = i;
	}
	by_hash_of = z;
	if (hashed)
		qsort(z->chain, (size_t)z->n, sizeof *z->chain, by_hash);
	for (int k = 0; k < z->n && k < VAL_SIGS_RESPONSE; k++)
		add_link(z, k, hashed);
	return z->n <= VAL_SIGS_RESPONSE;
}

/* The model: what is so in the zone. */

static int encloser_of(const struct zone *z, int i)
{
	while (!node_is(z, i))
		i = z->node[i].parent;
	return i;
}

static bool types_say_no(const struct zone *z, int i, uint16_t type)
{
	const struct node *n = &z->node[i];
	if (n->empty)
		return true;
	if (type == DNS_DS ? n->types[DNS_SOA] && *n->name : node_cut(n))
		return false;
	return type != DNS_ANY && !n->types[type] && !n->types[DNS_CNAME];
}

static bool is_nxdomain(const struct zone *z, int i)
{
	if (z->node[i].dark || node_is(z, i))
		return false;
	return !node_is(z, z->node[encloser_of(z, i)].star);
}

static bool is_nodata(const struct zone *z, int i, uint16_t type)
{
	if (z->node[i].dark)
		return false;
	if (node_is(z, i))
		return types_say_no(z, i, type);
	int star = z->node[encloser_of(z, i)].star;
	return node_is(z, star) && types_say_no(z, star, type);
}

/* encloser has a wildcard, and it stands for i. */
static bool is_wildcard(const struct zone *z, int i, int encloser)
{
	return !z->node[i].dark && !node_is(z, i) && encloser_of(z, i) == encloser;
}

/* The records that a proof about i cannot do without, as a bit set over the chain. */

static uint32_t link_at(const struct zone *z, int i)
{
	for (int k = 0; k < z->n; k++)
		if (z->chain[k] == i)
			return 1U << k;
	return 0;
}

static uint32_t link_over(const struct zone *z, int i, bool hashed)
{
	int k = z->n - 1;
	for (; k >= 0; k--)
		if (hashed ? memcmp(z->node[z->chain[k]].hash, z->node[i].hash, 20) < 0
			   : z->chain[k] < i)
			break;
	return 1U << (k < 0 ? z->n - 1 : k);
}

static uint32_t needs(const struct zone *z, int i, char kind, bool hashed)
{
	if (node_is(z, i))
		return link_at(z, i) ? link_at(z, i) : link_over(z, i, hashed);
	int closest = encloser_of(z, i), star = z->node[closest].star, over = i;
	while (hashed && z->node[over].parent != closest)
		over = z->node[over].parent;
	uint32_t set = link_over(z, over, hashed);
	if (kind != 'W')
		set |= link_at(z, star) ? link_at(z, star) : link_over(z, star, hashed);
	if (kind != 'W' && hashed)
		set |= link_at(z, closest);
	return set;
}

struct question {
	char kind;
	int i, encloser;
	uint16_t type;
};

static enum proof_result put_question(const struct zone *z, const struct question *q,
				      uint32_t links)
{
	const struct rrset *set[VAL_SIGS_RESPONSE];
	struct val_work work = {.hashes = VAL_HASHES_MAX};
	struct proof p = {.zone = z->shape.zone, .set = set, .work = &work};
	bool cut;
	for (int k = 0; k < z->n; k++)
		if (links >> k & 1)
			set[p.n++] = &z->sets.set[k];
	const uint8_t *name = z->node[q->i].name;
	if (q->kind == 'X')
		return proof_nxdomain(&p, name);
	if (q->kind == 'W')
		return proof_wildcard(&p, name, z->node[q->encloser].name);
	enum proof_result r = proof_nodata(&p, name, q->type, &cut);
	if (r == PROOF_SECURE)
		ck_assert(cut == (node_is(z, q->i) && node_cut(&z->node[q->i])));
	return r;
}

static bool is_so(const struct zone *z, const struct question *q)
{
	return q->kind == 'X'	? is_nxdomain(z, q->i)
	       : q->kind == 'D' ? is_nodata(z, q->i, q->type)
				: is_wildcard(z, q->i, q->encloser);
}

/* The whole chain proves what is so and nothing else; the needed records do, too, and
 * none of them can be missing. */
static void check_plain(const struct zone *z, const struct question *q, bool hashed)
{
	char text[DNS_NAME_TEXT_MAX];
	uint32_t all = (uint32_t)((1ULL << z->n) - 1);
	bool so = is_so(z, q);
	enum proof_result got = put_question(z, q, all);
	ck_assert_msg(got == (so ? PROOF_SECURE : PROOF_NOTHING), "%c %s %u: %d", q->kind,
		      name_to_text(text, z->node[q->i].name), q->type, got);
	if (!so)
		return;
	uint32_t need = needs(z, q->i, q->kind, hashed);
	ck_assert_int_eq(put_question(z, q, need), PROOF_SECURE);
	for (int k = 0; k < z->n; k++)
		ck_assert_int_eq(put_question(z, q, all & ~(1U << k)),
				 need >> k & 1 ? PROOF_NOTHING : PROOF_SECURE);
}

/* With opt-out what is not so is never secure and what is so never bogus, but for names
 * below an empty one that was left out: there the wildcard above stands in the way. */
static void check_opt_out(const struct zone *z, const struct question *q)
{
	uint32_t all = (uint32_t)((1ULL << z->n) - 1);
	char text[DNS_NAME_TEXT_MAX];
	enum proof_result got = put_question(z, q, all);
	if (!is_so(z, q))
		ck_assert_int_ne(got, PROOF_SECURE);
	else if (q->kind != 'X' || !z->node[encloser_of(z, q->i)].left_out)
		ck_assert_msg(got != PROOF_NOTHING, "%c %s %u", q->kind,
			      name_to_text(text, z->node[q->i].name), q->type);
}

/* Any part of a chain: what is not so is not proved. */
static void check_part(const struct zone *z, const struct question *q)
{
	if (put_question(z, q, draw(1U << z->n)) == PROOF_SECURE)
		ck_assert(is_so(z, q));
}

static void check_question(const struct zone *z, const struct question *q, bool hashed,
			   bool opt_out)
{
	check_part(z, q);
	if (opt_out)
		check_opt_out(z, q);
	else
		check_plain(z, q, hashed);
}

static void check_zone(const struct zone *z, bool hashed, bool opt_out)
{
	for (int i = 0; i < NAMES; i++) {
		struct question q = {.kind = 'X', .i = i};
		check_question(z, &q, hashed, opt_out);
		q.kind = 'D';
		for (int t = 0; t < ASKED; t++) {
			q.type = asked[t];
			check_question(z, &q, hashed, opt_out);
		}
		q.kind = 'W'; /* of enclosers whose wildcard the zone can sign for */
		for (int e = z->node[i].parent; e >= 0; e = z->node[e].parent) {
			q.encloser = e;
			if (node_is(z, e) && z->node[z->node[e].star].here)
				check_question(z, &q, hashed, opt_out);
		}
	}
}

static void check_zones(bool hashed, bool opt_out, int n)
{
	static struct zone z;
	seed = 20351;
	while (n)
		if (make_zone(&z, hashed, opt_out)) {
			check_zone(&z, hashed, opt_out);
			n--;
		}
}

START_TEST(nsec_model)
{
	check_zones(false, false, 30);
}
END_TEST

START_TEST(nsec3_model)
{
	check_zones(true, false, 20);
}
END_TEST

START_TEST(opt_out_model)
{
	check_zones(true, true, 30);
}
END_TEST

UNIT_SUITE("val_proof_model", nsec_model, nsec3_model, opt_out_model)
