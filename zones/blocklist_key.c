/* blocklist_key.c: the stored forms of keys, records, entries and list rows. */
#include "include/hash_fold.h"
#include "zones/blocklist_store.h"

/* Fixed keys and a quick hash: they find damage. They are no proof against a forger, who
 * may simply write the store. */
static const struct hash_key key_seed = {{0x73696e6b686f6c65ULL, 0x626c6f636b6c6973ULL}};
enum { CHECK_SEED = 1, DIGEST_SEED = 2 };

static uint64_t hash_on(uint64_t so_far, const void *data, size_t n)
{
	const struct hash_key k = {{so_far, CHECK_SEED}};
	return hash_fold(&k, data, n);
}

unsigned blocklist_key_name(uint8_t out[BLOCKLIST_KEY_MAX],
			    uint16_t ends[BLOCKLIST_DEPTHS], const uint8_t *name)
{
	const uint8_t *label[DNS_LABELS_MAX];
	unsigned labels = 0;
	for (; *name && labels < DNS_LABELS_MAX; name += *name + 1)
		label[labels++] = name;
	size_t n = 0;
	out[n++] = BLOCKLIST_NAME;
	ends[0] = 1;
	for (unsigned d = 1; d <= labels; d++) {
		const uint8_t *l = label[labels - d];
		memcpy(out + n, l, *l + 1U);
		n += *l + 1U;
		ends[d] = (uint16_t)n;
	}
	name_lower(out + 1, n - 1);
	return labels;
}

size_t blocklist_key_prefix(uint8_t out[BLOCKLIST_KEY_MAX], enum blocklist_tag tag,
			    const struct addr *a, unsigned bits)
{
	struct prefix p = prefix_of(a, bits);
	size_t n = addr_len(a);
	out[0] = (uint8_t)tag;
	out[1] = a->family;
	out[2] = (uint8_t)bits;
	memcpy(out + 3, p.addr.bytes, n);
	return 3 + n;
}

size_t blocklist_key_rule(uint8_t out[BLOCKLIST_KEY_MAX], const struct blocklist_key *key)
{
	const struct prefix *p = &key->prefix;
	if (p->addr.family)
		return blocklist_key_prefix(out, BLOCKLIST_ADDR, &p->addr, p->bits);
	uint16_t ends[BLOCKLIST_DEPTHS];
	return ends[blocklist_key_name(out, ends, key->name)];
}

size_t blocklist_key_list(uint8_t out[BLOCKLIST_KEY_MAX], enum blocklist_tag tag,
			  uint16_t list)
{
	out[0] = (uint8_t)tag;
	out[1] = (uint8_t)(list >> 8);
	out[2] = (uint8_t)list;
	return 3;
}

static int decode_name(uint8_t out[DNS_NAME_MAX], const uint8_t *key, size_t len)
{
	size_t at = len; /* the wire form of len - 1 bytes of labels needs len bytes */
	if (len > DNS_NAME_MAX)
		return ERR_DAMAGED;
	out[--at] = 0;
	for (size_t i = 1; i < len;) {
		size_t n = key[i] + 1U;
		if (n < 2 || key[i] > DNS_LABEL_MAX || n > len - i)
			return ERR_DAMAGED;
		at -= n;
		memcpy(out + at, key + i, n);
		i += n;
	}
	for (size_t i = 0; i < len; i++)
		if (out[i] != name_lower_byte(out[i]))
			return ERR_DAMAGED;
	return ERR_OK;
}

int blocklist_key_decode(struct blocklist_key *out, const uint8_t *key, size_t len)
{
	struct prefix *p = &out->prefix;
	out->name[0] = 0;
	*p = (struct prefix){0};
	if (len && key[0] == BLOCKLIST_NAME)
		return decode_name(out->name, key, len);
	if (len < 3 || (key[0] != BLOCKLIST_ADDR && key[0] != BLOCKLIST_CLIENT))
		return ERR_DAMAGED;
	p->addr.family = key[1];
	p->bits = key[2];
	size_t n = addr_len(&p->addr);
	if ((key[1] != 4 && key[1] != 6) || key[2] > 8 * n || len != 3 + n)
		return ERR_DAMAGED;
	memcpy(p->addr.bytes, key + 3, n);
	struct prefix clean = prefix_of(&p->addr, p->bits);
	return memcmp(&clean.addr, &p->addr, sizeof p->addr) ? ERR_DAMAGED : ERR_OK;
}

