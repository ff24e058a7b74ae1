/* SPDX-License-Identifier: MIT */
/* A scripted name server on a UDP port of 127.0.0.1, on the test's own loop. Records are text rows; a
 * name without any row is NXDOMAIN, one without a row of the type has no data. */
#ifndef CAUSEWAY_TEST_DNS_SERVER_H
#define CAUSEWAY_TEST_DNS_SERVER_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

struct dns_row {
    const char *name;
    const char *data; /* "A 192.0.2.1", "SRV 1 2 3 target", "CNAME x", "TLSA 3 1 1 text", "SILENT", "SERVFAIL" */
};

struct dns_server {
    uv_udp_t udp;
    const struct dns_row *rows; /* a row without a name ends it */
    unsigned asked;
    char address[32]; /* for dns_options.server */
    char buffer[2048];
};

static inline size_t dns_server_name(unsigned char *out, const char *name)
{
    size_t used = 0;
    while (*name && strcmp(name, ".") != 0) {
        size_t label = strcspn(name, ".");
        out[used++] = (unsigned char)label;
        memcpy(out + used, name, label);
        used += label;
        name += label + (name[label] == '.');
    }
    out[used++] = 0;
    return used;
}

static inline void dns_server_u16(unsigned char *out, unsigned value)
{
    out[0] = (unsigned char)(value >> 8);
    out[1] = (unsigned char)value;
}

/* Writes the RDATA of a row; returns its type, 0: not a record. */
static inline unsigned dns_server_rdata(const char *row, unsigned char *out, size_t *len)
{
    unsigned a, b, c;
    char text[256];
    if (sscanf(row, "AAAA %255s", text) == 1) {
        *len = 16;
        return inet_pton(AF_INET6, text, out) == 1 ? 28 : 0;
    }
    if (sscanf(row, "A %255s", text) == 1) {
        *len = 4;
        return inet_pton(AF_INET, text, out) == 1 ? 1 : 0;
    }
    if (sscanf(row, "SRV %u %u %u %255s", &a, &b, &c, text) == 4) {
        dns_server_u16(out, a);
        dns_server_u16(out + 2, b);
        dns_server_u16(out + 4, c);
        *len = 6 + dns_server_name(out + 6, text);
        return 33;
    }
    if (sscanf(row, "TLSA %u %u %u %255s", &a, &b, &c, text) == 4) { /* the text itself stands for the digest */
        out[0] = (unsigned char)a;
        out[1] = (unsigned char)b;
        out[2] = (unsigned char)c;
        *len = 3 + strlen(text);
        memcpy(out + 3, text, *len - 3);
        return 52;
    }
    if (sscanf(row, "CNAME %255s", text) == 1) {
        *len = dns_server_name(out, text);
        return 5;
    }
    return 0;
}

static inline size_t dns_server_record(unsigned char *out, unsigned type, const void *rdata,
                                       size_t len)
{
    dns_server_u16(out, 0xc00c); /* the name of the question */
    dns_server_u16(out + 2, type);
    dns_server_u16(out + 4, 1);
    memset(out + 6, 0, 4);
    out[9] = 60; /* TTL */
    dns_server_u16(out + 10, (unsigned)len);
    memcpy(out + 12, rdata, len);
    return 12 + len;
}

/* Makes the answer in `out` from the question in `in`; 0: stay silent. */
static inline size_t dns_server_answer(struct dns_server *s, const unsigned char *in, size_t len,
                                       unsigned char *out)
{
    char name[256] = "";
    size_t at = 12, used = 0;
    while (at < len && in[at]) {
        memcpy(name + used, in + at + 1, in[at]);
        used += in[at];
        name[used++] = '.';
        at += in[at] + 1u;
    }
    name[used ? used - 1 : 0] = '\0';
    unsigned type = (unsigned)in[at + 1] << 8 | in[at + 2];
    at += 5;
    memcpy(out, in, at);
    memset(out + 6, 0, 6);
    size_t end = at, count = 0;
    bool exists = false;
    unsigned rcode = 0;
    for (const struct dns_row *r = s->rows; r->name; r++) {
        unsigned char rdata[512];
        size_t rdata_len = 0;
        if (strcasecmp(r->name, name) != 0)
            continue;
        exists = true;
        if (strcmp(r->data, "SILENT") == 0)
            return 0;
        if (strcmp(r->data, "SERVFAIL") == 0)
            rcode = 2;
        unsigned got = dns_server_rdata(r->data, rdata, &rdata_len);
        if (got == 0 || (got != type && got != 5))
            continue;
        end += dns_server_record(out + end, got, rdata, rdata_len);
        count++;
    }
    if (!exists)
        rcode = 3;
    out[2] = 0x85; /* answer, authoritative, recursion was wanted */
    out[3] = (unsigned char)(0x80 | rcode);
    dns_server_u16(out + 6, (unsigned)count);
    if (count == 0 && rcode != 2) { /* SOA: how long the absence may be believed */
        unsigned char soa[22] = {0};
        soa[21] = 1;
        end += dns_server_record(out + end, 6, soa, sizeof soa);
        dns_server_u16(out + 8, 1);
    }
    return end;
}

static inline void dns_server_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    struct dns_server *s = h->data;
    (void)hint;
    *buf = uv_buf_init(s->buffer, sizeof s->buffer);
}

static inline void dns_server_recv(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf,
                                   const struct sockaddr *from, unsigned flags)
{
    struct dns_server *s = udp->data;
    unsigned char out[4096];
    (void)flags;
    if (n < 17 || !from)
        return;
    s->asked++;
    size_t len = dns_server_answer(s, (const unsigned char *)buf->base, (size_t)n, out);
    uv_buf_t answer = uv_buf_init((char *)out, (unsigned)len);
    if (len > 0)
        uv_udp_try_send(udp, &answer, 1, from);
}

static inline void dns_server_open(struct dns_server *s, uv_loop_t *uv, const struct dns_row *rows)
{
    struct sockaddr_in addr;
    int len = sizeof addr;
    memset(s, 0, sizeof *s);
    s->rows = rows;
    uv_ip4_addr("127.0.0.1", 0, &addr);
    uv_udp_init(uv, &s->udp);
    s->udp.data = s;
    if (uv_udp_bind(&s->udp, (struct sockaddr *)&addr, 0) ||
        uv_udp_getsockname(&s->udp, (struct sockaddr *)&addr, &len) ||
        uv_udp_recv_start(&s->udp, dns_server_alloc, dns_server_recv))
        abort();
    snprintf(s->address, sizeof s->address, "127.0.0.1@%u", ntohs(addr.sin_port));
}

/* The loop must take a turn before `s` goes. */
static inline void dns_server_close(struct dns_server *s)
{
    uv_close((uv_handle_t *)&s->udp, NULL);
}

#endif
