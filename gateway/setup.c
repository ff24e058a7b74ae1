/* SPDX-License-Identifier: MIT */
/* The five questions and the order of what follows. The configuration is written before anything else can go
 * wrong, and works from then on: with a certificate of our own until there is a better one. Nothing that
 * exists is overwritten without --force, and certificates never. */
#include "gateway/setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/accounts_cli.h"
#include "gateway/base/bytes.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/config.h"
#include "gateway/doctor.h"
#include "gateway/owner.h"
#include "gateway/records.h"
#include "gateway/setup_internal.h"
#include "gateway/xmpp/jid.h"

enum { LINE_BYTES = 4096, ADDRESSES_MAX = 16 };

static const char usage[] =
    "Usage: causeway setup DOMAIN [FLAG VALUE]...\n"
    "Asks five questions, each of which a flag can answer; an empty line takes what stands in brackets.\n"
    "  --host NAME          of this machine, which the DNS records point to\n"
    "  --addresses A,B      its public addresses, or none\n"
    "  --certificate C      an e-mail address: certbot gets one from Let's Encrypt; or \"CHAIN.pem KEY.pem\"\n"
    "  --mail-server URL    smtp://HOST:PORT through which notices go, or none\n"
    "  --admin JID          the first admin; the password is asked, or the next line of standard input\n"
    "  --config FILE        instead of " SETUP_CONFIG "\n"
    "  --store FILE  --listen ADDRESS  --dns-server ADDRESS[@PORT]  --ca-file FILE  --schema-dir FOLDER    as in the "
    "configuration\n"
    "  --force              write the configuration anew; the old one stays as FILE.old\n";

static int complain(const char *what)
{
    fprintf(stderr, "causeway setup: %s\n", what);
    return 1;
}

/* ---- answers: NULL when it is one, else what is wrong with it ---- */

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\' || *c == '\'')
            return false;
    return *text != '\0';
}

static const char *check_host(struct setup *s, const char *answer)
{
    return jid_parse_domain(&s->arena, answer) && strchr(answer, '.')
               ? NULL
               : "this is not the name of a machine, like xmpp.example.org";
}

static const char *check_addresses(struct setup *s, const char *answer)
{
    if (text_eq(answer, "none"))
        return NULL;
    char *copy = arena_dup(&s->arena, answer), *save = NULL;
    for (char *one = strtok_r(copy, " ,", &save); one; one = strtok_r(NULL, " ,", &save)) {
        unsigned char raw[sizeof(struct in6_addr)];
        if (inet_pton(AF_INET, one, raw) != 1 && inet_pton(AF_INET6, one, raw) != 1)
            return "numeric addresses, separated by spaces, or none";
    }
    return NULL;
}

static const char *check_certificate(struct setup *s, const char *answer)
{
    if (strchr(answer, '@'))
        return NULL;
    const char *space = strchr(answer, ' ');
    if (!space || answer[0] != '/' || space[1] != '/')
        return "an e-mail address, or two files with their whole paths: /CHAIN.pem /KEY.pem";
    return access(space + 1, R_OK) == 0 && access(arena_dup_n(&s->arena, answer, (size_t)(space - answer)), R_OK) == 0
               ? NULL
               : "these files cannot be read";
}

static const char *check_mail(struct setup *s, const char *answer)
{
    (void)s;
    return text_eq(answer, "none") || text_starts_with(answer, "smtp://") || text_starts_with(answer, "smtps://")
               ? NULL
               : "smtp://HOST:PORT, smtps://HOST:PORT or none";
}

static const char *check_admin(struct setup *s, const char *answer)
{
    const struct jid *j = jid_parse_text(&s->arena, answer);
    return jid_is_account(j) && text_eq(j->domain, s->domain)
               ? NULL
               : "an account of this domain, like you@DOMAIN";
}

/* ---- what is likely ---- */

/* Addresses of this machine that the world may know; "" when there is none. */
static const char *own_addresses(struct setup *s)
{
    struct ifaddrs *all = NULL;
    const char *found = "";
    if (getifaddrs(&all) != 0)
        return found;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        char text[INET6_ADDRSTRLEN];
        if (!i->ifa_addr || i->ifa_flags & IFF_LOOPBACK)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            uint32_t a = ntohl(((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr);
            bool is_private =
                a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe || a >> 22 == 0x191;
            if (!is_private && inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof text))
                found = arena_printf(&s->arena, "%s%s%s", found, *found ? " " : "", text);
        } else if (i->ifa_addr->sa_family == AF_INET6) {
            const struct in6_addr *a = &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;
            if ((a->s6_addr[0] & 0xe0) == 0x20 && inet_ntop(AF_INET6, a, text, sizeof text))
                found = arena_printf(&s->arena, "%s%s%s", found, *found ? " " : "", text);
        }
    }
    freeifaddrs(all);
    return found;
}

