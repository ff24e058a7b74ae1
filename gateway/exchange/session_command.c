/* SPDX-License-Identifier: MIT */
/* Lines that a person writes to the domain about requests: what they may say, and what they are told.
 * The words are English, as the prompt that teaches them; a request is named by its number, by the
 * conversation's code, or by the address. Answers come after the commit. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/exchange_internal.h"
#include "gateway/exchange/session_internal.h"
#include "gateway/exchange/session_text.h"

enum { WORD_BYTES = 3072, /* a JID */ LISTED_MAX = 50 };

struct line {
    struct person *p;
    const struct jid *who;
    char verb[24], first[WORD_BYTES], second[24];
    unsigned words;
};

void session_command_reply(struct person *p, const struct jid *who, const char *text)
{
    struct arena a;
    arena_init(&a);
    struct stanza *st = session_text_reply(jid_to_domain(&a, p->jid), who, text);
    exchange_answer(p->x, st);
    arena_fini(&a);
}

static void reply(const struct line *l, const char *text)
{
    session_command_reply(l->p, l->who, text);
}

/* ---- an answer after the commit ---- */

struct later {
    struct person *p;
    struct jid *who;
    char *text;
};

static void reply_later(void *user, const struct error *e)
{
    struct later *r = user;
    session_command_reply(r->p, r->who,
                          e->code == ERROR_NONE ? r->text : "That could not be saved. Please try again later.");
    jid_destroy(&r->who);
    mem_free(r->text);
    mem_free(r);
}

static struct later *later(const struct line *l, struct bytes *text)
{
    struct later *r = mem_new(struct later);
    r->p = l->p;
    r->who = jid_dup(l->who);
    r->text = bytes_take(text);
    return r;
}

/* ---- which request ---- */

static struct session *only_open(struct person *p)
{
    struct session *s, *found = NULL;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));) {
        if (s->consent != CONSENT_ASKED)
            continue;
        if (found)
            return NULL;
        found = s;
    }
    return found;
}

static struct session *by_address(struct person *p, const char *text, bool make)
{
    struct arena a;
    arena_init(&a);
    const struct jid *j = jid_parse_text(&a, text);
    struct session *s = j ? session_find(p, j->bare) : NULL;
    if (!s && make && j && !jid_eq_bare(j, p->jid))
        s = session_of(p, j->bare);
    arena_fini(&a);
    return s;
}

/* NULL: none that this word names. */
static struct session *named(struct person *p, const char *word, bool make)
{
    uint32_t number;
    struct session *s;
    if (word[0] == '#')
        word++;
    if (strchr(word, '@') || strchr(word, '.'))
        return by_address(p, word, make);
    bool is_number = text_to_u32(word, &number) && number > 0;
    for (size_t i = 0; (s = map_next(&p->sessions->peers, &i));)
        if (is_number ? s->number == number : s->code[0] && text_eq_nocase(s->code, word))
            return s;
    return NULL;
}

static struct session *meant(const struct line *l, bool make)
{
    struct session *s = l->words > 1 ? named(l->p, l->first, make) : only_open(l->p);
    if (!s)
        reply(l, l->words > 1 ? "I know no request by that name. \"requests\" lists what waits."
                              : "Which one? \"requests\" lists what waits.");
    return s;
}

/* ---- the lines ---- */

static void on_accept(const struct line *l)
{
    struct session *s = meant(l, false);
    if (!s)
        return;
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "%s can write to you now.", s->peer);
    if (s->held)
        bytes_printf(&text, s->held == 1 ? " Here is the message that waited."
                                         : " Here are the messages that waited.");
    session_consent_apply(l->p, s, CONSENT_ACCEPT_EVENT, false, reply_later, later(l, &text));
}

