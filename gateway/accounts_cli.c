/* SPDX-License-Identifier: MIT */
/* Accounts from the command line. Passwords come from standard input or a prompt, never from an
 * argument, and become SCRAM keys here; the store never sees them. Works beside a running gateway:
 * a new account counts from the next login on; of whatever takes an account's right to be there
 * the gateway is told. */
#include "gateway/accounts_cli.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/doorbell.h"
#include "gateway/owner.h"
#include "gateway/store/account.h"
#include "gateway/store/clients.h"
#include "gateway/xmpp/datetime.h"
#include "gateway/xmpp/jid.h"

enum { LINE_BYTES = ACCOUNTS_CLI_PASSWORD_BYTES, LIST_SLICE = 500, THREADS_MOST = 16 };

struct work {
    struct store_job job;
    struct arena arena;
    const struct config *config;
    struct account *accounts; /* to put */
    char **passwords;         /* of each, until its keys are made; owned */
    unsigned count, cap;
    atomic_uint next;         /* whose keys are to be made */
    bool replace, found;
    bool disabled;             /* what `bare` becomes */
    const char *bare, *domain; /* to delete, disable or enable; to list */
    const char *agent;         /* of the client that loses its tokens */
};

static int complain(const char *what)
{
    fprintf(stderr, "causeway: %s\n", what);
    return 1;
}

/* ---- passwords ---- */

/* One line without its end; false: there is none, or it is too long. */
static bool read_line(FILE *in, char *line)
{
    if (!fgets(line, LINE_BYTES, in))
        return false;
    size_t len = strcspn(line, "\r\n");
    bool whole = line[len] != '\0' || feof(in);
    line[len] = '\0';
    return whole;
}

bool accounts_cli_ask_password(const char *jid, char line[ACCOUNTS_CLI_PASSWORD_BYTES])
{
    struct termios before, quiet;
    bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (tty) {
        fprintf(stderr, "Password for %s: ", jid);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool got = read_line(stdin, line);
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    return got && line[0] != '\0';
}

/* ---- adding ---- */

static const struct config_community *community_of(const struct config *c, const char *domain)
{
    for (unsigned i = 0; i < c->community_count; i++)
        if (strcmp(c->communities[i].exchange.domain, domain) == 0)
            return &c->communities[i];
    return NULL;
}

static bool is_admin(const struct config *c, const struct jid *j)
{
    const char *const *admins = community_of(c, j->domain)->exchange.admins;
    for (; admins && *admins; admins++)
        if (strcmp(*admins, j->bare) == 0)
            return true;
    return false;
}

/* Takes one account into the work; 0, or the exit code after a complaint. */
static int take_account(struct work *w, const char *text, const char *password)
{
    const struct jid *j = jid_parse_text(&w->arena, text);
    if (!jid_is_account(j))
        return complain(arena_printf(&w->arena, "'%s' is not an account like name@domain", text));
    if (!community_of(w->config, j->domain))
        return complain(arena_printf(&w->arena, "%s is no community of %s", j->domain,
                                     w->config->file));
    if (community_of(w->config, j->domain)->ldap)
        return complain(arena_printf(
            &w->arena,
            "%s: accounts of %s are those of its directory (ldap_url in %s): add people and change passwords there;"
            " `causeway ldap sync` takes them over before they log in",
            j->bare, j->domain, w->config->file));
    if (w->count == w->cap) {
        w->cap = w->cap * 2 + 1;
        w->accounts = mem_grow(w->accounts, w->cap * sizeof *w->accounts);
        w->passwords = mem_grow(w->passwords, w->cap * sizeof *w->passwords);
    }
    w->accounts[w->count] = (struct account){.bare = j->bare, .is_admin = is_admin(w->config, j)};
    w->passwords[w->count++] = mem_dup(password);
    return 0;
}

static void forget_password(char **password)
{
    if (*password)
        mem_wipe(*password, strlen(*password));
    mem_free(*password);
    *password = NULL;
}

static void drop_accounts(struct work *w)
{
    for (unsigned i = 0; i < w->count; i++)
        forget_password(&w->passwords[i]);
    mem_free(w->accounts);
    mem_free(w->passwords);
}

/* A password that cannot be used stays where it is. */
static void *make_some_keys(void *work)
{
    struct work *w = work;
    for (unsigned i; (i = atomic_fetch_add(&w->next, 1)) < w->count;)
        if (account_set_password(&w->accounts[i], w->passwords[i]))
            forget_password(&w->passwords[i]);
    return NULL;
}

/* Three keys of 10,000 iterations take 10 ms an account: so each processor makes some. 0, or the
 * exit code after a complaint. */
static int make_keys(struct work *w)
{
    pthread_t threads[THREADS_MOST];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = processors < 1              ? 1
                      : processors > THREADS_MOST ? THREADS_MOST
                                                  : (unsigned)processors;
    unsigned started = 0;
    while (started + 1 < wanted && started + 1 < w->count &&
           pthread_create(&threads[started], NULL, make_some_keys, w) == 0)
        started++;
    make_some_keys(w);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < w->count; i++)
        if (w->passwords[i])
            return complain(arena_printf(&w->arena,
                                         "%s: this password cannot be used: it has characters that"
                                         " SASLprep refuses",
                                         w->accounts[i].bare));
    return 0;
}