/* ---- asking ---- */

struct question {
    const char *text, *likely; /* likely NULL: an answer is needed */
    const char **answer;
    const char *(*check)(struct setup *s, const char *answer);
};

static bool ask(struct setup *s, const struct question *q)
{
    bool asked = false;
    while (!*q->answer || q->check(s, *q->answer) || !is_plain(*q->answer)) {
        char line[LINE_BYTES];
        if (*q->answer) {
            fprintf(stderr, "%s: %s\n", *q->answer,
                    is_plain(*q->answer) ? q->check(s, *q->answer)
                                         : "quotation marks and the like cannot be written down");
            if (asked && !isatty(STDIN_FILENO))
                return false;
        }
        printf("%s%s%s%s: ", q->text, q->likely ? " [" : "", q->likely ? q->likely : "", q->likely ? "]" : "");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin)) {
            fprintf(stderr, "\ncauseway setup: the answers end here; `causeway setup --help` has a flag for each\n");
            return false;
        }
        asked = true;
        line[strcspn(line, "\r\n")] = '\0';
        if (!isatty(STDIN_FILENO))
            printf("%s\n", line);
        *q->answer = line[0] || !q->likely ? arena_dup(&s->arena, line) : q->likely;
    }
    return true;
}

static bool ask_all(struct setup *s)
{
    const char *addresses = own_addresses(s);
    const struct question questions[] = {
        {"1. Name of this machine, for the DNS records to point to", arena_printf(&s->arena, "xmpp.%s", s->ascii),
         &s->host, check_host},
        {"2. Its public addresses", *addresses ? addresses : "none", &s->addresses, check_addresses},
        {"3. An e-mail address with which certbot gets a certificate from Let's Encrypt, or /CHAIN.pem /KEY.pem of one "
         "you have",
         NULL, &s->certificate, check_certificate},
        {"4. Mail server for notices to people who are not logged in, like smtp://localhost:25", "none",
         &s->mail_server, check_mail},
        {"5. The first admin", arena_printf(&s->arena, "admin@%s", s->domain), &s->admin, check_admin},
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (!ask(s, &questions[i]))
            return false;
    return true;
}

/* ---- files ---- */

bool setup_write(const struct setup *s, const char *path, mode_t mode, const char *text, struct error *e)
{
    struct bytes part = BYTES_EMPTY;
    bytes_printf(&part, "%s.new", path);
    unlink(part.data);
    int fd = open(part.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    bool held = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    held = held && (s->group == (gid_t)-1 || fchown(fd, (uid_t)-1, s->group) == 0) && fchmod(fd, mode) == 0;
    held = held && rename(part.data, path) == 0;
    if (!held)
        error_set(e, ERROR_IO, "cannot write %s: %s%s", path, strerror(errno),
                  errno == EACCES ? "; run this as root" : "");
    if (fd >= 0)
        close(fd);
    bytes_fini(&part);
    return held;
}

/* The service's user and folders, as the installed sysusers.d and tmpfiles.d have them. */
static void make_user(struct setup *s)
{
    const struct passwd *p = getpwnam("causeway");
    if (!p && geteuid() == 0) {
        const char *const users[] = {"systemd-sysusers", NULL}, *const folders[] = {"systemd-tmpfiles", "--create",
                                                                                    "causeway.conf", NULL};
        if (setup_run(users) == 0)
            (void)setup_run(folders);
        p = getpwnam("causeway");
    }
    if (p)
        s->group = p->pw_gid;
    else
        printf(
            "There is no user causeway on this machine (systemd-sysusers makes it): it runs as whom you start it.\n");
    mkdir(s->folder, 0750);
    if (mkdir("/var/lib/causeway", 0750) == 0 && p && chown("/var/lib/causeway", p->pw_uid, p->pw_gid) != 0)
        printf("/var/lib/causeway cannot be given to the user causeway: %s\n", strerror(errno));
    if (p && chown(s->folder, (uid_t)-1, p->pw_gid) != 0)
        printf("%s cannot be opened to the user causeway: %s\n", s->folder, strerror(errno));
}

static void name_option(struct bytes *text, const char *name, const char *value)
{
    if (value && !text_eq(value, "none"))
        bytes_printf(text, "    %s = \"%s\"\n", name, value);
}

/* A mail server on this machine is asked for; what is refused by default must be allowed then. */
static bool mails_to_loopback(const struct setup *s)
{
    const char *host = strstr(s->mail_server, "://");
    return host && (text_starts_with(host + 3, "localhost") || text_starts_with(host + 3, "127.") ||
                    text_starts_with(host + 3, "[::1]"));
}

static bool write_config(struct setup *s, struct error *e)
{
    static const char *const services[] = {"c2s", "c2s-tls", "s2s", "s2s-tls", NULL};
    struct bytes text = BYTES_EMPTY;
    bytes_printf(&text, "# Written by `causeway setup %s`. `causeway options` prints what else can be said here.\n",
                 s->domain);
    if (s->store || s->dns_server || s->ca_file || s->schema_dir || mails_to_loopback(s)) {
        bytes_append_text(&text, "gateway {\n");
        name_option(&text, "store", s->store);
        name_option(&text, "dns_server", s->dns_server);
        name_option(&text, "ca_file", s->ca_file);
        name_option(&text, "schema_dir", s->schema_dir);
        if (mails_to_loopback(s))
            bytes_append_text(&text, "    egress_allow = { \"mail 127.0.0.0/8\", \"mail ::1/128\" }\n");
        bytes_append_text(&text, "}\n");
    }
    for (const char *const *service = services; s->listen && *service; service++)
        bytes_printf(&text, "listen { service = \"%s\" address = \"%s\" }\n", *service, s->listen);
    bytes_printf(&text, "community \"%s\" {\n", s->domain);
    name_option(&text, "certificate", s->chain);
    name_option(&text, "key", s->key);
    bytes_printf(&text, "    admins = { \"%s\" }\n", s->admin);
    name_option(&text, "mail_server", s->mail_server);
    bytes_append_text(&text, "}\n");
    bool there = access(s->config, F_OK) == 0;
    bool held = !there || rename(s->config, arena_printf(&s->arena, "%s.old", s->config)) == 0 ||
                error_set(e, ERROR_IO, "cannot keep the old %s: %s", s->config, strerror(errno));
    held = held && setup_write(s, s->config, 0640, bytes_text(&text), e);
    bytes_fini(&text);
    return held;
}

/* Where things go, from the answers. */
static void settle_places(struct setup *s)
{
    const char *slash = strrchr(s->config, '/');
    s->folder = slash && slash != s->config ? arena_dup_n(&s->arena, s->config, (size_t)(slash - s->config))
                : slash                     ? "/"
                                            : ".";
    s->is_system = text_eq(s->config, SETUP_CONFIG);
    s->group = (gid_t)-1;
    const char *space = strchr(s->certificate, ' ');
    if (space) {
        s->chain = arena_dup_n(&s->arena, s->certificate, (size_t)(space - s->certificate));
        s->key = space + 1;
        return;
    }
    s->chain = arena_printf(&s->arena, "%s/%s.pem", s->folder, s->domain);
    s->key = arena_printf(&s->arena, "%s/%s.key", s->folder, s->domain);
    s->hook = arena_printf(&s->arena, "%s/certbot-%s", s->folder, s->domain);
}

/* ---- the steps ---- */

static void to_stderr(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "%s\n", text);
}

static void print_records(struct setup *s)
{
    const char *addresses[ADDRESSES_MAX + 1] = {NULL};
    char *copy = arena_dup(&s->arena, text_eq(s->addresses, "none") ? "" : s->addresses), *save = NULL;
    unsigned n = 0;
    for (char *one = strtok_r(copy, " ,", &save); one && n < ADDRESSES_MAX; one = strtok_r(NULL, " ,", &save))
        addresses[n++] = one;
    printf("\nDNS: these records, at whoever serves %s:\n\n", s->domain);
    records_print(stdout, s->ascii, s->host, addresses);
    printf("\n");
}

/* The password is read here; in a child, because adding an account gives root away for good. */
static bool make_admin(struct setup *s, const struct config *c)
{
    struct error e = ERROR_INIT;
    char password[ACCOUNTS_CLI_PASSWORD_BYTES];
    bool got = accounts_cli_ask_password(s->admin, password);
    fflush(stdout);
    pid_t child = got ? fork() : -1;
    if (child == 0) {
        bool found = false;
        bool held = owner_become(c->store_path, &e) && accounts_cli_find(c, s->admin, &found, &e) &&
                    (found || accounts_cli_add(c, s->admin, password));
        if (e.code != ERROR_NONE)
            (void)complain(e.text);
        if (found)
            printf("%s exists already and keeps its password.\n", s->admin);
        fflush(stdout);
        _exit(held ? 0 : 1);
    }
    mem_wipe(password, sizeof password);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && status == 0)
        return true;
    printf("%s is not there yet: causeway account add %s\n", s->admin, s->admin);
    return false;
}

