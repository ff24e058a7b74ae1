/* SPDX-License-Identifier: MIT */
/* Directories: each server alone, so that a second one is known to work before the first is away. */
#include <signal.h>

#include "gateway/doctor_internal.h"
#include "gateway/net/directory_ldap.h"

static void examine(struct doctor *d, const struct directory_options *o, unsigned index)
{
    struct error e = ERROR_INIT;
    const char *next;
    bool seen;
    if (!directory_ldap_try(o, index, &seen, &next, &e))
        doctor_say(d, DOCTOR_WRONG, next, "directory of %s: %s", o->domain, e.text);
    else if (!seen)
        doctor_say(d, DOCTOR_WRONG, "look at ldap_base and ldap_filter, and at what the searcher may see",
                   "directory %s finds nobody for %s", o->urls[index], o->domain);
    else
        doctor_say(d, DOCTOR_GOOD, NULL, "directory %s answers for %s", o->urls[index], o->domain);
}

void doctor_directories(struct doctor *d)
{
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < d->c->community_count; i++) {
        const struct directory_options *o = d->c->communities[i].ldap;
        for (unsigned k = 0; o && o->urls[k]; k++)
            examine(d, o, k);
        if (o && !o->base && !o->bind_dn)
            doctor_say(d, DOCTOR_NOTE,
                       "ldap_bind_dn and ldap_password_file: who may look whether somebody is still there",
                       "%s: clients get no tokens (XEP-0484), and `causeway ldap sync` cannot list people", o->domain);
    }
}
