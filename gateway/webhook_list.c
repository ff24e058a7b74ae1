/* SPDX-License-Identifier: MIT */
/* The addresses hold a secret of the store, so it is opened; of the gateway only the router is made. */
#include "gateway/webhook_list.h"

#include "gateway/store/store.h"

static void list(const struct config *c, struct contact_router *router, void (*line)(void *user, const char *text),
                 void *user)
{
    struct arena a;
    arena_init(&a);
    for (unsigned i = 0; i < c->provider_count; i++) {
        const char *url = contact_router_inbound_url(router, c->providers[i].name);
        if (url)
            line(user, arena_printf(&a, "%s %s", c->providers[i].name, url));
    }
    arena_fini(&a);
}

static struct contact_router *router_with_addresses(const struct config *c, struct store *store, struct arena *a,
                                                    struct error *e)
{
    struct contact_router_options o = config_router_options(c, a);
    o.store = store;
    struct contact_router *router = contact_router_create(&o, e);
    if (router && !contact_router_load_addresses(router, e))
        contact_router_destroy(&router);
    return router;
}

bool webhook_list_each(const struct config *c, void (*line)(void *user, const char *text), void *user, struct error *e)
{
    const struct store_options so = {.path = c->store_path, .schema_dir = c->schema_dir, .beside = true};
    struct store *store = store_open(&so, e);
    struct arena a;
    if (!store)
        return false;
    arena_init(&a);
    struct contact_router *router = router_with_addresses(c, store, &a, e);
    bool held = router && (c->public_url ||
                           error_set(e, ERROR_INVALID,
                                     "gateway 'public_url' is not set: providers cannot reach this gateway"));
    if (held)
        list(c, router, line, user);
    store_close(&store);
    contact_router_destroy(&router);
    arena_fini(&a);
    return held;
}
