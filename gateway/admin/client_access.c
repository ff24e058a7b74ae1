/* SPDX-License-Identifier: MIT */
/* XEP-0494: a person sees what has access to the account, and takes it away. All but who comes by a certificate have
 * shown the password once (a token is given for one), so revoking takes token and links, and says that a new password
 * is needed to keep it out; a certificate's is the CA's to revoke. */
#include "gateway/admin/admin.h"
#include "gateway/admin/client_list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/service.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/jid.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum { LINKS_SHOWN = 500 };

/* ---- the list ---- */

struct listed {
    struct client_list list;
    struct stanza *iq; /* a count */
};

static void write_time(struct builder *b, const char *name, int64_t unix_us)
{
    char text[DATETIME_MAX];
    if (!unix_us)
        return;
    datetime_write_second(text, unix_us);
    build_leaf(b, name, NULL, text);
}

static void write_leaf(struct builder *b, const char *name, const char *text)
{
    if (text && *text)
        build_leaf(b, name, NULL, text);
}

/* When a link was made nobody has written down. */
static void write_client(struct builder *b, const struct client *c, int64_t now_us)
{
    bool is_linked = c->link != CLIENT_NOT_LINKED;
    build_open(b, "client", NULL);
    build_attr(b, "connected", is_linked ? "true" : "false");
    build_attr(b, "id", c->id);
    build_attr(b, "type", "session");
    write_time(b, "first-seen", c->first_us);
    write_time(b, "last-seen", is_linked ? now_us : c->seen_us);
    build_open(b, "auth", NULL);
    if (!c->by_certificate) /* for that there is no word */
        build_leaf(b, "password", NULL, NULL);
    if (c->has_token)
        build_leaf(b, "fast", NULL, NULL);
    build_close(b);
    build_open(b, "permission", NULL);
    build_attr(b, "status", "unrestricted");
    build_close(b);
    build_open(b, "user-agent", NULL);
    write_leaf(b, "software", c->software);
    write_leaf(b, "device", c->name);
    build_close(b);
    build_close(b);
}

static void on_listed(struct client_list *l, const struct error *e)
{
    struct listed *k = container_of(l, struct listed, list);
    struct builder b;
    if (e->code == ERROR_NONE) {
        build_begin_result(&b, k->iq);
        build_open(&b, "clients", NS_CAM);
        for (const struct client *c = l->first; c; c = c->next)
            write_client(&b, c, clock_unix_us(loop_clock(l->loop)));
        build_close(&b);
        exchange_answer(l->exchange, build_end(&b));
    } else {
        log_error(NULL, "%s: clients cannot be listed: %s", l->bare, e->text);
        exchange_refuse(l->exchange, k->iq, STANZA_INTERNAL_SERVER_ERROR, NULL);
    }
    stanza_unref(&k->iq);
    arena_fini(&l->query.arena);
    mem_free(k);
}

static enum service_result on_list(struct exchange *x, struct person *who, struct stanza *iq)
{
    struct listed *k = mem_new(struct listed);
    k->iq = stanza_ref(iq);
    k->list = (struct client_list){.exchange = x,
                                   .loop = person_loop(who),
                                   .bare = iq->from->bare,
                                   .asker = iq->from,
                                   .limit = LINKS_SHOWN,
                                   .done = on_listed};
    client_list_ask(&k->list);
    return SERVICE_HANDLED;
}

/* ---- revoking ---- */

struct revoking {
    struct client_revoke revoke;
    struct arena arena;
    struct stanza *iq; /* a count */
};

static void on_revoked(struct client_revoke *r, const struct error *e)
{
    struct revoking *k = container_of(r, struct revoking, revoke);
    struct stanza *answer;
    if (e->code != ERROR_NONE) {
        log_error(NULL, "%s: a client cannot be revoked: %s", r->account->bare, e->text);
        exchange_refuse(r->exchange, k->iq, STANZA_INTERNAL_SERVER_ERROR, NULL);
    } else if (!r->was_known) {
        exchange_refuse(r->exchange, k->iq, STANZA_ITEM_NOT_FOUND, NULL);
    } else if ((answer = build_error_with(k->iq, STANZA_SERVICE_UNAVAILABLE, "password-reset-required", NS_CAM))) {
        exchange_answer(r->exchange, answer);
    }
    stanza_unref(&k->iq);
    arena_fini(&k->arena);
    mem_free(k);
}

static enum service_result on_revoke(struct exchange *x, struct person *who, struct stanza *iq)
{
    const char *id = element_attr(stanza_child(iq, "revoke", NS_CAM), "id");
    if (!id || !*id) {
        exchange_refuse(x, iq, STANZA_BAD_REQUEST, "no client is named");
        return SERVICE_HANDLED;
    }
    struct revoking *k = mem_new(struct revoking);
    arena_init(&k->arena);
    k->iq = stanza_ref(iq);
    k->revoke = (struct client_revoke){.exchange = x,
                                       .loop = person_loop(who),
                                       .account = jid_parse_text(&k->arena, iq->from->bare),
                                       .id = id,
                                       .done = on_revoked};
    client_list_revoke(&k->revoke);
    return SERVICE_HANDLED;
}

static const struct service_iq iqs[] = {
    {"list", NS_CAM, 1u << IQ_GET, AT_ACCOUNT, on_list},
    {"revoke", NS_CAM, 1u << IQ_SET, AT_ACCOUNT, on_revoke},
    {0},
};
static const struct service_xep xeps[] = {
    {"0494", "0.1.0", "clients with a token and links; they know the password, so revoking asks for a new one"}, {0}};
static const char *const features[] = {NS_CAM, NULL};

const struct service client_access_service = {
    .name = "client access",
    .xeps = xeps,
    .account_features = features,
    .iqs = iqs,
};