static void on_decline(const struct line *l)
{
    bool openly = text_eq_nocase(l->second, "openly");
    struct line shifted = *l;
    if (!openly && text_eq_nocase(l->first, "openly") && l->words == 2) { /* "decline openly" */
        openly = true;
        shifted.words = 1;
    }
    struct session *s = meant(&shifted, false);
    if (!s)
        return;
    if (s->consent != CONSENT_ASKED && s->consent != CONSENT_DECLINED && s->consent != CONSENT_EXPIRED) {
        reply(l, "That request does not wait any more. \"block\" and \"forget\" change what was decided.");
        return;
    }
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, openly ? "Declined. %s is told so." : "Declined. %s is not told.", s->peer);
    session_consent_apply(l->p, s, CONSENT_DECLINE_EVENT, openly, reply_later, later(l, &text));
}

static void on_block(const struct line *l)
{
    struct session *s = meant(l, true);
    if (!s)
        return;
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "%s is blocked. \"forget %s\" undoes it.", s->peer, s->peer);
    session_consent_apply(l->p, s, CONSENT_BLOCK_EVENT, false, reply_later, later(l, &text));
}

static void on_forget(const struct line *l)
{
    struct session *s = meant(l, false);
    if (!s)
        return;
    struct bytes text = BYTES_EMPTY;
    if (s->consent == CONSENT_ASKED || s->held)
        bytes_printf(&text, "The request of %s waits for your answer.", s->peer);
    else
        bytes_printf(&text, "Forgotten: what you decided about %s. They must ask again, unless they are in "
                            "your contact list.", s->peer);
    session_consent_apply(l->p, s, CONSENT_REVOKE_EVENT, false, reply_later, later(l, &text));
}

