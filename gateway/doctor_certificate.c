/* SPDX-License-Identifier: MIT */
/* A community's certificate: for which names, how long, whether others will trust it, and who may read its key. */
#include "gateway/doctor_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/net/tls.h"
#include "gateway/owner.h"
#include "gateway/records.h"

enum { SOON_DAYS = 14 };

/* The first is the leaf. NULL: none could be read. */
static STACK_OF(X509) *read_chain(const char *file)
{
    FILE *f = fopen(file, "re");
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (X509 *x; f && chain && (x = PEM_read_X509(f, NULL, NULL, NULL));)
        sk_X509_push(chain, x);
    if (f)
        fclose(f);
    ERR_clear_error();
    if (sk_X509_num(chain) > 0)
        return chain;
    sk_X509_free(chain);
    return NULL;
}

static void say_names(struct doctor *d, const char *domain, const char *file, X509 *leaf)
{
    if (!tls_cert_matches(leaf, domain)) {
        doctor_say(d, DOCTOR_WRONG,
                   arena_printf(&d->arena, "get one that names %s, rooms.%s and upload.%s", domain, domain, domain),
                   "certificate %s is not for %s", file, domain);
        return;
    }
    doctor_say(d, DOCTOR_GOOD, NULL, "certificate %s is for %s", file, domain);
    for (const char *const *part = records_parts; *part; part++) {
        const char *name = arena_printf(&d->arena, "%s%s", *part, domain);
        if (!tls_cert_matches(leaf, name))
            doctor_say(d, DOCTOR_NOTE, "add that name when you renew it", "certificate %s lacks %s", file, name);
    }
}

static void say_time(struct doctor *d, const char *file, X509 *leaf)
{
    int days = 0, seconds = 0;
    bool told = ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) == 1;
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
        doctor_say(d, DOCTOR_WRONG, "is this machine's clock right? `date -u`", "certificate %s is not valid yet",
                   file);
    else if (!told || days < 0 || seconds < 0)
        doctor_say(d, DOCTOR_WRONG, "renew it: certbot renew", "certificate %s has ended", file);
    else
        doctor_say(d, days < SOON_DAYS ? DOCTOR_NOTE : DOCTOR_GOOD,
                   days < SOON_DAYS ? "is it renewed by itself? systemctl list-timers 'certbot*'" : NULL,
                   "certificate %s is valid for %d days more", file, days);
}

static void say_trust(struct doctor *d, const char *file, STACK_OF(X509) *chain)
{
    X509 *leaf = sk_X509_value(chain, 0);
    X509_STORE *trust = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    const char *ca = d->c->ca_file;
    if (trust && ctx && (ca ? X509_STORE_load_file(trust, ca) : X509_STORE_set_default_paths(trust)) &&
        X509_STORE_CTX_init(ctx, trust, leaf, chain)) {
        if (X509_verify_cert(ctx) == 1)
            doctor_say(d, DOCTOR_GOOD, NULL, "certificate %s is trusted", file);
        else
            doctor_say(d, DOCTOR_WRONG,
                       sk_X509_num(chain) == 1 && X509_check_issued(leaf, leaf) == X509_V_OK
                           ? "get one from an authority: clients and servers refuse one that vouches for itself"
                       : sk_X509_num(chain) == 1
                           ? "give the whole chain: of certbot's files fullchain.pem, not cert.pem"
                           : "get one from an authority that clients know",
                       "certificate %s is not trusted: %s", file,
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    ERR_clear_error();
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(trust);
}

/* Who serves must be able to read both; the world must not be able to read the key. */
static void say_readers(struct doctor *d, const char *certificate, const char *key)
{
    const char *const files[] = {certificate, key};
    struct stat st;
    uid_t uid;
    gid_t gid;
    if (stat(key, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & S_IRWXO)
        doctor_say(d, DOCTOR_WRONG, arena_printf(&d->arena, "chmod o= %s", key), "key %s can be read by everybody",
                   key);
    for (int i = 0; owner_of_store(d->c->store_path, &uid, &gid) && i < 2; i++)
        if (!owner_may_read(uid, gid, files[i]))
            doctor_say(d, DOCTOR_WRONG,
                       arena_printf(&d->arena,
                                    "chgrp %u %s && chmod g+r %s; and its folders: chmod o+x, or the same group",
                                    (unsigned)gid, files[i], files[i]),
                       "user %u, who serves, cannot read %s", (unsigned)uid, files[i]);
}

void doctor_certificates(struct doctor *d)
{
    for (unsigned i = 0; i < d->c->community_count; i++) {
        const struct config_community *cc = &d->c->communities[i];
        STACK_OF(X509) *chain = read_chain(cc->certificate);
        if (!chain)
            continue; /* rehearsal_run has said it */
        X509 *leaf = sk_X509_value(chain, 0);
        say_names(d, cc->exchange.domain, cc->certificate, leaf);
        say_time(d, cc->certificate, leaf);
        say_trust(d, cc->certificate, chain);
        say_readers(d, cc->certificate, cc->key);
        sk_X509_pop_free(chain, X509_free);
    }
}
