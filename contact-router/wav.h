/* SPDX-License-Identifier: MIT */
/* WAV (RIFF, PCM of 16 bits, one channel): the head of one that arrives in pieces, and the head of one of
 * ours. A program that writes into a pipe does not know the length, so what stands there is not believed. Pure. */
#ifndef CAUSEWAY_CONTACT_ROUTER_WAV_H
#define CAUSEWAY_CONTACT_ROUTER_WAV_H

#include <stdint.h>

#include "gateway/base/bytes.h"

enum wav_result {
    WAV_MORE,  /* not whole yet */
    WAV_READY,
    WAV_WRONG, /* not a WAV of that kind */
};

enum { WAV_HEAD_MAX = 4096, WAV_OUR_HEAD = 44, WAV_RATE_MIN = 8000, WAV_RATE_MAX = 48000 };

struct wav_head {
    unsigned rate;    /* samples a second */
    size_t data_at;   /* where the samples begin */
};

/* `begin`: what has come so far, from the first byte on. */
enum wav_result wav_read_head(struct span begin, struct wav_head *out);
/* Appends a head of WAV_OUR_HEAD bytes for `data_bytes` of samples. */
void wav_write_head(struct bytes *out, unsigned rate, uint32_t data_bytes);
/* One of ours (WAV_OUR_HEAD, samples of 16 bits) as ITU-T G.711 mu-law, which telephones speak: a WAV of half the size.
 */
void wav_to_mulaw(struct span ours, struct bytes *out);
size_t wav_mulaw_bytes(struct span ours);

#endif