uint64_t blocklist_key_hash(const void *key, size_t len)
{
	return hash_fold(&key_seed, key, len);
}

uint32_t blocklist_tail_check(uint64_t key_hash, const void *value, size_t len)
{
	return (uint32_t)hash_on(key_hash, value, len - sizeof(uint32_t));
}

uint32_t blocklist_record_check(uint64_t key_hash, const struct blocklist_record *r)
{
	return blocklist_tail_check(key_hash, r, sizeof *r);
}

uint32_t blocklist_entry_check(uint64_t key_hash, const uint8_t *entry, size_t len)
{
	const size_t at = offsetof(struct blocklist_record, check);
	uint64_t h = hash_on(key_hash, entry, at);
	return (uint32_t)hash_on(h, entry + at + 4, len - at - 4);
}

uint64_t blocklist_pair_digest(uint64_t key_hash, const MDB_val *value)
{
	const struct hash_key k = {{key_hash, DIGEST_SEED}};
	return hash_fold(&k, value->mv_data, value->mv_size);
}

/* The texts of an entry in stored order: where they are and the room each has. */
#define TEXT(field)                                                \
	{                                                          \
		offsetof(struct blocklist_entry, field),           \
			sizeof((struct blocklist_entry *)0)->field \
	}
static const struct {
	size_t at, room;
} texts[BLOCKLIST_TEXTS] = {
	TEXT(family),	 TEXT(category),  TEXT(reason),
	TEXT(reference), TEXT(authority), TEXT(operator_name),
};

size_t blocklist_entry_encode(uint8_t out[BLOCKLIST_ENTRY_MAX],
			      const struct blocklist_item *item)
{
	const struct blocklist_entry *e = &item->entry;
	struct blocklist_head h = {
		.rec = {.starts = item->starts,
			.expires = item->expires,
			.kind = item->kind,
			.action = item->action},
		.first_listed = e->first_listed,
		.confidence = e->confidence,
		.in_zone = item->in_zone,
		.data_len = e->data.len,
	};
	size_t n = sizeof h;
	for (int i = 0; i < BLOCKLIST_TEXTS; i++) {
		const char *text = (const char *)e + texts[i].at;
		if (!*text)
			continue;
		size_t len = strnlen(text, texts[i].room - 1);
		h.text_len[i] = (uint8_t)len;
		memcpy(out + n, text, len);
		n += len;
	}
	memcpy(out + n, e->data.bytes, e->data.len);
	n += e->data.len;
	h.len = (uint16_t)n;
	memcpy(out, &h, sizeof h);
	return n;
}

void blocklist_entry_read(struct blocklist_entry *out, const uint8_t *entry)
{
	struct blocklist_head h;
	memcpy(&h, entry, sizeof h);
	out->id = h.rec.entry;
	out->first_listed = h.first_listed;
	out->expires = h.rec.expires;
	out->confidence = h.confidence;
	entry += sizeof h;
	for (int i = 0; i < BLOCKLIST_TEXTS; i++) {
		char *text = (char *)out + texts[i].at;
		size_t len = h.text_len[i], most = texts[i].room - 1;
		*text = 0;
		if (!len)
			continue;
		memcpy(text, entry, len < most ? len : most);
		text[len < most ? len : most] = 0;
		entry += len;
	}
	out->data.len = h.data_len;
	memcpy(out->data.bytes, entry, h.data_len);
}

void blocklist_entry_decode(struct blocklist_item *out, const uint8_t *entry)
{
	struct blocklist_record r;
	memcpy(&r, entry, sizeof r);
	out->kind = r.kind;
	out->action = r.action;
	out->starts = r.starts;
	out->expires = r.expires;
	blocklist_entry_read(&out->entry, entry);
}

