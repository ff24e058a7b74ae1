/* SPDX-License-Identifier: MIT */
/* contact-router/retry.c: what an admin may have tried once more, and what not. */
#include "router_world.h"

#include "contact-router/outbox_store.h"

static char ref_of_it[64], state_text[32];

/* The last delivery of a message. */
static bool find_run(struct store_tx *tx, struct store_job *job, struct error *e)
{
    (void)job;
    struct store_rows *r =
        store_query(tx, e, "select ref, state from deliveries where purpose = 'message' order by created_us", "");
    while (r && store_next(r, e)) {
        snprintf(ref_of_it, sizeof ref_of_it, "%s", store_text(r, 0));
        snprintf(state_text, sizeof state_text, "%s", store_text(r, 1));
    }
    return r && e->code == ERROR_NONE;
}

static const char *state_of_it(void)
{
    struct store_job job = {.reply_on = world.loop, .run = find_run, .done = write_done};
    write_now(&job);
    return state_text;
}

static const char *retry(const char *domain, const char *ref)
{
    struct reach *r = contact_router_reach(world.router);
    world.replied = false;
    r->ops->retry(r, domain, ref, on_reply, NULL);
    settle();
    assert_true(world.replied);
    return bytes_text(&world.reply);
}

static void told_by_mail(int code)
{
    add_device(1, DEVICE_EMAIL, "juliet@example.net", true);
    somebody_writes(REACH_MESSAGE, ROMEO, "r1", 1, "art thou there?");
    assert_int_equal(world.mail_count, 1);
    mail_server_says(0, code);
    (void)state_of_it();
}

static void test_failed(void **state)
{
    (void)state;
    told_by_mail(550);
    assert_string_equal(state_of_it(), "failed");
    expect_in(retry("montague.example", ref_of_it), "no such delivery"); /* another community's admin */
    assert_int_equal(world.refused, STANZA_ITEM_NOT_FOUND);
    expect_in(retry("capulet.example", "nosuchref"), "no such delivery");
    expect_in(retry("capulet.example", ref_of_it), "tried once more");
    assert_int_equal(world.refused, STANZA_OK);
    settle();
    assert_int_equal(world.mail_count, 2);
    mail_server_says(1, 250);
    assert_string_equal(state_of_it(), "sent");
    expect_in(retry("capulet.example", ref_of_it), "has not failed");
    assert_int_equal(world.refused, STANZA_NOT_ALLOWED);
}

/* After a day there is nothing left to say; and a device that went is not told. */
static void test_too_late(void **state)
{
    (void)state;
    told_by_mail(550);
    advance(25 * 3600);
    expect_in(retry("capulet.example", ref_of_it), "its text is erased");
    assert_int_equal(world.mail_count, 1);
}

static void test_device_went(void **state)
{
    (void)state;
    told_by_mail(550);
    expect_in(command("remove 1"), "");
    expect_in(retry("capulet.example", ref_of_it), "not listed any more");
    assert_int_equal(world.mail_count, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(test_failed), T(test_too_late), T(test_device_went)};
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
