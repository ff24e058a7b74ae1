/* SPDX-License-Identifier: MIT */
/* See listing.h. */
#include "gateway/exchange/listing.h"

#include <stddef.h>

#include "gateway/xmpp/datetime.h"

struct listing_row *listing_add(struct listing_query *q)
{
    if (q->count == q->limit) {
        q->more = true;
        return NULL;
    }
    struct listing_row *row = arena_new(&q->arena, struct listing_row);
    if (q->last)
        q->last->next = row;
    else
        q->first = row;
    q->last = row;
    q->count++;
    return row;
}

struct ending {
    struct command cmd;
    struct listing_query *q;
    struct error error;
};

static void run_end(struct command *cmd)
{
    struct ending *n = container_of(cmd, struct ending, cmd);
    struct error e = n->error; /* n is in the query's arena, which done() ends */
    n->q->done(n->q, &e);
}

void listing_end(struct listing_query *q, const struct error *e)
{
    struct ending *n = arena_new(&q->arena, struct ending);
    n->cmd.run = run_end;
    n->q = q;
    if (e)
        n->error = *e;
    loop_post(q->reply_on, &n->cmd);
}

const char *listing_number(struct listing_query *q, unsigned long long n)
{
    return arena_printf(&q->arena, "%llu", n);
}

const char *listing_time(struct listing_query *q, int64_t unix_us)
{
    char text[DATETIME_MAX];
    if (!unix_us)
        return NULL;
    datetime_write(text, unix_us);
    return arena_dup(&q->arena, text);
}
