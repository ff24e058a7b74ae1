/* SPDX-License-Identifier: MIT */
/* The cipher behind archive ids; journal.h has what others call. Pure. Internal to gateway/store. */
#ifndef CAUSEWAY_STORE_ARCHIVE_ID_H
#define CAUSEWAY_STORE_ARCHIVE_ID_H

#include <stdint.h>

enum { ARCHIVE_ID_SECRET_BYTES = 16, ARCHIVE_ID_ROUNDS = 27 };

struct archive_id_key {
    uint32_t rounds[ARCHIVE_ID_ROUNDS];
};

void archive_id_key_init(struct archive_id_key *key,
                         const unsigned char secret[ARCHIVE_ID_SECRET_BYTES]);
/* A bijection of 64 bits, and its inverse. */
uint64_t archive_id_encipher(const struct archive_id_key *key, uint64_t block);
uint64_t archive_id_decipher(const struct archive_id_key *key, uint64_t block);

#endif
