/* SPDX-License-Identifier: MIT */
/* contact-router/stranded.c: what becomes of what waits for a provider that is off, or gone, when the gateway starts. */
#include "router_world.h"

#include "contact-router/outbox_store.h"
#include "gateway/exchange/listing.h"

#define RULE "add rule for anybody: text after 10 min, email after 20 min"

/* Planned, and then the gateway ends before it is due. */
static void waiting(const char *rule)
{
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    add_device(2, DEVICE_SMS, PHONE, true);
    assert_non_null(command(rule));
    assert_int_equal(world.refused, STANZA_OK);
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    assert_int_equal(world.http_count + world.mail_count, 0);
}

static void starts_with(const char *profile)
{
    world.profile = profile;
    restart();
}

#define OFF "/nowhere/profile.conf"

static bool answered;
static char shown[4096];

static void on_rows(struct listing_query *q, const struct error *e)
{
    size_t at = 0;
    assert_int_equal(e->code, ERROR_NONE);
    shown[0] = '\0';
    for (const struct listing_row *r = q->first; r; r = r->next)
        for (unsigned i = 0; i < LISTING_COLUMNS_MAX; i++)
            at += (size_t)snprintf(shown + at, sizeof shown - at, "%s|", r->cells[i] ? r->cells[i] : "");
    answered = true;
}

/* What the table of the outbox says. */
static const char *outbox(void)
{
    struct listing l = contact_router_listing(world.router, 0);
    struct listing_query q = { .domain = "capulet.example", .limit = 10, .reply_on = world.loop, .done = on_rows };
    answered = false;
    arena_init(&q.arena);
    l.ask(&l, &q);
    settle();
    assert_true(answered);
    arena_fini(&q.arena);
    return shown;
}

/* It waits, the next step comes at its own time, and the first one when the provider is on again. */
static void test_off_and_on(void **state)
{
    (void)state;
    waiting(RULE);
    starts_with(OFF);
    advance(11 * 60);
    assert_int_equal(world.http_count + world.mail_count, 0); /* neither sent, nor the next one early */
    expect_in(outbox(), "|planned|texts|");
    expect_in(outbox(), "|waits until its provider is on again|");
    advance(10 * 60);
    assert_int_equal(world.mail_count, 1);
    mail_server_says(0, 250);
    starts_with(OFF); /* and again */
    advance(3 * 3600);
    assert_int_equal(world.http_count, 0);
    starts_with(NULL);
    assert_int_equal(world.http_count, 1);
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    expect_log(JULIET " " ROMEO " 1 sent e-mail\n" JULIET " " ROMEO " 1 sent text message\n");
}

/* Until it is too late; who wrote hears of it once nothing is left. */
static void test_too_late(void **state)
{
    (void)state;
    waiting("add rule for anybody: text after 10 min");
    starts_with(OFF);
    advance(23 * 3600);
    expect_log("");
    advance(3 * 3600);
    expect_log(JULIET " " ROMEO " 1 failed text message\n");
    expect_in(outbox(), "|dead|texts|");
    expect_in(outbox(), "|its provider stayed off until it was too late|");
    starts_with(NULL);
    assert_int_equal(world.http_count, 0);
}

/* She logs on meanwhile: not needed any more. */
static void test_no_longer_needed(void **state)
{
    (void)state;
    waiting(RULE);
    starts_with(OFF);
    advance(11 * 60);
    struct reach *reach = contact_router_reach(world.router);
    reach->ops->stop(reach, JULIET, NULL);
    settle();
    starts_with(NULL);
    advance(3600);
    assert_int_equal(world.http_count + world.mail_count, 0);
}

/* Another provider serves such devices: it gets what was never tried, at its time. */
static void test_handed_over(void **state)
{
    (void)state;
    waiting(RULE);
    world.second = true;
    starts_with(OFF);
    expect_in(outbox(), "|planned|others|");
    advance(9 * 60);
    assert_int_equal(world.http_count, 0);
    advance(2 * 60);
    assert_int_equal(world.http_count, 1);
    expect_in(world.http[0].body, "441632960001");
}

/* But not what the first one was asked to send. */
static void test_tried_is_not_handed_over(void **state)
{
    (void)state;
    waiting(RULE);
    advance(10 * 60 + 1);
    provider_says(0, 503, "{}");
    world.second = true;
    starts_with(OFF);
    advance(3600);
    assert_int_equal(world.http_count, 1);
    expect_in(outbox(), "|due|texts|");
    starts_with(NULL);
    advance(60);
    assert_int_equal(world.http_count, 2);
    expect_in(world.http[1].body, "441632960000");
}

/* Gone from the configuration: nothing to wait for, so the next step runs at once; or what is left is told. */
static void test_gone(void **state)
{
    (void)state;
    waiting(RULE);
    world.gone = true;
    starts_with(NULL);
    expect_in(outbox(), "|dead|texts|");
    assert_int_equal(world.mail_count, 1);
    mail_server_says(0, 250);
    expect_log(JULIET " " ROMEO " 1 sent e-mail\n");
}

static void test_gone_and_nothing_left(void **state)
{
    (void)state;
    waiting("add rule for anybody: text after 10 min");
    world.gone = true;
    starts_with(NULL);
    expect_log(JULIET " " ROMEO " 1 failed text message\n");
}

static void test_gone_and_replaced(void **state)
{
    (void)state;
    waiting(RULE);
    world.gone = world.second = true;
    starts_with(NULL);
    advance(11 * 60);
    assert_int_equal(world.http_count, 1);
}

/* A test of a device that nothing can be sent to is refused, not handed to the mail server. */
static void test_of_a_device_is_refused(void **state)
{
    (void)state;
    add_device(2, DEVICE_SMS, PHONE, true);
    starts_with(OFF);
    expect_in(command("test 2"), "capulet.example does not send text messages.");
    assert_int_equal(world.refused, STANZA_NOT_ALLOWED);
    settle();
    assert_int_equal(world.mail_count + world.http_count, 0);
}

static bool clone_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    bool ok = true;
    for (unsigned i = 0; ok && i < 200; i++) {
        char ref[24];
        snprintf(ref, sizeof ref, "clone-%u", i);
        ok = store_exec(tx, e,
                        "insert into deliveries (" OUTBOX_STORE_COLUMNS ") select $1, account, n, kind, address, community, purpose, peer,"
                        " peer_domain, code, provider, state, step, urgent, attempts, due_us, created_us, told_us, ended_us, texts, readable,"
                        " text, provider_id, reason from deliveries where provider = 'texts' limit 1",
                        "t", ref);
    }
    return ok;
}

/* More wait than a taking looks at: what is behind them goes out all the same. */
static void test_more_than_a_taking(void **state)
{
    struct store_job clone = { .run = clone_run };
    (void)state;
    waiting(RULE);
    write_now(&clone);
    starts_with(OFF);
    advance(21 * 60);
    assert_int_equal(world.mail_count, 1);
    advance(26 * 3600); /* nor are they too many to be given up */
    assert_null(strstr(outbox(), "|planned|"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        T(test_off_and_on),
        T(test_too_late),
        T(test_no_longer_needed),
        T(test_handed_over),
        T(test_tried_is_not_handed_over),
        T(test_gone),
        T(test_gone_and_nothing_left),
        T(test_gone_and_replaced),
        T(test_more_than_a_taking),
        T(test_of_a_device_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
