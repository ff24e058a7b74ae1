/* SPDX-License-Identifier: MIT */
/* A connection: a socket, the output that the owner wrote in this turn, and TLS in between when
 * it was started. An idle wire owns no buffer: input is read into the loop's, output is given
 * back.
 *
 * Output waits in `out` as plain text until the turn's end; then it is sealed and written with
 * one call. What the kernel does not take becomes the flight; while a flight is under way
 * nothing more is sealed, so a slow reader costs its plain text and one flight. */
#include "gateway/net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop_internal.h"
#include "gateway/net/timer.h"
#include "gateway/net/wire_internal.h"

enum {
    LOW_BYTES = 65536,
    HIGH_BYTES = 262144,
    KEPT_BYTES = 65536, /* a larger buffer is not worth keeping */
    EOF_LINGER_MS = 1000,
};

/* clang-format off */
#define WIRE_STATES(S) /* name        may be followed by                              */           \
    S(OPEN,      TO(CLOSING) | TO(GONE))      /* bytes go both ways                    */          \
    S(CLOSING,   TO(LINGERING) | TO(GONE))    /* output drains; input is thrown away   */          \
    S(LINGERING, TO(GONE))                    /* FIN sent; the peer's is awaited       */          \
    S(GONE,      0)                           /* only on_end remains                   */
/* clang-format on */

#define TO(name) (1u << WIRE_##name)
enum wire_state {
#define S(name, next) WIRE_##name,
    WIRE_STATES(S)
#undef S
};
static const unsigned may_follow[] = {
#define S(name, next) next,
    WIRE_STATES(S)
#undef S
};
#undef TO

/* Output that the kernel did not take at once. */
struct flight {
    uv_write_t req;
    size_t len;
    char data[];
};

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct wire {
    uv_tcp_t tcp;
    uv_os_sock_t fd; /* of tcp; -1 once that is closed: the number may be another's at once */
    struct loop *loop;
    const struct wire_events *ev;
    void *user;
    struct wire_tls *tls;  /* NULL: plain TCP */
    struct bytes out;      /* plain text that waits for the turn's end */
    struct bytes backlog;  /* sealed bytes that wait behind the flight */
    struct flight *flight; /* NULL: the kernel has taken everything */
    struct bytes held;     /* decrypted text that came while the owner paused */
    struct turn_hook hook;
    struct timer linger;
    size_t low, high;
    enum wire_state state;
    enum wire_end end;
    struct error *error; /* why it ended; NULL: nothing to say */
    bool paused;
    bool above; /* went over `high`; on_drained is due */
    bool eof;   /* the peer sent its FIN or close_notify */
    union address peer;
    char *peer_text; /* made when first asked for */
};

static void flush(struct wire *w);

static void enter(struct wire *w, enum wire_state next)
{
    CHECK(may_follow[w->state] & 1u << next);
    w->state = next;
}

static struct wire_shared *shared(struct wire *w)
{
    return w->loop->wires;
}

/* ---- the end */

static void on_closed(uv_handle_t *h)
{
    struct wire *w = h->data;
    static const struct error no_error;
    CHECK(!w->flight);
    wire_tls_destroy(&w->tls);
    bytes_fini(&w->out);
    bytes_fini(&w->backlog);
    bytes_fini(&w->held);
    w->ev->on_end(w->user, w->end, w->error ? w->error : &no_error);
    mem_free(w->error);
    mem_free(w->peer_text);
    mem_free(w);
}

static void gone(struct wire *w)
{
    if (w->state == WIRE_GONE)
        return;
    enter(w, WIRE_GONE);
    timer_stop(&w->linger);
    loop_cancel_hook(&w->hook);
    uv_close((uv_handle_t *)&w->tcp, on_closed);
    w->fd = -1;
}

static void on_linger_over(struct timer *t)
{
    gone(container_of(t, struct wire, linger));
}

static void blame(struct wire *w, enum wire_end end, const struct error *e)
{
    w->end = end;
    if (!w->error && e) {
        w->error = mem_new(struct error);
        *w->error = *e;
    }
}

static void broken(struct wire *w, const char *doing, int uv_error)
{
    if (w->state == WIRE_OPEN) {
        struct error e = ERROR_INIT;
        error_set(&e, ERROR_TEMPORARY, "%s %s: %s", doing, wire_peer_text(w),
                  uv_strerror(uv_error));
        blame(w, WIRE_END_RESET, &e);
    }
    gone(w);
}

static void start_closing(struct wire *w, uint64_t linger_ms)
{
    enter(w, WIRE_CLOSING);
    bytes_fini(&w->held);
    timer_start(&w->linger, w->loop, linger_ms, on_linger_over);
    loop_at_turn_last(w->loop, &w->hook);
}

