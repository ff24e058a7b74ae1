/* SPDX-License-Identifier: MIT */
/* XEP-0030: what a domain and an account are and can, made of the list of services, so that what is
 * announced is what answers. Who may ask an account at all is the exchange's rule (route.c). */
#include "gateway/base/text.h"
#include "gateway/exchange/exchange.h"
#include "gateway/services/services.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static void identity(struct builder *b, const char *category, const char *type, const char *name)
{
    build_open(b, "identity", NULL);
    build_attr(b, "category", category);
    build_attr(b, "type", type);
    build_attr(b, "name", name);
    build_close(b);
}

static void features(struct builder *b, const char *const *list)
{
    for (; list && *list; list++) {
        build_open(b, "feature", NULL);
        build_attr(b, "var", *list);
        build_close(b);
    }
}

static enum service_result no_such_node(struct exchange *x, const struct stanza *iq)
{
    exchange_refuse(x, iq, STANZA_ITEM_NOT_FOUND, NULL);
    return SERVICE_HANDLED;
}

static enum service_result answer(struct exchange *x, struct builder *b)
{
    exchange_answer(x, build_end(b));
    return SERVICE_HANDLED;
}

static enum service_result info(struct exchange *x, struct person *who, struct stanza *iq)
{
    if (element_attr(stanza_first(iq), "node"))
        return no_such_node(x, iq);
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_DISCO_INFO);
    if (who)
        identity(&b, "account", "registered", NULL);
    else
        identity(&b, "server", "im", "Causeway");
    for (const struct service *const *s = exchange_services(x); *s; s++)
        features(&b, who ? (*s)->account_features : (*s)->domain_features);
    build_close(&b);
    return answer(x, &b);
}

static void item(void *user, const char *domain)
{
    build_open(user, "item", NULL);
    build_attr(user, "jid", domain);
    build_close(user);
}

static enum service_result items(struct exchange *x, struct person *who, struct stanza *iq)
{
    if (element_attr(stanza_first(iq), "node"))
        return no_such_node(x, iq);
    struct builder b;
    build_begin_result(&b, iq);
    build_open(&b, "query", NS_DISCO_ITEMS);
    if (!who)
        exchange_attached_each(x, iq->to->domain, item, &b);
    build_close(&b);
    return answer(x, &b);
}

static const struct service_iq iqs[] = {
    {"query", NS_DISCO_INFO, 1u << IQ_GET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, info},
    {"query", NS_DISCO_ITEMS, 1u << IQ_GET, AT_DOMAIN | AT_ACCOUNT | AT_OTHER, items},
    {0},
};
static const struct service_xep xeps[] = {{"0030", "2.5.0", NULL}, {0}};
static const char *const own_features[] = {NS_DISCO_INFO, NS_DISCO_ITEMS, NULL};

const struct service disco_service = {
    .name = "disco",
    .xeps = xeps,
    .domain_features = own_features,
    .account_features = own_features,
    .iqs = iqs,
};
