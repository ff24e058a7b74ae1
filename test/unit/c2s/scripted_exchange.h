/* SPDX-License-Identifier: MIT */
/* An exchange that does what the test says: it binds, keeps what comes until the test settles it,
 * and delivers what the test gives. Defines the exchange's functions that c2s calls, so a test
 * program that includes this is linked without the real one. */
#ifndef CAUSEWAY_TEST_SCRIPTED_EXCHANGE_H
#define CAUSEWAY_TEST_SCRIPTED_EXCHANGE_H

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/edge.h"
#include "gateway/exchange/exchange.h"
#include "gateway/xmpp/stanza_build.h"

enum { SCRIPT_MAX = 256 };

struct resource {
    struct exchange *x;
    struct edge_link *link;
    struct jid *jid; /* full; owned */
    uint64_t proved;
    enum link_state state;
    bool bound, asleep, woken, carbons;
    struct stanza *presence; /* what a snapshot shows; the test's */
    char directed[256];      /* the same */
    uint64_t directed_changes;
    unsigned done_count; /* exchange_delivered calls */
    uint64_t done[SCRIPT_MAX];
    char undelivered[1024]; /* ids of what unbind gave back, each followed by a blank */
    struct command answer;  /* on_bound is on its way */
    enum stanza_error refuse;
};

struct exchange {
    struct loop *loop;
    bool settle_at_once;
    bool holds_bind;       /* binds are answered by script_answer */
    uint64_t revocations;
    struct community community;              /* of montague.example */
    char introduced[512];                    /* "INVITER INVITED; " each */
    char changed[512];                       /* accounts, each followed by a blank */
    enum stanza_error refuse_bind;          /* the next bind */
    struct resource *resources[SCRIPT_MAX]; /* all that were ever bound, in order */
    unsigned resource_count;
    /* what came, in order */
    struct stanza *in[SCRIPT_MAX];
    struct settle *settle[SCRIPT_MAX]; /* NULL: settled */
    unsigned in_count;
};

struct loop *exchange_loop_of(struct exchange *x, const char *bare)
{
    (void)bare;
    return x->loop;
}

uint64_t exchange_revocations(struct exchange *x)
{
    return x->revocations;
}

const struct community *exchange_community(struct exchange *x, const char *domain)
{
    return text_eq(domain, "gone.example") ? NULL : &x->community;
}

void exchange_account_changed(struct exchange *x, const char *bare)
{
    size_t at = strlen(x->changed);
    snprintf(x->changed + at, sizeof(x->changed) - at, "%s ", bare);
}

void exchange_introduce(struct exchange *x, const char *inviter, const char *invited)
{
    size_t at = strlen(x->introduced);
    snprintf(x->introduced + at, sizeof(x->introduced) - at, "%s %s; ", inviter, invited);
}

static void script_on_answer(struct command *c)
{
    struct resource *r = container_of(c, struct resource, answer);

    if (r->refuse) {
        r->link->ops->on_bound(r->link, NULL, r->refuse);
        return;
    }
    r->bound = true;
    r->link->resource = r;
    r->link->ops->on_bound(r->link, r->jid, STANZA_OK);
}

static inline struct resource *script_bind(struct exchange *x, struct edge_link *l, const struct jid *account, const char *wish)
{
    struct resource *r = mem_new(struct resource);
    struct arena a;

    CHECK(x->resource_count < SCRIPT_MAX);
    arena_init(&a);
    r->x = x;
    r->link = l;
    r->proved = l->proved;
    r->refuse = x->refuse_bind;
    x->refuse_bind = STANZA_OK;
    const struct jid *j = jid_make(&a, account->local, account->domain, wish ? wish : "chosen");
    if (!j) {
        r->refuse = STANZA_BAD_REQUEST;
        j = jid_make(&a, account->local, account->domain, "refused");
    }
    r->jid = jid_dup(j);
    arena_fini(&a);
    x->resources[x->resource_count++] = r;
    r->answer.run = script_on_answer;
    if (!x->holds_bind)
        loop_post(x->loop, &r->answer);
    return r;
}

void exchange_bind(struct exchange *x, struct edge_link *l, const struct jid *account,
                   const char *wish)
{
    (void)script_bind(x, l, account, wish);
}

