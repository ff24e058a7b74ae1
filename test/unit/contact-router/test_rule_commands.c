/* SPDX-License-Identifier: MIT */
/* contact-router/rule_commands.c, rule_store.c: rules by lines, kept, and used by the real way to devices. */
#include "router_world.h"

#include "contact-router/rule_store.h"
#include "gateway/base/log.h"

static void two_devices(void)
{
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    add_device(2, DEVICE_SMS, PHONE, true);
}

static void says(const char *line, enum stanza_error refused, const char *want)
{
    const char *got = command(line);
    if (!got || world.refused != refused || strcmp(got, want) != 0)
        fail_msg("%s: %s: %s", line, stanza_error_name(world.refused), got ? got : "(nothing)");
}

#define LAST_LINE "\nThe first that fits decides; where none does, the community's default."

static void test_managing(void **state)
{
    (void)state;
    two_devices();
    expect_in(command("rules"), "You have no rules");
    says("add rule for " ROMEO ": text at once, email after 5 min", STANZA_OK, "1: for " ROMEO ": text at once, email after 5 min");
    says("add rule contacts: email", STANZA_OK, "2: for contacts: email at once");
    says("add rule for anybody: nothing", STANZA_OK, "3: for anybody: nothing");
    says("rules", STANZA_OK, "1: for " ROMEO ": text at once, email after 5 min\n2: for contacts: email at once\n3: for anybody: nothing" LAST_LINE);
    says("move rule 3 up", STANZA_OK,
         "1: for " ROMEO ": text at once, email after 5 min\n2: for anybody: nothing\n3: for contacts: email at once" LAST_LINE);
    says("move rule 1 last", STANZA_OK,
         "1: for anybody: nothing\n2: for contacts: email at once\n3: for " ROMEO ": text at once, email after 5 min" LAST_LINE);
    says("move rule 2 first", STANZA_OK,
         "1: for contacts: email at once\n2: for anybody: nothing\n3: for " ROMEO ": text at once, email after 5 min" LAST_LINE);
    says("move rule 1 down", STANZA_OK,
         "1: for anybody: nothing\n2: for contacts: email at once\n3: for " ROMEO ": text at once, email after 5 min" LAST_LINE);
    says("change rule 2 for strangers: nothing", STANZA_OK,
         "2: for strangers: nothing\nRule 1 stands before it and takes all that this one is for; \"move rule 2 first\" changes that.");
    says("remove rule 1", STANZA_OK, "Forgotten: for anybody: nothing");
    says("rules", STANZA_OK, "1: for strangers: nothing\n2: for " ROMEO ": text at once, email after 5 min" LAST_LINE);
    command("remove rule 2");
    command("remove rule 1");
    expect_in(command("rules"), "You have no rules");
}

static void test_refused(void **state)
{
    (void)state;
    two_devices();
    says("remove rule 1", STANZA_ITEM_NOT_FOUND, "You have no rule 1; \"rules\" shows them.");
    says("move rule 1 up", STANZA_ITEM_NOT_FOUND, "You have no rule 1; \"rules\" shows them.");
    says("change rule 1 for anybody: nothing", STANZA_ITEM_NOT_FOUND, "You have no rule 1; \"rules\" shows them.");
    says("add rule for " ROMEO ": device 7", STANZA_ITEM_NOT_FOUND, "You have no device 7; \"devices\" shows them.");
    says("add rule for anybody at 22:00-07:00 Verona/Balcony: nothing", STANZA_NOT_ACCEPTABLE,
         "I do not know the time zone Verona/Balcony. Write it like Europe/London.");
    says("add rule for anybody at 22:00-07:00: nothing", STANZA_NOT_ACCEPTABLE,
         "By which clock? Write your time zone behind the days or hours: at 22:00-07:00 Europe/London");
    expect_in(command("add rule for romeo: text"), "is not anybody");
    assert_int_equal(world.refused, STANZA_NOT_ACCEPTABLE);
    expect_in(command("rules"), "You have no rules"); /* none of these was kept */
    for (unsigned i = 0; i < RULE_PER_ACCOUNT_MAX; i++)
        command("add rule for " ROMEO ": text");
    says("add rule for " ROMEO ": text", STANZA_POLICY_VIOLATION, "You have as many rules as one may; remove one first.");
}

static void test_hints(void **state)
{
    (void)state;
    two_devices();
    says("add rule for " ROMEO ": call", STANZA_OK,
         "1: for " ROMEO ": call at once\nYou have listed no verified device for that yet: phone call.");
    says("add rule for strangers: text", STANZA_OK,
         "2: for strangers: text at once\nOf strangers you are told by e-mail only, so nothing will be sent.");
    /* The zone is the one that was named before. */
    command("quiet 1 22:00-07:00 Europe/Paris");
    says("add rule for contacts on weekends: nothing", STANZA_OK, "3: for contacts on sat,sun Europe/Paris: nothing");
    /* A device that goes leaves its number in the rule, and the list says so. */
    command("add rule for contacts: device 2");
    command("remove 2");
    expect_in(command("rules"), "4: for contacts: device 2 at once (there is no device 2)");
}

