/* note.h: what a traced question meets, told as it happens.
 * Shape    the machine and its tasks call note() with what trace.c writes down
 * Memory   everything in a note is borrowed for the call
 * Threads  the task table's owner
 *
 * A note changes nothing of what is done, and where nobody listens, which is everywhere
 * but in a trace, it costs one comparison. */
#ifndef SINKHOLED_NOTE_H
#define SINKHOLED_NOTE_H

#include "resolver/resolve.h"

enum note_kind {
	NOTE_ASKED,	/* the task .task began for .by: .question */
	NOTE_JOINED,	/* .by waits for .task, which was there: .question */
	NOTE_NOT_ASKED, /* .by wanted it, there is no room or a circle: .question */
	NOTE_SENT, /* .send, as .id; or not sent, when .failed is an enum send_failure */
	NOTE_UNANSWERED, /* .id has ended, .failed says why */
	NOTE_REPLY,	 /* .id brought .bytes, which were read as .got */
	NOTE_ZONE,	 /* the servers of .cut are asked first, .place says why */
	NOTE_CACHED,	 /* .rrset stood in the cache, may have .expired */
	NOTE_DENIED,	 /* what stood in the index of denials proves .rrset */
	NOTE_NAME,	 /* no rule acts on .name; a .verdict of passthru may free it */
	NOTE_ADDRESSES,	 /* no rule acts on the addresses of .rrset */
	NOTE_VALIDATED,	 /* .rrset has its .security; .text says why it is not good */
	NOTE_SERVER,	 /* .verdict forbids the server .name or its address .addr */
	NOTE_DONE,	 /* the task has its .reply */
};

enum note_place { NOTE_FROM_CACHE, NOTE_FROM_HINTS, NOTE_FROM_STUB, NOTE_FROM_FORWARD };

enum { NOTE_NOT_FAILED = -1 };

struct iter_reply;
struct delegation;

struct note {
	enum note_kind kind;
	uint32_t task; /* filled by note(), unless ASKED or JOINED */
	uint32_t by;   /* task; 0 = a client */
	uint32_t id;   /* of the task's STEP_SEND */
	int failed;
	enum note_place place;
	const struct question *question;
	const struct step_send *send;
	const struct iter_reply *got;
	const struct delegation *cut;
	const struct rrset *rrset;
	bool expired;
	const struct reply *reply;
	const struct verdict *verdict;
	const struct addr *addr; /* may be NULL */
	const uint8_t *name;	 /* may be NULL */
	const char *text;	 /* may be NULL */
	const uint8_t *bytes;
	size_t len;
};

struct noter {
	void *arg;
	void (*note)(void *arg, const struct note *n);
};

static inline void note(const struct resolve_env *env, struct note n)
{
	if (!n.task)
		n.task = env->task;
	env->noter->note(env->noter->arg, &n);
}

#endif
