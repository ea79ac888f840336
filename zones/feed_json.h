/* feed_json.h: JSON as a stream of values with the path to each.
 * Shape    feed_json_bytes() takes the input piece by piece and calls a reader's
 * functions Units    a path is the keys from the outermost object on, with slashes
 * between; arrays add nothing to it: {"a": [{"b": 1}]} has one value, at "a/b" Memory
 * flat: one value is held at a time, of at most JSON_VALUE_MAX bytes; a reader's state
 * begins with struct feed_json Errors   ERR_FORMAT with a sentence in the result, for
 * malformed JSON and beyond limits Source   RFC 8259 */
#ifndef SINKHOLED_ZONES_FEED_JSON_H
#define SINKHOLED_ZONES_FEED_JSON_H

#include "zones/feed_parse.h"

enum {
	JSON_DEPTH_MAX = 24,	  /* MISP nests 9 deep, STIX 6 */
	JSON_KEY_MAX = 64,	  /* a longer key is none that is looked for */
	JSON_VALUE_MAX = 1 << 20, /* attachments inside of MISP events are larger: those
				   * files are exported without them */
};

/* Each returns 0 to go on; anything else ends the read and is what it returns. */
struct feed_json_reader {
	int (*open)(struct feed *f, const char *path);	/* an object begins there */
	int (*close)(struct feed *f, const char *path); /* it is over */
	/* A text, or a number, true or false as it is written; null is no value. */
	int (*value)(struct feed *f, const char *path, struct feed_span value);
	bool many; /* the input may be several values, one behind the other */
};

struct feed_json {
	const struct feed_json_reader *reader;
	struct feed *feed;
	struct yajl_handle_t *yajl;
	int stop;	   /* what the reader returned */
	const char *piece; /* being read */
	size_t counted;	   /* of it, for lines */
	size_t since;	   /* bytes since the last value, in earlier pieces */
	uint64_t line;
	unsigned depth;
	struct {
		bool object;
		uint16_t path_len; /* of what contains it */
	} level[JSON_DEPTH_MAX];
	size_t path_len;
	char path[JSON_DEPTH_MAX * (JSON_KEY_MAX + 1) + 1];
};

/* f->state must be j. The reader is for the whole input, or for one of two readings. */
MUST_CHECK int feed_json_open(struct feed_json *j, struct feed *f,
			      const struct feed_json_reader *reader);
void feed_json_close(struct feed_json *j);
/* As functions of struct feed_parser. */
int feed_json_bytes(struct feed *f, const char *text, size_t len);
int feed_json_end(struct feed *f);

/* A sentence for ERR_FORMAT, which it returns. */
int feed_json_wrong(struct feed *f, const char *what);

/* Copies a value as clean text. */
void feed_json_copy(char *out, size_t size, struct feed_span value);
/* Copies text that is clean, cut to fit at a whole character. */
void feed_json_text(char *out, size_t size, const char *text);
/* Puts text behind what out holds, with a space between, when all of it fits. */
void feed_json_append(char *out, size_t size, const char *text);
/* true, "true", 1 and "1": exporters differ. */
bool feed_json_true(struct feed_span value);

#endif
