/* SPDX-License-Identifier: MIT */
/* The head of a WAV, whole and as it grows: what was decided of a part holds for the whole. */
#include <stdint.h>

#include "contact-router/wav.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wav_head whole, part;
    if (size > 8192)
        return 0;
    enum wav_result r = wav_read_head((struct span){ (const char *)data, size }, &whole);
    if (r == WAV_READY)
        CHECK(whole.data_at <= size && whole.rate >= WAV_RATE_MIN && whole.rate <= WAV_RATE_MAX);
    for (size_t n = 0; n <= size && n < 200; n++) {
        enum wav_result p = wav_read_head((struct span){ (const char *)data, n }, &part);
        CHECK(p == WAV_MORE || p == r || size > WAV_HEAD_MAX);
    }
    return 0;
}
