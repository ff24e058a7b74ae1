/* SPDX-License-Identifier: MIT */
/* A row of packs with any bytes: entries lie inside it, and their seqs do not fall. */
#include <stdint.h>

#include "gateway/store/journal_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct pack_walk w = {.left = {text, size}, .seq = 1, .kept_us = 1000000};
    struct index_entry entry;
    struct span xml;
    uint64_t before = 1;
    while (pack_next(&w, &entry, &xml)) {
        CHECK(entry.seq >= before && entry.seq <= INT64_MAX);
        CHECK(xml.len <= size && xml.data >= text && xml.data + xml.len <= text + size);
        before = entry.seq;
    }
    return 0;
}
