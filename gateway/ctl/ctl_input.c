/* SPDX-License-Identifier: MIT */
/* See ctl_input.h. */
#include "gateway/ctl/ctl_input.h"

#include <errno.h>
#include <string.h>

#include "gateway/base/text.h"

FILE *ctl_input_open(const char *path, struct error *e)
{
    FILE *in = text_eq(path, "-") ? stdin : fopen(path, "re");
    if (!in)
        error_set(e, ERROR_NOT_FOUND, "%s: %s", path, strerror(errno));
    return in;
}

void ctl_input_close(FILE **in)
{
    if (*in && *in != stdin)
        fclose(*in);
    *in = NULL;
}
