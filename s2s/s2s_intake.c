/* SPDX-License-Identifier: MIT */
/* Decided here: how much a peer may have under way, and what waits until all before it has settled. */
#include "s2s/s2s_intake.h"

#include "gateway/base/mem.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_block_list.h"
#include "s2s/s2s_errand.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_policy.h"

enum { CREDIT_BYTES = 64 * 1024, SETTLED_BYTES = 2048 };

/* Why it is not read; a set. */
enum pause {
    PAUSE_CREDIT = 1, /* too much of it is not settled */
    PAUSE_STORE = 2,  /* nothing can be kept: until the shard's gate opens */
    PAUSE_RATE = 4,   /* its domain has brought more than it may for now */
};

struct inbound {
    struct list node;
    struct settle settle;
    struct s2s_intake *intake;
    struct stanza *held; /* waits until all before it has settled; NULL once it is handed in */
    size_t bytes;
    bool is_numbered;
    struct s2s_place place; /* if it is */
};

void s2s_intake_init(struct s2s_intake *k, struct s2s_shard *sh, struct stream *st,
                     void (*on_empty)(struct s2s_intake *k))
{
    *k = (struct s2s_intake){.shard = sh, .stream = st, .on_empty = on_empty};
    list_init(&k->unsettled);
}

bool s2s_intake_is_empty(const struct s2s_intake *k)
{
    return list_is_empty(&k->unsettled);
}

bool s2s_intake_is_held_up(const struct s2s_intake *k)
{
    return k->pauses != 0;
}

void s2s_intake_stop(struct s2s_intake *k)
{
    k->stream = NULL;
    timer_stop(&k->rate);
}

static void pause_reading(struct s2s_intake *k, enum pause why)
{
    if (!k->pauses)
        stream_pause(k->stream);
    k->pauses |= (uint8_t)why;
}

static void resume_reading(struct s2s_intake *k, enum pause why)
{
    if (!(k->pauses & why))
        return;
    k->pauses &= (uint8_t)~why;
    if (!k->pauses && k->stream)
        stream_resume(k->stream);
}

static void on_credit(struct timer *t)
{
    resume_reading(container_of(t, struct s2s_intake, rate), PAUSE_RATE);
}

static void hold_to_rate(struct s2s_intake *k, const struct stanza *st)
{
    uint64_t wait_ms = s2s_policy_spend(k->shard, st->from->domain, stanza_size(st));
    if (!wait_ms)
        return;
    pause_reading(k, PAUSE_RATE);
    timer_start(&k->rate, k->shard->loop, wait_ms, on_credit);
}

/* The sender learns it: a list can be wrong. */
static void refuse_person(struct s2s_intake *k, struct stanza *st)
{
    struct stanza *error =
        build_error(st, STANZA_POLICY_VIOLATION, "a list of this server's policy keeps you out", NULL);
    if (error)
        s2s_errand_send(k->shard->s2s, error, (struct queue_id){0});
    stanza_unref(&error);
}

void s2s_intake_gate_open(struct s2s_intake *k)
{
    resume_reading(k, PAUSE_STORE);
}

static void on_settled(struct command *c);

static void hand_in(struct inbound *ib, struct stanza *st)
{
    struct s2s_shard *sh = ib->intake->shard;
    settle_init(&ib->settle, sh->loop, on_settled);
    if (ib->is_numbered)
        exchange_receive_numbered(sh->s2s->o.exchange, st, ib->place.epoch, ib->place.id, &ib->settle);
    else
        exchange_receive_remote(sh->s2s->o.exchange, st, &ib->settle);
}

static void hand_in_held(struct s2s_intake *k)
{
    struct list *first = list_first(&k->unsettled);
    struct inbound *ib = first ? list_entry(first, struct inbound, node) : NULL;
    if (!ib || !ib->held)
        return;
    struct stanza *st = ib->held;
    ib->held = NULL;
    hand_in(ib, st);
    stanza_unref(&st);
}

static void on_settled(struct command *c)
{
    struct inbound *ib = container_of(c, struct inbound, settle.cmd);
    struct s2s_intake *k = ib->intake;
    k->unsettled_bytes -= ib->bytes;
    list_remove(&ib->node);
    mem_free(ib);
    hand_in_held(k);
    if (k->unsettled_bytes < CREDIT_BYTES)
        resume_reading(k, PAUSE_CREDIT);
    if (!k->stream && s2s_intake_is_empty(k))
        k->on_empty(k);
}

/* Servers take the answer to a ping between domains as proof that all before it was taken (s2s_unconfirmed.h),
 * so it must not be answered while a message before it waits for its commit. */
static bool proves_what_came_before(const struct stanza *st)
{
    return st->kind == STANZA_IQ && jid_is_domain(st->to) && jid_is_domain(st->from);
}

/* On its way from now on. */
static struct inbound *add(struct s2s_intake *k, size_t bytes)
{
    struct inbound *ib = mem_new(struct inbound);
    ib->intake = k;
    ib->bytes = bytes;
    list_append(&k->unsettled, &ib->node);
    k->unsettled_bytes += bytes;
    if (k->unsettled_bytes >= CREDIT_BYTES)
        pause_reading(k, PAUSE_CREDIT);
    if (!gate_is_open(&k->shard->gate))
        pause_reading(k, PAUSE_STORE);
    return ib;
}

void s2s_intake_settled(struct s2s_intake *k, const char *remote, const char *local, const struct s2s_place *place)
{
    struct inbound *ib = add(k, SETTLED_BYTES);
    settle_init(&ib->settle, k->shard->loop, on_settled);
    exchange_remote_settled(k->shard->s2s->o.exchange, remote, local, place->epoch, place->id, &ib->settle);
}

void s2s_intake_take(struct s2s_intake *k, struct stanza *st, const struct s2s_place *place)
{
    hold_to_rate(k, st);
    if (s2s_policy_denies_person(k->shard, st)) {
        refuse_person(k, st);
        return;
    }
    if (s2s_block_list_take(k->shard->s2s, st))
        return;
    bool waits = proves_what_came_before(st) && !s2s_intake_is_empty(k);
    struct inbound *ib = add(k, stanza_size(st));
    ib->is_numbered = place != NULL;
    if (place)
        ib->place = *place;
    if (waits)
        ib->held = stanza_ref(st);
    else
        hand_in(ib, st);
}
