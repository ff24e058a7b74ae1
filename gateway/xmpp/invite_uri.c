/* SPDX-License-Identifier: MIT */
/* More is percent-encoded than RFC 5122 demands: an address goes through pages, mails and QR codes. */
#include "gateway/xmpp/invite_uri.h"

#include "gateway/base/check.h"

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("@.-_~", c));
}

void invite_uri_escape(struct bytes *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_plain(c))
            bytes_append_char(out, *text);
        else
            bytes_printf(out, "%%%02X", c);
    }
}

void invite_uri_write(struct bytes *out, const struct invite_uri *u)
{
    CHECK(!u->contact || u->inviter);
    bytes_append_text(out, "xmpp:");
    if (u->contact) {
        invite_uri_escape(out, u->inviter);
    } else {
        if (u->name) {
            invite_uri_escape(out, u->name);
            bytes_append_char(out, '@');
        }
        invite_uri_escape(out, u->domain);
    }
    bytes_printf(out, "?%s;preauth=%s%s", u->contact ? "roster" : "register", u->token,
                 u->contact && u->account ? ";ibr=y" : "");
}
