/* SPDX-License-Identifier: MIT */
/* Chunks are skipped until "data"; what is not "fmt " does not matter. */
#include "contact-router/wav.h"

#include <string.h>

#include "gateway/base/check.h"

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

/* G.711, table 2a: sign, three bits of segment, four of step; all inverted on the wire. */
static unsigned char mulaw_of(int sample)
{
    enum { BIAS = 132, CLIP = 32635 };
    unsigned sign = sample < 0 ? 0x80 : 0, segment = 7;
    int level = sample < 0 ? -sample : sample;
    level = (level > CLIP ? CLIP : level) + BIAS;
    while (segment && !(level & (0x80 << segment)))
        segment--;
    return (unsigned char)~(sign | segment << 4 | ((unsigned)level >> (segment + 3) & 15));
}

enum { MULAW_HEAD = 58 }; /* with the size of an extension, and the fact chunk that all but PCM must have */

size_t wav_mulaw_bytes(struct span ours)
{
    return ours.len < WAV_OUR_HEAD ? 0 : MULAW_HEAD + (ours.len - WAV_OUR_HEAD) / 2;
}

void wav_to_mulaw(struct span ours, struct bytes *out)
{
    CHECK(ours.len >= WAV_OUR_HEAD);
    uint32_t rate = (uint32_t)bytes_read_le(ours.data + 24, 4), samples = (uint32_t)(ours.len - WAV_OUR_HEAD) / 2;
    bytes_reserve(out, MULAW_HEAD + samples + 1);
    bytes_append(out, "RIFF", 4);
    bytes_append_le(out, MULAW_HEAD - 8 + samples, 4);
    bytes_append(out, "WAVEfmt ", 8);
    bytes_append_le(out, 18, 4);
    bytes_append_le(out, 7, 2); /* mu-law */
    bytes_append_le(out, 1, 2);
    bytes_append_le(out, rate, 4);
    bytes_append_le(out, rate, 4);
    bytes_append_le(out, 1, 2);
    bytes_append_le(out, 8, 2);
    bytes_append_le(out, 0, 2);
    bytes_append(out, "fact", 4);
    bytes_append_le(out, 4, 4);
    bytes_append_le(out, samples, 4);
    bytes_append(out, "data", 4);
    bytes_append_le(out, samples, 4);
    for (uint32_t i = 0; i < samples; i++)
        bytes_append_char(out, (char)mulaw_of((int16_t)bytes_read_le(ours.data + WAV_OUR_HEAD + 2 * i, 2)));
}
