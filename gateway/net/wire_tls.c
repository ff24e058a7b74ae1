/* SPDX-License-Identifier: MIT */
/* TLS as bytes in, bytes out. One BIO an SSL, without a buffer of its own: it reads from and
 * appends to buffers of the loop, so an idle connection keeps only what OpenSSL itself needs
 * (13.6 KiB), and no system call happens inside OpenSSL. */
#include <openssl/err.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/net/wire_internal.h"

struct wire_tls {
    SSL *ssl;
    struct tls_side side;
    bool secured; /* the handshake is done, `info` is filled */
    struct tls_info info;
};

/* ---- the BIO */

static int bio_read(BIO *bio, char *out, int cap)
{
    struct wire_shared *sh = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!sh->feed_len) {
        sh->starved = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = sh->feed_len < (size_t)cap ? sh->feed_len : (size_t)cap;
    memcpy(out, sh->feed, n);
    sh->feed += n;
    sh->feed_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct wire_shared *sh = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    bytes_append(&sh->sealed, data, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

struct wire_shared *wire_tls_shared_create(void)
{
    struct wire_shared *sh = mem_new(struct wire_shared);
    sh->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "causeway wire");
    CHECK(sh->method != NULL);
    BIO_meth_set_read(sh->method, bio_read);
    BIO_meth_set_write(sh->method, bio_write);
    BIO_meth_set_ctrl(sh->method, bio_ctrl);
    BIO_meth_set_create(sh->method, bio_create);
    return sh;
}

void wire_tls_shared_destroy(struct wire_shared **shp)
{
    struct wire_shared *sh = *shp;
    if (!sh)
        return;
    *shp = NULL;
    BIO_meth_free(sh->method);
    bytes_fini(&sh->sealed);
    bytes_fini(&sh->spare);
    mem_free(sh);
}

/* ---- the layer */

static struct wire_tls *layer_start(struct wire_tls *t, struct wire_shared *sh)
{
    if (!t->ssl) {
        mem_free(t);
        return NULL;
    }
    BIO *bio = BIO_new(sh->method);
    CHECK(bio != NULL);
    BIO_set_data(bio, sh);
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

struct wire_tls *wire_tls_accept(struct wire_shared *sh, struct tls_store *s, const char *domain,
                                 enum tls_ask ask, enum tls_alpn alpn, struct error *e)
{
    struct wire_tls *t = mem_new(struct wire_tls);
    t->side.alpn = alpn;
    t->ssl = tls_session_accept(s, domain, ask, &t->side, e);
    return layer_start(t, sh);
}

struct wire_tls *wire_tls_connect(struct wire_shared *sh, struct tls_store *s, const struct tls_peer *p,
                                  struct error *e)
{
    struct wire_tls *t = mem_new(struct wire_tls);
    t->side.alpn = p->alpn;
    t->ssl = tls_session_connect(s, p, &t->side, e);
    return layer_start(t, sh);
}

void wire_tls_destroy(struct wire_tls **tp)
{
    struct wire_tls *t = *tp;
    if (!t)
        return;
    *tp = NULL;
    tls_session_settle(&t->side);
    /* Without this OpenSSL takes the session for broken and forgets it. */
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    mem_free(t);
}

/* SSL_get_error takes what lies in the thread's error queue for its own, so the queue would have to be
 * emptied before each call, and even to ask whether it is empty costs. That the BIO had nothing left
 * says it too: OpenSSL asks it for more only while nothing is wrong. So the queue is asked only at the
 * end of a connection, where what somebody else left in it can make a failure of a close, not more. */
static enum wire_tls_result judge(struct wire_tls *t, const struct wire_shared *sh, int rc, struct error *e)
{
    if (sh->starved)
        return WIRE_TLS_MORE;
    if (SSL_get_error(t->ssl, rc) == SSL_ERROR_ZERO_RETURN)
        return WIRE_TLS_CLOSED;
    tls_session_error(e, t->secured ? "TLS" : "TLS handshake");
    return WIRE_TLS_FAILED;
}

enum wire_tls_result wire_tls_input(struct wire_tls *t, struct wire_shared *sh, const char *data,
                                    size_t len, size_t *plain_len, bool *secured, struct error *e)
{
    int rc;
    *plain_len = 0;
    *secured = false;
    sh->feed = data;
    sh->feed_len = len;
    sh->starved = false;
    if (!t->secured) {
        rc = SSL_do_handshake(t->ssl);
        if (rc != 1)
            return judge(t, sh, rc, e);
        t->secured = *secured = true;
        tls_session_describe(t->ssl, &t->side, &t->info);
        tls_session_settle(&t->side);
    }
    while (sh->feed_len || SSL_has_pending(t->ssl)) {
        CHECK(*plain_len < sizeof sh->plain); /* shorter than what came, and that fits */
        sh->starved = false;
        rc = SSL_read(t->ssl, sh->plain + *plain_len, (int)(sizeof sh->plain - *plain_len));
        if (rc <= 0)
            return judge(t, sh, rc, e);
        *plain_len += (size_t)rc;
    }
    return WIRE_TLS_MORE;
}

bool wire_tls_seal(struct wire_tls *t, struct wire_shared *sh, const char *data, size_t len,
                   struct error *e)
{
    sh->starved = false; /* the BIO appends to sh->sealed */
    while (len) {
        int rc = SSL_write(t->ssl, data, (int)len); /* a record at a time: partial write */
        if (rc <= 0) {
            judge(t, sh, rc, e);
            return false;
        }
        data += rc;
        len -= (size_t)rc;
    }
    return true;
}

void wire_tls_bye(struct wire_tls *t, struct wire_shared *sh)
{
    (void)sh;
    if (t->secured && !(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

const struct tls_info *wire_tls_info(const struct wire_tls *t)
{
    return t && t->secured ? &t->info : NULL;
}

bool wire_tls_binding(struct wire_tls *t, const char *type, struct bytes *out)
{
    return t && t->secured && tls_session_binding(t->ssl, &t->side, type, out);
}
