/* SPDX-License-Identifier: MIT */
/* Addresses are checked here once, so that nothing behind this file meets a CR, LF, quote or angle
 * bracket in one. */
#include "contact-router/device.h"

#include <string.h>

#include "contact-router/speech_text.h"
#include "gateway/base/text.h"

static const struct { const char *word, *people; bool usable; } kinds[] = {
#define K(name, word, people, usable) { word, people, usable },
    DEVICE_KINDS(K)
#undef K
};

const char *device_kind_word(enum device_kind k)
{
    return kinds[k].word;
}

const char *device_kind_people(enum device_kind k)
{
    return kinds[k].people;
}

bool device_kind_usable(enum device_kind k)
{
    return kinds[k].usable;
}

bool device_kind_parse(const char *word, enum device_kind *out)
{
    static const struct { const char *word; enum device_kind kind; } also[] = {
        { "phone", DEVICE_SMS }, { "mobile", DEVICE_SMS }, { "text", DEVICE_SMS },
        { "mail", DEVICE_EMAIL }, { "e-mail", DEVICE_EMAIL }, { "call", DEVICE_VOICE },
    };
    for (unsigned i = 0; i < DEVICE_KIND_COUNT; i++)
        if (text_eq_nocase(word, kinds[i].word)) {
            *out = (enum device_kind)i;
            return true;
        }
    for (unsigned i = 0; i < sizeof also / sizeof *also; i++)
        if (text_eq_nocase(word, also[i].word)) {
            *out = also[i].kind;
            return true;
        }
    return false;
}

/* -- addresses -- */

const char *device_phone(struct arena *a, const char *text)
{
    char out[17] = "+";
    size_t n = 1;
    if (text_starts_with(text, "00"))
        text += 2;
    else if (*text == '+')
        text++;
    else
        return NULL; /* which country? */
    for (; *text; text++) {
        if (strchr(" ().-/", *text))
            continue;
        if (*text < '0' || *text > '9' || n == 16 || (n == 1 && *text == '0'))
            return NULL;
        out[n++] = *text;
    }
    return n >= 8 ? arena_dup_n(a, out, n) : NULL;
}

static bool domain_is_clean(const char *d)
{
    size_t label = 0, len = strlen(d);
    if (!len || len > 253 || d[len - 1] == '-')
        return false;
    for (const char *c = d; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (*c == '.' ? !label || c[-1] == '-' || !c[1] : !letter && (*c != '-' || !label))
            return false;
        label = *c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
    }
    return true;
}

static bool local_is_clean(const char *l, size_t len)
{
    if (!len || len > 64 || l[0] == '.' || l[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        bool letter = (l[i] >= 'a' && l[i] <= 'z') || (l[i] >= 'A' && l[i] <= 'Z') || (l[i] >= '0' && l[i] <= '9');
        if (!letter && !strchr("!#$%&'*+-/=?^_`{|}~.", l[i]))
            return false;
        if (l[i] == '.' && l[i + 1] == '.')
            return false;
    }
    return true;
}

const char *device_mail(struct arena *a, const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || strchr(at + 1, '@') || !local_is_clean(text, (size_t)(at - text)) || !domain_is_clean(at + 1))
        return NULL;
    char *out = arena_dup(a, text);
    for (char *c = strchr(out, '@'); *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    return out;
}

const char *device_pager(struct arena *a, const char *text)
{
    char digits[21];
    size_t n = 0, len = strlen(text);
    if (*text == '+')
        return device_phone(a, text);
    if (strchr(text, '@'))
        return device_mail(a, text);
    if (len && strspn(text, "0123456789 ().-/") == len) {
        for (const char *c = text; *c; c++)
            if (*c >= '0' && *c <= '9') {
                if (n == sizeof digits - 1)
                    return NULL;
                digits[n++] = *c;
            }
        return n >= 3 ? arena_dup_n(a, digits, n) : NULL;
    }
    bool name = len && len <= 64 &&
                strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len &&
                *text != '.' && *text != '-';
    return name ? arena_dup(a, text) : NULL;
}

bool device_phone_is_premium(const char *e164)
{
    static const char *const prefixes[] = {
        "+1900", "+1976", "+449", "+49900", "+3389", "+34803", "+34806", "+34807", "+31900", "+31906", "+31909",
        "+39899", "+39892", "+41900", "+41901", "+41906", "+43900", "+43901", "+43930", "+43931", "+32900", "+32902",
        "+45900", "+46900", "+47829", "+35315", "+61190", "+870", "+878", "+881", "+882", "+883", "+888", "+979", NULL
    };
    for (const char *const *p = prefixes; *p; p++)
        if (text_starts_with(e164, *p))
            return true;
    return false;
}

/* -- quiet hours -- */

static const char *clock_time(const char *at, unsigned *minutes)
{
    unsigned h = 0, m = 0, digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 2; at++, digits++)
        h = h * 10 + (unsigned)(*at - '0');
    if (!digits || h > 23 || *at++ != ':' || at[0] < '0' || at[0] > '5' || at[1] < '0' || at[1] > '9')
        return NULL;
    m = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    *minutes = h * 60 + m;
    return at + 2;
}

