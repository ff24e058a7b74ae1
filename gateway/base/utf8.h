/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629): validation and walking. */
#ifndef CAUSEWAY_BASE_UTF8_H
#define CAUSEWAY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *data, size_t len);
/* Code points in valid UTF-8. */
size_t utf8_count(const char *data, size_t len);
/* Reads one code point of valid UTF-8 at data[*at] and moves *at behind it. */
uint32_t utf8_next(const char *data, size_t len, size_t *at);
/* Writes one code point; returns the bytes written (1 to 4). */
size_t utf8_put(char out[4], uint32_t code);
/* The longest prefix of at most `max` bytes that ends between code points. */
size_t utf8_cut(const char *data, size_t len, size_t max);

#endif
