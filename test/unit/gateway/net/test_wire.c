/* SPDX-License-Identifier: MIT */
/* Two wires of one loop, with the test between them: it carries their bytes, counts TLS records,
 * and can be a slow reader. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "gateway/net/wire.h"
#include "pki.h"

struct side {
    struct wire *wire; /* NULL once ended */
    int fd;            /* the test's end of its socket; -1: hung up */
    struct bytes got;
    struct tls_info info;
    char sni[64];
    unsigned secured, drained, ended;
    enum wire_end end;
    char why[256];
    bool pause_when_secure, abort_on_bytes, in_call;
};

struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct side server, client;
    struct tls_store *store, *client_store;
    struct pki pki;
    bool cut_client_reads; /* the relay takes nothing from the server */
    unsigned app_records;  /* TLS application data records that the server sent */
    unsigned chunks;       /* reads that found bytes of the server */
    struct bytes partial;  /* of a record of the server */
};

static void on_bytes(void *user, const char *data, size_t len)
{
    struct side *s = user;
    bytes_append(&s->got, data, len);
    s->in_call = true;
    if (s->abort_on_bytes)
        wire_abort(s->wire);
    s->in_call = false;
}

static void on_secure(void *user, const struct tls_info *info)
{
    struct side *s = user;
    s->secured++;
    s->info = *info;
    snprintf(s->sni, sizeof s->sni, "%s", info->sni ? info->sni : "-");
    if (s->pause_when_secure)
        wire_pause(s->wire);
}

static void on_drained(void *user)
{
    ((struct side *)user)->drained++;
}

static void on_end(void *user, enum wire_end end, const struct error *e)
{
    struct side *s = user;
    assert_false(s->in_call);
    s->ended++;
    s->end = end;
    snprintf(s->why, sizeof s->why, "%s", e->text);
    s->wire = NULL;
}

static const struct wire_events events = {on_bytes, on_secure, on_drained, on_end};

static void open_side(struct world *w, struct side *s)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    s->fd = fd[1];
    s->wire = wire_open(w->loop, fd[0], &events, s);
    wire_resume(s->wire);
}

static void set_cert(struct world *w, struct tls_store *s, const char *domain, const char *san,
                     long days)
{
    struct error e = ERROR_INIT;
    struct pki_files f = pki_issue(&w->pki, domain, san, days);
    if (!tls_store_set(s, domain, f.chain, f.key, &e))
        fail_msg("%s", e.text);
}

static void begin(struct world *w)
{
    struct error e = ERROR_INIT;
    memset(w, 0, sizeof *w);
    clock_fake_init(&w->clock);
    w->loop = loop_create("test", &w->clock.clock);
    pki_init(&w->pki);
    w->store = tls_store_create(w->pki.ca_file, &e);
    w->client_store = tls_store_create(w->pki.ca_file, &e);
    set_cert(w, w->store, "a.example", "DNS:a.example", 30);
    set_cert(w, w->store, "b.example", "DNS:b.example", 30);
    open_side(w, &w->server);
    open_side(w, &w->client);
}

