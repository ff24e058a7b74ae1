/* SPDX-License-Identifier: MIT */
/* Logging in by XEP-0388: one request that also says what the stream shall be (resumed by XEP-0198, or bound by
 * XEP-0386), one answer that tells all of it, and no restart. Loop: the connection's. */
#ifndef CAUSEWAY_C2S_C2S_SASL2_H
#define CAUSEWAY_C2S_C2S_SASL2_H

#include "gateway/base/bytes.h"
#include "gateway/xmpp/stanza.h"

struct c2s_conn;
struct c2s_mail;

/* A login that has succeeded, until its client is told: k->sasl2. */
struct c2s_sasl2;

/* What every <success/> says first, and a link's answer to whoever logged in so. */
void c2s_sasl2_identifier(struct bytes *out, const char *jid);

void c2s_sasl2_features(const struct c2s_conn *k, struct bytes *out);
/* Something of NS_SASL2, in SECURE or PROVING. */
void c2s_sasl2_nonza(struct c2s_conn *k, struct stanza *st);
/* Before TLS. */
void c2s_sasl2_refuse_plain(struct c2s_conn *k);
/* k->sasl2 is there: the link's answer, which becomes part of <success/>. */
void c2s_sasl2_bound(struct c2s_conn *k, struct span told);
void c2s_sasl2_refused(struct c2s_conn *k, const struct c2s_mail *m);
void c2s_sasl2_drop(struct c2s_conn *k);

#endif
