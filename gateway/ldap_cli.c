/* SPDX-License-Identifier: MIT */
/* Everybody in the directory gets an account before the first login, so that messages reach them; who is gone may not
 * log in any more, and a running gateway ends their sessions. Nothing else of an account is touched: what came for
 * somebody who is gone stays, and is there when they are back.
 *
 * Only a list that was told to its end says that somebody is not on it, and whoever is not is asked about once more by
 * name. A directory that shows nobody at all is taken for one that hides them. */
#include "gateway/ldap_cli.h"

#include <signal.h>
#include <string.h>

#include "gateway/accounts_cli.h"
#include "gateway/base/map.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/doorbell.h"
#include "gateway/net/directory_ldap.h"
#include "gateway/owner.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/jid.h"

enum { SLICE = 500 }; /* accounts a transaction: a running gateway writes between them */

enum news { SAME, ADDED, BACK, TAKEN_OVER };

struct names {
    const char **list; /* owned; what it holds lies in the arena */
    unsigned count, cap;
};

struct sync {
    struct store_job job;
    struct arena arena;
    const struct config *config;
    const struct directory_options *directory;
    struct names there, missing;
    struct map known; /* those who are there */
    unsigned at;      /* a slice of `there` begins */
    enum news news[SLICE];
    bool changed; /* of missing[at] */
    unsigned unusable, of_directory, done[TAKEN_OVER + 1], gone;
};

static int complain(const char *domain, const char *what)
{
    fprintf(stderr, "causeway: %s: %s\n", domain, what);
    return 1;
}

static void add_name(struct names *n, const char *bare)
{
    if (n->count == n->cap) {
        n->cap = n->cap * 2 + 64;
        n->list = mem_grow(n->list, n->cap * sizeof *n->list);
    }
    n->list[n->count++] = bare;
}

/* ---- who is there ---- */

static void on_name(void *user, const char *name, size_t len)
{
    struct sync *s = user;
    struct arena a;
    arena_init(&a);
    const struct jid *j = jid_make(&a, arena_dup_n(&a, name, len), s->directory->domain, NULL);
    if (!j || strlen(arena_dup_n(&a, name, len)) != len) {
        s->unusable++;
    } else if (!map_get(&s->known, j->bare)) {
        const char *bare = arena_dup(&s->arena, j->bare);
        map_put(&s->known, bare, (void *)bare);
        add_name(&s->there, bare);
    }
    arena_fini(&a);
}

static bool take_one(struct store_tx *tx, const char *bare, enum news *news, struct error *e)
{
    struct account before;
    struct arena a;
    bool found = false, changed = false;
    arena_init(&a);
    bool held = account_find(tx, bare, &a, &before, &found, e) && account_of_directory(tx, bare, &changed, e);
    *news = !held || !changed ? SAME : !found ? ADDED : before.gone ? BACK : TAKEN_OVER;
    arena_fini(&a);
    return held;
}

static bool run_take(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sync *s = container_of(job, struct sync, job);
    for (unsigned i = 0; i < SLICE && s->at + i < s->there.count; i++)
        if (!take_one(tx, s->there.list[s->at + i], &s->news[i], e))
            return false;
    return true;
}

static bool perform(struct sync *s, bool (*run)(struct store_tx *, struct store_job *, struct error *), bool writes,
                    struct error *e)
{
    s->job = (struct store_job){.run = run};
    return accounts_cli_job(s->config, &s->job, writes, e);
}

static bool ring(struct sync *s, const char *bare, struct error *e)
{
    return doorbell_ring(s->config->store_path, DOORBELL_ACCOUNT, bare, e);
}

static bool take_all(struct sync *s, struct error *e)
{
    static const char *const words[] = {"", "added", "back: may log in again", "is the directory's from now on"};
    for (s->at = 0; s->at < s->there.count; s->at += SLICE) {
        if (!perform(s, run_take, true, e))
            return false;
        for (unsigned i = 0; i < SLICE && s->at + i < s->there.count; i++) {
            const char *bare = s->there.list[s->at + i];
            s->done[s->news[i]]++;
            if (s->news[i] == SAME)
                continue;
            printf("%s: %s\n", bare, words[s->news[i]]);
            if (!ring(s, bare, e))
                return false;
        }
    }
    return true;
}

/* ---- who is gone ---- */

struct listed {
    struct sync *s;
    unsigned given;
    char last[3072];
};

