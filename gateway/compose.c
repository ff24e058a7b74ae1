/* SPDX-License-Identifier: MIT */
/* The composition: which parts there are, in what order they are made, what each is given, and how they
 * end. Read it from the top: services, parts, making, draining, running. Nothing is decided here about
 * a stanza. */
#include "gateway/compose.h"

#include <signal.h>
#include <string.h>

#include "c2s/c2s.h"
#include "contact-router/contact_router.h"
#include "gateway/admin/admin.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/certificates.h"
#include "gateway/communities.h"
#include "gateway/deny_lists.h"
#include "gateway/doorbell.h"
#include "gateway/exchange/exchange.h"
#include "gateway/manager.h"
#include "gateway/net/dns.h"
#include "gateway/net/egress.h"
#include "gateway/net/http_client.h"
#include "gateway/net/http_server.h"
#include "gateway/net/lmtp_server.h"
#include "gateway/net/mail_client.h"
#include "gateway/net/tls.h"
#include "gateway/reload.h"
#include "gateway/services/services.h"
#include "gateway/settling.h"
#include "gateway/store/secret.h"
#include "gateway/store/store.h"
#include "s2s/s2s.h"

/* What answers to a namespace, in the order in which it is asked. Disco announces these same lists. */
static const struct service *const services[] = {
    &adhoc_service,           &client_access_service,
    &disco_service,           &ping_service,
    &version_service,         &time_service,
    &archive_service,         &blocking_service,
    &carbons_service,         &private_storage_service,
    &last_activity_service,   &registration_service,
    &contact_request_service, NULL,
};

/* The ad-hoc commands, in the order in which disco shows them. */
static const struct adhoc_command *const commands[] = {
    my_devices,     my_rules,      my_requests,  admin_invitations, my_clients,
    admin_accounts, admin_clients, admin_admins, admin_tables,      NULL};

enum { LISTINGS_MAX = 8 };

struct gateway {
    const struct config *c;
    struct arena arena;
    struct loop *exchange_loop; /* runs on the caller's thread */
    struct loop **io_loops;     /* the exchange's, or threads of their own */
    unsigned io_loop_count;
    bool own_io_threads;
    struct store *store;
    struct tls_store *tls;
    struct certificates *certificates;
    struct egress *egress;
    struct dns *dns; /* of the exchange's loop */
    struct http_client *http_client;
    struct mail_client *mail_client;
    struct http_server *http_server;
    struct lmtp_server *lmtp_server;
    struct exchange *exchange;
    struct s2s *s2s;
    struct deny_lists *deny_lists;
    struct c2s *c2s;
    struct communities *communities;
    struct reload *reload;
    struct contact_router *router;
    struct listing listings[LISTINGS_MAX];       /* tables that the parts give of themselves */
    const struct listing *listed[LISTINGS_MAX + 1];
    struct adhoc *adhoc;
    struct doorbell *doorbell; /* NULL: not yet running, or draining */
    uv_signal_t signals[2];
    struct manager_watch watch;
    bool stopping;
    struct command drained;  /* from the loop where s2s ends to the exchange's */
    struct settling settling; /* while draining */
};

/* ---- making ---- */

static void make_loops(struct gateway *g)
{
    g->exchange_loop = loop_create("exchange", clock_real());
    g->own_io_threads = g->c->io_loops > 0;
    g->io_loop_count = g->own_io_threads ? g->c->io_loops : 1;
    g->io_loops = arena_alloc(&g->arena, g->io_loop_count * sizeof *g->io_loops);
    for (unsigned i = 0; i < g->io_loop_count; i++)
        g->io_loops[i] =
            g->own_io_threads ? loop_create(arena_printf(&g->arena, "io-%u", i), clock_real()) : g->exchange_loop;
}

static bool make_store(struct gateway *g, struct error *e)
{
    g->store = store_open(&(struct store_options){.path = g->c->store_path,
                                                  .durability = g->c->durability,
                                                  .schema_dir = g->c->schema_dir},
                          e);
    return g->store != NULL;
}

static struct egress *make_egress(const struct config *c, struct error *e)
{
    struct egress *egress = egress_create();
    for (const char *const *rule = c->egress_allow; rule && *rule; rule++)
        if (!egress_allow(egress, *rule, e)) {
            egress_destroy(&egress);
            return NULL;
        }
    return egress;
}

