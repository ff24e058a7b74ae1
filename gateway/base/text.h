/* SPDX-License-Identifier: MIT */
/* Small questions about NUL-terminated text. NULL is allowed where the name says `eq`. */
#ifndef CAUSEWAY_BASE_TEXT_H
#define CAUSEWAY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/check.h"

/* Both NULL, or both the same text. */
bool text_eq(const char *a, const char *b);
bool text_eq_nocase(const char *a, const char *b); /* ASCII */
bool text_starts_with(const char *text, const char *prefix);
/* Copies what fits, always NUL-terminated; false: cut. */
bool text_copy(char *out, size_t cap, const char *from);
/* Whole text is a decimal number without sign; false: it is not, or does not fit. */
MUST_USE bool text_to_u64(const char *text, uint64_t *out);
MUST_USE bool text_to_u32(const char *text, uint32_t *out);
/* Equal in time that depends on the lengths only. */
bool text_eq_secret(const void *a, size_t a_len, const void *b, size_t b_len);
/* Skips spaces and tabs. */
const char *text_skip_blank(const char *text);

#endif
