/* SPDX-License-Identifier: MIT */
/* XEP-0280: a client asks for copies of what the person's other clients say and hear, or has had
 * enough. What is copied is the exchange's to decide (gateway/exchange/carbon_copy.c). */
#include "gateway/base/text.h"
#include "gateway/services/services.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static enum service_result handle(struct exchange *x, struct person *who, struct stanza *iq)
{
    bool on = text_eq(stanza_first(iq)->name, "enable");
    if (person_want_carbons(who, iq->from, on)) /* else it is gone */
        exchange_answer(x, build_result(iq));
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"enable", NS_CARBONS, 1u << IQ_SET, AT_ACCOUNT, handle},
    {"disable", NS_CARBONS, 1u << IQ_SET, AT_ACCOUNT, handle},
    {0},
};
static const struct service_xep xeps[] = {{"0280", "1.0.1", NULL}, {0}};
static const char *const features[] = {NS_CARBONS, "urn:xmpp:carbons:rules:0", NULL};

const struct service carbons_service = {
    .name = "carbons",
    .xeps = xeps,
    .domain_features = features,
    .account_features = features,
    .iqs = iqs,
};
