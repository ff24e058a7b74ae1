/* SPDX-License-Identifier: MIT */
/* The router from end to end: lines, events, provider, mail server, webhooks; store and loop are real. */
#include "router_world.h"

static char *six_digits(const char *text)
{
    static char code[7];
    for (; *text; text++)
        if (strspn(text, "0123456789") == 6) {
            memcpy(code, text, 6);
            return code;
        }
    fail_msg("no code");
    return NULL;
}

static const char *sms_text(unsigned call)
{
    return strstr(world.http[call].body, "Body=");
}

static void test_devices_are_verified(void **state)
{
    (void)state;
    char line[32];
    assert_null(command("hello"));
    expect_in(command("devices"), "You have listed no devices");
    expect_in(command("add email juliet@example.net full"), "1: e-mail to juliet@example.net is listed");
    expect_in(bytes_text(&world.reply), "Whole texts to it will pass through the mail server of capulet.example");
    assert_int_equal(world.mail_count, 1);
    assert_string_equal(world.mail[0].to, "juliet@example.net");
    expect_in(world.mail[0].message, "Auto-Submitted: auto-generated\r\n");
    expect_in(world.mail[0].message, "Subject: Your code for capulet.example\r\n");
    mail_server_says(0, 250);
    expect_in(command("verify 000000"), strcmp(six_digits(strstr(world.mail[0].message, "\r\n\r\n")), "000000") ? "That is no code" : "");
    snprintf(line, sizeof line, "verify %s", six_digits(strstr(world.mail[0].message, "\r\n\r\n")));
    expect_in(command(line), "Thank you. 1: e-mail to juliet@example.net, verified, whole texts");
    expect_in(command(line), "That is no code"); /* once */

    expect_in(command("add phone +44 7700 900123"), "It gets notices only, through Twilio");
    assert_int_equal(world.http_count, 1);
    expect_in(world.http[0].url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    expect_in(world.http[0].body, "To=%2B447700900123");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    snprintf(line, sizeof line, "%s", six_digits(sms_text(0)));
    expect_in(command(line), "2: text message to +447700900123, verified, notices only");
    expect_in(command("full 2"), "whole texts");
    expect_in(command("quiet 2 22:00-07:00 Europe/London"), "quiet 22:00-07:00 Europe/London");
    expect_in(command("quiet 2 22:00-07:00 Verona/Balcony"), "I do not know the time zone");
    expect_in(command("add phone +1 212 555 0100"), "does not send text messages to such numbers");
    expect_in(command("add phone +447700900123"), "That is listed already");
    expect_in(command("test 2"), "A test is on its way");
    assert_int_equal(world.http_count, 2);
    expect_in(command("remove 1"), "is forgotten");
    expect_in(command("devices"), "2: text message");
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
}

static void test_codes_are_limited(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        expect_in(command("add phone +447700900123"), "is listed");
        provider_says((unsigned)i, 201, "{\"sid\":\"SM\"}");
    }
    expect_in(command("add phone +447700900123"), "No more codes can be sent for now");
    assert_int_equal(world.http_count, 3);
    /* Guessing: after five wrong ones the right one is no use. */
    char wrong[] = "verify 000000", right[32];
    snprintf(right, sizeof right, "verify %s", six_digits(sms_text(2)));
    if (strcmp(wrong, right) == 0)
        wrong[12] = '1';
    for (int i = 0; i < 5; i++)
        expect_in(command(wrong), "That is no code");
    expect_in(command(right), "That is no code");
}

static void test_message_reaches_devices(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_SMS, PHONE, true);
    add_device(2, DEVICE_EMAIL, "juliet@example.net", false);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "But soft, what light?");
    assert_int_equal(world.http_count, 1);
    assert_int_equal(world.mail_count, 1);
    expect_in(sms_text(0), "Body=r7+romeo%40montague.example%3A+But+soft%2C+what+light%3F%0AAnswer%3A+r7+your+text&");
    expect_in(world.mail[0].message, "romeo@montague.example wrote to you");
    assert_null(strstr(world.mail[0].message, "But soft")); /* a notice only */
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    mail_server_says(0, 250);
    expect_log(JULIET " " ROMEO " 11 sent text message\n" JULIET " " ROMEO " 11 sent e-mail\n");

    const char *target = status_target(&a, 0);
    const char *const delivered[] = { "MessageSid", "SM1", "MessageStatus", "delivered", NULL };
    assert_int_equal(webhook(target, true, delivered).status, 403);
    assert_int_equal(contact_router_hooks_refused(world.router), 1);
    expect_log("");
    assert_int_equal(webhook(target, false, delivered).status, 204);
    assert_int_equal(webhook(target, false, delivered).status, 204);
    expect_log(JULIET " " ROMEO " 11 delivered text message\n");
    /* An address that was not given out, although the provider signed it. */
    char *other = arena_dup(&a, target);
    other[strlen("/hook/texts/status/")] ^= 1;
    assert_int_equal(webhook(other, false, delivered).status, 403);
    assert_int_equal(webhook("/hook/nobody/status/a/b/c", false, delivered).status, 404);
    assert_int_equal(webhook("/hook/../status", false, delivered).status, 404);
    advance(4 * 86400 + 60);
    assert_int_equal(webhook(target, false, delivered).status, 403); /* its time is over */
    arena_fini(&a);
}

