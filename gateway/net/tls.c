/* SPDX-License-Identifier: MIT */
/* One SSL_CTX a certificate, made once, counted by OpenSSL, replaced as a whole: live
 * connections keep theirs. A small mutex guards the table, because certificates are set and
 * picked on any thread. The same context accepts and connects; a session says which.
 *
 * RFC 9325: TLS 1.2 with ECDHE and AEAD, or 1.3; no compression, no renegotiation. One ticket is
 * always sent: a client with Nagle on stalls in its first request without it (measured: 44 ms).
 * RFC 7590: the peer's chain is judged and recorded; what it is worth, c2s and s2s decide. */
#include "gateway/net/tls.h"

#include <ctype.h>
#include <idn2.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/bytes.h"
#include "gateway/base/list.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/ref.h"
#include "gateway/base/text.h"
#include "gateway/net/tls_internal.h"
#include "gateway/net/tls_people.h"

enum { DOMAIN_MAX = 1024 };

struct entry {
    struct list node;
    char *domain; /* lower case */
    SSL_CTX *ctx; /* counted */
    struct tls_people *people; /* counted; NULL: nobody logs in by a certificate */
};

struct tls_store {
    struct ref ref;
    X509_STORE *trust;
    SSL_CTX *bare; /* shows no certificate: for connecting */
    pthread_mutex_t lock;
    struct map entries;  /* domain -> struct entry */
    struct list order;   /* of struct entry, as they were set: the first is for a client without SNI */
};

static const struct {
    enum tls_alpn alpn;
    const char *wire; /* length byte and name */
} protocols[] = {
    {TLS_ALPN_XMPP_CLIENT, "\x0bxmpp-client"},
    {TLS_ALPN_XMPP_SERVER, "\x0bxmpp-server"},
    {TLS_ALPN_HTTP, "\x08http/1.1"},
};

const char *tls_alpn_wire(enum tls_alpn alpn)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (protocols[i].alpn == alpn)
            return protocols[i].wire;
    return NULL;
}

bool tls_session_error(struct error *e, const char *what)
{
    char reason[200] = "";
    unsigned long code = ERR_peek_error(); /* the first is the cause, the others are what came of it */
    const char *text = !code                    ? NULL
                       : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                : ERR_reason_error_string(code);
    if (text)
        text_copy(reason, sizeof reason, text);
    else if (code)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return error_set(e, ERROR_INVALID, "%s: %s", what, *reason ? reason : "TLS failed");
}

/* ---- callbacks of OpenSSL */

static void fold(char *out, size_t cap, const char *domain)
{
    text_copy(out, cap, domain);
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

static struct entry *first_of(const struct tls_store *s)
{
    struct list *node = list_first(&s->order);
    return node ? list_entry(node, struct entry, node) : NULL;
}

/* The caller's count; NULL: no such domain. `domain` NULL: the first. */
static SSL_CTX *pick(struct tls_store *s, const char *domain)
{
    char key[DOMAIN_MAX];
    if (domain)
        fold(key, sizeof key, domain);
    pthread_mutex_lock(&s->lock);
    struct entry *en = domain ? map_get(&s->entries, key) : first_of(s);
    SSL_CTX *ctx = en ? en->ctx : NULL;
    if (ctx)
        SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&s->lock);
    return ctx;
}

/* The caller's count; NULL: that domain has none. `domain` NULL: the first. */
static struct tls_people *pick_people(struct tls_store *s, const char *domain)
{
    char key[DOMAIN_MAX];
    if (domain)
        fold(key, sizeof key, domain);
    pthread_mutex_lock(&s->lock);
    struct entry *en = domain ? map_get(&s->entries, key) : first_of(s);
    struct tls_people *found = en && en->people ? tls_people_ref(en->people) : NULL;
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void ask_people(SSL *ssl, struct tls_store *s, const char *domain);

static int on_servername(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    struct tls_side *side = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name && side && side->store ? pick(side->store, name) : NULL;
    if (!ctx)
        return SSL_TLSEXT_ERR_NOACK; /* the default's certificate, as without SNI */
    SSL_set_SSL_CTX(ssl, ctx);
    SSL_CTX_free(ctx);
    if (side->ask == TLS_ASK_PEOPLE)
        ask_people(ssl, side->store, name);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    (void)arg;
    const struct tls_side *side = SSL_get_app_data(ssl);
    const char *ours = side ? tls_alpn_wire(side->alpn) : NULL;
    if (!ours)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned len = (unsigned char)*ours;
    for (unsigned i = 0; i < in_len; i += in[i] + 1u)
        if (in[i] == len && i + 1 + len <= in_len && memcmp(in + i + 1, ours + 1, len) == 0) {
            *out = in + i + 1;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
}

/* Notes a bad chain and goes on: s2s falls back to dialback, c2s has SASL. */
static int on_verify(int ok, X509_STORE_CTX *chain)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_side *side = ssl ? SSL_get_app_data(ssl) : NULL;
    if (!ok && side)
        side->chain_bad = true;
    ERR_clear_error(); /* SSL_get_error would take what is left there for a failed handshake */
    return 1;
}

static void ask(SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    /* Public CAs no longer put clientAuth into certificates: the purpose is not asked. */
    SSL_set_purpose(ssl, X509_PURPOSE_ANY);
}

static void ask_people(SSL *ssl, struct tls_store *s, const char *domain)
{
    struct tls_people *people = pick_people(s, domain);
    if (people)
        ask(ssl);
    else
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    tls_people_ask(people, ssl);
    tls_people_unref(&people);
}

/* ---- contexts */

static SSL_CTX *context_create(X509_STORE *trust)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    CHECK(ctx != NULL);
    CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION));
    CHECK(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"));
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"causeway", 8);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_servername);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set1_cert_store(ctx, trust);
    CHECK(SSL_CTX_dane_enable(ctx) == 1); /* nothing changes until a session is given records */
    return ctx;
}

