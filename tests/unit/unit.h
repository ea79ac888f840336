/* unit.h: what every unit test file shares.
 * Each tests/unit/NAME.c is a program of its own: it defines unit_suite(), runner.c has
 * main(). Test data goes below unit_dir(), which is new, empty and removed at the end. */
#ifndef SINKHOLED_UNIT_H
#define SINKHOLED_UNIT_H

#include <check.h>

Suite *unit_suite(void);

/* A folder for this process; NUL-terminated path without a slash at the end. */
const char *unit_dir(void);
/* unit_dir()/name, in one of 16 rotating static buffers. */
const char *unit_path(const char *name);
/* The path of a file there, new, of that text. */
const char *unit_file(const char *name, const char *text);

/* Processor time of this thread so far. */
double unit_cpu_ms(void);
/* The least that some tries return, each the time that it took: a busy machine only adds.
 * They end when one is within the bar. */
double unit_least(double (*one_try)(void *arg), void *arg, double bar);
/* Instrumented code runs several times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SLOWER 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SLOWER 20
#endif
#endif
#ifndef UNIT_SLOWER
#define UNIT_SLOWER 1
#endif

/* Ends what hangs, a test in seconds; a machine that stands still for a while is none. */
#define UNIT_TIMEOUT_S 120

/* One suite with one test case of these functions. */
#define UNIT_SUITE(name, ...)                                             \
	Suite *unit_suite(void)                                           \
	{                                                                 \
		const TTest *const tests[] = {__VA_ARGS__};               \
		Suite *s = suite_create(name);                            \
		TCase *c = tcase_create(name);                            \
		tcase_set_timeout(c, UNIT_TIMEOUT_S);                     \
		for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) \
			tcase_add_test(c, tests[i]);                      \
		suite_add_tcase(s, c);                                    \
		return s;                                                 \
	}

#endif
