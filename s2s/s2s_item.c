/* SPDX-License-Identifier: MIT */
/* A stanza that a pair has. Decided here: when a message that leaves late says so (XEP-0203). */
#include "s2s/s2s_item.h"

#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/ns.h"

enum { STAMP_AFTER_US = 10 * 1000000 };

struct s2s_item *s2s_item_of(struct list *node)
{
    return list_entry(node, struct s2s_item, node);
}

void s2s_item_free(struct s2s_item *it)
{
    list_remove(&it->node);
    stanza_unref(&it->st);
    mem_free(it);
}

void s2s_item_free_all(struct list *items)
{
    list_each(node, items)
        s2s_item_free(s2s_item_of(node));
}

struct s2s_item *s2s_item_new(struct stanza *st, uint64_t seq, int64_t kept_us)
{
    struct s2s_item *it = mem_new(struct s2s_item);
    it->st = stanza_ref(st);
    it->seq = seq;
    it->kept_us = kept_us;
    it->bytes = stanza_size(st) + sizeof *it;
    return it;
}

struct queue_id s2s_item_id(const struct s2s_item *it)
{
    return (struct queue_id){it->kept_us, it->seq};
}

struct stanza *s2s_item_stamped(const struct s2s_item *it, const char *by, int64_t now_us)
{
    if (it->st->kind != STANZA_MESSAGE || (!it->sends && now_us - it->kept_us < STAMP_AFTER_US) ||
        stanza_child(it->st, "delay", NS_DELAY))
        return stanza_ref(it->st);
    char stamp[DATETIME_MAX];
    datetime_write(stamp, it->kept_us);
    struct bytes b = BYTES_EMPTY;
    bytes_printf(&b, "<delay xmlns='" NS_DELAY "' from='%s' stamp='%s'/>", by, stamp);
    struct stanza *st = stanza_readdress(it->st, it->st->from, it->st->to, bytes_span(&b));
    bytes_fini(&b);
    return st;
}
