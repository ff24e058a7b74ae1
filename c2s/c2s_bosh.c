/* SPDX-License-Identifier: MIT */
/* The door: HTTP on one side, sessions on the other. Decided here: who may ask (CORS), whose a request is, and on which
 * loop that is found out. What is wrong with HTTP is answered by a status; all else by a body, as since version 1.6. */
#include "c2s/c2s_bosh.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

static struct loop *door_of(const struct c2s_bosh_request *r)
{
    return r->port->io->loop;
}

/* ---- CORS ---- */

static void put_cors(struct bytes *out, const struct c2s_port *port, const struct http_incoming *in)
{
    const char *origin = in->header(in, "Origin");

    if (!port->o->origins)
        bytes_append_text(out, "Access-Control-Allow-Origin: *\r\n");
    else if (origin && http_origin_is_welcome(in, port->o->origins))
        bytes_printf(out, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
}

/* What asks before a page's first request; nobody logs in by anything that a browser adds. */
static void answer_preflight(struct c2s_port *port, struct http_exchange *x, const struct http_incoming *in)
{
    struct bytes lines = BYTES_EMPTY;

    put_cors(&lines, port, in);
    bytes_append_text(&lines,
                      "Access-Control-Allow-Methods: POST, OPTIONS\r\nAccess-Control-Allow-Headers: Content-Type\r\n"
                      "Access-Control-Max-Age: 7200\r\nAllow: POST, OPTIONS\r\n");
    http_answer_with(x, 204, bytes_text(&lines), NULL, (struct span){0});
    bytes_fini(&lines);
}

/* ---- answers ---- */

static void request_unref(struct c2s_bosh_request *r)
{
    if (!ref_drop(&r->ref))
        return;
    bytes_fini(&r->text);
    mem_free(r);
}

/* Loop: the door's. */
static void answer_here(struct c2s_bosh_request *r, struct span xml, const char *content_type)
{
    struct c2s_io *io = r->port->io;
    struct bytes lines = BYTES_EMPTY;

    put_cors(&lines, r->port, r->in);
    http_answer_with(r->x, 200, bytes_text(&lines), content_type, xml);
    bytes_fini(&lines);
    r->x = NULL;
    request_unref(r);
    io->request_count--;
    c2s_io_request_done(io);
}

static void on_to_door(struct command *cmd)
{
    struct c2s_bosh_request *r = container_of(cmd, struct c2s_bosh_request, to_door);
    answer_here(r, bytes_span(&r->text), r->content_type);
}

void c2s_bosh_answer(struct c2s_bosh_request *r, struct span xml, const char *content_type)
{
    r->session = NULL;
    if (r->home == r->port->io) {
        answer_here(r, xml, content_type);
        return;
    }
    bytes_append(&r->text, xml.data, xml.len);
    r->content_type = content_type;
    r->to_door.run = on_to_door;
    loop_post(door_of(r), &r->to_door);
}

void c2s_bosh_refuse(struct c2s_bosh_request *r, const char *condition)
{
    char xml[160];
    int len = snprintf(xml, sizeof(xml), "<body xmlns='" NS_BOSH "' type='terminate' condition='%s'/>", condition);

    log_info(NULL, "bosh: %s: %s", r->in->peer, condition);
    c2s_bosh_answer(r, (struct span){xml, (size_t)len}, "text/xml; charset=utf-8");
}

/* ---- news of a request that waits ---- */

static void tell_session(struct c2s_bosh_request *r, enum http_news news)
{
    if (r->session)
        c2s_bosh_session_news(r->session, r, news);
    request_unref(r);
}

static void on_gone(struct command *cmd)
{
    tell_session(container_of(cmd, struct c2s_bosh_request, gone), HTTP_GONE);
}

static void on_pressed(struct command *cmd)
{
    tell_session(container_of(cmd, struct c2s_bosh_request, pressed), HTTP_PRESSED);
}

static void on_news(void *user, enum http_news news)
{
    struct c2s_bosh_request *r = user;
    struct command *cmd = news == HTTP_GONE ? &r->gone : &r->pressed;

    cmd->run = news == HTTP_GONE ? on_gone : on_pressed;
    ref_take(&r->ref);
    loop_post(r->home->loop, cmd);
}

/* ---- whose it is ---- */

struct look {
    struct c2s_io *io;
    struct c2s_io *elsewhere;         /* its home; NULL: here */
    struct c2s_bosh_session *session; /* NULL: not found */
    struct xml_limits limits;
};

/* The session's name begins with the number of its loop. NULL: none of ours. */
static struct c2s_io *home_of(struct c2s *c, const char *sid)
{
    unsigned n;
    char more;

    if (strlen(sid) != 2 + RANDOM_ID_LEN || sscanf(sid, "%2x%c", &n, &more) != 2 || n >= c->io_count)
        return NULL;
    return &c->ios[n];
}

static const struct xml_limits *limits_of(void *user, const struct xml_body *b)
{
    struct look *look = user;
    const char *sid = xml_body_attr(b, "", "sid");
    struct c2s_io *home = sid ? home_of(look->io->c2s, sid) : look->io;

    if (home && home != look->io) {
        look->elsewhere = home;
        return NULL;
    }
    look->limits = look->io->c2s->limits.before_auth;
    if (!sid)
        return &look->limits;
    look->session = home && home->bosh ? map_get(&look->io->bosh->by_sid, sid) : NULL;
    if (!look->session)
        return NULL;
    look->limits = c2s_bosh_session_limits(look->session);
    return &look->limits;
}

static void take_request(struct c2s_bosh_request *r);

static void on_to_home(struct command *cmd)
{
    take_request(container_of(cmd, struct c2s_bosh_request, to_home));
}

/* At its home, or where it came in. */
static void take_request(struct c2s_bosh_request *r)
{
    struct look look = {.io = r->home};
    struct xml_body *b = xml_body_read(r->in->body, &(struct xml_body_reader){limits_of, &look});

    if (look.elsewhere) {
        r->home = look.elsewhere;
        r->to_home.run = on_to_home;
        loop_post(r->home->loop, &r->to_home);
    } else if (look.session) {
        c2s_bosh_session_take(look.session, r, b);
        b = NULL;
    } else if (b->rooted && xml_body_attr(b, "", "sid")) {
        c2s_bosh_refuse(r, "item-not-found");
    } else if (b->error) {
        c2s_bosh_refuse(r, "bad-request");
    } else if (r->home->stopping) {
        c2s_bosh_refuse(r, "system-shutdown");
    } else {
        c2s_bosh_session_open(r, b);
        b = NULL;
    }
    xml_body_destroy(&b);
}

void c2s_bosh_on_request(struct c2s_port *port, struct http_exchange *x, const struct http_incoming *in,
                         const struct sockaddr_storage *peer, bool counted)
{
    if (!http_origin_is_welcome(in, port->o->origins)) {
        http_answer(x, 403, "text/plain", SPAN("Pages of this origin may not connect here.\n"));
    } else if (text_eq(in->method, "OPTIONS")) {
        answer_preflight(port, x, in);
    } else if (!text_eq(in->method, "POST")) {
        http_answer_with(x, 405, "Allow: POST, OPTIONS\r\n", "text/plain",
                         SPAN("Here is BOSH, for XMPP clients (XEP-0206).\n"));
    } else {
        struct c2s_bosh_request *r = mem_new(struct c2s_bosh_request);
        ref_init(&r->ref);
        r->port = port;
        r->x = x;
        r->in = in;
        r->peer = *peer;
        r->counted = counted;
        r->home = port->io;
        port->io->request_count++;
        http_hold(x, on_news, r);
        take_request(r);
    }
}

/* ---- beginning and end ---- */

void c2s_bosh_open(struct c2s_io *io)
{
    io->bosh = mem_new(struct c2s_bosh);
    io->bosh->sources.most = io->c2s->limits.connections_per_address;
    list_init(&io->bosh->sessions);
}

void c2s_bosh_close(struct c2s_io *io)
{
    struct c2s_bosh *b = io->bosh;

    if (!b)
        return;
    list_each (it, &b->sessions)
        c2s_bosh_session_free(c2s_bosh_session_at(it));
    map_fini(&b->by_sid);
    sources_fini(&b->sources);
    mem_free(b);
    io->bosh = NULL;
}
