/* SPDX-License-Identifier: MIT */
/* SASL EXTERNAL by certificates of people (XEP-0178): who is offered it, whom it lets in, and that nobody else notices. */
#include "test/unit/c2s/client_scram.h"
#include "test/unit/c2s/outside.h"

#define DOMAIN "montague.example"
#define XMPP(address) "otherName:1.3.6.1.5.5.7.8.5;UTF8:" address
#define AGENT "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Test</software></user-agent>"

enum made { BY_CA, BY_STRANGER, BY_ITSELF, AS_CA, REVOKED };

struct person {
    const char *san;
    enum made made;
    const char *usage; /* NULL: clientAuth */
    long days;         /* 0: 30 */
};

/* A list of the test's CA; `serial` 0: of nobody. */
static void write_list(struct world *w, long serial, const char *file)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *at = ASN1_TIME_new();

    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(w->pki.ca));
    X509_CRL_set1_lastUpdate(list, X509_gmtime_adj(at, -3600));
    if (serial) {
        X509_REVOKED *one = X509_REVOKED_new();
        ASN1_INTEGER *number = ASN1_INTEGER_new();
        ASN1_INTEGER_set(number, serial);
        X509_REVOKED_set_serialNumber(one, number);
        X509_REVOKED_set_revocationDate(one, at);
        X509_CRL_add0_revoked(list, one);
        ASN1_INTEGER_free(number);
    }
    X509_CRL_set1_nextUpdate(list, X509_gmtime_adj(at, 3600));
    X509_CRL_sign(list, w->pki.ca_key, EVP_sha256());
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    PEM_write_X509_CRL(f, list);
    fclose(f);
    ASN1_TIME_free(at);
    X509_CRL_free(list);
}

static void trust_but(struct world *w, long serial)
{
    struct error e = ERROR_INIT;
    char file[128];

    snprintf(file, sizeof file, "%s/list.pem", w->pki.dir);
    write_list(w, serial, file);
    if (!tls_store_set_people(w->tls, DOMAIN, w->pki.ca_file, file, &e))
        fail_msg("%s", e.text);
    unlink(file);
}

static struct pki_files issue(struct world *w, const struct person *p)
{
    struct pki_files f;
    struct pki stranger;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = pki_cert(&w->pki, key, "a person", p->days ? p->days : 30);

