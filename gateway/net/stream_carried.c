/* SPDX-License-Identifier: MIT */
/* What a carrier brings goes through the reader, as what is read from a wire does: so pauses, restarts and the order of
 * things are the same. */
#include "gateway/net/stream_carried.h"

#include "gateway/net/stream_internal.h"

struct stream *stream_carried_open(struct stream_carrier *c, const struct stream_policy *p, void *user,
                                   struct xml_limits limits, uint64_t header_timeout_ms)
{
    struct stream *s = stream_create(c->loop, p, user, limits, header_timeout_ms, c->peer_text);
    s->carrier = c;
    stream_await_header(s);
    return s;
}

void stream_carried_header(struct stream *s, const struct stream_header *h)
{
    xml_reader_give_header(s->reader, h);
    stream_pump(s);
}

void stream_carried_stanza(struct stream *s, struct stanza *st)
{
    xml_reader_give(s->reader, st);
    stream_pump(s);
}

void stream_carried_close(struct stream *s)
{
    xml_reader_give_close(s->reader);
    stream_pump(s);
}

void stream_carried_error(struct stream *s, enum stream_error e, const char *text)
{
    xml_reader_give_error(s->reader, e, text);
    stream_pump(s);
}

void stream_carried_drained(struct stream *s)
{
    stream_drained(s);
}

void stream_carried_end(struct stream *s, enum wire_end how, const char *text)
{
    loop_check(stream_loop(s));
    stream_ended(s, how, text);
}
