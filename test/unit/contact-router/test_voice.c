/* SPDX-License-Identifier: MIT */
/* Calls from end to end: voice_turn.c, voice_text.c, voice_speak.c, voice_http.c, sender_voice.c, returns_voice.c; espeak-ng
 * speaks, the provider is scripted. */
#include "router_world.h"

#include "contact-router/outbox_query.h"
#include "contact-router/speech.h"
#include "contact-router/speech_text.h"
#include "contact-router/urlencoded.h"
#include "contact-router/voice_http.h"
#include "contact-router/voice_text.h"
#include "contact-router/wav.h"

/* ---- turns: a table ---- */

static void test_turns(void **state)
{
    (void)state;
    static const struct { const char *why; enum outbox_purpose purpose; enum outbox_state state; char key; bool machine;
                          struct voice_turn want; } rows[] = {
        { "somebody answers", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, 0, false, { VOICE_MESSAGE, true, VOICE_DO_NOTHING } },
        { "1: again", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '1', false, { VOICE_MESSAGE, true, VOICE_DO_NOTHING } },
        { "2: heard", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '2', false, { VOICE_HEARD, false, VOICE_DO_HEARD } },
        { "3: cannot talk", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '3', false, { VOICE_CANNOT, false, VOICE_DO_CANNOT } },
        { "4: the next device", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '4', false, { VOICE_PASSED, false, VOICE_DO_PASS } },
        { "9: no more calls", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '9', false, { VOICE_STOPPED, false, VOICE_DO_STOP } },
        { "no key of ours", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '#', false, { VOICE_MESSAGE, true, VOICE_DO_NOTHING } },
        { "2: accept", OUTBOX_PURPOSE_REQUEST, OUTBOX_SENT, '2', false, { VOICE_ACCEPTED, false, VOICE_DO_ACCEPT } },
        { "3: decline", OUTBOX_PURPOSE_REQUEST, OUTBOX_SENT, '3', false, { VOICE_DECLINED, false, VOICE_DO_DECLINE } },
        { "a code answers nobody", OUTBOX_PURPOSE_CODE, OUTBOX_SENT, '2', false, { VOICE_MESSAGE, true, VOICE_DO_NOTHING } },
        { "but can be refused", OUTBOX_PURPOSE_CODE, OUTBOX_SENT, '9', false, { VOICE_STOPPED, false, VOICE_DO_STOP } },
        { "a machine hears no message", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, 0, true, { VOICE_MACHINE, false, VOICE_DO_NOTHING } },
        { "and no code", OUTBOX_PURPOSE_CODE, OUTBOX_SENT, 0, true, { VOICE_MACHINE, false, VOICE_DO_NOTHING } },
        { "who presses is no machine", OUTBOX_PURPOSE_MESSAGE, OUTBOX_SENT, '2', true, { VOICE_HEARD, false, VOICE_DO_HEARD } },
        { "withdrawn meanwhile", OUTBOX_PURPOSE_MESSAGE, OUTBOX_CANCELLED, 0, false, { VOICE_OVER, false, VOICE_DO_NOTHING } },
        { "and a key does not bring it back", OUTBOX_PURPOSE_MESSAGE, OUTBOX_FAILED, '2', false, { VOICE_OVER, false, VOICE_DO_NOTHING } },
        { "the same key again", OUTBOX_PURPOSE_MESSAGE, OUTBOX_READ, '2', false, { VOICE_HEARD, false, VOICE_DO_HEARD } },
        { "in doubt, and it rings after all", OUTBOX_PURPOSE_MESSAGE, OUTBOX_IN_DOUBT, 0, false, { VOICE_MESSAGE, true, VOICE_DO_NOTHING } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct voice_turn t = voice_turn_next(rows[i].purpose, rows[i].state, rows[i].key, rows[i].machine);
        if (t.line != rows[i].want.line || t.ask != rows[i].want.ask || t.act != rows[i].want.act)
            fail_msg("%s: %s", rows[i].why, voice_turn_word(t.line));
    }
}

/* ---- texts: a table ---- */

static void test_texts(void **state)
{
    (void)state;
    struct outbox_row m = { .kind = DEVICE_VOICE, .purpose = OUTBOX_PURPOSE_MESSAGE, .peer = ROMEO, .community = "capulet.example",
                            .text = "But soft! See https://x.example/a\x01?", .texts = 1, .readable = true };
    struct outbox_row many = m, sealed = m, empty = m, request = m, code = m, injected = m;
    many.texts = 3;
    sealed.readable = false;
    empty.text = "\x01\x02";
    request.purpose = OUTBOX_PURPOSE_REQUEST;
    code.purpose = OUTBOX_PURPOSE_CODE;
    code.text = "123456";
    injected.text = "{c} {k} [[h@l'oU]]";
    injected.peer = "x\x01y@[[z]].example";
    static const char keys[] = " Press 1 to hear this again. Press 2 to answer that you heard it.";
    const struct { const char *why; const struct outbox_row *row; const char *lang; bool full, brief; enum voice_line line; const char *want; } rows[] = {
        { "the whole text, without what is not words", &m, "en", true, false, VOICE_MESSAGE,
          "Hello. This is capulet dot example. romeo at montague dot example wrote to you: But soft! See a web address ?." },
        { "a notice only", &m, "", false, false, VOICE_MESSAGE, "Hello. This is capulet dot example. romeo at montague dot example wrote to you. Log in to read it." },
        { "several", &many, "en", false, false, VOICE_MESSAGE, "wrote to you 3 times." },
        { "encrypted", &sealed, "en", true, false, VOICE_MESSAGE, "It is encrypted." },
        { "nothing that can be spoken", &empty, "en", true, false, VOICE_MESSAGE, "something that cannot be spoken." },
        { "too long to be spoken", &m, "en", true, true, VOICE_MESSAGE, "something that cannot be spoken." },
        { "what was written is not looked into for names", &injected, "en", true, false, VOICE_MESSAGE, "x y at z dot example wrote to you: {c} {k} h@l'oU." },
        { "a stranger's words are not read out", &request, "en", true, false, VOICE_MESSAGE, "whom you do not know, asks to talk with you. Press 1" },
        { "a code, digit by digit, twice", &code, "en", true, false, VOICE_MESSAGE, "Your code is 1, 2, 3, 4, 5, 6. Once more: 1, 2, 3, 4, 5, 6. Press 1" },
        { "in German", &code, "de", true, false, VOICE_MESSAGE, "Ihr Code ist 1, 2, 3, 4, 5, 6." },
        { "who is told", &m, "fr", true, false, VOICE_HEARD, "Merci. romeo arobase montague point example apprend" },
        { "a machine is not told who writes", &m, "en", true, false, VOICE_MACHINE, "Hello. This is capulet dot example. Something waits for you." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = BYTES_EMPTY;
        struct voice_text t = { rows[i].row, rows[i].lang, rows[i].full, rows[i].brief, rows[i].line };
        voice_text_say(&t, &out);
        if (!strstr(out.data, rows[i].want) || !speech_text_may_pass(out.data))
            fail_msg("%s: %s", rows[i].why, out.data);
        if (rows[i].row->purpose == OUTBOX_PURPOSE_MESSAGE && rows[i].line == VOICE_MESSAGE && rows[i].lang[0] == 'e')
            assert_non_null(strstr(out.data, keys));
        bytes_fini(&out);
    }
}

/* The heaviest there can be still passes: heaps of combining marks, long names, every language and line. */
static void test_texts_are_bounded(void **state)
{
    (void)state;
    struct bytes heap = BYTES_EMPTY, peer = BYTES_EMPTY;
    for (int i = 0; i < 50000; i++)
        bytes_append_text(&heap, i % 9 ? "\xcc\x81" : i % 18 ? "\xf0\x9f\x98\x80" : "http://a ");
    for (int i = 0; i < 700; i++)
        bytes_append_text(&peer, i == 350 ? "@" : "\xe6\xbc\xa2.");
    struct outbox_row row = { .purpose = OUTBOX_PURPOSE_MESSAGE, .peer = peer.data, .community = peer.data, .text = heap.data,
                              .texts = INT64_MAX, .readable = true };
    static const char *const langs[] = { "en", "de", "fr", "es" };
    for (size_t l = 0; l < 4; l++)
        for (int line = 0; line < VOICE_LINE_COUNT; line++)
            for (int full = 0; full < 2; full++) {
                struct bytes out = BYTES_EMPTY;
                struct voice_text t = { &row, langs[l], full, false, (enum voice_line)line };
                voice_text_say(&t, &out);
                if (!speech_text_may_pass(out.data))
                    fail_msg("%s %s: %zu bytes", langs[l], voice_turn_word((enum voice_line)line), out.len);
                bytes_fini(&out);
            }
    bytes_fini(&heap);
    bytes_fini(&peer);
}

/* ---- from end to end ---- */

static const char *const nothing[] = { "CallSid", "CA1", NULL };
static const char *const key_one[] = { "CallSid", "CA1", "Digits", "1", NULL };
static const char *const key_two[] = { "CallSid", "CA1", "Digits", "2", NULL };

/* A call that was asked for; *voice: where its documents are. */
static void call_out(struct arena *a, unsigned call, const char **voice, const char **status)
{
    assert_true(world.http_count == call + 1);
    expect_in(world.http[call].url, "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json");
    expect_in(world.http[call].body, "To=%2B447700900123&From=%2B441632960000&");
    *voice = target_in(a, call, "&Url=");
    *status = status_target(a, call);
    provider_says(call, 201, "{\"sid\":\"CA1\"}");
}

/* The target of the sound in the last document. */
static const char *sound_in(struct arena *a)
{
    const char *at = strstr(bytes_text(&world.answer), URL "/audio/");
    assert_non_null(at);
    at += strlen(URL);
    return arena_dup_n(a, at, strcspn(at, "<\""));
}

static struct http_exchange fetch(const char *method, const char *target)
{
    struct http_exchange x = { 0 };
    struct arena a;
    arena_init(&a);
    struct http_incoming in = { .method = method, .target = target, .host = "h", .peer = "127.0.0.1", .arena = &a, .header = hook_header };
    contact_router_on_request(world.router, &x, &in);
    settle();
    arena_fini(&a);
    struct wav_head h;
    if (x.status == 200)
        assert_int_equal(wav_read_head((struct span){ x.body, x.len }, &h), WAV_READY);
    mem_free(x.body);
    x.body = NULL;
    return x;
}

static int said(const char *target, const char *const *fields, const char *part)
{
    int status = webhook(target, false, fields).status;
    expect_in(bytes_text(&world.answer), part);
    return status;
}

static void call_status(const char *target, const char *word)
{
    const char *const fields[] = { "CallSid", "CA1", "CallStatus", word, NULL };
    assert_int_equal(webhook(target, false, fields).status, 204);
}

static void test_a_message_is_spoken(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "But soft, what light?");
    call_out(&a, 0, &voice, &status);
    assert_null(strstr(world.http[0].body, "soft"));
    expect_log(""); /* it rings: nobody is told yet */
    call_status(status, "ringing");
    call_status(status, "in-progress");

    assert_int_equal(webhook(voice, true, nothing).status, 403); /* not signed as it must be */
    assert_int_equal(contact_router_hooks_refused(world.router), 1);
    assert_int_equal(said(voice, nothing, "<Gather numDigits=\"1\""), 200);
    expect_in(bytes_text(&world.answer), voice); /* where the key goes */
    const char *sound = sound_in(&a);
    assert_null(strstr(sound, "soft"));
    struct http_exchange x = fetch("GET", sound);
    assert_int_equal(x.status, 200);
    assert_true(x.len > 100000 && x.len < 1000000);
    assert_int_equal(fetch("HEAD", sound).status, 200);
    assert_int_equal(fetch("POST", sound).status, 404);
    assert_int_equal(speech_figures(world.router->speech).spoken, 1); /* before the call; the rest found it */

    assert_int_equal(said(voice, key_one, "<Gather numDigits=\"1\""), 200);
    assert_string_equal(sound_in(&a), sound);
    expect_log("");
    assert_int_equal(said(voice, key_two, "<Hangup/>"), 200);
    expect_log(JULIET " " ROMEO " 11 read phone call\n" JULIET " say " ROMEO " `I have heard your message.` via voice\n");
    expect_in(sound_in(&a), "/heard/");
    assert_int_equal(said(voice, key_two, "<Hangup/>"), 200); /* the provider asks again */
    expect_log("");
    call_status(status, "completed");
    expect_log("");
    arena_fini(&a);
}

static void test_addresses_of_sounds(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    call_out(&a, 0, &voice, &status);
    said(voice, nothing, "<Gather");
    const char *sound = sound_in(&a);
    char *other = arena_dup(&a, sound);
    size_t len = strlen(sound);
    for (size_t i = strlen("/audio/"); i < len; i++) { /* each byte of it counts */
        other[i] = sound[i] == 'A' ? 'B' : 'A';
        struct http_exchange x = fetch("GET", other);
        if (x.status != 404)
            fail_msg("%s: %d", other, x.status);
        other[i] = sound[i];
    }
    static const char *const bad[] = { "/audio/", "/audio/a/b/c/d.wav", "/audio//message/9999999999/x.wav", "/audio/../../etc/passwd" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(fetch("GET", bad[i]).status, 404);
    assert_int_equal(fetch("GET", sound).status, 200);
    advance(14 * 60);
    assert_int_equal(fetch("GET", sound).status, 200);
    advance(17 * 60);
    assert_int_equal(fetch("GET", sound).status, 404); /* its time is over */
    /* A restart loses what was spoken, and it is spoken again. */
    said(voice, nothing, "<Gather");
    sound = sound_in(&a);
    restart();
    assert_int_equal(fetch("GET", sound).status, 200);
    assert_int_equal(speech_figures(world.router->speech).spoken, 1);
    arena_fini(&a);
}

static void test_nobody_hears(void **state)
{
    (void)state;
    static const struct { const char *word; bool sms; const char *log; } rows[] = {
        { "busy", false, JULIET " " ROMEO " 11 failed phone call\n" },
        { "no-answer", false, JULIET " " ROMEO " 12 failed phone call\n" },
        { "failed", false, JULIET " " ROMEO " 13 failed phone call\n" },
        { "completed", false, JULIET " " ROMEO " 14 failed phone call\n" }, /* answered, perhaps; not heard */
    };
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    for (unsigned i = 0; i < 4; i++) {
        const char *voice, *status;
        somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11 + i, "hi");
        call_out(&a, i, &voice, &status);
        call_status(status, "ringing");
        call_status(status, rows[i].word);
        expect_log(rows[i].log);
        assert_int_equal(said(voice, key_two, "<Hangup/>"), 200); /* too late */
        expect_in(sound_in(&a), "/over/");
        expect_log("");
        advance(3600);
    }
    arena_fini(&a);
}

static void test_the_next_step(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    add_device(2, DEVICE_SMS, "+447700900124", true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    expect_in(world.http[0].url, "Messages.json");
    provider_says(0, 201, "{\"sid\":\"SM1\"}");
    expect_log(JULIET " " ROMEO " 11 sent text message\n");
    advance(100);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 12, "are you there?"); /* joins the call that waits */
    provider_says(1, 201, "{\"sid\":\"SM2\"}");
    assert_int_equal(world.http_count, 2);
    advance(210);
    call_out(&a, 2, &voice, &status);
    bytes_clear(&world.log);
    said(voice, key_two, "<Hangup/>");
    expect_log(JULIET " " ROMEO " 11 read phone call\n" JULIET " " ROMEO " 12 read phone call\n" JULIET " say " ROMEO
               " `I have heard your message.` via voice\n");
    /* A text message that fails for good brings the call at once. */
    advance(3600);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 13, "hi");
    provider_says(3, 400, "{\"code\":21211,\"message\":\"bad number\"}");
    call_out(&a, 4, &voice, &status);
    /* 4: passes on; there is nothing behind it. */
    bytes_clear(&world.log);
    const char *const key_four[] = { "CallSid", "CA1", "Digits", "4", NULL };
    said(voice, key_four, "<Hangup/>");
    expect_log(JULIET " " ROMEO " 13 failed phone call\n");
    arena_fini(&a);
}

