/* SPDX-License-Identifier: MIT */
/* Who is at the door: ClientHellos as OpenSSL makes them, whole, in pieces and damaged; and the door itself. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/net/parting.h"
#include "gateway/net/tls_hello.h"

#define SERVER "\x0bxmpp-server"
#define CLIENT "\x0bxmpp-client"

/* `alpn`: names behind their lengths; NULL: none. */
static size_t make_hello(const char *alpn, bool old, unsigned char out[8192])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (old)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL *ssl = SSL_new(ctx);
    BIO *sent = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), sent);
    if (alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    SSL_set_tlsext_host_name(ssl, "montague.example");
    assert_int_equal(SSL_connect(ssl), -1);
    int n = BIO_read(sent, out, 8192);
    assert_true(n > 0);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return (size_t)n;
}

static const struct row {
    const char *proves, *alpn;
    enum tls_hello is;
} rows[] = {
    {"a server", SERVER, TLS_HELLO_OFFERS},
    {"a client", CLIENT, TLS_HELLO_OTHER},
    {"a server among others", "\x02h2" SERVER, TLS_HELLO_OFFERS},
    {"a browser", "\x02h2\x08http/1.1", TLS_HELLO_OTHER},
    {"no ALPN at all", NULL, TLS_HELLO_OTHER},
    {"a name that begins so", "\x0cxmpp-server2", TLS_HELLO_OTHER},
};

/* Every beginning of it wants more, the whole of it says what it is; so it does cut into two records. */
static void hellos(void **state)
{
    (void)state;
    unsigned char hello[8192], two[8192];
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i / 2];
        size_t len = make_hello(r->alpn, i % 2, hello);
        for (size_t n = 0; n < len; n++)
            if (tls_hello_read(hello, n, TLS_ALPN_XMPP_SERVER) != TLS_HELLO_MORE)
                fail_msg("%s: said after %zu of %zu bytes", r->proves, n, len);
        if (tls_hello_read(hello, len, TLS_ALPN_XMPP_SERVER) != r->is)
            fail_msg("%s", r->proves);
        memcpy(two, hello, 5 + 3); /* three bytes of the message, then the rest */
        two[3] = 0;
        two[4] = 3;
        memcpy(two + 8, hello, 3);
        two[11] = (unsigned char)((len - 8) >> 8);
        two[12] = (unsigned char)(len - 8);
        memcpy(two + 13, hello + 8, len - 8);
        if (tls_hello_read(two, 8, TLS_ALPN_XMPP_SERVER) != TLS_HELLO_MORE ||
            tls_hello_read(two, len + 5, TLS_ALPN_XMPP_SERVER) != r->is)
            fail_msg("%s: in two records", r->proves);
    }
}

static void no_hellos(void **state)
{
    (void)state;
    static const struct {
        const char *proves, *bytes;
        size_t len;
        enum tls_hello is;
    } table[] = {
        {"nothing yet", "", 0, TLS_HELLO_MORE},
        {"plain XML", "<?xml", 5, TLS_HELLO_OTHER},
        {"another record", "\x17\x03\x03\x00\x05", 5, TLS_HELLO_OTHER},
        {"another message", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, TLS_HELLO_OTHER},
        {"a record without content", "\x16\x03\x01\x00\x00", 5, TLS_HELLO_OTHER},
        {"longer than any", "\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9, TLS_HELLO_OTHER},
        {"empty", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, TLS_HELLO_OTHER},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (tls_hello_read(table[i].bytes, table[i].len, TLS_ALPN_XMPP_SERVER) != table[i].is)
            fail_msg("%s", table[i].proves);
}

struct door {
    struct clock_fake clock;
    struct loop *loop;
    struct parting *parting;
    unsigned known;
    bool servers;
    uv_os_sock_t fd;
};

static void on_known(void *user, uv_os_sock_t fd, const struct sockaddr_storage *peer, bool servers)
{
    struct door *d = user;
    assert_int_equal(peer->ss_family, AF_INET);
    d->known++;
    d->servers = servers;
    d->fd = fd;
}

static void turns(struct door *d)
{
    for (int quiet = 0; quiet < 5;)
        quiet = loop_turn(d->loop) ? 0 : quiet + 1;
}

/* SO_RCVLOWAT is TCP's. */
static int guest_come(struct door *d)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    int s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    assert_true(s >= 0);
    close(l);
    parting_take(d->parting, s, &peer);
    return c;
}

static int door_open(void **state)
{
    struct door *d = test_calloc(1, sizeof *d);
    clock_fake_init(&d->clock);
    d->loop = loop_create("test", &d->clock.clock);
    d->parting = parting_create(d->loop, on_known, d);
    *state = d;
    return 0;
}

static int door_close(void **state)
{
    struct door *d = *state;
    parting_destroy(&d->parting);
    turns(d);
    loop_destroy(&d->loop);
    test_free(d);
    return 0;
}

/* A hello in three pieces: nobody is told before it is whole, and then all of it is still there to read. */
static void in_pieces(void **state)
{
    struct door *d = *state;
    unsigned char hello[8192], again[8192];
    size_t len = make_hello(SERVER, false, hello);
    int c = guest_come(d);
    assert_int_equal(send(c, hello, 3, 0), 3);
    turns(d);
    assert_int_equal(send(c, hello + 3, 40, 0), 40);
    turns(d);
    assert_int_equal(d->known, 0);
    assert_false(loop_turn(d->loop)); /* half of one keeps nobody busy */
    assert_int_equal(send(c, hello + 43, len - 43, 0), (int)len - 43);
    turns(d);
    assert_int_equal(d->known, 1);
    assert_true(d->servers);
    assert_int_equal(recv(d->fd, again, sizeof again, 0), (int)len);
    assert_memory_equal(again, hello, len);
    close(d->fd);
    close(c);
}

/* Whoever is silent, leaves in the midst of it or speaks something else is no server. */
static void others(void **state)
{
    struct door *d = *state;
    int c = guest_come(d);
    turns(d);
    assert_int_equal(d->known, 0);
    clock_fake_advance(&d->clock, 11000);
    turns(d);
    assert_int_equal(d->known, 1);
    assert_false(d->servers);
    close(d->fd);
    close(c);
    for (unsigned i = 0; i < 2; i++) {
        c = guest_come(d);
        assert_int_equal(send(c, i ? "<stream" : "\x16\x03\x01", i ? 7 : 3, 0), i ? 7 : 3);
        turns(d);
        shutdown(c, SHUT_WR);
        turns(d);
        assert_int_equal(d->known, 2 + i);
        assert_false(d->servers);
        close(d->fd);
        close(c);
    }
}

/* Those who are not known when the door goes are closed, and nobody is told. */
static void door_goes(void **state)
{
    struct door *d = *state;
    char byte;
    int c = guest_come(d);
    turns(d);
    parting_destroy(&d->parting);
    turns(d);
    assert_int_equal(d->known, 0);
    assert_int_equal(recv(c, &byte, 1, 0), 0);
    close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hellos),
        cmocka_unit_test(no_hellos),
        cmocka_unit_test_setup_teardown(in_pieces, door_open, door_close),
        cmocka_unit_test_setup_teardown(others, door_open, door_close),
        cmocka_unit_test_setup_teardown(door_goes, door_open, door_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