static int take_lines(struct work *w)
{
    char line[LINE_BYTES];
    int rc = 0;
    while (rc == 0 && read_line(stdin, line)) {
        char *space = strchr(line, ' ');
        if (!space || space == line || !space[1]) {
            rc = complain("a line is not \"JID PASSWORD\"");
        } else {
            *space = '\0';
            rc = take_account(w, line, space + 1);
        }
    }
    mem_wipe(line, sizeof line);
    return rc;
}

static int take_one(struct work *w, const char *jid)
{
    char line[LINE_BYTES];
    int rc = accounts_cli_ask_password(jid, line) ? take_account(w, jid, line)
                                                  : complain("no password was given");
    mem_wipe(line, sizeof line);
    return rc;
}

static bool run_put(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    for (unsigned i = 0; i < w->count; i++) {
        const struct account *a = &w->accounts[i];
        if (w->replace ? account_renew_keys(tx, a, e) : account_put(tx, a, false, e))
            continue;
        if (e->code == ERROR_EXISTS)
            error_set(e, ERROR_EXISTS, "%s exists already; `causeway account password %s` sets its password", a->bare,
                      a->bare);
        else if (e->code == ERROR_NOT_FOUND)
            error_set(e, ERROR_NOT_FOUND, "there is no account %s; `causeway account add %s` makes it", a->bare,
                      a->bare);
        return false;
    }
    return true;
}

static bool run_delete(struct store_tx *tx, struct store_job *job, struct error *e)
{
    return account_delete(tx, container_of(job, struct work, job)->bare, e);
}

static bool run_disable(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    return account_set_disabled(tx, w->bare, w->disabled, e);
}

struct shown {
    unsigned given;
    char last[3072];
};

static void print_account(void *user, const struct account *a)
{
    struct shown *l = user;
    printf("%s%s%s\n", a->bare, a->is_admin ? "\tadmin" : "", a->disabled ? "\tdisabled" : "");
    text_copy(l->last, sizeof l->last, a->bare);
    l->given++;
}

static bool run_list(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    struct shown l = {0};
    do {
        l.given = 0;
        const char *after = l.last[0] ? l.last : NULL;
        if (!account_list(tx, w->domain, after, LIST_SLICE, print_account, &l, e))
            return false;
    } while (l.given == LIST_SLICE);
    return true;
}

/* ---- clients that log in by a token (XEP-0484) ---- */

/* What a client says of itself, for a terminal. */
static void print_text(const char *text)
{
    putchar('\t');
    for (; *text; text++) {
        bool is_c1 = (unsigned char)*text == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
        putchar((unsigned char)*text < ' ' || *text == 127 || is_c1 ? '?' : *text);
        text += is_c1;
    }
}

static void print_client(void *user, const struct client_row *row)
{
    char seen[DATETIME_MAX];
    (void)user;
    datetime_write_second(seen, row->seen_us);
    printf("%s\t%s", row->agent, seen);
    print_text(row->software);
    print_text(row->device);
    putchar('\n');
}

static bool run_clients(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    return clients_each(tx, w->bare, print_client, NULL, e);
}

static bool run_revoke(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    if (!clients_forget(tx, w->bare, w->agent, e))
        return false;
    return store_changes(tx) ||
           error_set(e, ERROR_NOT_FOUND,
                     "%s has no such client; `causeway account clients %s` lists them", w->bare,
                     w->bare);
}

/* ---- the store, for the length of one job ---- */

static void on_done(struct store_job *job, const struct error *e)
{
    if (e != &job->error)
        job->error = *e;
    loop_stop(job->reply_on);
}

bool accounts_cli_job(const struct config *c, struct store_job *job, bool writes, struct error *e)
{
    struct store *s = store_open(&(struct store_options){.path = c->store_path,
                                                         .durability = c->durability,
                                                         .schema_dir = c->schema_dir,
                                                         .beside = true},
                                 e);
    if (!s)
        return false;
    struct loop *l = loop_create("account", clock_real());
    job->done = on_done;
    job->reply_on = l;
    if (writes)
        store_write(s, job);
    else
        store_read(s, job);
    loop_run(l);
    store_close(&s);
    loop_destroy(&l);
    if (job->error.code != ERROR_NONE)
        *e = job->error;
    return job->error.code == ERROR_NONE;
}

static bool with_store(struct work *w,
                       bool (*run)(struct store_tx *, struct store_job *, struct error *),
                       bool writes, struct error *e)
{
    w->job.run = run;
    return accounts_cli_job(w->config, &w->job, writes, e);
}

