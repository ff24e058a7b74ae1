/* SPDX-License-Identifier: MIT */
/* Message carbons (XEP-0280): which messages are copied (section 6.1), and to which resources. A copy
 * is an envelope around the message's own payload; it is made once, and is not kept: who is not there
 * finds the message in the archive.
 *
 * Copies come from the person's own bare JID and from nobody else: what others send that looks like one
 * loses it on arrival (message.c). */
#include "gateway/exchange/carbon_copy.h"

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/exchange/person.h"
#include "gateway/xmpp/ns.h"

enum { MARKS = 64 };

/* What was copied last, so that the error that it may come back as is copied too. */
struct carbon_marks {
    uint64_t keys[MARKS];
    unsigned next;
};

static uint64_t key_of(const char *id, const struct jid *peer)
{
    return hash_text(id) * 31 + hash_text(peer->bare);
}

static void note_sent(struct person *p, const struct stanza *msg)
{
    if (!msg->id || !msg->to)
        return;
    if (!p->copied)
        p->copied = mem_new(struct carbon_marks);
    p->copied->keys[p->copied->next++ % MARKS] = key_of(msg->id, msg->to);
}

static bool answers_copied(const struct person *p, const struct stanza *error)
{
    if (!p->copied || !error->id || !error->from)
        return false;
    uint64_t key = key_of(error->id, error->from);
    for (unsigned i = 0; i < MARKS; i++)
        if (p->copied->keys[i] == key)
            return true;
    return false;
}

void carbon_copy_forget(struct person *p)
{
    mem_free(p->copied);
    p->copied = NULL;
}

static bool is_wanted(const struct person *p)
{
    list_each (at, &p->resources)
        if (list_entry(at, struct resource, node)->carbons)
            return true;
    return false;
}

/* A copy is not copied again, nor is what its sender keeps from copies. What an error carries back was
 * said of the message that it answers (XEP-0334 section 5). */
static bool is_kept_private(const struct stanza *msg)
{
    if (stanza_child(msg, "sent", NS_CARBONS) || stanza_child(msg, "received", NS_CARBONS))
        return true;
    return msg->type != MESSAGE_ERROR &&
           (stanza_child(msg, "private", NS_CARBONS) || stanza_child(msg, "no-copy", NS_HINTS));
}

/* Without a body, but part of a conversation: what other clients must know of it to show the same. */
static bool is_about_messages(const struct stanza *msg)
{
    for (const struct element *e = stanza_first(msg); e; e = e->next)
        if (text_eq(e->ns, NS_RECEIPTS) || text_eq(e->ns, NS_MARKERS) || text_eq(e->ns, NS_CHATSTATES) ||
            text_eq(e->ns, NS_EME) || element_is(e, "x", NS_CONFERENCE) ||
            text_eq(e->ns, "urn:xmpp:jingle-message:0") || text_eq(e->ns, "urn:xmpp:jingle-message:1"))
            return true;
    return false;
}

bool carbon_copy_may(const struct person *p, const struct stanza *msg, bool sent)
{
    if (!is_wanted(p) || is_kept_private(msg))
        return false;
    /* A private message in a room is for the client that is in the room. */
    if (!sent && msg->to && msg->to->resource && stanza_child(msg, "x", NS_MUC_USER))
        return false;
    if (msg->type == MESSAGE_CHAT)
        return true;
    if (msg->type == MESSAGE_NORMAL)
        return stanza_body(msg) || is_about_messages(msg);
    return msg->type == MESSAGE_ERROR && !sent && answers_copied(p, msg);
}

static void give_copy(struct resource *r, struct stanza *copy)
{
    struct stanza *own = stanza_readdress(copy, copy->from, r->jid, (struct span){0});
    resource_give(r, own, 0);
    stanza_unref(&own);
}

void carbon_copy_sent(struct person *p, const struct resource *by, struct stanza *msg)
{
    struct stanza *copy = stanza_forward(msg, "sent", NS_CARBONS, p->jid);
    note_sent(p, msg);
    resource_each(r, p) if (r->carbons && r != by) give_copy(r, copy);
    stanza_unref(&copy);
}

void carbon_copy_received(struct person *p, const struct resource *match, struct stanza *msg)
{
    struct stanza *copy = stanza_forward(msg, "received", NS_CARBONS, p->jid);
    resource_each(r, p)
    {
        bool has_it = match ? r == match : resource_takes_messages(r);
        if (r->carbons && !has_it && !(msg->from && jid_eq(r->jid, msg->from)))
            give_copy(r, copy);
    }
    stanza_unref(&copy);
}