/* All is sent: FIN. Unread input would turn our close into a reset that may overtake our last words
 * (RFC 1122 4.2.2.13), so then the peer's FIN is awaited. */
static void say_fin(struct wire *w)
{
    int unread = 0;
    enter(w, WIRE_LINGERING);
    wire_tls_destroy(&w->tls);
    if (w->eof) {
        gone(w);
        return;
    }
    shutdown(w->fd, SHUT_WR);
    if (ioctl(w->fd, FIONREAD, &unread) != 0 || unread == 0)
        gone(w);
}

/* ---- output */

static void on_flight_done(uv_write_t *req, int status);

static void start_flight(struct wire *w, const char *data, size_t len)
{
    struct flight *f = mem_alloc(sizeof *f + len);
    f->len = len;
    f->req.data = w;
    memcpy(f->data, data, len);
    w->flight = f;
    uv_buf_t buf = uv_buf_init(f->data, (unsigned)len);
    int rc = uv_write(&f->req, (uv_stream_t *)&w->tcp, &buf, 1, on_flight_done);
    if (rc != 0) {
        w->flight = NULL;
        mem_free(f);
        broken(w, "writing to", rc);
    }
}

/* Bytes as they go over the socket. true: the kernel has all. */
static bool send_now(struct wire *w, const char *data, size_t len)
{
    if (w->flight) {
        bytes_append(&w->backlog, data, len);
        return false;
    }
    ssize_t n = send(w->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* shorter than write() of a file */
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        broken(w, "writing to", uv_translate_sys_error(errno));
        return false;
    }
    size_t taken = n > 0 ? (size_t)n : 0;
    if (taken == len)
        return true;
    start_flight(w, data + taken, len - taken);
    return false;
}

static bool send_sealed(struct wire *w)
{
    struct wire_shared *sh = shared(w);
    bool all = sh->sealed.len == 0 || send_now(w, sh->sealed.data, sh->sealed.len);
    bytes_clear(&sh->sealed);
    return all;
}

static void give_back_buffer(struct wire *w)
{
    struct wire_shared *sh = shared(w);
    if (sh->spare.data || w->out.cap > KEPT_BYTES) {
        bytes_fini(&w->out);
        return;
    }
    bytes_clear(&w->out);
    sh->spare = w->out;
    w->out = BYTES_EMPTY;
}

/* One piece of `out`. false: the kernel is full, or the wire is gone. */
static bool send_piece(struct wire *w, const char *data, size_t len)
{
    struct error e = ERROR_INIT;
    if (!w->tls)
        return send_now(w, data, len);
    if (wire_tls_seal(w->tls, shared(w), data, len, &e))
        return send_sealed(w);
    blame(w, WIRE_END_TLS, &e);
    gone(w);
    return false;
}

static void note_drained(struct wire *w)
{
    if (!w->above || w->state != WIRE_OPEN || wire_queued(w) > w->low)
        return;
    w->above = false;
    if (w->ev->on_drained)
        w->ev->on_drained(w->user);
}

static bool is_securing(const struct wire *w)
{
    return w->tls && !wire_tls_info(w->tls);
}

static void flush(struct wire *w)
{
    size_t at = 0;
    bool more = !w->flight && w->state != WIRE_GONE && !is_securing(w);
    while (more && at < w->out.len) {
        size_t len = w->out.len - at < WIRE_SEAL_BYTES ? w->out.len - at : WIRE_SEAL_BYTES;
        more = send_piece(w, w->out.data + at, len);
        at += len;
    }
    if (at && at == w->out.len)
        give_back_buffer(w);
    else if (at)
        bytes_drop(&w->out, at);
    note_drained(w);
}

/* In CLOSING: once the owner's words are out, close_notify; once that is out, FIN. */
static void go_on_closing(struct wire *w)
{
    if (w->state != WIRE_CLOSING || w->flight || (w->out.len && !is_securing(w)))
        return;
    if (w->tls) {
        wire_tls_bye(w->tls, shared(w));
        if (!send_sealed(w))
            return; /* on_flight_done comes back here */
    }
    say_fin(w);
}

static void on_flight_done(uv_write_t *req, int status)
{
    struct wire *w = req->data;
    mem_free(w->flight);
    w->flight = NULL;
    if (w->state == WIRE_GONE)
        return;
    if (status < 0) {
        broken(w, "writing to", status);
        return;
    }
    if (w->backlog.len) {
        struct bytes b = w->backlog;
        w->backlog = BYTES_EMPTY;
        send_now(w, b.data, b.len);
        bytes_fini(&b);
    }
    flush(w);
    go_on_closing(w);
}