static int perform(struct work *w,
                   bool (*run)(struct store_tx *, struct store_job *, struct error *), bool writes)
{
    struct error e = ERROR_INIT;
    bool held = owner_become(w->config->store_path, &e) && with_store(w, run, writes, &e);
    return held ? 0 : complain(e.text);
}

static bool run_find(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct work *w = container_of(job, struct work, job);
    struct account found;
    return account_find(tx, w->bare, &w->arena, &found, &w->found, e);
}

bool accounts_cli_find(const struct config *c, const char *bare, bool *found, struct error *e)
{
    struct work w = {.config = c, .bare = bare};
    arena_init(&w.arena);
    bool held = with_store(&w, run_find, false, e);
    *found = w.found;
    arena_fini(&w.arena);
    return held;
}

bool accounts_cli_add(const struct config *c, const char *jid, const char *password)
{
    struct work w = {.config = c};
    arena_init(&w.arena);
    bool held = take_account(&w, jid, password) == 0 && make_keys(&w) == 0 &&
                perform(&w, run_put, true) == 0;
    drop_accounts(&w);
    arena_fini(&w.arena);
    return held;
}

static void say_put(const struct work *w)
{
    if (w->count == 1)
        printf("%s %s\n", w->accounts[0].bare, w->replace ? "has a new password" : "can log in");
    else
        printf("%u accounts can log in\n", w->count);
}

/* What a running gateway must know at once. */
static int tell(struct work *w, enum doorbell_news news, const char *bare)
{
    struct error e = ERROR_INIT;
    if (doorbell_ring(w->config->store_path, news, bare, &e))
        return 0;
    return complain(arena_printf(&w->arena,
                                 "%s was changed, but the running gateway could not be told, and"
                                 " leaves its sessions until it is restarted: %s",
                                 bare, e.text));
}

/* ---- the verbs: what each does with the words behind it ---- */

static int put(struct work *w, const char *who, bool replace)
{
    w->replace = replace;
    int rc = !replace && strcmp(who, "-") == 0 ? take_lines(w) : take_one(w, who);
    if (rc == 0)
        rc = make_keys(w);
    if (rc == 0)
        rc = perform(w, run_put, true);
    if (rc == 0)
        say_put(w);
    return rc == 0 && replace ? tell(w, DOORBELL_PASSWORD, w->accounts[0].bare) : rc;
}

static int do_add(struct work *w, char **words)
{
    return put(w, words[0], false);
}

static int do_password(struct work *w, char **words)
{
    return put(w, words[0], true);
}

static int change(struct work *w, const char *who,
                  bool (*run)(struct store_tx *, struct store_job *, struct error *))
{
    const struct jid *j = jid_parse_text(&w->arena, who);
    w->bare = j ? j->bare : who;
    int rc = perform(w, run, true);
    return rc == 0 ? tell(w, DOORBELL_ACCOUNT, w->bare) : rc;
}

static int do_delete(struct work *w, char **words)
{
    return change(w, words[0], run_delete);
}

static int do_disable(struct work *w, char **words)
{
    w->disabled = true;
    return change(w, words[0], run_disable);
}

static int do_enable(struct work *w, char **words)
{
    return change(w, words[0], run_disable);
}

static int do_clients(struct work *w, char **words)
{
    w->bare = words[0];
    return perform(w, run_clients, false);
}

static int do_revoke(struct work *w, char **words)
{
    const struct jid *j = jid_parse_text(&w->arena, words[0]);
    w->bare = j ? j->bare : words[0];
    w->agent = words[1];
    int rc = *w->agent ? perform(w, run_revoke, true) : 2;
    return rc == 0 ? tell(w, DOORBELL_CLIENT, arena_printf(&w->arena, "%s %s", w->bare, w->agent)) : rc;
}

static int do_list(struct work *w, char **words)
{
    w->domain = words[0];
    return perform(w, run_list, false);
}

static const struct verb {
    const char *name;
    int least, most; /* words behind it */
    int (*run)(struct work *w, char **words); /* NULL behind the last word; an exit code */
} verbs[] = {
    {"add", 1, 1, do_add},         {"password", 1, 1, do_password}, {"delete", 1, 1, do_delete},
    {"disable", 1, 1, do_disable}, {"enable", 1, 1, do_enable},     {"clients", 1, 1, do_clients},
    {"revoke", 2, 2, do_revoke},   {"list", 0, 1, do_list},
};

static const struct verb *find_verb(const char *name, int words)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return words >= verbs[i].least && words <= verbs[i].most ? &verbs[i] : NULL;
    return NULL;
}

int accounts_cli(const struct config *c, int argc, char **argv)
{
    const struct verb *verb = find_verb(argv[1], argc - 2);
    struct work w = {.config = c};
    if (!verb)
        return 2;
    arena_init(&w.arena);
    int rc = verb->run(&w, argv + 2);
    drop_accounts(&w);
    arena_fini(&w.arena);
    return rc;
}
