/* SPDX-License-Identifier: MIT */
/* Mail between connection and link. One path in either direction: a direct call on one loop, a
 * command between two; what is posted holds its own counts. */
#include <string.h>

#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "gateway/base/mem.h"

struct parcel {
    struct command cmd;
    struct c2s_shard *shard; /* to a link; NULL: to a connection */
    struct c2s_mail mail;    /* counted copies; text lies behind the parcel */
    char text[];
};

static void parcel_run(struct command *cmd)
{
    struct parcel *p = container_of(cmd, struct parcel, cmd);

    if (p->shard)
        c2s_link_handle(p->shard, &p->mail);
    else
        c2s_conn_handle(p->mail.conn, &p->mail);
    stanza_unref(&p->mail.st);
    c2s_link_unref(&p->mail.link);
    c2s_conn_unref(&p->mail.conn);
    mem_free(p);
}

static void parcel_post(struct loop *l, struct c2s_shard *shard, const struct c2s_mail *m)
{
    struct parcel *p = mem_alloc(sizeof(*p) + m->text.len);

    p->cmd.run = parcel_run;
    p->shard = shard;
    p->mail = *m;
    ref_take(&m->conn->ref);
    if (m->link)
        ref_take(&m->link->ref);
    if (m->st)
        stanza_ref(m->st);
    if (m->text.len) {
        memcpy(p->text, m->text.data, m->text.len);
        p->mail.text.data = p->text;
    }
    loop_post(l, &p->cmd);
}

void c2s_mail_to_link(struct c2s_shard *shard, const struct c2s_mail *m)
{
    if (m->conn->io->loop == shard->loop)
        c2s_link_handle(shard, m);
    else
        parcel_post(shard->loop, shard, m);
}

void c2s_mail_to_conn(const struct c2s_mail *m)
{
    struct c2s_conn *k = m->conn;

    /* The loop of a connection's account is known to both halves and never changes. */
    if (k->io->loop == k->shard->loop)
        c2s_conn_handle(k, m);
    else
        parcel_post(k->io->loop, NULL, m);
}
