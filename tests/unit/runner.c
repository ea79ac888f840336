/* runner.c: main() of every unit test program; prints Check's own summary line. */
#include <stdlib.h>

#include "tests/unit/unit.h"

int main(void)
{
	SRunner *r = srunner_create(unit_suite());
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
