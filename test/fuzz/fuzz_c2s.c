/* SPDX-License-Identifier: MIT */
/* Any bytes as what a client says, from one of four places on its way: before TLS, before login,
 * before binding, bound. The connection and the link are real, the exchange is scripted. However it
 * goes: the connection ends, and nothing of it is left. */
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "c2s/c2s_census.h"
#include "c2s/c2s_conn.h"
#include "c2s/c2s_link.h"
#include "gateway/base/log.h"
#include "gateway/xmpp/ns.h"
#include "test/unit/c2s/scripted_exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER                                                                                     \
    "<stream:stream to='montague.example' version='1.0' xmlns='" NS_CLIENT                         \
    "' xmlns:stream='" NS_STREAM "'>"
#define BIND "<iq type='set' id='b'><bind xmlns='" NS_BIND "'/></iq>"

/* One for all runs: opening a store takes longer than a run. */
struct world {
    struct clock_fake clock;
    struct loop *loop;
    struct store *store;
    struct exchange x;
    struct c2s *c2s;
};

static struct world *world_make(void)
{
    static const char *const domains[] = {"montague.example", NULL};
    static const struct c2s_listener listeners[] = {{.address = "127.0.0.1"}};
    static const unsigned char secret[C2S_SECRET_LEN];
    struct world *w = mem_new(struct world);
    struct error e = ERROR_INIT;

    log_set_level(LOG_ERROR);
    clock_fake_init(&w->clock);
    w->loop = loop_create("fuzz", &w->clock.clock);
    w->x.loop = w->loop;
    w->store = store_open(&(struct store_options){.path = ":memory:",
                                                  .schema_dir = CAUSEWAY_SOURCE_DIR "/schemas/sql"},
                          &e);
    struct tls_store *tls = tls_store_create(NULL, &e); /* without a certificate: handshakes fail */
    CHECK(w->store && tls);
    w->c2s = c2s_create(&(struct c2s_options){.io_loops = &w->loop,
                                              .io_loop_count = 1,
                                              .exchange_loops = &w->loop,
                                              .exchange_loop_count = 1,
                                              .exchange = &w->x,
                                              .store = w->store,
                                              .tls = tls,
                                              .listeners = listeners,
                                              .listener_count = 1,
                                              .domains = domains,
                                              .login_secret = secret,
                                              .limits = {.credit_bytes = 4096}});
    CHECK(c2s_census_start(w->c2s, &e)); /* of c2s_start; nothing is to listen */
    return w;
}

static void turn(struct world *w, int peer)
{
    char buf[4096];

    for (int quiet = 0; quiet < 2;) {
        quiet = loop_turn(w->loop) ? 0 : quiet + 1;
        while (recv(peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
            quiet = 0;
        for (unsigned i = 0; i < w->x.in_count; i++)
            if (i % 3) /* a third is settled late */
                settle_release(&w->x.settle[i]);
    }
}

static void say(int peer, const void *data, size_t len)
{
    while (len) {
        ssize_t n = send(peer, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data = (const char *)data + n;
        len -= (size_t)n;
    }
}

/* As if TLS, or TLS and login, had been. */
static void place(struct world *w, struct c2s_conn *k, int peer, unsigned where)
{
    struct arena a;

    k->state = where ? C2S_CONN_SECURE : C2S_CONN_PLAIN;
    if (where < 2)
        return;
    arena_init(&a);
    k->account = jid_dup(jid_parse_text(&a, "romeo@montague.example"));
    arena_fini(&a);
    k->shard = &w->c2s->shards[0];
    k->state = C2S_CONN_PROVED;
    stream_set_limits(k->stream, w->c2s->limits.after_auth);
    if (where < 3)
        return;
    say(peer, HEADER BIND, sizeof(HEADER BIND) - 1);
    turn(w, peer);
}

static void end_run(struct world *w, int peer)
{
    close(peer);
    turn(w, -1);
    while (w->c2s->ios[0].conn_count + w->c2s->ios[0].auth_count) { /* other threads are at work */
        poll(NULL, 0, 1);
        turn(w, -1);
    }
    script_reset(&w->x);
    turn(w, -1);
    while (w->c2s->shards[0].inbound_count) { /* the store is at work */
        poll(NULL, 0, 1);
        turn(w, -1);
    }
    clock_fake_advance(&w->clock, w->c2s->times.resume_ms * 2);
    turn(w, -1);
    while (w->c2s->shards[0].inbound_count) {
        poll(NULL, 0, 1);
        turn(w, -1);
    }
    CHECK(!w->c2s->ios[0].conn_count && !w->c2s->shards[0].link_count &&
          !w->c2s->shards[0].inbound_count);
    CHECK(!w->c2s->shards[0].by_token.count);
    script_free_resources(&w->x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world *w;
    int fds[2];

    if (!w)
        w = world_make();
    if (size < 1)
        return 0;
    size_t piece = data[0] & 4 ? (size_t)1 + (data[0] >> 3) : size;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    c2s_conn_accept(&w->c2s->ios[0].ports[0], fds[0], &(struct sockaddr_storage){.ss_family = AF_UNIX});
    place(w, list_entry(list_first(&w->c2s->ios[0].conns), struct c2s_conn, node), fds[1],
          data[0] & 3);
    for (size_t at = 1; at < size; at += piece) {
        say(fds[1], data + at, size - at < piece ? size - at : piece);
        turn(w, fds[1]);
        if (w->x.resource_count && w->x.resources[0]->bound)
            script_deliver(&w->x, 0, "<message xmlns='jabber:client' id='d'/>", at);
    }
    end_run(w, fds[1]);
    return 0;
}