static int by_number(const void *a, const void *b)
{
    const struct session *x = *(struct session *const *)a, *y = *(struct session *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static unsigned list_of(struct person *p, struct bytes *text, const char *title, enum consent_state state)
{
    struct session *found[LISTED_MAX];
    unsigned count = 0;
    struct session *s;
    for (size_t i = 0; count < LISTED_MAX && (s = map_next(&p->sessions->peers, &i));)
        if (s->consent == state && s->number)
            found[count++] = s;
    if (!count)
        return 0;
    qsort(found, count, sizeof *found, by_number);
    bytes_append_text(text, title);
    for (unsigned i = 0; i < count; i++) {
        bytes_printf(text, "\n%u  %s", found[i]->number, found[i]->peer);
        if (state == CONSENT_ASKED)
            bytes_printf(text, found[i]->held == 1 ? " (1 message)" : " (%u messages)", found[i]->held);
    }
    bytes_append_char(text, '\n');
    return count;
}

static void on_requests(const struct line *l)
{
    struct bytes text = BYTES_EMPTY;
    if (list_of(l->p, &text, "Waiting for your answer:", CONSENT_ASKED))
        bytes_append_text(&text, "Answer with \"accept\", \"decline\" or \"block\" and the number.\n");
    else
        bytes_append_text(&text, "Nobody is waiting for your answer.\n");
    (void)list_of(l->p, &text, "Declined:", CONSENT_DECLINED);
    (void)list_of(l->p, &text, "Not answered in time:", CONSENT_EXPIRED);
    (void)list_of(l->p, &text, "Blocked:", CONSENT_BLOCKED);
    text.len--; /* the last line's end */
    text.data[text.len] = '\0';
    reply(l, bytes_text(&text));
    bytes_fini(&text);
}

static void on_help(const struct line *l)
{
    struct bytes text = BYTES_EMPTY;
    bytes_append_text(&text, "You can write to me:\n"
                             "requests - who is waiting for your answer\n"
                             "accept 3 - let number 3 in; what they wrote arrives\n"
                             "decline 3 - say nothing; \"decline 3 openly\" tells them\n"
                             "block 3 - hear no more of them (an address works too)\n"
                             "forget 3 - take back what you decided\n"
                             "strangers ask, strangers deliver, strangers refuse - what becomes of messages "
                             "from people you do not know\n"
                             "tell on, tell off - may contacts who see when you are here learn that a device "
                             "was told?");
    struct reach *r = exchange_reach(l->p->x);
    const char *more = r ? r->ops->help(r) : NULL;
    if (more && *more)
        bytes_printf(&text, "\n%s", more);
    reply(l, bytes_text(&text));
    bytes_fini(&text);
}

/* ---- preferences ---- */

struct prefs_job {
    struct store_job job;
    struct person *p; /* counted in p->jobs */
    char *callee;
    struct session_prefs prefs;
    struct later *then;
};

static bool run_prefs(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct prefs_job *pj = container_of(job, struct prefs_job, job);
    return sessions_put_prefs(tx, pj->callee, &pj->prefs, e);
}

static void on_prefs(struct store_job *job, const struct error *e)
{
    struct prefs_job *pj = container_of(job, struct prefs_job, job);
    struct person *p = pj->p;
    if (e->code != ERROR_NONE)
        p->stale = true;
    reply_later(pj->then, e);
    mem_free(pj->callee);
    mem_free(pj);
    p->jobs--;
    person_idle(p);
}

static void save_prefs(const struct line *l, const char *say)
{
    struct bytes text = BYTES_EMPTY;
    bytes_append_text(&text, say);
    struct prefs_job *pj = mem_new(struct prefs_job);
    pj->p = l->p;
    pj->callee = mem_dup(l->p->jid->bare);
    pj->prefs = l->p->sessions->prefs;
    pj->then = later(l, &text);
    pj->job.reply_on = l->p->loop;
    pj->job.run = run_prefs;
    pj->job.done = on_prefs;
    l->p->jobs++;
    store_write(exchange_store(l->p->x), &pj->job);
}

static void on_strangers(const struct line *l)
{
    static const struct {
        const char *word, *say;
        enum strangers_policy policy;
    } rows[] = {
        {"ask", "People you do not know ask first.", STRANGERS_ASK},
        {"deliver", "Messages from people you do not know arrive like all others.", STRANGERS_DELIVER},
        {"refuse", "Messages from people you do not know are refused.", STRANGERS_REFUSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (text_eq_nocase(l->first, rows[i].word)) {
            l->p->sessions->prefs.strangers = rows[i].policy;
            save_prefs(l, rows[i].say);
            return;
        }
    reply(l, "Say \"strangers ask\", \"strangers deliver\" or \"strangers refuse\".");
}

static void on_tell(const struct line *l)
{
    bool on = text_eq_nocase(l->first, "on");
    if (!on && !text_eq_nocase(l->first, "off")) {
        reply(l, "Say \"tell on\" or \"tell off\".");
        return;
    }
    l->p->sessions->prefs.tell = on;
    save_prefs(l, on ? "Contacts who see when you are here may learn that a device was told."
                     : "Nobody learns that a device was told.");
}

/* ---- finding the line ---- */

static const struct {
    const char *word;
    void (*run)(const struct line *l);
} verbs[] = {
    {"help", on_help},       {"?", on_help},
    {"requests", on_requests}, {"accept", on_accept},
    {"decline", on_decline}, {"block", on_block},
    {"forget", on_forget},   {"strangers", on_strangers},
    {"tell", on_tell},
};

/* The next word, cut to what fits (a word that long names nothing). NULL: none. */
static const char *word_of(const char *at, char *out, size_t cap)
{
    at = text_skip_blank(at);
    size_t len = strcspn(at, " \t\r\n");
    if (!len)
        return NULL;
    size_t n = len < cap ? len : cap - 1;
    memcpy(out, at, n);
    out[n] = '\0';
    return at + len;
}

bool session_command_line(struct person *p, const struct jid *who, const char *text)
{
    struct line l = {.p = p, .who = who};
    const char *at = word_of(text, l.verb, sizeof l.verb);
    l.words = at != NULL;
    if (at && (at = word_of(at, l.first, sizeof l.first)))
        l.words++;
    if (at && l.words == 2 && word_of(at, l.second, sizeof l.second))
        l.words++;
    for (size_t i = 0; l.words && i < sizeof verbs / sizeof *verbs; i++)
        if (text_eq_nocase(l.verb, verbs[i].word)) {
            verbs[i].run(&l);
            return true;
        }
    return false;
}
