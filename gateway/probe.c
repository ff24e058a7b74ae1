/* SPDX-License-Identifier: MIT */
/* A stream as a stranger would begin it. What comes back is searched for the few words that matter: what
 * is at the door may be no XMPP at all, and is read up to a limit only. */
#include "gateway/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/net/address.h"
#include "gateway/net/tls.h"
#include "gateway/xmpp/ns.h"

enum { CONNECT_MS = 5000, ANSWER_S = 5, ANSWER_BYTES = 16 * 1024 };

static bool is_server(enum probe_kind k)
{
    return k == PROBE_SERVER || k == PROBE_SERVER_TLS;
}

static struct probe outcome(enum probe_result r, const char *text)
{
    struct probe p = {.result = r};
    snprintf(p.text, sizeof p.text, "%s", text);
    return p;
}

int probe_connect(const struct sockaddr_storage *at, char *text, size_t cap)
{
    socklen_t len = address_len((const struct sockaddr *)at);
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int why = fd < 0 ? errno : 0;
    if (fd >= 0 && connect(fd, (const struct sockaddr *)at, len) != 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        socklen_t why_len = sizeof why;
        why = errno;
        if (why == EINPROGRESS && poll(&p, 1, CONNECT_MS) == 0)
            why = ETIMEDOUT;
        else if (why == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &why_len) != 0)
            why = errno;
    }
    if (!why) {
        struct timeval patience = {.tv_sec = ANSWER_S};
        fcntl(fd, F_SETFL, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        return fd;
    }
    snprintf(text, cap, "%s", strerror(why));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- plain, up to <proceed/> ---- */

static bool say(int fd, const char *text)
{
    size_t len = strlen(text);
    return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Reads until `word` has come. */
static bool hear(int fd, const char *word)
{
    char got[ANSWER_BYTES + 1];
    size_t len = 0;
    while (len < ANSWER_BYTES) {
        ssize_t n = recv(fd, got + len, ANSWER_BYTES - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        got[len] = '\0';
        if (memmem(got, len, word, strlen(word)))
            return true;
    }
    return false;
}

static struct probe start_tls(int fd, enum probe_kind kind, const char *domain)
{
    char header[1024];
    snprintf(header, sizeof header,
             "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='" NS_STREAM "' to='%s' version='1.0'>",
             is_server(kind) ? NS_SERVER : NS_CLIENT, domain);
    if (!say(fd, header) || !hear(fd, "</stream:features>"))
        return outcome(PROBE_NOT_XMPP, "it does not answer as an XMPP server for this domain");
    if (!say(fd, "<starttls xmlns='" NS_TLS "'/>") || !hear(fd, "<proceed"))
        return outcome(PROBE_NO_TLS, "STARTTLS is not offered");
    return outcome(PROBE_GOOD, "");
}

/* ---- TLS ---- */

static void set_alpn(SSL *ssl, enum probe_kind kind)
{
    static const unsigned char client[] = "\x0bxmpp-client", server[] = "\x0bxmpp-server";
    SSL_set_alpn_protos(ssl, kind == PROBE_CLIENT_TLS ? client : server, sizeof client - 1);
}

static struct probe judge(SSL *ssl, const char *domain)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    long verified = SSL_get_verify_result(ssl);
    if (!cert || !tls_cert_matches(cert, domain))
        return outcome(PROBE_WRONG_NAME, "the certificate there is not for this domain");
    if (verified != X509_V_OK)
        return outcome(PROBE_UNTRUSTED, X509_verify_cert_error_string(verified));
    return outcome(PROBE_GOOD, "");
}

static struct probe shake_hands(int fd, enum probe_kind kind, const char *domain, const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct probe p = outcome(PROBE_NO_TLS, "the TLS handshake fails");
    if (!ctx || !(ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) : SSL_CTX_set_default_verify_paths(ctx))) {
        SSL_CTX_free(ctx);
        return outcome(PROBE_UNTRUSTED, "the trust anchors cannot be read");
    }
    SSL *ssl = SSL_new(ctx);
    if (ssl && SSL_set_fd(ssl, fd) && SSL_set_tlsext_host_name(ssl, domain)) {
        if (kind == PROBE_CLIENT_TLS || kind == PROBE_SERVER_TLS)
            set_alpn(ssl, kind);
        if (SSL_connect(ssl) == 1) {
            p = judge(ssl, domain);
            SSL_shutdown(ssl);
        }
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return p;
}

struct probe probe_door(const struct sockaddr_storage *at, enum probe_kind kind, const char *domain,
                        const char *ca_file)
{
    struct probe p = {.result = PROBE_NO_CONNECTION};
    int fd = probe_connect(at, p.text, sizeof p.text);
    if (fd < 0)
        return p;
    p = outcome(PROBE_GOOD, "");
    if (kind == PROBE_CLIENT || kind == PROBE_SERVER)
        p = start_tls(fd, kind, domain);
    if (p.result == PROBE_GOOD)
        p = shake_hands(fd, kind, domain, ca_file);
    close(fd);
    return p;
}
