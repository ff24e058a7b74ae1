/* SPDX-License-Identifier: MIT */
/* Any bytes as what a peer says on a stream, over a socket pair, in pieces of a size that the
 * first byte says; its next bits choose what the policy does. However it goes: the header comes
 * before stanzas, nothing comes after on_end, on_end comes once, and what we said is one well-
 * formed stream. */
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

/* What we said must be readable as a stream of its own, restarts apart. */
static void check_said(struct run *r)
{
    struct xml_reader *reader =
        xml_reader_create(loop_xml_pool(r->loop), (struct xml_limits){1 << 24, 64, 256, 65536});
    struct xml_event ev;
    xml_reader_feed(reader, bytes_text(&r->said), r->said.len);
    do {
        xml_reader_next(reader, &ev);
        CHECK(ev.kind != XML_ERROR);
        stanza_unref(&ev.stanza);
    } while (ev.kind != XML_NONE);
    xml_reader_destroy(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_events none;
    int fd[2];
    if (size < 1 || size > 65536)
        return 0;
    log_set_level(LOG_ERROR);
    struct run r = {.pauses = data[0] & 16,
                    .answers = data[0] & 32,
                    .restarts = data[0] & 64,
                    .closes = data[0] & 128};
    size_t step = (size_t)1 << (data[0] & 15);
    clock_fake_init(&r.clock);
    r.loop = loop_create("fuzz", &r.clock.clock);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    r.stream = stream_open(wire_open(r.loop, fd[0], &none, NULL), &policy, &r,
                           XML_LIMITS_BEFORE_AUTH, 30000);
    if (size / step > 512)
        step = size / 512;
    for (size_t at = 1; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        if (send(fd[1], data + at, n, MSG_NOSIGNAL) < 0)
            break;
        turn(&r, fd[1]);
    }
    clock_fake_advance(&r.clock, 40000);
    turn(&r, fd[1]);
    close(fd[1]);
    while (loop_turn(r.loop))
        ;
    if (!r.restarts)
        check_said(&r);
    if (r.stream)
        stream_abort(r.stream);
    while (loop_turn(r.loop))
        ;
    CHECK(!r.stream);
    bytes_fini(&r.said);
    loop_destroy(&r.loop);
    return 0;
}