static void hang_up(struct side *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* RFC 8446 5.1: type, version, length. */
static void count_records(struct world *w, const char *data, size_t len)
{
    bytes_append(&w->partial, data, len);
    while (w->partial.len >= 5) {
        const unsigned char *p = (const unsigned char *)w->partial.data;
        size_t record = 5 + ((size_t)p[3] << 8 | p[4]);
        if (w->partial.len < record)
            return;
        w->app_records += p[0] == 23;
        bytes_drop(&w->partial, record);
    }
}

/* Carries what `from` said to `to`; the end of one becomes the end of the other's input. */
static bool carry(struct world *w, struct side *from, struct side *to)
{
    char buf[16384];
    if (from->fd < 0 || (from == &w->server && w->cut_client_reads))
        return false;
    ssize_t n = recv(from->fd, buf, sizeof buf, 0);
    if (n == 0 && to->fd >= 0)
        shutdown(to->fd, SHUT_WR);
    if (n <= 0)
        return false;
    if (from == &w->server) {
        w->chunks++;
        count_records(w, buf, (size_t)n);
    }
    for (ssize_t at = 0; at < n && to->fd >= 0;) {
        ssize_t sent = send(to->fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent > 0)
            at += sent;
        else if (!loop_turn(w->loop))
            break;
    }
    return true;
}

static void settle(struct world *w)
{
    for (int quiet = 0; quiet < 4;) {
        bool did = carry(w, &w->client, &w->server);
        did |= carry(w, &w->server, &w->client);
        did |= loop_turn(w->loop);
        quiet = did ? 0 : quiet + 1;
    }
}

static void finish(struct world *w)
{
    hang_up(&w->server);
    hang_up(&w->client);
    if (w->server.wire)
        wire_abort(w->server.wire);
    if (w->client.wire)
        wire_abort(w->client.wire);
    settle(w);
    assert_int_equal(w->server.ended, 1);
    assert_int_equal(w->client.ended, 1);
    bytes_fini(&w->server.got);
    bytes_fini(&w->client.got);
    bytes_fini(&w->partial);
    tls_store_destroy(&w->store);
    tls_store_destroy(&w->client_store);
    loop_destroy(&w->loop);
    pki_fini(&w->pki);
}

static void handshake(struct world *w, const char *name, enum tls_alpn server_alpn,
                      enum tls_alpn client_alpn)
{
    wire_accept_tls(w->server.wire, w->store, "a.example", true, server_alpn);
    wire_connect_tls(w->client.wire, w->client_store, &(struct tls_peer){.local_domain = "c.example", .name = name, .alpn = client_alpn});
    settle(w);
}

static void say(struct side *s, const char *text)
{
    wire_write(s->wire, text, strlen(text));
}

/* ---- rows */

static const struct row {
    const char *proves;
    const char *name; /* that the client asks for */
    enum tls_alpn server, client, chosen;
    const char *cert; /* domain that the server proved; NULL: no handshake */
} rows[] = {
    {"SNI picks the certificate", "b.example", TLS_ALPN_XMPP_CLIENT, TLS_ALPN_XMPP_CLIENT,
     TLS_ALPN_XMPP_CLIENT, "b.example"},
    {"names are compared without case", "B.Example", TLS_ALPN_NONE, TLS_ALPN_NONE, TLS_ALPN_NONE,
     "b.example"},
    {"an unknown name gets the listener's domain", "x.example", TLS_ALPN_NONE, TLS_ALPN_NONE,
     TLS_ALPN_NONE, "a.example"},
    {"so does none at all", NULL, TLS_ALPN_NONE, TLS_ALPN_NONE, TLS_ALPN_NONE, "a.example"},
    {"a client without ALPN is accepted", "a.example", TLS_ALPN_XMPP_SERVER, TLS_ALPN_NONE,
     TLS_ALPN_NONE, "a.example"},
    {"ALPN is no matter where none is spoken", "a.example", TLS_ALPN_NONE, TLS_ALPN_HTTP,
     TLS_ALPN_NONE, "a.example"},
    {"RFC 7301 3.2: no protocol in common", "a.example", TLS_ALPN_XMPP_CLIENT, TLS_ALPN_HTTP,
     TLS_ALPN_NONE, NULL},
};

static void handshakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct world w;
        begin(&w);
        handshake(&w, r->name, r->server, r->client);
        if (!r->cert) {
            if (w.client.secured || w.server.end != WIRE_END_TLS || w.client.end != WIRE_END_TLS ||
                !*w.client.why)
                fail_msg("%s: secured, or not told why", r->proves);
        } else if (w.client.secured != 1 || w.server.secured != 1 ||
                   w.client.info.alpn != r->chosen || w.server.info.alpn != r->chosen ||
                   strcmp(w.client.info.version, "TLSv1.3") != 0 ||
                   !tls_cert_matches(w.client.info.peer_cert, r->cert) ||
                   !w.client.info.peer_chain_valid || w.server.info.peer_has_cert) {
            fail_msg("%s: %s %s", r->proves, w.server.why, w.client.why);
        }
        finish(&w);
    }
}

