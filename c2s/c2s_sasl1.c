/* SPDX-License-Identifier: MIT */
/* SASL as RFC 6120 section 6 spells it: <auth/>, <response/>, <abort/>; after <success/> the stream restarts. */
#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

static void succeeded(struct c2s_conn *k)
{
    const char *data = sasl_data(k->auth->sasl);

    if (data)
        stream_send_text(k->stream, "<success xmlns='" NS_SASL "'>%s</success>", data);
    else
        stream_send_text(k->stream, "<success xmlns='" NS_SASL "'/>");
    c2s_auth_proved(k);
    stream_expect_restart(k->stream);
}

static void challenge(struct c2s_conn *k, const char *base64)
{
    stream_send_text(k->stream, "<challenge xmlns='" NS_SASL "'>%s</challenge>", base64);
}

static void failure(struct c2s_conn *k, const char *name)
{
    stream_send_text(k->stream, "<failure xmlns='" NS_SASL "'><%s/></failure>", name);
}

static const struct c2s_profile profile = {
    .challenge = challenge,
    .failure = failure,
    .succeeded = succeeded,
};

void c2s_sasl1_features(const struct c2s_conn *k, struct bytes *out)
{
    bytes_append_text(out, "<mechanisms xmlns='" NS_SASL "'>");
    c2s_offer_write_mechanisms(k, out);
    bytes_append_text(out, "</mechanisms>");
}

void c2s_sasl1_nonza(struct c2s_conn *k, const struct stanza *st)
{
    const struct element *e = st->payload->root;
    const char *mechanism = element_attr(e, "mechanism");

    if (k->auth && k->auth->profile != &profile) /* XEP-0388: nothing else while it is under way */
        c2s_conn_close(k, STREAM_POLICY_VIOLATION, "another login is under way");
    else if (text_eq(e->name, "auth"))
        c2s_auth_begin(k, &profile, NULL, mechanism ? mechanism : "", e->text);
    else
        c2s_auth_go_on(k, &profile, e);
}

void c2s_sasl1_refuse_plain(struct c2s_conn *k)
{
    failure(k, sasl_failure_name(SASL_ENCRYPTION_REQUIRED));
}
