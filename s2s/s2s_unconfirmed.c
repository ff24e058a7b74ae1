/* SPDX-License-Identifier: MIT */
/* Decided here: when a sent message counts as taken by the peer. */
#include "s2s/s2s_unconfirmed.h"

#include <string.h>

#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_way.h"

enum { ANSWER_TIMEOUT_MS = 60000 };

void s2s_unconfirmed_init(struct s2s_unconfirmed *u, const struct s2s_way *way,
                          void (*on_silence)(struct s2s_unconfirmed *u))
{
    *u = (struct s2s_unconfirmed){.numbering = {.way = way}, .on_silence = on_silence};
    list_init(&u->items);
}

void s2s_unconfirmed_fini(struct s2s_unconfirmed *u)
{
    CHECK(!u->numbering.looking);
    timer_stop(&u->timer);
    s2s_item_free_all(&u->items);
}

void s2s_unconfirmed_add(struct s2s_unconfirmed *u, struct s2s_item *it)
{
    list_append(&u->items, &it->node);
    u->bytes += it->bytes;
    u->count++;
    it->sends++;
}

static void forget_ping(struct s2s_unconfirmed *u)
{
    timer_stop(&u->timer);
    u->ping[0] = '\0';
}

static void on_timeout(struct timer *t)
{
    struct s2s_unconfirmed *u = container_of(t, struct s2s_unconfirmed, timer);
    forget_ping(u);
    u->on_silence(u);
}

static void send_ping(const struct s2s_way *way, struct stream *st, const char *id)
{
    struct arena a;
    struct builder b;
    arena_init(&a);
    build_begin(&b, STANZA_IQ, IQ_GET);
    build_from(&b, jid_make(&a, NULL, way->local, NULL));
    build_to(&b, jid_make(&a, NULL, way->remote, NULL));
    build_id(&b, id);
    build_leaf(&b, "ping", NS_PING, NULL);
    struct stanza *ping = build_end(&b);
    stream_send(st, ping);
    stanza_unref(&ping);
    arena_fini(&a);
}

void s2s_unconfirmed_ping(struct s2s_unconfirmed *u, struct stream *st)
{
    if (u->ping[0] || u->count == 0)
        return;
    s2s_numbering_tell(&u->numbering, st);
    random_id(u->ping);
    u->covered = u->count;
    send_ping(u->numbering.way, st, u->ping);
    timer_start(&u->timer, u->numbering.way->shard->loop, ANSWER_TIMEOUT_MS, on_timeout);
}

static void confirm_first(struct s2s_unconfirmed *u)
{
    const struct s2s_way *way = u->numbering.way;
    struct s2s_item *it = s2s_item_of(list_first(&u->items));
    log_debug(&way->log, "row %llu is confirmed", (unsigned long long)it->seq);
    exchange_remote_done(way->shard->s2s->o.exchange, it->st, it->seq);
    s2s_numbering_confirmed(&u->numbering, s2s_item_id(it));
    u->bytes -= it->bytes;
    u->count--;
    s2s_item_free(it);
}

bool s2s_unconfirmed_answer(struct s2s_unconfirmed *u, const char *id)
{
    if (!u->ping[0] || strcmp(id, u->ping) != 0)
        return false;
    forget_ping(u);
    for (; u->covered; u->covered--)
        confirm_first(u);
    return true;
}

void s2s_unconfirmed_end(struct s2s_unconfirmed *u, struct list *to)
{
    forget_ping(u);
    s2s_numbering_end(&u->numbering);
    list_splice(to, &u->items);
    u->bytes = 0;
    u->count = 0;
}
