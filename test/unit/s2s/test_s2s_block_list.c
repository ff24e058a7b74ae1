/* SPDX-License-Identifier: MIT */
/* Block lists that a service keeps: asked for, told of changes, asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/sha.h>
#include <cmocka.h>

#include "test/unit/s2s/s2s_world.h"

#define LOOPBACK "s2s 127.0.0.0/8"

/* The peer is the service, and the domain of who is blocked. */
struct duo {
    struct world w;
    struct side a;
    struct peer p;
    struct raw r; /* by which it speaks */
};

static void duo_open(struct duo *d)
{
    static const char *const lists[] = {"peer.test/spam", NULL};
    struct s2s_community c = {.domain = "a.test", .block_lists = lists};
    struct s2s_remote r = {.domain = "peer.test", .host = "127.0.0.1", .tls_optional = true};
    world_open(&d->w);
    peer_open(&d->p, &d->w, "peer.test");
    r.port = d->p.port;
    side_open(&d->a, &d->w, "a.test", world_free_port(&d->w), LOOPBACK,
              (struct s2s_options){.remotes = &r, .remote_count = 1, .communities = &c, .community_count = 1});
    log_set_level(LOG_INFO);
}

static void duo_close(struct duo *d)
{
    side_close(&d->a);
    peer_close(&d->p);
    world_close(&d->w);
}

/* Of the newest request for the items: subscribe, items, subscribe, items, ... */
static void asked_id(const struct duo *d, char id[64])
{
    const char *last = NULL;
    for (const char *at = strstr(d->p.heard, "iq:"); at; at = strstr(at + 1, "iq:"))
        last = at;
    assert_non_null(last);
    snprintf(id, 64, "%.*s", (int)strcspn(last + 3, " "), last + 3);
}

static unsigned asked_count(const struct duo *d)
{
    unsigned n = 0;
    for (const char *at = strstr(d->p.heard, "iq:"); at; at = strstr(at + 1, "iq:"))
        n++;
    return n;
}

static void hash_of(const char *text, char hex[65])
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, strlen(text), hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(hex + 2 * i, 3, "%02X", hash[i]); /* in capitals: the same */
}

static void answer(struct duo *d, const char *items)
{
    char id[64], text[2048];
    asked_id(d, id);
    snprintf(text, sizeof text,
             "<iq type='result' from='peer.test' to='a.test/block-lists' id='%s'><pubsub "
             "xmlns='http://jabber.org/protocol/pubsub'><items node='spam'>%s</items></pubsub></iq>", id, items);
    raw_say(&d->r, text);
}

static void event(struct duo *d, const char *from, const char *inside)
{
    char text[1024];
    snprintf(text, sizeof text,
             "<message from='%s' to='a.test/block-lists'><event xmlns='http://jabber.org/protocol/pubsub#event'>%s</event>"
             "</message>", from, inside);
    raw_say(&d->r, text);
}

static void say_as(struct duo *d, const char *who, const char *id)
{
    char text[256];
    snprintf(text, sizeof text, "<message from='%s@peer.test/x' to='u@a.test' type='chat' id='%s'><body>x</body></message>",
             who, id);
    raw_say(&d->r, text);
}

static void list_lives(void **state)
{
    struct duo d;
    char villain[65], rogue[65], text[512];
    (void)state;
    hash_of("villain@peer.test", villain);
    hash_of("rogue@peer.test", rogue);
    duo_open(&d);
    world_until(&d.w, asked_count(&d) == 2);
    raw_open(&d.r, &d.w, d.a.port);
    raw_prove(&d.r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    say_as(&d, "villain", "before");
    world_until(&d.w, strstr(d.a.x.in, "message:before"));

    snprintf(text, sizeof text, "<item id='%s'/><item id='no hash'/>", villain);
    answer(&d, text);
    world_until(&d.w, strstr(d.w.log, "block list peer.test/spam: 1 entries"));
    say_as(&d, "villain", "blocked");
    say_as(&d, "rogue", "not-yet");
    world_until(&d.w, strstr(d.a.x.in, "message:not-yet"));
    assert_null(strstr(d.a.x.in, "blocked"));

    /* not from somebody else of that domain */
    event(&d, "rogue@peer.test", "<items node='spam'><retract id='x'/></items>");
    snprintf(text, sizeof text, "<items node='spam'><item id='%s'/><retract id='%s'/></items>", rogue, villain);
    event(&d, "rogue@peer.test", "<purge node='spam'/>");
    event(&d, "peer.test", "<purge node='another'/>");
    event(&d, "peer.test", text);
    world_calm(&d.w);
    world_advance(&d.w, 1100);
    world_until(&d.w, strstr(strstr(d.w.log, "1 entries") + 1, "1 entries"));
    say_as(&d, "rogue", "blocked");
    say_as(&d, "villain", "free");
    world_until(&d.w, strstr(d.a.x.in, "message:free"));
    assert_null(strstr(d.a.x.in, "blocked"));

    event(&d, "peer.test", "<purge node='spam'/>");
    world_calm(&d.w);
    world_advance(&d.w, 1100);
    world_until(&d.w, strstr(d.w.log, "0 entries"));
    raw_close(&d.r);
    duo_close(&d);
}

/* Without an answer it is asked again after a while, and each hour with one. */
static void asked_again(void **state)
{
    struct duo d;
    (void)state;
    duo_open(&d);
    world_until(&d.w, asked_count(&d) == 2);
    for (int i = 0; i < 60 && asked_count(&d) < 4; i++)
        world_advance(&d.w, 10000);
    world_until(&d.w, asked_count(&d) == 4);
    assert_non_null(strstr(d.w.log, "block list peer.test/spam: no answer"));
    raw_open(&d.r, &d.w, d.a.port);
    raw_prove(&d.r, RAW_HEADER("peer.test", "a.test"), "peer.test", "a.test");
    answer(&d, "");
    world_until(&d.w, strstr(d.w.log, "0 entries"));
    for (int i = 0; i < 60 && asked_count(&d) < 6; i++)
        world_advance(&d.w, 120000);
    world_until(&d.w, asked_count(&d) == 6);
    raw_close(&d.r);
    duo_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(list_lives), cmocka_unit_test(asked_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
