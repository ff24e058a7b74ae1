/* SPDX-License-Identifier: MIT */
/* A certificate authority of a test's own: P-256 keys and certificates as PEM files in a new
 * folder. */
#ifndef CAUSEWAY_TEST_PKI_H
#define CAUSEWAY_TEST_PKI_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pki {
    char dir[64];
    char ca_file[96];
    EVP_PKEY *ca_key;
    X509 *ca;
    long serial;
};

struct pki_files {
    char chain[96], key[96];
};

static inline void pki_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!ext)
        abort();
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

static inline X509 *pki_cert(struct pki *p, EVP_PKEY *key, const char *name, long days)
{
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++p->serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400 * 30);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * days);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(p->ca ? p->ca : cert));
    return cert;
}

static inline void pki_save(const char *file, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(file, "w");
    if (!f)
        abort();
    if (cert)
        PEM_write_X509(f, cert);
    if (key)
        PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static inline void pki_init(struct pki *p)
{
    memset(p, 0, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/causeway-pki-XXXXXX");
    if (!mkdtemp(p->dir))
        abort();
    snprintf(p->ca_file, sizeof p->ca_file, "%s/ca.pem", p->dir);
    p->ca_key = EVP_EC_gen("P-256");
    X509 *ca = pki_cert(p, p->ca_key, "Causeway test CA", 365);
    pki_ext(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    pki_ext(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    X509_sign(ca, p->ca_key, EVP_sha256());
    p->ca = ca;
    pki_save(p->ca_file, ca, NULL);
}

/* `san` in OpenSSL's words: "DNS:a.example,otherName:1.3.6.1.5.5.7.8.5;UTF8:a.example". */
static inline struct pki_files pki_issue_key(struct pki *p, EVP_PKEY *key, const char *name, const char *san,
                                             long days)
{
    struct pki_files f;
    X509 *cert = pki_cert(p, key, name, days);
    pki_ext(cert, p->ca, NID_subject_alt_name, san);
    pki_ext(cert, p->ca, NID_ext_key_usage, "serverAuth");
    X509_sign(cert, p->ca_key, EVP_sha256());
    snprintf(f.chain, sizeof f.chain, "%s/%ld.crt", p->dir, p->serial);
    snprintf(f.key, sizeof f.key, "%s/%ld.key", p->dir, p->serial);
    pki_save(f.chain, cert, NULL);
    pki_save(f.key, NULL, key);
    X509_free(cert);
    EVP_PKEY_free(key);
    return f;
}

static inline struct pki_files pki_issue(struct pki *p, const char *name, const char *san, long days)
{
    return pki_issue_key(p, EVP_EC_gen("P-256"), name, san, days);
}

static inline void pki_fini(struct pki *p)
{
    char file[128];
    for (long i = 0; i <= p->serial; i++) {
        snprintf(file, sizeof file, "%s/%ld.crt", p->dir, i);
        unlink(file);
        snprintf(file, sizeof file, "%s/%ld.key", p->dir, i);
        unlink(file);
    }
    unlink(p->ca_file);
    rmdir(p->dir);
    X509_free(p->ca);
    EVP_PKEY_free(p->ca_key);
}

#endif
