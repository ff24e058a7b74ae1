/* SPDX-License-Identifier: MIT */
/* causewayctl: runs ad-hoc commands (XEP-0050) from a shell. Logs in like any client, so it works from
 * anywhere, and with any server that has commands. Decided here: arguments, steps, exit codes. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/ctl/ctl_form.h"
#include "gateway/ctl/ctl_link.h"
#include "gateway/ctl/ctl_print.h"
#include "gateway/ctl/ctl_secret.h"
#include "gateway/ctl/ctl_xml.h"

#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_CONNECTION = 1, /* no connection, or it broke, or no answer in time */
    EXIT_CALL = 2,       /* the call is wrong: options, fields */
    EXIT_LOGIN = 3,      /* name or password refused */
    EXIT_FORBIDDEN = 4,  /* logged in, but the command is not for this account */
    EXIT_NOT_FOUND = 5,  /* no such command, or no such thing as the fields name */
    EXIT_REFUSED = 6,    /* the server refused what the fields say */
    EXIT_SERVER = 7,     /* the server could not do it, or answered what nobody can read */
};

enum { STAGES_MAX = 32, TIMEOUT_S = 30 };

static const char usage[] =
    "usage: causewayctl [OPTION]... list\n"
    "       causewayctl [OPTION]... describe COMMAND\n"
    "       causewayctl [OPTION]... COMMAND [--FIELD VALUE]...\n"
    "\n"
    "Logs in to an XMPP server and runs one of its ad-hoc commands. COMMAND is a node as `list` shows it, or what\n"
    "stands behind its '#' (add-user); one of two words may be written as two, and then the value of its first field\n"
    "may follow (federation explain verona.example). `describe` shows the fields of a command's first form.\n"
    "\n"
    "  -j, --jid JID             who logs in; or CAUSEWAYCTL_JID\n"
    "  -p, --password-file FILE  its first line, \"-\" standard input; or CAUSEWAYCTL_PASSWORD; else it is asked for\n"
    "  -t, --to ADDRESS          whose commands; the domain of the JID unless given\n"
    "  -H, --host HOST           where to connect to instead of what DNS says\n"
    "  -P, --port PORT           5222 unless DNS or --port says otherwise; 5223 with --direct-tls\n"
    "      --direct-tls          TLS from the first byte instead of STARTTLS\n"
    "      --ca FILE             certificates to trust, PEM; or CAUSEWAYCTL_CA; the system's unless given\n"
    "  -o, --output table|json   table unless given\n"
    "      --timeout SECONDS     for the login and for each answer; 30 unless given\n"
    "      --debug               what is said on the stream, on standard error\n"
    "  -h, --help   -V, --version\n"
    "\n"
    "Fields, behind COMMAND:\n"
    "  --FIELD VALUE, --FIELD=VALUE   again for one with many values; those of all steps together\n"
    "  --FIELD-file FILE              its lines; for a password the only way (\"-\": standard input; the file must be\n"
    "                                 readable by its owner alone). A password that is not given is asked for;\n"
    "                                 one that has to be given again takes the first.\n"
    "\n"
    "JSON: list and describe give an array; a command {\"node\", \"notes\": [{\"type\", \"text\"}], \"fields\": {}, "
    "\"items\": [{}]}.\n"
    "\n"
    "Exit status: 0 done; 1 no connection, or no answer; 2 the call is wrong; 3 name or password refused;\n"
    "4 not allowed to this account; 5 no such command or thing; 6 the fields were refused; 7 the server could not.\n"
    "\n"
    "  causewayctl -j admin@capulet.example list\n"
    "  causewayctl -j admin@capulet.example add-user --accountjid juliet@capulet.example\n"
    "  causewayctl -j admin@capulet.example -o json get-registered-users-list --max_items 200\n";

struct call {
    struct ctl_link_options link;
    const char *to, *password_file;
    bool json;
    const char *command;
    bool describe;
    struct ctl_flags flags;
    struct arena arena;
};

static enum exit_code complain(enum exit_code code, const char *text)
{
    fprintf(stderr, "causewayctl: %s\n", text);
    return code;
}

/* ---- what the server says no to ---- */

static enum exit_code code_for(const char *condition)
{
    static const struct {
        const char *condition;
        enum exit_code code;
    } rows[] = {
        {"forbidden", EXIT_FORBIDDEN},           {"not-allowed", EXIT_FORBIDDEN},
        {"not-authorized", EXIT_FORBIDDEN},      {"item-not-found", EXIT_NOT_FOUND},
        {"service-unavailable", EXIT_NOT_FOUND}, {"feature-not-implemented", EXIT_NOT_FOUND},
        {"bad-request", EXIT_REFUSED},           {"conflict", EXIT_REFUSED},
        {"not-acceptable", EXIT_REFUSED},        {"jid-malformed", EXIT_REFUSED},
        {"policy-violation", EXIT_REFUSED},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].condition, condition) == 0)
            return rows[i].code;
    return EXIT_SERVER;
}

