/* SPDX-License-Identifier: MIT */
/* The value of the first writer stands: `on conflict do nothing`, then read. */
#include "gateway/store/secret.h"

#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/random.h"

static bool read_secret(struct store_tx *tx, const char *name, unsigned char out[SECRET_LEN], bool *found,
                        struct error *e)
{
    *found = false;
    struct store_rows *r = store_query(tx, e, "select value from secrets where name = $1", "t", name);
    if (!r)
        return false;
    if (!store_next(r, e))
        return e->code == ERROR_NONE;
    struct span value = store_blob(r, 0);
    *found = value.len == SECRET_LEN;
    if (*found)
        memcpy(out, value.data, SECRET_LEN);
    store_end(r);
    return *found || error_set(e, ERROR_INVALID, "secret %s of the store has a wrong length", name);
}

bool secret_get(struct store_tx *tx, const char *name, unsigned char out[SECRET_LEN], struct error *e)
{
    bool found;
    if (!read_secret(tx, name, out, &found, e) || found)
        return found;
    unsigned char drawn[SECRET_LEN];
    random_bytes(drawn, sizeof drawn);
    struct span value = {(const char *)drawn, sizeof drawn};
    bool ok = store_exec(tx, e, "insert into secrets (name, value) values ($1, $2) on conflict (name) do nothing",
                         "tb", name, &value);
    mem_wipe(drawn, sizeof drawn);
    return ok && read_secret(tx, name, out, &found, e) && found;
}

struct load {
    const char *name;
    unsigned char *out;
};

static bool load_run(struct store_tx *tx, void *user, struct error *e)
{
    struct load *l = user;
    return secret_get(tx, l->name, l->out, e);
}

bool secret_load(struct store *s, const char *name, unsigned char out[SECRET_LEN], struct error *e)
{
    struct load l = {name, out};
    return store_write_wait(s, load_run, &l, e);
}
