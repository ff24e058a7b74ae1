/* SPDX-License-Identifier: MIT */
/* contact-router/speech.c, limited_child.c: real speech by espeak-ng, and programs that misbehave in its place. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "contact-router/speech.h"
#include "contact-router/limited_child.h"
#include "contact-router/wav.h"
#include "gateway/base/text.h"

/* ---- a loop, and what was said on it ---- */

struct said { enum error_code code; char text[256]; size_t len; struct wav_head head; int loudest; unsigned calls; };

static struct {
    char dir[64];
    struct clock_fake clock;
    struct loop *loop;
    struct speech *speech;
} world;

static void on_said(void *user, struct span wav, const struct error *e)
{
    struct said *s = user;
    s->calls++;
    s->code = e->code;
    s->len = wav.len;
    memcpy(s->text, e->text, sizeof s->text);
    if (!wav.len)
        return;
    assert_int_equal(wav_read_head(wav, &s->head), WAV_READY);
    for (size_t i = s->head.data_at; i + 1 < wav.len; i += 2) {
        int v = (short)((unsigned char)wav.data[i] | (unsigned char)wav.data[i + 1] << 8);
        s->loudest = abs(v) > s->loudest ? abs(v) : s->loudest;
    }
}

static void turn_until(const struct said *s, unsigned calls)
{
    time_t begin = time(NULL);
    while (s->calls < calls) {
        if (time(NULL) - begin > 60)
            fail_msg("no answer");
        if (!loop_turn(world.loop))
            usleep(200); /* a child is another process */
    }
    assert_int_equal(s->calls, calls);
}

static void open_speech(const char *program, unsigned running, unsigned waiting, size_t cache)
{
    speech_destroy(&world.speech);
    world.speech = speech_create(&(struct speech_options){ .loop = world.loop, .program = program, .running_max = running,
                                                           .waiting_max = waiting, .cache_bytes = cache });
}