static void test_one_call_at_a_time(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "one");
    call_out(&a, 0, &voice, &status);
    somebody_writes(REACH_MESSAGE, TYBALT, "t2", 12, "two");
    advance(120);
    assert_int_equal(world.http_count, 1); /* juliet is on the telephone */
    call_status(status, "completed");
    advance(60);
    assert_int_equal(world.http_count, 2);
    provider_says(1, 201, "{\"sid\":\"CA2\"}");
    arena_fini(&a);
}

static void test_machine(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    const char *const machine[] = { "AnsweredBy", "machine_start", "CallSid", "CA1", NULL };
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "a secret");
    call_out(&a, 0, &voice, &status);
    said(voice, machine, "<Hangup/>");
    expect_in(sound_in(&a), "/machine/");
    call_status(status, "completed");
    expect_log(JULIET " " ROMEO " 11 failed phone call\n");
    arena_fini(&a);
}

static void test_no_more_calls(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    const char *const key_nine[] = { "CallSid", "CA1", "Digits", "9", NULL };
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "hi");
    call_out(&a, 0, &voice, &status);
    said(voice, key_nine, "<Hangup/>");
    expect_log(JULIET " " ROMEO " 11 failed phone call\n");
    expect_in(command("devices"), "1: phone call to +447700900123, stopped by STOP");
    advance(3600);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 12, "hi");
    assert_int_equal(world.http_count, 1);
    arena_fini(&a);
}