/* Two senders, one by text message, one by e-mail; and nothing by night. */
static void test_rules_decide(void **state)
{
    (void)state;
    two_devices();
    command("add rule for anybody at 22:00-07:00 UTC if not urgent: nothing");
    command("add rule for " ROMEO ": text");
    command("add rule for montague.example: email after 10 min");
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    assert_int_equal(world.http_count, 1);
    assert_int_equal(world.mail_count, 0);
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    somebody_writes(REACH_MESSAGE, TYBALT, "t1", 2, "where is he?");
    assert_int_equal(world.http_count + world.mail_count, 1);
    advance(599);
    assert_int_equal(world.mail_count, 0);
    advance(2);
    assert_int_equal(world.mail_count, 1);
    assert_int_equal(world.http_count, 1);
    mail_server_says(0, 250);
    advance(11 * 3600); /* it was noon */
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 3, "art thou asleep?");
    advance(3600);
    assert_int_equal(world.http_count + world.mail_count, 2);
    expect_in(bytes_text(&world.log), JULIET " " ROMEO " 3 exhausted"); /* waits for the log-on */
}

struct damage { struct store_job job; const char *account, *rule; int64_t n; };

static bool damage_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    const struct damage *d = container_of(job, struct damage, job);
    return store_exec(tx, e, "delete from rules where account = $1 and n = $2", "ti", d->account, d->n) &&
           store_exec(tx, e, "insert into rules (account, n, rule, changed_us) values ($1, $2, $3, 0)", "tit", d->account, d->n, d->rule);
}

static void damage(const char *account, int64_t n, const char *rule)
{
    struct damage d = { .job = { .run = damage_run }, .account = account, .n = n, .rule = rule };
    write_now(&d.job);
}

struct two_events { struct store_job job; struct reach_event ev[2]; };

static bool two_events_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct two_events *two = container_of(job, struct two_events, job);
    return sessions_put_event(tx, &two->ev[0], e) && sessions_put_event(tx, &two->ev[1], e);
}

static char warned[1024];

static void on_line(void *user, enum log_level level, const char *line)
{
    (void)user;
    if (level <= LOG_WARN)
        snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", line);
}

#define NURSE "nurse@capulet.example"

static bool damage_device_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    const struct damage *d = container_of(job, struct damage, job);
    return store_exec(tx, e, "update devices set quiet = $1 where account = $2 and n = $3", "tti", d->rule, d->account, d->n);
}

static bool damage_deliveries_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return store_exec(tx, e, "update deliveries set kind = 'pigeon' where purpose = 'message' and peer = $1", "t", ROMEO);
}

/* A device whose quiet hours cannot be read is not used; the others are, and its owner can remove it. */
static void test_damaged_device(void **state)
{
    (void)state;
    two_devices();
    struct damage d = { .job = { .run = damage_device_run }, .account = JULIET, .rule = "at night", .n = 2 };
    write_now(&d.job);
    warned[0] = '\0';
    log_set_sink(on_line, NULL);
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    log_set_sink(NULL, NULL);
    assert_int_equal(world.mail_count, 1);
    assert_int_equal(world.http_count, 0);
    expect_in(warned, "device 2 of " JULIET " cannot be read");
    says("quiet 2 22:00-07:00 UTC", STANZA_NOT_ACCEPTABLE, "2: cannot be read any more, and is not used. Write \"remove 2\", and list it again");
    expect_in(command("devices"), "\n2: cannot be read any more");
    says("remove 2", STANZA_OK, "Device 2, which could not be read, is forgotten.");
    expect_in(command("add phone " PHONE), "2: text message to " PHONE " is listed.");
}

/* Nor does a delivery that cannot be read hold up the outbox. */
static void test_damaged_deliveries(void **state)
{
    (void)state;
    struct store_job job = { .run = damage_deliveries_run };
    two_devices();
    command("add rule for anybody: text and email after 10 min");
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    write_now(&job);
    somebody_writes(REACH_MESSAGE, TYBALT, "t1", 2, "where is he?");
    warned[0] = '\0';
    log_set_sink(on_line, NULL);
    advance(11 * 60);
    assert_int_equal(world.mail_count, 1);
    assert_int_equal(world.http_count, 1);
    expect_in(world.mail[0].message, TYBALT);
    mail_server_says(0, 250); /* one in flight a device: the other is looked at now */
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    advance(60);
    log_set_sink(NULL, NULL);
    assert_int_equal(world.mail_count + world.http_count, 2);
    const char *first = strstr(warned, "cannot be read; it is given up");
    assert_true(first && strstr(first + 1, "cannot be read; it is given up"));
}