static bool make_net(struct gateway *g, struct error *e)
{
    const struct config *c = g->c;
    g->tls = tls_store_create(c->ca_file, e);
    g->certificates = g->tls ? certificates_create(g->exchange_loop, c, g->tls, e) : NULL;
    if (!g->certificates)
        return false;
    g->egress = make_egress(c, e);
    if (!g->egress)
        return false;
    g->dns = dns_create(g->exchange_loop, &(struct dns_options){c->dns_server, c->dns_trust_anchor}, e);
    if (!g->dns)
        return false;
    g->http_client = http_client_create(g->exchange_loop, g->dns, g->egress, c->ca_file);
    g->mail_client = mail_client_create(g->exchange_loop, g->dns, g->egress, c->ca_file,
                                        c->communities[0].exchange.domain, e);
    return g->mail_client != NULL;
}

static void make_exchange(struct gateway *g)
{
    const struct config *c = g->c;
    struct community *communities = arena_alloc(&g->arena, c->community_count * sizeof *communities);
    for (unsigned i = 0; i < c->community_count; i++)
        communities[i] = c->communities[i].exchange;
    struct attached *attached = arena_alloc(&g->arena, (c->component_count + 1) * sizeof *attached);
    for (unsigned i = 0; i < c->component_count; i++)
        attached[i] = c->components[i].exchange;
    g->exchange = exchange_create(&(struct exchange_options){.loops = &g->exchange_loop,
                                                             .loop_count = 1,
                                                             .store = g->store,
                                                             .communities = communities,
                                                             .attached = attached,
                                                             .attached_count = c->component_count,
                                                             .community_count = c->community_count,
                                                             .services = services});
}

static bool make_s2s(struct gateway *g, struct error *e)
{
    const struct config *c = g->c;
    unsigned char secret[SECRET_LEN], life[SECRET_LEN];
    uint64_t epoch;
    if (!secret_load(g->store, "dialback", secret, e) || !secret_load(g->store, "queue-epoch", life, e))
        return false;
    memcpy(&epoch, life, sizeof epoch);
    struct s2s_community *policies = arena_alloc(&g->arena, (c->community_count + 1) * sizeof *policies);
    for (unsigned i = 0; i < c->community_count; i++)
        policies[i] = c->communities[i].federation;
    struct s2s_component *components = arena_alloc(&g->arena, (c->component_count + 1) * sizeof *components);
    for (unsigned i = 0; i < c->component_count; i++)
        components[i] = (struct s2s_component){c->components[i].exchange.domain, c->components[i].secret};
    g->s2s = s2s_create(&(struct s2s_options){.loops = g->io_loops,
                                              .loop_count = g->io_loop_count,
                                              .exchange = g->exchange,
                                              .store = g->store,
                                              .tls = g->tls,
                                              .egress = g->egress,
                                              .dns_server = c->dns_server,
                                              .dns_trust_anchor = c->dns_trust_anchor,
                                              .listeners = c->s2s,
                                              .listener_count = c->s2s_count,
                                              .component_listeners = c->component,
                                              .component_listener_count = c->component_listener_count,
                                              .components = components,
                                              .component_count = c->component_count,
                                              .remotes = c->remotes,
                                              .communities = policies,
                                              .community_count = c->community_count,
                                              .rate = c->s2s_rate,
                                              .stanza_bytes = c->s2s_stanza_bytes,
                                              .remote_count = c->remote_count,
                                              .dialback_secret = secret,
                                              .queue_epoch = epoch,
                                              .delayed_notice_s = c->s2s_delayed_notice_s,
                                              .queue_deadline_s = c->s2s_queue_deadline_s,
                                              .bidi_off = !c->s2s_bidi},
                        e);
    g->deny_lists = g->s2s ? deny_lists_create(g->exchange_loop, g->s2s, c) : NULL;
    return g->s2s != NULL;
}

static bool make_router(struct gateway *g, struct error *e)
{
    struct contact_router_options o = config_router_options(g->c, &g->arena);
    o.exchange = g->exchange;
    o.store = g->store;
    o.loop = g->exchange_loop;
    o.http = g->http_client;
    o.mail = g->mail_client;
    g->router = contact_router_create(&o, e);
    return g->router != NULL;
}

static uint16_t s2s_tls_port(const struct config *c)
{
    for (unsigned i = 0; i < c->s2s_count; i++)
        if (c->s2s[i].direct_tls)
            return c->s2s[i].port;
    for (unsigned i = 0; i < c->c2s_count; i++)
        if (c->c2s[i].servers)
            return c->c2s[i].port;
    return 0;
}

static void take_server(void *user, struct loop *l, uv_os_sock_t fd, const struct sockaddr_storage *peer)
{
    s2s_take(((struct gateway *)user)->s2s, l, fd, peer);
}

