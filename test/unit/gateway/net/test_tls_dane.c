/* SPDX-License-Identifier: MIT */
/* A client that knows TLSA records of its server: which certificates they prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "gateway/net/wire.h"
#include "pki.h"

struct end {
    struct wire *wire; /* NULL once ended */
    struct tls_info info;
    bool secured, proves;
};

static void on_bytes(void *user, const char *data, size_t len)
{
    (void)user, (void)data, (void)len;
}

static void on_secure(void *user, const struct tls_info *info)
{
    struct end *s = user;
    s->info = *info;
    s->secured = true;
    s->proves = info->dane == TLS_DANE_MATCHED ||
                (info->dane == TLS_DANE_NONE && info->peer_chain_valid && tls_cert_matches(info->peer_cert, "montague.example"));
}

static void on_end(void *user, enum wire_end end, const struct error *e)
{
    (void)end, (void)e;
    ((struct end *)user)->wire = NULL;
}

enum data { OF_CERT, OF_KEY, OF_AUTHORITY, OF_NOTHING };

#define NAMED "DNS:montague.example"
static const struct row {
    const char *proves;
    const char *san;
    bool foreign; /* issued by an authority that we do not know */
    long days;
    struct {
        uint8_t usage, selector, matching;
        enum data of;
    } records[3];
    unsigned count;
    enum tls_dane_verdict verdict;
    bool is_proved, chain_valid;
} rows[] = {
    {"no records: chain and name decide", NAMED, false, 30, {{0}}, 0, TLS_DANE_NONE, true, true},
    {"no records: an unknown authority proves nothing", NAMED, true, 30, {{0}}, 0, TLS_DANE_NONE, false, false},
    {"3 1 1: the key is enough", NAMED, true, 30, {{3, 1, 1, OF_KEY}}, 1, TLS_DANE_MATCHED, true, false},
    {"3 0 1: the certificate", NAMED, true, 30, {{3, 0, 1, OF_CERT}}, 1, TLS_DANE_MATCHED, true, false},
    {"3 0 0: the whole of it", NAMED, true, 30, {{3, 0, 0, OF_CERT}}, 1, TLS_DANE_MATCHED, true, false},
    {"3 1 2: SHA-512", NAMED, true, 30, {{3, 1, 2, OF_KEY}}, 1, TLS_DANE_MATCHED, true, false},
    {"RFC 7671 5.1: with 3, names do not matter", "DNS:other.example", true, 30, {{3, 1, 1, OF_KEY}}, 1, TLS_DANE_MATCHED, true,
     false},
    {"RFC 7671 5.1: with 3, times do not matter", NAMED, true, -1, {{3, 1, 1, OF_KEY}}, 1, TLS_DANE_MATCHED, true, false},
    {"one of several is enough (a new key is on its way)", NAMED, true, 30, {{3, 1, 1, OF_NOTHING}, {3, 1, 1, OF_KEY}}, 2,
     TLS_DANE_MATCHED, true, false},
    {"another key", NAMED, true, 30, {{3, 1, 1, OF_NOTHING}}, 1, TLS_DANE_DIFFERENT, false, false},
    {"another key, though an authority that we know says it is theirs", NAMED, false, 30, {{3, 1, 1, OF_NOTHING}}, 1,
     TLS_DANE_DIFFERENT, false, false},
    {"2 0 0: their own authority, and the domain's name", NAMED, true, 30, {{2, 0, 0, OF_AUTHORITY}}, 1, TLS_DANE_MATCHED, true,
     false},
    {"2 0 0: the host's name is one too (RFC 7673 4)", "DNS:xmpp.montague.example", true, 30, {{2, 0, 0, OF_AUTHORITY}}, 1,
     TLS_DANE_MATCHED, true, false},
    {"2 0 0: SRV-ID", "otherName:1.3.6.1.5.5.7.8.7;IA5:_xmpp-server.montague.example", true, 30, {{2, 0, 0, OF_AUTHORITY}}, 1,
     TLS_DANE_MATCHED, true, false},
    {"2 0 0: somebody else's name", "DNS:other.example", true, 30, {{2, 0, 0, OF_AUTHORITY}}, 1, TLS_DANE_DIFFERENT, false, false},
    {"2 0 0: expired", NAMED, true, -1, {{2, 0, 0, OF_AUTHORITY}}, 1, TLS_DANE_DIFFERENT, false, false},
    {"1 1 1: that key, by an authority that we know", NAMED, false, 30, {{1, 1, 1, OF_KEY}}, 1, TLS_DANE_MATCHED, true, true},
    {"1 1 1: that key, by one that we do not", NAMED, true, 30, {{1, 1, 1, OF_KEY}}, 1, TLS_DANE_DIFFERENT, false, false},
    {"1 1 1: that key, under another name", "DNS:other.example", false, 30, {{1, 1, 1, OF_KEY}}, 1, TLS_DANE_DIFFERENT, false, true},
    {"records that nobody knows are none", NAMED, false, 30, {{3, 1, 77, OF_KEY}, {9, 1, 1, OF_KEY}}, 2, TLS_DANE_NONE, true, true},
    {"a digest of a wrong length is none", NAMED, false, 30, {{3, 1, 2, OF_NOTHING}}, 1, TLS_DANE_NONE, true, true},
};