void exchange_bind_asleep(struct exchange *x, struct edge_link *l, const struct jid *account, const char *resource,
                          const struct link_snapshot *s)
{
    struct resource *r = script_bind(x, l, account, resource);

    r->asleep = true;
    r->carbons = s->carbons;
    CHECK(s->directed.len < sizeof(r->directed));
    memcpy(r->directed, s->directed.data, s->directed.len);
}

void exchange_wake(struct resource *r)
{
    CHECK(r->bound && r->asleep);
    r->asleep = false;
    r->woken = true;
}

bool exchange_receive(struct resource *r, struct stanza *st, struct settle *s)
{
    struct exchange *x = r->x;

    CHECK(r->bound);
    if (x->in_count == SCRIPT_MAX) { /* a fuzzer: enough is known */
        settle_release(&s);
        return true;
    }
    if (st->from && !jid_eq(st->from, r->jid) && !text_eq(st->from->full, r->jid->bare))
        return false;
    x->in[x->in_count] = stanza_ref(st);
    x->settle[x->in_count] = s;
    x->in_count++;
    if (x->settle_at_once)
        settle_release(&x->settle[x->in_count - 1]);
    return true;
}

void exchange_delivered(struct resource *r, uint64_t seq)
{
    CHECK(r->bound);
    if (r->done_count < SCRIPT_MAX)
        r->done[r->done_count++] = seq;
}

void exchange_link_state(struct resource *r, enum link_state state)
{
    CHECK(r->bound);
    r->state = state;
}

void exchange_unbind(struct resource *r, struct stanza *const *undelivered, unsigned count)
{
    CHECK(r->bound);
    r->bound = false;
    for (unsigned i = 0; i < count; i++) {
        size_t at = strlen(r->undelivered);
        snprintf(r->undelivered + at, sizeof(r->undelivered) - at, "%s ", undelivered[i]->id);
    }
    r->link->resource = NULL;
    r->link = NULL;
}

void exchange_snapshot(const struct resource *r, struct link_snapshot *out)
{
    *out = (struct link_snapshot){.presence = r->presence, .directed_changes = r->directed_changes};
}

void exchange_put_directed(const struct resource *r, struct bytes *out, size_t most)
{
    CHECK(strlen(r->directed) <= most);
    bytes_append_text(out, r->directed);
}

void exchange_want_carbons(struct resource *r)
{
    r->carbons = true;
}

const struct jid *exchange_resource_jid(const struct resource *r)
{
    return r->jid;
}

/* ---- for tests ---- */

static inline void script_answer(struct exchange *x, unsigned i)
{
    CHECK(x->holds_bind && i < x->resource_count);
    loop_post(x->loop, &x->resources[i]->answer);
}

/* `xml` to the client of resource `i`. */
static inline void script_deliver(struct exchange *x, unsigned i, const char *xml, uint64_t seq)
{
    struct stanza *st = stanza_parse(xml, strlen(xml));

    CHECK(st && i < x->resource_count && x->resources[i]->bound);
    x->resources[i]->link->ops->deliver(x->resources[i]->link, st, seq);
    stanza_unref(&st);
}

static inline void script_settle(struct exchange *x, unsigned i)
{
    CHECK(i < x->in_count && x->settle[i]);
    settle_release(&x->settle[i]);
}

static inline void script_replace(struct exchange *x, unsigned i, enum stream_error why)
{
    struct resource *r = x->resources[i];

    r->bound = false;
    r->link->ops->on_replaced(r->link, why);
    r->link = NULL;
}

/* Settles what is left and forgets everything. The loop must turn once more afterwards. */
static inline void script_reset(struct exchange *x)
{
    for (unsigned i = 0; i < x->in_count; i++) {
        settle_release(&x->settle[i]);
        stanza_unref(&x->in[i]);
    }
    x->in_count = 0;
}

static inline void script_free_resources(struct exchange *x)
{
    for (unsigned i = 0; i < x->resource_count; i++) {
        jid_destroy(&x->resources[i]->jid);
        mem_free(x->resources[i]);
    }
    x->resource_count = 0;
}

#endif
