/* SPDX-License-Identifier: MIT */
/* A c2s on loopback with a real store, and scripted clients that speak to it over real sockets and
 * TLS. Both run on the test's thread: waiting is turning the loop until what is awaited has come.
 */
#ifndef CAUSEWAY_TEST_C2S_WORLD_H
#define CAUSEWAY_TEST_C2S_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "c2s/c2s.h"
#include "gateway/base/base64.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/scram_client.h"
#include "test/unit/gateway/net/pki.h"

#define HEADER(to)                                                                                 \
    "<?xml version='1.0'?><stream:stream to='" to "' version='1.0' xml:lang='en' "                 \
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define SASL "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
#define SM   "xmlns='urn:xmpp:sm:3'"

/* How the loops stand to each other. */
enum arrangement {
    TOGETHER,   /* I/O on the exchange's loop */
    THREADED,   /* I/O on its own thread */
    TWO_IO,     /* on two */
    TWO_SHARDS, /* together, and the people split over two loops of the exchange */
};

struct world {
    struct clock_fake clock;
    struct loop *shards[2]; /* the exchange's; turned by the test */
    struct loop *ios[2];    /* the first shard, or loops with their own thread */
    unsigned shard_count, io_count;
    struct loop *loop; /* shards[0] */
    struct pki pki;
    struct tls_store *tls;
    struct store *store;
    struct exchange *exchange;
    struct c2s *c2s;
    struct c2s_times times; /* set before world_start */
    struct directory *directory; /* set before world_start; NULL: passwords are ours */
    const char *const *public_addresses; /* the same */
    const struct pki_files *shown; /* certificate of the clients that come; NULL: none */
    SSL_SESSION *resumed;          /* of their TLS; NULL: none */
    int tls_max;                   /* the newest version that they know; 0: any */
    bool stopped, threads_ended;
    pthread_mutex_t log_lock;
    char log[16384]; /* what was logged, info and above */
};

static inline void world_on_log(void *user, enum log_level level, const char *line)
{
    struct world *w = user;

    pthread_mutex_lock(&w->log_lock);
    size_t at = strlen(w->log);
    if (level <= LOG_INFO && at + strlen(line) + 2 < sizeof(w->log))
        snprintf(w->log + at, sizeof(w->log) - at, "%s\n", line);
    pthread_mutex_unlock(&w->log_lock);
}

static inline bool world_has_logged(struct world *w, const char *text)
{
    pthread_mutex_lock(&w->log_lock);
    bool has = strstr(w->log, text) != NULL;
    pthread_mutex_unlock(&w->log_lock);
    return has;
}

static inline void world_forget_log(struct world *w)
{
    pthread_mutex_lock(&w->log_lock);
    w->log[0] = '\0';
    pthread_mutex_unlock(&w->log_lock);
}

static inline bool world_try_turn(struct world *w)
{
    bool did = loop_turn(w->shards[0]);

    return (w->shard_count > 1 && loop_turn(w->shards[1])) || did;
}

enum { PATIENCE_TURNS = 10000 };

/* One turn; rests a moment when there was nothing to do. */
static inline void world_turn(struct world *w)
{
    if (!world_try_turn(w))
        poll(NULL, 0, 1);
}

/* Turns until it holds; a test that says how long would be wrong on a busy machine. */
#define WORLD_UNTIL(w, condition)                                                                  \
    do {                                                                                           \
        for (int turn_ = 0; turn_ < PATIENCE_TURNS && !(condition); turn_++)                       \
            world_turn(w);                                                                         \
        assert_true(condition);                                                                    \
    } while (0)

/* A line may come a moment after what the client saw: another thread writes it. */
static inline void world_until_logged(struct world *w, const char *text)
{
    for (int i = 0; i < PATIENCE_TURNS && !world_has_logged(w, text); i++)
        world_turn(w);
    if (!world_has_logged(w, text))
        fail_msg("not logged: %s", text);
}

static inline bool world_has_threads(const struct world *w)
{
    return w->ios[0] != w->loop;
}

/* Until nothing has happened for a while; a second thread is given more of it. */
static inline void world_settle_down(struct world *w)
{
    for (int quiet = 0, enough = world_has_threads(w) ? 15 : 3; quiet < enough;)
        quiet = world_try_turn(w) ? 0 : quiet + (poll(NULL, 0, 1), 1);
}