bool device_quiet_parse(struct arena *a, const char *text, struct device_quiet *out)
{
    *out = (struct device_quiet){ .zone = "" };
    if (!text || !*text)
        return true;
    const char *at = clock_time(text, &out->from_min);
    if (!at || *at != '-' || !(at = clock_time(at + 1, &out->to_min)) || (*at && *at != ' '))
        return false;
    at = text_skip_blank(at);
    size_t len = strlen(at);
    if (out->from_min == out->to_min || len > 60 || strstr(at, "..") || *at == '/' ||
        strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != len)
        return false;
    out->zone = len ? arena_dup(a, at) : "UTC";
    out->set = true;
    return true;
}

const char *device_quiet_text(struct arena *a, const struct device_quiet *q)
{
    if (!q->set)
        return "";
    return arena_printf(a, "%02u:%02u-%02u:%02u %s", q->from_min / 60, q->from_min % 60, q->to_min / 60,
                        q->to_min % 60, q->zone);
}

int64_t device_quiet_until(const struct device_quiet *q, int64_t now_us, int offset_s)
{
    if (!q->set)
        return now_us;
    int64_t local_s = now_us / 1000000 + offset_s, day = 86400;
    int64_t in_day = ((local_s % day) + day) % day;
    int64_t from = (int64_t)q->from_min * 60, to = (int64_t)q->to_min * 60;
    bool over = from > to;
    bool quiet = over ? in_day >= from || in_day < to : in_day >= from && in_day < to;
    if (!quiet)
        return now_us;
    int64_t left = to - in_day + (over && in_day >= from ? day : 0);
    return (now_us / 1000000 + left) * 1000000;
}

/* -- the lines that people write -- */

struct words { const char *v[8]; unsigned count; };

static void split(struct arena *a, const char *line, struct words *w)
{
    const char *at = text_skip_blank(line);
    while (*at && w->count < 8) {
        size_t len = strcspn(at, " \t\r\n");
        w->v[w->count++] = arena_dup_n(a, at, len);
        at += len;
        at += strspn(at, " \t\r\n");
    }
}

static bool wrong(struct device_command *out, const char *why)
{
    out->verb = DEVICE_WRONG;
    out->why = why;
    return true;
}

static void take_full(struct words *w, struct device_command *out)
{
    const char *last = w->v[w->count - 1];
    if (w->count <= 3 || (!text_eq_nocase(last, "full") && !text_eq_nocase(last, "notice")))
        return;
    out->full = text_eq_nocase(last, "full");
    w->count--;
}

static bool parse_add(struct arena *a, struct words *w, struct device_command *out)
{
    out->verb = DEVICE_ADD;
    if (w->count < 3 || !device_kind_parse(w->v[1], &out->kind))
        return wrong(out, "Write: add email ADDRESS, or: add phone +44... (for text messages), or: add call +44... (to "
                          "be called), or: "
                          "add pager NUMBER; append \"full\" to get the whole text and not only a notice.");
    if (!device_kind_usable(out->kind))
        return wrong(out,
                     arena_printf(a, "A %s cannot be added yet; e-mail, phones (text messages, calls) and pagers can.",
                                  device_kind_people(out->kind)));
    out->any_phone = text_eq_nocase(w->v[1], "phone") || text_eq_nocase(w->v[1], "mobile");
    take_full(w, out);
    char *joined = arena_dup(a, "");
    for (unsigned i = 2; i < w->count; i++)
        joined = arena_printf(a, "%s%s", joined, w->v[i]);
    bool digits = strspn(joined, "0123456789+().-/") == strlen(joined); /* only these may be written in groups */
    if (out->kind == DEVICE_EMAIL)
        out->address = w->count == 3 ? device_mail(a, joined) : NULL;
    else if (out->kind == DEVICE_PAGER)
        out->address = w->count == 3 || digits ? device_pager(a, joined) : NULL;
    else
        out->address = device_phone(a, joined);
    if (!out->address)
        return wrong(out, out->kind == DEVICE_EMAIL
                              ? "That is not an e-mail address that can be used here."
                          : out->kind == DEVICE_PAGER
                              ? "Write the pager's number or name as its carrier has it: add pager 415-555-1212."
                              : "Write the number with its country: +44 7700 900123.");
    return true;
}

