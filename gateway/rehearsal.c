/* SPDX-License-Identifier: MIT */
/* Decided here: what is tried: the store's folder, each certificate against its domain, each provider's profile. */
#include "gateway/rehearsal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/base/text.h"
#include "gateway/net/tls.h"

struct rehearsal {
    const struct config *c;
    struct arena arena;
    void (*complain)(void *user, const char *text);
    void *user;
    unsigned mistakes;
};

static void complain(struct rehearsal *r, const char *text)
{
    r->mistakes++;
    r->complain(r->user, text);
}

/* The folder alone: by another user than the one who will run it little more can be said. */
static bool try_store(const struct config *c, struct error *e)
{
    char folder[4096];
    struct stat st;
    if (!text_copy(folder, sizeof folder, c->store_path))
        return error_set(e, ERROR_INVALID, "gateway: 'store' is too long a path");
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    const char *name = !slash ? "." : slash == folder ? "/" : folder;
    if (stat(name, &st) != 0)
        return error_set(e, ERROR_IO, "gateway: 'store': folder %s: %s; make it, for the user that runs causeway", name,
                         strerror(errno));
    return S_ISDIR(st.st_mode) || error_set(e, ERROR_IO, "gateway: 'store': %s is not a folder", name);
}

static void try_certificate(struct rehearsal *r, struct tls_store *tls, const struct config_community *cc)
{
    const char *domain = cc->exchange.domain;
    struct error e = ERROR_INIT;
    if (!tls_store_set(tls, domain, cc->certificate, cc->key, &e))
        complain(r, arena_printf(&r->arena, "community \"%s\": %s", domain, e.text));
    else if (cc->client_ca && !tls_store_set_people(tls, domain, cc->client_ca, cc->client_crl, &e))
        complain(r, arena_printf(&r->arena, "community \"%s\": %s", domain, e.text));
    else if (!tls_certificate_covers(tls, domain))
        complain(r, arena_printf(&r->arena, "community \"%s\": %s is not a certificate for that domain", domain,
                                 cc->certificate));
}

static bool try_certificates(struct rehearsal *r, struct error *e)
{
    struct tls_store *tls = tls_store_create(r->c->ca_file, e);
    if (!tls)
        return false;
    for (unsigned i = 0; i < r->c->community_count; i++)
        try_certificate(r, tls, &r->c->communities[i]);
    tls_store_destroy(&tls);
    return true;
}

static bool try_providers(struct rehearsal *r, struct error *e)
{
    struct contact_router_options o = config_router_options(r->c, &r->arena);
    struct contact_router *router = contact_router_create(&o, e);
    const char *off;
    if (!router)
        return false;
    for (unsigned i = 0; (off = contact_router_off(router, i)); i++)
        complain(r, off);
    contact_router_destroy(&router);
    return true;
}

unsigned rehearsal_run(const struct config *c, void (*on_mistake)(void *user, const char *text), void *user)
{
    struct rehearsal r = {.c = c, .complain = on_mistake, .user = user};
    struct error e = ERROR_INIT;
    arena_init(&r.arena);
    if (!try_store(c, &e))
        complain(&r, e.text);
    if (!try_certificates(&r, &e))
        complain(&r, e.text);
    if (!try_providers(&r, &e))
        complain(&r, e.text);
    arena_fini(&r.arena);
    return r.mistakes;
}
