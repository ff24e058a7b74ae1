/* SPDX-License-Identifier: MIT */
/* The ids that name rows of an archive (XEP-0359 stanza-id, XEP-0313): opaque, unique, without a table. */
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/store/journal.h"
#include "gateway/store/store_internal.h"

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static uint32_t key_word(const unsigned char *key, unsigned i)
{
    return (uint32_t)bytes_read_le(key + 4 * i, 4);
}

/* XTEA, 32 rounds: a 64-bit block cipher, because an id must be a bijection of 64 bits. It hides how
 * rows are numbered; nobody's safety rests on it. */
static uint64_t encipher(const unsigned char *bytes, uint64_t block)
{
    const uint32_t key[4] = {key_word(bytes, 0), key_word(bytes, 1), key_word(bytes, 2), key_word(bytes, 3)};
    uint32_t v0 = (uint32_t)(block >> 32), v1 = (uint32_t)block, sum = 0;
    for (unsigned i = 0; i < 32; i++) {
        v0 += (((v1 << 4) ^ (v1 >> 5)) + v1) ^ (sum + key[sum & 3]);
        sum += 0x9e3779b9;
        v1 += (((v0 << 4) ^ (v0 >> 5)) + v0) ^ (sum + key[sum >> 11 & 3]);
    }
    return (uint64_t)v0 << 32 | v1;
}

static uint64_t decipher(const unsigned char *bytes, uint64_t block)
{
    const uint32_t key[4] = {key_word(bytes, 0), key_word(bytes, 1), key_word(bytes, 2), key_word(bytes, 3)};
    uint32_t v0 = (uint32_t)(block >> 32), v1 = (uint32_t)block, sum = 0x9e3779b9u * 32;
    for (unsigned i = 0; i < 32; i++) {
        v1 -= (((v0 << 4) ^ (v0 >> 5)) + v0) ^ (sum + key[sum >> 11 & 3]);
        sum -= 0x9e3779b9;
        v0 -= (((v1 << 4) ^ (v1 >> 5)) + v1) ^ (sum + key[sum & 3]);
    }
    return (uint64_t)v0 << 32 | v1;
}

void archive_id(const struct store *s, uint64_t seq, char out[ARCHIVE_ID_LEN + 1])
{
    uint64_t block = encipher(s->archive_key, seq);
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
    *seq = decipher(s->archive_key, block);
    return *seq > 0 && *seq <= INT64_MAX;
}