/* The peer's certificate is asked for, judged and noted; a bad one does not end anything. */
static void client_certificates(void **state)
{
    (void)state;
    static const struct {
        const char *proves;
        bool foreign_ca;
        long days;
        bool valid;
    } certs[] = {
        {"a chain to our anchor, without clientAuth", false, 30, true},
        {"expired", false, -1, false},
        {"of another authority", true, 30, false},
    };
    for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
        struct world w, other;
        begin(&w);
        begin(&other);
        struct world *issuer = certs[i].foreign_ca ? &other : &w;
        set_cert(issuer, w.client_store, "c.example", "DNS:c.example", certs[i].days);
        handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
        if (!w.server.secured || !w.server.info.peer_has_cert ||
            w.server.info.peer_chain_valid != certs[i].valid ||
            !tls_cert_matches(w.server.info.peer_cert, "c.example"))
            fail_msg("%s: %d %d %d %s|%s", certs[i].proves, w.server.secured,
                     w.server.info.peer_has_cert, w.server.info.peer_chain_valid, w.server.why,
                     w.client.why);
        finish(&w);
        finish(&other);
    }
}

static void not_tls(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    wire_accept_tls(w.server.wire, w.store, "a.example", false, TLS_ALPN_NONE);
    say(&w.client, "GET / HTTP/1.1\r\n\r\n");
    settle(&w);
    assert_int_equal(w.server.end, WIRE_END_TLS);
    assert_true(*w.server.why);
    finish(&w);
}

static void no_certificate(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.server.in_call = true;
    wire_accept_tls(w.server.wire, w.client_store, "a.example", false, TLS_ALPN_NONE);
    w.server.in_call = false;
    settle(&w);
    assert_int_equal(w.server.end, WIRE_END_TLS);
    assert_non_null(strstr(w.server.why, "a.example"));
    finish(&w);
}

/* What is written before TLS starts goes in the clear before it; what is written during the
 * handshake goes after it. */
static void order_around_the_handshake(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    say(&w.server, "<proceed/>");
    wire_accept_tls(w.server.wire, w.store, NULL, false, TLS_ALPN_NONE);
    say(&w.server, "secret");
    while (w.client.got.len < 10)
        settle(&w);
    assert_string_equal(bytes_text(&w.client.got), "<proceed/>");
    wire_connect_tls(w.client.wire, w.client_store, &(struct tls_peer){.name = "a.example"});
    assert_true(wire_is_securing(w.client.wire));
    settle(&w);
    assert_false(wire_is_securing(w.client.wire));
    assert_string_equal(bytes_text(&w.client.got), "<proceed/>secret");
    finish(&w);
}

/* All that is written in one turn of the loop is one record and one write. */
static void gathers(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    unsigned before = w.app_records;
    w.chunks = 0;
    for (int i = 0; i < 40; i++)
        say(&w.server, "<message><body>one of forty</body></message>");
    assert_int_equal(w.client.got.len, 0);
    settle(&w);
    assert_int_equal(w.app_records - before, 1);
    assert_int_equal(w.chunks, 1);
    assert_int_equal(w.client.got.len, 40 * 44);
    assert_int_equal(wire_queued(w.server.wire), 0);
    finish(&w);
}

static char pattern(size_t i)
{
    return (char)('a' + (i * 2654435761u >> 7) % 26);
}

/* A reader that takes nothing: the queue says so, nothing is lost, and on_drained comes once. */
static void slow_reader(void **state)
{
    (void)state;
    enum { PIECE = 5000, HIGH = 400000, LOW = 100000 };
    for (int tls = 0; tls < 2; tls++) {
        struct world w;
        char piece[PIECE];
        size_t sent = 0;
        begin(&w);
        if (tls)
            handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
        wire_set_marks(w.server.wire, LOW, HIGH);
        w.cut_client_reads = true;
        while (wire_queued(w.server.wire) <= HIGH) {
            for (size_t i = 0; i < PIECE; i++)
                piece[i] = pattern(sent++);
            wire_write(w.server.wire, piece, PIECE);
            loop_turn(w.loop);
        }
        settle(&w);
        assert_int_equal(w.server.drained, 0);
        assert_true(wire_queued(w.server.wire) > LOW);
        w.cut_client_reads = false;
        settle(&w);
        assert_int_equal(w.server.drained, 1);
        assert_int_equal(wire_queued(w.server.wire), 0);
        assert_int_equal(w.client.got.len, sent);
        for (size_t i = 0; i < sent; i++)
            if (w.client.got.data[i] != pattern(i))
                fail_msg("byte %zu differs", i);
        finish(&w);
    }
}

