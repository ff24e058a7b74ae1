/* SPDX-License-Identifier: MIT */
/* What the router shows of itself, and the names of its refusals: the tables never hold a text or a code, keep
 * to one community, and looking at a plan changes nothing. */
#include "router_world.h"

#include "gateway/exchange/listing.h"

static bool answered;

static void on_rows(struct listing_query *q, const struct error *e)
{
    (void)q;
    assert_int_equal(e->code, ERROR_NONE);
    answered = true;
}

/* The table as lines of "cell|cell|". */
static const char *table(unsigned index, const char *domain, const char *key, unsigned limit, bool *more)
{
    static char text[4096];
    struct listing l = contact_router_listing(world.router, index);
    struct listing_query q = {.domain = domain, .key = key, .limit = limit, .reply_on = world.loop, .done = on_rows};
    size_t at = 0;
    answered = false;
    arena_init(&q.arena);
    l.ask(&l, &q);
    assert_false(answered); /* never before it returns */
    settle();
    assert_true(answered);
    text[0] = '\0';
    for (const struct listing_row *r = q.first; r; r = r->next) {
        for (unsigned i = 0; l.columns[i].var; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s|", r->cells[i] ? r->cells[i] : "");
        at += (size_t)snprintf(text + at, sizeof text - at, "\n");
    }
    if (more)
        *more = q.more;
    arena_fini(&q.arena);
    return text;
}

enum { OUTBOX, PROVIDERS, DEVICES, PLAN, RULES };
#define HERE "capulet.example"
#define DEFAULT "you have no rules: the community's default decides|\n"

static void test_devices(void **state)
{
    (void)state;
    assert_string_equal(table(DEVICES, HERE, JULIET, 10, NULL), "");
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    command("add phone +447700900123");
    command("quiet 2 22:00-07:00 Europe/London");
    assert_string_equal(table(DEVICES, HERE, JULIET, 10, NULL),
                        "1|e-mail|juliet@example.net|verified|whole texts|||\n"
                        "2|text message|+447700900123|not verified|notices|22:00-07:00 Europe/London||\n");
}

static void test_outbox(void **state)
{
    (void)state;
    bool more;
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    somebody_writes(REACH_MESSAGE, "romeo@montague.example", "r1", 1, "a secret thing");
    command("add phone +447700900123");
    const char *all = table(OUTBOX, HERE, NULL, 10, &more);
    assert_false(more);
    assert_non_null(strstr(all, JULIET "|e-mail|juliet@example.net|message|romeo@montague.example|sending|"));
    assert_non_null(strstr(all, JULIET "|text message|+447700900123|code||sending|"));
    assert_null(strstr(all, "secret"));
    char ref[64], one[4096];
    snprintf(ref, sizeof ref, "%.*s", (int)strcspn(all, "|"), all);
    snprintf(one, sizeof one, "%s", table(OUTBOX, HERE, ref, 10, NULL));
    assert_int_equal(strncmp(one, ref, strlen(ref)), 0);
    assert_int_equal(strcspn(one, "\n") + 1, strlen(one)); /* that one alone */
    assert_non_null(strchr(table(OUTBOX, HERE, NULL, 1, &more), '\n'));
    assert_true(more);
    assert_string_equal(table(OUTBOX, HERE, "nurse@capulet.example", 10, NULL), "");
    assert_string_equal(table(OUTBOX, "verona.example", NULL, 10, NULL), "");
    assert_string_equal(table(OUTBOX, "verona.example", ref, 10, NULL), "");
}

static void test_providers(void **state)
{
    (void)state;
    const char *all = table(PROVIDERS, HERE, NULL, 10, NULL);
    if (!strstr(all, "Twilio"))
        fail_msg("%s", all);
    assert_null(strstr(all, "secret"));
}

static void test_plan(void **state)
{
    (void)state;
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    add_device(2, DEVICE_SMS, "+447700900123", false);
    command("quiet 2 22:00-07:00 Europe/London");
    static const struct {
        const char *what, *key, *says;
    } rows[] = {
        {"by day: both at once", JULIET " romeo@montague.example message medium 1893492000000000", /* 2030-01-01T10:00Z */
         DEFAULT "step 1: text message to +447700900123, at once|\nstep 1: e-mail to juliet@example.net, at once|\n"},
        {"in quiet hours the telephone waits for their end", JULIET " romeo@montague.example message medium 1893538800000000", /* 23:00Z */
         DEFAULT "step 1: text message to +447700900123, in 480 minutes|\nstep 1: e-mail to juliet@example.net, at once|\n"},
        {"an emergency does not", JULIET " romeo@montague.example message emergency 1893538800000000",
         DEFAULT "step 1: text message to +447700900123, at once|\nstep 1: e-mail to juliet@example.net, at once|\n"},
        {"a stranger gets one mail", JULIET " tybalt@capulet.test request medium 1893492000000000",
         DEFAULT "step 1: e-mail to juliet@example.net, at once|\ntext message +447700900123 is not for strangers|\n"},
        {"nobody's devices", "nurse@capulet.example romeo@montague.example message medium 0", DEFAULT "nothing is sent|\n"},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = table(PLAN, HERE, rows[i].key, 20, NULL);
        if (strcmp(got, rows[i].says) != 0)
            fail_msg("%s:\n%s", rows[i].what, got);
    }
    assert_int_equal(world.http_count + world.mail_count, 0);
    assert_string_equal(table(OUTBOX, HERE, NULL, 10, NULL), "");
}

struct damage { struct store_job job; };

static bool damage_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return store_exec(tx, e, "update rules set rule = 'for nob' where n = 2", "");
}

