/* SPDX-License-Identifier: MIT */
/* The cache is bounded by forgetting all of it: the working set comes back at one select a name. */
#include "gateway/store/names.h"

#include <string.h>

#include "gateway/base/mem.h"

enum { NAMES_MAX = 32768 };

struct name {
    int64_t id;
    char text[];
};

void names_fini(struct names *n)
{
    struct name *it;
    for (size_t i = 0; (it = map_next(&n->by_name, &i));)
        mem_free(it);
    map_fini(&n->by_name);
}

void names_committed(struct names *n)
{
    n->added = false;
}

void names_rolled_back(struct names *n)
{
    if (n->added)
        names_fini(n);
    n->added = false;
}

static void remember(struct names *n, const char *text, int64_t id)
{
    if (n->by_name.count >= NAMES_MAX)
        names_fini(n);
    size_t len = strlen(text) + 1;
    struct name *name = mem_alloc(sizeof *name + len);
    name->id = id;
    memcpy(name->text, text, len);
    map_put(&n->by_name, name->text, name);
}

bool names_lookup(struct store_tx *tx, const char *name, int64_t *id, struct error *e)
{
    struct error failed = ERROR_INIT;
    *id = 0;
    struct store_rows *r = store_query(tx, e, "select id from names where name = $1", "t", name);
    if (!r)
        return false;
    if (store_next(r, &failed)) {
        *id = store_int(r, 0);
        store_end(r);
    }
    if (failed.code == ERROR_NONE)
        return true;
    *e = failed;
    return false;
}

bool names_find(struct store_tx *tx, struct names *n, const char *name, int64_t *id, struct error *e)
{
    struct name *known = map_get(&n->by_name, name);
    if (known) {
        *id = known->id;
        return true;
    }
    if (!names_lookup(tx, name, id, e))
        return false;
    if (*id)
        remember(n, name, *id);
    return true;
}

bool names_put(struct store_tx *tx, struct names *n, const char *name, int64_t *id, struct error *e)
{
    *id = 0;
    if (!name)
        return true;
    if (!names_find(tx, n, name, id, e))
        return false;
    if (*id)
        return true;
    struct store_rows *r =
        store_query(tx, e, "insert into names (name) values ($1) returning id", "t", name);
    if (!r)
        return false;
    if (!store_next(r, e))
        return e->code ? false : error_set(e, ERROR_IO, "a name got no number");
    *id = store_int(r, 0);
    store_end(r);
    n->added = true;
    remember(n, name, *id);
    return true;
}