static bool parse_number(struct words *w, enum device_verb verb, struct device_command *out)
{
    uint32_t n;
    out->verb = verb;
    if (w->count < 2 || !text_to_u32(w->v[1], &n))
        return wrong(out, "Which one? \"devices\" shows their numbers; then write, for instance: remove 2");
    out->n = n;
    return true;
}

static bool parse_quiet(struct arena *a, struct words *w, struct device_command *out)
{
    if (!parse_number(w, DEVICE_QUIET, out) || out->verb == DEVICE_WRONG)
        return true;
    if (w->count == 3 && text_eq_nocase(w->v[2], "off"))
        return true;
    const char *text = w->count == 4   ? arena_printf(a, "%s %s", w->v[2], w->v[3])
                       : w->count == 3 ? w->v[2]
                                       : "?";
    if (!device_quiet_parse(a, text, &out->quiet))
        return wrong(out, "Write: quiet 2 22:00-07:00 Europe/London, or: quiet 2 off");
    return true;
}

static bool parse_speak(struct arena *a, struct words *w, struct device_command *out)
{
    if (!parse_number(w, DEVICE_SPEAK, out) || out->verb == DEVICE_WRONG)
        return true;
    if (w->count != 3 || !speech_text_speaks(w->v[2]))
        return wrong(out, "Write: language 2 de. Calls are spoken in en, de, fr or es.");
    out->lang = arena_dup(a, speech_text_lang(w->v[2]));
    return true;
}

static bool is_code(const char *word)
{
    return strlen(word) == 6 && strspn(word, "0123456789") == 6;
}

static bool parse_verify(struct words *w, struct device_command *out)
{
    out->verb = DEVICE_VERIFY;
    if (w->count != 2 || !is_code(w->v[1]))
        return wrong(out, "Write: verify and the six digits that arrived.");
    out->code = w->v[1];
    return true;
}

/* "remove", "full", "test" and the like are ours when a number or nothing follows; in a longer sentence
 * they are somebody's words. */
static bool ours(const struct words *w)
{
    uint32_t n;
    return w->count == 1 || (w->count == 2 && text_to_u32(w->v[1], &n));
}

bool device_command_parse(struct arena *a, const char *line, struct device_command *out)
{
    static const struct { const char *word; enum device_verb verb; } numbered[] = {
        { "remove", DEVICE_REMOVE }, { "full", DEVICE_FULL }, { "notice", DEVICE_NOTICE }, { "test", DEVICE_TEST },
    };
    struct words w = { 0 };
    uint32_t n;
    *out = (struct device_command){ .quiet.zone = "" };
    if (strlen(line) > 512)
        return false;
    split(a, line, &w);
    if (!w.count)
        return false;
    if (w.count == 1 && (text_eq_nocase(w.v[0], "devices") || text_eq_nocase(w.v[0], "device")))
        return true; /* DEVICE_LIST */
    if (w.count == 1 && is_code(w.v[0])) {
        out->verb = DEVICE_VERIFY;
        out->code = w.v[0];
        return true;
    }
    if (text_eq_nocase(w.v[0], "add"))
        return parse_add(a, &w, out);
    if (text_eq_nocase(w.v[0], "verify"))
        return parse_verify(&w, out);
    if (text_eq_nocase(w.v[0], "language"))
        return (w.count == 1 || text_to_u32(w.v[1], &n)) && parse_speak(a, &w, out);
    if (text_eq_nocase(w.v[0], "quiet"))
        return parse_quiet(a, &w, out);
    for (unsigned i = 0; i < sizeof numbered / sizeof *numbered; i++)
        if (text_eq_nocase(w.v[0], numbered[i].word))
            return ours(&w) && parse_number(&w, numbered[i].verb, out);
    return false;
}

const char *device_help(void)
{
    return "devices: what you have listed to be reached by while you are not logged in\n"
           "add email ADDRESS, add phone +44... (text messages), add call +44..., add pager NUMBER: list one (append "
           "\"full\" for whole texts instead "
           "of notices)\n"
           "verify CODE: prove that it is yours, with the code that arrives on it\n"
           "full N, notice N: send the whole text to it, or only a notice\n"
           "language N de: speak to it in that language (en, de, fr, es)\n"
           "quiet N 22:00-07:00 Europe/London, quiet N off: leave it silent at these hours\n"
           "test N: send something to it; remove N: forget it";
}
