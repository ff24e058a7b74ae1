/* SPDX-License-Identifier: MIT */
/* XEP-0386: a resource that is bound by the login itself, with stream management, carbons and client state as the
 * request wants them, before anything else can come. What a client of this kind missed it reads from its archive.
 *
 * The name is TAG/SUFFIX. The suffix is the same for the same installation (user-agent id of XEP-0388), so that its
 * new stream replaces what is left of its old one; the id itself cannot be read from it. Without an id it is random. */
#include <openssl/evp.h>
#include <string.h>

#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "c2s/c2s_sasl2.h"
#include "gateway/base/base64.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/prep.h"
#include "gateway/xmpp/scram.h"

enum { TAG_MAX = 128, SUFFIX_BYTES = 9 };

/* ---- the name ---- */

static void append_stable(struct bytes *out, const struct c2s *c, const char *account, const char *agent)
{
    unsigned char digest[SCRAM_KEY_MAX];
    struct bytes text = BYTES_EMPTY;

    bytes_printf(&text, "resource %s %s", account, agent);
    scram_hmac(SCRAM_SHA256, c->secret, sizeof(c->secret), bytes_span(&text), digest);
    bytes_fini(&text);
    base64_encode_url(out, digest, SUFFIX_BYTES);
}

/* Not one that a resource cannot carry, nor one that leaves no room. */
static const char *usable_tag(const struct element *bind)
{
    const struct element *tag = element_child(bind, "tag", NS_BIND2);
    char prepared[PREP_MAX + 1];

    if (!tag || !*tag->text || strlen(tag->text) > TAG_MAX)
        return NULL;
    return prep_resource(prepared, tag->text, strlen(tag->text)) ? tag->text : NULL;
}

static void append_name(struct bytes *out, const struct c2s *c, const char *account, const struct element *root)
{
    const char *tag = usable_tag(element_child(root, "bind", NS_BIND2));
    const char *agent = element_attr(element_child(root, "user-agent", NS_SASL2), "id");
    char drawn[RANDOM_ID_LEN + 1];

    if (tag)
        bytes_printf(out, "%s/", tag);
    if (agent) {
        append_stable(out, c, account, agent);
        return;
    }
    random_id(drawn);
    bytes_append(out, drawn, 12);
}

/* ---- binding ---- */

void c2s_bind2_begin(struct c2s_shard *shard, struct c2s_conn *k, struct stanza *request)
{
    struct c2s_link *l = c2s_link_create(shard, k->account);
    struct bytes name = BYTES_EMPTY;

    ref_take(&k->ref);
    l->conn = k;
    c2s_link_take_login(l, k);
    l->edge.proved = k->proved;
    l->request = stanza_ref(request);
    append_name(&name, shard->c2s, k->account->bare, request->payload->root);
    exchange_bind(shard->c2s->exchange, &l->edge, l->account, bytes_text(&name));
    bytes_fini(&name);
}

static void refuse(struct c2s_link *l)
{
    c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_REFUSED, .conn = l->conn});
    c2s_link_end(l);
}

static void tell(struct c2s_link *l, const struct jid *full, const struct element *bind)
{
    const struct element *enable = element_child(bind, "enable", NS_SM);
    struct bytes out = BYTES_EMPTY;

    c2s_sasl2_identifier(&out, full->full);
    bytes_append_text(&out, "<bound xmlns='" NS_BIND2 "'>");
    if (enable)
        c2s_sm_enable(l, enable, &out);
    bytes_append_text(&out, "</bound>");
    c2s_mail_to_conn(&(struct c2s_mail){C2S_MAIL_BOUND, .conn = l->conn, .link = l, .text = bytes_span(&out)});
    bytes_fini(&out);
}

void c2s_bind2_bound(struct c2s_link *l, const struct jid *full)
{
    struct stanza *request = l->request;
    const struct element *bind = element_child(request->payload->root, "bind", NS_BIND2);
    bool carbons = element_child(bind, "enable", NS_CARBONS) != NULL;
    bool inactive = element_child(bind, "inactive", NS_CSI) != NULL;

    if (!full) {
        refuse(l);
        return;
    }
    l->request = NULL;
    l->state = C2S_LINK_ATTACHED;
    tell(l, full, bind);
    stanza_unref(&request);
    if (!l->edge.resource)
        return; /* its connection has gone meanwhile */
    if (carbons)
        exchange_want_carbons(l->edge.resource);
    if (inactive && l->state == C2S_LINK_ATTACHED) /* else it hibernates already */
        c2s_link_set_active(l, false);
}
