/* SPDX-License-Identifier: MIT */
/* The outer ClientHello (RFC 8446 4.1.2, RFC 5246 7.4.1.2) as far as its ALPN extension (RFC 7301 3.1). Only a choice
 * hangs on it: who is let in is OpenSSL's business, which reads the same bytes again. */
#include "gateway/net/tls_hello.h"

#include <stdint.h>
#include <string.h>

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, EXTENSION_ALPN = 16, RECORD_HEAD = 5, MESSAGE_HEAD = 4 };

/* What is left to read. Too short: `bad` from then on. */
struct rest {
    const uint8_t *at;
    size_t len;
    bool bad;
};

static size_t number(struct rest *r, unsigned bytes)
{
    size_t n = 0;
    if (r->len < bytes) {
        *r = (struct rest){.bad = true};
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | r->at[i];
    r->at += bytes;
    r->len -= bytes;
    return n;
}

static struct rest part(struct rest *r, size_t len)
{
    struct rest p = {r->at, len, false};
    if (r->len < len) {
        *r = (struct rest){.bad = true};
        return *r;
    }
    r->at += len;
    r->len -= len;
    return p;
}

/* A vector whose length stands before it. */
static struct rest vector(struct rest *r, unsigned bytes)
{
    return part(r, number(r, bytes));
}

static bool names(struct rest alpn, const char *wire)
{
    struct rest list = vector(&alpn, 2);
    while (list.len) {
        struct rest name = vector(&list, 1);
        if (!name.bad && name.len == (unsigned char)wire[0] && memcmp(name.at, wire + 1, name.len) == 0)
            return true;
    }
    return false;
}

static enum tls_hello read_hello(struct rest hello, const char *wire)
{
    part(&hello, 2 + 32); /* version, random */
    vector(&hello, 1);    /* session */
    vector(&hello, 2);    /* ciphers */
    vector(&hello, 1);    /* compressions */
    struct rest extensions = vector(&hello, 2);
    while (extensions.len) {
        size_t type = number(&extensions, 2);
        struct rest body = vector(&extensions, 2);
        if (!body.bad && type == EXTENSION_ALPN)
            return names(body, wire) ? TLS_HELLO_OFFERS : TLS_HELLO_OTHER;
    }
    return TLS_HELLO_OTHER;
}

/* The message may lie in several records. */
enum tls_hello tls_hello_read(const void *data, size_t len, enum tls_alpn protocol)
{
    const char *wire = tls_alpn_wire(protocol);
    uint8_t message[MESSAGE_HEAD + TLS_HELLO_MAX];
    size_t have = 0, whole = 0;
    struct rest in = {data, len, false};
    for (;;) {
        if (in.len && in.at[0] != HANDSHAKE)
            return TLS_HELLO_OTHER;
        if (in.len < RECORD_HEAD)
            return TLS_HELLO_MORE;
        number(&in, 3);
        size_t record = number(&in, 2);
        size_t here = record < in.len ? record : in.len;
        if (record == 0 || have + here > sizeof message)
            return TLS_HELLO_OTHER;
        memcpy(message + have, in.at, here);
        have += here;
        if (message[0] != CLIENT_HELLO)
            return here ? TLS_HELLO_OTHER : TLS_HELLO_MORE;
        if (have >= MESSAGE_HEAD) {
            whole = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
            if (whole > TLS_HELLO_MAX)
                return TLS_HELLO_OTHER;
            if (have >= MESSAGE_HEAD + whole)
                return read_hello((struct rest){message + MESSAGE_HEAD, whole, false}, wire);
        }
        if (record > in.len)
            return TLS_HELLO_MORE;
        part(&in, record);
    }
}
