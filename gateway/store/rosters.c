/* SPDX-License-Identifier: MIT */
/* A roster is its rows; its head holds the newest version, and the version below which tombstones
 * were forgotten: a client that is older than that gets the whole roster (RFC 6121 2.6.3). */
#include "gateway/store/rosters.h"

enum { TOMBSTONES_MAX = 256 }; /* an account; beyond, the oldest half is forgotten */

#define ROW_COLUMNS "contact, name, groups, state, approved, in_roster, request, version, removed"

static void read_row(struct store_rows *r, struct arena *a, struct roster_row *row)
{
    struct span request = store_blob(r, 6);
    *row = (struct roster_row){
        .contact = arena_dup(a, store_text(r, 0)),
        .name = store_is_null(r, 1) ? NULL : arena_dup(a, store_text(r, 1)),
        .groups = arena_dup(a, store_text(r, 2)),
        .state = store_int(r, 3),
        .approved = store_int(r, 4),
        .in_roster = store_int(r, 5),
        .version = store_int(r, 7),
    };
    if (request.len)
        row->request = (struct span){arena_dup_n(a, request.data, request.len), request.len};
}

static bool read_head(struct store_tx *tx, const char *owner, int64_t *version, int64_t *floor, struct error *e)
{
    *version = *floor = 0;
    struct store_rows *r = store_query(tx, e, "select version, floor from roster_heads where owner = $1", "t", owner);
    if (r && store_next(r, e)) {
        *version = store_int(r, 0);
        *floor = store_int(r, 1);
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

/* -- reading -- */

static bool read_exists(struct store_tx *tx, struct roster_load *l, struct error *e)
{
    l->account_exists = l->account_disabled = false;
    struct store_rows *r = store_query(tx, e, "select disabled from accounts where bare = $1", "t", l->owner);
    if (r && store_next(r, e)) {
        l->account_exists = true;
        l->account_disabled = store_int(r, 0) != 0;
        store_end(r);
    }
    return r && e->code == ERROR_NONE;
}

static bool count_rows(struct store_tx *tx, const char *owner, int64_t *count, struct error *e)
{
    return store_number(
        store_query(tx, e, "select count(*) from rosters where owner = $1 and removed = 0", "t", owner), 0, count, e);
}

static bool load_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct roster_load *l = container_of(job, struct roster_load, job);
    int64_t floor, count;
    l->count = 0;
    if (!read_exists(tx, l, e) || !read_head(tx, l->owner, &l->version, &floor, e) ||
        !count_rows(tx, l->owner, &count, e))
        return false;
    l->rows = arena_alloc(&l->arena, (size_t)(count ? count : 1) * sizeof *l->rows);
    struct store_rows *r = store_query(
        tx, e, "select " ROW_COLUMNS " from rosters where owner = $1 and removed = 0 order by contact", "t", l->owner);
    while (r && store_next(r, e)) {
        CHECK(l->count < (unsigned)count); /* one snapshot */
        read_row(r, &l->arena, &l->rows[l->count++]);
    }
    return r && e->code == ERROR_NONE;
}

void roster_load(struct store *s, struct roster_load *l)
{
    l->job.run = load_run;
    store_read(s, &l->job);
}

bool roster_changes(struct store_tx *tx, const char *owner, int64_t version,
                    void (*each)(void *user, const struct roster_row *row, bool removed), void *user,
                    bool *complete, struct error *e)
{
    int64_t newest, floor;
    *complete = false;
    if (!read_head(tx, owner, &newest, &floor, e))
        return false;
    if (version < floor || version > newest)
        return true; /* too old, or of another life of this account */
    struct store_rows *r = store_query(
        tx, e, "select " ROW_COLUMNS " from rosters where owner = $1 and version > $2 order by version, contact", "ti",
        owner, version);
    while (r && store_next(r, e)) {
        struct arena a;
        struct roster_row row;
        arena_init(&a);
        read_row(r, &a, &row);
        each(user, &row, store_int(r, 8) != 0);
        arena_fini(&a);
    }
    *complete = r && e->code == ERROR_NONE;
    return *complete;
}

/* -- writing -- */

static bool raise_head(struct store_tx *tx, const char *owner, int64_t version, struct error *e)
{
    return store_exec(tx, e,
                      "insert into roster_heads (owner, version, floor) values ($1, $2, 0)"
                      " on conflict (owner) do update set version = excluded.version"
                      " where roster_heads.version < excluded.version",
                      "ti", owner, version);
}

bool roster_put(struct store_tx *tx, const char *owner, const struct roster_row *row, struct error *e)
{
    return store_exec(tx, e,
                      "insert into rosters (owner, contact, name, groups, state, approved, in_roster, request,"
                      " version, removed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)"
                      " on conflict (owner, contact) do update set name = excluded.name, groups = excluded.groups,"
                      " state = excluded.state, approved = excluded.approved, in_roster = excluded.in_roster,"
                      " request = excluded.request, version = excluded.version, removed = 0",
                      "ttttiiibi", owner, row->contact, row->name, row->groups ? row->groups : "", row->state,
                      row->approved, row->in_roster, row->request.len ? &row->request : NULL, row->version) &&
           raise_head(tx, owner, row->version, e);
}

/* Too many tombstones: those of the older half of versions go, and the floor rises over them. */
static bool forget_tombstones(struct store_tx *tx, const char *owner, struct error *e)
{
    struct store_rows *r = store_query(tx, e,
                                       "select version from rosters where owner = $1 and removed = 1"
                                       " order by version desc limit 1 offset $2",
                                       "ti", owner, (int64_t)TOMBSTONES_MAX / 2);
    int64_t floor = 0;
    if (r && store_next(r, e)) {
        floor = store_int(r, 0);
        store_end(r);
    }
    if (!r || e->code)
        return false;
    return store_exec(tx, e, "delete from rosters where owner = $1 and removed = 1 and version <= $2", "ti", owner,
                      floor) &&
           store_exec(tx, e, "update roster_heads set floor = $2 where owner = $1 and floor < $2", "ti", owner, floor);
}

static bool count_tombstones(struct store_tx *tx, const char *owner, int64_t *count, struct error *e)
{
    return store_number(
        store_query(tx, e, "select count(*) from rosters where owner = $1 and removed = 1", "t", owner), 0, count, e);
}

bool roster_remove(struct store_tx *tx, const char *owner, const char *contact, int64_t version, struct error *e)
{
    int64_t tombstones;
    if (!store_exec(tx, e,
                    "update rosters set removed = 1, version = $3, name = null, groups = '', state = 0, approved = 0,"
                    " in_roster = 0, request = null where owner = $1 and contact = $2 and removed = 0",
                    "tti", owner, contact, version))
        return false;
    if (store_changes(tx) == 0)
        return true;
    return raise_head(tx, owner, version, e) && count_tombstones(tx, owner, &tombstones, e) &&
           (tombstones <= TOMBSTONES_MAX || forget_tombstones(tx, owner, e));
}
