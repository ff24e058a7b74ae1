/* SPDX-License-Identifier: MIT */
/* The page of an invitation (XEP-0379 section 3.3, XEP-0401 section 4.2), at /invite/TOKEN: who invites to what, the
 * address for a client, some clients, and what to type by hand. To look at it spends nothing.
 *
 * Whoever has the address has the token, so the page lets it go nowhere: no script, no cookie, nothing loaded from
 * elsewhere, no referrer, in no index and no frame. A token that does not hold, of whatever kind, gets one page and
 * takes the same way through the store. */
#include <string.h>

#include "c2s/c2s_internal.h"
#include "c2s/c2s_web.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/invitations.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/invite_uri.h"
#include "gateway/xmpp/stanza_build.h"

#define PATH "/invite/"
#define HEADERS                                                                                                       \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "    \
    "frame-ancestors 'none'\r\n"                                                                                      \
    "Referrer-Policy: no-referrer\r\nX-Robots-Tag: noindex, nofollow, noarchive\r\n"

struct page {
    struct store_job job;
    struct c2s *c2s;
    struct c2s_io *io; /* of the loop; NULL: it has none */
    struct http_exchange *exchange;
    const char *domain; /* whose page it is; NULL: any of ours */
    char token[INVITATION_TOKEN_LEN + 1]; /* "": not one */
    struct arena arena;
    struct invitation invitation;
    bool found;
};

/* ---- what it says ---- */

static void put(struct bytes *out, const char *text)
{
    xml_escape(out, text, strlen(text));
}

/* `before`, the text escaped, `after`. */
static void put_around(struct bytes *out, const char *before, const char *text, const char *after)
{
    bytes_append_text(out, before);
    put(out, text);
    bytes_append_text(out, after);
}

static void put_head(struct bytes *out, const char *title)
{
    bytes_append_text(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex, nofollow\">"
        "<meta name=\"referrer\" content=\"no-referrer\"><title>");
    put(out, title);
    bytes_append_text(out, "</title><style>body{max-width:40em;margin:2em auto;padding:0 1em;font:1em/1.5 sans-serif}"
                           "code{word-break:break-all}a.open{display:inline-block;padding:.6em 1em;border:1px "
                           "solid}</style></head><body>\n");
}

static const struct {
    const char *platform, *name, *url;
} clients[] = {
    {"Android", "Conversations", "https://conversations.im/"}, {"iPhone, iPad", "Monal", "https://monal-im.org/"},
    {"Windows", "Gajim", "https://gajim.org/"},                {"macOS", "Monal", "https://monal-im.org/"},
    {"Linux", "Dino", "https://dino.im/"},                     {"Linux", "Gajim", "https://gajim.org/"},
    {"a terminal", "Profanity", "https://profanity-im.github.io/"},
};

static void put_clients(struct bytes *out)
{
    bytes_append_text(out, "<h2>Clients</h2>\n<ul>\n");
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        bytes_printf(out, "<li>%s: <a rel=\"noopener noreferrer\" href=\"%s\">%s</a></li>\n", clients[i].platform,
                     clients[i].url, clients[i].name);
    bytes_append_text(
        out, "</ul>\n<p>There are <a rel=\"noopener noreferrer\" href=\"https://xmpp.org/software/\">many more</a>; "
             "any of them will do.</p>\n");
}

/* How to do it without the link. */
static void put_by_hand(struct bytes *out, const struct page *p, bool account)
{
    const struct invitation *i = &p->invitation;
    bytes_append_text(out, "<h2>By hand</h2>\n<ul>\n");
    if (account) {
        put_around(out, "<li>To make an account, choose the server <code>", i->domain, "</code>");
        if (i->name)
            put_around(out, " and the name <code>", i->name, "</code>");
        put_around(out, "; where the client asks for an invitation or a token, it is <code>", p->token,
                   "</code>.</li>\n");
    }
    if (i->contact)
        put_around(out, "<li>If you have an account, here or elsewhere, add the contact <code>", i->inviter,
                   "</code>.</li>\n");
    bytes_append_text(out, "</ul>\n");
}

