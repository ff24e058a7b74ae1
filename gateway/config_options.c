/* SPDX-License-Identifier: MIT */
/* Every option there is, once: the parser, the checks and the reference are made of this table. */
#include "gateway/config_options.h"

#include <string.h>

#include "gateway/config.h"

#define TEXT(section, name, def, check, range, sentence)                                           \
    {section, name, OPTION_TEXT, def, 0, 0, 0, check, range, "", sentence}
#define LIST(section, name, check, range, sentence)                                                \
    {section, name, OPTION_LIST, NULL, 0, 0, 0, check, range, "", sentence}
#define INT(section, name, def, least, most, unit, sentence)                                       \
    {section, name, OPTION_INT, NULL, def, least, most, CHECK_ANY, NULL, unit, sentence}
#define BOOL(section, name, def, sentence)                                                         \
    {section, name, OPTION_BOOL, NULL, def, 0, 1, CHECK_ANY, NULL, "", sentence}

const struct option_section config_options_sections[] = {
    {"gateway", NULL, 0, "The whole process."},
    {"listen", NULL, 1,
     "Where to listen. Without any for clients or servers: clients on 5222 and 5223, servers on 5269 and 5270, on all "
     "addresses."},
    {"community", "its domain", 1, "A local domain, as many as you like."},
    {"component", "its domain", 1, "A service outside that attaches here (XEP-0114), like a gateway to IRC."},
    {"remote", "its domain", 1, "What is special about one other domain."},
    {"provider", "a name: a-z 0-9 -", 1, "An account at an outside API that sends for us."},
};
const size_t config_options_section_count = sizeof config_options_sections / sizeof *config_options_sections;

