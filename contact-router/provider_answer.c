/* SPDX-License-Identifier: MIT */
/* The order of judging: is it an answer of that provider at all, does it accept, which code does it give,
 * which HTTP status. What is not JSON (XML) where the profile expects JSON (XML) comes from something else
 * (a proxy, a captive portal): temporary, unless its status would have accepted; then nobody knows. Nor does
 * anybody know of an accepting status with an answer of another shape: neither what the profile promises
 * (ok.if, id) nor an error that it can name. */
#include "contact-router/provider_answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "contact-router/pick.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

enum { RETRY_AFTER_MAX_S = 6 * 3600 };

static bool wants(const struct profile_send *s, enum profile_pick_kind kind)
{
    bool wants = s->id.kind == kind || s->err_code.kind == kind || s->err_text.kind == kind;
    for (unsigned i = 0; i < s->ok_if.count; i++)
        wants = wants || s->ok_if.v[i].what.kind == kind;
    return wants;
}

static void keep(char *out, size_t cap, const char *value)
{
    size_t len = value ? strlen(value) : 0;
    len = utf8_cut(value ? value : "", len, cap - 1);
    memcpy(out, value ? value : "", len);
    out[len] = 0;
}

static int64_t days_since_1970(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* IMF-fixdate, whatever the locale. */
static bool http_date(const char *text, int64_t *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, h, m, s;
    char month[4], zone[4];
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s", &day, month, &year, &h, &m, &s, zone) != 7)
        return false;
    const char *at = strstr(months, month);
    if (!at || (at - months) % 3 || strlen(month) != 3 || !text_eq(zone, "GMT") || year < 1970 || day < 1 || day > 31 ||
        h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60)
        return false;
    *out = days_since_1970(year, (int)(at - months) / 3 + 1, day) * 86400 + h * 3600 + m * 60 + s;
    return true;
}

/* RFC 9110 10.2.3: seconds, or a date ("Sun, 06 Nov 1994 08:49:37 GMT"). 0: neither, or past. */
static uint64_t retry_after(const char *value, int64_t now_us)
{
    uint64_t s = 0;
    int64_t at;
    if (!value)
        return 0;
    if (!text_to_u64(value, &s) && now_us && http_date(value, &at) && at > now_us / 1000000)
        s = (uint64_t)(at - now_us / 1000000);
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

static enum provider_outcome not_theirs(bool accepting, int status, const char *what, struct provider_answer *out)
{
    snprintf(out->text, sizeof out->text, "HTTP %d%s", status, what);
    return accepting ? PROVIDER_UNKNOWN : PROVIDER_TEMPORARY;
}

/* An error that stands where the profile says errors stand; a whole text is none by itself. */
static bool names_an_error(const struct profile_send *s, const char *code, const char *text)
{
    return *code || (text && *text && (s->err_text.kind != PICK_TEXT || s->err_text.re));
}

static enum provider_outcome judge(const struct profile_send *s, const struct provider_reply *r,
                                   const struct pick_source *src, struct provider_answer *out)
{
    bool accepting = profile_status_in(&s->ok, r->status);
    if (r->status >= 300 && r->status < 400 && !accepting)
        return not_theirs(false, r->status, ": a redirect, which is not followed", out);
    if (r->cut)
        return not_theirs(accepting, r->status, " with an answer that is too long to be read", out);
    if (wants(s, PICK_JSON) && !src->json)
        return not_theirs(accepting, r->status, " with an answer that is not JSON", out);
    if (wants(s, PICK_XML) && !pick_xml_well_formed(r->body))
        return not_theirs(accepting, r->status, " with an answer that is not XML", out);
    keep(out->id, sizeof out->id, pick_value(&s->id, src));
    bool as_promised = accepting && pick_hold_all(&s->ok_if, src);
    if (as_promised && (s->id.kind == PICK_NONE || *out->id))
        return PROVIDER_OK;
    keep(out->code, sizeof out->code, pick_value(&s->err_code, src));
    const char *text = pick_value(&s->err_text, src);
    char said[120];
    keep(said, sizeof said, text);
    if (accepting && (as_promised || !names_an_error(s, out->code, text)))
        return not_theirs(true, r->status, " with an answer of another shape", out);
    snprintf(out->text, sizeof out->text, "HTTP %d%s%s%s%s", r->status, *out->code ? ", code " : "", out->code,
             *said ? ": " : "", said);
    return refusal(s, r, out);
}

void provider_answer_judge(const struct profile_send *s, const struct provider_reply *r, struct provider_answer *out)
{
    *out = (struct provider_answer){ .retry_after_ms = retry_after(r->retry_after, r->now_us) };
    struct arena a;
    arena_init(&a);
    struct pick_source src = { .arena = &a, .text = r->body, .header = r->header, .user = r->user };
    if (wants(s, PICK_JSON))
        src.json = json_loadb(r->body.data ? r->body.data : "", r->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (r->body.len && (!utf8_valid(r->body.data, r->body.len) || memchr(r->body.data, 0, r->body.len)))
        src.text = SPAN("");
    out->outcome = judge(s, r, &src, out);
    json_decref(src.json);
    arena_fini(&a);
}
