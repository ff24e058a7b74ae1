/* SPDX-License-Identifier: MIT */
/* A submitted form of an ad-hoc command: whatever is read is of the form's fields, within their bounds, and
 * can be shown again. */
#include <stdint.h>
#include <string.h>

#include "gateway/admin/adhoc_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct form_option options[] = {{"One", "1"}, {"Two", "2"}, {NULL, NULL}};
static const struct adhoc_field fields[] = {
    {.type = FORM_FIXED, .var = "say", .value = "This"},
    {.type = FORM_TEXT_SINGLE, .var = "text", .max_bytes = 20},
    {.type = FORM_TEXT_MULTI, .var = "lines"},
    {.type = FORM_TEXT_PRIVATE, .var = "secret"},
    {.type = FORM_BOOLEAN, .var = "yes"},
    {.type = FORM_JID_MULTI, .var = "jids"},
    {.type = FORM_LIST_SINGLE, .var = "one", .options = options},
    {.type = FORM_LIST_MULTI, .var = "some"},
    {.type = FORM_TEXT_SINGLE, .var = "number", .datatype = "xs:integer", .min = -5, .max = 5},
    {.type = FORM_TEXT_SINGLE, .var = "date", .datatype = "xs:dateTime"},
    {0},
};
static const struct adhoc_stage stage = {.title = "T", .fields = fields};

static const struct adhoc_field *field_of(const char *var)
{
    for (const struct adhoc_field *f = fields; f->var; f++)
        if (strcmp(f->var, var) == 0)
            return f;
    return NULL;
}

static void check_values(const struct adhoc_value *values)
{
    for (; values; values = values->next) {
        const struct adhoc_field *f = field_of(values->var);
        CHECK(f && f->type != FORM_FIXED && values->count <= ADHOC_VALUES_MAX);
        for (unsigned i = 0; i < values->count; i++)
            CHECK(strlen(values->values[i]) <= (f->max_bytes ? f->max_bytes : 3071));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stanza *st = stanza_parse((const char *)data, size);
    const struct element *command = st ? stanza_first(st) : NULL;
    struct arena a;
    struct error e = ERROR_INIT;
    struct adhoc_value *values = NULL;
    struct adhoc_offer offer = {"some", "A", "a", NULL};
    const struct adhoc_offers offers = {&offer, &offer};
    arena_init(&a);
    if (command && adhoc_form_read(&a, command, "urn:x", &stage, &offers, &values, &e)) {
        struct builder b;
        check_values(values);
        build_begin(&b, STANZA_IQ, IQ_RESULT);
        adhoc_form_write(&b, "urn:x", &stage, &offers, values);
        struct stanza *shown = build_end(&b);
        stanza_unref(&shown);
    } else {
        CHECK(!command || e.text[0]);
    }
    arena_fini(&a);
    stanza_unref(&st);
    return 0;
}
