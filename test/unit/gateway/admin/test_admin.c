/* SPDX-License-Identifier: MIT */
/* The commands of admins: nobody else may run a single one, passwords become keys, and what is said of
 * accounts that are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/admin/admin.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/store/account.h"
#include "gateway/xmpp/ns.h"
#include "gateway/xmpp/scram.h"
#include "test/world/world.h"

struct scene {
    struct world *w;
    struct peer *romeo, *escalus, *far;
};

static int set_up(void **state)
{
    static const struct world_gateway gateways[] = {{.domain = "a.example"}, {.domain = "b.example"}};
    struct scene *s = mem_new(struct scene);
    s->w = world_create(gateways, 2);
    world_account(s->w, "romeo@a.example");
    world_admin(s->w, "escalus@a.example");
    world_admin(s->w, "paris@b.example");
    s->romeo = world_bind(s->w, "romeo@a.example/orchard");
    s->escalus = world_bind(s->w, "escalus@a.example/palace");
    s->far = world_bind(s->w, "paris@b.example/tomb");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    world_destroy(&s->w);
    mem_free(s);
    return 0;
}

/* The answer, also where it comes from libuv's pool. */
static struct stanza *ask(struct scene *s, struct peer *p, const char *node, const char *id, const char *form)
{
    char xml[4096];
    snprintf(xml, sizeof xml, "<iq type='set' id='x' to='a.example'><command xmlns='" NS_COMMANDS "' node='%s'%s%s%s>%s</command></iq>",
             node, id ? " sessionid='" : "", id ? id : "", id ? "'" : "", form);
    assert_true(peer_send(p, xml));
    struct stanza *answer;
    do
        world_settle(s->w);
    while (!(answer = peer_next(p)));
    return answer;
}

static const char *condition_of(const struct stanza *st)
{
    const struct element *error = stanza_child(st, "error", NULL);
    return error ? error->first_child->name : "";
}

static const char *text_of(const struct stanza *st)
{
    const struct element *error = stanza_child(st, "error", NULL);
    const struct element *text = error ? element_child(error, "text", NS_STANZA_ERRORS) : NULL;
    return text ? text->text : "";
}

/* Begins, submits, and gives what came of it. */
static struct stanza *run(struct scene *s, const char *node, const char *form)
{
    const char *id = element_attr(stanza_first(ask(s, s->escalus, node, NULL, "")), "sessionid");
    assert_non_null(id);
    char kept[128];
    snprintf(kept, sizeof kept, "%s", id);
    return ask(s, s->escalus, node, kept, form);
}

#define FORM(fields) "<x xmlns='jabber:x:data' type='submit'>" fields "</x>"
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"

static void test_only_admins(void **state)
{
    struct scene *s = *state;
    unsigned tried = 0;
    for (const struct adhoc_command *const *list = world_commands; *list; list++)
        for (const struct adhoc_command *c = *list; c->node; c++) {
            if (c->who != ADHOC_ADMIN || c->people_may) /* where a community lets people: scenario/invitations.txt */
                continue;
            tried++;
            assert_string_equal(condition_of(ask(s, s->romeo, c->node, NULL, "")), "forbidden");
            assert_string_equal(condition_of(ask(s, s->far, c->node, NULL, "")), "forbidden");
            assert_string_equal(condition_of(ask(s, s->romeo, c->node, "made-up", FORM(""))), "forbidden");
        }
    assert_true(tried > 10);
}

static void find(struct scene *s, const char *bare, struct account_get *g)
{
    arena_init(&g->arena);
    g->bare = bare;
    account_get(world_store(s->w, "a.example"), g);
    world_settle(s->w);
}

static bool matches(const struct account_get *g, const char *password)
{
    const struct account_keys *k = &g->account.keys[1];
    struct scram_keys keys = {.hash = SCRAM_SHA256, .iterations = k->iterations, .salt_len = k->salt_len};
    memcpy(keys.salt, k->salt, k->salt_len);
    memcpy(keys.stored_key, k->stored_key, k->key_len);
    memcpy(keys.server_key, k->server_key, k->key_len);
    return scram_keys_match(&keys, password);
}

static void test_passwords(void **state)
{
    struct scene *s = *state;
    static const char add[] = NS_ADMIN "#add-user", change[] = NS_ADMIN "#change-user-password";
    struct stanza *st = run(s, add, FORM(FIELD("accountjid", "Juliet@a.example") FIELD("password", "rose") FIELD("password-verify", "rose")));
    assert_string_equal(element_attr(stanza_first(st), "status"), "completed");
    struct account_get g = {0}, again = {0};
    find(s, "juliet@a.example", &g);
    assert_true(g.found && !g.account.is_admin && g.account.key_count == 3);
    assert_true(matches(&g, "rose"));
    arena_fini(&g.arena);

    struct peer *juliet = world_bind(s->w, "juliet@a.example/balcony");
    st = run(s, change, FORM(FIELD("accountjid", "juliet@a.example") FIELD("password", "thorn")));
    assert_string_equal(element_attr(stanza_first(st), "status"), "completed");
    assert_int_equal(peer_replaced(juliet), STREAM_NOT_AUTHORIZED);
    find(s, "juliet@a.example", &again);
    assert_true(matches(&again, "thorn") && !matches(&again, "rose"));
    arena_fini(&again.arena);
}