struct put_row { struct store_job job; struct outbox_row row; struct arena arena; char code[16]; };

static bool put_request_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct put_row *p = container_of(job, struct put_row, job);
    p->row = (struct outbox_row){ .d = { .state = OUTBOX_PLANNED, .due_us = store_now_us(tx) }, .account = JULIET, .n = 1,
        .kind = DEVICE_VOICE, .address = PHONE, .community = "capulet.example", .purpose = OUTBOX_PURPOSE_REQUEST, .peer = TYBALT,
        .peer_domain = "montague.example", .code = "t2", .provider = "texts", .texts = 1, .readable = true, .text = "" };
    return outbox_store_insert(tx, &p->row, 11, &p->arena, e);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct { const char *key, *line, *log; enum error_code code; } rows[] = {
        { "2", "/accepted/", JULIET " " TYBALT " 11 read phone call\n" JULIET " accept " TYBALT " `` via voice\n", ERROR_NONE },
        { "3", "/declined/", JULIET " " TYBALT " 11 read phone call\n" JULIET " decline " TYBALT " `` via voice\n", ERROR_NONE },
        { "2", "/over/", JULIET " " TYBALT " 11 read phone call\n" JULIET " accept " TYBALT " `` via voice\n", ERROR_NOT_FOUND },
        { "2", "/failed/", JULIET " " TYBALT " 11 read phone call\n" JULIET " accept " TYBALT " `` via voice\n", ERROR_TEMPORARY },
    };
    struct arena a;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    for (unsigned i = 0; i < 4; i++) {
        const char *voice, *status;
        struct put_row p = { .job = { .run = put_request_run } };
        arena_init(&p.arena);
        write_now(&p.job);
        advance(1);
        worker_kick(world.router);
        settle();
        call_out(&a, i, &voice, &status);
        said(voice, nothing, "<Gather");
        world.answer_code = rows[i].code;
        const char *const key[] = { "CallSid", "CA1", "Digits", rows[i].key, NULL };
        assert_int_equal(webhook(voice, false, key).status, 200);
        world.answer_code = ERROR_NONE;
        expect_in(sound_in(&a), rows[i].line);
        expect_log(rows[i].log);
        if (rows[i].code == ERROR_TEMPORARY) { /* pressed again, it is taken */
            assert_int_equal(said(voice, key, "<Hangup/>"), 200);
            expect_log(JULIET " accept " TYBALT " `` via voice\n");
        }
        call_status(status, "completed");
        arena_fini(&p.arena);
        advance(60);
    }
    arena_fini(&a);
}