static void on_account(void *user, const struct account *a)
{
    struct listed *l = user;
    struct sync *s = l->s;
    l->given++;
    text_copy(l->last, sizeof l->last, a->bare);
    if (!a->of_directory || a->disabled)
        return;
    s->of_directory++;
    if (!map_get(&s->known, a->bare))
        add_name(&s->missing, arena_dup(&s->arena, a->bare));
}

static bool run_list(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct listed l = {.s = container_of(job, struct sync, job)};
    do {
        l.given = 0;
        if (!account_list(tx, l.s->directory->domain, l.last[0] ? l.last : NULL, SLICE, on_account, &l, e))
            return false;
    } while (l.given == SLICE);
    return true;
}

static bool run_leave(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct sync *s = container_of(job, struct sync, job);
    return account_left_directory(tx, s->missing.list[s->at], &s->changed, e);
}

static bool leave(struct sync *s, struct error *e)
{
    const char *bare = s->missing.list[s->at];
    if (!perform(s, run_leave, true, e))
        return false;
    if (!s->changed)
        return true;
    s->gone++;
    printf("%s: gone: may not log in\n", bare);
    return ring(s, bare, e);
}

/* Who has another name there than the one that lists show logs in all the same. */
static bool leave_all(struct sync *s, struct error *e)
{
    for (s->at = 0; s->at < s->missing.count; s->at++) {
        const char *bare = s->missing.list[s->at];
        char *user = mem_dup_n(bare, strcspn(bare, "@"));
        enum directory_outcome found = directory_ldap_find(s->directory, user, e);
        mem_free(user);
        if (found == DIRECTORY_UNAVAILABLE)
            return false;
        error_clear(e);
        if (found == DIRECTORY_WRONG && !leave(s, e))
            return false;
    }
    return true;
}

/* ---- a community ---- */

static bool sync_all(struct sync *s, struct error *e)
{
    const struct directory_options *o = s->directory;
    if (!o->base && !o->bind_dn)
        return error_set(e, ERROR_INVALID,
                         "nobody may list people there: give 'ldap_base', or 'ldap_bind_dn' and its password");
    if (!directory_ldap_list(o, on_name, s, e) || !perform(s, run_list, false, e))
        return false;
    if (s->there.count == 0 && s->of_directory)
        return error_set(e, ERROR_DENIED, "the directory shows nobody: nothing was changed; `causeway check` asks it");
    return take_all(s, e) && leave_all(s, e);
}

static int sync_one(const struct config *c, const struct config_community *cc)
{
    struct sync s = {.config = c, .directory = cc->ldap};
    struct error e = ERROR_INIT;
    arena_init(&s.arena);
    bool done = sync_all(&s, &e);
    printf("%s: %u in the directory, %u added, %u back, %u taken over, %u gone\n", cc->exchange.domain, s.there.count,
           s.done[ADDED], s.done[BACK], s.done[TAKEN_OVER], s.gone);
    if (s.unusable)
        printf("%s: %u more names cannot stand before an @ (RFC 7622)\n", cc->exchange.domain, s.unusable);
    map_fini(&s.known);
    mem_free(s.there.list);
    mem_free(s.missing.list);
    arena_fini(&s.arena);
    return done ? 0 : complain(cc->exchange.domain, e.text);
}

int ldap_cli(const struct config *c, int argc, char **argv)
{
    const char *domain = argc > 2 ? argv[2] : NULL;
    struct error e = ERROR_INIT;
    unsigned count = 0;
    int rc = 0;
    if (strcmp(argv[1], "sync") != 0)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    if (!owner_become(c->store_path, &e))
        return complain("store", e.text);
    for (unsigned i = 0; i < c->community_count; i++) {
        const struct config_community *cc = &c->communities[i];
        if (!cc->ldap || (domain && !text_eq(domain, cc->exchange.domain)))
            continue;
        count++;
        rc |= sync_one(c, cc);
    }
    return count ? rc : complain(domain ? domain : c->file, "no community with a directory ('ldap_url')");
}

unsigned ldap_cli_check(const struct config *c, void (*complain_to)(void *user, const char *text), void *user)
{
    unsigned wrong = 0;
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < c->community_count; i++) {
        const struct directory_options *o = c->communities[i].ldap;
        for (unsigned k = 0; o && o->urls[k]; k++) {
            struct error e = ERROR_INIT;
            const char *next;
            char text[800];
            bool seen;
            if (directory_ldap_try(o, k, &seen, &next, &e))
                continue;
            snprintf(text, sizeof text, "community \"%s\": %s: %s", o->domain, e.text, next);
            complain_to(user, text);
            wrong++;
        }
    }
    return wrong;
}
