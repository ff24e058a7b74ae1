/* SPDX-License-Identifier: MIT */
/* A template (up to the first newline) and what its names stand for (the rest), in each context. */
#include <stdint.h>
#include <string.h>

#include "contact-router/template.h"
#include "gateway/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct names {
    struct template_names base;
    const char *value;
};

static bool value(const struct template_names *base, const char *name, struct bytes *out)
{
    bytes_append_text(out, container_of(base, struct names, base)->value);
    return strcmp(name, "none") != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error e = ERROR_INIT;
    struct template t;
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    if (!line || size > 4096 || !utf8_valid((const char *)data, size) || memchr(data, 0, size))
        return 0;
    arena_init(&a);
    const char *text = arena_dup_n(&a, (const char *)data, (size_t)(line - data));
    struct names n = { { value }, arena_dup_n(&a, (const char *)line + 1, size - (size_t)(line - data) - 1) };
    if (template_parse(&a, text, &t, &e)) {
        for (int c = TEMPLATE_PLAIN; c <= TEMPLATE_HEADER; c++) {
            struct bytes out = BYTES_EMPTY;
            struct error why = ERROR_INIT;
            if (template_render(&t, (enum template_context)c, &n.base, &out, &why))
                CHECK(c == TEMPLATE_HEADER || utf8_valid(bytes_text(&out), out.len));
            else
                CHECK(out.len == 0 && *why.text);
            bytes_fini(&out);
        }
    } else {
        CHECK(e.code != ERROR_NONE);
    }
    arena_fini(&a);
    return 0;
}
