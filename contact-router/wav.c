/* SPDX-License-Identifier: MIT */
/* Chunks are skipped until "data"; what is not "fmt " does not matter. */
#include "contact-router/wav.h"

#include <string.h>

/* The fields of "fmt ": PCM, one channel, 16 bits. */
static bool is_ours(const char *fmt, uint32_t rate)
{
    return bytes_read_le(fmt, 2) == 1 && bytes_read_le(fmt + 2, 2) == 1 && bytes_read_le(fmt + 14, 2) == 16 &&
           rate >= WAV_RATE_MIN && rate <= WAV_RATE_MAX;
}

enum wav_result wav_read_head(struct span begin, struct wav_head *out)
{
    enum { RIFF = 12, CHUNK = 8, FMT = 16 };
    size_t at = RIFF;
    *out = (struct wav_head){ 0 };
    if (begin.len < RIFF)
        return WAV_MORE;
    if (memcmp(begin.data, "RIFF", 4) != 0 || memcmp(begin.data + 8, "WAVE", 4) != 0)
        return WAV_WRONG;
    while (begin.len - at >= CHUNK) {
        const char *chunk = begin.data + at;
        uint32_t len = (uint32_t)bytes_read_le(chunk + 4, 4);
        if (memcmp(chunk, "data", 4) == 0) {
            out->data_at = at + CHUNK;
            return out->rate ? WAV_READY : WAV_WRONG;
        }
        if (len > WAV_HEAD_MAX)
            return WAV_WRONG;
        size_t next = at + CHUNK + len + (len & 1);
        if (next > begin.len)
            break;
        if (memcmp(chunk, "fmt ", 4) == 0) {
            out->rate = len >= FMT ? (uint32_t)bytes_read_le(chunk + CHUNK + 4, 4) : 0;
            if (len < FMT || !is_ours(chunk + CHUNK, out->rate))
                return WAV_WRONG;
        }
        at = next;
    }
    return begin.len > WAV_HEAD_MAX ? WAV_WRONG : WAV_MORE;
}

void wav_write_head(struct bytes *out, unsigned rate, uint32_t data_bytes)
{
    bytes_append(out, "RIFF", 4);
    bytes_append_le(out, data_bytes + WAV_OUR_HEAD - 8, 4);
    bytes_append(out, "WAVEfmt ", 8);
    bytes_append_le(out, 16, 4);
    bytes_append_le(out, 1, 2); /* PCM */
    bytes_append_le(out, 1, 2); /* one channel */
    bytes_append_le(out, rate, 4);
    bytes_append_le(out, rate * 2, 4);
    bytes_append_le(out, 2, 2);
    bytes_append_le(out, 16, 2);
    bytes_append(out, "data", 4);
    bytes_append_le(out, data_bytes, 4);
}