/* A program of ours in the synthesiser's place. */
static void open_script(const char *body)
{
    char path[96];
    snprintf(path, sizeof path, "%s/script", world.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    chmod(path, 0700);
    open_speech(path, 0, 0, 0);
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    const char *tmp = getenv("TMPDIR");
    snprintf(world.dir, sizeof world.dir, "%s/speech-test-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    clock_fake_init(&world.clock);
    world.loop = loop_create("test", &world.clock.clock);
    return mkdtemp(world.dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    speech_destroy(&world.speech);
    while (loop_turn(world.loop))
        ;
    loop_destroy(&world.loop);
    snprintf(command, sizeof command, "rm -r '%s'", world.dir);
    return system(command);
}

static struct said say(const char *text)
{
    struct said s = { 0 };
    speech_say(world.speech, "en", text, on_said, &s);
    assert_int_equal(s.calls, 0); /* never at once */
    turn_until(&s, 1);
    return s;
}

/* ---- espeak-ng ---- */

static void test_it_speaks(void **state)
{
    (void)state;
    open_speech(NULL, 0, 0, 0);
    struct said s = say("Wherefore art thou not on line?");
    if (s.code != ERROR_NONE)
        fail_msg("%s", s.text);
    assert_int_equal(s.head.rate, SPEECH_RATE);
    double seconds = (double)(s.len - WAV_OUR_HEAD) / 2 / SPEECH_RATE;
    assert_true(seconds > 1.2 && seconds < 4);
    assert_true(s.loudest > 3000);
    struct said again = say("Wherefore art thou not on line?");
    assert_int_equal(again.len, s.len);
    struct speech_figures f = speech_figures(world.speech);
    assert_int_equal(f.spoken, 1);
    assert_int_equal(f.reused, 1);
    assert_int_equal(f.kept_bytes, s.len);
    struct said german = { 0 };
    speech_say(world.speech, "de", "Wherefore art thou not on line?", on_said, &german);
    turn_until(&german, 1);
    assert_int_equal(speech_figures(world.speech).spoken, 2); /* another voice is another utterance */
}

static void test_cache_is_bounded(void **state)
{
    (void)state;
    open_speech(NULL, 0, 0, 100000);
    char text[] = "This is the sentence number 0 of a few, and it is long enough.";
    size_t one = 0;
    for (char c = '0'; c < '6'; c++) {
        *strchr(text, '0' <= c && c > '0' ? c - 1 : '0') = c;
        struct said s = say(text);
        assert_int_equal(s.code, ERROR_NONE);
        one = s.len;
        assert_true(speech_figures(world.speech).kept_bytes <= 100000);
    }
    assert_true(speech_figures(world.speech).kept_bytes >= one);
    say(text);
    assert_int_equal(speech_figures(world.speech).reused, 1); /* the newest is still there */
}

static void test_bad_texts(void **state)
{
    (void)state;
    open_speech(NULL, 0, 0, 0);
    char *long_one = malloc(100001);
    memset(long_one, 'a', 100000);
    long_one[100000] = 0;
    const char *const texts[] = { "", "a\nb", "\x01" "500S", "[[h@l'oU]]", "\xff\xfe", long_one };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct said s = say(texts[i]);
        assert_int_equal(s.code, ERROR_INVALID);
        assert_string_equal(s.text, "not a text that can be spoken (empty, too long, or with controls in it)");
    }
    assert_int_equal(speech_figures(world.speech).spoken, 0);
    /* The longest that may pass, in the dearest way to say it: bounded in time, with a name for it. */
    memset(long_one, '9', 3999);
    long_one[3999] = 0;
    struct said s = say(long_one);
    assert_true(s.code == ERROR_LIMIT || s.code == ERROR_NONE);
    free(long_one);
}

/* ---- programs that misbehave ---- */

#define HEAD "printf 'RIFF\\0\\0\\0\\0WAVEfmt \\020\\0\\0\\0\\1\\0\\1\\0\\100\\037\\0\\0\\200\\076\\0\\0\\2\\0\\020\\0data\\0\\0\\0\\0'; "

static void test_misbehaviour(void **state)
{
    (void)state;
    static const struct { const char *why, *body; enum error_code code; const char *text; } rows[] = {
        { "fails", "exit 3", ERROR_TEMPORARY, "ended with status 3" },
        { "says nothing", "exit 0", ERROR_TEMPORARY, "said nothing" },
        { "says something else", "echo 'error: no such voice'; cat >/dev/null", ERROR_TEMPORARY, "is not a WAV" },
        { "dies", "kill -SEGV $$", ERROR_LIMIT, "ended by signal 11" },
        { "speaks for ever", HEAD "exec cat /dev/zero", ERROR_LIMIT, "longer than 120 s" },
        { "computes for ever", "ulimit -t 1; while :; do :; done", ERROR_LIMIT, "ended by signal 9" },
        { "writes a file", "read -r x; echo x 2>&- >\"$(dirname $0)/file\" || exit 5; " HEAD, ERROR_TEMPORARY, "ended with status 5" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_script(rows[i].body);
        struct said s = say("x");
        if (s.code != rows[i].code || !strstr(s.text, rows[i].text))
            fail_msg("%s: %d, %s", rows[i].why, (int)s.code, s.text);
    }
    open_speech("/nonexistent/espeak-ng", 0, 0, 0);
    struct said s = say("x");
    assert_int_equal(s.code, ERROR_NOT_FOUND);
}

static void test_it_hangs(void **state)
{
    (void)state;
    open_script("exec sleep 1000");
    struct said s = { 0 };
    speech_say(world.speech, "en", "x", on_said, &s);
    for (int i = 0; i < 50; i++)
        loop_turn(world.loop);
    assert_int_equal(s.calls, 0);
    clock_fake_advance(&world.clock, LIMITED_CHILD_TIME_MS + 1000);
    turn_until(&s, 1);
    assert_int_equal(s.code, ERROR_TIMEOUT);
}

/* The script says what it was given, as the length of silence: 80 samples each. It looks when it has its text,
 * before which the limits need not stand. */
static size_t counted(const char *expression)
{
    char body[600];
    snprintf(body, sizeof body, "text=$(cat); n=$(%s); " HEAD "head -c $((n * 160)) /dev/zero", expression);
    open_script(body);
    struct said s = say("to be counted");
    if (s.code != ERROR_NONE)
        fail_msg("%s: %s", expression, s.text);
    return (s.len - WAV_OUR_HEAD + 80) / 160;
}

static void test_what_the_child_is_given(void **state)
{
    (void)state;
    int extra = fcntl(2, F_DUPFD, 37); /* without close-on-exec */
    assert_true(extra >= 37);
    assert_int_equal(counted("ls /proc/$$/fd | grep -c '^[2-9][0-9]'"), 0);
    close(extra);
    assert_int_equal(counted("ulimit -t"), LIMITED_CHILD_CPU_S);
    assert_int_equal(counted("echo $(($(ulimit -v) / 1024))"), 256);
    assert_int_equal(counted("ulimit -n"), LIMITED_CHILD_FILES);
    assert_int_equal(counted("ulimit -f"), 0);
    assert_int_equal(counted("ulimit -c"), 0);
    assert_int_equal(counted("printf %s \"$text\" | wc -c"), 13); /* the text, by standard input */
    assert_int_equal(counted("tr '\\0' '\\n' </proc/$$/cmdline | grep -c counted"), 0); /* and nowhere else */
    setenv("SECRET_OF_THE_GATEWAY", "x", 1);
    assert_int_equal(counted("env | grep -c SECRET"), 0);
}

/* ---- at most so many at once ---- */

static void test_bounds(void **state)
{
    (void)state;
    char path[96], text[] = "0";
    struct said s[8] = { { 0 } };
    open_script("read -r x < \"$(dirname $0)/gate\"; " HEAD "head -c 1600 /dev/zero");
    snprintf(path, sizeof path, "%s/gate", world.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    int gate = open(path, O_RDWR | O_CLOEXEC); /* held open: who reads waits for a line, and finds no end */
    assert_true(gate >= 0);
    char script[96];
    snprintf(script, sizeof script, "%s/script", world.dir);
    open_speech(script, 2, 3, 0);
    struct speech_call *calls[8];
    for (int i = 0; i < 6; i++, text[0]++)
        calls[i] = speech_say(world.speech, "en", text, on_said, &s[i]);
    turn_until(&s[5], 1); /* two speak, three wait, the sixth is refused */
    assert_int_equal(s[5].code, ERROR_TEMPORARY);
    speech_say(world.speech, "en", "4", on_said, &s[6]); /* the same as one that waits: no new place */
    speech_cancel(calls[3]);
    for (int i = 0; i < 3; i++) { /* each line lets one speak */
        unsigned before = s[0].calls + s[1].calls + s[2].calls + s[4].calls;
        assert_int_equal(write(gate, "\n", 1), 1);
        while (s[0].calls + s[1].calls + s[2].calls + s[4].calls == before)
            if (!loop_turn(world.loop))
                usleep(200);
    }
    assert_int_equal(write(gate, "\n", 1), 1);
    turn_until(&s[4], 1);
    turn_until(&s[6], 1);
    close(gate);
    assert_int_equal(s[3].calls, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(s[i].code, ERROR_NONE);
}

static void test_destroy(void **state)
{
    (void)state;
    open_script("exec sleep 1000");
    struct said s[3] = { { 0 } };
    speech_say(world.speech, "en", "one", on_said, &s[0]);
    speech_say(world.speech, "en", "\x01", on_said, &s[1]);
    speech_cancel(speech_say(world.speech, "en", "two", on_said, &s[2]));
    speech_destroy(&world.speech);
    assert_int_equal(s[0].code, ERROR_CANCELLED);
    assert_int_equal(s[1].code, ERROR_CANCELLED);
    assert_int_equal(s[2].calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_it_speaks), T(test_cache_is_bounded), T(test_bad_texts), T(test_misbehaviour), T(test_it_hangs),
        T(test_what_the_child_is_given), T(test_bounds), T(test_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