static enum exit_code refused(struct call *c, xmpp_stanza_t *answer)
{
    const char *condition = "undefined-condition", *text = "";
    xmpp_stanza_t *error = ctl_xml_child(answer, "error");
    for (xmpp_stanza_t *e = ctl_xml_child(error, NULL); e; e = ctl_xml_next(e, NULL)) {
        if (text_eq(xmpp_stanza_get_name(e), "text"))
            text = ctl_xml_text(&c->arena, e);
        else if (!text_eq(xmpp_stanza_get_ns(e), CTL_NS_COMMANDS))
            condition = xmpp_stanza_get_name(e);
    }
    return complain(code_for(condition), arena_printf(&c->arena, "%s%s%s", condition, *text ? ": " : "", text));
}

/* ---- asking ---- */

static xmpp_stanza_t *element(xmpp_ctx_t *ctx, const char *name, const char *ns)
{
    xmpp_stanza_t *st = xmpp_stanza_new(ctx);
    xmpp_stanza_set_name(st, name);
    xmpp_stanza_set_ns(st, ns);
    return st;
}

/* The child of a good answer; NULL: *code says what came instead, and the reason was printed. */
static xmpp_stanza_t *ask(struct call *c, struct ctl_link *l, const char *type, xmpp_stanza_t *payload,
                          const char *expected, enum exit_code *code)
{
    struct error e = ERROR_INIT;
    xmpp_stanza_t *answer = ctl_link_ask(l, type, c->to, payload, &e);
    xmpp_stanza_t *child = answer ? ctl_xml_child(answer, expected) : NULL;
    if (!answer)
        *code = complain(EXIT_CONNECTION, e.text);
    else if (text_eq(xmpp_stanza_get_type(answer), "error"))
        *code = refused(c, answer);
    else if (!child)
        *code = complain(EXIT_SERVER, "the server's answer says nothing");
    else
        return child;
    return NULL;
}

static xmpp_stanza_t *ask_list(struct call *c, struct ctl_link *l, enum exit_code *code)
{
    xmpp_stanza_t *query = element(ctl_link_ctx(l), "query", NS_DISCO_ITEMS);
    xmpp_stanza_set_attribute(query, "node", CTL_NS_COMMANDS);
    return ask(c, l, "get", query, "query", code);
}

static enum exit_code list(struct call *c, struct ctl_link *l)
{
    enum exit_code code;
    xmpp_stanza_t *query = ask_list(c, l, &code);
    if (!query)
        return code;
    ctl_print_list(query, c->json);
    return EXIT_DONE;
}

static xmpp_stanza_t *new_command(struct call *c, struct ctl_link *l, const char *node, const char *session,
                                  const char *action)
{
    (void)c;
    xmpp_stanza_t *command = element(ctl_link_ctx(l), "command", CTL_NS_COMMANDS);
    xmpp_stanza_set_attribute(command, "node", node);
    if (session)
        xmpp_stanza_set_attribute(command, "sessionid", session);
    xmpp_stanza_set_attribute(command, "action", action);
    return command;
}

/* ---- which command ---- */

static bool ends_so(const char *node, const char *name)
{
    const char *hash = strrchr(node, '#');
    return strcmp(node, name) == 0 || (hash && strcmp(hash + 1, name) == 0);
}

/* The node that is meant, from the list; NULL: *code. A whole node need not be in the list: the server says why. */
static const char *find_node(struct call *c, struct ctl_link *l, enum exit_code *code)
{
    const char *found = NULL;
    if (strchr(c->command, '#') || strchr(c->command, ':'))
        return c->command;
    xmpp_stanza_t *query = ask_list(c, l, code);
    if (!query)
        return NULL;
    for (xmpp_stanza_t *i = ctl_xml_child(query, "item"); i; i = ctl_xml_next(i, "item")) {
        const char *node = xmpp_stanza_get_attribute(i, "node");
        if (!node || !ends_so(node, c->command))
            continue;
        if (found) {
            *code = complain(EXIT_CALL,
                             arena_printf(&c->arena, "%s: several commands end so: %s, %s", c->command, found, node));
            return NULL;
        }
        found = arena_dup(&c->arena, node);
    }
    if (!found)
        *code =
            complain(EXIT_NOT_FOUND,
                     arena_printf(&c->arena, "%s: no such command for this account; `list` shows them", c->command));
    return found;
}