static void test_answers_come_back(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    bytes_clear(&world.log);
    assert_int_equal(text_arrives("wherefore art thou", "IN1"), 200);
    expect_log(JULIET " say " ROMEO " `wherefore art thou` via sms\n");
    assert_int_equal(text_arrives("wherefore art thou", "IN1"), 200); /* the provider asks again */
    expect_log("");
    assert_int_equal(text_arrives("R7: by code", "IN2"), 200);
    expect_log(JULIET " say " ROMEO " `by code` via sms\n");
    assert_int_equal(text_arrives("r7 block", "IN3"), 200);
    expect_log(JULIET " block " ROMEO " `` via sms\n");
    assert_int_equal(text_arrives("block", "IN4"), 200); /* not without the code */
    expect_log("");
    assert_int_equal(world.http_count, 2);
    expect_in(sms_text(1), "r7+block");
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
    /* The exchange cannot now: the provider is asked to try again, and then it is taken. */
    world.answer_code = ERROR_TEMPORARY;
    assert_int_equal(text_arrives("r7 later", "IN5"), 503);
    world.answer_code = ERROR_NONE;
    assert_int_equal(text_arrives("r7 later", "IN5"), 200);
    expect_log(JULIET " say " ROMEO " `later` via sms\n" JULIET " say " ROMEO " `later` via sms\n");
    /* From a number that nobody listed, or to one that is not ours: nothing. */
    const char *const foreign[] = { "Body", "r7 hi", "From", "+447700900999", "MessageSid", "IN6", "To", OURS, NULL };
    assert_int_equal(webhook("/hook/texts/inbound", false, foreign).status, 200);
    const char *const elsewhere[] = { "Body", "r7 hi", "From", PHONE, "MessageSid", "IN7", "To", "+441632960001", NULL };
    assert_int_equal(webhook("/hook/texts/inbound", false, elsewhere).status, 200);
    assert_int_equal(webhook("/hook/texts/inbound", true, foreign).status, 403);
    expect_log("");
    advance(73 * 3600);
    assert_int_equal(text_arrives("r7 too late", "IN8"), 200);
    expect_log("");
}

/* A provider that numbers nothing: the same words are a repeat for some minutes only, STOP and START never. */
static void test_texts_without_an_id(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    bytes_clear(&world.log);
    assert_int_equal(text_arrives("r7 yes", ""), 200);
    expect_log(JULIET " say " ROMEO " `yes` via sms\n");
    assert_int_equal(text_arrives("r7 yes", ""), 200);
    expect_log("");
    advance(11 * 60);
    assert_int_equal(text_arrives("r7 yes", ""), 200);
    expect_log(JULIET " say " ROMEO " `yes` via sms\n");
    assert_int_equal(text_arrives("STOP", ""), 200);
    expect_in(command("devices"), "stopped by STOP");
    assert_int_equal(text_arrives("START", ""), 200);
    assert_null(strstr(command("devices"), "stopped by STOP"));
    assert_int_equal(text_arrives("STOP", ""), 200);
    expect_in(command("devices"), "stopped by STOP");
}

static void test_to_whom(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    clock_fake_advance(&world.clock, 5000);
    somebody_writes(REACH_MESSAGE, TYBALT, "t2", 12, "fight");
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
    bytes_clear(&world.log);
    assert_int_equal(text_arrives("who is it", "IN1"), 200);
    expect_log("");
    expect_in(sms_text(2), "To+whom%3F+1+tybalt%40montague.example+2+romeo%40montague.example");
    provider_says(2, 201, "{\"sid\":\"SM3\"}");
    assert_int_equal(text_arrives("2", "IN2"), 200);
    expect_log(JULIET " say " ROMEO " `who is it` via sms\n");
    /* What is said while one waits is added to it, and a number that chooses nobody does not take its place. */
    assert_int_equal(text_arrives("one", "IN3"), 200);
    assert_int_equal(text_arrives("two", "IN4"), 200);
    assert_int_equal(text_arrives("7", "IN5"), 200);
    assert_int_equal(text_arrives("2", "IN6"), 200);
    expect_log(JULIET " say " ROMEO " `one\ntwo` via sms\n");
}