    if (p->made == BY_STRANGER)
        pki_init(&stranger);
    pki_ext(cert, w->pki.ca, NID_subject_alt_name, p->san);
    pki_ext(cert, w->pki.ca, NID_ext_key_usage, p->usage ? p->usage : "clientAuth");
    if (p->made == AS_CA)
        pki_ext(cert, w->pki.ca, NID_basic_constraints, "critical,CA:TRUE");
    if (p->made == BY_ITSELF)
        X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_sign(cert, p->made == BY_ITSELF ? key : p->made == BY_STRANGER ? stranger.ca_key : w->pki.ca_key, EVP_sha256());
    snprintf(f.chain, sizeof f.chain, "%s/%ld.crt", w->pki.dir, w->pki.serial);
    snprintf(f.key, sizeof f.key, "%s/%ld.key", w->pki.dir, w->pki.serial);
    pki_save(f.chain, cert, NULL);
    pki_save(f.key, NULL, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    if (p->made == BY_STRANGER)
        pki_fini(&stranger);
    return f;
}

static void auth(struct client *c, const char *authzid)
{
    struct bytes b64 = BYTES_EMPTY;

    base64_encode(&b64, authzid, strlen(authzid));
    client_send(c, "<auth " SASL " mechanism='EXTERNAL'>");
    client_send(c, *authzid ? bytes_text(&b64) : "=");
    client_send(c, "</auth>");
    bytes_fini(&b64);
}

static bool is_offered(const struct client *c)
{
    return strstr(c->got, "<mechanism>EXTERNAL</mechanism>") != NULL;
}

#define ROMEO XMPP("romeo@montague.example")
#define MERCUTIO XMPP("mercutio@montague.example")
#define FOREIGN XMPP("romeo@capulet.example")

static void who_gets_in(void **state)
{
    static const struct {
        struct person person; /* san NULL: shows no certificate */
        const char *authzid;
        const char *want; /* NULL: EXTERNAL is not offered, and refused */
        const char *proves;
    } rows[] = {
        {{.san = ROMEO}, "", "<success", "the certificate says who it is"},
        {{.san = ROMEO}, "romeo@montague.example", "<success", "so does the client"},
        {{.san = ROMEO}, "mercutio@montague.example", "<invalid-authzid/>", "somebody else"},
        {{.san = ROMEO}, "romeo@montague.example/orchard", "<invalid-authzid/>", "no full JID"},
        {{.san = ROMEO}, "@", "<invalid-authzid/>", "no JID at all"},
        {{.san = XMPP("ROMEO@Montague.Example")}, "", "<success", "prepared as any JID"},
        {{.san = ROMEO "," ROMEO}, "", "<success", "one address twice is one"},
        {{.san = ROMEO "," MERCUTIO}, "", "<invalid-authzid/>", "of several one must be named"},
        {{.san = ROMEO "," MERCUTIO}, "mercutio@montague.example", "<success", "and is"},
        {{.san = FOREIGN "," MERCUTIO}, "", "<success", "what is of another domain does not count"},
        {{.san = FOREIGN "," MERCUTIO}, "romeo@capulet.example", "<invalid-authzid/>", "nor does it open anything here"},
        {{.san = XMPP("tybalt@montague.example")}, "", "<account-disabled/>", "disabled"},
        {{.san = XMPP("nobody@montague.example")}, "", "<not-authorized/>", "there is no such account"},
        {{.san = NULL}, "", NULL, "without a certificate"},
        {{.san = FOREIGN}, "", NULL, "of another domain"},
        {{.san = XMPP("montague.example")}, "", NULL, "the domain's own address is nobody's"},
        {{.san = XMPP("romeo@montague.example/orchard")}, "", NULL, "names no account"},
        {{.san = "email:romeo@montague.example"}, "", NULL, "no address of XMPP"},
        {{.san = ROMEO, .days = -1}, "", NULL, "expired"},
        {{.san = ROMEO, .usage = "serverAuth"}, "", NULL, "of a server"},
        {{.san = ROMEO, .made = BY_ITSELF}, "", NULL, "signed by itself"},
        {{.san = ROMEO, .made = BY_STRANGER}, "", NULL, "in the CA's name, but not by it"},
        {{.san = ROMEO, .made = AS_CA}, "", NULL, "a CA's"},
        {{.san = ROMEO, .made = REVOKED}, "", NULL, "revoked"},
    };
    struct fixture *f = *state;
    struct client c;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pki_files files;
        print_message("  %s\n", rows[i].proves);
        if (rows[i].person.san)
            files = issue(&f->w, &rows[i].person);
        f->w.shown = rows[i].person.san ? &files : NULL;
        trust_but(&f->w, rows[i].person.made == REVOKED ? f->w.pki.serial : 0);
        client_secure_stage(&c, &f->w);
        assert_int_equal(is_offered(&c), rows[i].want != NULL);
        auth(&c, rows[i].authzid);
        client_expect(&c, rows[i].want ? rows[i].want : "<invalid-mechanism/>");
        if (!rows[i].want || strcmp(rows[i].want, "<success") != 0) { /* the password opens all the same */
            client_expect(&c, "</failure>");
            client_auth_plain(&c, "", "romeo", "rose");
            client_expect(&c, "<success");
        }
        client_close(&c);
    }
}

/* Nobody is asked where no CA is named. */
static void off_by_default(void **state)
{
    struct fixture *f = *state;
    struct pki_files files = issue(&f->w, &(struct person){.san = ROMEO});
    struct client c;

    f->w.shown = &files;
    client_secure_stage(&c, &f->w);
    assert_false(is_offered(&c));
    assert_true(sk_X509_NAME_num(SSL_get0_peer_CA_list(c.ssl)) <= 0);
    auth(&c, "");
    client_expect(&c, "<invalid-mechanism/>");
    client_close(&c);
}

/* First of all in both spellings, with the CA's name in the handshake; the empty challenge too (RFC 6120 6.4.2). */
static void offered_first(void **state)
{
    struct fixture *f = *state;
    struct pki_files files = issue(&f->w, &(struct person){.san = ROMEO});
    struct client c;

    trust_but(&f->w, 0);
    f->w.shown = &files;
    client_secure_stage(&c, &f->w);
    assert_non_null(strstr(c.got, "<authentication " SASL2 "><mechanism>EXTERNAL</mechanism><mechanism>SCRAM"));
    assert_non_null(strstr(c.got, "<mechanisms " SASL "><mechanism>EXTERNAL</mechanism><mechanism>SCRAM"));
    assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(c.ssl)), 1);
    client_send(&c, "<auth " SASL " mechanism='EXTERNAL'/>");
    client_expect(&c, "<challenge");
    client_send(&c, "<response " SASL "/>");
    client_expect(&c, "<success");
    client_close(&c);
    client_secure_stage(&c, &f->w);
    client_scram(&c, &spelt_sasl, SCRAM_SHA256, "romeo", "rose", (struct bound){0}, "<success"); /* XEP-0474 fits */
    client_close(&c);
}

/* By XEP-0388, bound at once. No token is given, which would outlive the certificate, and no keys are taken from who
 * showed no password. */
