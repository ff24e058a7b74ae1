/* SPDX-License-Identifier: MIT */
/* XEP-0012: since when a person has been away, and how long the gateway has been up. Who may ask about a person
 * is the exchange's rule: who may see its presence (route_in.c). */
#include <inttypes.h>
#include <stdio.h>

#include "gateway/base/mem.h"
#include "gateway/exchange/edge.h"
#include "gateway/services/services.h"
#include "gateway/store/seen.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static void answer(struct exchange *x, const struct stanza *iq, uint64_t seconds, const char *status)
{
    char text[24];
    struct builder b;
    snprintf(text, sizeof text, "%" PRIu64, seconds);
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_LAST);
    build_attr(&b, "seconds", text);
    build_text(&b, status);
    build_close(&b);
    exchange_answer(x, build_end(&b));
}

static enum service_result of_domain(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    answer(x, iq, exchange_uptime_s(x), NULL);
    return SERVICE_HANDLED;
}

/* ---- of a person ---- */

struct question {
    struct seen_get get;
    struct exchange *x;
    struct stanza *iq; /* a count */
};

static void on_read(struct store_job *job, const struct error *e)
{
    struct question *q = container_of(job, struct question, get.job);
    int64_t now_us = clock_unix_us(loop_clock(job->reply_on));
    if (e->code != ERROR_NONE)
        exchange_refuse(q->x, q->iq, STANZA_INTERNAL_SERVER_ERROR, NULL);
    else if (!q->get.found)
        exchange_refuse(q->x, q->iq, STANZA_ITEM_NOT_FOUND, "never seen");
    else
        answer(q->x, q->iq, now_us > q->get.at_us ? (uint64_t)(now_us - q->get.at_us) / 1000000 : 0, q->get.status);
    stanza_unref(&q->iq);
    arena_fini(&q->get.arena);
    mem_free(q);
}

static enum service_result of_person(struct exchange *x, struct person *who, struct stanza *iq)
{
    if (person_is_available(who)) {
        answer(x, iq, 0, NULL);
        return SERVICE_HANDLED;
    }
    struct question *q = mem_new(struct question);
    arena_init(&q->get.arena);
    q->x = x;
    q->iq = stanza_ref(iq);
    q->get.account = arena_dup(&q->get.arena, person_jid(who)->bare);
    q->get.job.reply_on = person_loop(who);
    q->get.job.done = on_read;
    q->get.job.must_see = store_ticket(exchange_store(x));
    seen_get(exchange_store(x), &q->get);
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"query", NS_LAST, 1u << IQ_GET, AT_DOMAIN, of_domain},
    {"query", NS_LAST, 1u << IQ_GET, AT_ACCOUNT | AT_OTHER, of_person},
    {0},
};
static const struct service_xep xeps[] = {{"0012", "2.0", NULL}, {0}};
static const char *const features[] = {NS_LAST, NULL};

const struct service last_activity_service = {
    .name = "last activity",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
