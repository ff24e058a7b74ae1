/* SPDX-License-Identifier: MIT */
/* What a connection may log in by: mechanisms and types of channel binding (RFC 5929, RFC 9266, XEP-0440), the same
 * whichever way SASL is spelt. */
#include "c2s/c2s_auth.h"
#include "c2s/c2s_conn.h"
#include "gateway/net/directory.h"
#include "gateway/xmpp/ns.h"

/* What is announced, the better first. tls-unique is taken too, for the clients of old that
 * know no other, but not recommended to any. */
static const char *const bindings[] = {"tls-exporter", "tls-server-end-point"};
enum { BINDING_COUNT = sizeof(bindings) / sizeof(*bindings) };

/* Bits of `bindings` that this connection has. */
static unsigned bindings_of(const struct c2s_conn *k)
{
    unsigned found = 0;

    for (unsigned i = 0; i < BINDING_COUNT; i++)
        found |= (unsigned)stream_channel_binding(k->stream, bindings[i], NULL) << i;
    return found;
}

bool c2s_offer_binds(const struct c2s_conn *k)
{
    return bindings_of(k) != 0;
}

unsigned c2s_offer_mechanisms(const struct c2s_conn *k)
{
    unsigned all = SASL_BIT(SCRAM_SHA_256) | SASL_BIT(SCRAM_SHA_1);
    bool binds = bindings_of(k) != 0;

    const struct directory *d = c2s_directory_of(k);
    if (d) /* it alone knows the password, and must be shown it; and who is still there, if it can be asked */
        return SASL_BIT(PLAIN) | (k->people && directory_can_search(d) ? SASL_BIT(EXTERNAL) : 0);
    if (binds)
        all |= SASL_BIT(SCRAM_SHA_256_PLUS) | SASL_BIT(SCRAM_SHA_1_PLUS);
    if (k->sha512)
        all |= SASL_BIT(SCRAM_SHA_512) | (binds ? SASL_BIT(SCRAM_SHA_512_PLUS) : 0);
    if (k->people)
        all |= SASL_BIT(EXTERNAL);
    return k->io->c2s->refuse_plain ? all : all | SASL_BIT(PLAIN);
}

void c2s_offer_hashed(const struct c2s_conn *k, struct bytes *out)
{
    const char *types[BINDING_COUNT + 1];
    unsigned found = bindings_of(k), n = 0;

    for (unsigned i = 0; i < BINDING_COUNT; i++)
        if (found & (1u << i))
            types[n++] = bindings[i];
    types[n] = NULL;
    sasl_advertised(out, c2s_offer_mechanisms(k), found ? types : NULL);
}

void c2s_offer_write_mechanisms(const struct c2s_conn *k, struct bytes *out)
{
    unsigned all = c2s_offer_mechanisms(k);

    for (unsigned m = 0; m < SASL_MECHANISM_COUNT; m++)
        if (all & (1u << m))
            bytes_printf(out, "<mechanism>%s</mechanism>", sasl_mechanism_name((enum sasl_mechanism)m));
}

void c2s_offer_write_bindings(const struct c2s_conn *k, struct bytes *out)
{
    unsigned found = bindings_of(k);

    if (!found)
        return;
    bytes_append_text(out, "<sasl-channel-binding xmlns='" NS_SASL_CB "'>");
    for (unsigned i = 0; i < BINDING_COUNT; i++)
        if (found & (1u << i))
            bytes_printf(out, "<channel-binding type='%s'/>", bindings[i]);
    bytes_append_text(out, "</sasl-channel-binding>");
}
