/* SPDX-License-Identifier: MIT */
/* Decided here: which stanzas go back to their senders, when, and with what words. */
#include "s2s/s2s_bounce.h"

#include <stdio.h>

#include "s2s/s2s_internal.h"

enum { RISKS_MAX = 2 }; /* on how many streams a message is tried without ever being confirmed */

static const char may_have_arrived[] = "the other server did not confirm this message; it may have arrived";

void s2s_bounce_at_once(const struct s2s_way *way, struct stanza *st, enum stanza_error e, const char *text)
{
    exchange_remote_failed(way->shard->s2s->o.exchange, st, 0, e, text);
}

/* `it` is on no list that counts. */
static void bounce(struct s2s_numbering *n, struct s2s_item *it, enum stanza_error e, const char *text)
{
    if (it->seq)
        s2s_numbering_failed(n, s2s_item_id(it));
    exchange_remote_failed(n->way->shard->s2s->o.exchange, it->st, it->seq, e, text);
    s2s_item_free(it);
}

void s2s_bounce_too_big(struct s2s_numbering *n, struct s2s_item *it, uint64_t max_bytes)
{
    char text[128];
    snprintf(text, sizeof text, "too big: the other server takes no stanza of more than %llu bytes",
             (unsigned long long)max_bytes);
    bounce(n, it, STANZA_POLICY_VIOLATION, text);
}

/* What was kept before that has waited too long. */
static int64_t oldest_us(const struct s2s_way *way)
{
    const struct s2s_shard *sh = way->shard;
    return clock_unix_us(loop_clock(sh->loop)) - (int64_t)sh->s2s->o.queue_deadline_s * 1000000;
}

static void bounce_unkept(struct s2s_queue *q, struct list *items, const struct s2s_attempts *why,
                          struct s2s_numbering *n)
{
    list_each(node, items) {
        struct s2s_item *it = s2s_item_of(node);
        if (it->seq)
            continue;
        s2s_queue_take(q, it);
        bounce(n, it, why->refused, why->text);
    }
}

static void late_text(char out[256], const struct s2s_way *way, const struct s2s_attempts *why)
{
    snprintf(out, 256, "the other server could not be reached for %llu hours: %s",
             (unsigned long long)(way->shard->s2s->o.queue_deadline_s / 3600), why->text);
}

void s2s_bounce_waiting(struct s2s_queue *q, const struct s2s_attempts *why, struct s2s_numbering *n)
{
    int64_t oldest = oldest_us(q->way);
    char late[256];
    late_text(late, q->way, why);
    bounce_unkept(q, &q->waiting, why, n);
    bounce_unkept(q, &q->behind, why, n);
    list_each(node, &q->waiting) {
        struct s2s_item *it = s2s_item_of(node);
        if (!why->permanent && it->kept_us >= oldest)
            continue;
        s2s_queue_take(q, it);
        bounce(n, it, why->refused, it->sends ? may_have_arrived : why->permanent ? why->text : late);
    }
}

/* A message in doubt has its chances. Where the peer knows copies by their numbers these are as many as the
 * deadline allows, but not for what the peer ends the stream over. */
void s2s_bounce_unconfirmed(struct s2s_unconfirmed *u, bool faulted)
{
    struct s2s_numbering *n = &u->numbering;
    int64_t oldest = oldest_us(n->way);
    list_each(node, &u->items) {
        struct s2s_item *it = s2s_item_of(node);
        it->risks += !n->on || faulted;
        if (it->risks >= RISKS_MAX || (n->on && it->kept_us < oldest))
            bounce(n, it, STANZA_REMOTE_SERVER_TIMEOUT, may_have_arrived);
    }
}
