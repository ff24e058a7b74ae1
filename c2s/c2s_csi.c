/* SPDX-License-Identifier: MIT */
/* See c2s_csi.h. What may wait is a closed list: an extension that is not known may be what the person waits
 * for. A newer presence or typing takes the place of the older one at the END of the list, so whatever
 * comes from one JID keeps its order. */
#include "c2s/c2s_csi.h"

#include <string.h>

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

/* ---- how urgent ---- */

/* What a child of a message says about its hurry. */
enum hurry { URGENT, ALONG /* says nothing alone */, STATE, COUNTS, REALTIME };

/* clang-format off */
static const struct child {
    const char *name; /* NULL: any element */
    const char *ns;
    enum hurry hurry;
} children[] = {
    {NULL,        NS_CHATSTATES,    STATE},
    {NULL,        NS_RECEIPTS,      COUNTS},
    {NULL,        NS_MARKERS,       COUNTS},
    {NULL,        NS_PUBSUB_EVENT,  COUNTS},
    {NULL,        NS_RTT,           REALTIME},
    {NULL,        NS_HINTS,         ALONG},
    {NULL,        NS_SID,           ALONG},
    {NULL,        NS_DELAY,         ALONG},
    {NULL,        NS_CAPS,          ALONG},
    {"thread",    NS_CLIENT,        ALONG},
    {"nick",      "http://jabber.org/protocol/nick",    ALONG},
    {"addresses", "http://jabber.org/protocol/address", ALONG},
    {"occupant-id", "urn:xmpp:occupant-id:0",           ALONG},
};
/* clang-format on */

static enum hurry hurry_of(const struct element *e)
{
    for (size_t i = 0; i < sizeof(children) / sizeof(*children); i++)
        if ((!children[i].name || text_eq(children[i].name, e->name)) && text_eq(children[i].ns, e->ns))
            return children[i].hurry;
    return URGENT;
}

static enum c2s_csi_urgency judge_children(const struct element *e)
{
    bool state = false, counts = false, realtime = false;

    for (; e; e = e->next) {
        enum hurry h = hurry_of(e);
        if (h == URGENT)
            return C2S_CSI_NOW;
        state |= h == STATE;
        counts |= h == COUNTS;
        realtime |= h == REALTIME;
    }
    if (counts)
        return C2S_CSI_WAITS;
    if (realtime)
        return C2S_CSI_NEVER;
    return state ? C2S_CSI_NEWEST : C2S_CSI_NOW;
}

/* The message in a copy of the account's own (XEP-0280); NULL: it is none. */
static const struct element *copied(const struct stanza *st)
{
    const struct element *e = stanza_first(st);

    if (!e || !text_eq(e->ns, NS_CARBONS))
        return NULL;
    return element_child(element_child(e, "forwarded", NS_FORWARD), "message", NS_CLIENT);
}

/* A room tells the client about itself: that it is in, or was put out. */
static bool is_about_itself(const struct stanza *presence)
{
    const struct element *x = stanza_child(presence, "x", NS_MUC_USER);

    for (const struct element *s = x ? element_child(x, "status", NS_MUC_USER) : NULL; s;
         s = element_next(s, "status", NS_MUC_USER))
        if (text_eq(element_attr(s, "code"), "110"))
            return true;
    return false;
}

enum c2s_csi_urgency c2s_csi_judge(const struct stanza *st)
{
    if (st->kind == STANZA_PRESENCE)
        return (st->type == PRESENCE_AVAILABLE || st->type == PRESENCE_UNAVAILABLE) && !is_about_itself(st)
                   ? C2S_CSI_NEWEST
                   : C2S_CSI_NOW;
    if (st->kind != STANZA_MESSAGE || st->type == MESSAGE_ERROR)
        return C2S_CSI_NOW;
    const struct element *inner = copied(st);
    if (!inner)
        return judge_children(stanza_first(st));
    return text_eq(element_attr(inner, "type"), "error") ? C2S_CSI_NOW : judge_children(inner->first_child);
}