static struct tls_store *store_ref(struct tls_store *s)
{
    ref_take(&s->ref);
    return s;
}

static void entry_free(struct entry *en)
{
    SSL_CTX_free(en->ctx);
    tls_people_unref(&en->people);
    mem_free(en->domain);
    mem_free(en);
}

static void store_unref(struct tls_store *s)
{
    if (!ref_drop(&s->ref))
        return;
    struct entry *en;
    for (size_t i = 0; (en = map_next(&s->entries, &i)) != NULL;)
        entry_free(en);
    map_fini(&s->entries);
    SSL_CTX_free(s->bare);
    X509_STORE_free(s->trust);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

struct tls_store *tls_store_create(const char *ca_file, struct error *e)
{
    ERR_clear_error();
    X509_STORE *trust = X509_STORE_new();
    CHECK(trust != NULL);
    if (!(ca_file ? X509_STORE_load_file(trust, ca_file) : X509_STORE_set_default_paths(trust))) {
        X509_STORE_free(trust);
        tls_session_error(e, ca_file ? ca_file : "the system's trust anchors");
        return NULL;
    }
    ERR_clear_error();
    struct tls_store *s = mem_new(struct tls_store);
    ref_init(&s->ref);
    s->trust = trust;
    list_init(&s->order);
    s->bare = context_create(trust);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    return s;
}

void tls_store_destroy(struct tls_store **sp)
{
    if (*sp)
        store_unref(*sp);
    *sp = NULL;
}

static SSL_CTX *context_load(struct tls_store *s, const char *chain_file, const char *key_file,
                             struct error *e)
{
    SSL_CTX *ctx = context_create(s->trust);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, chain_file) != 1)
        tls_session_error(e, chain_file);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        tls_session_error(e, key_file);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        tls_session_error(e, key_file);
    else
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool tls_store_set(struct tls_store *s, const char *domain, const char *chain_file,
                   const char *key_file, struct error *e)
{
    char key[DOMAIN_MAX];
    fold(key, sizeof key, domain);
    SSL_CTX *ctx = context_load(s, chain_file, key_file, e), *old = NULL;
    if (!ctx)
        return false;
    pthread_mutex_lock(&s->lock);
    struct entry *en = map_get(&s->entries, key);
    if (!en) {
        en = mem_new(struct entry);
        en->domain = mem_dup(key);
        map_put(&s->entries, en->domain, en);
        list_append(&s->order, &en->node);
    }
    old = en->ctx;
    en->ctx = ctx;
    pthread_mutex_unlock(&s->lock);
    SSL_CTX_free(old);
    return true;
}

void tls_store_remove(struct tls_store *s, const char *domain)
{
    char key[DOMAIN_MAX];
    fold(key, sizeof key, domain);
    pthread_mutex_lock(&s->lock);
    struct entry *en = map_remove(&s->entries, key);
    if (en)
        list_remove(&en->node);
    pthread_mutex_unlock(&s->lock);
    if (en)
        entry_free(en);
}

bool tls_store_set_people(struct tls_store *s, const char *domain, const char *ca_file, const char *crl_file,
                          struct error *e)
{
    char key[DOMAIN_MAX];
    fold(key, sizeof key, domain);
    struct tls_people *people = tls_people_load(ca_file, crl_file, e);
    if (!people)
        return false;
    pthread_mutex_lock(&s->lock);
    struct entry *en = map_get(&s->entries, key);
    struct tls_people *old = en ? en->people : people;
    if (en)
        en->people = people;
    pthread_mutex_unlock(&s->lock);
    tls_people_unref(&old);
    return en || error_set(e, ERROR_NOT_FOUND, "no certificate for %s", domain);
}

