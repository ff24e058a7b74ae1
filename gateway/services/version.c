/* SPDX-License-Identifier: MIT */
/* XEP-0092: name and version. Not the operating system, which helps nobody but attackers. */
#include "gateway/services/services.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static enum service_result handle(struct exchange *x, struct person *who, struct stanza *iq)
{
    (void)who;
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_VERSION);
    build_leaf(&b, "name", NULL, "Causeway");
    build_leaf(&b, "version", NULL, CAUSEWAY_VERSION);
    build_close(&b);
    exchange_answer(x, build_end(&b));
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"query", NS_VERSION, 1u << IQ_GET, AT_DOMAIN, handle},
    {0},
};
static const struct service_xep xeps[] = {{"0092", "1.1", NULL}, {0}};
static const char *const features[] = {NS_VERSION, NULL};

const struct service version_service = {
    .name = "version",
    .xeps = xeps,
    .domain_features = features,
    .iqs = iqs,
};
