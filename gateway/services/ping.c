/* SPDX-License-Identifier: MIT */
/* XEP-0199: an empty answer. */
#include "gateway/services/services.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static enum service_result handle(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    exchange_answer(x, build_result(iq));
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"ping", NS_PING, 1u << IQ_GET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, handle},
    {0},
};
static const struct service_xep xeps[] = {{"0199", "2.0.1", NULL}, {0}};
static const char *const features[] = {NS_PING, NULL};

const struct service ping_service = {
    .name = "ping",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