/* ---- the steps ---- */

struct run {
    struct call *c;
    struct ctl_link *l;
    const char *node, *session;
};

static void cancel(struct run *r)
{
    struct error e = ERROR_INIT;
    if (r->session)
        (void)!ctl_link_ask(r->l, "set", r->c->to, new_command(r->c, r->l, r->node, r->session, "cancel"), &e);
}

static bool is_last(xmpp_stanza_t *command)
{
    xmpp_stanza_t *actions = ctl_xml_child(command, "actions");
    return !actions || !ctl_xml_child(actions, "next");
}

/* The next step's <command/>, from what the last answer shows; NULL: *code. */
static xmpp_stanza_t *next_step(struct run *r, xmpp_stanza_t *command, enum exit_code *code)
{
    struct error e = ERROR_INIT;
    xmpp_stanza_t *form = ctl_xml_child(command, "x"), *submit = NULL;
    bool last = is_last(command);
    if (form && !(submit = ctl_form_fill(ctl_link_ctx(r->l), &r->c->arena, &r->c->flags, form, &e))) {
        *code = complain(EXIT_CALL, e.text);
        return NULL;
    }
    const char *unused = last ? ctl_form_unused(&r->c->flags) : NULL;
    if (unused) {
        *code = complain(EXIT_CALL, arena_printf(&r->c->arena,
                                                 "--%s: the command has no such field; `describe` shows them", unused));
        if (submit)
            xmpp_stanza_release(submit);
        return NULL;
    }
    xmpp_stanza_t *next = new_command(r->c, r->l, r->node, r->session, last ? "complete" : "next");
    if (submit) {
        xmpp_stanza_add_child(next, submit);
        xmpp_stanza_release(submit);
    }
    return next;
}

static enum exit_code finish(struct run *r, xmpp_stanza_t *command)
{
    const char *unused = ctl_form_unused(&r->c->flags);
    ctl_print_result(command, r->c->json);
    if (unused)
        return complain(EXIT_CALL,
                        arena_printf(&r->c->arena, "--%s: the command asked for no such field, and is done", unused));
    return EXIT_DONE;
}

static enum exit_code describe(struct run *r, xmpp_stanza_t *command)
{
    xmpp_stanza_t *form = ctl_xml_child(command, "x");
    if (form)
        ctl_print_form(form, r->c->json);
    else
        fprintf(stderr, "causewayctl: this step has no fields\n");
    cancel(r);
    return EXIT_DONE;
}

static enum exit_code run_command(struct call *c, struct ctl_link *l)
{
    enum exit_code code = EXIT_SERVER;
    struct run r = {c, l, find_node(c, l, &code), NULL};
    if (!r.node)
        return code;
    xmpp_stanza_t *step = new_command(c, l, r.node, NULL, "execute");
    for (unsigned i = 0; i < STAGES_MAX; i++) {
        xmpp_stanza_t *command = ask(c, l, "set", step, "command", &code);
        if (!command) {
            cancel(&r);
            return code;
        }
        const char *status = xmpp_stanza_get_attribute(command, "status"),
                   *id = xmpp_stanza_get_attribute(command, "sessionid");
        if (!text_eq(status, "executing"))
            return finish(&r, command);
        r.session = arena_dup_or_null(&c->arena, id);
        if (c->describe)
            return describe(&r, command);
        step = next_step(&r, command, &code);
        if (!step) {
            cancel(&r);
            return code;
        }
    }
    cancel(&r);
    return complain(EXIT_SERVER, "the command has no end");
}

/* ---- arguments ---- */

static bool read_password(struct call *c, char *password, struct error *e)
{
    const char *given = getenv("CAUSEWAYCTL_PASSWORD");
    if (c->password_file)
        return ctl_secret_from_file(c->password_file, password, e);
    if (given && *given)
        return text_copy(password, CTL_SECRET_BYTES, given) ||
               error_set(e, ERROR_LIMIT, "CAUSEWAYCTL_PASSWORD is too long");
    return ctl_secret_ask(arena_printf(&c->arena, "Password for %s", c->link.jid), password, e);
}

static enum exit_code perform(struct call *c)
{
    struct error e = ERROR_INIT;
    char password[CTL_SECRET_BYTES];
    if (!read_password(c, password, &e))
        return complain(EXIT_CALL, e.text);
    c->link.password = password;
    struct ctl_link *l = ctl_link_open(&c->link, &e);
    mem_wipe(password, sizeof password);
    if (!l)
        return complain(e.code == ERROR_DENIED ? EXIT_LOGIN : EXIT_CONNECTION, e.text);
    enum exit_code code = strcmp(c->command, "list") == 0 ? list(c, l) : run_command(c, l);
    ctl_link_close(&l);
    return code;
}