const struct option config_options[] = {
    LIST("gateway", "include", CHECK_ANY, NULL,
         "Further files, read behind this one as if they stood here: \"communities.d/*.conf\". A path that is not "
         "absolute begins where this file is."),
    TEXT("gateway", "store", "/var/lib/causeway/causeway.db", CHECK_ANY, NULL,
         "The store: one SQLite file for all communities."),
    TEXT("gateway", "durability", "disk", CHECK_WORD, "disk|process",
         "What is acknowledged survives a power cut (disk) or only the process (process)."),
    INT("gateway", "io_loops", 0, 0, 64, "threads",
        "Threads of their own for connections; 0: one thread does it all, right up to four cores."),
    TEXT("gateway", "log_level", "info", CHECK_WORD, "error|warn|info|debug", "How much is logged, to standard error."),
    TEXT("gateway", "ca_file", NULL, CHECK_FILE, NULL,
         "Trust anchors for others' certificates; the system's when not given."),
    TEXT("gateway", "dns_server", NULL, CHECK_ANY, NULL,
         "Resolver, ADDRESS or ADDRESS@PORT; /etc/resolv.conf when not given."),
    TEXT("gateway", "dns_trust_anchor", NULL, CHECK_FILE, NULL,
         "What DNSSEC is proved by: a file with DS or DNSKEY records; the root's key of Debian's dns-root-data when "
         "not given."),
    LIST("gateway", "egress_allow", CHECK_EGRESS, NULL,
         "Addresses that are refused by default (loopback, private, ...) and may be connected to: \"PURPOSE CIDR\", "
         "PURPOSE one of s2s provider mail push webhook terminal any."),
    TEXT("gateway", "public_url", NULL, CHECK_URL, "https|http",
         "How the world reaches the HTTP listener, without a slash at the end; needed for providers' webhooks."),
    TEXT("gateway", "websocket_url", NULL, CHECK_URL, "wss|ws",
         "What host-meta tells browsers (XEP-0156): wss://...; when not given, the first websocket listener with TLS, "
         "at the community's name."),
    TEXT("gateway", "bosh_url", NULL, CHECK_URL, "https|http", "The same for BOSH (XEP-0206): https://..."),
    LIST("gateway", "public_addresses", CHECK_ADDRESS, NULL,
         "Where the world reaches this gateway, numeric: host-meta.json tells them with every way to connect "
         "(XEP-0487). Needs listeners "
         "c2s-tls and s2s-tls at ports that the world reaches too; who understands it asks for no SRV records any "
         "more."),
    BOOL("gateway", "s2s_bidi", 1,
         "Use one stream with another community for both directions, where it can too (XEP-0288)."),
    INT("gateway", "s2s_queue_hours", 24, 1, 24 * 14, "hours",
        "How long a message waits for a community that cannot be reached."),
    INT("gateway", "delay_notice_minutes", 5, 0, 1440, "minutes",
        "Who has written to a community that cannot be reached is told after that time, once a conversation and "
        "outage; 0: nobody is told."),
    INT("gateway", "s2s_stanzas_per_second", 0, 0, 1000000, "stanzas",
        "A domain that brings more than that by the connections of one thread is read more slowly; nothing is dropped; "
        "0: any number."),
    INT("gateway", "s2s_kib_per_second", 0, 0, 10000000, "KiB", "The same in bytes; 0: any number."),
    INT("gateway", "s2s_stanza_kib", 256, 10, 16384, "KiB",
        "The largest stanza that is taken from another community, which is told so (XEP-0478)."),
    INT("gateway", "connections_per_address", 200, 1, 1000000, "connections",
        "Client connections from one address (IPv6: one /64)."),
    INT("gateway", "login_seconds", 60, 5, 600, "seconds", "From a client's connection to its bound resource."),
    INT("gateway", "idle_seconds", 300, 30, 86400, "seconds",
        "Silence after which a client is asked whether it lives."),
    INT("gateway", "resume_seconds", 300, 10, 86400, "seconds", "How long a cut stream can be resumed (XEP-0198)."),
    TEXT("gateway", "schema_dir", NULL, CHECK_ANY, NULL,
         "Folder with the store's migrations; the installed one when not given."),
    TEXT("gateway", "mail_reader", NULL, CHECK_FILE, NULL,
         "Program that takes mails apart; the installed causeway-mail-reader when not given."),
    TEXT("gateway", "speech_program", NULL, CHECK_FILE, NULL,
         "Program that speaks in calls, used like espeak-ng; /usr/bin/espeak-ng when not given."),
    TEXT("gateway", "profile_dir", NULL, CHECK_ANY, NULL,
         "Folder with provider profiles; the installed one when not given."),

    TEXT("listen", "service", NULL, CHECK_WORD, "c2s|c2s-tls|s2s|s2s-tls|component|websocket|http|lmtp",
         "Clients with STARTTLS or direct TLS, servers with STARTTLS or direct TLS, services that attach (XEP-0114; "
         "without TLS, so for this machine or a network that you trust), clients over WebSocket (RFC 7395) and BOSH, "
         "HTTP (webhooks; plain, for a reverse proxy), or LMTP (answers to mails, from this machine's mail server). "
         "websocket and http tell host-meta (XEP-0156)."),
    TEXT("listen", "address", NULL, CHECK_ADDRESS, NULL,
         "Numeric address; :: is all of IPv6 and only that. When not given: 0.0.0.0, for component and lmtp "
         "127.0.0.1."),
    INT("listen", "port", 0, 0, 65535, "",
        "0: 5222, 5223, 5269, 5270, 5347 (component), 5443 (websocket; without TLS 5281), 5280 (http) or 2424 (lmtp)."),
    TEXT("listen", "path", "/xmpp-websocket", CHECK_ANY, NULL, "websocket: where clients ask for it."),
    TEXT("listen", "bosh_path", "/http-bind", CHECK_ANY, NULL,
         "websocket: where BOSH (XEP-0206) is, for clients without WebSockets; \"\": nowhere."),
    BOOL("listen", "servers", 0,
         "c2s-tls: servers come by that port too (443, say); who offers ALPN xmpp-server is one (XEP-0368), all else "
         "is a client."),
    BOOL("listen", "tls", 1,
         "websocket: with TLS; false only on loopback, behind a reverse proxy that has TLS and sets X-Forwarded-For."),
    LIST("listen", "origins", CHECK_URL, "https|http",
         "websocket: web pages that may connect, like \"https://chat.example\"; any when not given."),

    TEXT("community", "certificate", NULL, CHECK_FILE, NULL, "Certificate chain, PEM."),
    TEXT("community", "key", NULL, CHECK_FILE, NULL, "Its private key, PEM."),
    TEXT("community", "client_ca", NULL, CHECK_FILE, NULL,
         "Who shows a certificate of this CA (PEM) that names an account of the community (id-on-xmppAddr, RFC 6120 "
         "13.7.1.4) logs in "
         "by it (SASL EXTERNAL); nobody does when not given. Whoever has the CA's key is everybody."),
    TEXT("community", "client_crl", NULL, CHECK_FILE, NULL,
         "Lists of revoked certificates (PEM), one of each CA of the chain; without one in time nobody logs in by a "
         "certificate."),
    LIST("community", "admins", CHECK_JID, NULL, "Accounts of this gateway that may steer this community."),
    BOOL("community", "archive", 1, "Messages are archived (XEP-0313)."),
    TEXT("community", "strangers", "ask", CHECK_WORD, "ask|deliver|refuse",
         "A first message from another community: ask the person, deliver it, or refuse it."),
    INT("community", "held_messages", 20, 1, 1000, "messages",
        "So many wait with a contact request; more are refused."),
    INT("community", "request_days", 7, 1, 90, "days", "A contact request that nobody answers ends then."),
    TEXT("community", "federation", "open", CHECK_WORD, "open|listed",
         "Which other communities it federates with: all that are not denied, or only those in federation_allow."),
    LIST("community", "federation_allow", CHECK_PATTERN, NULL,
         "These in any case, whatever lists say: \"verona.example\", or \"*.verona.example\" for all below it."),
    LIST("community", "federation_deny", CHECK_PATTERN, NULL, "Not with these; the same form."),
    LIST("community", "federation_deny_files", CHECK_FILE, NULL,
         "Files whose lines are domains, \"*.DOMAIN\", bare JIDs, or SHA-256 of one of these: no streams with such "
         "domains, nothing from such people. Read anew when they change."),
    LIST("community", "federation_block_lists", CHECK_NODE, NULL,
         "Block lists that others keep in real time, \"SERVICE/NODE\": pubsub nodes of SHA-256 of domains or bare "
         "JIDs, like \"xmppbl.org/muc_bans_sha256\". The same as federation_deny_files otherwise."),
    TEXT("community", "federation_certificate", "optional", CHECK_WORD, "optional|required",
         "required: other communities must prove themselves by a certificate (EXTERNAL, DANE); dialback is not "
         "enough."),
    TEXT("community", "registration", "invited", CHECK_WORD, "off|invited|open",
         "Accounts made by clients (XEP-0077): none, by an invitation (XEP-0445), or by anybody. open: strangers will "
         "come, and there is "
         "no captcha; only the two limits below hold them off."),
    TEXT("community", "people_invite", "contacts", CHECK_WORD, "nothing|contacts|accounts",
         "What people may invite others to (XEP-0401): to be their contact, or to have an account here too. Admins may "
         "always."),
    INT("community", "invitation_days", 7, 1, 90, "days", "How long an invitation holds."),
    INT("community", "invitations_open", 20, 1, 10000, "invitations", "So many of a person can be open at a time."),
    INT("community", "registrations_per_hour", 100, 1, 100000, "accounts", "So many are made by clients in an hour."),
    INT("community", "registrations_per_network", 10, 1, 100000, "accounts",
        "So many of them from one network (IPv4 /24, IPv6 /48)."),
    TEXT("community", "invite_url", NULL, CHECK_URL, "https|http",
         "Where the page of an invitation is, if a reverse proxy passes it on: \"https://capulet.example/invite/\"; "
         "when not given, at the first "
         "websocket listener with TLS, if there is one."),
    LIST("community", "ldap_url", CHECK_URL, "ldap|ldaps|ldapi",
         "The accounts are those of an LDAP directory: \"ldap://ldap.example\"; further ones are asked when the first "
         "cannot be reached. "
         "Then clients show their passwords (PLAIN, under TLS), which the directory judges; none are kept here."),
    TEXT("community", "ldap_starttls", NULL, CHECK_WORD, "yes|no",
         "StartTLS with ldap:// addresses: yes unless they are loopback; no is for loopback alone."),
    TEXT("community", "ldap_base", NULL, CHECK_ANY, NULL,
         "People are searched for below this entry: \"ou=people,dc=example\"."),
    TEXT("community", "ldap_filter", "(uid=%u)", CHECK_ANY, NULL,
         "Exactly one entry must match (RFC 4515); %u is the name before the @, %d the domain, %% a %."),
    TEXT("community", "ldap_dn", NULL, CHECK_ANY, NULL,
         "Instead of ldap_base: the entry itself, \"uid=%u,ou=people,dc=example\", without a search."),
    TEXT("community", "ldap_bind_dn", NULL, CHECK_ANY, NULL,
         "Who searches; nobody in particular when not given. With ldap_dn it lets clients use tokens (XEP-0484) and "
         "certificates: it can tell who has left. It must be able to read what %u is compared with."),
    TEXT("community", "ldap_password_file", NULL, CHECK_FILE, NULL, "File with the searcher's password."),
    INT("community", "ldap_timeout_seconds", 5, 1, 15, "seconds",
        "How long one answer of the directory may take; a login may take three."),
    INT("community", "ldap_cache_seconds", 600, 0, 86400, "seconds",
        "So long after somebody left the directory a token may still log in."),
    TEXT("community", "mail_server", NULL, CHECK_URL, "smtp|smtps",
         "For e-mail devices: smtp://HOST:PORT; none: no e-mail."),
    TEXT("community", "mail_from", NULL, CHECK_ANY, NULL, "Sender address; notify@DOMAIN when not given."),
    TEXT("community", "mail_answers", NULL, CHECK_ANY, NULL,
         "Address to which people answer mails: NAME@DOMAIN, where the mail server of DOMAIN passes all of "
         "NAME+...@DOMAIN to the listener for lmtp. NAME has at most 11 characters; none: answers are not taken."),
    TEXT("community", "mail_user", NULL, CHECK_ANY, NULL, "Login at the mail server."),
    TEXT("community", "mail_password_file", NULL, CHECK_FILE, NULL, "File with its password."),
    BOOL("community", "mail_require_tls", 0, "Refuse a mail server that offers no TLS."),
    INT("community", "sms_per_day", 0, 0, 1000000, "messages", "Budget for text messages and pages; 0: none are sent."),
    INT("community", "calls_per_day", 0, 0, 1000000, "calls", "Budget for telephone calls; 0: none are made."),
    INT("community", "gather_seconds", 60, 0, 3600, "seconds",
        "A device hears of one conversation at most once in that time: what comes meanwhile is gathered and goes out "
        "together."),
    LIST(
        "community", "sms_prefixes", CHECK_PREFIX, NULL,
        "Numbers that may be listed as devices, for text messages or calls, begin with one of these; none by default."),

    TEXT("component", "secret_file", NULL, CHECK_FILE, NULL, "File with the secret that it shows: its first line."),
    TEXT("component", "community", NULL, CHECK_DOMAIN, NULL,
         "Which community lists it (XEP-0030); when not given, the one that its name ends with, if there is one."),
    TEXT("component", "certificate", NULL, CHECK_FILE, NULL,
         "Certificate chain, PEM, that other servers are shown; when not given, that of its community, which should "
         "name it too."),
    TEXT("component", "key", NULL, CHECK_FILE, NULL, "Its private key, PEM."),

    TEXT("remote", "host", NULL, CHECK_ANY, NULL, "Connect there instead of asking SRV: name or numeric address."),
    INT("remote", "port", 0, 0, 65535, "", "Port at that host; 0: 5269, with direct TLS 5270."),
    BOOL("remote", "direct_tls", 0, "TLS from the first byte at that host (XEP-0368), instead of STARTTLS."),
    TEXT("remote", "tls", "required", CHECK_WORD, "required|optional",
         "Whether streams without TLS are allowed with this domain."),
    BOOL("remote", "deny", 0, "No streams with this domain."),
    TEXT("remote", "certificate", "community", CHECK_WORD, "community|optional|required",
         "Whether it must prove itself by a certificate; as federation_certificate says unless given."),
    INT("remote", "stanzas_per_second", 0, 0, 1000000, "stanzas",
        "It is read more slowly when it brings more; 0: s2s_stanzas_per_second."),
    INT("remote", "kib_per_second", 0, 0, 10000000, "KiB", "The same; 0: s2s_kib_per_second."),
    INT("remote", "stanza_kib", 0, 0, 16384, "KiB", "The largest stanza that is taken from it; 0: s2s_stanza_kib."),

    TEXT("provider", "profile", NULL, CHECK_ANY, NULL,
         "Name of a shipped profile (a file of schemas/provider without .conf) or path of one."),
    TEXT("provider", "from", NULL, CHECK_ANY, NULL, "The number we write from; answers come back to it."),
    LIST("provider", "communities", CHECK_DOMAIN, NULL, "Communities that use it; all when not given."),
    LIST("provider", "options", CHECK_PAIR, NULL, "The profile's options: \"NAME=VALUE\"."),
    LIST("provider", "secret_files", CHECK_SECRET, NULL,
         "The profile's secrets: \"NAME=FILE\"; its first line, or a whole key in PEM."),
    BOOL("provider", "allow_http", 0, "Its address may be plain http: only on a trusted network."),
};
const size_t config_options_count = sizeof config_options / sizeof *config_options;

