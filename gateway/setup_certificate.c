/* SPDX-License-Identifier: MIT */
/* The certificate: one of our own at first, then certbot's, which its deploy hook copies to where the service may
 * read it. The names are the domain's, and those of its rooms and uploads. */
#include "gateway/setup_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "gateway/base/bytes.h"
#include "gateway/records.h"

enum { SELF_SIGNED_DAYS = 30 };

extern char **environ;

static X509 *make_certificate(const char *domain, const char *alt_names, EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt_names);
    bool made = name && alt && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
                X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
                X509_gmtime_adj(X509_getm_notAfter(x), SELF_SIGNED_DAYS * 86400L) &&
                X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)domain, -1, -1, 0) &&
                X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) && X509_add_ext(x, alt, -1) &&
                X509_sign(x, key, EVP_sha256());
    X509_EXTENSION_free(alt);
    if (made)
        return x;
    X509_free(x);
    return NULL;
}

static const char *pem_of(struct arena *a, X509 *x, EVP_PKEY *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    bool written =
        out && (x ? PEM_write_bio_X509(out, x) : PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
    long len = written ? BIO_get_mem_data(out, &data) : 0;
    const char *text = len > 0 ? arena_dup_n(a, data, (size_t)len) : NULL;
    BIO_free(out);
    return text;
}

bool setup_self_signed(const struct setup *s, struct error *e)
{
    struct arena a;
    arena_init(&a);
    const char *names = arena_printf(&a, "DNS:%s", s->ascii);
    for (const char *const *part = records_parts; *part; part++)
        names = arena_printf(&a, "%s,DNS:%s%s", names, *part, s->ascii);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? make_certificate(s->domain, names, key) : NULL;
    const char *chain = x ? pem_of(&a, x, NULL) : NULL, *secret = x ? pem_of(&a, NULL, key) : NULL;
    bool held = chain && secret ? setup_write(s, s->chain, 0644, chain, e) && setup_write(s, s->key, 0640, secret, e)
                                : error_set(e, ERROR_INVALID, "a certificate for %s cannot be made", s->domain);
    ERR_clear_error();
    X509_free(x);
    EVP_PKEY_free(key);
    arena_fini(&a);
    return held;
}

bool setup_write_hook(const struct setup *s, struct error *e)
{
    struct bytes text = BYTES_EMPTY;
    bytes_printf(
        &text,
        "#!/bin/sh\n"
        "# Written by `causeway setup`. certbot calls it after the first certificate and after each renewal: the\n"
        "# service may not read certbot's own folders.\n"
        "set -e\n"
        "case \" $RENEWED_DOMAINS \" in *\" %s \"*) ;; *) exit 0 ;; esac\n"
        "umask 027\n"
        "cp \"$RENEWED_LINEAGE/fullchain.pem\" '%s.new'\n"
        "cp \"$RENEWED_LINEAGE/privkey.pem\" '%s.new'\n"
        "chmod 0644 '%s.new'\n"
        "chmod 0640 '%s.new'\n"
        "chgrp --reference='%s' '%s.new'\n"
        "mv '%s.new' '%s'\n"
        "mv '%s.new' '%s'\n"
        "# Causeway sees the new files by itself. Who is connected stays connected.\n",
        s->ascii, s->chain, s->key, s->chain, s->key, s->key, s->key, s->chain, s->chain, s->key, s->key);
    bool held = setup_write(s, s->hook, 0750, bytes_text(&text), e);
    bytes_fini(&text);
    return held;
}

int setup_run(const char *const *argv)
{
    pid_t child;
    int status = 0;
    fflush(stdout);
    if (posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ) != 0)
        return 127;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool setup_run_certbot(struct setup *s)
{
    const char *const argv[] = {"certbot",
                                "certonly",
                                "--standalone",
                                "--non-interactive",
                                "--agree-tos",
                                "-m",
                                s->certificate,
                                "-d",
                                s->ascii,
                                "-d",
                                arena_printf(&s->arena, "rooms.%s", s->ascii),
                                "-d",
                                arena_printf(&s->arena, "upload.%s", s->ascii),
                                "--deploy-hook",
                                s->hook,
                                NULL};
    int status = setup_run(argv);
    if (status == 0)
        return true;
    printf("%s When %s, rooms.%s and upload.%s lead to this machine and its port 80 is free and open:\n\n   ",
           status == 127 ? "certbot is not here: apt-get install certbot." : "certbot did not get a certificate yet.",
           s->ascii, s->ascii, s->ascii);
    for (const char *const *word = argv; *word; word++)
        printf(" %s", *word);
    printf("\n\nWhere port 80 cannot be had: any of certbot's DNS plugins instead of --standalone.\n");
    return false;
}