static void say_end(const struct setup *s, bool all_well)
{
    if (s->is_system)
        printf("\nStart it:          systemctl enable --now causeway\n");
    else
        printf("\nStart it:          causeway run --config %s\n", s->config);
    printf("Ask again:         causeway doctor%s%s\n", s->is_system ? "" : " --config ", s->is_system ? "" : s->config);
    printf("More people:       causeway account add NAME@%s%s%s\n\n", s->domain, s->is_system ? "" : " --config ",
           s->is_system ? "" : s->config);
    printf("In Conversations:  \"I already have an account\", XMPP address %s, the password; nothing else.\n",
           s->admin);
    printf("In Gajim:          Accounts, Add Account, Log In: address %s, the password; nothing else.\n", s->admin);
    printf("Then write \"help\" to %s itself.\n", s->domain);
    if (!all_well)
        printf("\nWhat is still to be done stands above, each with its next step.\n");
}

static bool prepare(struct setup *s, struct error *e)
{
    if (s->is_system)
        make_user(s);
    if (s->hook && access(s->chain, F_OK) != 0 && !setup_self_signed(s, e))
        return false;
    return (!s->hook || setup_write_hook(s, e)) && write_config(s, e);
}

static int perform(struct setup *s)
{
    struct error e = ERROR_INIT;
    struct config c;
    settle_places(s);
    if (!prepare(s, &e))
        return complain(e.text);
    printf("\nWritten: %s%s%s\n", s->config, s->hook ? ", and for certbot " : "", s->hook ? s->hook : "");
    bool good = config_read(&c, s->config, to_stderr, NULL);
    if (good) {
        print_records(s);
        bool certified = !s->hook || setup_run_certbot(s);
        bool has_admin = make_admin(s, &c);
        printf("\n");
        unsigned wrong = doctor_examine(&c, stdout);
        good = certified && has_admin && wrong == 0;
        say_end(s, good);
    }
    config_fini(&c);
    return good ? 0 : 1;
}

