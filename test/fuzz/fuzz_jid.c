/* SPDX-License-Identifier: MIT */
/* A prepared JID is a JID, and preparing it again changes nothing. */
#include <stdint.h>
#include <string.h>

#include "gateway/base/utf8.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/prep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    char ascii[PREP_MAX + 1];
    arena_init(&a);
    const struct jid *j = jid_parse(&a, (const char *)data, size);
    if (j) {
        CHECK(utf8_valid(j->full, strlen(j->full)));
        CHECK(!j->local || strlen(j->local) <= PREP_MAX);
        CHECK(!j->resource || strlen(j->resource) <= PREP_MAX);
        CHECK(prep_domain_ascii(ascii, j->domain) > 0);
        CHECK(jid_eq(j, jid_parse_text(&a, j->full)));
        CHECK(jid_eq(j, jid_make(&a, j->local, j->domain, j->resource)));
        CHECK(jid_eq_bare(j, jid_to_bare(&a, j)));
        struct jid *d = jid_dup(j);
        CHECK(jid_eq(d, j));
        jid_destroy(&d);
    }
    arena_fini(&a);
    return 0;
}