static bool code_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    struct put_row *p = container_of(job, struct put_row, job);
    struct store_rows *r = store_query(tx, e, "select text from deliveries where purpose = 'code' order by created_us desc", "");
    *p->code = 0;
    if (r && store_next(r, e))
        text_copy(p->code, sizeof p->code, store_text(r, 0));
    store_end(r);
    return e->code == ERROR_NONE;
}

static bool refuse_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    return device_store_refuse(tx, DEVICE_VOICE, PHONE, true, e);
}

static void test_a_code_is_spoken(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    struct put_row p = { .job = { .run = code_run } };
    char line[32];
    arena_init(&a);
    expect_in(command("add call +44 7700 900123"), "1: phone call to +447700900123 is listed. If codes may be sent there");
    write_now(&p.job);
    assert_int_equal(strlen(p.code), 6);
    assert_null(strstr(world.http[0].body, p.code));
    call_out(&a, 0, &voice, &status);
    write_now(&p.job);
    assert_int_equal(strlen(p.code), 6); /* not erased: it is still to be said */
    said(voice, nothing, "<Gather");
    assert_int_equal(fetch("GET", sound_in(&a)).status, 200);
    snprintf(line, sizeof line, "verify %s", p.code);
    call_status(status, "completed");
    write_now(&p.job);
    assert_int_equal(strlen(p.code), 0);
    expect_in(command(line), "Thank you. 1: phone call to +447700900123, verified, notices only");
    expect_in(command("language 1 de"), "verified, notices only, in de");
    expect_in(command("language 1 tlh"), "Calls are spoken in en, de, fr or es");
    expect_in(command("add call +33 1 23 45 67 89"), "does not make calls to such numbers");
    expect_in(command("add call +449 8000 1234"), "does not make calls to such numbers"); /* premium */
    expect_in(command("test 1"), "A test is on its way");
    call_out(&a, 1, &voice, &status);
    arena_fini(&a);
}

