/* SPDX-License-Identifier: MIT */
/* Invitations from the command line. Who is at the machine may invite to an account whatever the community says of
 * people; the running gateway keeps none of it in memory, so that nobody has to be told. The token is shown once. */
#include "gateway/invite_cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/accounts_cli.h"
#include "gateway/base/text.h"
#include "gateway/owner.h"
#include "gateway/store/invitations.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/invite_uri.h"
#include "gateway/xmpp/jid.h"

enum { LIST_MOST = 10000, DAYS_MOST = 90 };

struct invite_work {
    struct store_job job;
    const struct config *config;
    struct arena arena;
    const struct community *community;
    struct invitation invitation;
    char token[INVITATION_TOKEN_LEN + 1];
    uint32_t days; /* 0: as the community has it */
    const char *domain, *id;
};

static int complain(const char *what)
{
    fprintf(stderr, "causeway: %s\n", what);
    return 1;
}

static const struct community *community_of(const struct config *c, const char *domain)
{
    for (unsigned i = 0; i < c->community_count; i++)
        if (text_eq(c->communities[i].exchange.domain, domain))
            return &c->communities[i].exchange;
    return NULL;
}

static int perform(struct invite_work *w, bool (*run)(struct store_tx *tx, struct store_job *job, struct error *e),
                   bool writes)
{
    struct error e = ERROR_INIT;
    w->job = (struct store_job){.run = run};
    bool held = owner_become(w->config->store_path, &e) && accounts_cli_job(w->config, &w->job, writes, &e);
    return held ? 0 : complain(e.text);
}

/* ---- create ---- */

static bool take_number(const char *word, uint32_t most, uint32_t *out)
{
    return text_to_u32(word, out) && *out >= 1 && *out <= most;
}

/* "from JID", "uses N", "days N", each once, in any order. */
static int take_words(struct invite_work *w, char **words)
{
    for (; *words; words += 2) {
        uint32_t n = 0;
        if (!words[1])
            return 2;
        if (text_eq(words[0], "from")) {
            const struct jid *j = jid_parse_text(&w->arena, words[1]);
            if (!jid_is_account(j) || !text_eq(j->domain, w->domain))
                return complain(arena_printf(&w->arena, "'%s' is not an account of %s", words[1], w->domain));
            w->invitation.inviter = j->bare;
            w->invitation.introduces = true;
        } else if (text_eq(words[0], "uses")) {
            if (!take_number(words[1], INVITATION_USES_MAX, &n))
                return complain(
                    arena_printf(&w->arena, "uses: '%s' is not a number from 1 to %d", words[1], INVITATION_USES_MAX));
            w->invitation.uses_left = n;
        } else if (text_eq(words[0], "days")) {
            if (!take_number(words[1], DAYS_MOST, &w->days))
                return complain(
                    arena_printf(&w->arena, "days: '%s' is not a number from 1 to %d", words[1], DAYS_MOST));
        } else {
            return 2;
        }
    }
    if (w->invitation.name && w->invitation.uses_left > 1)
        return complain("an invitation to one name can be used once");
    return 0;
}

static bool run_create(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct invite_work *w = container_of(job, struct invite_work, job);
    const char *inviter = w->invitation.inviter;
    struct account found;
    bool is_there = true;
    if (inviter && !account_find(tx, inviter, &w->arena, &found, &is_there, e))
        return false;
    if (!is_there)
        return error_set(e, ERROR_NOT_FOUND, "there is no account %s", inviter);
    int64_t ttl_s = w->days ? (int64_t)w->days * 86400 : (int64_t)w->community->joining.invitation_ttl_s;
    w->invitation.expires_us = store_now_us(tx) + ttl_s * 1000000;
    return invitations_make(tx, &w->invitation, w->token, 0, e);
}

static void print_made(const struct invite_work *w)
{
    const struct invitation *i = &w->invitation;
    struct bytes uri = BYTES_EMPTY;
    char until[DATETIME_MAX];
    invite_uri_write(
        &uri, &(struct invite_uri){
                  .domain = i->domain, .inviter = i->inviter, .name = i->name, .account = true, .token = w->token});
    datetime_write_second(until, i->expires_us);
    printf("%s\n", bytes_text(&uri));
    if (w->community->joining.page_url)
        printf("%s%s\n", w->community->joining.page_url, w->token);
    printf("invitation %s, for %" PRId64 " account%s, until %s\n", i->id, i->uses_left, i->uses_left == 1 ? "" : "s",
           until);
    bytes_fini(&uri);
}

static int do_create(struct invite_work *w, char **words)
{
    const struct jid *who = jid_parse_text(&w->arena, words[0]);
    w->community = who && !who->resource ? community_of(w->config, who->domain) : NULL;
    if (!w->community)
        return complain(
            arena_printf(&w->arena, "'%s' is no community of %s, nor an address in one", words[0], w->config->file));
    if (w->community->joining.who == JOIN_NOBODY)
        return complain(
            arena_printf(&w->arena, "%s has registration = \"off\": nobody could use an invitation", who->domain));
    w->domain = w->community->domain;
    w->invitation = (struct invitation){.domain = w->domain, .name = who->local, .account = true, .uses_left = 1};
    int rc = take_words(w, words + 1);
    invitations_token(w->token);
    if (rc == 0)
        rc = perform(w, run_create, true);
    if (rc == 0)
        print_made(w);
    return rc;
}

/* ---- list, revoke ---- */

static void print_invitation(void *user, const struct invitation *i)
{
    char until[DATETIME_MAX];
    (void)user;
    datetime_write_second(until, i->expires_us);
    printf("%s\t%s\tfrom %s\tfor %s%s%s\tuntil %s\tleft %" PRId64 "\tused by %s\n", i->id, i->domain,
           i->inviter ? i->inviter : "-", i->contact ? "contact" : "", i->contact && i->account ? "+" : "",
           i->account ? "account" : "", until, i->uses_left, i->used_by ? i->used_by : "-");
}

static bool run_list(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct invite_work *w = container_of(job, struct invite_work, job);
    for (unsigned i = 0; i < w->config->community_count; i++) {
        const char *domain = w->config->communities[i].exchange.domain;
        if ((!w->domain || text_eq(w->domain, domain)) &&
            !invitations_list(tx, domain, NULL, LIST_MOST, print_invitation, NULL, e))
            return false;
    }
    return true;
}

static int do_list(struct invite_work *w, char **words)
{
    w->domain = words[0];
    return perform(w, run_list, false);
}

static bool run_revoke(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct invite_work *w = container_of(job, struct invite_work, job);
    return invitations_revoke(tx, w->domain, NULL, w->id, e);
}

static int do_revoke(struct invite_work *w, char **words)
{
    w->domain = words[0];
    w->id = words[1];
    return perform(w, run_revoke, true);
}

static const struct {
    const char *name;
    int least, most; /* words behind it */
    int (*run)(struct invite_work *w, char **words);
} verbs[] = {{"create", 1, 7, do_create}, {"list", 0, 1, do_list}, {"revoke", 2, 2, do_revoke}};

int invite_cli(const struct config *c, int argc, char **argv)
{
    struct invite_work w = {.config = c};
    int rc = 2;
    arena_init(&w.arena);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, argv[1]) == 0 && argc - 2 >= verbs[i].least && argc - 2 <= verbs[i].most)
            rc = verbs[i].run(&w, argv + 2);
    arena_fini(&w.arena);
    return rc;
}
