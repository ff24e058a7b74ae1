/* SPDX-License-Identifier: MIT */
/* Communities on loopback, all on the test's loop with a fake clock. A `side` is a real s2s with a store
 * and an exchange that notes what it is told (it defines the functions of edge.h that s2s calls, so a
 * program that includes this is linked without the real one). A `peer` is a scripted server made of
 * streams. Waiting is turning the loop until what is awaited has come. */
#ifndef CAUSEWAY_TEST_S2S_WORLD_H
#define CAUSEWAY_TEST_S2S_WORLD_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/listener.h"
#include "gateway/net/stream.h"
#include "gateway/store/journal.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"
#include "s2s/s2s.h"
#include "test/unit/gateway/net/dns_server.h"
#include "test/unit/gateway/net/pki.h"

enum { WORLD_TEXT = 65536, WORLD_HELD = 512, WORLD_CONNS = 64, WORLD_PORTS = 16, WORLD_PATIENCE_MS = 20000 };

struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct dns_server dns;
    char dns_text[8][128];
    struct dns_row rows[16];
    unsigned row_count;
    struct pki pki;
    bool has_pki;
    bool direct_tls; /* of sides that are opened from now on (XEP-0368) */
    bool misnamed; /* certificates that sides are given name another domain: they prove nothing */
    int port_fds[WORLD_PORTS]; /* what keeps our ports ours */
    unsigned port_count;
    char log[WORLD_TEXT]; /* info and above */
};

static inline void world_note(char *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline void world_note(char *out, const char *fmt, ...)
{
    size_t at = strlen(out);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out + at, WORLD_TEXT - at, fmt, ap);
    va_end(ap);
}

/* ---- the exchange ---- */

struct exchange {
    const char *domain;
    struct loop *loop;
    struct store *store;
    struct edge_remote *edge;
    const char *attached; /* the one service that is; NULL: none */
    char in[WORLD_TEXT];  /* "message:ID[+delay] " for each stanza that came */
    char out[WORLD_TEXT]; /* "done:ID ", "failed:ID=CONDITION " */
    char why[WORLD_TEXT]; /* texts of failures, a line each */
    char numbers[WORLD_TEXT]; /* "settled:SEQ ", "SEQ:ID " for each stanza of a pair that numbers */
    uint64_t epoch;       /* of the newest of these */
    unsigned in_count, done_count, failed_count;
    unsigned keeping; /* messages that are not committed yet */
    bool mute;            /* does not answer pings */
    bool keeps_failed;    /* the error of what failed is not committed yet: its row stays */
    bool hold;            /* settles nothing until exchange_let_go */
    struct settle *held[WORLD_HELD];
    unsigned held_count;
};

bool exchange_is_local_domain(struct exchange *x, const char *domain)
{
    return strcmp(domain, x->domain) == 0;
}

bool exchange_is_attached(struct exchange *x, const char *domain)
{
    return x->attached && strcmp(domain, x->attached) == 0;
}

void exchange_receive_remote(struct exchange *x, struct stanza *st, struct settle *s)
{
    CHECK(exchange_is_local_domain(x, st->to->domain) && !exchange_is_local_domain(x, st->from->domain));
    const struct element *first = stanza_first(st);
    if (st->kind == STANZA_IQ && first && element_is(first, "ping", NS_PING)) {
        struct stanza *pong = x->mute ? NULL : build_result(st);
        if (pong)
            x->edge->ops->send(x->edge, pong, (struct queue_id){0});
        stanza_unref(&pong);
    } else {
        x->in_count++;
        world_note(x->in, "%s:%s%s ", stanza_kind_name(st->kind), st->id ? st->id : "",
                   stanza_child(st, "delay", NS_DELAY) ? "+delay" : "");
    }
    if (x->hold && s) {
        CHECK(x->held_count < WORLD_HELD);
        x->held[x->held_count++] = s;
    } else {
        settle_release(&s);
    }
}

void exchange_receive_numbered(struct exchange *x, struct stanza *st, uint64_t epoch, struct queue_id id,
                               struct settle *s)
{
    CHECK(id.seq == 0 || (st->kind == STANZA_MESSAGE && id.at_us > 0));
    x->epoch = epoch;
    world_note(x->numbers, "%llu:%s ", (unsigned long long)id.seq, st->id ? st->id : "");
    exchange_receive_remote(x, st, s);
}

