/* SPDX-License-Identifier: MIT */
/* The order of judging: is it an answer of that provider at all, does it accept, which code does it
 * give, which HTTP status. An answer that is not JSON where the profile expects JSON comes from
 * something else (a proxy, a captive portal): temporary, unless its status would have accepted; then
 * nobody knows. */
#include "contact-router/provider_answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "contact-router/pick.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

enum { RETRY_AFTER_MAX_S = 6 * 3600 };

static bool wants_json(const struct profile_send *s)
{
    bool wants = s->id.kind == PICK_JSON || s->err_code.kind == PICK_JSON || s->err_text.kind == PICK_JSON;
    for (unsigned i = 0; i < s->ok_if.count; i++)
        wants = wants || s->ok_if.v[i].what.kind == PICK_JSON;
    return wants;
}

static void keep(char *out, size_t cap, const char *value)
{
    size_t len = value ? strlen(value) : 0;
    len = utf8_cut(value ? value : "", len, cap - 1);
    memcpy(out, value ? value : "", len);
    out[len] = 0;
}

/* Seconds; the date form of RFC 9110 10.2.3 is treated as not said. */
static uint64_t retry_after(const char *value)
{
    uint64_t s;
    if (!value || !text_to_u64(value, &s))
        return 0;
    return (s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s) * 1000;
}

static enum provider_outcome refusal(const struct profile_send *s, const struct provider_reply *r,
                                     struct provider_answer *out)
{
    out->optout = *out->code && profile_word_in(&s->optout_code, out->code);
    out->bad_address = out->optout || (*out->code && profile_word_in(&s->permanent_code, out->code));
    if (out->bad_address)
        return PROVIDER_PERMANENT;
    if ((*out->code && profile_word_in(&s->retry_code, out->code)) || profile_status_in(&s->retry, r->status))
        return PROVIDER_TEMPORARY;
    return PROVIDER_PERMANENT;
}

static void judge(const struct profile_send *s, const struct provider_reply *r, const struct pick_source *src,
                  struct provider_answer *out)
{
    bool accepting = profile_status_in(&s->ok, r->status);
    if (wants_json(s) && !src->json) {
        out->outcome = accepting ? PROVIDER_UNKNOWN : PROVIDER_TEMPORARY;
        snprintf(out->text, sizeof out->text, "HTTP %d with an answer that is not JSON", r->status);
        return;
    }
    keep(out->id, sizeof out->id, pick_value(&s->id, src));
    if (accepting && pick_hold_all(&s->ok_if, src)) {
        out->outcome = PROVIDER_OK;
        return;
    }
    keep(out->code, sizeof out->code, pick_value(&s->err_code, src));
    const char *text = pick_value(&s->err_text, src);
    char said[120];
    keep(said, sizeof said, text);
    snprintf(out->text, sizeof out->text, "HTTP %d%s%s%s%s", r->status, *out->code ? ", code " : "", out->code,
             *said ? ": " : "", said);
    out->outcome = refusal(s, r, out);
}

void provider_answer_judge(const struct profile_send *s, const struct provider_reply *r, struct provider_answer *out)
{
    *out = (struct provider_answer){ .retry_after_ms = retry_after(r->retry_after) };
    struct arena a;
    arena_init(&a);
    struct pick_source src = { .arena = &a, .text = r->body, .header = r->header, .user = r->user };
    if (wants_json(s))
        src.json = json_loadb(r->body.data ? r->body.data : "", r->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (r->body.len && (!utf8_valid(r->body.data, r->body.len) || memchr(r->body.data, 0, r->body.len)))
        src.text = SPAN("");
    judge(s, r, &src, out);
    json_decref(src.json);
    arena_fini(&a);
}
