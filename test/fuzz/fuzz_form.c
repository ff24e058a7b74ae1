/* SPDX-License-Identifier: MIT */
/* What a stanza's first child holds of forms, pages and dates. */
#include <stdint.h>
#include <string.h>

#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/form.h"
#include "gateway/xmpp/rsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_date(const char *text)
{
    int64_t us, again;
    char out[DATETIME_MAX];
    if (!datetime_parse(text, &us))
        return;
    datetime_write(out, us);
    CHECK(datetime_parse(out, &again));
    CHECK(again == us || us < INT64_C(-62135596800000000) || us > INT64_C(253402300799999999));
}

static void check_form(struct arena *a, const struct element *parent)
{
    const struct form *f = form_parse(a, parent);
    for (size_t i = 0; f && i < f->count; i++) {
        CHECK(form_find(f, f->fields[i].var) != NULL);
        for (size_t k = 0; k < f->fields[i].count; k++)
            check_date(f->fields[i].values[k]);
        form_bool(f, f->fields[i].var, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stanza *st = stanza_parse((const char *)data, size);
    if (!st)
        return 0;
    struct arena a;
    struct rsm_query q;
    arena_init(&a);
    check_form(&a, stanza_first(st));
    if (rsm_parse(&q, stanza_first(st)) == STANZA_OK)
        CHECK(!q.has_index || (!q.after && !q.before));
    arena_fini(&a);
    stanza_unref(&st);
    return 0;
}