void exchange_remote_settled(struct exchange *x, const char *remote, const char *local, uint64_t epoch,
                             struct queue_id settled, struct settle *s)
{
    CHECK(!exchange_is_local_domain(x, remote) && exchange_is_local_domain(x, local));
    x->epoch = epoch;
    world_note(x->numbers, "settled:%llu ", (unsigned long long)settled.seq);
    if (x->hold && x->held_count < WORLD_HELD)
        x->held[x->held_count++] = s;
    else
        settle_release(&s);
}

static inline void exchange_let_go(struct exchange *x)
{
    x->hold = false;
    for (unsigned i = 0; i < x->held_count; i++)
        settle_release(&x->held[i]);
    x->held_count = 0;
}

static inline void world_out_of_queue(struct exchange *x, const struct stanza *st, uint64_t seq)
{
    char queue[2100];
    snprintf(queue, sizeof queue, "s:%s %s", st->from->domain, st->to->domain);
    if (seq)
        journal_done(x->store, queue, seq);
}

void exchange_remote_done(struct exchange *x, const struct stanza *st, uint64_t seq)
{
    world_out_of_queue(x, st, seq);
    x->done_count++;
    world_note(x->out, "done:%s ", st->id ? st->id : "");
}

void exchange_remote_failed(struct exchange *x, struct stanza *st, uint64_t seq, enum stanza_error why,
                            const char *text)
{
    CHECK(why != STANZA_OK && text && *text);
    if (!x->keeps_failed)
        world_out_of_queue(x, st, seq);
    x->failed_count++;
    world_note(x->out, "failed:%s=%s ", st->id ? st->id : "", stanza_error_name(why));
    world_note(x->why, "%s\n", text);
}

void exchange_remote_delayed(struct exchange *x, const struct stanza *st, int64_t kept_us, int64_t until_us)
{
    CHECK(until_us > kept_us);
    world_note(x->out, "delayed:%s ", st->id ? st->id : "");
}

struct world_kept {
    struct keep keep;
    struct exchange *x;
    bool tell; /* the edge; false: as after a restart, it lies in the store alone */
    char queue[512];
};

static inline void world_on_kept(struct store_job *job, const struct error *e)
{
    struct world_kept *k = container_of(container_of(job, struct keep, job), struct world_kept, keep);
    CHECK(e->code == ERROR_NONE);
    k->x->keeping--;
    if (k->tell)
        k->x->edge->ops->send(k->x->edge, k->keep.stanza, (struct queue_id){k->keep.kept_us, k->keep.seq});
    stanza_unref(&k->keep.stanza);
    mem_free(k);
}

static inline void world_keep(struct exchange *x, struct stanza *st, bool tell)
{
    struct world_kept *k = mem_new(struct world_kept);
    k->x = x;
    k->tell = tell;
    snprintf(k->queue, sizeof k->queue, "s:%s %s", st->from->domain, st->to->domain);
    k->keep.stanza = stanza_ref(st);
    k->keep.queue[0] = k->queue;
    k->keep.job.reply_on = x->loop;
    k->keep.job.done = world_on_kept;
    x->keeping++;
    journal_keep(x->store, &k->keep);
}

static inline struct stanza *world_stanza(const char *kind, const char *from, const char *to,
                                          const char *id, size_t padding)
{
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<%s xmlns='jabber:client' from='u@%s/r' to='v@%s' id='%s'%s>", kind, from, to, id,
                 strcmp(kind, "iq") == 0 ? " type='get'" : "");
    if (strcmp(kind, "message") == 0) {
        bytes_append_text(&b, "<body>");
        for (size_t i = 0; i < padding + 1; i++)
            bytes_append_char(&b, 'x');
        bytes_append_text(&b, "</body>");
    } else if (strcmp(kind, "iq") == 0) {
        bytes_append_text(&b, "<query xmlns='urn:test:1'/>");
    }
    bytes_printf(&b, "</%s>", kind);
    struct stanza *st = stanza_parse(bytes_text(&b), b.len);
    CHECK(st);
    bytes_fini(&b);
    return st;
}