static void bound_at_once(void **state)
{
    struct fixture *f = *state;
    struct pki_files files = issue(&f->w, &(struct person){.san = ROMEO});
    struct client c;

    trust_but(&f->w, 0);
    f->w.shown = &files;
    client_secure_stage(&c, &f->w);
    client_send(&c, "<authenticate " SASL2 " mechanism='EXTERNAL'><initial-response>=</initial-response>" AGENT
                    "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-512</upgrade>"
                    "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
                    "<bind xmlns='urn:xmpp:bind:0'><tag>Test</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind></authenticate>");
    client_expect(&c, "<success");
    client_expect(&c, "</success>");
    assert_non_null(strstr(c.got, "<authorization-identifier>romeo@montague.example/Test/"));
    assert_non_null(strstr(c.got, "<enabled"));
    assert_null(strstr(c.got, "<token"));
    client_close(&c);
}

/* TLS from the first byte, and a resumed session: it brings the certificate, which is judged anew. */
static void resumed_tls(void **state)
{
    struct fixture *f = *state;
    struct pki_files files = issue(&f->w, &(struct person){.san = ROMEO});
    long serial = f->w.pki.serial;
    struct client c;

    trust_but(&f->w, 0);
    f->w.shown = &files;
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            trust_but(&f->w, serial);
        client_open(&c, &f->w, 1);
        client_secure(&c, "\x0bxmpp-client");
        client_send(&c, HEADER(DOMAIN));
        client_expect(&c, "</stream:features>");
        assert_int_equal(SSL_session_reused(c.ssl), i > 0);
        assert_int_equal(is_offered(&c), i < 2);
        auth(&c, "");
        client_expect(&c, i < 2 ? "<success" : "<invalid-mechanism/>");
        if (!i)
            f->w.resumed = SSL_get1_session(c.ssl);
        f->w.shown = NULL; /* not needed any more */
        SSL_set_shutdown(c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or the session is spoilt */
        client_close(&c);
    }
    SSL_SESSION_free(f->w.resumed);
}

/* ---- where a directory has the accounts ---- */

static int open_seeing(void **state)
{
    return outside_open(state, TOGETHER, (struct directory_options){.cache_s = 600});
}

/* Beside PLAIN, and the person must be there now: what was so a while ago will not do. */
static void a_directory_is_asked(void **state)
{
    static const struct {
        const char *proves, *san, *want;
        bool away, is_gone;
    } rows[] = {
        {"who is there has an account, and is in", ROMEO, "<success", false, false},
        {"who has none yet gets one, as by a password", XMPP("nurse@montague.example"), "<success", false, false},
        {"who has left is out, though somebody was there a while ago", ROMEO, "<not-authorized/>", false, true},
        {"nobody can be asked", ROMEO, "<temporary-auth-failure/>", true, false},
    };
    struct outside *out = *state;
    struct fixture *f = out->f;
    struct client c;

    trust_but(&f->w, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("  %s\n", rows[i].proves);
        struct pki_files files = issue(&f->w, &(struct person){.san = rows[i].san});
        f->w.shown = &files;
        pthread_mutex_lock(&out->script.lock);
        out->script.away = rows[i].away;
        out->script.is_gone = rows[i].is_gone;
        out->script.proofs = 0;
        pthread_mutex_unlock(&out->script.lock);
        client_secure_stage(&c, &f->w);
        assert_non_null(strstr(c.got, "<mechanism>EXTERNAL</mechanism><mechanism>PLAIN</mechanism>"));
        auth(&c, "");
        client_expect(&c, rows[i].want);
        assert_int_equal(out->script.proofs, 0); /* there is no password to ask about */
        client_close(&c);
    }
    assert_string_equal(f->x.changed, "romeo@" DOMAIN " nurse@" DOMAIN " "); /* the accounts are the directory's now */
}

/* Nobody may look whether somebody is still there. */
static void not_offered_without_eyes(void **state)
{
    struct outside *out = *state;
    struct pki_files files = issue(&out->f->w, &(struct person){.san = ROMEO});
    struct client c;

    trust_but(&out->f->w, 0);
    out->f->w.shown = &files;
    client_secure_stage(&c, &out->f->w);
    assert_false(is_offered(&c));
    auth(&c, "");
    client_expect(&c, "<invalid-mechanism/>");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(who_gets_in), BOTH(off_by_default), BOTH(offered_first), BOTH(bound_at_once), BOTH(resumed_tls),
        cmocka_unit_test_setup_teardown(a_directory_is_asked, open_seeing, outside_close),
        cmocka_unit_test_setup_teardown(not_offered_without_eyes, outside_open_blind, outside_close),
    };
    return cmocka_run_group_tests_name("c2s_external", tests, NULL, NULL);
}