/* ---- what waits ---- */

struct held {
    struct stanza *st; /* counted */
    uint64_t seq;
    uint64_t subject; /* hash of what a newer one replaces it for; 0: nothing does */
};

struct c2s_csi {
    struct held *all;
    unsigned first, count, cap; /* all[first .. first + count) */
    size_t bytes;
};

/* Who it is about. A copy is about who wrote to whom. */
struct subject {
    enum stanza_kind kind;
    const char *from, *to;
};

static struct subject subject_of(const struct stanza *st)
{
    const struct element *inner = st->kind == STANZA_MESSAGE ? copied(st) : NULL;
    const char *from = inner ? element_attr(inner, "from") : st->from ? st->from->full : NULL;
    const char *to = inner ? element_attr(inner, "to") : NULL;

    return (struct subject){st->kind, from ? from : "", to ? to : ""};
}

static uint64_t subject_hash(const struct subject *s)
{
    uint64_t h = (hash_text(s->from) * 31 + hash_text(s->to)) * 31 + s->kind;

    return h ? h : 1;
}

static bool is_about(const struct stanza *st, const struct subject *s)
{
    struct subject other = subject_of(st);

    return other.kind == s->kind && text_eq(other.from, s->from) && text_eq(other.to, s->to);
}

static void remove_at(struct c2s_csi *h, unsigned i)
{
    h->bytes -= stanza_size(h->all[i].st);
    stanza_unref(&h->all[i].st);
    memmove(&h->all[i], &h->all[i + 1], (h->first + h->count - i - 1) * sizeof(*h->all));
    h->count--;
}

static void forget_older(struct c2s_csi *h, const struct subject *s, uint64_t hash)
{
    for (unsigned i = h->first; i < h->first + h->count; i++)
        if (h->all[i].subject == hash && is_about(h->all[i].st, s)) {
            remove_at(h, i);
            return; /* there is never a second */
        }
}

static void append(struct c2s_csi **hp, struct stanza *st, uint64_t seq, uint64_t subject)
{
    struct c2s_csi *h = *hp;

    if (!h)
        h = *hp = mem_new(struct c2s_csi);
    if (h->first + h->count == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 8;
        h->all = mem_grow(h->all, h->cap * sizeof(*h->all));
    }
    h->all[h->first + h->count++] = (struct held){stanza_ref(st), seq, subject};
    h->bytes += stanza_size(st);
}

bool c2s_csi_hold(struct c2s_csi **hp, struct stanza *st, uint64_t seq)
{
    enum c2s_csi_urgency u = c2s_csi_judge(st);
    uint64_t hash = 0;

    if (u == C2S_CSI_NOW)
        return false;
    if (u == C2S_CSI_NEVER && !seq)
        return true;
    if (u == C2S_CSI_NEWEST && !seq) {
        struct subject s = subject_of(st);
        hash = subject_hash(&s);
        if (*hp)
            forget_older(*hp, &s, hash);
    }
    if (*hp && ((*hp)->count == C2S_CSI_COUNT_MAX || (*hp)->bytes + stanza_size(st) > C2S_CSI_BYTES_MAX))
        return false;
    append(hp, st, seq, hash);
    return true;
}

bool c2s_csi_take(struct c2s_csi **hp, struct stanza **st, uint64_t *seq)
{
    struct c2s_csi *h = *hp;

    if (!h)
        return false;
    if (!h->count) {
        c2s_csi_drop(hp);
        return false;
    }
    *st = h->all[h->first].st;
    *seq = h->all[h->first].seq;
    h->bytes -= stanza_size(*st);
    h->first++;
    h->count--;
    return true;
}

void c2s_csi_drop(struct c2s_csi **hp)
{
    struct c2s_csi *h = *hp;

    *hp = NULL;
    if (!h)
        return;
    for (unsigned i = h->first; i < h->first + h->count; i++)
        stanza_unref(&h->all[i].st);
    mem_free(h->all);
    mem_free(h);
}
