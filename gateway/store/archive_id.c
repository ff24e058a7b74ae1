/* SPDX-License-Identifier: MIT */
/* The ids that name rows of an archive (XEP-0359 stanza-id, XEP-0313): opaque, unique, without a table. */
#include "gateway/store/archive_id.h"

#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/store/journal.h"
#include "gateway/store/store_internal.h"

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

/* Speck64/128 (Beaulieu and others, 2013): a block cipher of 64 bits, because an id must be a bijection
 * of 64 bits, and one that costs little a message. It hides how rows are numbered; nobody's safety
 * rests on it. */

static uint32_t rotl(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

static uint32_t rotr(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

void archive_id_key_init(struct archive_id_key *key, const unsigned char secret[ARCHIVE_ID_SECRET_BYTES])
{
    uint32_t k = (uint32_t)bytes_read_le(secret, 4), l[3];
    for (unsigned i = 0; i < 3; i++)
        l[i] = (uint32_t)bytes_read_le(secret + 4 * (i + 1), 4);
    for (unsigned i = 0; i < ARCHIVE_ID_ROUNDS; i++) {
        key->rounds[i] = k;
        l[i % 3] = (k + rotr(l[i % 3], 8)) ^ i;
        k = rotl(k, 3) ^ l[i % 3];
    }
}

uint64_t archive_id_encipher(const struct archive_id_key *key, uint64_t block)
{
    uint32_t x = (uint32_t)(block >> 32), y = (uint32_t)block;
    for (unsigned i = 0; i < ARCHIVE_ID_ROUNDS; i++) {
        x = (rotr(x, 8) + y) ^ key->rounds[i];
        y = rotl(y, 3) ^ x;
    }
    return (uint64_t)x << 32 | y;
}

uint64_t archive_id_decipher(const struct archive_id_key *key, uint64_t block)
{
    uint32_t x = (uint32_t)(block >> 32), y = (uint32_t)block;
    for (unsigned i = ARCHIVE_ID_ROUNDS; i-- > 0;) {
        y = rotr(y ^ x, 3);
        x = rotl((x ^ key->rounds[i]) - y, 8);
    }
    return (uint64_t)x << 32 | y;
}

void archive_id(const struct store *s, uint64_t seq, char out[ARCHIVE_ID_LEN + 1])
{
    uint64_t block = archive_id_encipher(&s->archive_key, seq);
    for (unsigned i = ARCHIVE_ID_LEN; i-- > 0; block >>= 5)
        out[i] = digits[block & 31];
    out[ARCHIVE_ID_LEN] = '\0';
}

bool archive_id_parse(const struct store *s, const char *id, uint64_t *seq)
{
    uint64_t block = 0;
    if (strlen(id) != ARCHIVE_ID_LEN)
        return false;
    for (unsigned i = 0; i < ARCHIVE_ID_LEN; i++) {
        const char *digit = memchr(digits, id[i], sizeof digits - 1);
        if (!digit || (i == 0 && digit - digits > 15)) /* 13 digits hold 65 bits */
            return false;
        block = block << 5 | (uint64_t)(digit - digits);
    }
    *seq = archive_id_decipher(&s->archive_key, block);
    return *seq > 0 && *seq <= INT64_MAX;
}
