/* SPDX-License-Identifier: MIT */
/* libwslay reads the shape of frames; what a frame may be here is asked at each one's first bytes: masked, text, no
 * reserved bits, in its place, within the message's bound. So no more is gathered than one message of that size.
 *
 * libwslay's context (4 KiB) reads ahead, so it may be let go of only when what it was given has been used to the last
 * byte: that is counted. */
#include "gateway/net/frames.h"

#include <string.h>
#include <wslay/wslay.h>

#include "gateway/base/mem.h"
#include "gateway/base/utf8.h"

enum {
    FRAGMENTS_MAX = 1024,    /* of one message */
    CONTROL_BURST = 20,      /* control frames at once */
    CONTROL_EVERY_MS = 1000, /* and one more after each */
};

struct frames {
    struct wslay_frame_context *wslay; /* NULL: between frames, nothing unread */
    struct span *in;                   /* inside frames_next */
    size_t max_bytes;
    uint64_t unused;      /* bytes that libwslay was given and has not used */
    uint64_t frame_bytes; /* of the frame under way that were read so far */
    struct bytes message; /* data frames so far */
    struct bytes control; /* the control frame under way */
    unsigned fragments;
    unsigned control_count;
    uint64_t control_ms; /* when the count last went down */
    bool in_frame;       /* its first bytes were seen and found good */
    bool in_message;     /* a text frame without fin came */
    bool given;          /* the last event borrowed message or control */
    bool over;
};

/* ---- libwslay's side ---- */

static ssize_t on_recv(uint8_t *buf, size_t len, int flags, void *user)
{
    struct frames *f = user;
    (void)flags;
    size_t n = f->in->len < len ? f->in->len : len;
    if (n == 0)
        return -1;
    memcpy(buf, f->in->data, n);
    f->in->data += n;
    f->in->len -= n;
    f->unused += n;
    return (ssize_t)n;
}

static ssize_t on_send(const uint8_t *data, size_t len, int flags, void *user)
{
    (void)flags;
    bytes_append(user, data, len);
    return (ssize_t)len;
}

static struct wslay_frame_context *open_wslay(void *user)
{
    static const struct wslay_frame_callbacks calls = {.send_callback = on_send, .recv_callback = on_recv};
    struct wslay_frame_context *wslay;
    CHECK(wslay_frame_context_init(&wslay, &calls, user) == 0);
    return wslay;
}

static void close_wslay(struct frames *f)
{
    if (f->wslay)
        wslay_frame_context_free(f->wslay);
    f->wslay = NULL;
    f->unused = 0;
}

/* ---- what a frame may be ---- */

static enum frames_kind bad(struct frames *f, struct frames_event *ev, enum frames_code code, const char *text)
{
    f->over = true;
    close_wslay(f);
    ev->kind = FRAMES_BAD;
    ev->code = (uint16_t)code;
    ev->text = text;
    return ev->kind;
}

static bool is_flood(struct frames *f, uint64_t now_ms)
{
    uint64_t forgiven = (now_ms - f->control_ms) / CONTROL_EVERY_MS;
    if (forgiven >= f->control_count)
        f->control_count = 0;
    else
        f->control_count -= (unsigned)forgiven;
    f->control_ms = f->control_count ? f->control_ms + forgiven * CONTROL_EVERY_MS : now_ms;
    return ++f->control_count > CONTROL_BURST;
}

/* Asked once a frame, before any of its payload is kept. MORE: it is good. */
static enum frames_kind check_data(struct frames *f, const struct wslay_frame_iocb *io, struct frames_event *ev)
{
    bool goes_on = io->opcode == WSLAY_CONTINUATION_FRAME;
    if (io->opcode == WSLAY_BINARY_FRAME)
        return bad(f, ev, FRAMES_UNSUPPORTED_DATA, "a binary frame");
    if (goes_on != f->in_message)
        return bad(f, ev, FRAMES_PROTOCOL_ERROR,
                   goes_on ? "a continuation of nothing" : "a message inside another");
    if (io->payload_length > f->max_bytes - f->message.len)
        return bad(f, ev, FRAMES_TOO_BIG, "a message larger than allowed");
    if (++f->fragments > FRAGMENTS_MAX)
        return bad(f, ev, FRAMES_POLICY, "a message in too many fragments");
    f->in_message = true;
    return FRAMES_MORE;
}

static enum frames_kind check_frame(struct frames *f, const struct wslay_frame_iocb *io, uint64_t now_ms,
                                    struct frames_event *ev)
{
    if (io->rsv)
        return bad(f, ev, FRAMES_PROTOCOL_ERROR, "reserved bits without an extension");
    if (!io->mask)
        return bad(f, ev, FRAMES_PROTOCOL_ERROR, "a frame that is not masked");
    if (io->opcode <= WSLAY_BINARY_FRAME)
        return check_data(f, io, ev);
    if (io->opcode < WSLAY_CONNECTION_CLOSE || io->opcode > WSLAY_PONG)
        return bad(f, ev, FRAMES_PROTOCOL_ERROR, "a reserved opcode");
    if (is_flood(f, now_ms))
        return bad(f, ev, FRAMES_POLICY, "too many control frames");
    return FRAMES_MORE;
}

/* ---- what a frame says ---- */