static bool make_c2s(struct gateway *g, struct error *e)
{
    const struct config *c = g->c;
    unsigned char secret[SECRET_LEN];
    if (!secret_load(g->store, "login", secret, e))
        return false;
    const char **domains = arena_alloc(&g->arena, (c->community_count + 1) * sizeof *domains);
    for (unsigned i = 0; i < c->community_count; i++)
        domains[i] = c->communities[i].exchange.domain;
    g->communities = communities_create(c);
    g->c2s = c2s_create(&(struct c2s_options){.io_loops = g->io_loops,
                                              .io_loop_count = g->io_loop_count,
                                              .exchange_loops = &g->exchange_loop,
                                              .exchange_loop_count = 1,
                                              .exchange = g->exchange,
                                              .store = g->store,
                                              .tls = g->tls,
                                              .listeners = c->c2s,
                                              .listener_count = c->c2s_count,
                                              .domains = domains,
                                              .directories = communities_directories(g->communities),
                                              .login_secret = secret,
                                              .websocket_url = c->websocket_url,
                                              .bosh_url = c->bosh_url,
                                              .public_addresses = c->public_addresses,
                                              .s2s_tls_port = s2s_tls_port(c),
                                              .take_server = take_server,
                                              .take_server_user = g,
                                              .limits = c->c2s_limits,
                                              .times = c->c2s_times});
    return true;
}

static void make_reload(struct gateway *g)
{
    communities_attach(g->communities, &(struct communities_parts){.loop = g->exchange_loop,
                                                                   .store = g->store,
                                                                   .exchange = g->exchange,
                                                                   .c2s = g->c2s,
                                                                   .s2s = g->s2s,
                                                                   .deny_lists = g->deny_lists,
                                                                   .router = g->router,
                                                                   .certificates = g->certificates});
    g->reload = reload_create(&(struct reload_options){.loop = g->exchange_loop,
                                                       .config = g->c,
                                                       .tls = g->tls,
                                                       .certificates = g->certificates,
                                                       .communities = g->communities});
}

static void list(struct gateway *g, struct listing l)
{
    unsigned n = 0;
    while (g->listed[n])
        n++;
    CHECK(n < LISTINGS_MAX);
    g->listings[n] = l;
    g->listed[n] = &g->listings[n];
}

static void make_adhoc(struct gateway *g)
{
    list(g, exchange_links(g->exchange));
    list(g, s2s_listing(g->s2s));
    list(g, s2s_explain(g->s2s));
    for (unsigned i = 0; i < CONTACT_ROUTER_LISTINGS; i++)
        list(g, contact_router_listing(g->router, i));
    g->adhoc = adhoc_create(&(struct adhoc_options){.exchange = g->exchange,
                                                    .loops = &g->exchange_loop,
                                                    .loop_count = 1,
                                                    .commands = commands,
                                                    .listings = g->listed});
}

static void on_account_changed(void *user, const char *bare)
{
    struct gateway *g = user;
    c2s_account_changed(g->c2s, bare);
}

struct gateway *compose_create(const struct config *c, struct error *e)
{
    struct gateway *g = mem_new(struct gateway);
    g->c = c;
    arena_init(&g->arena);
    make_loops(g);
    bool made = make_store(g, e) && make_net(g, e);
    if (made) {
        make_exchange(g);
        made = make_s2s(g, e) && make_router(g, e) && make_c2s(g, e);
    }
    if (!made) {
        compose_destroy(&g);
        return NULL;
    }
    make_reload(g);
    make_adhoc(g);
    exchange_watch_accounts(g->exchange, on_account_changed, g);
    exchange_attach(g->exchange, s2s_edge(g->s2s), contact_router_reach(g->router));
    return g;
}

/* ---- draining: terminals first, then the other communities, then devices, then the store; all else last ---- */

static void on_certificates_stopped(void *user)
{
    struct gateway *g = user;
    http_client_destroy(&g->http_client);
    mail_client_destroy(&g->mail_client);
    dns_destroy(&g->dns);
    manager_watch_stop(&g->watch);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&g->signals[i], NULL);
    for (unsigned i = 0; g->own_io_threads && i < g->io_loop_count; i++)
        loop_stop(g->io_loops[i]);
    loop_stop(g->exchange_loop);
}

static void on_all_settled(struct settling *s)
{
    struct gateway *g = container_of(s, struct gateway, settling);
    certificates_stop(g->certificates, on_certificates_stopped, g);
}

