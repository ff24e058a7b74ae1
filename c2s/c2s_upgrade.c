/* SPDX-License-Identifier: MIT */
/* XEP-0480: an account that lacks keys of a hash (or has them by fewer rounds than new ones) gets them at a login,
 * from the SaltedPassword that its client reckons; the password itself does not pass.
 *
 * Offered to everybody alike, so that the offer tells nothing of an account; done only after the exchange went right
 * and its outcome was due. A password that is changed meanwhile wins: then the keys are of the old one, and dropped.
 * What cannot be kept keeps nobody out. */
#include <string.h>

#include "c2s/c2s_auth.h"
#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

#define PREFIX "UPGR-"

static const enum scram_hash offered[] = {SCRAM_SHA256, SCRAM_SHA512};
enum { OFFERED_COUNT = sizeof(offered) / sizeof(*offered) };

enum c2s_upgrade_step {
    UPGRADE_OFFERED, /* <continue/> is out: <next/> is awaited */
    UPGRADE_ASKED,   /* salt and rounds are out: <task-data/> is awaited */
    UPGRADE_KEEPING, /* the job is under way: nothing is read */
    UPGRADE_DONE,
};

struct c2s_upgrade {
    enum c2s_upgrade_step step;
    unsigned left;          /* bits of enum scram_hash: wanted, lacking, not done */
    bool told;              /* the first <continue/> has gone out */
    struct c2s_auth *auth;  /* it lies in it */
    struct scram_keys keys; /* ASKED: hash, salt and rounds; then all */
    struct account_keys kept;
    bool added;
    struct store_job job;
};

void c2s_upgrade_features(struct bytes *out)
{
    for (unsigned i = 0; i < OFFERED_COUNT; i++)
        bytes_printf(out, "<upgrade xmlns='" NS_UPGRADE "'>" PREFIX "%s</upgrade>", sasl_hash_name(offered[i]));
}

bool c2s_upgrade_has_told(const struct c2s_auth *a)
{
    return a->upgrade && a->upgrade->told;
}

void c2s_upgrade_destroy(struct c2s_upgrade **at)
{
    struct c2s_upgrade *u = *at;

    *at = NULL;
    if (!u)
        return;
    mem_wipe(u, sizeof(*u));
    mem_free(u);
}

/* ---- what is wanted and lacking ---- */

static bool is_task(const char *name, enum scram_hash hash)
{
    return text_starts_with(name, PREFIX) && text_eq(name + strlen(PREFIX), sasl_hash_name(hash));
}

static bool is_wanted(const struct element *request, enum scram_hash hash)
{
    for (const struct element *e = element_child(request, "upgrade", NS_UPGRADE); e;
         e = element_next(e, "upgrade", NS_UPGRADE))
        if (is_task(e->text, hash))
            return true;
    return false;
}

static bool is_lacking(const struct account *acc, enum scram_hash hash)
{
    const struct account_keys *has = account_keys_of(acc, hash);

    return has ? has->iterations < SCRAM_ITERATIONS : acc->key_count < ACCOUNT_KEYS_MAX;
}

static struct c2s_upgrade *look(struct c2s_auth *a)
{
    struct c2s_upgrade *u = mem_new(struct c2s_upgrade);

    u->auth = a;
    for (unsigned i = 0; i < OFFERED_COUNT; i++)
        if (is_wanted(a->request->payload->root, offered[i]) && is_lacking(&a->get.account, offered[i]))
            u->left |= 1u << offered[i];
    return u;
}

/* ---- steps ---- */

static void send_continue(struct c2s_conn *k, struct c2s_upgrade *u)
{
    const char *data = u->told ? NULL : sasl_data(k->auth->sasl);
    unsigned hash = 0;
    struct bytes out = BYTES_EMPTY;

    while (!(u->left & (1u << hash)))
        hash++;
    bytes_append_text(&out, "<continue xmlns='" NS_SASL2 "'>");
    if (data)
        bytes_printf(&out, "<additional-data>%s</additional-data>", data);
    bytes_printf(&out, "<tasks><task>" PREFIX "%s</task></tasks></continue>", sasl_hash_name((enum scram_hash)hash));
    stream_send_raw(k->stream, bytes_span(&out));
    bytes_fini(&out);
    u->told = true;
    u->step = UPGRADE_OFFERED;
    u->keys =
        (struct scram_keys){.hash = (enum scram_hash)hash, .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_LEN};
    random_bytes(u->keys.salt, SCRAM_SALT_LEN);
}

