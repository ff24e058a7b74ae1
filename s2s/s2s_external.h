/* SPDX-License-Identifier: MIT */
/* SASL EXTERNAL between servers (RFC 6120 13.7, XEP-0178): when a certificate proves a domain, and what both
 * sides say. */
#ifndef CAUSEWAY_S2S_S2S_EXTERNAL_H
#define CAUSEWAY_S2S_S2S_EXTERNAL_H

#include "gateway/net/stream.h"
#include "gateway/xmpp/sasl.h"

/* Why what the peer showed does not prove that domain, in words for an admin; NULL: it does. Asked of either side:
 * a certificate that is good for a server is good for both (public CAs give no others). */
const char *s2s_external_why_not(const struct tls_info *tls, const char *domain);

enum s2s_external_step {
    S2S_EXTERNAL_PROVED,    /* <success/> was sent; the peer begins a new stream */
    S2S_EXTERNAL_CONTINUES, /* <challenge/> was sent */
    S2S_EXTERNAL_FAILED,    /* <failure/> was sent */
};
/* Receiving: <auth/>, <response/> or <abort/> came from who may be `remote`; NULL: EXTERNAL was not offered. */
enum s2s_external_step s2s_external_take(struct stream *st, const struct stanza *word, const char *remote);

/* Initiating. */
bool s2s_external_is_offered(const struct stanza *features);
void s2s_external_send(struct stream *st);
/* What a <failure/> says, in `out`. */
void s2s_external_read_failure(char *out, size_t size, const struct stanza *failure);

#endif