bool tls_store_proves_person(struct tls_store *s, const char *domain, const struct tls_info *info, struct error *e)
{
    struct tls_people *people = pick_people(s, domain);
    if (!people)
        return error_set(e, ERROR_NOT_FOUND, "%s has no CA for people", domain);
    bool proves = tls_people_verify(people, info->peer_cert, info->peer_chain, e);
    tls_people_unref(&people);
    return proves;
}

bool tls_certificate_covers(struct tls_store *s, const char *domain)
{
    char key[DOMAIN_MAX];
    fold(key, sizeof key, domain);
    pthread_mutex_lock(&s->lock);
    struct entry *en = map_get(&s->entries, key);
    X509 *cert = en ? SSL_CTX_get0_certificate(en->ctx) : NULL;
    bool covers = cert && tls_cert_matches(cert, domain);
    pthread_mutex_unlock(&s->lock);
    return covers;
}

/* ---- sessions */

static SSL *session_create(SSL_CTX *ctx, struct tls_store *s, struct tls_side *side)
{
    SSL *ssl = SSL_new(ctx);
    CHECK(ssl != NULL);
    side->store = store_ref(s);
    SSL_set_app_data(ssl, side);
    return ssl;
}

SSL *tls_session_accept(struct tls_store *s, const char *domain, enum tls_ask whom,
                        struct tls_side *side, struct error *e)
{
    SSL_CTX *ctx = domain ? pick(s, domain) : NULL;
    if (!ctx)
        ctx = pick(s, NULL);
    if (!ctx) {
        error_set(e, ERROR_NOT_FOUND, "no certificate for %s", domain ? domain : "any domain");
        return NULL;
    }
    side->server = true;
    side->ask = whom;
    SSL *ssl = session_create(ctx, s, side);
    SSL_CTX_free(ctx);
    SSL_set_accept_state(ssl);
    if (whom == TLS_ASK_ANYBODY)
        ask(ssl);
    else if (whom == TLS_ASK_PEOPLE)
        ask_people(ssl, s, domain);
    return ssl;
}

static bool is_numeric(const char *name)
{
    return strchr(name, ':') || name[strspn(name, "0123456789.")] == '\0';
}

/* The A-label form, which DNS names in certificates and SNI have. */
static bool to_ascii(char *out, size_t cap, const char *domain)
{
    const char *p = domain;
    while (*p && !(*p & 0x80))
        p++;
    if (!*p)
        return text_copy(out, cap, domain);
    uint8_t *a_labels = NULL;
    int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
    if (idn2_lookup_u8((const uint8_t *)domain, &a_labels, flags) != IDN2_OK)
        return false;
    bool fits = text_copy(out, cap, (const char *)a_labels);
    idn2_free(a_labels);
    return fits;
}

SSL *tls_session_connect(struct tls_store *s, const struct tls_peer *p, struct tls_side *side, struct error *e)
{
    char name[256];
    if (p->name && !to_ascii(name, sizeof name, p->name)) {
        error_set(e, ERROR_INVALID, "%s is no name for TLS", p->name);
        return NULL;
    }
    SSL_CTX *ctx = p->local_domain ? pick(s, p->local_domain) : NULL;
    side->server = false;
    SSL *ssl = session_create(ctx ? ctx : s->bare, s, side);
    SSL_CTX_free(ctx);
    SSL_set_connect_state(ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    if (p->name && !is_numeric(name))
        SSL_set_tlsext_host_name(ssl, name);
    const char *wire = tls_alpn_wire(side->alpn);
    if (wire)
        SSL_set_alpn_protos(ssl, (const unsigned char *)wire, (unsigned)strlen(wire));
    if (p->dane_count)
        tls_dane_offer(ssl, p, side);
    return ssl;
}

void tls_session_settle(struct tls_side *side)
{
    if (side->store)
        store_unref(side->store);
    side->store = NULL;
    tls_dane_settle(side);
}

void tls_session_describe(SSL *ssl, const struct tls_side *side, struct tls_info *info)
{
    const unsigned char *alpn = NULL;
    unsigned alpn_len = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    info->version = SSL_get_version(ssl);
    info->cipher = SSL_get_cipher_name(ssl);
    info->alpn = alpn_len ? side->alpn : TLS_ALPN_NONE;
    info->sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    info->peer_cert = SSL_get0_peer_certificate(ssl);
    info->peer_has_cert = info->peer_cert != NULL;
    info->peer_chain = SSL_get_peer_cert_chain(ssl);
    bool by_itself = false;
    info->dane = tls_dane_judge(ssl, side, &by_itself);
    /* A resumed session checks no chain again; its first result is kept in the ticket. */
    info->peer_chain_valid =
        info->peer_cert && !side->chain_bad && !by_itself && SSL_get_verify_result(ssl) == X509_V_OK;
}

/* ---- channel binding */

/* RFC 9266: 32 bytes under a label of its own; before TLS 1.3 only with the extended master
 * secret. */
static bool binding_exporter(SSL *ssl, struct bytes *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char key[32];
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return false;
    if (!out)
        return true;
    if (SSL_export_keying_material(ssl, key, sizeof key, label, sizeof label - 1,
                                   (const unsigned char *)"", 0, 1) != 1) {
        ERR_clear_error();
        return false;
    }
    bytes_append(out, key, sizeof key);
    mem_wipe(key, sizeof key);
    return true;
}

/* RFC 5929 section 4: the server's certificate under its signature's hash, SHA-256 for weaker
 * ones. */
static bool binding_end_point(X509 *cert, struct bytes *out)
{
    int digest = NID_undef;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!cert || !X509_get_signature_info(cert, &digest, NULL, NULL, NULL))
        return false;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *md = EVP_get_digestbynid(digest);
    if (!out)
        return md != NULL;
    if (!md || !X509_digest(cert, md, hash, &len)) {
        ERR_clear_error();
        return false;
    }
    bytes_append(out, hash, len);
    return true;
}

