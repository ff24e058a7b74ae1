/* SPDX-License-Identifier: MIT */
/* Which names a certificate proves, and what a store says to bad files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/net/tls.h"
#include "pki.h"

#define XMPP_ADDR "otherName:1.3.6.1.5.5.7.8.5;UTF8:"
#define SRV_NAME  "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:"

static const struct {
    const char *san, *domain;
    bool matches;
    const char *proves;
} rows[] = {
    {"DNS:a.example", "a.example", true, "the name itself"},
    {"DNS:A.Example", "a.example", true, "without case"},
    {"DNS:a.example", "b.a.example", false, "no suffix match"},
    {"DNS:a.example", "example", false, "no parent match"},
    {"DNS:x.example,DNS:a.example", "a.example", true, "any of several"},
    {"DNS:*.example.org", "a.example.org", true, "RFC 6125 6.4.3: a wildcard label"},
    {"DNS:*.example.org", "b.a.example.org", false, "one label only"},
    {"DNS:*.example.org", "example.org", false, "not none"},
    {"DNS:a*.example.org", "ab.example.org", false, "no partial wildcard"},
    {"DNS:*.org", "example.org", false, "no wildcard above a single label"},
    {XMPP_ADDR "a.example", "a.example", true, "RFC 6120 13.7.1.4: XmppAddr"},
    {XMPP_ADDR "*.example.org", "a.example.org", false, "which knows no wildcard"},
    {SRV_NAME "_xmpp-server.a.example", "a.example", true, "RFC 4985: SRV-ID"},
    {SRV_NAME "_imap.a.example", "a.example", false, "of another service"},
    {SRV_NAME "_xmpp-client.a.example", "a.example", false, "clients' service proves no server"},
    {"DNS:xn--bcher-kva.example",
     "b\xc3\xbc"
     "cher.example",
     true, "U-label asked, A-label there"},
    {"email:a@a.example,IP:127.0.0.1", "a.example", false, "other kinds of names"},
    {"DNS:a.example", "", false, "an empty name"},
};

static X509 *load(const char *file)
{
    FILE *f = fopen(file, "r");
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(cert);
    return cert;
}

static void names(void **state)
{
    (void)state;
    struct pki p;
    pki_init(&p);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* The common name proves nothing (RFC 9525 2). */
        struct pki_files f = pki_issue(&p, *rows[i].domain ? rows[i].domain : "-", rows[i].san, 1);
        X509 *cert = load(f.chain);
        if (tls_cert_matches(cert, rows[i].domain) != rows[i].matches)
            fail_msg("%s: %s, %s", rows[i].proves, rows[i].san, rows[i].domain);
        X509_free(cert);
    }
    pki_fini(&p);
}

static void bad_files(void **state)
{
    (void)state;
    struct pki p;
    struct error e = ERROR_INIT;
    pki_init(&p);
    struct pki_files a = pki_issue(&p, "a.example", "DNS:a.example", 1);
    struct pki_files b = pki_issue(&p, "b.example", "DNS:b.example", 1);
    assert_null(tls_store_create("/nowhere/ca.pem", &e));
    assert_non_null(strstr(e.text, "/nowhere/ca.pem"));
    struct tls_store *s = tls_store_create(p.ca_file, &e);
    assert_non_null(s);
    assert_false(tls_store_set(s, "a.example", "/nowhere/a.crt", a.key, &e));
    assert_non_null(strstr(e.text, "/nowhere/a.crt"));
    assert_false(tls_store_set(s, "a.example", a.chain, b.key, &e)); /* another's key */
    assert_non_null(strstr(e.text, b.key));
    assert_false(tls_certificate_covers(s, "a.example")); /* nothing has changed */
    assert_true(tls_store_set(s, "a.example", a.chain, a.key, &e));
    assert_true(tls_certificate_covers(s, "a.example"));
    assert_true(tls_store_set(s, "c.example", a.chain, a.key, &e));
    assert_false(tls_certificate_covers(s, "c.example"));
    assert_false(tls_store_set(s, "a.example", b.chain, a.key, &e)); /* the old one stays */
    assert_true(tls_certificate_covers(s, "a.example"));
    tls_store_destroy(&s);
    pki_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(bad_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