static void test_refusals(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *what, *node, *form, *condition, *text;
    } rows[] = {
        {"an account that is there", "add-user", FORM(FIELD("accountjid", "romeo@a.example") FIELD("password", "x") FIELD("password-verify", "x")),
         "conflict", "account romeo@a.example exists already"},
        {"of another community", "add-user", FORM(FIELD("accountjid", "x@b.example") FIELD("password", "x") FIELD("password-verify", "x")),
         "bad-request", "'x@b.example' is not an account of a.example"},
        {"a domain", "add-user", FORM(FIELD("accountjid", "a.example") FIELD("password", "x") FIELD("password-verify", "x")),
         "bad-request", "'a.example' is not an account of a.example"},
        {"a client", "add-user", FORM(FIELD("accountjid", "x@a.example/y") FIELD("password", "x") FIELD("password-verify", "x")),
         "bad-request", "'x@a.example/y' is not an account of a.example"},
        {"two passwords", "add-user", FORM(FIELD("accountjid", "x@a.example") FIELD("password", "x") FIELD("password-verify", "y")),
         "bad-request", "password-verify: it is not the same password"},
        {"a password that SASLprep refuses", "add-user", FORM(FIELD("accountjid", "x@a.example") FIELD("password", "&#xe000;") FIELD("password-verify", "&#xe000;")),
         "bad-request", "password: it has characters that SASLprep refuses"},
        {"no password", "change-user-password", FORM(FIELD("accountjid", "romeo@a.example")), "bad-request", "password: this field is required"},
        {"a new password for nobody", "change-user-password", FORM(FIELD("accountjid", "x@a.example") FIELD("password", "x")),
         "item-not-found", "there is no account x@a.example"},
        {"nobody to delete", "delete-user", FORM(""), "bad-request", "accountjids: this field is required"},
        {"to disable what is not there", "disable-user", FORM(FIELD("accountjids", "x@a.example")), "item-not-found", "there is no account x@a.example"},
        {"to disable oneself", "disable-user", FORM(FIELD("accountjids", "escalus@a.example")), "not-allowed", "that is the account that you are using"},
        {"links of another community", "end-user-session", FORM(FIELD("accountjids", "paris@b.example/tomb")),
         "bad-request", "'paris@b.example/tomb' is not an account of a.example"},
        {"as many as nobody offered", "get-registered-users-list", FORM(FIELD("max_items", "1000000")),
         "bad-request", "max_items: '1000000' is not one of the choices"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char node[128];
        snprintf(node, sizeof node, NS_ADMIN "#%s", rows[i].node);
        struct stanza *st = run(s, node, rows[i].form);
        if (!text_eq(condition_of(st), rows[i].condition) || !text_eq(text_of(st), rows[i].text))
            fail_msg("%s: %s: %s", rows[i].what, condition_of(st), text_of(st));
    }
}

/* A page, and the one behind it. */
static void test_pages(void **state)
{
    struct scene *s = *state;
    char name[64];
    for (unsigned i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "user%02u@a.example", i);
        world_account(s->w, name);
    }
    static const struct {
        const char *form;
        unsigned names;
        bool more;
    } rows[] = {
        {FORM(FIELD("max_items", "25")), 25, true},
        {FORM(FIELD("max_items", "25") FIELD("after", "user22@a.example")), 7, false},
        {FORM(FIELD("after", "zz@a.example")), 0, false},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct stanza *st = run(s, NS_ADMIN "#get-registered-users-list", rows[i].form);
        const struct element *c = stanza_first(st), *x = element_child(c, "x", NS_DATA), *list = NULL;
        for (const struct element *f = element_child(x, "field", NS_DATA); f; f = element_next(f, "field", NS_DATA))
            if (text_eq(element_attr(f, "var"), "registereduserjids"))
                list = f;
        unsigned n = 0;
        for (const struct element *v = element_child(list, "value", NS_DATA); v; v = element_next(v, "value", NS_DATA))
            n++;
        assert_int_equal(n, rows[i].names);
        assert_int_equal(element_child(c, "note", NS_COMMANDS) != NULL, rows[i].more);
    }
}

/* The form shows who is one; what comes back is who shall be, and the asker is among them. */
static void test_admins(void **state)
{
    struct scene *s = *state;
    static const char node[] = NS_ADMIN "#edit-admin";
    struct stanza *st = ask(s, s->escalus, node, NULL, "");
    const struct element *x = element_child(stanza_first(st), "x", NS_DATA), *list = NULL;
    for (const struct element *f = element_child(x, "field", NS_DATA); f; f = element_next(f, "field", NS_DATA))
        if (text_eq(element_attr(f, "var"), "adminjids"))
            list = f;
    assert_string_equal(element_child(list, "value", NS_DATA)->text, "escalus@a.example");
    assert_string_equal(condition_of(run(s, node, FORM(FIELD("adminjids", "romeo@a.example")))), "not-allowed");
    assert_string_equal(condition_of(run(s, node, FORM("<field var='adminjids'><value>escalus@a.example</value><value>x@a.example</value></field>"))),
                        "item-not-found");
    assert_string_equal(condition_of(run(s, node, FORM("<field var='adminjids'><value>escalus@a.example</value><value>paris@b.example</value></field>"))),
                        "bad-request");
    assert_string_equal(condition_of(ask(s, s->romeo, node, NULL, "")), "forbidden");
    st = run(s, node, FORM("<field var='adminjids'><value>escalus@a.example</value><value>romeo@a.example</value></field>"));
    assert_string_equal(element_attr(stanza_first(st), "status"), "completed");
    st = ask(s, s->romeo, node, NULL, "");
    assert_string_equal(element_attr(stanza_first(st), "status"), "executing");
    assert_string_equal(element_attr(stanza_first(run(s, node, FORM(FIELD("adminjids", "escalus@a.example")))), "status"), "completed");
    assert_string_equal(condition_of(ask(s, s->romeo, node, NULL, "")), "forbidden");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_admins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_admins, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
