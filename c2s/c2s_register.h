/* SPDX-License-Identifier: MIT */
/* Accounts made in-band: XEP-0077 and XEP-0445, before login. */
#ifndef CAUSEWAY_C2S_C2S_REGISTER_H
#define CAUSEWAY_C2S_C2S_REGISTER_H

#include "gateway/base/bytes.h"
#include "gateway/xmpp/stanza.h"

struct c2s_conn;
struct c2s_register;

/* Inside the features of a connection in SECURE. */
void c2s_register_features(const struct c2s_conn *k, struct bytes *out);
/* In SECURE: true: it was one of these and is answered, now or later. */
bool c2s_register_take(struct c2s_conn *k, struct stanza *st);
/* The connection ends, or is somebody's: what is under way will find nobody. Harmless when nothing is. */
void c2s_register_drop(struct c2s_conn *k);

#endif
