/* blocklist_care.h: copies of the store, and putting one back.
 * Shape    a copy is one file, an LMDB environment of its own without lock
 * Memory   none beside LMDB's
 * Threads  as blocklist.h
 * Errors   ERR_*; *why as in blocklist_open(). A damaged store can crash who reads it:
 *          verify it first, in a child process
 * Source   DESIGN.md "The blocklist store"
 *
 * What is put back gets a new epoch, so that nothing is left of what resolvers remember
 * of the time before. */
#ifndef SINKHOLED_BLOCKLIST_CARE_H
#define SINKHOLED_BLOCKLIST_CARE_H

#include "include/blocklist.h"

/* Writes a copy as small as it can be and waits for the disk; file must not be there.
 * Nobody is kept from reading or writing the store meanwhile. */
MUST_CHECK int blocklist_copy(struct blocklist *bl, const char *file);
/* Opens a copy for reading, with the checks of blocklist_open(). */
MUST_CHECK int blocklist_copy_open(struct blocklist **out, const char *file,
				   const char **why);
/* Makes the store hold what from holds, in one transaction: whoever reads it sees the
 * one or the other as a whole. Other writers wait; an import that was under way in
 * several transactions fails with ERR_BUSY. */
MUST_CHECK int blocklist_restore(struct blocklist *bl, struct blocklist *from);
/* Puts a new data.mdb with what from holds in the place of that folder's, which stays
 * as data.mdb.old. For a store that cannot be opened; and who has the old one open will
 * not see the new one. */
MUST_CHECK int blocklist_replace(const char *dir, struct blocklist *from);
/* The same with the store's own content: its file becomes as small as it can be. */
MUST_CHECK int blocklist_compact(struct blocklist *bl);

#endif