/* A number that text messages reach is this person's already; not where its owner pressed 9. */
static void test_a_known_number(void **state)
{
    (void)state;
    add_device(1, DEVICE_SMS, PHONE, true);
    expect_in(command("add call " PHONE), "The number is known to be yours. 2: phone call to +447700900123, verified, notices only");
    assert_int_equal(world.http_count, 0);
    expect_in(command("remove 2"), "forgotten");
    struct put_row p = { .job = { .run = refuse_run } };
    write_now(&p.job);
    expect_in(command("add call " PHONE), "is listed. If codes may be sent there");
    expect_in(command("devices"), "2: phone call to +447700900123, not verified yet");
    assert_int_equal(world.http_count, 0);
    expect_in(command("add call +447700900124"), "3: phone call to +447700900124 is listed. If codes may be sent there");
    assert_int_equal(world.http_count, 1);
}

/* The shipped profile, with some lines written otherwise. */
static const char *other_profile(const char *const (*changes)[2])
{
    static char path[160];
    char text[16384] = "";
    FILE *in = fopen(PROFILES "/twilio.conf", "re");
    assert_non_null(in);
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    snprintf(path, sizeof path, "%s/other.conf", world.dir);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        const char *by = NULL;
        for (unsigned i = 0; changes[i][0]; i++)
            if (text_starts_with(line, changes[i][0]))
                by = changes[i][1];
        if (by)
            fprintf(out, "%s\n", by);
        else
            fwrite(line, 1, (size_t)(end - line), out);
    }
    fclose(out);
    return path;
}