static void print_option(FILE *out, const struct option *o)
{
    fprintf(out, "    # %s\n", o->sentence);
    switch (o->type) {
    case OPTION_TEXT:
        fprintf(out, "    # %s%s\n    #%s = \"%s\"\n", o->check == CHECK_WORD ? "One of: " : "Text.",
                o->check == CHECK_WORD ? o->range : "", o->name, o->text_default ? o->text_default : "");
        break;
    case OPTION_LIST:
        fprintf(out, "    # List.\n    #%s = {}\n", o->name);
        break;
    case OPTION_INT:
        fprintf(out, "    # %ld to %ld%s%s.\n    #%s = %ld\n", o->least, o->most, o->unit[0] ? " " : "", o->unit,
                o->name, o->int_default);
        break;
    case OPTION_BOOL:
        fprintf(out, "    # true or false.\n    #%s = %s\n", o->name, o->int_default ? "true" : "false");
        break;
    }
}

void config_print_reference(FILE *out)
{
    fprintf(out, "# Causeway's configuration: every section and option, with its default.\n"
                 "# Printed by `causeway options`.\n");
    for (size_t i = 0; i < config_options_section_count; i++) {
        const struct option_section *s = &config_options_sections[i];
        fprintf(out, "\n# %s\n", s->sentence);
        if (s->title)
            fprintf(out, "# Title: %s.\n", s->title);
        fprintf(out, "#%s%s {\n", s->name, s->title ? " \"...\"" : "");
        for (size_t k = 0; k < config_options_count; k++)
            if (strcmp(config_options[k].section, s->name) == 0)
                print_option(out, &config_options[k]);
        fprintf(out, "#}\n");
    }
}
