/* SPDX-License-Identifier: MIT */
/* The edge under the real exchange and store: what is acknowledged is kept, what is kept arrives,
 * once and in order, over a cut, in both arrangements of loops. */
#include "test/unit/c2s/c2s_world.h"

struct fixture {
    struct world w;
    struct client romeo, mercutio;
};

static int setup_with(void **state, enum arrangement how)
{
    static const struct community communities[] = {{.domain = "montague.example", .archive = true}};
    static const struct service *const services[] = {NULL};
    struct fixture *f = mem_new(struct fixture);

    world_open(&f->w, how);
    f->w.exchange = exchange_create(&(struct exchange_options){.loops = f->w.shards,
        .loop_count = f->w.shard_count,
                                                               .store = f->w.store,
                                                               .communities = communities,
                                                               .community_count = 1,
                                                               .services = services});
    exchange_start(f->w.exchange);
    world_start(&f->w, (struct c2s_limits){0});
    f->romeo.fd = f->mercutio.fd = -1;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, TOGETHER);
}

static int setup_threaded(void **state)
{
    return setup_with(state, THREADED);
}

static int setup_two_io(void **state)
{
    return setup_with(state, TWO_IO);
}

static int setup_two_shards(void **state)
{
    return setup_with(state, TWO_SHARDS);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    client_close(&f->romeo);
    client_close(&f->mercutio);
    world_stop(&f->w);
    world_settle_down(&f->w);
    struct exchange *x = f->w.exchange;
    log_set_sink(NULL, NULL);
    world_end_threads(&f->w);
    store_close(&f->w.store);
    world_settle_down(&f->w);
    exchange_destroy(&x);
    world_close(&f->w);
    mem_free(f);
    return 0;
}

static void log_in(struct client *c, struct world *w, const char *user, const char *password,
                   const char *resource)
{
    client_proved_stage(c, w, user, password);
    client_bind(c, resource);
    client_send(c, "<presence/>");
}

static void enable(struct client *c, char token[64])
{
    client_send(c, "<enable " SM " resume='true'/>");
    client_expect(c, "<enabled");
    client_expect(c, "/>");
    client_attr(c, "id", token, 64);
}

/* A friend, so that nothing is a contact request. */
static void befriend(struct fixture *f)
{
    client_send(&f->mercutio,
                "<message to='romeo@montague.example' type='chat'><body>hail</body></message>");
    client_send(&f->romeo,
                "<message to='mercutio@montague.example' type='chat'><body>hail</body></message>");
    client_expect(&f->mercutio, "hail");
    client_expect(&f->romeo, "hail");
}

static void chat_in_order(void **state)
{
    struct fixture *f = *state;
    char text[256], token[64];

    log_in(&f->mercutio, &f->w, "mercutio", "mab", "sword");
    log_in(&f->romeo, &f->w, "romeo", "rose", "orchard");
    befriend(f);
    enable(&f->romeo, token);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text),
                 "<message to='mercutio@montague.example' type='chat' "
                 "id='n%d'><body>%d</body></message>",
                 i, i);
        client_send(&f->romeo, text);
    }
    client_send(&f->romeo, "<r " SM "/>");
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "id='n%d'", i);
        client_expect(&f->mercutio, text);
        assert_non_null(strstr(f->mercutio.got, "from='romeo@montague.example/orchard'"));
    }
    client_expect(&f->romeo, " h='200'/>");
}

/* What came before the cut and was not acknowledged comes again on the resumed stream, and once. */
static void cut_and_resumed(void **state)
{
    struct fixture *f = *state;
    char text[256], token[64];

    log_in(&f->mercutio, &f->w, "mercutio", "mab", "sword");
    log_in(&f->romeo, &f->w, "romeo", "rose", "orchard");
    befriend(f);
    enable(&f->mercutio, token);
    for (int i = 0; i < 30; i++) {
        if (i == 10) {
            client_expect(&f->mercutio, "id='n9'");
            client_close(&f->mercutio);
        }
        snprintf(text, sizeof(text),
                 "<message to='mercutio@montague.example' type='chat' "
                 "id='n%d'><body>%d</body></message>",
                 i, i);
        client_send(&f->romeo, text);
    }
    world_settle_down(&f->w);
    client_proved_stage(&f->mercutio, &f->w, "mercutio", "mab");
    snprintf(text, sizeof(text), "<resume " SM " previd='%s' h='5'/>", token);
    client_send(&f->mercutio, text);
    client_expect(&f->mercutio, "<resumed");
    for (int i = 5; i < 30; i++) {
        snprintf(text, sizeof(text), "id='n%d'", i);
        client_expect(&f->mercutio, text);
        assert_null(strstr(f->mercutio.got, "id='n4'"));
    }
    client_send(&f->mercutio, "<a " SM " h='30'/>");
    client_expect_not(&f->mercutio, "<message");
    world_advance(&f->w, 10000);
    /* Acknowledged: the next log-in finds nothing that waits. */
    client_send(&f->mercutio, "</stream:stream>");
    client_expect_end(&f->mercutio);
    client_close(&f->mercutio);
    world_settle_down(&f->w);
    log_in(&f->mercutio, &f->w, "mercutio", "mab", "sword");
    client_expect_not(&f->mercutio, "<message");
}

/* Cut and never resumed: the messages wait for the next log-in. */
static void cut_and_gone(void **state)
{
    struct fixture *f = *state;
    char token[64];

    log_in(&f->mercutio, &f->w, "mercutio", "mab", "sword");
    log_in(&f->romeo, &f->w, "romeo", "rose", "orchard");
    befriend(f);
    enable(&f->mercutio, token);
    client_send(
        &f->romeo,
        "<message to='mercutio@montague.example' type='chat' id='one'><body>1</body></message>");
    client_expect(&f->mercutio, "id='one'");
    client_close(&f->mercutio);
    client_send(
        &f->romeo,
        "<message to='mercutio@montague.example' type='chat' id='two'><body>2</body></message>");
    world_advance(&f->w, 200000);
    client_send(&f->romeo, "<presence/>");
    world_advance(&f->w, 200000);
    log_in(&f->mercutio, &f->w, "mercutio", "mab", "sword");
    client_expect(&f->mercutio, "id='one'");
    client_expect(&f->mercutio, "id='two'");
    client_expect_not(&f->mercutio, "id='one'");
}

/* RFC 6120 7.7.2.2: the newer client takes the resource. */
static void same_resource(void **state)
{
    struct fixture *f = *state;

    log_in(&f->romeo, &f->w, "romeo", "rose", "orchard");
    log_in(&f->mercutio, &f->w, "romeo", "rose", "orchard");
    client_expect(&f->romeo, "<conflict");
    client_expect_end(&f->romeo);
}

static void server_chooses_resource(void **state)
{
    struct fixture *f = *state;

    client_proved_stage(&f->romeo, &f->w, "romeo", "rose");
    client_send(&f->romeo,
                "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client_expect(&f->romeo, "<jid>romeo@montague.example/");
}

/* clang-format off */
#define EACH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup, teardown),                                        \
    {#test " (I/O on its own thread)", test, setup_threaded, teardown, NULL},                      \
    {#test " (I/O on two threads)", test, setup_two_io, teardown, NULL},                           \
    {#test " (people on two loops)", test, setup_two_shards, teardown, NULL}
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(chat_in_order), EACH(cut_and_resumed),         EACH(cut_and_gone),
        EACH(same_resource), EACH(server_chooses_resource),
    };
    return cmocka_run_group_tests_name("c2s_exchange", tests, NULL, NULL);
}