static void test_stop_is_obeyed(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    assert_int_equal(text_arrives(" Stop ", "IN1"), 200);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    assert_int_equal(world.http_count, 0);
    expect_log(JULIET " " ROMEO " 11 exhausted device\n");
    expect_in(command("devices"), "stopped by STOP");
    expect_in(command("remove 1"), "forgotten");
    expect_in(command("add phone " PHONE), "is listed. If codes may be sent there"); /* the same words, no code */
    assert_int_equal(world.http_count, 0);
    assert_int_equal(text_arrives("START", "IN2"), 200);
    expect_in(command("add phone " PHONE), "is listed");
    assert_int_equal(world.http_count, 1);
}

static void test_digest(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "one");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    advance(10);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 12, "two");
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 13, "three");
    assert_int_equal(world.http_count, 1);
    advance(60);
    assert_int_equal(world.http_count, 2);
    expect_in(sms_text(1), "two%0Athree");
    bytes_clear(&world.log);
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
    expect_log(JULIET " " ROMEO " 12 sent text message\n" JULIET " " ROMEO " 13 sent text message\n");
}

static void test_logging_on_stops(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "one");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    bytes_clear(&world.log);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 12, "two");
    struct reach *reach = contact_router_reach(world.router);
    reach->ops->stop(reach, JULIET, NULL);
    advance(120);
    assert_int_equal(world.http_count, 1);
    expect_log("");
}

static void test_retries(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 502, "<html>bad gateway</html>"); /* not JSON: not the provider's word */
    assert_int_equal(world.http_count, 1);
    advance(20);
    assert_int_equal(world.http_count, 2);
    assert_string_equal(sms_text(0), sms_text(1));
    provider_says(1, 400, "{\"code\":21211,\"message\":\"bad number\"}");
    expect_log(JULIET " " ROMEO " 11 failed text message\n");
    advance(7200);
    assert_int_equal(world.http_count, 2);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 12, "hi");
    provider_says(2, 0, ""); /* a time-out: it may have gone out, so it is not repeated */
    expect_log(JULIET " " ROMEO " 12 exhausted text message\n");
    advance(7200);
    assert_int_equal(world.http_count, 3);
}

/* One that refused three times is not tried any more; who writes is told so each time. */
static void test_refuses(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    for (unsigned i = 0; i < 4; i++) {
        char want[100];
        somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11 + i, "hi");
        if (i < 3)
            provider_says(i, 400, "{\"code\":21211,\"message\":\"bad number\"}");
        snprintf(want, sizeof want, JULIET " " ROMEO " %u failed %s\n", 11 + i, i < 3 ? "text message" : "device");
        expect_log(want);
        advance(3600);
    }
    assert_int_equal(world.http_count, 3);
    /* By her rule this sender is not for the telephone: of its failing he learns nothing. */
    expect_in(command("add rule for " ROMEO ": email"), "1: for " ROMEO);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 15, "hi");
    expect_log(JULIET " " ROMEO " 15 exhausted device\n");
    command("change rule 1 for " ROMEO ": text");
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 16, "hi");
    expect_log(JULIET " " ROMEO " 16 failed device\n");
}

static void test_kill(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    add_device(2, DEVICE_EMAIL, "juliet@example.net", true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    mail_server_says(0, 451); /* refused for now: waits */
    assert_int_equal(world.http_count, 1); /* under way */
    restart();
    expect_log(""); /* in doubt, but the mail is still to come */
    assert_int_equal(world.http_count, 1);
    advance(30);
    assert_int_equal(world.mail_count, 2);
    mail_server_says(1, 250);
    expect_log(JULIET " " ROMEO " 11 sent e-mail\n");
    /* An event that was committed when the process died is planned after the restart. */
    contact_router_stop(world.router);
    struct put_event p = { .job = { .run = put_event_run }, .ev = { .kind = REACH_MESSAGE, .callee = JULIET, .peer = TYBALT,
                           .code = "t2", .seq = 12, .text = "fight" } };
    write_now(&p.job);
    contact_router_destroy(&world.router);
    open_router();
    assert_int_equal(world.http_count, 2);
    assert_int_equal(world.mail_count, 3);
}

static void test_strangers(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    add_device(2, DEVICE_EMAIL, "juliet@example.net", true);
    somebody_writes(REACH_REQUEST, TYBALT, "t2", 11, "Thou art a villain");
    assert_int_equal(world.http_count, 0);
    assert_int_equal(world.mail_count, 1);
    assert_null(strstr(world.mail[0].message, "villain"));
    somebody_writes(REACH_REQUEST, "paris@verona.example", "p3", 12, "Marry me");
    assert_int_equal(world.mail_count, 1); /* one a day in all */
    expect_log(JULIET " paris@verona.example 12 exhausted device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        T(test_devices_are_verified), T(test_codes_are_limited), T(test_message_reaches_devices), T(test_answers_come_back),
        T(test_texts_without_an_id),
        T(test_to_whom), T(test_stop_is_obeyed), T(test_digest), T(test_logging_on_stops), T(test_retries), T(test_refuses), T(test_kill),
        T(test_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
