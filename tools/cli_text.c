#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/utf8.h"
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

char *cli_count_text(char out[CLI_COUNT_TEXT_MAX], uint64_t n)
{
	char digit[CLI_COUNT_TEXT_MAX];
	int len = snprintf(digit, sizeof digit, "%llu", (unsigned long long)n);
	char *p = out;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digit[i];
	}
	*p = 0;
	return out;
}

char *cli_clean(char *out, size_t size, const char *text)
{
	utf8_clean(out, size, text, strlen(text));
	return out;
}
