/* SPDX-License-Identifier: MIT */
/* The router when nobody behaves: receipts and answers forged, replayed, doubled, out of order; providers that answer
 * what they should not; numbers that must not be written to; a person who lists a thousand devices. Each has its
 * name, nothing is sent that should not be, nothing is lost. */
#include "router_world.h"

struct deliveries { struct store_job job; struct bytes text; };

/* "kind state reason" of every delivery to people, oldest first. */
static bool deliveries_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct deliveries *d = container_of(job, struct deliveries, job);
    bytes_clear(&d->text);
    struct store_rows *r = store_query(tx, e, "select kind, state, reason from deliveries where purpose = 'message' order by created_us, ref", "");
    while (r && store_next(r, e))
        bytes_printf(&d->text, "%s %s: %s\n", store_text(r, 0), store_text(r, 1), store_text(r, 2));
    return r && e->code == ERROR_NONE;
}

static void expect_deliveries(const char *want)
{
    struct deliveries d = { .job = { .run = deliveries_run }, .text = BYTES_EMPTY };
    write_now(&d.job);
    if (strcmp(bytes_text(&d.text), want) != 0)
        fail_msg("the outbox has:\n%s--- not:\n%s", bytes_text(&d.text), want);
    bytes_fini(&d.text);
}

static int status(struct arena *a, unsigned call, const char *sid, const char *word)
{
    const char *const fields[] = { "MessageSid", sid, "MessageStatus", word, NULL };
    return webhook(status_target(a, call), false, fields).status;
}

/* The receipts come while the provider still thinks about its answer; then the answer says less. */
static void test_receipts_before_the_answer(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    assert_int_equal(status(&a, 0, "SM1", "delivered"), 204);
    assert_int_equal(status(&a, 0, "SM1", "sent"), 204);
    expect_deliveries("sms delivered: \n");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    expect_deliveries("sms delivered: \n");
    expect_log(JULIET " " ROMEO " 11 delivered text message\n");
    assert_int_equal(world.http_count, 1);
    arena_fini(&a);
}

/* The later word counts, whichever comes first. */
static void test_receipts_out_of_order(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    static const char *const words[] = { "read", "delivered", "sent", "queued", "undelivered", "nonsense", "" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        assert_int_equal(status(&a, 0, "SM1", words[i]), 204);
    expect_deliveries("sms read: \n");
    expect_log(JULIET " " ROMEO " 11 sent text message\n" JULIET " " ROMEO " 11 read text message\n");
    arena_fini(&a);
}

/* "Refused for now", and yet it went out: the receipt ends the tries. */
static void test_receipt_of_a_refused_one(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 503, "{\"code\":20500}");
    assert_int_equal(status(&a, 0, "SM1", "delivered"), 204);
    advance(7200);
    assert_int_equal(world.http_count, 1);
    expect_deliveries("sms delivered: \n");
    arena_fini(&a);
}

/* Every answer that is neither yes nor no. One word a row: what is done, and why, as the admin reads it. */
static void test_answers_of_another_shape(void **state)
{
    (void)state;
    static const struct { const char *why; int status; const char *body, *outbox; bool again; } rows[] = {
        { "another shape", 201, "{\"data\":{\"id\":\"SM1\"}}", "sms in doubt: HTTP 201 with an answer of another shape\n", false },
        { "a list", 201, "[1]", "sms in doubt: HTTP 201 with an answer of another shape\n", false },
        { "the id is an object", 201, "{\"sid\":{}}", "sms in doubt: HTTP 201 with an answer of another shape\n", false },
        { "no JSON", 201, "<html>", "sms in doubt: HTTP 201 with an answer that is not JSON\n", false },
        { "nothing", 201, "", "sms in doubt: HTTP 201 with an answer that is not JSON\n", false },
        { "binary", 201, "{\"sid\":\"\xff\"}", "sms in doubt: HTTP 201 with an answer that is not JSON\n", false },
        { "an error that is named", 201, "{\"code\":21211,\"message\":\"bad\"}", "sms failed: HTTP 201, code 21211: bad\n", false },
        { "a portal", 200, "<html>", "sms due: HTTP 200 with an answer that is not JSON\n", true },
        { "a redirect", 302, "", "sms due: HTTP 302: a redirect, which is not followed\n", true },
        { "no answer", 0, "", "sms in doubt: no answer\n", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i) {
            world_teardown(NULL);
            world_setup(NULL);
        }
        add_device(1, DEVICE_SMS, PHONE, true);
        somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
        provider_says(0, rows[i].status, rows[i].body);
        expect_deliveries(rows[i].outbox);
        advance(40);
        if ((world.http_count > 1) != rows[i].again)
            fail_msg("%s: asked %u times", rows[i].why, world.http_count);
        if (rows[i].again)
            provider_says(1, 201, "{\"sid\":\"SM1\"}");
    }
}