/* RFC 5929 section 3: the first Finished of the handshake. TLS 1.3 has no such type (RFC 9266 is its
 * successor), but clients on OpenSSL bind to their Finished there too, and it proves as much. */
static bool binding_unique(SSL *ssl, const struct tls_side *side, struct bytes *out)
{
    char finished[EVP_MAX_MD_SIZE];
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return false; /* RFC 7627: without it two sessions can have the same */
    bool ours = side->server == (SSL_session_reused(ssl) == 1);
    size_t len = ours ? SSL_get_finished(ssl, finished, sizeof finished)
                      : SSL_get_peer_finished(ssl, finished, sizeof finished);
    if (out)
        bytes_append(out, finished, len);
    return len > 0;
}

bool tls_session_binding(SSL *ssl, const struct tls_side *side, const char *type, struct bytes *out)
{
    if (text_eq(type, "tls-exporter"))
        return binding_exporter(ssl, out);
    if (text_eq(type, "tls-server-end-point"))
        return binding_end_point(
            side->server ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl), out);
    return text_eq(type, "tls-unique") && binding_unique(ssl, side, out);
}

/* ---- names in certificates */

static bool same_name(const char *data, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(data, name, len) == 0 && !memchr(data, 0, len);
}

/* RFC 6125 6.4: whole names, and "*" for the whole leftmost label. */
static bool dns_matches(const char *data, size_t len, const char *domain)
{
    if (len > 2 && data[0] == '*' && data[1] == '.') {
        const char *rest = strchr(domain, '.');
        return rest && rest != domain && strchr(rest + 1, '.') &&
               same_name(data + 1, len - 1, rest);
    }
    return same_name(data, len, domain);
}

/* SRV-ID (RFC 4985) for servers, and XmppAddr (RFC 6120 13.7.1.4). */
static bool other_matches(const OTHERNAME *other, const char *ascii, const char *domain)
{
    char oid[64];
    OBJ_obj2txt(oid, sizeof oid, other->type_id, 1);
    const ASN1_TYPE *value = other->value;
    if (strcmp(oid, "1.3.6.1.5.5.7.8.7") == 0 && value->type == V_ASN1_IA5STRING) {
        static const char service[] = "_xmpp-server.";
        const char *data = (const char *)ASN1_STRING_get0_data(value->value.ia5string);
        size_t len = (size_t)ASN1_STRING_length(value->value.ia5string), skip = sizeof service - 1;
        return len > skip && strncasecmp(data, service, skip) == 0 &&
               dns_matches(data + skip, len - skip, ascii);
    }
    if (strcmp(oid, "1.3.6.1.5.5.7.8.5") == 0 && value->type == V_ASN1_UTF8STRING)
        return same_name((const char *)ASN1_STRING_get0_data(value->value.utf8string),
                         (size_t)ASN1_STRING_length(value->value.utf8string), domain);
    return false;
}

static bool name_matches(const GENERAL_NAME *n, const char *ascii, const char *domain)
{
    if (n->type == GEN_DNS)
        return dns_matches((const char *)ASN1_STRING_get0_data(n->d.dNSName),
                           (size_t)ASN1_STRING_length(n->d.dNSName), ascii);
    return n->type == GEN_OTHERNAME && other_matches(n->d.otherName, ascii, domain);
}

bool tls_cert_matches(X509 *cert, const char *domain)
{
    char ascii[256];
    if (!*domain || !to_ascii(ascii, sizeof ascii, domain))
        return false;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = name_matches(sk_GENERAL_NAME_value(names, i), ascii, domain);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}
