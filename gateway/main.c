/* SPDX-License-Identifier: MIT */
/* `causeway`: arguments and exit codes. 0: done; 1: it did not work (the reason is on standard error);
 * 2: the call is wrong. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/accounts_cli.h"
#include "gateway/compose.h"
#include "gateway/config.h"

static const char usage[] =
    "Usage: causeway COMMAND [--config FILE]\n"
    "  run                    serve, in the foreground, until SIGTERM\n"
    "  check                  tell every mistake in the configuration, with file and line\n"
    "  account add JID        add an account; the password is asked, or is the first line of standard input\n"
    "  account add -          add many: lines \"JID PASSWORD\" on standard input\n"
    "  account password JID   set a password, as above\n"
    "  account delete JID     delete an account and all that is its own\n"
    "  account list [DOMAIN]  list accounts\n"
    "  webhooks               the addresses to enter at each provider\n"
    "  config-reference       print every option with its default\n"
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

static int run(const struct config *c)
{
    struct error e = ERROR_INIT;
    struct gateway *g = compose_create(c, &e);
    bool held = g && compose_run(g, &e);
    if (!held)
        fprintf(stderr, "causeway: %s\n", e.text);
    if (g)
        compose_destroy(&g);
    return held ? 0 : 1;
}

static int check(const struct config *c)
{
    unsigned mistakes = compose_check(c, complain, NULL);
    if (mistakes == 0)
        printf("%s: good\n", c->file);
    return mistakes ? 1 : 0;
}

static int webhooks(const struct config *c)
{
    struct error e = ERROR_INIT;
    if (compose_webhooks(c, say, NULL, &e))
        return 0;
    fprintf(stderr, "causeway: %s\n", e.text);
    return 1;
}

static int with_config(const char *file, int argc, char **argv)
{
    struct config c;
    const char *command = argv[0];
    int rc = 2;
    if (!config_read(&c, file, complain, NULL)) {
        config_fini(&c);
        return 1;
    }
    log_set_level(c.log_level);
    if (strcmp(command, "run") == 0 && argc == 1)
        rc = run(&c);
    else if (strcmp(command, "check") == 0 && argc == 1)
        rc = check(&c);
    else if (strcmp(command, "webhooks") == 0 && argc == 1)
        rc = webhooks(&c);
    else if (strcmp(command, "account") == 0 && argc >= 2)
        rc = accounts_cli(&c, argc - 1, argv + 1);
    config_fini(&c);
    if (rc == 2)
        fputs(usage, stderr);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *file = "/etc/causeway/causeway.conf";
    for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
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
    if (strcmp(argv[optind], "version") == 0) {
        printf("causeway %s\n", CAUSEWAY_VERSION);
        return 0;
    }
    if (strcmp(argv[optind], "config-reference") == 0) {
        config_print_reference(stdout);
        return 0;
    }
    return with_config(file, argc - optind, argv + optind);
}