/* An entry, and behind it the name; that is the root for a prefix, which comes then. */
size_t blocklist_item_pack(uint8_t out[BLOCKLIST_PACKED_MAX],
			   const struct blocklist_item *item)
{
	_Static_assert(BLOCKLIST_PACKED_MAX >=
			       BLOCKLIST_ENTRY_MAX + DNS_NAME_MAX + sizeof(struct prefix),
		       "room for all of it");
	const struct blocklist_key *key = &item->key;
	bool name = !key->prefix.addr.family;
	size_t n = blocklist_entry_encode(out, item),
	       len = name ? name_len(key->name) : 1;
	if (name)
		memcpy(out + n, key->name, len);
	else
		out[n] = 0;
	n += len;
	if (!name || len == 1) {
		memcpy(out + n, &key->prefix, sizeof key->prefix);
		n += sizeof key->prefix;
	}
	return n;
}

void blocklist_item_unpack(struct blocklist_item *out, const uint8_t *packed)
{
	struct blocklist_head h;
	memcpy(&h, packed, sizeof h);
	blocklist_entry_decode(out, packed);
	out->in_zone = h.in_zone;
	packed += h.len;
	name_copy(out->key.name, packed);
	if (*packed)
		out->key.prefix = (struct prefix){0};
	else
		memcpy(&out->key.prefix, packed + 1, sizeof out->key.prefix);
}

static int span_read(struct blocklist_span *out, uint64_t key_hash, const uint8_t *value,
		     size_t left)
{
	struct blocklist_head *h = &out->head;
	if (left < sizeof *h)
		return ERR_DAMAGED;
	memcpy(h, value, sizeof *h);
	size_t len = sizeof *h;
	for (int i = 0; i < BLOCKLIST_TEXTS; i++)
		len += h->text_len[i];
	len += h->data_len;
	if (h->len != len || len > left || len > BLOCKLIST_ENTRY_MAX ||
	    h->rec.kind >= BLOCKLIST_KINDS || h->rec.action >= RULE_ACTION_N ||
	    h->rec.check != blocklist_entry_check(key_hash, value, len) ||
	    !blocklist_data_fits(h->rec.action, value + len - h->data_len, h->data_len))
		return ERR_DAMAGED;
	out->bytes = value;
	return ERR_OK;
}

int blocklist_spans(struct blocklist_span out[BLOCKLIST_SPANS_MAX], const uint8_t *key,
		    size_t key_len, const uint8_t *value, size_t len)
{
	uint64_t key_hash = blocklist_key_hash(key, key_len);
	int n = 0;
	for (size_t at = 0; at < len; at += out[n++].head.len) {
		if (n == BLOCKLIST_SPANS_MAX ||
		    span_read(&out[n], key_hash, value + at, len - at))
			return ERR_DAMAGED;
		if (key_len <= 3 || !blocklist_is_both(key + 3, out[n].head.rec.kind))
			continue;
		if (n + 1 == BLOCKLIST_SPANS_MAX)
			return ERR_DAMAGED;
		out[n + 1] = out[n];
		out[n++].head.rec.kind = RULE_EXACT;
		out[n].head.rec.kind = RULE_WILDCARD;
	}
	return n;
}

int blocklist_name_check(const char *list)
{
	size_t n = strlen(list);
	if (n == 0)
		return ERR_INVAL;
	if (n >= HIT_LIST_MAX)
		return ERR_RANGE;
	for (size_t i = 0; i < n; i++)
		if (list[i] <= ' ' || list[i] > '~')
			return ERR_INVAL;
	return ERR_OK;
}

void blocklist_list_from_row(struct blocklist_list *out, const struct blocklist_row *row)
{
	*out = (struct blocklist_list){
		.id = row->id,
		.precedence = row->precedence,
		.action = row->action,
		.mode = row->mode,
		.ede = row->ede,
		.lease = row->lease,
		.lease_s = row->lease_s,
		.version = row->version,
		.serial = row->serial,
		.loaded = row->loaded,
		.names = row->names,
		.addresses = row->addresses,
		.forced = row->forced,
		.max_shrink = row->max_shrink,
		.max_growth = (uint16_t)(row->max_growth[0] << 8 | row->max_growth[1]),
	};
	memcpy(out->name, row->name, sizeof out->name);
	memcpy(out->public_text, row->public_text, sizeof out->public_text);
	memcpy(out->garden, row->garden, sizeof out->garden);
}