/* A megabyte in one go, over TLS, both ways at once. */
static void much_both_ways(void **state)
{
    (void)state;
    enum { MUCH = 1 << 20 };
    struct world w;
    char *text = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        text[i] = pattern(i);
    begin(&w);
    handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    wire_write(w.server.wire, text, MUCH);
    wire_write(w.client.wire, text, MUCH);
    settle(&w);
    assert_int_equal(w.client.got.len, MUCH);
    assert_memory_equal(w.client.got.data, text, MUCH);
    assert_int_equal(w.server.got.len, MUCH);
    assert_memory_equal(w.server.got.data, text, MUCH);
    free(text);
    finish(&w);
}

/* Nothing comes between pause and resume, also not what was decrypted already. */
static void pause_holds(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.client.pause_when_secure = true;
    say(&w.server, "in the clear ");
    settle(&w);
    wire_accept_tls(w.server.wire, w.store, NULL, false, TLS_ALPN_NONE);
    wire_connect_tls(w.client.wire, w.client_store, &(struct tls_peer){.name = "a.example"});
    say(&w.server, "early");
    settle(&w);
    say(&w.server, " late");
    wire_close(w.server.wire, 1000);
    settle(&w);
    assert_string_equal(bytes_text(&w.client.got), "in the clear ");
    assert_int_equal(w.client.ended, 0);
    wire_resume(w.client.wire);
    assert_string_equal(bytes_text(&w.client.got), "in the clear "); /* never inside resume */
    settle(&w);
    assert_string_equal(bytes_text(&w.client.got), "in the clear early late");
    assert_int_equal(w.client.end, WIRE_END_EOF);
    finish(&w);
}

static void closes_after_its_last_words(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct world w;
        begin(&w);
        if (tls)
            handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
        say(&w.server, "last words");
        w.server.in_call = true;
        wire_close(w.server.wire, 5000);
        wire_close(w.server.wire, 5000);
        say(&w.server, "nobody hears this");
        w.server.in_call = false;
        settle(&w);
        assert_string_equal(bytes_text(&w.client.got), "last words");
        assert_int_equal(w.server.end, WIRE_END_CLOSED);
        assert_int_equal(w.client.end, WIRE_END_EOF);
        finish(&w);
    }
}

/* A peer that does not read cannot keep a closing wire for longer than its linger. */
static void linger_is_bounded(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.cut_client_reads = true;
    char *much = calloc(1, 4 << 20);
    wire_write(w.server.wire, much, 4 << 20);
    free(much);
    wire_close(w.server.wire, 3000);
    settle(&w);
    assert_int_equal(w.server.ended, 0);
    clock_fake_advance(&w.clock, 3000);
    settle(&w);
    assert_int_equal(w.server.ended, 1);
    finish(&w);
}

static void abort_inside_its_event(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    w.server.abort_on_bytes = true;
    say(&w.client, "x");
    settle(&w);
    assert_int_equal(w.server.end, WIRE_END_CLOSED);
    finish(&w);
}

/* The number of its socket may be another connection's at once: what was not sent must not go there. */
static void gone_writes_nowhere(void **state)
{
    (void)state;
    struct world w;
    int other[2];
    char byte;
    begin(&w);
    say(&w.server, "for the client");
    wire_abort(w.server.wire);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
    wire_accept_tls(w.server.wire, w.store, "a.example", false, TLS_ALPN_NONE);
    assert_int_equal(recv(other[0], &byte, 1, 0), -1);
    assert_int_equal(recv(other[1], &byte, 1, 0), -1);
    settle(&w);
    close(other[0]);
    close(other[1]);
    finish(&w);
}

