/* SPDX-License-Identifier: MIT */
/* What is changed by a form goes the way of the lines that a person writes to the domain (reach.h: command), so that
 * both know the same rules; the answer is the one that the line would have got. */
#ifndef CAUSEWAY_ADMIN_MY_LINE_H
#define CAUSEWAY_ADMIN_MY_LINE_H

#include "gateway/admin/adhoc.h"

/* Says the line; then the call is finished with what was answered, or refused, or rejected. */
void my_line_say(struct adhoc_call *c, const char *line);
/* Can what was submitted be one word of a line? false: the call was rejected. */
MUST_USE bool my_line_is_word(struct adhoc_call *c, const char *var);

#endif
