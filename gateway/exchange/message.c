/* SPDX-License-Identifier: MIT */
/* What a message weighs: one table of the payloads that weigh nothing, one of those that say
 * something. Everything else that a chat or normal message carries is kept: an extension that we do
 * not know may matter to the one who waits for it. */
#include "gateway/exchange/message.h"

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/stanza_build.h"

struct name {
    const char *name; /* NULL: any element */
    const char *ns;
};

/* Alone, these are passed on and forgotten. */
static const struct name light[] = {
    {NULL, NS_CHATSTATES},
    {NULL, NS_RTT}, /* typing, letter by letter: what it comes to is said in the end */
    {NULL, NS_HINTS},
    {NULL, NS_SID},
    {NULL, NS_DELAY},
    {NULL, NS_PUBSUB_EVENT},
    {NULL, NS_CAPS},
    {"thread", NS_CLIENT},
    {"addresses", "http://jabber.org/protocol/address"},
    {"nick", "http://jabber.org/protocol/nick"},
};

/* Somebody writes to somebody. */
static const struct name speech[] = {
    {"body", NS_CLIENT},
    {"encryption", NS_EME},
    {"encrypted", "eu.siacs.conversations.axolotl"},
    {"encrypted", "urn:xmpp:omemo:1"},
    {"encrypted", "urn:xmpp:omemo:2"},
    {"x", "jabber:x:encrypted"},
    {"openpgp", "urn:xmpp:openpgp:0"},
    {"x", NS_CONFERENCE},
};

static const struct name states[] = {
    {NULL, NS_CHATSTATES},
    {NULL, NS_RTT},
    {NULL, NS_MARKERS},
    {NULL, NS_RECEIPTS},
};

static bool listed(const struct name *list, size_t count, const struct element *e)
{
    for (size_t i = 0; i < count; i++)
        if ((!list[i].name || text_eq(list[i].name, e->name)) && text_eq(list[i].ns, e->ns))
            return true;
    return false;
}
#define LISTED(list, e) listed((list), sizeof(list) / sizeof((list)[0]), (e))

static bool is_invitation(const struct element *e)
{
    return element_is(e, "x", NS_MUC_USER) && element_child(e, "invite", NS_MUC_USER);
}

static bool is_conversation(const struct stanza *msg)
{
    return msg->kind == STANZA_MESSAGE &&
           (msg->type == MESSAGE_CHAT || msg->type == MESSAGE_NORMAL);
}

struct message_weight message_weigh(const struct stanza *msg)
{
    struct message_weight w = {.is_known = true};
    if (msg->kind != STANZA_MESSAGE || msg->type == MESSAGE_ERROR || msg->type == MESSAGE_GROUPCHAT)
        return w; /* hints in an error are of what it answers; a room keeps its own */
    bool heavy = false, no_store = false, not_archived = false, store = false;
    for (const struct element *e = stanza_first(msg); e; e = e->next) {
        if (text_eq(e->ns, NS_HINTS)) {
            no_store |= text_eq(e->name, "no-store");
            not_archived |= text_eq(e->name, "no-permanent-store");
            store |= text_eq(e->name, "store");
        } else if (LISTED(speech, e) || is_invitation(e)) {
            w.says = true;
        } else if (!LISTED(light, e)) {
            heavy = true;
        }
    }
    if (!is_conversation(msg)) { /* news are worth keeping only to who says so */
        w.says = heavy = false;
        store &= !no_store;
    }
    /* What is said waits for its recipient even with no-store; what only accompanies does not. Who says both store
     * and no-store gets the one that loses nothing, and no archive. */
    w.keep = w.says || (heavy && !no_store) || store;
    w.archive = w.keep && !no_store && !not_archived;
    return w;
}

bool message_is_state(const struct stanza *msg)
{
    if (!is_conversation(msg))
        return false;
    bool state = false;
    for (const struct element *e = stanza_first(msg); e; e = e->next) {
        if (LISTED(speech, e) || is_invitation(e))
            return false;
        state |= LISTED(states, e);
    }
    return state;
}

/* However it is spelt: clients compare addresses, not texts. */
static bool names(const char *text, const char *bare)
{
    struct arena a;
    if (!text || text_eq(text, bare))
        return text != NULL;
    arena_init(&a);
    const struct jid *j = jid_parse_text(&a, text);
    bool same = j && text_eq(j->full, bare);
    arena_fini(&a);
    return same;
}

/* An id of our archive that is not ours, a copy that we did not make; and what was said to the server
 * only (XEP-0280 section 8). */
static bool is_to_go(const struct element *e, const char *by)
{
    if (text_eq(e->ns, NS_CARBONS))
        return text_eq(e->name, "sent") || text_eq(e->name, "received") || text_eq(e->name, "private");
    return element_is(e, "stanza-id", NS_SID) && names(element_attr(e, "by"), by);
}

struct stanza *message_strip(struct stanza *msg, const char *by)
{
    const struct element *e = stanza_first(msg);
    while (e && !is_to_go(e, by))
        e = e->next;
    if (!e)
        return stanza_ref(msg);
    struct builder b;
    build_begin(&b, msg->kind, msg->type);
    build_from(&b, msg->from);
    build_to(&b, msg->to);
    build_id(&b, msg->id);
    build_lang(&b, msg->lang);
    for (e = stanza_first(msg); e; e = e->next)
        if (!is_to_go(e, by))
            build_copy(&b, e);
    return build_end(&b);
}
