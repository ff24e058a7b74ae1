/* SPDX-License-Identifier: MIT */
/* Ends the process on a broken promise: one line on standard error, then abort() for the core file. */
#include "gateway/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *file, int line, const char *cond)
{
    fprintf(stderr, "causeway: bug at %s:%d: %s does not hold; please report this line\n", file,
            line, cond);
    abort();
}
