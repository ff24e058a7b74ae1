/* SPDX-License-Identifier: MIT */
/* Private XML as rows. The bound is counted anew for each change: a person has a hundred rows at most. */
#include "gateway/store/private_xml.h"

#include "gateway/base/list.h"
#include "gateway/base/text.h"

/* ---- reading ---- */

static bool run_get(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct private_xml_get *g = container_of(job, struct private_xml_get, job);
    struct private_xml *w = &g->what;
    struct store_rows *r = store_query(tx, e, "select xml from private_xml where owner = $1 and ns = $2 and name = $3",
                                       "ttt", g->owner, w->ns, w->name);
    w->xml = (struct span){0};
    if (r && store_next(r, e)) {
        struct span xml = store_blob(r, 0);
        w->xml = (struct span){arena_dup_n(&g->arena, xml.data, xml.len), xml.len};
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

void private_xml_get(struct store *s, struct private_xml_get *g)
{
    g->job.run = run_get;
    store_read(s, &g->job);
}

/* ---- changing ---- */

static bool is_replaced(const struct private_xml_put *p, const char *ns, const char *name)
{
    for (unsigned i = 0; i < p->count; i++)
        if (text_eq(p->all[i].ns, ns) && text_eq(p->all[i].name, name))
            return true;
    return false;
}

static bool fits(struct store_tx *tx, struct private_xml_put *p, struct error *e)
{
    uint64_t bytes = 0;
    unsigned count = 0;
    struct store_rows *r =
        store_query(tx, e, "select ns, name, bytes from private_xml where owner = $1", "t", p->owner);
    while (r && store_next(r, e))
        if (!is_replaced(p, store_text(r, 0), store_text(r, 1))) {
            bytes += (uint64_t)store_int(r, 2);
            count++;
        }
    for (unsigned i = 0; i < p->count; i++) {
        bytes += p->all[i].xml.len;
        count += p->all[i].xml.len > 0;
    }
    p->refused = count > PRIVATE_XML_COUNT_MAX || bytes > PRIVATE_XML_BYTES_MAX;
    return r && e->code == ERROR_NONE;
}

static bool put_one(struct store_tx *tx, const char *owner, const struct private_xml *x, struct error *e)
{
    if (!x->xml.len)
        return store_exec(tx, e, "delete from private_xml where owner = $1 and ns = $2 and name = $3", "ttt", owner,
                          x->ns, x->name);
    return store_exec(
        tx, e,
        "insert into private_xml (owner, ns, name, xml, bytes, changed_us) values ($1, $2, $3, $4, $5, $6) "
        "on conflict (owner, ns, name) do update set xml = $4, bytes = $5, changed_us = $6",
        "tttbii", owner, x->ns, x->name, &x->xml, (int64_t)x->xml.len, store_now_us(tx));
}

static bool run_put(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct private_xml_put *p = container_of(job, struct private_xml_put, job);
    if (!fits(tx, p, e))
        return false;
    for (unsigned i = 0; i < p->count && !p->refused; i++)
        if (!put_one(tx, p->owner, &p->all[i], e))
            return false;
    return true;
}

void private_xml_put(struct store *s, struct private_xml_put *p)
{
    for (unsigned i = 0; i < p->count; i++)
        p->job.bytes += p->all[i].xml.len;
    p->job.run = run_put;
    store_write(s, &p->job);
}

bool private_xml_account_gone(struct store_tx *tx, const char *owner, struct error *e)
{
    return store_exec(tx, e, "delete from private_xml where owner = $1", "t", owner);
}
