/* err.h: the error codes every function of the project returns.
 * Shape    0 is success; each failure is one negative ERR_* code
 * Errors   normal outcomes (a miss, a block, the end of input) are enums of
 *          their module, never one of these */
#ifndef SINKHOLED_ERR_H
#define SINKHOLED_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum {
	ERR_OK = 0,
	ERR_NOMEM = -1,	   /* memory, an arena or a fixed table is full */
	ERR_INVAL = -2,	   /* an argument or a setting is out of range */
	ERR_FORMAT = -3,   /* bytes or text that do not follow their format */
	ERR_RANGE = -4,	   /* a read or write past the end of a buffer */
	ERR_IO = -5,	   /* the system refused; errno tells why */
	ERR_NOENT = -6,	   /* file, folder or record is not there */
	ERR_EXIST = -7,	   /* it is there already */
	ERR_BUSY = -8,	   /* somebody else holds the lock */
	ERR_FULL = -9,	   /* disk, map or ring is full: nothing was written */
	ERR_DAMAGED = -10, /* stored data fails its check */
	ERR_VERSION = -11, /* stored data is of another format version */
	ERR_ACCESS = -12,  /* permission denied */
	ERR_REFUSED = -13, /* a safety gate said no */
	ERR_STOPPED = -14, /* the user interrupted it; nothing was changed */
};

static inline const char *err_text(int err)
{
	switch (err) {
	case ERR_OK:
		return "success";
	case ERR_NOMEM:
		return "out of memory";
	case ERR_INVAL:
		return "invalid value";
	case ERR_FORMAT:
		return "malformed";
	case ERR_RANGE:
		return "too long";
	case ERR_IO:
		return "input/output error";
	case ERR_NOENT:
		return "not found";
	case ERR_EXIST:
		return "exists already";
	case ERR_BUSY:
		return "in use by another process";
	case ERR_FULL:
		return "no space left";
	case ERR_DAMAGED:
		return "damaged";
	case ERR_VERSION:
		return "written by another version";
	case ERR_ACCESS:
		return "permission denied";
	case ERR_REFUSED:
		return "refused by the safety gate";
	case ERR_STOPPED:
		return "interrupted";
	default:
		return "unknown error";
	}
}

#endif