/* Writes what a record holds; its length. */
static size_t record_data(const struct row *r, unsigned i, X509 *cert, X509 *authority, unsigned char out[2048])
{
    unsigned char der[2048], *p = der;
    unsigned len = 0;
    enum data of = r->records[i].of;
    if (of == OF_NOTHING) {
        memset(out, 7, 32);
        return 32;
    }
    int n = of == OF_KEY ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &p)
                         : i2d_X509(of == OF_AUTHORITY ? authority : cert, &p);
    assert_true(n > 0 && (size_t)n <= sizeof der);
    if (r->records[i].matching == 0) {
        memcpy(out, der, (size_t)n);
        return (size_t)n;
    }
    EVP_Digest(der, (size_t)n, out, &len, r->records[i].matching == 2 ? EVP_sha512() : EVP_sha256(), NULL);
    return len;
}

static X509 *read_cert(const char *file)
{
    FILE *f = fopen(file, "r");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    assert_non_null(cert);
    fclose(f);
    return cert;
}

static void open_end(struct end *s, struct loop *l, int fd)
{
    static const struct wire_events events = {on_bytes, on_secure, NULL, on_end};
    s->wire = wire_open(l, fd, &events, s);
    wire_resume(s->wire);
}

static void run_row(const struct row *r, struct loop *l, struct pki *known, struct pki *unknown)
{
    struct error e = ERROR_INIT;
    struct end server = {0}, client = {0};
    struct tls_dane_record records[3];
    unsigned char data[3][2048];
    struct pki *issuer = r->foreign ? unknown : known;
    struct pki_files f = pki_issue(issuer, "montague.example", r->san, r->days);
    struct tls_store *ours = tls_store_create(known->ca_file, &e), *theirs = tls_store_create(unknown->ca_file, &e);
    assert_true(tls_store_set(theirs, "montague.example", f.chain, f.key, &e));
    X509 *cert = read_cert(f.chain);
    for (unsigned i = 0; i < r->count; i++)
        records[i] = (struct tls_dane_record){r->records[i].usage, r->records[i].selector, r->records[i].matching, data[i],
                                              record_data(r, i, cert, issuer->ca, data[i])};
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    open_end(&server, l, fd[0]);
    open_end(&client, l, fd[1]);
    wire_accept_tls(server.wire, theirs, NULL, TLS_ASK_NOBODY, TLS_ALPN_NONE);
    wire_connect_tls(client.wire, ours, &(struct tls_peer){.name = "montague.example",
                                                           .dane_host = "xmpp.montague.example",
                                                           .dane = records,
                                                           .dane_count = r->count});
    for (int i = 0; i < 100; i++)
        loop_turn(l);
    if (!client.secured || client.info.dane != r->verdict || client.proves != r->is_proved ||
        client.info.peer_chain_valid != r->chain_valid)
        fail_msg("%s: secured %d, verdict %d, proved %d, chain %d", r->proves, client.secured, client.info.dane, client.proves,
                 client.info.peer_chain_valid);
    if (server.wire)
        wire_abort(server.wire);
    if (client.wire)
        wire_abort(client.wire);
    while (server.wire || client.wire)
        loop_turn(l);
    X509_free(cert);
    tls_store_destroy(&ours);
    tls_store_destroy(&theirs);
}

static void verdicts(void **state)
{
    (void)state;
    struct clock_fake clock;
    struct pki known, unknown;
    clock_fake_init(&clock);
    struct loop *l = loop_create("test", &clock.clock);
    pki_init(&known);
    pki_init(&unknown);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i], l, &known, &unknown);
    pki_fini(&known);
    pki_fini(&unknown);
    loop_destroy(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