struct world_account {
    const char *bare, *password;
    bool disabled, only_sha1;
};

static inline bool world_put_account(struct store_tx *tx, void *user, struct error *e)
{
    const struct world_account *from = user;
    struct account a = {.bare = from->bare, .disabled = from->disabled};

    for (int h = SCRAM_SHA1; h <= (from->only_sha1 ? SCRAM_SHA1 : SCRAM_SHA512); h++) {
        /* fewer rounds than new accounts have: every test makes these */
        struct scram_keys k = {.hash = (enum scram_hash)h, .iterations = 4096, .salt_len = SCRAM_SALT_LEN};
        random_bytes(k.salt, k.salt_len);
        if (!scram_keys_derive(&k, from->password))
            abort();
        account_take_keys(&a.keys[a.key_count++], &k);
    }
    return account_put(tx, &a, true, e);
}

static inline void world_add_account(struct world *w, struct world_account a)
{
    struct error e = ERROR_INIT;

    if (!store_write_wait(w->store, world_put_account, &a, &e))
        fail_msg("%s", e.text);
}

/* Loops, TLS and store; world_start adds c2s when the exchange is there. */
static inline void world_open(struct world *w, enum arrangement how)
{
    struct error e = ERROR_INIT;

    memset(w, 0, sizeof(*w));
    clock_fake_init(&w->clock);
    pthread_mutex_init(&w->log_lock, NULL);
    w->shard_count = how == TWO_SHARDS ? 2 : 1;
    w->io_count = how == TWO_IO ? 2 : 1;
    for (unsigned i = 0; i < w->shard_count; i++)
        w->shards[i] = loop_create("exchange", &w->clock.clock);
    w->loop = w->shards[0];
    for (unsigned i = 0; i < w->io_count; i++)
        w->ios[i] =
            how == THREADED || how == TWO_IO ? loop_create("io", &w->clock.clock) : w->loop;
    pki_init(&w->pki);
    struct pki_files f = pki_issue(&w->pki, "montague.example", "DNS:montague.example", 30);
    w->tls = tls_store_create(w->pki.ca_file, &e);
    if (!w->tls || !tls_store_set(w->tls, "montague.example", f.chain, f.key, &e))
        fail_msg("%s", e.text);
    w->store = store_open(&(struct store_options){.path = ":memory:",
                                                  .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql"},
                          &e);
    if (!w->store)
        fail_msg("%s", e.text);
    world_add_account(w,
                      (struct world_account){.bare = "romeo@montague.example", .password = "rose"});
    world_add_account(
        w, (struct world_account){.bare = "mercutio@montague.example", .password = "mab"});
    world_add_account(w, (struct world_account){.bare = "tybalt@montague.example",
                                                .password = "cats",
                                                .disabled = true});
    log_set_level(LOG_INFO);
    log_set_sink(world_on_log, w);
}

static inline void world_start(struct world *w, struct c2s_limits limits)
{
    static const char *const domains[] = {"montague.example", NULL};
    static const char *const origins[] = {"https://chat.example", NULL};
    static const struct c2s_listener listeners[] = {
        {.address = "127.0.0.1"},
        {.address = "127.0.0.1", .direct_tls = true},
        {.address = "127.0.0.1", .direct_tls = true, .path = "/ws", .origins = origins, .bosh_path = "/bosh"},
        {.address = "127.0.0.1", .path = "/ws", .bosh_path = "/bosh"},
    };
    struct error e = ERROR_INIT;

    w->c2s = c2s_create(&(struct c2s_options){
        .io_loops = w->ios,
        .io_loop_count = w->io_count,
        .exchange_loops = w->shards,
        .exchange_loop_count = w->shard_count,
        .exchange = w->exchange,
        .store = w->store,
        .tls = w->tls,
        .listeners = listeners,
        .listener_count = 4,
        .domains = domains,
        .directories = w->directory ? &w->directory : NULL,
        .limits = limits,
        .times = w->times,
        .public_addresses = w->public_addresses,
        .s2s_tls_port = 5270,
    });
    if (!c2s_start(w->c2s, &e))
        fail_msg("%s", e.text);
    /* Behind its back: until it is told of him all mechanisms are announced. */
    world_add_account(w, (struct world_account){.bare = "abram@montague.example", .password = "thumb", .only_sha1 = true});
    for (unsigned i = 0; world_has_threads(w) && i < w->io_count; i++)
        loop_start_thread(w->ios[i]);
}

static inline void world_on_stopped(void *user)
{
    ((struct world *)user)->stopped = true;
}

static inline void world_stop(struct world *w)
{
    if (!w->c2s)
        return;
    c2s_stop(w->c2s, w->loop, world_on_stopped, w);
    for (int i = 0; i < 20000 && !w->stopped; i++)
        world_turn(w);
    assert_true(w->stopped);
    c2s_destroy(&w->c2s);
}

static inline void world_end_threads(struct world *w)
{
    for (unsigned i = 0; world_has_threads(w) && !w->threads_ended && i < w->io_count; i++) {
        loop_stop(w->ios[i]);
        loop_join(w->ios[i]);
    }
    w->threads_ended = true;
}

/* After the store: it wakes the loops that asked it to write. */
static inline void world_drop_loops(struct world *w)
{
    for (unsigned i = 0; world_has_threads(w) && i < w->io_count; i++)
        loop_destroy(&w->ios[i]);
    w->ios[0] = w->loop;
}

static inline void world_close(struct world *w)
{
    log_set_sink(NULL, NULL);
    world_end_threads(w);
    if (w->store)
        store_close(&w->store);
    world_drop_loops(w);
    world_settle_down(w);
    for (unsigned i = 0; i < w->shard_count; i++)
        loop_destroy(&w->shards[i]);
    tls_store_destroy(&w->tls);
    pki_fini(&w->pki);
}

static inline void world_nothing(struct command *c)
{
    mem_free(c);
}

/* Moves the clock and lets what is due happen. */
static inline void world_advance(struct world *w, uint64_t ms)
{
    world_settle_down(w);
    clock_fake_advance(&w->clock, ms);
    for (unsigned i = 0; i < w->io_count; i++) { /* a loop that sleeps has not seen the clock */
        struct command *wake = mem_new(struct command);
        wake->run = world_nothing;
        loop_post(w->ios[i], wake);
    }
    world_settle_down(w);
}

/* ---- clients ---- */

struct client {
    struct world *w;
    int fd;
    SSL *ssl;
    SSL_CTX *ctx;
    int tls_max; /* the newest TLS that it knows; 0: any */
    struct bytes in; /* what came and was not yet awaited */
    bool eof;
    bool framed; /* behind the handshake of a WebSocket: what is sent is one text message each */
    struct bytes frames; /* of the server, not yet whole */
    unsigned close_code, pongs; /* that the server said */
    char got[4096]; /* what client_expect skipped, and the needle */
};


/* `from`: an address of loopback, "127.0.0.1" to "127.255.255.254"; each /24 is a network of its own. */
static inline void client_open_from(struct client *c, struct world *w, unsigned listener, const char *from)
{
    struct sockaddr_in self = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c2s_port(w->c2s, listener))};

    memset(c, 0, sizeof(*c));
    c->w = w;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(inet_pton(AF_INET, from, &self.sin_addr), 1);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&self, sizeof(self)), 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
               sizeof(int)); /* else half stanzas wait */
}

