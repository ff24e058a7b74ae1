/* SPDX-License-Identifier: MIT */
/* Carriers' words count only as the whole text ("please stop" is not one). YES, END and CANCEL are
 * theirs, so none of our own words. */
#include "contact-router/answer_text.h"

#include <string.h>

#include "gateway/base/text.h"

static const char *trimmed(struct arena *a, const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    return arena_dup_n(a, text, len);
}

static bool one_of(const char *const *words, const char *text)
{
    for (; *words; words++)
        if (text_eq_nocase(*words, text))
            return true;
    return false;
}

static enum answer_word word_of(const char *text)
{
    static const char *const stop[] = { "stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke",
                                        "optout", "opt out", "remove", "arret", "td", NULL };
    static const char *const start[] = { "start", "unstop", "yes", NULL };
    static const char *const help[] = { "help", "info", NULL };
    size_t len = strlen(text);
    char word[16];
    if (!len || len >= sizeof word)
        return ANSWER_NONE;
    memcpy(word, text, len + 1);
    while (len > 1 && strchr(".!", word[len - 1]))
        word[--len] = 0;
    return one_of(stop, word)    ? ANSWER_STOP
           : one_of(start, word) ? ANSWER_START
           : one_of(help, word)  ? ANSWER_HELP
                                 : ANSWER_NONE;
}

static enum answer_verb verb_of(const char *text)
{
    if (text_eq_nocase(text, "accept"))
        return ANSWER_ACCEPT;
    if (text_eq_nocase(text, "decline"))
        return ANSWER_DECLINE;
    return text_eq_nocase(text, "block") ? ANSWER_BLOCK : ANSWER_SAY;
}

/* A letter or two and one to five digits. */
static void split_code(struct arena *a, struct answer_text *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *t = out->text;
    size_t l = strspn(t, letters), d = l <= 2 ? strspn(t + l, "0123456789") : 0;
    if (!l || !d || d > 5)
        return;
    const char *after = t + l + d;
    if (*after && !strchr(" :,.;\t\r\n", *after))
        return;
    char *code = arena_dup_n(a, t, l + d);
    for (char *c = code; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + ('a' - 'A'));
    out->code = code;
    out->rest = after + strspn(after, " :,.;\t\r\n");
}

void answer_text_read(struct arena *a, const char *text, struct answer_text *out)
{
    *out = (struct answer_text){ .text = trimmed(a, text), .rest = "" };
    out->word = word_of(out->text);
    if (out->text[0] >= '1' && out->text[0] <= '9' && !out->text[1])
        out->number = (unsigned)(out->text[0] - '0');
    split_code(a, out);
    out->verb = verb_of(out->code ? out->rest : out->text);
}