static void stop_devices(struct command *c)
{
    struct gateway *g = container_of(c, struct gateway, drained);
    contact_router_stop(g->router);
    http_server_close(&g->http_server);
    lmtp_server_close(&g->lmtp_server);
    settling_begin(&g->settling, g->store, g->exchange_loop, on_all_settled);
}

/* Comes on the first I/O loop; what follows lives on the exchange's. */
static void on_communities_drained(void *user)
{
    struct gateway *g = user;
    g->drained.run = stop_devices;
    loop_post(g->exchange_loop, &g->drained);
}

static void on_terminals_drained(void *user)
{
    struct gateway *g = user;
    s2s_stop(g->s2s, on_communities_drained, g);
}

static void on_lists_stopped(void *user)
{
    struct gateway *g = user;
    c2s_stop(g->c2s, g->exchange_loop, on_terminals_drained, g);
}

/* Communities come and go no more. */
static void on_reload_stopped(void *user)
{
    struct gateway *g = user;
    deny_lists_stop(g->deny_lists, on_lists_stopped, g);
}

static void drain(struct gateway *g, const char *why)
{
    if (g->stopping)
        return;
    g->stopping = true;
    manager_tell("STOPPING=1");
    doorbell_close(&g->doorbell);
    log_info(NULL, "%s: draining", why);
    communities_stop(g->communities);
    reload_stop(g->reload, on_reload_stopped, g);
}

static void on_signal(uv_signal_t *handle, int number)
{
    drain(handle->data, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void catch_signals(struct gateway *g)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop_uv(g->exchange_loop), &g->signals[i]);
        g->signals[i].data = g;
        uv_signal_start(&g->signals[i], on_signal, numbers[i]);
    }
}

/* ---- running ---- */

static void on_http_request(void *user, struct http_exchange *x, const struct http_incoming *in)
{
    struct gateway *g = user;
    if (text_starts_with(in->target, "/hook/") || text_starts_with(in->target, "/audio/"))
        contact_router_on_request(g->router, x, in);
    else if (!c2s_meta_answer(g->c2s, x, in) && !c2s_invite_page(g->c2s, g->exchange_loop, x, in))
        http_answer(x, 404, "text/plain", SPAN("There is nothing here.\n"));
}

static bool start_http(struct gateway *g, struct error *e)
{
    if (!g->c->http_address)
        return true;
    g->http_server = http_server_open(&(struct http_server_options){.loop = g->exchange_loop,
                                                                    .address = g->c->http_address,
                                                                    .port = g->c->http_port,
                                                                    .on_request = on_http_request,
                                                                    .user = g},
                                      e);
    return g->http_server != NULL;
}

static const char *refuse_recipient(void *user, const char *recipient)
{
    return contact_router_refuse_recipient(((struct gateway *)user)->router, recipient);
}

static void on_mail(void *user, struct lmtp_mail *m, const struct lmtp_incoming *in)
{
    contact_router_on_mail(((struct gateway *)user)->router, m, in);
}

static bool start_lmtp(struct gateway *g, struct error *e)
{
    if (!g->c->lmtp_address)
        return true;
    g->lmtp_server = lmtp_server_open(&(struct lmtp_server_options){.loop = g->exchange_loop,
                                                                    .address = g->c->lmtp_address,
                                                                    .port = g->c->lmtp_port,
                                                                    .name = g->c->communities[0].exchange.domain,
                                                                    .refuse_recipient = refuse_recipient,
                                                                    .on_mail = on_mail,
                                                                    .user = g},
                                      e);
    return g->lmtp_server != NULL;
}

static void on_links_ended(void *user, unsigned ended)
{
    (void)user;
    log_info(NULL, "%u links ended with the password that they were made with", ended);
}

static void on_client_ended(void *user, unsigned ended)
{
    (void)user;
    log_info(NULL, "%u links ended with the client that was revoked", ended);
}

/* "BARE AGENT" */
static void end_client(struct gateway *g, const char *said)
{
    struct arena a;
    arena_init(&a);
    const char *blank = strchr(said, ' ');
    const struct jid *j = blank ? jid_parse(&a, said, (size_t)(blank - said)) : NULL;
    if (j && j->local && exchange_is_local_domain(g->exchange, j->domain))
        exchange_end_clients(g->exchange, &(struct exchange_revocation){.account = j, .agent = blank + 1},
                             g->exchange_loop, on_client_ended, g);
    arena_fini(&a);
}