int blocklist_row_read(struct blocklist_row *out, const MDB_val *key,
		       const MDB_val *value)
{
	const uint8_t *k = key->mv_data;
	if (key->mv_size != 3 || value->mv_size != sizeof *out)
		return ERR_DAMAGED;
	memcpy(out, value->mv_data, sizeof *out);
	uint64_t h = blocklist_key_hash(key->mv_data, key->mv_size);
	if (out->check != blocklist_tail_check(h, out, sizeof *out) ||
	    out->id != (k[1] << 8 | k[2]) || out->id >= BLOCKLIST_LISTS_MAX ||
	    out->action >= RULE_ACTION_N || out->mode > BLOCKLIST_OFF ||
	    out->name[HIT_LIST_MAX - 1] || blocklist_name_check(out->name) ||
	    out->public_text[BLOCKLIST_PUBLIC_MAX - 1] ||
	    !blocklist_data_is_name(out->garden, name_len(out->garden)))
		return ERR_DAMAGED;
	return ERR_OK;
}

static const char meta_magic[16] = "sinkholed lists";

int blocklist_meta_read(struct blocklist_meta *out, MDB_txn *txn, MDB_dbi dbi)
{
	uint8_t tag = BLOCKLIST_META;
	MDB_val k = {1, &tag}, v;
	int rc = mdb_get(txn, dbi, &k, &v);
	if (rc)
		return rc == MDB_NOTFOUND ? ERR_VERSION : blocklist_error(rc);
	if (v.mv_size < offsetof(struct blocklist_meta, epoch))
		return ERR_DAMAGED;
	memcpy(out, v.mv_data, offsetof(struct blocklist_meta, epoch));
	if (memcmp(out->magic, meta_magic, sizeof meta_magic) != 0)
		return ERR_DAMAGED;
	if (out->format != BLOCKLIST_FORMAT)
		return ERR_VERSION;
	if (v.mv_size != sizeof *out || out->size != sizeof *out)
		return ERR_DAMAGED;
	memcpy(out, v.mv_data, sizeof *out);
	uint64_t h = blocklist_key_hash(&tag, 1);
	return out->check == blocklist_tail_check(h, out, sizeof *out) ? ERR_OK
								       : ERR_DAMAGED;
}

void blocklist_meta_init(struct blocklist_meta *out, uint64_t epoch)
{
	*out = (struct blocklist_meta){.format = BLOCKLIST_FORMAT,
				       .size = sizeof *out,
				       .epoch = epoch,
				       .generation = 1,
				       .lists_revision = 1,
				       .groups_revision = 1,
				       .clients_revision = 1,
				       .next_entry = 1};
	memcpy(out->magic, meta_magic, sizeof meta_magic);
}

int blocklist_meta_write(struct blocklist_meta *m, MDB_txn *txn, MDB_dbi dbi)
{
	uint8_t tag = BLOCKLIST_META;
	MDB_val k = {1, &tag}, v = {sizeof *m, m};
	m->check = blocklist_tail_check(blocklist_key_hash(&tag, 1), m, sizeof *m);
	return blocklist_error(mdb_put(txn, dbi, &k, &v, 0));
}

char *blocklist_rule_text(char out[BLOCKLIST_RULE_TEXT_MAX],
			  const struct blocklist_key *key, unsigned kind)
{
	if (key->prefix.addr.family)
		return prefix_to_text(out, &key->prefix);
	char *p = out;
	if (rule_kind_is_wildcard(kind))
		*p++ = '*', *p++ = '.';
	name_to_text(p, key->name);
	if (rule_kind_is_wildcard(kind) && !*key->name)
		*p = 0; /* "*." and not "*.." */
	return out;
}
