/* SPDX-License-Identifier: MIT */
/* A ring of marks. What fell out of it, or had no origin-id, is delivered again: at worst twice,
 * never not at all. */
#include "gateway/exchange/repeat.h"

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"
#include "gateway/xmpp/ns.h"

struct mark {
    uint64_t key; /* of origin-id and recipient; 0: free */
    uint64_t id;  /* of the stanza's id, by which an error names it */
    uint64_t stream;
    uint64_t ended_ms; /* 0: the stream lives */
};

struct repeats {
    struct mark marks[REPEAT_MARKS];
    unsigned next;
};

static uint64_t hash_or_one(const char *text)
{
    uint64_t h = text ? hash_text(text) : 0;
    return h ? h : 1;
}

bool repeat_note(struct repeats **rp, const struct stanza *msg, uint64_t stream, uint64_t now_ms)
{
    const struct element *origin = stanza_child(msg, "origin-id", NS_SID);
    const char *id = element_attr(origin, "id");
    if (!id || !msg->to)
        return false;
    if (!*rp)
        *rp = mem_new(struct repeats);
    struct repeats *r = *rp;
    uint64_t key = hash_or_one(id) * 31 + hash_or_one(msg->to->bare);
    for (unsigned i = 0; i < REPEAT_MARKS; i++) {
        const struct mark *m = &r->marks[i];
        if (m->key == key && m->stream != stream && m->ended_ms &&
            now_ms - m->ended_ms <= REPEAT_MS)
            return true;
    }
    r->marks[r->next++ % REPEAT_MARKS] = (struct mark){key, hash_or_one(msg->id), stream, 0};
    return false;
}

void repeat_forget(struct repeats *r, const struct stanza *error)
{
    uint64_t id = hash_or_one(error->id);
    for (unsigned i = 0; r && error->id && i < REPEAT_MARKS; i++)
        if (r->marks[i].id == id)
            r->marks[i] = (struct mark){0};
}

void repeat_stream_ended(struct repeats *r, uint64_t stream, uint64_t now_ms)
{
    for (unsigned i = 0; r && i < REPEAT_MARKS; i++)
        if (r->marks[i].key && r->marks[i].stream == stream)
            r->marks[i].ended_ms = now_ms ? now_ms : 1;
}

void repeat_destroy(struct repeats **r)
{
    mem_free(*r);
    *r = NULL;
}
