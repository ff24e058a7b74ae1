/* SPDX-License-Identifier: MIT */
/* XEP-0202: the gateway's time, in UTC. */
#include "gateway/exchange/edge.h"
#include "gateway/services/services.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static enum service_result handle(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    const struct clock *clock = loop_clock(exchange_loop_of(x, iq->from->bare));
    char utc[DATETIME_MAX];
    datetime_write_second(utc, clock_unix_us(clock));
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "time", NS_TIME);
    build_leaf(&b, "tzo", NULL, "+00:00");
    build_leaf(&b, "utc", NULL, utc);
    build_close(&b);
    exchange_answer(x, build_end(&b));
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"time", NS_TIME, 1u << IQ_GET, AT_DOMAIN, handle},
    {0},
};
static const struct service_xep xeps[] = {{"0202", "2.0", NULL}, {0}};
static const char *const features[] = {NS_TIME, NULL};

const struct service time_service = {
    .name = "time",
    .xeps = xeps,
    .domain_features = features,
    .iqs = iqs,
};