static void broken_connection(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    hang_up(&w.server);
    say(&w.server, "into the void"); /* SIGPIPE would end the test */
    settle(&w);
    assert_true(w.server.end == WIRE_END_RESET || w.server.end == WIRE_END_EOF);
    finish(&w);
}

/* RFC 9266 and RFC 5929: both ends reckon the same, and no other type is to be had. */
static void channel_binding(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        size_t len;
    } types[] = {{"tls-exporter", 32}, {"tls-server-end-point", 32}, {"tls-unique", 48}, {"tls-x", 0}};
    struct world w;
    begin(&w);
    struct bytes early = BYTES_EMPTY;
    assert_false(wire_channel_binding(w.server.wire, "tls-exporter", &early));
    assert_false(wire_channel_binding(w.server.wire, "tls-exporter", NULL));
    handshake(&w, "b.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct bytes s = BYTES_EMPTY, c = BYTES_EMPTY;
        assert_int_equal(wire_channel_binding(w.server.wire, types[i].type, NULL), types[i].len > 0);
        assert_int_equal(wire_channel_binding(w.server.wire, types[i].type, &s), types[i].len > 0);
        wire_channel_binding(w.client.wire, types[i].type, &c);
        assert_int_equal(s.len, types[i].len);
        assert_int_equal(c.len, types[i].len);
        if (s.len)
            assert_memory_equal(s.data, c.data, s.len);
        bytes_fini(&s);
        bytes_fini(&c);
    }
    finish(&w);
}

/* A reload in the middle: who is connected stays, who comes later sees the new certificate; a store
 * may go while a handshake is under way. */
static void reload(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    handshake(&w, "a.example", TLS_ALPN_NONE, TLS_ALPN_NONE);
    set_cert(&w, w.store, "a.example", "DNS:a.example,DNS:new.example", 30);
    assert_true(tls_certificate_covers(w.store, "a.example"));
    say(&w.server, "still here");
    settle(&w);
    assert_string_equal(bytes_text(&w.client.got), "still here");
    wire_abort(w.server.wire);
    wire_abort(w.client.wire);
    settle(&w);
    hang_up(&w.server);
    hang_up(&w.client);
    w.server.ended = w.client.ended = w.client.secured = 0;
    open_side(&w, &w.server);
    open_side(&w, &w.client);
    wire_accept_tls(w.server.wire, w.store, "a.example", false, TLS_ALPN_NONE);
    tls_store_destroy(&w.store);
    wire_connect_tls(w.client.wire, w.client_store, &(struct tls_peer){.name = "a.example"});
    settle(&w);
    assert_int_equal(w.client.secured, 1);
    assert_true(tls_cert_matches(w.client.info.peer_cert, "new.example"));
    finish(&w);
}

/* ---- a client of somebody else's making: OpenSSL on the socket itself */

static int new_tickets;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    new_tickets++;
    return 0;
}