static void put_invitation(struct bytes *out, const struct page *p, bool account)
{
    const struct invitation *i = &p->invitation;
    struct bytes uri = BYTES_EMPTY;
    char until[DATETIME_MAX];

    put_head(out, "You are invited to chat");
    if (i->inviter)
        put_around(out, "<h1>", i->inviter, " invites you to chat</h1>\n");
    else
        put_around(out, "<h1>You are invited to ", i->domain, "</h1>\n");
    invite_uri_write(&uri, &(struct invite_uri){i->domain, i->inviter, i->name, i->contact, account, p->token});
    put_around(out, "<p><a class=\"open\" href=\"", bytes_text(&uri), "\">");
    bytes_append_text(out, i->contact ? "Open it with your chat client" : "Make the account with your chat client");
    bytes_append_text(
        out, "</a></p>\n<p>If nothing happens, install one of the clients below first, and come back to this page. "
             "Messages go by XMPP, which many programs and servers speak.</p>\n");
    put_clients(out);
    put_by_hand(out, p, account);
    datetime_write(until, i->expires_us / 60000000 * 60000000);
    put_around(out, "<p>The invitation holds until ", until,
               ". Whoever has this address can use it: give it to nobody else.</p>\n");
    bytes_append_text(out, "</body></html>\n");
    bytes_fini(&uri);
}

static void put_nothing(struct bytes *out)
{
    put_head(out, "No invitation");
    bytes_append_text(out, "<h1>This invitation does not hold, or not any more</h1>\n"
                           "<p>Ask whoever gave you the address for another one.</p>\n");
    put_clients(out);
    bytes_append_text(out, "</body></html>\n");
}

/* ---- asking and answering ---- */

static bool run_page(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct page *p = container_of(job, struct page, job);
    unsigned char hash[INVITATION_HASH_LEN];

    invitations_hash(p->token, hash);
    return invitations_find(tx, hash, &p->arena, &p->invitation, &p->found, e);
}

/* An account can be made by it, as things are now. */
static bool gives_account(const struct page *p)
{
    const struct community *c = exchange_community(p->c2s->exchange, p->invitation.domain);
    return p->invitation.account && c && c2s_domain_served(p->c2s, p->invitation.domain) &&
           c->joining.who != JOIN_NOBODY;
}

static void answer(struct page *p)
{
    bool found = p->found && (!p->domain || text_eq(p->domain, p->invitation.domain)),
         account = found && gives_account(p);
    struct bytes out = BYTES_EMPTY;

    found = found && (account || p->invitation.contact);
    if (found)
        put_invitation(&out, p, account);
    else
        put_nothing(&out);
    http_answer_with(p->exchange, found ? 200 : 404, HEADERS, "text/html; charset=utf-8", bytes_span(&out));
    bytes_fini(&out);
}

static void on_page(struct store_job *job, const struct error *e)
{
    struct page *p = container_of(job, struct page, job);
    struct c2s_io *io = p->io;

    if (e->code == ERROR_NONE) {
        answer(p);
    } else {
        log_error(NULL, "invitations cannot be read: %s", e->text);
        http_answer_with(p->exchange, 503, HEADERS, "text/plain", SPAN("Try again later.\n"));
    }
    mem_wipe(p->token, sizeof p->token);
    arena_fini(&p->arena);
    mem_free(p);
    if (io) {
        io->auth_count--;
        c2s_io_quiet(io);
    }
}

static struct c2s_io *io_of(struct c2s *c, const struct loop *l)
{
    for (unsigned i = 0; i < c->io_count; i++)
        if (c->ios[i].loop == l)
            return &c->ios[i];
    return NULL;
}

/* What is no token at all is looked up as well: as an empty one, which nobody has. */
static void take_token(struct page *p, const char *target)
{
    const char *token = target + strlen(PATH);
    size_t len = strcspn(token, "?#");

    if (len == INVITATION_TOKEN_LEN)
        memcpy(p->token, token, len);
}

bool c2s_invite_page(struct c2s *c, struct loop *l, struct http_exchange *x, const struct http_incoming *in)
{
    if (!text_starts_with(in->target, PATH))
        return false;
    if (!text_eq(in->method, "GET") && !text_eq(in->method, "HEAD")) {
        http_answer_with(x, 405, "Allow: GET, HEAD\r\n" HEADERS, "text/plain", SPAN("An invitation is only read.\n"));
        return true;
    }
    struct page *p = mem_new(struct page);
    p->c2s = c;
    p->io = io_of(c, l);
    p->exchange = x;
    const struct c2s_domain *meant = c2s_domain_of_host(c, in->host);
    p->domain = meant ? meant->name : NULL;
    take_token(p, in->target);
    arena_init(&p->arena);
    if (p->io)
        p->io->auth_count++;
    p->job = (struct store_job){.reply_on = l, .run = run_page, .done = on_page, .must_see = store_ticket(c->store)};
    store_read(c->store, &p->job);
    return true;
}
