/* SPDX-License-Identifier: MIT */
/* contact-router/rule_commands.c, rule_store.c: rules by lines, kept, and used by the real way to devices. */
#include "router_world.h"

#include "contact-router/rule_store.h"

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
static void test_used(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_managing, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_hints, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_used, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
