/* SPDX-License-Identifier: MIT */
/* PURE: what <query xmlns='jabber:iq:register'/> asks for (XEP-0077), read strictly: a field that we did not ask for is
 * refused, because whoever sends it would believe that it is kept. And which names strangers cannot have. */
#ifndef CAUSEWAY_XMPP_REGISTER_QUERY_H
#define CAUSEWAY_XMPP_REGISTER_QUERY_H

#include "gateway/xmpp/stanza.h"

enum { REGISTER_PASSWORD_MAX = 1023 };

enum register_wish {
    REGISTER_ACCOUNT, /* username and password */
    REGISTER_REMOVE,  /* <remove/>, alone */
    REGISTER_WRONG,   /* `refused` and `why` say what is */
};

struct register_query {
    enum register_wish wish;
    const struct jid *who; /* ACCOUNT: prepared, of the domain */
    const char *password;  /* ACCOUNT: not empty; borrowed from the stanza */
    enum stanza_error refused;
    const char *why; /* for a person */
};

/* Of an iq of type set. `domain`: where the name is to be. What is made lies in `a`. */
void register_query_read(struct arena *a, const struct element *query, const char *domain, struct register_query *out);

/* Addresses that people write to when they mean the operator (RFC 2142, and what is usual). `local` is prepared. */
bool register_query_is_reserved(const char *local);

#endif
