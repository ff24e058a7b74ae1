/* SPDX-License-Identifier: MIT */
/* `causeway`: arguments and exit codes. 0: done; 1: it did not work (the reason is on standard error);
 * 2: the call is wrong. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/accounts_cli.h"
#include "gateway/compose.h"
#include "gateway/config.h"
#include "gateway/doctor.h"
#include "gateway/invite_cli.h"
#include "gateway/ldap_cli.h"
#include "gateway/net/directory_ldap.h"
#include "gateway/net/tls.h"
#include "gateway/owner.h"
#include "gateway/rehearsal.h"
#include "gateway/setup.h"
#include "gateway/webhook_list.h"

static const char usage[] =
    "Usage: causeway COMMAND [--config FILE]\n"
    "  setup DOMAIN           a new community by five questions; `causeway setup --help` has a flag for each\n"
    "  run                    serve, in the foreground, until SIGTERM\n"
    "  check                  tell every mistake in the configuration, with file and line\n"
    "  account add JID        add an account; the password is asked, or is the first line of standard input\n"
    "  account add -          add many: lines \"JID PASSWORD\" on standard input\n"
    "  account password JID   set a password, as above, and end the sessions of the old one\n"
    "  account disable JID    end its sessions and let nobody log in; what comes for it is kept\n"
    "  account enable JID     let it log in again\n"
    "  account delete JID     end its sessions, delete the account and all that is its own\n"
    "  account clients JID    list its clients that log in by a token: id, last renewal, what they say of themselves\n"
    "  account revoke JID ID  take the tokens of one of them; it must show the password again\n"
    "  account list [DOMAIN]  list accounts\n"
    "  invite create WHO      invite to an account: WHO is a community, or the address that it is for; behind it, "
    "where\n"
    "                         wanted: from JID (whose contact it becomes), uses N, days N\n"
    "  invite list [DOMAIN]   list invitations, the newest first\n"
    "  invite revoke DOMAIN ID  take one back\n"
    "  ldap sync [DOMAIN]     accounts for everybody in the directory (ldap_url); who is gone from it may not log in "
    "any more\n"
    "  doctor                 is it true of this machine and of the DNS? what is wrong, and what to do\n"
    "  webhooks               the addresses to enter at each provider\n"
    "  options                print every option with its default\n"
    "  version\n"
    "The configuration is /etc/causeway/causeway.conf unless --config says otherwise.\n";

static void complain(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "%s\n", text);
}

static void say(void *user, const char *text)
{
    (void)user;
    printf("%s\n", text);
}

static int run(const struct config *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct error e = ERROR_INIT;
    struct gateway *g = owner_become(c->store_path, &e) ? compose_create(c, &e) : NULL;
    bool held = g && compose_run(g, &e);
    if (!held)
        fprintf(stderr, "causeway: %s\n", e.text);
    if (g)
        compose_destroy(&g);
    return held ? 0 : 1;
}

static int check(const struct config *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    unsigned mistakes = rehearsal_run(c, complain, NULL) + ldap_cli_check(c, complain, NULL);
    if (mistakes == 0)
        printf("%s: good\n", c->file);
    return mistakes ? 1 : 0;
}

static int webhooks(const struct config *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct error e = ERROR_INIT;
    if (owner_become(c->store_path, &e) && webhook_list_each(c, say, NULL, &e))
        return 0;
    fprintf(stderr, "causeway: %s\n", e.text);
    return 1;
}

static int options(const struct config *c, int argc, char **argv)
{
    (void)c, (void)argc, (void)argv;
    config_print_reference(stdout);
    return 0;
}

static int version(const struct config *c, int argc, char **argv)
{
    (void)c, (void)argc, (void)argv;
    printf("causeway %s\n", CAUSEWAY_VERSION);
    return 0;
}

static const struct verb {
    const char *name;
    int least, most; /* words behind it */
    bool without_config;
    int (*perform)(const struct config *c, int argc, char **argv); /* words from `name` on; 2: misused */
} verbs[] = {
    {"run", 0, 0, false, run},
    {"check", 0, 0, false, check},
    {"account", 1, 3, false, accounts_cli},
    {"invite", 1, 8, false, invite_cli},
    {"ldap", 1, 2, false, ldap_cli},
    {"doctor", 0, 0, false, doctor_cli},
    {"webhooks", 0, 0, false, webhooks},
    {"options", 0, 0, true, options},
    {"version", 0, 0, true, version},
};

static int misused(char **argv)
{
    fprintf(stderr, "causeway: there is no command \"%s%s%s\" with these words; `causeway --help` lists them\n",
            argv[0], argv[1] ? " " : "", argv[1] ? argv[1] : "");
    return 2;
}

static int perform(const struct verb *verb, const char *file, int argc, char **argv)
{
    struct config c;
    if (verb->without_config)
        return verb->perform(NULL, argc, argv);
    int rc = 1;
    if (config_read(&c, file, complain, NULL)) {
        log_set_level(c.log_level);
        rc = verb->perform(&c, argc, argv);
    }
    config_fini(&c);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *file = SETUP_CONFIG;
    directory_ldap_init();
    umask(S_IRWXG | S_IRWXO); /* what is written here is people's mail */
    if (argc > 1 && strcmp(argv[1], "setup") == 0) /* it has flags of its own */
        return setup_cli(argc - 1, argv + 1);
    tls_memory_init();
    for (int o; (o = getopt_long(argc, argv, "c:h", flags, NULL)) != -1;) {
        if (o == 'c')
            file = optarg;
        else {
            fputs(usage, o == 'h' ? stdout : stderr);
            return o == 'h' ? 0 : 2;
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return 2;
    }
    argc -= optind;
    argv += optind;
    int rc = 2;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[0], verbs[i].name) == 0 && argc > verbs[i].least && argc <= verbs[i].most + 1)
            rc = perform(&verbs[i], file, argc, argv);
    return rc == 2 ? misused(argv) : rc;
}
