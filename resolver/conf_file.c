/* A configuration's file, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "include/conf.h"

static int cannot_read(const char *path, struct conf_error *err)
{
	int e = errno;
	snprintf(err->text, sizeof err->text, "%.300s: cannot be read: %s; %s", path,
		 strerror(e),
		 e == ENOENT   ? "give the configuration with -c FILE"
		 : e == EACCES ? "make it readable for this user"
			       : "give a plain file with -c FILE");
	return e == ENOENT ? ERR_NOENT : e == EACCES ? ERR_ACCESS : ERR_IO;
}

int conf_load(struct conf **out, const char *path, struct conf_error *err)
{
	char *text;
	size_t len = 0;
	ssize_t n = 1;
	int rc, fd;
	*out = NULL;
	if (!path)
		return conf_parse(out, "", 0, "defaults", err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cannot_read(path, err);
	text = malloc(CONF_FILE_MAX + 1);
	while (text && len <= CONF_FILE_MAX && n > 0) {
		n = read(fd, text + len, CONF_FILE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (!text) {
		snprintf(err->text, sizeof err->text, "%.300s: out of memory", path);
		rc = ERR_NOMEM;
	} else if (n < 0) {
		rc = cannot_read(path, err);
	} else {
		rc = conf_parse(out, text, len, path, err);
	}
	free(text);
	close(fd);
	return rc;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	free(c->allow.net);
	free(c->recursion.permit_private.net);
	free(c->recursion.negative_trust_anchors);
	free(c->rebinding.prefixes.net);
	free(c->rebinding.exempt);
	free(c->recursion.stub);
	free(c->recursion.forward);
	free(c->gates.own_names);
	free(c->gates.own_nets.net);
	free(c->lists);
	free(c);
}