/* A provider that takes the first document with the request, and wants mu-law. */
static void test_a_document_in_the_request(void **state)
{
    (void)state;
    static const char *const changes[][2] = { { "form.Url ", "form.Twiml = ${voice.document}" }, { "answer = ", "answer = inline" },
                                              { "audio.coding ", "audio.coding = pcmu" }, { NULL, NULL } };
    struct arena a;
    struct urlencoded form;
    arena_init(&a);
    world.profile = other_profile(changes);
    restart();
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "But soft, what light?");
    assert_int_equal(world.http_count, 1);
    assert_true(urlencoded_parse(&a, span_of(world.http[0].body), &form));
    const char *document = urlencoded_get(&form, "Twiml");
    expect_in(document, "<Response><Gather numDigits=\"1\"");
    assert_null(strstr(document, "soft"));
    bytes_clear(&world.answer);
    bytes_append_text(&world.answer, document);
    const char *sound = sound_in(&a), *key = strstr(document, URL "/hook/texts/voice/");
    assert_non_null(key);
    const char *voice = arena_dup_n(&a, key + strlen(URL), strcspn(key, "\"") - strlen(URL));
    provider_says(0, 201, "{\"sid\":\"CA1\"}");

    struct http_exchange x = { 0 };
    struct http_incoming in = { .method = "GET", .target = sound, .host = "h", .peer = "127.0.0.1", .arena = &a, .header = hook_header };
    contact_router_on_request(world.router, &x, &in);
    settle();
    assert_int_equal(x.status, 200);
    assert_true(x.len > 50000 && x.len < 500000);
    assert_int_equal(bytes_read_le(x.body + 20, 2), 7); /* mu-law, */
    assert_int_equal(bytes_read_le(x.body + 24, 4), 8000);
    assert_int_equal(bytes_read_le(x.body + 54, 4) + 58, x.len); /* as long as it says */
    mem_free(x.body);
    assert_int_equal(said(voice, key_two, "<Hangup/>"), 200);
    expect_log(JULIET " " ROMEO " 11 read phone call\n" JULIET " say " ROMEO " `I have heard your message.` via voice\n");
    arena_fini(&a);
}

