/* SPDX-License-Identifier: MIT */
/* Any text, cleaned for speech: what comes out may pass, and is not longer than was said. */
#include <stdint.h>
#include <string.h>

#include "contact-router/sms_text.h"
#include "contact-router/speech_text.h"
#include "gateway/base/mem.h"
#include "gateway/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096 || !utf8_valid((const char *)data + 1, size - 1) || memchr(data + 1, 0, size - 1))
        return 0;
    size_t max = data[0] % 128 + 1u;
    char *text = mem_dup_n((const char *)data + 1, size - 1);
    struct bytes out = BYTES_EMPTY;
    speech_text_clean(&out, text, size - 1, max, "link");
    CHECK(sms_text_graphemes(bytes_text(&out), out.len, max) == out.len);
    CHECK(!out.len || speech_text_may_pass(out.data));
    bytes_fini(&out);
    mem_free(text);
    return 0;
}
