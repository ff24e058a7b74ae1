/* SPDX-License-Identifier: MIT */
/* A provider: a profile with the admin's options and secrets, under the name that the configuration
 * gives it. Immutable; any thread. */
#ifndef CAUSEWAY_CONTACT_ROUTER_PROVIDER_H
#define CAUSEWAY_CONTACT_ROUTER_PROVIDER_H

#include "contact-router/contact_router.h"
#include "contact-router/profile.h"

struct provider {
    struct arena arena;
    struct profile *profile; /* owned */
    const char *name, *from; /* from: "" when none */
    const char *option_values[PROFILE_NAMES_MAX], *secret_values[PROFILE_NAMES_MAX];
    const char *const *communities; /* NULL: every one */
    bool allow_http;
};

/* ERROR_INVALID: a secret without a value, an option the profile does not know, ... */
MUST_USE struct provider *provider_create(const struct contact_router_provider *o, const char *profile_dir,
                                          struct error *e);
/* Where the profile of `o` is looked for. */
const char *provider_profile_path(const struct contact_router_provider *o, const char *profile_dir, struct arena *a);
void provider_destroy(struct provider **p);
bool provider_serves(const struct provider *p, const char *domain);
/* Appends the value of "opt.X" or "secret.X"; false: no such name. */
bool provider_value(const struct provider *p, const char *name, struct bytes *out);

#endif