bool c2s_upgrade_begin(struct c2s_conn *k)
{
    struct c2s_auth *a = k->auth;

    if (c2s_directory_of(k)) /* keys are not what it logs in by */
        return false;
    if (!a->upgrade)
        a->upgrade = look(a);
    if (!a->upgrade->left) {
        a->upgrade->step = UPGRADE_DONE;
        return false;
    }
    send_continue(k, a->upgrade);
    return true;
}

static bool send_salt(struct c2s_conn *k, struct c2s_upgrade *u, const struct element *next)
{
    const char *task = element_attr(next, "task");
    struct bytes salt = BYTES_EMPTY;

    if (!task || !is_task(task, u->keys.hash))
        return false;
    base64_encode(&salt, u->keys.salt, u->keys.salt_len);
    stream_send_text(k->stream,
                     "<task-data xmlns='" NS_SASL2 "'><salt xmlns='" NS_SCRAM_UPGRADE
                     "' iterations='%u'>%s</salt></task-data>",
                     u->keys.iterations, bytes_text(&salt));
    bytes_fini(&salt);
    u->step = UPGRADE_ASKED;
    return true;
}

static bool keep_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct c2s_upgrade *u = container_of(job, struct c2s_upgrade, job);

    return account_add_keys(tx, u->auth->get.bare, &u->kept, &u->auth->get.account.keys[0], &u->added, e);
}

static void on_kept(struct store_job *job, const struct error *e)
{
    struct c2s_upgrade *u = container_of(job, struct c2s_upgrade, job);
    struct c2s_auth *a = u->auth;

    if (!c2s_auth_end_work(a))
        return;
    if (e->code)
        log_error(stream_log(a->conn->stream), "keys of %s cannot be kept: %s", u->kept.mechanism, e->text);
    else
        log_info(stream_log(a->conn->stream), "%s %s keys of %s", a->get.bare,
                 u->added ? "has" : "has a new password, not", u->kept.mechanism);
    if (!e->code && u->added) {
        bool had = account_keys_of(&a->get.account, u->keys.hash) != NULL;
        c2s_census_gained(a->io, a->conn->domain, a->get.bare, u->keys.hash, had);
        account_hold_keys(&a->get.account, &u->kept); /* what it is compared with from here on */
    }
    u->left &= ~(1u << u->keys.hash);
    c2s_auth_prepared(a->conn);
}

static bool take_hash(struct c2s_conn *k, struct c2s_upgrade *u, const struct element *data)
{
    const struct element *hash = element_child(data, "hash", NS_SCRAM_UPGRADE);
    struct bytes salted = BYTES_EMPTY;
    bool good =
        hash && base64_decode(&salted, hash->text, strlen(hash->text)) && salted.len == scram_hash_len(u->keys.hash);

    if (good) {
        scram_keys_from_salted(&u->keys, (const unsigned char *)salted.data);
        account_take_keys(&u->kept, &u->keys);
        u->step = UPGRADE_KEEPING;
        u->job =
            (struct store_job){.reply_on = k->io->loop, .run = keep_run, .done = on_kept, .bytes = sizeof(u->kept)};
        c2s_auth_begin_work(k->auth);
        store_write(k->io->c2s->store, &u->job);
    }
    if (salted.data)
        mem_wipe(salted.data, salted.cap);
    bytes_fini(&salted);
    return good;
}

bool c2s_upgrade_take(struct c2s_conn *k, const struct element *e)
{
    struct c2s_upgrade *u = k->auth->upgrade;

    switch (u->step) {
    case UPGRADE_OFFERED:
        return text_eq(e->name, "next") && send_salt(k, u, e);
    case UPGRADE_ASKED:
        return text_eq(e->name, "task-data") && take_hash(k, u, e);
    case UPGRADE_KEEPING:
    case UPGRADE_DONE:
        break;
    }
    return false;
}