/* 10 MB: the client gives the beginning and says that there was more. */
static void test_answer_too_long(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    struct http_response r = { .status = 201, .body = SPAN("{\"sid\":\"SM1\"}"), .header = no_header, .sent = true };
    error_set(&r.error, ERROR_LIMIT, "the answer is longer than 65536 bytes");
    world.http[0].open = false;
    world.http[0].on_done(world.http[0].user, &r);
    advance(2);
    expect_deliveries("sms in doubt: HTTP 201 with an answer that is too long to be read\n");
}

/* In doubt, and then the receipt: the person was reached after all, and nothing is sent twice. */
static void test_doubt_ends(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 0, "");
    expect_log(JULIET " " ROMEO " 11 exhausted text message\n");
    assert_int_equal(status(&a, 0, "SM1", "delivered"), 204);
    expect_log(JULIET " " ROMEO " 11 delivered text message\n");
    advance(7200);
    assert_int_equal(world.http_count, 1);
    assert_int_equal(text_arrives("I am here", "IN1"), 200); /* and its answer finds its way */
    expect_log(JULIET " say " ROMEO " `I am here` via sms\n");
    arena_fini(&a);
}

/* A text that comes twice at once, again after days, with its signature of another address, or of nobody. */
static void test_answers_doubled_and_forged(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    bytes_clear(&world.log);
    const char *const text[] = { "Body", "r7 once", "From", PHONE, "MessageSid", "IN1", "To", OURS, NULL };
    world.hold_answers = true;
    assert_int_equal(webhook("/hook/texts/inbound", false, text).status, 0); /* the exchange commits */
    while (!world.held_answer.done) /* its transaction comes before */
        if (!loop_turn(world.loop))
            sched_yield();
    assert_int_equal(webhook("/hook/texts/inbound", false, text).status, 503); /* the same meanwhile: again later */
    struct error none = ERROR_INIT;
    world.hold_answers = false;
    world.held_answer.done(world.held_answer.user, &none);
    settle();
    assert_int_equal(webhook("/hook/texts/inbound", false, text).status, 200);
    expect_log(JULIET " say " ROMEO " `once` via sms\n");
    for (int day = 0; day < 10; day++) {
        advance(86400);
        somebody_writes(REACH_MESSAGE, ROMEO, "r7", 20 + (unsigned)day, "hi"); /* the conversation stays open */
        provider_says(world.http_count - 1, 201, "{\"sid\":\"SM2\"}");
        bytes_clear(&world.log);
        assert_int_equal(webhook("/hook/texts/inbound", false, text).status, 200); /* a replay */
        expect_log("");
    }
    assert_int_equal(webhook("/hook/texts/inbound", true, text).status, 403);
    assert_int_equal(webhook("/hook/texts/inbound?x=1", true, text).status, 403);
    assert_int_equal(webhook("/hook/texts/voice", false, text).status, 403);
    assert_int_equal(webhook("/hook/texts/fax", false, text).status, 404);
    assert_int_equal(webhook("/hook/nobody/inbound", false, text).status, 404);
    assert_int_equal(webhook("/hook/texts/inbound/a/b/c/d/e", false, text).status, 404);
    expect_log("");
}

