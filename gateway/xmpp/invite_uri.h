/* SPDX-License-Identifier: MIT */
/* PURE: an invitation as an address to click on (XEP-0147, 0379, 0401, 0445; RFC 5122). */
#ifndef CAUSEWAY_XMPP_INVITE_URI_H
#define CAUSEWAY_XMPP_INVITE_URI_H

#include <stdbool.h>

#include "gateway/base/bytes.h"

struct invite_uri {
    const char *domain;
    const char *inviter; /* bare JID; NULL: none */
    const char *name;    /* localpart that it is for; NULL: any */
    bool contact;        /* the inviter becomes a contact: there is an inviter */
    bool account;        /* an account can be made by it */
    const char *token;   /* [A-Za-z0-9_-] */
};

/* Of a contact: xmpp:INVITER?roster;preauth=TOKEN, with ;ibr=y where it is good for an account too; else
 * xmpp:[NAME@]DOMAIN?register;preauth=TOKEN. Percent-encoded. */
void invite_uri_write(struct bytes *out, const struct invite_uri *u);
/* One text, percent-encoded but for @ . - _ ~ and what is alphanumeric. */
void invite_uri_escape(struct bytes *out, const char *text);

#endif