/* What one person's damaged row does to the events of all, when they are planned together, as at a start. */
static void test_damaged_rule(void **state)
{
    (void)state;
    static const char *const rows[] = { "for rome", "", "for group \"\xff\": text at once", "for romeo@montague.example: text at onc\x01" };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct two_events two = { .job = { .run = two_events_run } };
        two.ev[0] = (struct reach_event){ .kind = REACH_MESSAGE, .callee = NURSE, .peer = ROMEO, .code = "n1", .seq = 2 * i + 1 };
        two.ev[1] = (struct reach_event){ .kind = REACH_MESSAGE, .callee = JULIET, .peer = ROMEO, .code = "r1", .seq = 2 * i + 2 };
        two_devices();
        damage(NURSE, 1, rows[i]);
        write_now(&two.job);
        warned[0] = '\0';
        log_set_sink(on_line, NULL);
        unsigned mails = world.mail_count;
        restart();
        log_set_sink(NULL, NULL);
        assert_int_equal(world.mail_count, mails + 1); /* Juliet's, by the default */
        expect_in(warned, "rule 1 of " NURSE " cannot be read");
        mail_server_says(mails, 250);
        provider_says(world.http_count - 1, 201, "{\"sid\":\"SM1\"}");
        advance(61); /* not to be gathered with the next */
    }
}

/* Whose rule it is hears of it, is told by the default, and mends it by the lines that they know. */
static void test_damaged_rule_mended(void **state)
{
    (void)state;
    two_devices();
    command("add rule for contacts: text");
    command("add rule for anybody: nothing");
    damage(JULIET, 1, "for conta\xff\n: text");
    says("rules", STANZA_OK, "1: cannot be read any more: \"for conta??: text\"\n2: for anybody: nothing\n"
                             "While rule 1 cannot be read none of them holds, but the community's default. Write: remove rule 1");
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    assert_int_equal(world.http_count, 1);
    assert_int_equal(world.mail_count, 1);
    says("add rule for strangers: email", STANZA_OK, "3: for strangers: email at once\nRule 2 stands before it and takes all that this one is for; "
         "\"move rule 3 first\" changes that.\nWhile rule 1 cannot be read none of them holds, but the community's default. Write: remove rule 1");
    command("move rule 1 last"); /* it is kept as it is */
    expect_in(command("rules"), "3: cannot be read any more: \"for conta??: text\"");
    says("remove rule 3", STANZA_OK, "Forgotten: rule 3, which could not be read.");
    says("rules", STANZA_OK, "1: for anybody: nothing\n2: for strangers: email at once" LAST_LINE);
    damage(JULIET, 2, "?");
    says("change rule 2 for strangers: nothing", STANZA_OK, "2: for strangers: nothing\nRule 1 stands before it and takes all that this one is for; "
         "\"move rule 2 first\" changes that.");
}

/* Forty people with twenty rules in as many zones: the batch is cut, everybody is planned, and no file is read twice. */
static void test_many_zones(void **state)
{
    (void)state;
    static const char *const zones[RULE_PER_ACCOUNT_MAX] = {
        "Africa/Cairo", "Africa/Lagos", "Africa/Nairobi", "America/Chicago", "America/Denver", "America/Lima", "America/New_York",
        "America/Toronto", "Asia/Dhaka", "Asia/Dubai", "Asia/Kolkata", "Asia/Seoul", "Asia/Tokyo", "Australia/Sydney", "Europe/Berlin",
        "Europe/London", "Europe/Madrid", "Europe/Paris", "Europe/Rome", "Pacific/Auckland",
    };
    enum { PEOPLE = 40 };
    for (unsigned p = 0; p < PEOPLE; p++) {
        char account[64], rule[128];
        snprintf(account, sizeof account, "p%u@capulet.example", p);
        for (unsigned i = 0; i < RULE_PER_ACCOUNT_MAX; i++) {
            snprintf(rule, sizeof rule, "for t%u@montague.example at 11:00-13:00 %s: nothing", i, zones[(p + i) % RULE_PER_ACCOUNT_MAX]);
            damage(account, i + 1, rule);
        }
        struct put_event ev = { .job = { .run = put_event_run }, .ev = { .kind = REACH_MESSAGE, .callee = account, .peer = ROMEO,
                                .code = "r1", .seq = p + 1 } };
        write_now(&ev.job);
    }
    restart();
    unsigned planned = 0;
    for (const char *at = bytes_text(&world.log); (at = strstr(at, " exhausted ")); at++)
        planned++;
    assert_int_equal(planned, PEOPLE);
    assert_int_equal(world.router->zones.reads, RULE_PER_ACCOUNT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_managing, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_hints, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_rules_decide, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_rule, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_device, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_deliveries, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_many_zones, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_rule_mended, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