static void on_ring(void *user, enum doorbell_news news, const char *bare)
{
    struct gateway *g = user;
    struct arena a;
    if (news == DOORBELL_CLIENT) {
        end_client(g, bare);
        return;
    }
    arena_init(&a);
    const struct jid *j = jid_parse_text(&a, bare);
    bool ours = j && j->local && exchange_is_local_domain(g->exchange, j->domain);
    log_info(NULL, "account %s was changed", bare);
    if (ours)
        exchange_account_changed(g->exchange, bare);
    if (ours && news == DOORBELL_PASSWORD)
        exchange_end_links(g->exchange, j, STREAM_NOT_AUTHORIZED, g->exchange_loop, on_links_ended, g);
    arena_fini(&a);
}

static bool hang_doorbell(struct gateway *g, struct error *e)
{
    g->doorbell = doorbell_open(g->exchange_loop, g->c->store_path, on_ring, g, e);
    return g->doorbell != NULL;
}

static const char *transport_of(const struct c2s_listener *l)
{
    if (l->path)
        return l->direct_tls ? " (WebSocket, TLS) " : " (WebSocket, plain) ";
    return l->direct_tls ? " (direct TLS)" : "";
}

static void log_where(const struct gateway *g)
{
    for (unsigned i = 0; i < g->c->community_count; i++)
        log_info(NULL, "serving %s", g->c->communities[i].exchange.domain);
    for (unsigned i = 0; i < g->c->component_count; i++)
        log_info(NULL, "serving %s for the component that attaches", g->c->components[i].exchange.domain);
    for (unsigned i = 0; g->c->component_count && i < g->c->component_listener_count; i++)
        log_info(NULL, "components on %s port %u", g->c->component[i].address, g->c->component[i].port);
    for (unsigned i = 0; i < g->c->c2s_count; i++) {
        const struct c2s_listener *l = &g->c->c2s[i];
        log_info(NULL, "clients on %s port %u%s%s", l->address, c2s_port(g->c2s, i), transport_of(l),
                 l->path ? l->path : "");
        if (l->bosh_path)
            log_info(NULL, "and by BOSH there, %s", l->bosh_path);
    }
    for (unsigned i = 0; i < g->c->s2s_count; i++)
        log_info(NULL, "servers on %s port %u%s", g->c->s2s[i].address, g->c->s2s[i].port,
                 g->c->s2s[i].direct_tls ? " (direct TLS)" : "");
}

bool compose_run(struct gateway *g, struct error *e)
{
    catch_signals(g);
    certificates_watch(g->certificates);
    reload_watch(g->reload);
    deny_lists_watch(g->deny_lists);
    exchange_start(g->exchange);
    contact_router_start(g->router);
    bool started = hang_doorbell(g, e) && s2s_start(g->s2s, e) && start_http(g, e) && start_lmtp(g, e) &&
                   c2s_start(g->c2s, e);
    if (started) {
        log_where(g);
        manager_watch_start(&g->watch, g->exchange_loop);
        manager_tell("READY=1");
    } else {
        drain(g, "it cannot start");
    }
    for (unsigned i = 0; g->own_io_threads && i < g->io_loop_count; i++)
        loop_start_thread(g->io_loops[i]);
    loop_run(g->exchange_loop);
    for (unsigned i = 0; g->own_io_threads && i < g->io_loop_count; i++)
        loop_join(g->io_loops[i]);
    log_info(NULL, "stopped");
    return started;
}

void compose_destroy(struct gateway **gp)
{
    struct gateway *g = *gp;
    *gp = NULL;
    contact_router_stop(g->router);
    http_server_close(&g->http_server);
    lmtp_server_close(&g->lmtp_server);
    http_client_destroy(&g->http_client);
    mail_client_destroy(&g->mail_client);
    dns_destroy(&g->dns);
    c2s_destroy(&g->c2s);
    reload_destroy(&g->reload);
    communities_destroy(&g->communities);
    store_close(&g->store); /* every job completes, while its owner is still there */
    deny_lists_destroy(&g->deny_lists);
    s2s_destroy(&g->s2s);
    contact_router_destroy(&g->router);
    adhoc_destroy(&g->adhoc);
    exchange_destroy(&g->exchange);
    egress_destroy(&g->egress);
    certificates_destroy(&g->certificates);
    tls_store_destroy(&g->tls);
    for (unsigned i = 0; g->own_io_threads && i < g->io_loop_count; i++)
        loop_destroy(&g->io_loops[i]);
    loop_destroy(&g->exchange_loop);
    arena_fini(&g->arena);
    mem_free(g);
}
