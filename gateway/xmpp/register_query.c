/* SPDX-License-Identifier: MIT */
/* See register_query.h. The old fields alone are understood, no form: nothing else is asked for. */
#include "gateway/xmpp/register_query.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

static const char *const reserved[] = {
    "abuse",   "admin",    "administrator", "anonymous",     "causeway",  "daemon", "ftp",      "help",    "hostmaster",
    "info",    "listserv", "mail",          "mailer-daemon", "marketing", "news",   "nobody",   "noc",     "no-reply",
    "noreply", "notify",   "operator",      "postmaster",    "root",      "sales",  "security", "support", "sysadmin",
    "system",  "usenet",   "uucp",          "webmaster",     "www",       "xmpp",
};

bool register_query_is_reserved(const char *local)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(reserved[i], local) == 0)
            return true;
    return false;
}

static void wrong(struct register_query *q, enum stanza_error e, const char *why)
{
    q->wish = REGISTER_WRONG;
    q->refused = e;
    q->why = why;
}

/* The fields, each at most once. false: there is another one. */
static bool read_fields(const struct element *query, const struct element **name, const struct element **password)
{
    for (const struct element *e = query->first_child; e; e = e->next) {
        const struct element **field = element_is(e, "username", NS_REGISTER)   ? name
                                       : element_is(e, "password", NS_REGISTER) ? password
                                                                                : NULL;
        if (!field || *field || e->first_child)
            return false;
        *field = e;
    }
    return true;
}

static const struct jid *name_of(struct arena *a, const char *text, const char *domain)
{
    return *text ? jid_make(a, text, domain, NULL) : NULL;
}

void register_query_read(struct arena *a, const struct element *query, const char *domain, struct register_query *q)
{
    const struct element *name = NULL, *password = NULL;

    *q = (struct register_query){.wish = REGISTER_ACCOUNT};
    if (element_child(query, "remove", NS_REGISTER)) {
        q->wish = REGISTER_REMOVE;
        if (query->first_child->next)
            wrong(q, STANZA_BAD_REQUEST, "<remove/> stands alone");
        return;
    }
    if (!read_fields(query, &name, &password)) {
        wrong(q, STANZA_BAD_REQUEST, "username and password are asked for, each once, and nothing else");
        return;
    }
    if (!name || !password || !*name->text || !*password->text) {
        wrong(q, STANZA_NOT_ACCEPTABLE, "a username and a password are needed");
        return;
    }
    q->who = name_of(a, name->text, domain);
    q->password = password->text;
    if (!q->who)
        wrong(q, STANZA_JID_MALFORMED, "the username has characters that an address cannot have, or is too long");
    else if (strlen(q->password) > REGISTER_PASSWORD_MAX)
        wrong(q, STANZA_NOT_ACCEPTABLE, "the password is too long");
}