struct bytes *wire_append(struct wire *w)
{
    if (w->state != WIRE_OPEN)
        return NULL;
    struct wire_shared *sh = shared(w);
    if (!w->out.data && sh->spare.data) {
        w->out = sh->spare;
        sh->spare = BYTES_EMPTY;
    }
    return &w->out;
}

void wire_appended(struct wire *w)
{
    if (!w->above && wire_queued(w) > w->high)
        w->above = true;
    loop_at_turn_last(w->loop, &w->hook);
}

void wire_write(struct wire *w, const char *data, size_t len)
{
    loop_check(w->loop);
    struct bytes *out = len ? wire_append(w) : NULL;
    if (!out)
        return;
    bytes_append(out, data, len);
    wire_appended(w);
}

size_t wire_queued(const struct wire *w)
{
    size_t in_flight = w->flight ? uv_stream_get_write_queue_size((const uv_stream_t *)&w->tcp) : 0;
    return w->out.len + w->backlog.len + in_flight;
}

void wire_set_marks(struct wire *w, size_t low_bytes, size_t high_bytes)
{
    w->low = low_bytes;
    w->high = high_bytes;
}

/* ---- input */

static void on_eof(struct wire *w)
{
    w->eof = true;
    if (w->state == WIRE_OPEN && w->held.len)
        return; /* the hook comes back here once the owner has it */
    uv_read_stop((uv_stream_t *)&w->tcp);
    if (w->state == WIRE_OPEN) {
        blame(w, WIRE_END_EOF, NULL);
        start_closing(w, EOF_LINGER_MS);
    } else if (w->state == WIRE_LINGERING) {
        gone(w);
    }
}

static void deliver(struct wire *w, const char *data, size_t len)
{
    if (w->state != WIRE_OPEN || !len)
        return;
    if (w->paused || w->held.len)
        bytes_append(&w->held, data, len);
    else
        w->ev->on_bytes(w->user, data, len);
}

static void tls_input(struct wire *w, const char *data, size_t len)
{
    struct wire_shared *sh = shared(w);
    struct error e = ERROR_INIT;
    size_t plain_len;
    bool secured;
    enum wire_tls_result r = wire_tls_input(w->tls, sh, data, len, &plain_len, &secured, &e);
    send_sealed(w);
    if (secured && w->state == WIRE_OPEN) {
        if (w->ev->on_secure)
            w->ev->on_secure(w->user, wire_tls_info(w->tls));
        if (w->state == WIRE_OPEN && w->out.len)
            loop_at_turn_last(w->loop, &w->hook);
    }
    deliver(w, sh->plain, plain_len);
    if (r == WIRE_TLS_CLOSED)
        on_eof(w);
    if (r == WIRE_TLS_FAILED && w->state == WIRE_OPEN) {
        error_wrap(&e, "%s", wire_peer_text(w));
        blame(w, WIRE_END_TLS, &e);
        bytes_fini(&w->out); /* nobody could read it */
        start_closing(w, EOF_LINGER_MS);
    }
}