/* RFC 6455 7.4: codes that may stand in a frame. */
static bool is_wire_code(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum frames_kind end_close(struct frames *f, struct frames_event *ev)
{
    const unsigned char *d = (const unsigned char *)f->control.data;
    size_t len = f->control.len;
    unsigned code = len >= 2 ? (unsigned)d[0] << 8 | d[1] : 1005;
    if (len == 1 || (len >= 2 && !is_wire_code(code)))
        return bad(f, ev, FRAMES_PROTOCOL_ERROR, "a Close without a proper code");
    if (len > 2 && !utf8_valid(f->control.data + 2, len - 2))
        return bad(f, ev, FRAMES_NOT_UTF8, "a Close whose reason is not UTF-8");
    f->over = true;
    close_wslay(f);
    ev->code = (uint16_t)code;
    return ev->kind = FRAMES_CLOSED;
}

static enum frames_kind end_control(struct frames *f, unsigned opcode, struct frames_event *ev)
{
    if (opcode == WSLAY_CONNECTION_CLOSE)
        return end_close(f, ev);
    f->given = true;
    if (opcode == WSLAY_PONG)
        return FRAMES_MORE;
    ev->data = bytes_span(&f->control);
    return ev->kind = FRAMES_PING;
}

static enum frames_kind end_data(struct frames *f, bool fin, struct frames_event *ev)
{
    if (!fin)
        return FRAMES_MORE;
    f->in_message = false;
    f->fragments = 0;
    f->given = true;
    if (!utf8_valid(bytes_text(&f->message), f->message.len))
        return bad(f, ev, FRAMES_NOT_UTF8, "text that is not UTF-8");
    ev->data = bytes_span(&f->message);
    return ev->kind = FRAMES_TEXT;
}

static unsigned head_bytes(const struct wslay_frame_iocb *io)
{
    return (io->payload_length < 126 ? 2 : io->payload_length < 65536 ? 4 : 10) + (io->mask ? 4 : 0);
}

/* A piece of a frame. MORE: nothing to tell. */
static enum frames_kind take_piece(struct frames *f, const struct wslay_frame_iocb *io, uint64_t now_ms,
                                   struct frames_event *ev)
{
    if (!f->in_frame) {
        f->frame_bytes = 0;
        f->unused -= head_bytes(io);
        if (check_frame(f, io, now_ms, ev) != FRAMES_MORE)
            return ev->kind;
    }
    bool control = wslay_is_ctrl_frame(io->opcode);
    f->in_frame = true;
    f->unused -= io->data_length;
    f->frame_bytes += io->data_length;
    bytes_append(control ? &f->control : &f->message, io->data, io->data_length);
    if (f->frame_bytes < io->payload_length)
        return FRAMES_MORE;
    f->in_frame = false;
    return control ? end_control(f, io->opcode, ev) : end_data(f, io->fin, ev);
}

/* ---- outside ---- */

struct frames *frames_create(size_t max_bytes)
{
    struct frames *f = mem_new(struct frames);
    f->max_bytes = max_bytes;
    return f;
}

void frames_destroy(struct frames **at)
{
    struct frames *f = *at;
    *at = NULL;
    if (!f)
        return;
    close_wslay(f);
    bytes_fini(&f->message);
    bytes_fini(&f->control);
    mem_free(f);
}

void frames_set_max(struct frames *f, size_t max_bytes)
{
    f->max_bytes = max_bytes > f->message.len ? max_bytes : f->message.len;
}

static void drop_given(struct frames *f)
{
    if (!f->given)
        return;
    f->given = false;
    bytes_fini(&f->control);
    if (!f->in_message)
        bytes_fini(&f->message);
}

void frames_next(struct frames *f, struct span *in, uint64_t now_ms, struct frames_event *ev)
{
    struct wslay_frame_iocb io;
    ssize_t n = 0;
    *ev = (struct frames_event){.kind = FRAMES_MORE};
    drop_given(f);
    f->in = in;
    while (ev->kind == FRAMES_MORE && !f->over && (in->len > 0 || f->unused > 0) && n != WSLAY_ERR_WANT_READ) {
        if (!f->wslay)
            f->wslay = open_wslay(f);
        memset(&io, 0, sizeof io);
        n = wslay_frame_recv(f->wslay, &io);
        if (n >= 0)
            take_piece(f, &io, now_ms, ev);
        else if (n != WSLAY_ERR_WANT_READ)
            bad(f, ev, FRAMES_PROTOCOL_ERROR, "not a frame");
        if (f->unused == 0 && !f->in_frame)
            close_wslay(f);
        if (ev->kind == FRAMES_MORE)
            drop_given(f);
    }
    f->in = NULL;
}

bool frames_partial(const struct frames *f)
{
    return f->in_message || f->in_frame || f->unused > 0;
}

static void put(struct bytes *out, unsigned opcode, const void *data, size_t len)
{
    struct wslay_frame_context *wslay = open_wslay(out);
    struct wslay_frame_iocb io = {
        .fin = 1, .opcode = (uint8_t)opcode, .payload_length = len, .data = data, .data_length = len};
    bytes_reserve(out, len + 10);
    CHECK(wslay_frame_send(wslay, &io) == (ssize_t)len);
    wslay_frame_context_free(wslay);
}

void frames_put_text(struct bytes *out, struct span text)
{
    put(out, WSLAY_TEXT_FRAME, text.data, text.len);
}

void frames_put_pong(struct bytes *out, struct span data)
{
    put(out, WSLAY_PONG, data.data, data.len);
}

void frames_put_close(struct bytes *out, uint16_t code)
{
    const unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
    put(out, WSLAY_CONNECTION_CLOSE, payload, sizeof payload);
}