/* Messages are kept, and told to the edge after their commit; the rest is told at once. Where the order
 * between them matters, wait until `keeping` is 0. */
static inline void world_say(struct exchange *x, const char *kind, const char *to, const char *id)
{
    struct stanza *st = world_stanza(kind, x->domain, to, id, 0);
    if (strcmp(kind, "message") == 0)
        world_keep(x, st, true);
    else
        x->edge->ops->send(x->edge, st, (struct queue_id){0});
    stanza_unref(&st);
}

/* ---- the world ---- */

static inline void world_on_log(void *user, enum log_level level, const char *line)
{
    struct world *w = user;
    if (level <= LOG_INFO)
        world_note(w->log, "%s\n", line);
}

/* A port for a listener to come. The socket that got it stays bound until world_close: listeners share
 * ports (SO_REUSEPORT), so a port given out twice, here or to another test, would go unnoticed and deal
 * the connections of one server to another. */
static inline uint16_t world_free_port(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    CHECK(fd >= 0 && w->port_count < WORLD_PORTS);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    CHECK(bind(fd, (struct sockaddr *)&a, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    w->port_fds[w->port_count++] = fd;
    return ntohs(a.sin_port);
}

static inline void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
    dns_server_open(&w->dns, loop_uv(w->loop), w->rows);
    log_set_level(LOG_ERROR);
    log_set_sink(world_on_log, w);
}

/* `data` as in dns_server.h; at most a few with a port of their own. */
static inline void world_dns(struct world *w, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static inline void world_dns(struct world *w, const char *name, const char *fmt, ...)
{
    char *text = w->dns_text[w->row_count];
    CHECK(w->row_count < 8);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof w->dns_text[0], fmt, ap);
    va_end(ap);
    w->rows[w->row_count++] = (struct dns_row){name, text};
}

static inline void world_turn(struct world *w)
{
    if (!loop_turn(w->loop))
        poll(NULL, 0, 1);
}

#define world_until(w, condition)                                                                  \
    do {                                                                                           \
        uint64_t begin_ = clock_mono_ms(clock_real());                                             \
        while (!(condition)) {                                                                     \
            world_turn(w);                                                                         \
            if (clock_mono_ms(clock_real()) > begin_ + WORLD_PATIENCE_MS) {                        \
                fprintf(stderr, "%s:%d: never came: %s\n%s", __FILE__, __LINE__, #condition,       \
                        (w)->log);                                                                 \
                abort();                                                                           \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Until nothing happens on the loop. What other threads do may still come. */
static inline void world_calm(struct world *w)
{
    for (int quiet = 0; quiet < 8;)
        quiet = loop_turn(w->loop) ? 0 : quiet + (poll(NULL, 0, 1), 1);
}

static inline void world_advance(struct world *w, uint64_t ms)
{
    world_calm(w);
    clock_fake_advance(&w->clock, ms);
    world_calm(w);
}

static inline void world_close(struct world *w)
{
    dns_server_close(&w->dns);
    world_calm(w);
    loop_destroy(&w->loop);
    if (w->has_pki)
        pki_fini(&w->pki);
    for (unsigned i = 0; i < w->port_count; i++)
        close(w->port_fds[i]);
    log_set_sink(NULL, NULL);
}

/* ---- a side ---- */

struct side {
    struct world *w;
    struct exchange x;
    struct tls_store *tls;
    struct egress *egress;
    struct s2s *s2s;
    uint16_t port;
    bool stopped;
};

/* Begins a life of the side on its store. */
static inline void side_serve(struct side *s, struct s2s_options o)
{
    struct error e = ERROR_INIT;
    unsigned char secret[32];
    memset(secret, s->x.domain[0], sizeof secret);
    struct s2s_listener l = {.address = "127.0.0.1", .port = s->port, .direct_tls = s->w->direct_tls};
    o.loops = &s->w->loop;
    o.loop_count = 1;
    o.exchange = &s->x;
    o.store = s->x.store;
    o.tls = s->tls;
    o.egress = s->egress;
    o.dns_server = s->w->dns.address;
    o.listeners = &l;
    o.listener_count = s->port ? 1 : 0;
    o.dialback_secret = secret;
    s->s2s = s2s_create(&o, &e);
    if (!s->s2s || !s2s_start(s->s2s, &e)) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    s->x.edge = s2s_edge(s->s2s);
}

/* Without egress rule: loopback is refused. */
static inline void side_open(struct side *s, struct world *w, const char *domain, uint16_t port,
                             const char *egress, struct s2s_options o)
{
    struct error e = ERROR_INIT;
    memset(s, 0, sizeof *s);
    s->w = w;
    s->port = port;
    s->x.domain = domain;
    s->x.loop = w->loop;
    s->x.store = store_open(&(struct store_options){.path = ":memory:",
                                                    .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql",
                                                    .clock = &w->clock.clock},
                            &e);
    if (!w->has_pki) {
        pki_init(&w->pki);
        w->has_pki = true;
    }
    char san[128];
    text_copy(san, sizeof san, "DNS:");
    snprintf(san + 4, sizeof san - 4, w->misnamed ? "elsewhere.%s" : "%s", domain);
    struct pki_files f = pki_issue(&w->pki, domain, san, 30);
    s->tls = tls_store_create(w->pki.ca_file, &e);
    s->egress = egress_create();
    bool ok = s->x.store && s->tls && tls_store_set(s->tls, domain, f.chain, f.key, &e) &&
              (!egress || egress_allow(s->egress, egress, &e));
    if (!ok) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    side_serve(s, o);
}

static inline void side_on_stopped(void *user)
{
    ((struct side *)user)->stopped = true;
}

/* Moves the clock, so that peers who do not answer our last words do not hold it up. What is being kept
 * is told to the edge first, as the exchange does: after that nobody speaks to it. */
static inline void side_stop(struct side *s)
{
    world_until(s->w, s->x.keeping == 0);
    s->stopped = false;
    s2s_stop(s->s2s, side_on_stopped, s);
    for (int i = 0; i < 3 && !s->stopped; i++) {
        world_advance(s->w, 6000);
        exchange_let_go(&s->x);
    }
    world_until(s->w, s->stopped);
    s2s_destroy(&s->s2s);
}

static inline void side_close(struct side *s)
{
    if (s->s2s)
        side_stop(s);
    store_close(&s->x.store);
    world_calm(s->w);
    tls_store_destroy(&s->tls);
    egress_destroy(&s->egress);
}

struct count_job {
    struct queue_read q;
    bool is_done; /* the loop's; the job itself is the store's until then */
};

static inline void world_counted(struct store_job *job, const struct error *e)
{
    CHECK(e->code == ERROR_NONE);
    container_of(job, struct count_job, q.job)->is_done = true;
}

/* How many rows wait for `remote` in the side's store. */
static inline unsigned side_queued(struct side *s, const char *remote)
{
    char queue[512];
    snprintf(queue, sizeof queue, "s:%s %s", s->x.domain, remote);
    struct count_job c = {.q = {.job = {.reply_on = s->w->loop, .done = world_counted}, .queue = queue, .limit = 10000,
                                .max_bytes = (size_t)1 << 30}};
    arena_init(&c.q.arena);
    journal_read_queue(s->x.store, &c.q);
    world_until(s->w, c.is_done);
    unsigned count = c.q.count;
    queue_read_fini(&c.q);
    return count;
}

/* ---- a scripted server ---- */

struct peer;

struct peer_conn {
    struct peer *peer;
    struct stream *stream; /* NULL: ended */
    struct sockaddr_storage addr;
    bool is_secure, is_proved; /* by TLS; by SASL */
};

struct peer {
    struct world *w;
    const char *domain;
    struct listener *listener;
    uint16_t port;
    struct peer_conn conns[WORLD_CONNS];
    unsigned conn_count;
    /* "auth ", "bidi ", "result ", "verify ", "message:ID[+delay] ", "ping ", "settled:SEQ ", "next:SEQ " and answers to
     * dialback: "verify=invalid " */
    char heard[WORLD_TEXT];
    char ping[64];          /* id of the newest */
    unsigned message_count;
    /* what it does */
    const char *features;      /* inside <stream:features/>; NULL: nothing is ever said */
    const char *result_type;   /* of its answers to db:result; NULL: none */
    const char *verify_type;   /* of its answers to db:verify; NULL: none */
    const char *header_error;  /* instead of features */
    struct tls_store *tls;     /* it wants STARTTLS first; NULL: it has none */
    const char *auth;          /* its answer to SASL; NULL: none */
    const char *features_proved; /* after SASL; NULL: as before */
    bool is_old;               /* its headers have no version, so no features come */
};

static inline void peer_on_header(struct stream *st, const struct stream_header *h)
{
    struct peer_conn *c = stream_user(st);
    struct peer *p = c->peer;
    const char *features = c->is_proved && p->features_proved ? p->features_proved : p->features;
    if (!p->features && !p->header_error)
        return;
    stream_send_header(st, p->domain, h->from, "peer-id", p->is_old ? NULL : "1.0", NULL);
    if (p->header_error)
        stream_close(st, stream_error_parse(p->header_error), NULL);
    else if (!p->is_old)
        stream_send_text(st, "<stream:features>%s</stream:features>",
                         p->tls && !c->is_secure ? "<starttls xmlns='" NS_TLS "'/>" : features);
}

static inline void peer_on_secure(struct stream *st, const struct tls_info *info)
{
    (void)info;
    ((struct peer_conn *)stream_user(st))->is_secure = true;
}

static inline void peer_on_auth(struct peer_conn *c)
{
    world_note(c->peer->heard, "auth ");
    if (!c->peer->auth)
        return;
    stream_send_text(c->stream, "%s", c->peer->auth);
    if (strstr(c->peer->auth, "<success")) {
        c->is_proved = true;
        stream_expect_restart(c->stream);
    }
}

static inline void peer_on_dialback(struct peer *p, struct stream *st, const struct stanza *d)
{
    const char *name = d->payload->root->name, *id = stanza_attr(d, "id");
    const char *type = strcmp(name, "verify") == 0 ? p->verify_type : p->result_type;
    if (stanza_attr(d, "type")) {
        world_note(p->heard, "%s=%s ", name, stanza_attr(d, "type"));
        return;
    }
    world_note(p->heard, "%s ", name);
    if (!type)
        return;
    stream_send_text(st, "<db:%s from='%s' to='%s' type='%s'%s%s%s>%s</db:%s>", name, p->domain,
                     stanza_attr(d, "from"), type, id ? " id='" : "", id ? id : "", id ? "'" : "",
                     strcmp(type, "error") == 0
                         ? "<error type='cancel'><item-not-found xmlns='" NS_STANZA_ERRORS "'/></error>"
                         : "",
                     name);
}

static inline void peer_on_stanza(struct stream *st, struct stanza *s)
{
    struct peer *p = ((struct peer_conn *)stream_user(st))->peer;
    const struct element *first = stanza_first(s);
    if (s->kind == STANZA_NONZA && strcmp(s->payload->root->ns, NS_DIALBACK) == 0) {
        peer_on_dialback(p, st, s);
    } else if (s->kind == STANZA_NONZA && strcmp(s->payload->root->ns, NS_SASL) == 0) {
        peer_on_auth(stream_user(st));
    } else if (p->tls && element_is(s->payload->root, "starttls", NS_TLS)) {
        stream_send_text(st, "<proceed xmlns='" NS_TLS "'/>");
        stream_accept_tls(st, p->tls, p->domain, TLS_ASK_ANYBODY);
    } else if (element_is(s->payload->root, "bidi", NS_BIDI)) {
        world_note(p->heard, stanza_child(s, "queue", NS_QUEUE) ? "bidi+queue " : "bidi ");
    } else if (s->kind == STANZA_NONZA && strcmp(s->payload->root->ns, NS_QUEUE) == 0) {
        world_note(p->heard, "%s:%s ", s->payload->root->name, stanza_attr(s, "seq"));
    } else if (s->kind == STANZA_IQ && first && element_is(first, "ping", NS_PING)) {
        world_note(p->heard, "ping ");
        text_copy(p->ping, sizeof p->ping, s->id);
    } else {
        if (s->kind == STANZA_MESSAGE)
            p->message_count++;
        world_note(p->heard, "%s:%s%s ", s->payload->root->name, s->id ? s->id : "",
                   stanza_child(s, "delay", NS_DELAY) ? "+delay" : "");
    }
    stanza_unref(&s);
}

static inline void peer_on_end(struct stream *st, const struct stream_end *end)
{
    struct peer_conn *c = stream_user(st);
    (void)end;
    c->stream = NULL;
    if (c->peer->listener)
        listener_forget(c->peer->listener, (const struct sockaddr *)&c->addr);
}

static inline void peer_on_accept(void *user, uv_os_sock_t fd)
{
    static const struct wire_events none = {0};
    static const struct stream_policy policy = {.content_ns = NS_SERVER,
                                                .receiving = true,
                                                .on_header = peer_on_header,
                                                .on_stanza = peer_on_stanza,
                                                .on_secure = peer_on_secure,
                                                .on_end = peer_on_end};
    struct peer *p = user;
    CHECK(p->conn_count < WORLD_CONNS);
    struct peer_conn *c = &p->conns[p->conn_count++];
    *c = (struct peer_conn){.peer = p};
    c->addr = listener_peer(p->listener);
    c->stream = stream_open(wire_open(p->w->loop, fd, &none, NULL), &policy, c, XML_LIMITS_DEFAULT, 0);
}

static inline void peer_listen(struct peer *p)
{
    struct error e = ERROR_INIT;
    p->listener = listener_open(p->w->loop, "127.0.0.1", p->port, 0, peer_on_accept, p, &e);
    CHECK(p->listener);
}

static inline void peer_open(struct peer *p, struct world *w, const char *domain)
{
    memset(p, 0, sizeof *p);
    p->w = w;
    p->domain = domain;
    p->port = world_free_port(p->w);
    p->features = "<dialback xmlns='" NS_DIALBACK_FEATURE "'/>";
    p->result_type = p->verify_type = "valid";
    peer_listen(p);
}

/* All its connections break. */
static inline void peer_drop(struct peer *p)
{
    for (unsigned i = 0; i < p->conn_count; i++)
        if (p->conns[i].stream)
            stream_abort(p->conns[i].stream);
    world_calm(p->w);
    p->conn_count = 0;
}

static inline void peer_down(struct peer *p)
{
    peer_drop(p);
    listener_close(&p->listener);
    world_calm(p->w);
}

static inline void peer_close(struct peer *p)
{
    peer_down(p);
}

/* ---- a raw connection to a side ---- */

struct raw {
    struct world *w;
    int fd;
    char heard[WORLD_TEXT];
    bool ended;
};

static inline void raw_listen(struct raw *r)
{
    size_t have = strlen(r->heard);
    ssize_t n;
    while ((n = recv(r->fd, r->heard + have, sizeof r->heard - 1 - have, MSG_DONTWAIT)) > 0)
        r->heard[have += (size_t)n] = '\0';
    r->ended = r->ended || n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

static inline bool raw_has(struct raw *r, const char *text)
{
    raw_listen(r);
    return strstr(r->heard, text) != NULL;
}

static inline void raw_open(struct raw *r, struct world *w, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(r, 0, sizeof *r);
    r->w = w;
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(r->fd >= 0 && connect(r->fd, (struct sockaddr *)&a, sizeof a) == 0);
}

static inline void raw_say(struct raw *r, const char *text)
{
    ssize_t n = send(r->fd, text, strlen(text), MSG_NOSIGNAL);
    (void)n; /* the other side may have ended it already: then that is what the test sees */
}

static inline void raw_close(struct raw *r)
{
    close(r->fd);
    world_calm(r->w);
}

#define RAW_HEADER(from, to)                                                                       \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' " \
    "xmlns:stream='http://etherx.jabber.org/streams' from='" from "' to='" to "' version='1.0'>"

/* Header and dialback; the domain's `peer` must confirm the key. */
static inline void raw_prove(struct raw *r, const char *header, const char *from, const char *to)
{
    char text[512];
    raw_say(r, header);
    world_until(r->w, raw_has(r, "</stream:features>"));
    snprintf(text, sizeof text, "<db:result from='%s' to='%s'>key</db:result>", from, to);
    raw_say(r, text);
    world_until(r->w, raw_has(r, "type='valid'"));
}

#endif