/* A rule that cannot be read has a row, without the parts of a form, and the plan says that none holds. */
static void test_damaged_rule(void **state)
{
    (void)state;
    struct damage d = { .job = { .run = damage_run } };
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    command("add rule for anybody: nothing");
    command("add rule for contacts: email");
    write_now(&d.job);
    assert_string_equal(table(RULES, HERE, JULIET, 10, NULL),
                        "1|anybody||nothing|anybody||||||||||||||\n"
                        "2|cannot be read any more|never; none of your rules holds before it is removed|for nob|||||||||||||||\n");
    assert_string_equal(table(PLAN, HERE, JULIET " romeo@montague.example message medium 1893492000000000", 20, NULL),
                        "your rule 2 cannot be read any more, so the community's default decides; \"remove rule 2\" mends that|\n"
                        "step 1: e-mail to juliet@example.net, at once|\n");
}

/* A refusal has a name for a program beside its words. */
static void test_refusals(void **state)
{
    (void)state;
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    static const struct {
        const char *line;
        enum stanza_error refused;
    } rows[] = {
        {"devices", STANZA_OK},
        {"full 1", STANZA_OK},
        {"test 1", STANZA_OK},
        {"full 7", STANZA_ITEM_NOT_FOUND},
        {"remove 7", STANZA_ITEM_NOT_FOUND},
        {"add email not-a-mailbox", STANZA_NOT_ACCEPTABLE},
        {"add phone 12", STANZA_NOT_ACCEPTABLE},
        {"add email juliet@example.net", STANZA_CONFLICT},
        {"add phone +12125550100", STANZA_NOT_ALLOWED},
        {"add phone +449001234567", STANZA_NOT_ALLOWED},
        {"verify 000000", STANZA_NOT_ACCEPTABLE},
        {"quiet 1 22:00-07:00 Verona/Balcony", STANZA_NOT_ACCEPTABLE},
        {"quiet 1 whenever", STANZA_NOT_ACCEPTABLE},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_non_null(command(rows[i].line));
        if (world.refused != rows[i].refused)
            fail_msg("%s: %s: %s", rows[i].line, stanza_error_name(world.refused), bytes_text(&world.reply));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_devices, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_outbox, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_providers, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_rule, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_plan, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