static void on_alloc(uv_handle_t *h, size_t wish, uv_buf_t *buf)
{
    (void)wish;
    struct wire *w = h->data;
    *buf = uv_buf_init(shared(w)->read, WIRE_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct wire *w = stream->data;
    if (n == UV_EOF)
        on_eof(w);
    else if (n < 0)
        broken(w, "reading from", (int)n);
    else if (n == 0 || w->state != WIRE_OPEN)
        return;
    else if (w->tls)
        tls_input(w, buf->base, (size_t)n);
    else
        deliver(w, buf->base, (size_t)n);
}

static void give_held(struct wire *w)
{
    if (!w->held.len || w->paused || w->state != WIRE_OPEN)
        return;
    struct bytes b = w->held;
    w->held = BYTES_EMPTY;
    w->ev->on_bytes(w->user, b.data, b.len);
    bytes_fini(&b);
    if (w->eof && w->state == WIRE_OPEN)
        on_eof(w);
}

static void on_turn_end(struct turn_hook *h)
{
    struct wire *w = container_of(h, struct wire, hook);
    give_held(w);
    flush(w);
    go_on_closing(w);
}

/* It fails for what is closing or at its end, which the callers exclude. */
static void read_on(struct wire *w)
{
    int rc = uv_read_start((uv_stream_t *)&w->tcp, on_alloc, on_read);
    CHECK(rc == 0 || rc == UV_EALREADY);
}

void wire_resume(struct wire *w)
{
    loop_check(w->loop);
    w->paused = false;
    if (w->held.len)
        loop_at_turn_last(w->loop, &w->hook);
    if (w->state != WIRE_GONE && !w->eof)
        read_on(w);
}

void wire_pause(struct wire *w)
{
    loop_check(w->loop);
    if (w->state != WIRE_OPEN)
        return; /* closing, it reads on to see the peer's end */
    w->paused = true;
    uv_read_stop((uv_stream_t *)&w->tcp);
}

/* ---- TLS */

/* What was written before belongs before the handshake, in the clear. */
static void send_plain_first(struct wire *w)
{
    if (w->out.len)
        send_now(w, w->out.data, w->out.len);
    bytes_fini(&w->out);
}

static void start_tls(struct wire *w, struct wire_tls *t, const struct error *e)
{
    if (w->state != WIRE_OPEN) {
        wire_tls_destroy(&t);
        return;
    }
    CHECK(!w->tls);
    w->tls = t;
    if (!t) {
        blame(w, WIRE_END_TLS, e);
        start_closing(w, EOF_LINGER_MS);
    }
}

void wire_accept_tls(struct wire *w, struct tls_store *s, const char *domain, enum tls_ask ask,
                     enum tls_alpn alpn)
{
    struct error e = ERROR_INIT;
    loop_check(w->loop);
    send_plain_first(w);
    start_tls(w, wire_tls_accept(shared(w), s, domain, ask, alpn, &e), &e);
}

void wire_connect_tls(struct wire *w, struct tls_store *s, const struct tls_peer *p)
{
    struct error e = ERROR_INIT;
    loop_check(w->loop);
    send_plain_first(w);
    start_tls(w, wire_tls_connect(shared(w), s, p, &e), &e);
    if (w->state == WIRE_OPEN)
        tls_input(w, "", 0); /* the client speaks first */
}

const struct tls_info *wire_tls(const struct wire *w)
{
    return wire_tls_info(w->tls);
}

bool wire_is_securing(const struct wire *w)
{
    return is_securing(w);
}

bool wire_channel_binding(struct wire *w, const char *type, struct bytes *out)
{
    return wire_tls_binding(w->tls, type, out);
}

/* ---- life */

struct wire *wire_open(struct loop *l, uv_os_sock_t fd, const struct wire_events *ev, void *user)
{
    loop_check(l);
    if (!l->wires)
        l->wires = wire_tls_shared_create();
    struct wire *w = mem_new(struct wire);
    w->fd = fd;
    w->loop = l;
    w->ev = ev;
    w->user = user;
    w->low = LOW_BYTES;
    w->high = HIGH_BYTES;
    w->paused = true;
    w->hook.run = on_turn_end;
    w->tcp.data = w;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* output is gathered here */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on); /* a vanished idle peer ends one day */
    socklen_t len = sizeof w->peer;
    if (getpeername(fd, &w->peer.any, &len) != 0)
        w->peer.any.sa_family = AF_UNSPEC; /* reset already: reading will tell */
    CHECK(uv_tcp_init(loop_uv(l), &w->tcp) == 0);
    CHECK(uv_tcp_open(&w->tcp, fd) == 0);
    return w;
}

void wire_set_owner(struct wire *w, const struct wire_events *ev, void *user)
{
    w->ev = ev;
    w->user = user;
}

void wire_close(struct wire *w, uint64_t linger_ms)
{
    loop_check(w->loop);
    if (w->state != WIRE_OPEN)
        return;
    w->end = WIRE_END_CLOSED;
    start_closing(w, linger_ms);
    w->paused = false;
    if (!w->eof)
        read_on(w); /* to see the peer's end */
}

void wire_abort(struct wire *w)
{
    loop_check(w->loop);
    gone(w);
}

/* ---- questions */

const char *wire_peer_text(const struct wire *w)
{
    char ip[INET6_ADDRSTRLEN] = "?", text[INET6_ADDRSTRLEN + 16];
    if (w->peer_text)
        return w->peer_text;
    if (w->peer.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &w->peer.in.sin_addr, ip, sizeof ip);
        snprintf(text, sizeof text, "%s:%u", ip, ntohs(w->peer.in.sin_port));
    } else if (w->peer.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &w->peer.in6.sin6_addr, ip, sizeof ip);
        snprintf(text, sizeof text, "[%s]:%u", ip, ntohs(w->peer.in6.sin6_port));
    } else {
        snprintf(text, sizeof text, "%s", w->peer.any.sa_family == AF_UNIX ? "local" : "unknown");
    }
    ((struct wire *)w)->peer_text = mem_dup(text);
    return w->peer_text;
}

struct loop *wire_loop(const struct wire *w)
{
    return w->loop;
}
