/* SPDX-License-Identifier: MIT */
/* Random bytes from the kernel, and opaque identifiers made of them. */
#ifndef CAUSEWAY_BASE_RANDOM_H
#define CAUSEWAY_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_ID_LEN = 22 }; /* 132 bits in base64url, without padding */

void random_bytes(void *out, size_t len);
/* Even in 0 .. bound - 1; bound > 0. */
uint32_t random_below(uint32_t bound);
/* An opaque identifier that nobody can guess: [A-Za-z0-9_-]{22}, NUL-terminated. */
void random_id(char out[RANDOM_ID_LEN + 1]);

#endif
