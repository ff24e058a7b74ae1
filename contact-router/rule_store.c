/* SPDX-License-Identifier: MIT */
/* A person's few rules are written anew as a whole, so their numbers have no gaps. */
#include "contact-router/rule_store.h"

#include <string.h>

#include "contact-router/rule_text.h"
#include "gateway/base/utf8.h"

unsigned rule_list_damaged(const struct rule_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        if (list->v[i].damaged)
            return i + 1;
    return 0;
}

static void read_rule(struct arena *a, const char *text, struct rule *out)
{
    const char *why;
    if (!utf8_valid(text, strlen(text)) || !rule_text_parse(a, text, out, &why))
        *out = (struct rule){ .whom = "", .zone = "", .damaged = arena_dup(a, text) };
}

bool rule_store_list(struct store_tx *tx, const char *account, struct arena *a, struct rule_list *out, struct error *e)
{
    out->count = 0;
    struct store_rows *r = store_query(tx, e, "select rule from rules where account = $1 order by n limit $2", "ti",
                                       account, (int64_t)RULE_PER_ACCOUNT_MAX);
    while (r && store_next(r, e))
        if (out->count < RULE_PER_ACCOUNT_MAX)
            read_rule(a, store_text(r, 0), &out->v[out->count++]);
    return r && e->code == ERROR_NONE;
}

bool rule_store_put(struct store_tx *tx, const char *account, const struct rule_list *rules, struct error *e)
{
    struct bytes text = BYTES_EMPTY;
    bool ok = store_exec(tx, e, "delete from rules where account = $1", "t", account);
    for (unsigned i = 0; ok && i < rules->count; i++) {
        bytes_clear(&text);
        if (rules->v[i].damaged)
            bytes_append_text(&text, rules->v[i].damaged);
        else
            rule_text_write(&rules->v[i], &text);
        ok = store_exec(tx, e, "insert into rules (account, n, rule, changed_us) values ($1, $2, $3, $4)", "titi",
                        account, (int64_t)i + 1, bytes_text(&text), store_now_us(tx));
    }
    bytes_fini(&text);
    return ok;
}

bool rule_store_groups(struct store_tx *tx, const char *account, const char *peer, struct arena *a, const char **groups,
                       struct error *e)
{
    *groups = "";
    struct store_rows *r = store_query(tx, e,
                                       "select groups from rosters where owner = $1 and contact = $2 and in_roster <> 0"
                                       " and removed = 0",
                                       "tt", account, peer);
    while (r && store_next(r, e))
        *groups = arena_dup(a, store_text(r, 0));
    return r && e->code == ERROR_NONE;
}

bool rule_store_sweep(struct store_tx *tx, struct error *e)
{
    return store_exec(tx, e, "delete from rules where not exists (select 1 from accounts where bare = rules.account)",
                      "");
}
