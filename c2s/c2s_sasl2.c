/* SPDX-License-Identifier: MIT */
/* XEP-0388. The order inside one <authenticate/>: the exchange, then <resume/>, and only if that fails <bind/>
 * (XEP-0198 section 10.2, XEP-0386 section 3.2); then <success/> tells what came of each, and features follow
 * unless the stream was resumed.
 *
 * While an exchange is under way nothing else may come: the stream closes. What a request asks for that we do not
 * know is passed over; what we know and cannot read fails it with malformed-request before a password is looked at. */
#include "c2s/c2s_sasl2.h"

#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

enum c2s_sasl2_step {
    SASL2_RESUMING, /* <resume/> is being answered */
    SASL2_BINDING,  /* <bind/> is */
};

struct c2s_sasl2 {
    enum c2s_sasl2_step step;
    struct stanza *request; /* counted; <authenticate/> */
    struct bytes failed;    /* why it could not be resumed; empty: it was not tried */
    struct bytes token;     /* of XEP-0484, as it is told; empty: none */
    char *data;             /* of the mechanism, base64; owned; NULL: none */
};

/* ---- what a request asks for ---- */

static const struct element *asked(const struct stanza *request, const char *name, const char *ns)
{
    return element_child(request->payload->root, name, ns);
}

static bool is_uuid(const char *text)
{
    for (unsigned i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (!text[i] || (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i])))
            return false;
    }
    return text[36] == '\0';
}

static bool is_once(const struct element *first, const char *name, const char *ns)
{
    return !first || !element_next(first, name, ns);
}

/* What we know is there once, and can be read. */
static bool is_readable(const struct c2s_conn *k, const struct stanza *st)
{
    static const struct {
        const char *name, *ns;
    } known[] = {{"initial-response", NS_SASL2}, {"user-agent", NS_SASL2}, {"bind", NS_BIND2}, {"resume", NS_SM},
                 {"fast", NS_FAST}, {"request-token", NS_FAST}};
    const struct element *agent = asked(st, "user-agent", NS_SASL2);
    const char *id = element_attr(agent, "id");

    for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (!is_once(asked(st, known[i].name, known[i].ns), known[i].name, known[i].ns))
            return false;
    return (!id || is_uuid(id)) && c2s_fast_is_readable(k, st->payload->root);
}

/* ---- what is told ---- */

/* `told`: the identifier first. */
static void finish(struct c2s_conn *k, struct span told, bool resumed)
{
    struct c2s_sasl2 *s = k->sasl2;
    struct bytes out = BYTES_EMPTY;

    bytes_append_text(&out, "<success xmlns='" NS_SASL2 "'>");
    if (s->data)
        bytes_printf(&out, "<additional-data>%s</additional-data>", s->data);
    bytes_append(&out, told.data, told.len);
    bytes_append(&out, s->failed.data, s->failed.len);
    bytes_append(&out, s->token.data, s->token.len);
    bytes_append_text(&out, "</success>");
    stream_send_raw(k->stream, bytes_span(&out));
    bytes_fini(&out);
    c2s_sasl2_drop(k);
    if (!resumed) /* XEP-0198 section 10.2 */
        c2s_conn_send_features(k);
}

static void finish_unbound(struct c2s_conn *k)
{
    struct bytes told = BYTES_EMPTY;

    k->by_sasl2 = false; /* what it asks for from here on is answered as of old */
    c2s_sasl2_identifier(&told, k->account->bare);
    finish(k, bytes_span(&told), false);
    bytes_fini(&told);
}

void c2s_sasl2_identifier(struct bytes *out, const char *jid)
{
    bytes_append_text(out, "<authorization-identifier>");
    xml_escape(out, jid, strlen(jid));
    bytes_append_text(out, "</authorization-identifier>");
}

/* ---- steps after the exchange ---- */

/* The next thing that was asked for and not tried. */
static void go_on(struct c2s_conn *k, bool may_resume)
{
    struct c2s_sasl2 *s = k->sasl2;

    if (may_resume && asked(s->request, "resume", NS_SM)) {
        s->step = SASL2_RESUMING;
        c2s_conn_ask_shard(k, C2S_MAIL_RESUME, s->request);
    } else if (asked(s->request, "bind", NS_BIND2)) {
        s->step = SASL2_BINDING;
        c2s_conn_ask_shard(k, C2S_MAIL_BIND, s->request);
    } else {
        finish_unbound(k);
    }
}

static void succeeded(struct c2s_conn *k)
{
    struct c2s_sasl2 *s = mem_new(struct c2s_sasl2);
    const char *data = sasl_data(k->auth->sasl);

    s->request = stanza_ref(k->auth->request);
    s->data = data && !c2s_upgrade_has_told(k->auth) ? mem_dup(data) : NULL;
    c2s_fast_tell(k->auth, &s->token);
    const char *agent = element_attr(asked(s->request, "user-agent", NS_SASL2), "id");
    k->sasl2 = s;
    k->agent = agent ? mem_dup(agent) : NULL;
    k->by_sasl2 = true;
    c2s_auth_proved(k);
    go_on(k, true);
}

