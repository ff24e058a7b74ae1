/* SPDX-License-Identifier: MIT */
/* Dates on the wire (XEP-0082): CCYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm). */
#ifndef CAUSEWAY_XMPP_DATETIME_H
#define CAUSEWAY_XMPP_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/check.h"

enum { DATETIME_MAX = 32 };

/* In UTC; the fraction only as long as it must be (none, 3 or 6 digits). Years 0001 to 9999; what
 * lies outside is shown as the nearest that can be. */
void datetime_write(char out[DATETIME_MAX], int64_t unix_us);
/* Without the fraction. */
void datetime_write_second(char out[DATETIME_MAX], int64_t unix_us);
/* Digits of the fraction behind the sixth are dropped; a leap second counts as the second before.
 * false: not a date. */
MUST_USE bool datetime_parse(const char *text, int64_t *unix_us);

#endif