static inline void client_open(struct client *c, struct world *w, unsigned listener)
{
    client_open_from(c, w, listener, "127.0.0.1");
}

static inline void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
    bytes_fini(&c->in);
    bytes_fini(&c->frames);
    c->ssl = NULL;
    c->ctx = NULL;
    c->fd = -1;
}

static inline void client_secure(struct client *c, const char *alpn)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(c->ctx, c->tls_max ? c->tls_max : c->w->tls_max);
    if (c->w->shown) {
        assert_int_equal(SSL_CTX_use_certificate_file(c->ctx, c->w->shown->chain, SSL_FILETYPE_PEM), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(c->ctx, c->w->shown->key, SSL_FILETYPE_PEM), 1);
    }
    c->ssl = SSL_new(c->ctx);
    if (c->w->resumed)
        SSL_set_session(c->ssl, c->w->resumed);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, "montague.example");
    if (alpn)
        SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    for (int i = 0; i < PATIENCE_TURNS; i++) {
        int rc = SSL_connect(c->ssl);
        if (rc == 1)
            return;
        int why = SSL_get_error(c->ssl, rc);
        assert_true(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE);
        world_turn(c->w);
    }
    fail_msg("no TLS");
}

static inline bool client_would_block(struct client *c, ssize_t n)
{
    if (!c->ssl)
        return n < 0 && errno == EAGAIN;
    int why = SSL_get_error(c->ssl, (int)n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static inline void client_send_bytes(struct client *c, const char *data, size_t len)
{
    for (int i = 0; i < PATIENCE_TURNS && len && !c->eof; i++) {
        ssize_t n =
            c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (client_would_block(c, n)) {
            world_turn(c->w);
        } else {
            return; /* the other side has ended it; reading tells */
        }
    }
}

/* A masked frame, head and all. `first`: FIN and opcode. */
static inline void client_send_frame(struct client *c, unsigned char first, const char *data, size_t len)
{
    struct bytes b = BYTES_EMPTY;
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};

    bytes_append_char(&b, (char)first);
    if (len < 126) {
        bytes_append_char(&b, (char)(0x80 | len));
    } else {
        bytes_append_char(&b, (char)(0x80 | (len < 65536 ? 126 : 127)));
        for (int shift = len < 65536 ? 8 : 56; shift >= 0; shift -= 8)
            bytes_append_char(&b, (char)((uint64_t)len >> shift));
    }
    bytes_append(&b, mask, 4);
    for (size_t i = 0; i < len; i++)
        bytes_append_char(&b, (char)(data[i] ^ mask[i % 4]));
    client_send_bytes(c, b.data, b.len);
    bytes_fini(&b);
}

static inline void client_send_n(struct client *c, const char *data, size_t len)
{
    if (c->framed)
        client_send_frame(c, 0x81, data, len);
    else
        client_send_bytes(c, data, len);
}

/* Whole frames out of what the server sent: text to c->in, Close and Pong are counted. */
static inline void client_unframe(struct client *c)
{
    for (;;) {
        const unsigned char *d = (const unsigned char *)c->frames.data;
        size_t have = c->frames.len, head = 2, len = have > 1 ? d[1] : 0;
        if (have < 2 || have < (head += len == 126 ? 2 : len == 127 ? 8 : 0))
            return;
        assert_true(len < 128 && (d[0] & 0xf0) == 0x80); /* not masked, whole, no extension */
        if (len > 125)
            for (size_t i = 2 + 0 * (len = 0); i < head; i++)
                len = len << 8 | d[i];
        if (have < head + len)
            return;
        if (d[0] == 0x81)
            bytes_append(&c->in, d + head, len);
        else if (d[0] == 0x88)
            c->close_code = len >= 2 ? (unsigned)d[head] << 8 | d[head + 1] : 1005;
        else
            c->pongs += d[0] == 0x8a;
        bytes_drop(&c->frames, head + len);
    }
}

/* Does not wait for room: a client that never reads cannot have its last bytes taken. */
static inline void client_push(struct client *c, const char *text)
{
    if (c->ssl)
        SSL_write(c->ssl, text, (int)strlen(text));
    world_turn(c->w);
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_n(c, text, strlen(text));
}

static inline bool client_read(struct client *c)
{
    char buf[65536];
    ssize_t n = c->ssl ? SSL_read(c->ssl, buf, sizeof(buf)) : recv(c->fd, buf, sizeof(buf), 0);

    if (n > 0) {
        bytes_append(c->framed ? &c->frames : &c->in, buf, (size_t)n);
        if (c->framed)
            client_unframe(c);
        return true;
    }
    c->eof |= !client_would_block(c, n);
    return false;
}

/* Waits for `needle`; what came up to its end is in c->got (cut), what is behind stays. */
static inline void client_expect_(struct client *c, const char *needle, const char *file, int line)
{
    for (int i = 0; i < PATIENCE_TURNS; i++) {
        const char *text = bytes_text(&c->in), *hit = strstr(text, needle);
        if (hit) {
            size_t len = (size_t)(hit - text) + strlen(needle);
            snprintf(c->got, sizeof(c->got), "%.*s", (int)len, text);
            bytes_drop(&c->in, len);
            return;
        }
        if (c->eof)
            break;
        if (!client_read(c))
            world_turn(c->w);
    }
    print_error("awaited: %s\ncame: %s%s\n", needle, bytes_text(&c->in), c->eof ? " (end)" : "");
    _fail(file, line);
}
#define client_expect(c, needle) client_expect_((c), (needle), __FILE__, __LINE__)

/* The client answers the end of the stream with its own, as it should. */
static inline void client_expect_end_(struct client *c, const char *file, int line)
{
    client_send(c, c->framed ? "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>" : "</stream:stream>");
    for (int i = 0; i < PATIENCE_TURNS && !c->eof; i++)
        if (!client_read(c))
            world_turn(c->w);
    if (!c->eof)
        _fail(file, line);
}
#define client_expect_end(c) client_expect_end_((c), __FILE__, __LINE__)

/* Nothing of that has come once everything that is under way has arrived. */
static inline void client_expect_not_(struct client *c, const char *needle, const char *file,
                                      int line)
{
    world_settle_down(c->w);
    while (client_read(c))
        ;
    if (strstr(bytes_text(&c->in), needle)) {
        print_error("not awaited: %s\n", bytes_text(&c->in));
        _fail(file, line);
    }
}
#define client_expect_not(c, needle) client_expect_not_((c), (needle), __FILE__, __LINE__)

/* Value of attribute `name` in c->got, in `out`. */
static inline void client_attr(struct client *c, const char *name, char *out, size_t cap)
{
    char key[64];
    snprintf(key, sizeof(key), " %s='", name);
    const char *at = strstr(c->got, key);
    assert_non_null(at);
    at += strlen(key);
    snprintf(out, cap, "%.*s", (int)strcspn(at, "'"), at);
}

/* ---- steps of a login ---- */

static inline void client_plain_stage_from(struct client *c, struct world *w, const char *from)
{
    client_open_from(c, w, 0, from);
    client_send(c, HEADER("montague.example"));
    client_expect(c, "</stream:features>");
}

static inline void client_plain_stage(struct client *c, struct world *w)
{
    client_plain_stage_from(c, w, "127.0.0.1");
}

static inline void client_secure_stage_from(struct client *c, struct world *w, const char *from)
{
    client_plain_stage_from(c, w, from);
    client_send(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    client_expect(c, "<proceed");
    client_expect(c, ">");
    client_secure(c, NULL);
    client_send(c, HEADER("montague.example"));
    client_expect(c, "</stream:features>");
}

static inline void client_secure_stage(struct client *c, struct world *w)
{
    client_secure_stage_from(c, w, "127.0.0.1");
}

static inline void client_auth_plain(struct client *c, const char *authzid, const char *user,
                                     const char *password)
{
    struct bytes raw = BYTES_EMPTY, b64 = BYTES_EMPTY;

    bytes_append_text(&raw, authzid);
    bytes_append_char(&raw, '\0');
    bytes_append_text(&raw, user);
    bytes_append_char(&raw, '\0');
    bytes_append_text(&raw, password);
    base64_encode(&b64, raw.data, raw.len);
    client_send(c, "<auth " SASL " mechanism='PLAIN'>");
    client_send(c, bytes_text(&b64));
    client_send(c, "</auth>");
    bytes_fini(&raw);
    bytes_fini(&b64);
}

static inline void client_proved_stage(struct client *c, struct world *w, const char *user,
                                       const char *password)
{
    client_secure_stage(c, w);
    client_auth_plain(c, "", user, password);
    client_expect(c, "<success");
    client_send(c, HEADER("montague.example"));
    client_expect(c, "</stream:features>");
}

static inline void client_bind(struct client *c, const char *resource)
{
    char iq[256];

    snprintf(iq, sizeof(iq),
             "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
             "<resource>%s</resource></bind></iq>",
             resource);
    client_send(c, iq);
    client_expect(c, "</iq>");
}

static inline void client_bound_stage(struct client *c, struct world *w)
{
    client_proved_stage(c, w, "romeo", "rose");
    client_bind(c, "orchard");
}

/* Stream management on; the token for resumption in `token`. */
static inline void client_managed_stage(struct client *c, struct world *w, char token[64])
{
    client_bound_stage(c, w);
    client_send(c, "<enable " SM " resume='true'/>");
    client_expect(c, "/>");
    client_attr(c, "id", token, 64);
}

#endif