void c2s_sasl2_bound(struct c2s_conn *k, struct span told)
{
    const struct element *bind = asked(k->sasl2->request, "bind", NS_BIND2);

    k->counted = element_child(bind, "enable", NS_SM) != NULL;
    finish(k, told, k->sasl2->step == SASL2_RESUMING);
}

void c2s_sasl2_refused(struct c2s_conn *k, const struct c2s_mail *m)
{
    struct c2s_sasl2 *s = k->sasl2;

    if (s->step == SASL2_RESUMING) {
        bytes_append(&s->failed, m->text.data, m->text.len);
        go_on(k, false);
    } else { /* the client may bind as of old, or see why it cannot */
        finish_unbound(k);
    }
}

void c2s_sasl2_drop(struct c2s_conn *k)
{
    struct c2s_sasl2 *s = k->sasl2;

    k->sasl2 = NULL;
    if (!s)
        return;
    stanza_unref(&s->request);
    bytes_fini(&s->failed);
    bytes_fini(&s->token);
    mem_free(s->data);
    mem_free(s);
}

/* ---- the exchange ---- */

static void challenge(struct c2s_conn *k, const char *base64)
{
    stream_send_text(k->stream, "<challenge xmlns='" NS_SASL2 "'>%s</challenge>", base64);
}

static void failure(struct c2s_conn *k, const char *name)
{
    stream_send_text(k->stream, "<failure xmlns='" NS_SASL2 "'><%s xmlns='" NS_SASL "'/></failure>", name);
}

/* Keys first: a token is given to whoever is wholly in. Who came by a token has shown no password to make keys of; nor
 * has who came by a certificate, who gets no token either: it would outlive the certificate. */
static bool prepare(struct c2s_conn *k)
{
    const struct sasl *sasl = k->auth->sasl;

    return !sasl_takes_certificate(sasl) && ((!sasl_takes_token(sasl) && c2s_upgrade_begin(k)) || c2s_fast_prepare(k));
}

static const struct c2s_profile profile = {
    .challenge = challenge,
    .failure = failure,
    .prepare = prepare,
    .succeeded = succeeded,
};

void c2s_sasl2_features(const struct c2s_conn *k, struct bytes *out)
{
    bytes_append_text(out, "<authentication xmlns='" NS_SASL2 "'>");
    c2s_offer_write_mechanisms(k, out);
    if (!c2s_directory_of(k))
        c2s_upgrade_features(out);
    bytes_append_text(out,
                      "<inline><bind xmlns='" NS_BIND2 "'><inline><feature var='" NS_CARBONS "'/><feature var='" NS_CSI
                      "'/><feature var='" NS_SM "'/></inline></bind><sm xmlns='" NS_SM "'/>");
    c2s_fast_features(k, out);
    bytes_append_text(out, "</inline></authentication>");
}

/* XEP-0388 section 2.1: an address of another domain than the stream's. */
static bool is_from_elsewhere(const struct c2s_conn *k)
{
    struct arena a;

    if (!k->from)
        return false;
    arena_init(&a);
    const struct jid *from = jid_parse_text(&a, k->from);
    bool elsewhere = from && !text_eq(from->domain, k->domain);
    arena_fini(&a);
    return elsewhere;
}

static void authenticate(struct c2s_conn *k, struct stanza *st)
{
    const struct element *initial = asked(st, "initial-response", NS_SASL2);
    const char *mechanism = stanza_attr(st, "mechanism");

    if (k->auth)
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "another login is under way");
    else if (is_from_elsewhere(k))
        c2s_conn_close(k, STREAM_INVALID_FROM, "'from' of the stream is of another domain");
    else if (!is_readable(k, st))
        c2s_auth_refuse(k, &profile, SASL_MALFORMED_REQUEST);
    else
        c2s_auth_begin(k, &profile, st, mechanism ? mechanism : "",
                       !initial ? "" : *initial->text ? initial->text : "=");
}

static void take_task(struct c2s_conn *k, const struct element *e)
{
    if (!k->auth->upgrade || !c2s_upgrade_take(k, e))
        c2s_auth_refuse(k, &profile, SASL_MALFORMED_REQUEST);
}

void c2s_sasl2_nonza(struct c2s_conn *k, struct stanza *st)
{
    const struct element *e = st->payload->root;
    bool ours = k->auth && k->auth->profile == &profile;

    if (text_eq(e->name, "authenticate"))
        authenticate(k, st);
    else if (k->auth && !ours)
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "another login is under way");
    else if ((text_eq(e->name, "next") || text_eq(e->name, "task-data")) && ours)
        take_task(k, e);
    else
        c2s_auth_go_on(k, &profile, e);
}

void c2s_sasl2_refuse_plain(struct c2s_conn *k)
{
    failure(k, sasl_failure_name(SASL_ENCRYPTION_REQUIRED));
}
