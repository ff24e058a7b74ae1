/* SPDX-License-Identifier: MIT */
/* Rows of streams: counts only rise, what is under way shows, and a resource has one stream. */
#include "test/unit/gateway/store/store_world.h"

#include "gateway/store/streams.h"

#define ROMEO "romeo@montague.example"

struct step {
    const char *put;                /* a new stream of ROMEO/orchard */
    int64_t kept_handled, kept_serial; /* a message of "t1"; 0: none */
    const struct stream_save *save;
    int64_t forget_before_us;
    const char *drop;
};

static bool run_step(struct store_tx *tx, void *user, struct error *e)
{
    const struct step *s = user;
    struct stream_row row = {.token = s->put, .account = ROMEO, .resource = "orchard", .presence = SPAN("<presence/>"), .flags = 3};
    return (!s->put || streams_put(tx, &row, e)) &&
           (!s->kept_handled || streams_kept(tx, "t1", s->kept_handled, s->kept_serial, e)) &&
           (!s->save || streams_save(tx, s->save, e)) && (!s->drop || streams_drop(tx, s->drop, e)) &&
           (!s->forget_before_us || streams_forget_old(tx, s->forget_before_us, e));
}

static void step(struct step s)
{
    struct error e = ERROR_INIT;
    if (!store_write_wait(world.store, run_step, &s, &e))
        fail_msg("%s", e.text);
}

struct found {
    const char *token;
    bool found;
    struct arena arena;
    struct stream_row row;
};

static struct span copy(struct arena *a, struct span s)
{
    return (struct span){arena_dup_n(a, s.data, s.len), s.len};
}

static void note_row(void *user, const struct stream_row *row)
{
    struct found *f = user;
    if (strcmp(f->token, row->token) != 0)
        return;
    f->found = true;
    f->row = *row;
    f->row.account = arena_dup(&f->arena, row->account);
    f->row.outs = copy(&f->arena, row->outs);
    f->row.presence = copy(&f->arena, row->presence);
    f->row.directed = copy(&f->arena, row->directed);
}

static bool run_each(struct store_tx *tx, void *user, struct error *e)
{
    return streams_each(tx, note_row, user, e);
}

static struct found loaded(const char *token)
{
    struct found f = {.token = token};
    struct error e = ERROR_INIT;
    arena_init(&f.arena);
    if (!store_write_wait(world.store, run_each, &f, &e))
        fail_msg("%s", e.text);
    return f;
}

static void expect(const char *token, bool found, int64_t handled, int64_t serial, int64_t done)
{
    struct found l = loaded(token);
    assert_int_equal(l.found, found);
    if (found) {
        assert_string_equal(l.row.account, ROMEO);
        assert_int_equal(l.row.handled, handled);
        assert_int_equal(l.row.serial, serial);
        assert_int_equal(l.row.done, done);
    }
    arena_fini(&l.arena);
}

static void counts(void **state)
{
    (void)state;
    step((struct step){.put = "t1"});
    expect("t1", true, 0, 0, 0);
    step((struct step){.kept_handled = 3, .kept_serial = 2}); /* before the one in front of it */
    expect("t1", true, 3, 2, 1);
    step((struct step){.kept_handled = 1, .kept_serial = 1});
    expect("t1", true, 3, 2, 2);
    step((struct step){.save = &(struct stream_save){.token = "t1", .handled = 2, .resolved = 1}});
    expect("t1", true, 3, 2, 3); /* h does not fall */
    step((struct step){.save = &(struct stream_save){.token = "t1", .handled = 9, .resolved = 7, .serial = 4, .quiet = true}});
    world_reopen();
    expect("t1", true, 9, 4, 4); /* nothing is under way: that is said outright */
}

static void what_is_saved(void **state)
{
    (void)state;
    step((struct step){.put = "t1"});
    step((struct step){.save = &(struct stream_save){.token = "t1", .acked = 5, .outs = SPAN("123456789012")}});
    struct found l = loaded("t1");
    assert_int_equal(l.row.acked, 5);
    assert_true(span_eq_text(l.row.outs, "123456789012"));
    assert_true(span_eq_text(l.row.presence, "<presence/>")); /* as it was */
    assert_int_equal(l.row.flags, 3);
    arena_fini(&l.arena);
    step((struct step){.save = &(struct stream_save){.token = "t1", .with_presence = true, .flags = 1}});
    step((struct step){.save = &(struct stream_save){.token = "t1", .with_directed = true, .directed = SPAN("a@b/c\n")}});
    l = loaded("t1");
    assert_true(span_eq_text(l.row.directed, "a@b/c\n"));
    assert_int_equal(l.row.presence.len + l.row.outs.len, 0);
    assert_int_equal(l.row.flags, 1);
    arena_fini(&l.arena);
}

static void ends(void **state)
{
    (void)state;
    step((struct step){.put = "t1"});
    step((struct step){.put = "t2"}); /* the same resource: the first is over */
    expect("t1", false, 0, 0, 0);
    expect("t2", true, 0, 0, 0);
    step((struct step){.forget_before_us = 1});
    expect("t2", true, 0, 0, 0);
    step((struct step){.forget_before_us = INT64_MAX});
    expect("t2", false, 0, 0, 0);
    step((struct step){.put = "t3"});
    step((struct step){.drop = "t3"});
    expect("t3", false, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(what_is_saved, world_setup_open, world_teardown),
        cmocka_unit_test_setup_teardown(ends, world_setup_open, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
