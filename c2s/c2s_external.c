/* SPDX-License-Identifier: MIT */
/* Whom a client's certificate names (XEP-0178). It is looked at when what is offered is told, after each handshake
 * anew: a resumed session brings its certificate, not the judgement of it. Only addresses of the stream's domain count;
 * a certificate that proves nothing is said in the log, and its client logs in as any other. */
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/wire.h"
#include "gateway/xmpp/jid.h"

enum { PEOPLE_MAX = 32 };

struct looking {
    const struct c2s_conn *k;
    char *found[PEOPLE_MAX + 1];
    unsigned count;
};

void c2s_external_forget(struct c2s_conn *k)
{
    for (unsigned i = 0; k->people && k->people[i]; i++)
        mem_free(k->people[i]);
    mem_free(k->people);
    k->people = NULL;
}

static bool is_found(const struct looking *l, const char *local)
{
    for (unsigned i = 0; i < l->count; i++)
        if (text_eq(l->found[i], local))
            return true;
    return false;
}

static void take_address(void *user, struct span address)
{
    struct looking *l = user;
    struct arena a;

    arena_init(&a);
    const struct jid *j = jid_parse(&a, address.data, address.len);
    if (jid_is_account(j) && text_eq(j->domain, l->k->domain) && l->count < PEOPLE_MAX &&
        !is_found(l, j->local))
        l->found[l->count++] = mem_dup(j->local);
    arena_fini(&a);
}

void c2s_external_look(struct c2s_conn *k)
{
    struct wire *w = stream_wire(k->stream);
    const struct tls_info *info = w ? wire_tls(w) : NULL;
    struct looking l = {.k = k};
    struct error e = ERROR_INIT;

    c2s_external_forget(k);
    if (!info || !info->peer_cert)
        return;
    if (tls_store_proves_person(k->io->c2s->tls, k->domain, info, &e))
        tls_cert_addresses(info->peer_cert, take_address, &l);
    if (!l.count) {
        log_info(stream_log(k->stream), "the client's certificate proves nobody: %s",
                 e.code ? e.text : "no address of this domain");
        return;
    }
    k->people = mem_array(l.count + 1, sizeof(*k->people));
    memcpy(k->people, l.found, l.count * sizeof(*k->people));
}
