/* SPDX-License-Identifier: MIT */
/* Only what the community named is trusted here, never the system's anchors. With a list of revoked certificates each
 * CA of the chain needs one that is in time: without it nobody can be told from who was revoked. */
#include "gateway/net/tls_people.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/ref.h"
#include "gateway/net/tls_internal.h"

enum { CHAIN_DEPTH = 5 };

struct tls_people {
    struct ref ref;
    X509_STORE *trust;
    STACK_OF(X509_NAME) *names; /* of the CAs */
};

static bool load_lists(struct tls_people *p, const char *crl_file, struct error *e)
{
    X509_LOOKUP *files = X509_STORE_add_lookup(p->trust, X509_LOOKUP_file());
    CHECK(files != NULL);
    if (X509_load_crl_file(files, crl_file, X509_FILETYPE_PEM) < 1)
        return tls_session_error(e, crl_file);
    X509_STORE_set_flags(p->trust, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

struct tls_people *tls_people_load(const char *ca_file, const char *crl_file, struct error *e)
{
    struct tls_people *p = mem_new(struct tls_people);
    ref_init(&p->ref);
    ERR_clear_error();
    p->trust = X509_STORE_new();
    CHECK(p->trust != NULL);
    X509_STORE_set_flags(p->trust, X509_V_FLAG_PARTIAL_CHAIN); /* what is named is trusted, a root or not */
    p->names = SSL_load_client_CA_file(ca_file);
    if (!p->names || !X509_STORE_load_file(p->trust, ca_file))
        tls_session_error(e, ca_file);
    else if (!crl_file || load_lists(p, crl_file, e))
        return p;
    tls_people_unref(&p);
    return NULL;
}

struct tls_people *tls_people_ref(struct tls_people *p)
{
    ref_take(&p->ref);
    return p;
}

void tls_people_unref(struct tls_people **pp)
{
    struct tls_people *p = *pp;
    *pp = NULL;
    if (!p || !ref_drop(&p->ref))
        return;
    X509_STORE_free(p->trust);
    sk_X509_NAME_pop_free(p->names, X509_NAME_free);
    mem_free(p);
}

void tls_people_ask(const struct tls_people *p, SSL *ssl)
{
    STACK_OF(X509_NAME) *names = p ? SSL_dup_CA_list(p->names) : NULL;
    SSL_set0_CA_list(ssl, names);
}

static bool is_ca(X509 *cert)
{
    return X509_get_extension_flags(cert) & EXFLAG_CA;
}

bool tls_people_verify(const struct tls_people *p, X509 *cert, STACK_OF(X509) *chain, struct error *e)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CHECK(ctx != NULL && X509_STORE_CTX_init(ctx, p->trust, cert, chain));
    CHECK(X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT));
    X509_STORE_CTX_set_depth(ctx, CHAIN_DEPTH);
    bool good = X509_verify_cert(ctx) == 1;
    if (!good)
        error_set(e, ERROR_INVALID, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    else if (is_ca(cert))
        good = error_set(e, ERROR_INVALID, "it is a CA's own");
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

/* ---- addresses ---- */

static bool is_xmpp_addr(const GENERAL_NAME *n)
{
    char oid[64];
    if (n->type != GEN_OTHERNAME || n->d.otherName->value->type != V_ASN1_UTF8STRING)
        return false;
    OBJ_obj2txt(oid, sizeof oid, n->d.otherName->type_id, 1);
    return strcmp(oid, "1.3.6.1.5.5.7.8.5") == 0;
}

void tls_cert_addresses(X509 *cert, void (*each)(void *user, struct span address), void *user)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (!is_xmpp_addr(n))
            continue;
        const ASN1_STRING *text = n->d.otherName->value->value.utf8string;
        each(user, (struct span){(const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)});
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}
