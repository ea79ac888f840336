#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli.h"

/* No span of this project is longer than 1,000 years; this also keeps sums in range. */
enum { SPAN_MAX_YEARS = 1000 };

int cli_span_from_text(int64_t *out, const char *text)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = {{'s', 1},	   {'m', 60},	  {'h', 3600},
		     {'d', 86400}, {'w', 604800}, {'y', 31536000}};
	int64_t v = 0, unit = 1;
	const char *p = text;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > (int64_t)SPAN_MAX_YEARS * 31536000)
			return ERR_RANGE;
	}
	if (p == text)
		return ERR_FORMAT;
	if (*p) {
		unit = 0;
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if (units[i].unit == *p)
				unit = units[i].s;
		p++;
	}
	if (!unit || *p)
		return ERR_FORMAT;
	if (v > (int64_t)SPAN_MAX_YEARS * 31536000 / unit)
		return ERR_RANGE;
	*out = v * unit;
	return ERR_OK;
}

/* Exactly n digits; -1 otherwise. */
static int digits(const char **p, int n)
{
	int v = 0;
	for (int i = 0; i < n; i++) {
		char c = (*p)[i];
		if (c < '0' || c > '9')
			return -1;
		v = v * 10 + (c - '0');
	}
	*p += n;
	return v;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

static int read_date(struct tm *t, const char **p)
{
	int year = digits(p, 4);
	if (year < 1970 || *(*p)++ != '-')
		return ERR_FORMAT;
	int month = digits(p, 2);
	if (month < 1 || month > 12 || *(*p)++ != '-')
		return ERR_FORMAT;
	int day = digits(p, 2);
	if (day < 1 || day > month_days(year, month))
		return ERR_FORMAT;
	t->tm_year = year - 1900;
	t->tm_mon = month - 1;
	t->tm_mday = day;
	return ERR_OK;
}

/* "03:04[:05[.678]]" */
static int read_clock(struct tm *t, const char **p)
{
	t->tm_hour = digits(p, 2);
	if (t->tm_hour < 0 || t->tm_hour > 23 || *(*p)++ != ':')
		return ERR_FORMAT;
	t->tm_min = digits(p, 2);
	if (t->tm_min < 0 || t->tm_min > 59)
		return ERR_FORMAT;
	if (**p != ':')
		return ERR_OK;
	++*p;
	t->tm_sec = digits(p, 2);
	if (t->tm_sec < 0 || t->tm_sec > 60)
		return ERR_FORMAT;
	if (**p == '.')
		for (++*p; **p >= '0' && **p <= '9';)
			++*p;
	return ERR_OK;
}

/* "", "Z", " UTC", "+09:00", "+0900": seconds east of UTC. */
static int read_zone(int *east_s, const char **p)
{
	*east_s = 0;
	if (**p == 'Z' || **p == 'z') {
		++*p;
		return ERR_OK;
	}
	if (strcmp(*p, " UTC") == 0) {
		*p += 4;
		return ERR_OK;
	}
	if (**p != '+' && **p != '-')
		return ERR_OK;
	int sign = *(*p)++ == '-' ? -1 : 1;
	int h = digits(p, 2);
	if (**p == ':')
		++*p;
	int m = h < 0 ? -1 : digits(p, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return ERR_FORMAT;
	*east_s = sign * (h * 3600 + m * 60);
	return ERR_OK;
}

int cli_time_from_text(int64_t *out, const char *text)
{
	const char *p = text;
	struct tm t = {0};
	int east_s = 0;
	if (*p == '@') {
		char *end;
		long long v = strtoll(p + 1, &end, 10);
		if (p[1] < '0' || p[1] > '9' || *end || v > UINT32_MAX)
			return ERR_FORMAT;
		*out = v;
		return ERR_OK;
	}
	if (read_date(&t, &p))
		return ERR_FORMAT;
	if (*p == 'T' || *p == 't' || (*p == ' ' && p[1] >= '0' && p[1] <= '9')) {
		p++;
		if (read_clock(&t, &p))
			return ERR_FORMAT;
		if (read_zone(&east_s, &p))
			return ERR_FORMAT;
	}
	if (*p)
		return ERR_FORMAT;
	*out = (int64_t)timegm(&t) - east_s;
	return ERR_OK;
}

char *cli_time_text(char out[CLI_TIME_TEXT_MAX], int64_t t)
{
	time_t s = (time_t)t;
	struct tm tm;
	if (!gmtime_r(&s, &tm) || !strftime(out, CLI_TIME_TEXT_MAX, "%FT%TZ", &tm))
		snprintf(out, CLI_TIME_TEXT_MAX, "?");
	return out;
}

char *cli_size_text(char out[CLI_SIZE_TEXT_MAX], uint64_t bytes)
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;
	for (; v >= 1024 && u + 1 < sizeof units / sizeof *units; u++)
		v /= 1024;
	snprintf(out, CLI_SIZE_TEXT_MAX, u ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

/* Bytes of the UTF-8 character at p, 0 when it is none (RFC 3629: no overlong forms, no
 * surrogates), or when it is a control character. */
static size_t utf8_len(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = p[0] & (0xffU >> (n + 1));
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* C1 controls, and marks that turn the direction of text around. */
	if (c < 0xa0 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

char *cli_clean(char *out, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0;
	while (*p) {
		size_t n = utf8_len(p);
		if (at + (n ? n : 1) >= size)
			break;
		if (n)
			memcpy(out + at, p, n);
		else
			out[at] = '?';
		at += n ? n : 1;
		p += n ? n : 1;
	}
	out[at] = 0;
	return out;
}
