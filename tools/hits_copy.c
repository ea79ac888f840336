#include "tools/hits_copy.h"

#include <fcntl.h>
#include <unistd.h>

int hits_copy_open(struct hits_copy *c, const char *path, uint64_t map_bytes,
		   const struct hit_segment *first, const struct hit_position *rings,
		   int n)
{
	*c = (struct hits_copy){0};
	return hit_store_create(&c->store, path, map_bytes, first, rings, n);
}

static int commit(struct hits_copy *c)
{
	if (!c->pending)
		return ERR_OK;
	c->pending = 0;
	return hit_store_commit(c->store);
}

int hits_copy_put(struct hits_copy *c, const struct hit *h,
		  const struct hit_position *ring)
{
	int err = c->pending ? ERR_OK : hit_store_begin(c->store);
	if (err)
		return err;
	c->pending++;
	if (ring)
		err = hit_store_move(c->store, ring, 0);
	if (!err)
		err = hit_store_put_hit(c->store, h);
	c->rows += !err;
	return err || c->pending < HIT_STORE_BATCH ? err : commit(c);
}

int hits_copy_no_room(struct hits_copy *c, const struct hit_position *ring, uint64_t n)
{
	int err = hit_store_begin(c->store);
	if (!err)
		err = hit_store_move(c->store, ring, n);
	return err ? err : hit_store_commit(c->store);
}

int hits_copy_close(struct hits_copy *c, bool keep)
{
	int err = ERR_OK;
	if (!c->store)
		return ERR_OK;
	if (keep)
		err = commit(c);
	else if (c->pending)
		hit_store_abort(c->store);
	if (keep && !err)
		err = hit_store_seal(c->store);
	hit_store_close(c->store);
	c->store = NULL;
	return err;
}

int hits_sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? ERR_IO : ERR_OK;
	if (fd >= 0)
		close(fd);
	return err;
}
