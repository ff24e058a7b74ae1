/* SPDX-License-Identifier: MIT */
/* Services that attach from outside (XEP-0114), as far as routing goes: their domains are ours, but nobody lives
 * there. What is for them leaves by the lane of a pair of domains, as for another community, and the edge has
 * their streams. What comes from them may be for anybody, and is of no stranger. Records stay until the end, as
 * those of communities. */
#include <stdatomic.h>

#include "gateway/base/mem.h"
#include "gateway/exchange/exchange_internal.h"

struct attachment {
    char *domain, *community; /* owned; community NULL: none lists it */
    atomic_bool is_attached;
    struct attachment *older;
};

bool exchange_is_attached(struct exchange *x, const char *domain)
{
    return registry_get(&x->attached, domain) != NULL;
}

bool exchange_is_ours(struct exchange *x, const struct jid *j)
{
    return exchange_is_local(x, j) || exchange_is_attached(x, j->domain);
}

void exchange_attached_each(struct exchange *x, const char *community, void (*each)(void *user, const char *domain),
                            void *user)
{
    for (const struct attachment *t = atomic_load(&x->attachments); t; t = t->older)
        if (atomic_load(&t->is_attached) && text_eq(t->community, community))
            each(user, t->domain);
}

void exchange_add_attached(struct exchange *x, const struct attached *a)
{
    struct attachment *t = mem_new(struct attachment);
    t->domain = mem_dup(a->domain);
    t->community = a->community ? mem_dup(a->community) : NULL;
    t->older = atomic_load(&x->attachments);
    atomic_init(&t->is_attached, true);
    atomic_store(&x->attachments, t); /* whole: others walk from there */
    CHECK(!registry_set(&x->attached, a->domain, t));
    if (x->started && x->remote)
        exchange_wake_pairs(x, a->domain);
}

void exchange_remove_attached(struct exchange *x, const char *domain)
{
    struct attachment *t = registry_set(&x->attached, domain, NULL);
    CHECK(t);
    atomic_store(&t->is_attached, false);
}

void exchange_attached_fini(struct exchange *x)
{
    struct attachment *t = atomic_load(&x->attachments);
    registry_fini(&x->attached);
    while (t) {
        struct attachment *older = t->older;
        mem_free(t->community);
        mem_free(t->domain);
        mem_free(t);
        t = older;
    }
}
