/* SPDX-License-Identifier: MIT */
/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. */
#include "gateway/xmpp/plain.h"

#include <string.h>

#include "gateway/base/utf8.h"

static bool take_to_nul(struct span *rest, struct span *part)
{
    const char *nul = rest->len ? memchr(rest->data, 0, rest->len) : NULL;
    if (!nul)
        return false;
    *part = (struct span){rest->data, (size_t)(nul - rest->data)};
    *rest = (struct span){nul + 1, rest->len - part->len - 1};
    return true;
}

bool plain_parse(struct plain_message *out, const char *message, size_t len)
{
    struct span rest = {message, len};
    if (!take_to_nul(&rest, &out->authzid) || !take_to_nul(&rest, &out->username))
        return false;
    out->password = rest;
    return out->username.len > 0 && rest.len > 0 && !memchr(rest.data, 0, rest.len) &&
           utf8_valid(message, len);
}
