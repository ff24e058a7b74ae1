/* SPDX-License-Identifier: MIT */
/* espeak-ng takes ^A as the beginning of a command, and [[...]] as phonemes (both seen): neither gets through. */
#include "contact-router/speech_text.h"

#include <string.h>

#include "contact-router/sms_text.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

static const struct { const char *lang, *voice, *tag; } languages[] = {
    { "en", "en-gb", "en-GB" }, { "de", "de", "de-DE" }, { "fr", "fr-fr", "fr-FR" }, { "es", "es", "es-ES" },
};

enum { LANGUAGES = sizeof languages / sizeof *languages };

static unsigned find(const char *lang)
{
    unsigned i = 0;
    while (i < LANGUAGES &&
           !(lang && (text_eq_nocase(lang, languages[i].lang) ||
                      (strlen(lang) > 2 && (lang[2] == '-' || lang[2] == '_') &&
                       (lang[0] | 32) == languages[i].lang[0] && (lang[1] | 32) == languages[i].lang[1]))))
        i++;
    return i;
}

bool speech_text_speaks(const char *lang)
{
    return find(lang) < LANGUAGES;
}

const char *speech_text_lang(const char *lang)
{
    unsigned i = find(lang);
    return languages[i < LANGUAGES ? i : 0].lang;
}

const char *speech_text_voice(const char *lang)
{
    unsigned i = find(lang);
    return languages[i < LANGUAGES ? i : 0].voice;
}

const char *speech_text_tag(const char *lang)
{
    unsigned i = find(lang);
    return languages[i < LANGUAGES ? i : 0].tag;
}

/* -- cleaning -- */

static bool is_silent(uint32_t c)
{
    return c < 32 || (c >= 127 && c < 160) || c == '[' || c == ']' || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0xa0 || c == 0x3000 || c == 0xfeff ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xffff) || c >= 0xe0000;
}

static void blank(struct bytes *out, size_t from)
{
    if (out->len > from && out->data[out->len - 1] != ' ')
        bytes_append_char(out, ' ');
}

/* The end of a line is a pause, unless there is one already. */
static void pause(struct bytes *out, size_t from)
{
    while (out->len > from && out->data[out->len - 1] == ' ')
        out->data[--out->len] = 0;
    if (out->len > from && !strchr(".,;:!?", out->data[out->len - 1]))
        bytes_append_char(out, '.');
    blank(out, from);
}

static size_t link_len(const char *text, size_t len)
{
    if (len < 8 || (!text_starts_with(text, "https://") && !text_starts_with(text, "http://")))
        return 0;
    size_t n = 0;
    while (n < len && (unsigned char)text[n] > 32)
        n++;
    return n;
}

static void clean(struct bytes *out, const char *text, size_t len, const char *link)
{
    size_t from = out->len;
    for (size_t at = 0; at < len;) {
        size_t skip = link_len(text + at, len - at), here = at;
        if (skip) {
            blank(out, from);
            bytes_append_text(out, link);
            at += skip;
            continue;
        }
        uint32_t c = utf8_next(text, len, &at);
        if (c == '\n')
            pause(out, from);
        else if (c == ' ' || is_silent(c))
            blank(out, from);
        else
            bytes_append(out, text + here, at - here);
    }
    while (out->len > from && out->data[out->len - 1] == ' ')
        out->data[--out->len] = 0;
}

bool speech_text_clean(struct bytes *out, const char *text, size_t len, size_t max, const char *link)
{
    size_t from = out->len;
    /* So many bytes at most, however few characters a heap of combining marks counts as. */
    size_t look = max * 4 < len ? utf8_cut(text, len, max * 4) : len;
    clean(out, text, look, link);
    size_t whole = out->len - from;
    if (!whole)
        return look < len;
    size_t keep = sms_text_graphemes(out->data + from, whole, max), word = keep;
    if (keep == whole)
        return look < len;
    while (word > keep / 2 && out->data[from + word] != ' ')
        word--;
    out->len = from + (word > keep / 2 ? word : keep);
    out->data[out->len] = 0;
    return true;
}

bool speech_text_may_pass(const char *text)
{
    size_t len = strlen(text);
    if (!len || len > SPEECH_TEXT_BYTES_MAX || !utf8_valid(text, len))
        return false;
    for (size_t at = 0; at < len;)
        if (is_silent(utf8_next(text, len, &at)))
            return false;
    return true;
}