/* Where there is no synthesiser the provider speaks. */
static void test_the_provider_speaks(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    world.speech_program = "/nonexistent/espeak-ng";
    restart();
    add_device(1, DEVICE_VOICE, PHONE, true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11, "A & B <\x01>");
    call_out(&a, 0, &voice, &status);
    said(voice, nothing, "<Say loop=\"2\" language=\"en-GB\">Hello. This is capulet dot example. romeo at montague dot example wrote to you: "
                         "A &amp; B &lt; &gt;.");
    said(voice, key_two, "<Say language=\"en-GB\">Thank you.");
    arena_fini(&a);
}

static void test_terrible_texts(void **state)
{
    (void)state;
    struct arena a;
    const char *voice, *status;
    arena_init(&a);
    add_device(1, DEVICE_VOICE, PHONE, true);
    char *text = arena_alloc(&a, 100001);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100000; i++) /* words; controls; what is dearest to say */
            text[i] = (char)(round == 0 ? (i % 6 ? 'a' + i % 26 : ' ') : round == 1 ? 1 + i % 31 : '9');
        somebody_writes(REACH_MESSAGE, ROMEO, "r7", 11 + (uint64_t)round, text);
        call_out(&a, (unsigned)round, &voice, &status);
        said(voice, nothing, "<Gather");
        struct http_exchange x = fetch("GET", sound_in(&a));
        assert_int_equal(x.status, 200);
        assert_true(x.len > 50000 && x.len <= 1000000);
        call_status(status, "completed");
        advance(3600);
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns), cmocka_unit_test(test_texts), cmocka_unit_test(test_texts_are_bounded),
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        T(test_a_message_is_spoken), T(test_addresses_of_sounds), T(test_nobody_hears), T(test_the_next_step),
        T(test_one_call_at_a_time), T(test_machine), T(test_no_more_calls), T(test_requests), T(test_a_code_is_spoken), T(test_a_known_number),
        T(test_a_document_in_the_request), T(test_the_provider_speaks), T(test_terrible_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