/* ---- the call ---- */

static bool take_flags(struct setup *s, int argc, char **argv)
{
    enum { FORCE = 100, HELP };
    static const char *const names[] = {"host",  "addresses", "certificate", "mail-server", "admin",     "config",
                                        "store", "listen",    "dns-server",  "ca-file",     "schema-dir"};
    const char **places[] = {&s->host,  &s->addresses, &s->certificate, &s->mail_server, &s->admin,     &s->config,
                             &s->store, &s->listen,    &s->dns_server,  &s->ca_file,     &s->schema_dir};
    enum { NAMES = sizeof names / sizeof *names };
    struct option flags[NAMES + 3] = {{0}};
    for (int i = 0; i < NAMES; i++)
        flags[i] = (struct option){names[i], required_argument, NULL, i + 1};
    flags[NAMES] = (struct option){"force", no_argument, NULL, FORCE};
    flags[NAMES + 1] = (struct option){"help", no_argument, NULL, HELP};
    for (int o; (o = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        if (o >= 1 && o <= NAMES)
            *places[o - 1] = optarg;
        else if (o == FORCE)
            s->force = true;
        else
            return false;
    }
    if (optind != argc - 1)
        return false;
    const char *domain = jid_parse_domain(&s->arena, argv[optind]);
    if (domain && strchr(domain, '.')) {
        s->domain = domain;
        s->ascii = records_ascii(&s->arena, domain);
    } else {
        fprintf(stderr, "causeway setup: '%s' is not a domain like example.org\n", argv[optind]);
    }
    return s->domain != NULL;
}

int setup_cli(int argc, char **argv)
{
    struct setup s = {.config = SETUP_CONFIG};
    int rc = 2;
    arena_init(&s.arena);
    if (!take_flags(&s, argc, argv))
        fputs(usage, stderr);
    else if (access(s.config, F_OK) == 0 && !s.force)
        rc = complain(arena_printf(
            &s.arena, "%s exists: `causeway doctor` examines it; --force writes it anew and keeps the old one",
            s.config));
    else if (text_eq(s.config, SETUP_CONFIG) && geteuid() != 0)
        rc = complain("run this as root; or with --config FILE --store FILE for places of your own");
    else if (ask_all(&s))
        rc = perform(&s);
    else
        rc = 1;
    arena_fini(&s.arena);
    return rc;
}
