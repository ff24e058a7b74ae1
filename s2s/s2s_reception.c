/* SPDX-License-Identifier: MIT */
/* Decided here: every stanza is from a domain that this very stream has proved and to one of ours (RFC 6120 4.9.3,
 * 8.1), and what only answers a pair of ours goes to that pair. */
#include "s2s/s2s_reception.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_numbering.h"
#include "s2s/s2s_way.h"

static void on_intake_empty(struct s2s_intake *k)
{
    struct s2s_reception *r = container_of(k, struct s2s_reception, intake);
    if (!r->stream)
        r->on_empty(r);
}

void s2s_reception_init(struct s2s_reception *r, struct s2s_shard *sh, struct stream *st,
                        void (*on_empty)(struct s2s_reception *r))
{
    *r = (struct s2s_reception){.shard = sh, .stream = st, .on_empty = on_empty};
    list_append(&sh->receptions, &r->node);
    s2s_intake_init(&r->intake, sh, st, on_intake_empty);
}

void s2s_reception_stop(struct s2s_reception *r)
{
    s2s_intake_stop(&r->intake);
}

bool s2s_reception_end(struct s2s_reception *r)
{
    s2s_intake_stop(&r->intake);
    r->stream = NULL;
    return s2s_intake_is_empty(&r->intake);
}

void s2s_reception_fini(struct s2s_reception *r)
{
    struct s2s_proved *pair;
    list_remove(&r->node);
    for (size_t i = 0; (pair = map_next(&r->proved, &i));)
        mem_free(pair);
    map_fini(&r->proved);
}

void s2s_reception_gate_open(struct gate *g)
{
    struct s2s_shard *sh = container_of(g, struct s2s_shard, gate);
    list_each(node, &sh->receptions)
        s2s_intake_gate_open(&list_entry(node, struct s2s_reception, node)->intake);
}

/* ---- who it is ---- */

struct s2s_proved *s2s_reception_find(const struct s2s_reception *r, const char *remote, const char *local)
{
    char name[S2S_WAY_NAME_MAX];
    s2s_way_name(name, remote, local);
    return map_get(&r->proved, name);
}

struct s2s_proved *s2s_reception_prove(struct s2s_reception *r, const char *remote, const char *local,
                                       enum s2s_proof how)
{
    if (s2s_reception_find(r, remote, local))
        return NULL;
    size_t name = strlen(remote) + strlen(local) + 2, size = name + strlen(remote) + 1;
    struct s2s_proved *pair = mem_alloc(sizeof *pair + size);
    *pair = (struct s2s_proved){.how = how};
    snprintf(pair->name, name, "%s %s", remote, local);
    pair->local = pair->name + strlen(remote) + 1;
    memcpy(pair->name + name, remote, strlen(remote) + 1);
    pair->remote = pair->name + name;
    map_put(&r->proved, pair->name, pair);
    return pair;
}

struct s2s_proved *s2s_reception_find_local(const struct s2s_reception *r, const char *local)
{
    struct s2s_proved *pair;
    for (size_t i = 0; (pair = map_next(&r->proved, &i));)
        if (strcmp(pair->local, local) == 0)
            return pair;
    return NULL;
}

void s2s_reception_forget(struct s2s_reception *r, struct s2s_proved *pair)
{
    map_remove(&r->proved, pair->name);
    mem_free(pair);
}

/* ---- words of a queue (s2s_numbering.c) ---- */

static enum stream_error take_settled(struct s2s_reception *r, const struct stanza *st, struct arena *a,
                                      const char **text)
{
    struct s2s_settled w;
    *text = "settled needs from, to, epoch, seq and at";
    if (!s2s_numbering_read_settled(st, a, &w))
        return STREAM_BAD_FORMAT;
    struct s2s_proved *pair = s2s_reception_find(r, w.from, w.to);
    *text = "settled speaks of a pair that this stream has not proved";
    if (!pair)
        return STREAM_NOT_AUTHORIZED;
    *text = "settled speaks of another epoch than before: a store has one";
    if (pair->numbers && pair->epoch != w.epoch)
        return STREAM_POLICY_VIOLATION;
    pair->numbers = true;
    pair->epoch = w.epoch;
    s2s_intake_settled(&r->intake, w.from, w.to, &(struct s2s_place){w.epoch, w.id});
    return STREAM_OK;
}

enum stream_error s2s_reception_queue_word(struct s2s_reception *r, const struct stanza *st, const char **text)
{
    const char *name = st->payload->root->name;
    if (strcmp(name, "settled") == 0) {
        struct arena a;
        arena_init(&a);
        enum stream_error e = take_settled(r, st, &a, text);
        arena_fini(&a);
        return e;
    }
    *text = "a queue has settled and next";
    if (strcmp(name, "next") != 0)
        return STREAM_UNSUPPORTED_STANZA_TYPE;
    *text = "next needs seq and at";
    return s2s_numbering_read_next(st, &r->next) ? STREAM_OK : STREAM_BAD_FORMAT;
}

/* ---- stanzas ---- */

static void take(struct s2s_reception *r, struct stanza *st, const struct s2s_proved *pair)
{
    struct s2s_place place = {.epoch = pair->epoch, .id = r->next};
    r->next = (struct queue_id){0};
    s2s_intake_take(&r->intake, st, pair->numbers ? &place : NULL);
}

/* The stream error for a stanza that may not be here; STREAM_OK: it may. */
static enum stream_error check(const struct s2s_reception *r, const struct stanza *st, struct s2s_proved **pair,
                               const char **text)
{
    *text = "not authenticated: dialback or SASL EXTERNAL first";
    if (r->proved.count == 0)
        return STREAM_NOT_AUTHORIZED;
    *text = "every stanza between servers needs from and to";
    if (!st->from || !st->to)
        return STREAM_IMPROPER_ADDRESSING;
    *pair = s2s_reception_find(r, st->from->domain, st->to->domain);
    *text = "that domain is not served here";
    if (!*pair && !exchange_is_local_domain(r->shard->s2s->o.exchange, st->to->domain))
        return STREAM_HOST_UNKNOWN;
    *text = "from is not a domain that this stream has proved";
    if (!*pair)
        return STREAM_INVALID_FROM;
    *text = "next stands before a message of a pair that has settled";
    return r->next.seq && (!(*pair)->numbers || st->kind != STANZA_MESSAGE) ? STREAM_BAD_FORMAT : STREAM_OK;
}

/* A domain answers a domain: something that one of our pairs asked, perhaps. */
static bool answers_us(const struct stanza *st)
{
    return stanza_is_answer(st) && st->id && jid_is_domain(st->to) && jid_is_domain(st->from);
}

enum stream_error s2s_reception_stanza(struct s2s_reception *r, struct stanza *st, const char **text)
{
    struct s2s_proved *pair = NULL;
    enum stream_error e = check(r, st, &pair, text);
    if (e != STREAM_OK)
        return e;
    bool answers = answers_us(st);
    if (answers)
        s2s_errand_answer(r->shard->s2s, st->to->domain, st->from->domain, st->id);
    if (!answers || exchange_is_attached(r->shard->s2s->o.exchange, st->to->domain)) /* which may ask for itself */
        take(r, st, pair);
    return STREAM_OK;
}
