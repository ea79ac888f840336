/* blocklist_marks.c: names that end wildcards above them.
 *
 * A wildcard of a zone covers no name below another name of that zone that is closer (RFC
 * 4592), so names below a wildcard need markers (RULE_ENT) at themselves and at the empty
 * names between. Which these are is known once all items of an import are; in key order a
 * wildcard comes before all that is below it, and only the uppermost of several counts.
 * Markers have an order of their own: one that a name far below needs may belong before
 * the rule of a server's name. */
#include "zones/blocklist_store.h"

/* Names and names of servers have wildcards of their own. */
struct marking {
	bool ns;
	/* NAME keys: the wildcard that is open (length 0: none), and the name below it
	 * that was marked last. */
	uint8_t top[BLOCKLIST_KEY_MAX], last[BLOCKLIST_KEY_MAX];
	size_t top_len, last_len;
};

static bool begins(const uint8_t *key, size_t len, const uint8_t *with, size_t n)
{
	return len >= n && memcmp(key, with, n) == 0;
}

static int put_marker(struct blocklist_sort *marks, const uint8_t *key, size_t len,
		      bool ns)
{
	uint8_t entry[BLOCKLIST_ENTRY_MAX];
	struct blocklist_item item = {.kind = (uint8_t)blocklist_marker_of(ns)};
	item.entry.confidence = 255;
	return blocklist_sort_put(marks, key, len, entry,
				  blocklist_entry_encode(entry, &item));
}

/* Marks the key and those above it that are below the wildcard and not marked yet. */
static int mark(struct marking *m, struct blocklist_sort *marks, const MDB_val *name)
{
	const uint8_t *key = name->mv_data;
	int err = ERR_OK;
	for (size_t end = m->top_len; end < name->mv_size && !err;) {
		end += key[end] + 1U;
		if (!begins(m->last, m->last_len, key, end))
			err = put_marker(marks, key, end, m->ns);
	}
	memcpy(m->last, key, name->mv_size);
	m->last_len = name->mv_size;
	return err;
}

static int take(struct marking *m, struct blocklist_sort *marks,
		const struct blocklist_sorted *at)
{
	bool is_there = false, wildcard = false;
	for (int i = 0; i < at->want.n; i++) {
		unsigned kind = at->want.kind[i];
		if (!blocklist_in_zone(at->want.bytes[i]) ||
		    rule_kind_is_ns(kind) != m->ns)
			continue;
		is_there = true;
		wildcard = wildcard || rule_kind_is_wildcard(kind);
	}
	if (!begins(at->key.mv_data, at->key.mv_size, m->top, m->top_len))
		m->top_len = 0;
	if (m->top_len)
		return is_there ? mark(m, marks, &at->key) : ERR_OK;
	if (wildcard) {
		memcpy(m->top, at->key.mv_data, at->key.mv_size);
		m->top_len = at->key.mv_size;
	}
	return ERR_OK;
}

int blocklist_marks_make(struct blocklist_sort *marks, struct blocklist_sort *items)
{
	struct marking names = {.ns = false}, servers = {.ns = true};
	struct blocklist_sorted at;
	int more = 0, err = blocklist_sort_rewind(items);
	while (!err && (more = blocklist_sort_next(items, &at)) > 0) {
		if (*(uint8_t *)at.key.mv_data != BLOCKLIST_NAME)
			continue;
		err = take(&names, marks, &at);
		if (!err)
			err = take(&servers, marks, &at);
	}
	return err ? err : more;
}