/* Numbers that a community must not write to, and one that would answer itself. */
static void test_numbers(void **state)
{
    (void)state;
    static const struct { const char *line, *reply; } rows[] = {
        { "add phone +44 909 8790000", "capulet.example does not send text messages to such numbers." }, /* premium */
        { "add phone +449098790000", "capulet.example does not send text messages to such numbers." },
        { "add phone +8816 1234 5678", "capulet.example does not send text messages to such numbers." },  /* satellite */
        { "add phone +1 212 555 0100", "capulet.example does not send text messages to such numbers." },  /* not listed by the admin */
        { "add call +44 909 8790000", "capulet.example does not make calls to such numbers." },
        { "add phone 00449098790000", "capulet.example does not send text messages to such numbers." },
        { "add phone " OURS, "That is the number that messages of capulet.example come from." },
        { "add call " OURS, "That is the number that messages of capulet.example come from." },
        { "add phone 999", "Write the number with its country" },
        { "add phone +44770090012345678", "Write the number with its country" },
        { "add pager 4155551212", "capulet.example does not send pages." },
        { "add email a@b@c", "That is not an e-mail address" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_in(command(rows[i].line), rows[i].reply);
    assert_int_equal(world.http_count + world.mail_count, 0);
    expect_in(command("devices"), "You have listed no devices");
    /* One that was allowed when it was listed, and is not any more. */
    add_device(1, DEVICE_SMS, "+12125550100", true);
    add_device(2, DEVICE_SMS, OURS, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    assert_int_equal(world.http_count, 0);
    expect_log(JULIET " " ROMEO " 11 exhausted device\n");
}

/* Somebody lists the number of another, an admin's say: one code goes there, and that is all. The owner's device is as
 * it was, nobody learns whose it is, and a code is guessed at five times at most. */
static void test_anothers_number(void **state)
{
    (void)state;
    struct put_device p = { .job = { .run = put_device_run }, .d = { .account = "admin@capulet.example", .n = 1, .kind = DEVICE_SMS,
                            .address = PHONE, .verified_us = 1, .full_text = true } };
    char free_one[300], taken[300], code[7], guess[16];
    snprintf(free_one, sizeof free_one, "%s", command("add phone +447700900124") + strlen("1: text message to +447700900124"));
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    expect_in(command("remove 1"), "forgotten");
    write_now(&p.job);
    snprintf(taken, sizeof taken, "%s", command("add phone " PHONE) + strlen("1: text message to " PHONE));
    assert_string_equal(taken, free_one);
    assert_int_equal(world.http_count, 2);
    const char *at = strstr(world.http[1].body, "&Body=") ? strstr(world.http[1].body, "&Body=") + 6 : "";
    at += strcspn(at, "0123456789");
    snprintf(code, sizeof code, "%.6s", at);
    assert_int_equal(strspn(code, "0123456789"), 6);
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
    for (int i = 0; i < 5; i++) {
        snprintf(guess, sizeof guess, "verify %c%s", code[0] == '9' ? '0' : code[0] + 1, code + 1);
        expect_in(command(guess), "That is no code that I wait for.");
    }
    snprintf(guess, sizeof guess, "verify %s", code); /* the right one, too late */
    expect_in(command(guess), "That is no code that I wait for.");
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    assert_int_equal(world.http_count, 2);
    expect_log(JULIET " " ROMEO " 11 exhausted device\n");
    /* What the owner answers to the code is the owner's: nothing of it reaches her conversations. */
    assert_int_equal(text_arrives("r7 who is this?", "IN1"), 200);
    expect_log("");
}

/* Somebody lists what is not theirs: a code goes there, three a day at most, and no more is said. */
static void test_a_thousand_devices(void **state)
{
    (void)state;
    unsigned listed = 0, no_codes = 0, full = 0;
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof line, "add email nurse%d@example.net", i);
        const char *reply = command(line);
        listed += strstr(reply, "is listed. If codes may be sent there") != NULL;
        no_codes += strstr(reply, "No more codes can be sent for now") != NULL;
        full += strstr(reply, "You have listed as many devices as one may; remove one first.") != NULL;
        for (unsigned m = 0; m < world.mail_count; m++)
            if (world.mail[m].open)
                mail_server_says(m, 250);
    }
    assert_int_equal(listed, BUDGET_CODES_ACCOUNT_DAY);
    assert_int_equal(listed + no_codes, DEVICE_PER_ACCOUNT_MAX);
    assert_int_equal(full, 1000 - DEVICE_PER_ACCOUNT_MAX);
    assert_int_equal(world.mail_count, BUDGET_CODES_ACCOUNT_DAY);
    expect_in(command("devices"), "10: e-mail to nurse9@example.net, not verified yet");
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi"); /* none is verified: none is used */
    assert_int_equal(world.mail_count, BUDGET_CODES_ACCOUNT_DAY);
    expect_log(JULIET " " ROMEO " 11 exhausted device\n");
    expect_in(command("remove 3"), "is forgotten");
    expect_in(command("remove 4000000000"), "You have no device 4000000000");
}

/* A provider whose profile has a mistake is off, named with file and line; the others are on. */
static void test_bad_profiles(void **state)
{
    (void)state;
    static const struct { const char *text, *error; } rows[] = {
        { "[profile]\nname = x\nkinds = sms\nformat = 1\n[send.sms]\nurl = https://x.example\nok = http 200\ncolour = red\n", ":8: unknown key `colour`" },
        { "[profile]\nname = x\nkinds = sms\nformat = 1\n[hook.fax]\n", ":5: [hook.fax]: hooks are status, inbound, voice" },
        { "[profile]\nname = x\nkinds = sms\nformat = 1\n", ":4: no [send.KIND]" },
        { "", ":0: no [profile] with a name" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[] = "/tmp/profile-test-XXXXXX.conf", want[200];
        int fd = mkstemps(path, 5);
        assert_true(fd >= 0 && write(fd, rows[i].text, strlen(rows[i].text)) == (ssize_t)strlen(rows[i].text));
        close(fd);
        snprintf(want, sizeof want, "provider bad is off: %s%s", path, rows[i].error);
        struct contact_router_pair options[] = { { "url", "https://x.example" }, { NULL, NULL } };
        struct contact_router_pair secrets[] = { { "out_key", "s" }, { "in_key", "s" }, { NULL, NULL } };
        struct contact_router_provider p[] = { { .name = "bad", .profile = path },
                                               { .name = "good", .profile = "webhook", .options = options, .secrets = secrets } };
        struct contact_router_options o = { .providers = p, .provider_count = 2, .profile_dir = PROFILES };
        struct error e = ERROR_INIT;
        struct contact_router *r = contact_router_create(&o, &e);
        assert_non_null(r);
        assert_string_equal(contact_router_off(r, 0), want);
        snprintf(want, sizeof want, "provider bad is off: profile%s", rows[i].error);
        assert_string_equal(r->off[0].seen, want); /* admins see it without the path */
        assert_null(contact_router_off(r, 1));
        assert_int_equal(r->provider_count, 1);
        contact_router_destroy(&r);
        p[1] = p[0];
        assert_null(contact_router_create(&o, &e));
        assert_string_equal(e.text, "provider bad stands twice");
        unlink(path);
    }
}

/* What a table says of a profile that is not there, of one whose path is longer than an error, and of what the configuration
 * knows: no path of any. */
static void test_off_seen(void **state)
{
    (void)state;
    char path[400];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    struct contact_router_provider p[] = { { .name = "none", .profile = "/nowhere/x.conf" }, { .name = "long", .profile = path },
                                           { .name = "no-profile" }, { .name = "secret", .profile = "twilio",
                                           .off = "/etc/x.conf:3: secret_files: /etc/token: is empty", .off_seen = "the file of token: is empty" },
                                           { .name = "shipped", .profile = "twilio" } };
    static const char *const seen[] = { "provider none is off: profile: No such file or directory", "provider long is off: its profile has a mistake",
                                        "provider no-profile is off: provider no-profile: no profile",
                                        "provider secret is off: the file of token: is empty",
                                        "provider shipped is off: provider shipped: the secret `account_sid` is missing" };
    struct contact_router_options o = { .providers = p, .provider_count = 5, .profile_dir = PROFILES };
    struct error e = ERROR_INIT;
    struct contact_router *r = contact_router_create(&o, &e);
    assert_non_null(r);
    assert_int_equal(r->off_count, 5);
    for (unsigned i = 0; i < r->off_count; i++)
        if (!text_starts_with(r->off[i].seen, seen[i]) || strchr(r->off[i].seen, '/'))
            fail_msg("%s", r->off[i].seen);
    assert_string_equal(contact_router_off(r, 3), "provider secret is off: /etc/x.conf:3: secret_files: /etc/token: is empty");
    contact_router_destroy(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        T(test_receipts_before_the_answer), T(test_receipts_out_of_order), T(test_receipt_of_a_refused_one),
        T(test_answers_of_another_shape), T(test_answer_too_long), T(test_doubt_ends), T(test_answers_doubled_and_forged),
        T(test_numbers), T(test_anothers_number), T(test_a_thousand_devices), T(test_bad_profiles), T(test_off_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