static const struct {
    const char *proves;
    int version;
    const char *ciphers; /* NULL: OpenSSL's own */
    bool accepted, rsa;
} foreign[] = {
    {"TLS 1.3, with the one ticket", TLS1_3_VERSION, NULL, true, false},
    {"TLS 1.2 with forward secrecy and AEAD", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
     true, false},
    {"RFC 9325 4.2.1: no CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false, false},
    {"RFC 9325 3.1.1: no TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0", false, false},
    {"with an RSA certificate the same", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", true, true},
    {"RFC 9325 4.1: no RSA key transport", TLS1_2_VERSION, "AES128-GCM-SHA256:AES256-GCM-SHA384", false, true},
    {"RFC 9325 4.1: no finite-field Diffie-Hellman", TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false, true},
    {"RFC 9325 4.2.1: no CBC", TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES128-SHA:AES128-SHA", false, true},
    {"RFC 9325 4.1: no encryption of fewer than 112 bits, none of nobody, and not none", TLS1_2_VERSION,
     "eNULL:aNULL:RC4:3DES:EXPORT:@SECLEVEL=0", false, true},
};

static void set_rsa(struct world *w)
{
    struct error e = ERROR_INIT;
    struct pki_files f = pki_issue_key(&w->pki, EVP_RSA_gen(2048), "a.example", "DNS:a.example", 30);
    if (!tls_store_set(w->store, "a.example", f.chain, f.key, &e))
        fail_msg("%s", e.text);
}

static bool foreign_handshake(struct world *w, SSL *ssl)
{
    char c;
    int rc = 0;
    for (int i = 0; i < 200 && rc != 1; i++) {
        rc = SSL_connect(ssl);
        if (rc != 1 && SSL_get_error(ssl, rc) != SSL_ERROR_WANT_READ)
            return false;
        loop_turn(w->loop);
    }
    for (int i = 0; i < 10; i++) { /* takes the ticket */
        loop_turn(w->loop);
        SSL_read(ssl, &c, 1);
    }
    return rc == 1;
}

static void foreign_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        struct world w;
        begin(&w);
        if (foreign[i].rsa)
            set_rsa(&w);
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(ctx, foreign[i].version);
        SSL_CTX_set_max_proto_version(ctx, foreign[i].version);
        if (foreign[i].ciphers)
            assert_int_equal(SSL_CTX_set_cipher_list(ctx, foreign[i].ciphers), 1);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(ctx, on_ticket);
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, w.server.fd);
        new_tickets = 0;
        wire_accept_tls(w.server.wire, w.store, "a.example", true, TLS_ALPN_NONE);
        if (foreign_handshake(&w, ssl) != foreign[i].accepted)
            fail_msg("%s: %s", foreign[i].proves, w.server.why);
        if (foreign[i].accepted) {
            unsigned char key[32];
            struct bytes ours = BYTES_EMPTY;
            assert_int_equal(new_tickets, 1);
            assert_int_equal(w.server.secured, 1);
            assert_true(wire_channel_binding(w.server.wire, "tls-exporter", &ours));
            SSL_export_keying_material(ssl, key, 32, "EXPORTER-Channel-Binding", 24,
                                       (const unsigned char *)"", 0, 1);
            assert_memory_equal(ours.data, key, 32);
            bytes_fini(&ours);
        }
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        finish(&w);
    }
}

/* ---- one store, several threads */

struct acceptor {
    struct tls_store *store;
    struct world world;
    pthread_t thread;
    unsigned secured;
};

static void *accept_many(void *arg)
{
    struct acceptor *a = arg;
    for (int i = 0; i < 30; i++) {
        struct world *w = &a->world;
        begin(w);
        wire_accept_tls(w->server.wire, a->store, "a.example", false, TLS_ALPN_NONE);
        wire_connect_tls(w->client.wire, a->store, &(struct tls_peer){.local_domain = "b.example", .name = "b.example"});
        settle(w);
        a->secured += w->client.secured;
        finish(w);
    }
    return NULL;
}

/* Two loops accept and connect with a store whose certificates are being replaced. */
static void reload_under_load(void **state)
{
    (void)state;
    struct world w;
    struct acceptor acceptors[2] = {0};
    begin(&w);
    for (int i = 0; i < 2; i++) {
        acceptors[i].store = w.store;
        pthread_create(&acceptors[i].thread, NULL, accept_many, &acceptors[i]);
    }
    for (int i = 0; i < 40; i++)
        set_cert(&w, w.store, i % 2 ? "a.example" : "b.example", "DNS:a.example,DNS:b.example", 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(acceptors[i].thread, NULL);
        assert_int_equal(acceptors[i].secured, 30);
    }
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(no_certificate),
        cmocka_unit_test(order_around_the_handshake),
        cmocka_unit_test(gathers),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(much_both_ways),
        cmocka_unit_test(pause_holds),
        cmocka_unit_test(closes_after_its_last_words),
        cmocka_unit_test(linger_is_bounded),
        cmocka_unit_test(abort_inside_its_event),
        cmocka_unit_test(gone_writes_nowhere),
        cmocka_unit_test(broken_connection),
        cmocka_unit_test(channel_binding),
        cmocka_unit_test(reload),
        cmocka_unit_test(foreign_clients),
        cmocka_unit_test(reload_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
