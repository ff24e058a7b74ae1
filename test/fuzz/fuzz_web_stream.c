/* SPDX-License-Identifier: MIT */
/* A stream over WebSocket (RFC 7395) against any peer, over a socket pair. The input is messages that end with a zero byte; one
 * that begins with a byte of 0x80 to 0x8f is a frame of that kind, 0x00 to 0x08 a fragment, 0xff bytes as they are. The first byte
 * says what the policy does. However it goes: the header comes before stanzas, on_end comes once, and what we said is whole
 * frames whose texts are documents. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/net/stream.h"
#include "gateway/xmpp/ns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct clock_fake clock;
    struct loop *loop;
    struct stream *stream; /* NULL once ended */
    struct bytes said;     /* by the stream */
    bool open;             /* a header came since the last restart */
    bool pauses, answers, restarts, closes;
};

static void on_header(struct stream *s, const struct stream_header *h)
{
    struct run *r = stream_user(s);
    CHECK(r->stream == s && !r->open && strcmp(h->content_ns, NS_CLIENT) == 0);
    r->open = true;
    stream_send_header(s, h->to, h->from, "1", "1.0", h->lang);
    stream_send_text(s, "<stream:features/><a xmlns='u:a'><b c='>'/></a>");
}

static void on_stanza(struct stream *s, struct stanza *st)
{
    struct run *r = stream_user(s);
    CHECK(r->stream == s && r->open && stream_is_open(s));
    if (r->answers)
        stream_send(s, st);
    if (r->pauses)
        stream_pause(s);
    if (r->restarts && st->kind == STANZA_NONZA) {
        stream_expect_restart(s);
        r->open = false;
    } else if (r->closes) {
        stream_close(s, STREAM_RESET, "enough");
    }
    stanza_unref(&st);
}

static void on_end(struct stream *s, const struct stream_end *end)
{
    struct run *r = stream_user(s);
    CHECK(r->stream == s && end->text[0]);
    r->stream = NULL;
}

static const struct stream_policy policy = {.content_ns = NS_CLIENT,
                                            .receiving = true,
                                            .framed = true,
                                            .on_header = on_header,
                                            .on_stanza = on_stanza,
                                            .on_end = on_end};

static void turn(struct run *r, int peer)
{
    char buf[4096];
    ssize_t n;
    for (int quiet = 0; quiet < 2;) {
        quiet = loop_turn(r->loop) ? 0 : quiet + 1;
        if (r->stream && r->pauses)
            stream_resume(r->stream);
        while ((n = recv(peer, buf, sizeof buf, MSG_DONTWAIT)) > 0)
            bytes_append(&r->said, buf, (size_t)n);
    }
}

/* One message of the input as a frame under the mask 0. */
static void put_frame(struct bytes *out, const char *data, size_t len)
{
    unsigned char first = len ? (unsigned char)data[0] : 0x81;
    bool kind = len && (first <= 0x08 || (first >= 0x80 && first <= 0x8f));
    if (first == 0xff) {
        bytes_append(out, data + 1, len - 1);
        return;
    }
    data += kind;
    len -= kind;
    bytes_append_char(out, (char)(kind ? first : 0x81));
    if (len < 126) {
        bytes_append_char(out, (char)(0x80 | len));
    } else {
        bytes_append_char(out, (char)(0x80 | 126));
        bytes_append_char(out, (char)(len >> 8));
        bytes_append_char(out, (char)len);
    }
    bytes_append(out, "\0\0\0\0", 4);
    bytes_append(out, data, len);
}

/* Whole frames, not masked; texts are documents; nothing behind Close. */
static void check_said(const struct run *r)
{
    size_t at = 0;
    bool over = false;
    while (r->said.len - at >= 2) {
        const unsigned char *d = (const unsigned char *)r->said.data + at;
        size_t head = 2, len = d[1];
        CHECK(!over && len < 128 && (d[0] == 0x81 || d[0] == 0x88 || d[0] == 0x8a));
        if (len > 125) {
            size_t wide = len == 126 ? 2 : 8;
            len = 0;
            for (size_t i = 0; i < wide; i++)
                len = len << 8 | d[head++];
        }
        CHECK(len <= r->said.len - at - head);
        if (d[0] == 0x81) {
            struct stanza *st = stanza_parse((const char *)d + head, len);
            CHECK(st);
            stanza_unref(&st);
        }
        over = d[0] == 0x88;
        at += head + len;
    }
    CHECK(at == r->said.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_events none;
    int fd[2];
    if (size < 1 || size > 32768)
        return 0;
    log_set_level(LOG_ERROR);
    struct run r = {.pauses = data[0] & 1, .answers = data[0] & 2, .restarts = data[0] & 4, .closes = data[0] & 8};
    clock_fake_init(&r.clock);
    r.loop = loop_create("fuzz", &r.clock.clock);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    r.stream = stream_open(wire_open(r.loop, fd[0], &none, NULL), &policy, &r, XML_LIMITS_BEFORE_AUTH, 30000);
    unsigned turns = 0;
    for (size_t at = 1; at < size;) {
        size_t first = size - at > 1; /* a zero byte at the beginning says what the message is */
        const uint8_t *end = memchr(data + at + first, 0, size - at - first);
        size_t len = end ? (size_t)(end - (data + at)) : size - at;
        struct bytes out = BYTES_EMPTY;
        put_frame(&out, (const char *)data + at, len);
        bool sent = !out.len || send(fd[1], out.data, out.len, MSG_NOSIGNAL) > 0;
        bytes_fini(&out);
        if (!sent)
            break;
        if (turns++ < 256)
            turn(&r, fd[1]);
        at += len + 1;
    }
    turn(&r, fd[1]);
    clock_fake_advance(&r.clock, 40000);
    turn(&r, fd[1]);
    check_said(&r);
    close(fd[1]);
    while (loop_turn(r.loop))
        ;
    if (r.stream)
        stream_abort(r.stream);
    while (loop_turn(r.loop))
        ;
    CHECK(!r.stream);
    bytes_fini(&r.said);
    loop_destroy(&r.loop);
    return 0;
}