enum option_id { OPTION_CA = 256, OPTION_TIMEOUT, OPTION_DIRECT_TLS, OPTION_DEBUG };

static const struct option options[] = {
    {"jid", required_argument, NULL, 'j'},
    {"password-file", required_argument, NULL, 'p'},
    {"to", required_argument, NULL, 't'},
    {"host", required_argument, NULL, 'H'},
    {"port", required_argument, NULL, 'P'},
    {"output", required_argument, NULL, 'o'},
    {"ca", required_argument, NULL, OPTION_CA},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"direct-tls", no_argument, NULL, OPTION_DIRECT_TLS},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

/* false: the value will not do. */
static bool take_option(struct call *c, int o)
{
    uint32_t n = 0;
    switch (o) {
    case 'j': c->link.jid = optarg; return true;
    case 'p': c->password_file = optarg; return true;
    case 't': c->to = optarg; return true;
    case 'H': c->link.host = optarg; return true;
    case OPTION_CA: c->link.ca_file = optarg; return true;
    case OPTION_DIRECT_TLS: c->link.direct_tls = true; return true;
    case OPTION_DEBUG: c->link.debug = true; return true;
    case 'o': c->json = strcmp(optarg, "json") == 0; return c->json || strcmp(optarg, "table") == 0;
    case 'P':
        if (!text_to_u32(optarg, &n) || n == 0 || n > 65535)
            return false;
        c->link.port = (uint16_t)n;
        return true;
    case OPTION_TIMEOUT:
        if (!text_to_u32(optarg, &n) || n == 0 || n > 3600)
            return false;
        c->link.timeout_s = n;
        return true;
    default: return false;
    }
}

/* A word that may be the first half of a command. */
static bool is_plain(const char *word)
{
    return strcmp(word, "list") != 0 && !word[strcspn(word, "-#:/")];
}

/* What stands behind the options. */
static bool take_words(struct call *c, int argc, char **argv, struct error *e)
{
    int at = optind;
    if (at < argc && strcmp(argv[at], "describe") == 0) {
        c->describe = true;
        at++;
    }
    if (at >= argc)
        return error_set(e, ERROR_INVALID, "which command? --help says more");
    c->command = argv[at++];
    if (is_plain(c->command) && at < argc && argv[at][0] != '-') { /* "federation explain DOMAIN" */
        c->command = arena_printf(&c->arena, "%s-%s", c->command, argv[at++]);
        if (at < argc && argv[at][0] != '-')
            ctl_form_first(&c->flags, argv[at++]);
    }
    if ((c->describe || strcmp(c->command, "list") == 0) && at < argc)
        return error_set(e, ERROR_INVALID, "'%.80s' is too much", argv[at]);
    c->flags.may_ask = true;
    return ctl_form_flags(&c->flags, argc - at, argv + at, e);
}

static enum exit_code check_call(struct call *c)
{
    if (!c->link.jid || !strchr(c->link.jid, '@'))
        return complain(EXIT_CALL, "who logs in? --jid name@domain, or CAUSEWAYCTL_JID");
    if (!c->to) {
        const char *domain = strchr(c->link.jid, '@') + 1;
        c->to = arena_dup_n(&c->arena, domain, strcspn(domain, "/"));
    }
    if (c->link.host && !c->link.port)
        c->link.port = c->link.direct_tls ? 5223 : 5222;
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static struct call c;
    struct error e = ERROR_INIT;
    signal(SIGPIPE, SIG_IGN);
    arena_init(&c.arena);
    c.link = (struct ctl_link_options){
        .jid = getenv("CAUSEWAYCTL_JID"), .ca_file = getenv("CAUSEWAYCTL_CA"), .timeout_s = TIMEOUT_S};
    enum exit_code code = EXIT_DONE;
    for (int o; (o = getopt_long(argc, argv, "+j:p:t:H:P:o:hV", options, NULL)) != -1;) {
        if (o == 'h' || o == 'V') {
            printf("%s", o == 'h' ? usage : "causewayctl " CAUSEWAY_VERSION "\n");
            return EXIT_DONE;
        }
        if (!take_option(&c, o))
            return o == '?' ? EXIT_CALL
                            : complain(EXIT_CALL,
                                       arena_printf(&c.arena, "'%s' will not do there; --help says more", optarg));
    }
    if (!take_words(&c, argc, argv, &e))
        code = complain(EXIT_CALL, e.text);
    else
        code = check_call(&c);
    if (code == EXIT_DONE)
        code = perform(&c);
    arena_fini(&c.arena);
    return (int)code;
}
