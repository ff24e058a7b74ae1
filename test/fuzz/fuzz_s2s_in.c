/* SPDX-License-Identifier: MIT */
/* Any bytes as what a server says to us on a real connection. The first byte chooses: whether dialback
 * has proved peer.test before (1), whether the stanzas settle late (2), whether the authoritative server
 * says no (4) or nothing (8), and the size of the pieces. However it goes: only what is from peer.test
 * and to a.test comes out, and only after it was proved, and the connection can be ended. */
#include "test/unit/s2s/s2s_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER RAW_HEADER("peer.test", "a.test")

struct place {
    struct world w;
    struct side a;
    struct peer p;
};

/* One place for all inputs: a resolver costs more than a conversation. */
static struct place *the_place(void)
{
    static struct place *pl;
    if (pl)
        return pl;
    pl = mem_new(struct place);
    world_open(&pl->w);
    log_set_sink(NULL, NULL);
    peer_open(&pl->p, &pl->w, "peer.test");
    const struct s2s_remote r = {
        .domain = "peer.test", .host = "127.0.0.1", .port = pl->p.port, .tls_optional = true};
    side_open(&pl->a, &pl->w, "a.test", world_free_port(&pl->w), "s2s 127.0.0.0/8",
              (struct s2s_options){.remotes = &r, .remote_count = 1});
    return pl;
}

/* Turns while there is something to do; what other threads do (TLS has none here) is not awaited. */
static void turn(struct place *pl, struct raw *r)
{
    for (int quiet = 0; quiet < 2;)
        quiet = loop_turn(pl->w.loop) ? 0 : quiet + 1;
    if (strlen(r->heard) > WORLD_TEXT / 2)
        r->heard[0] = '\0';
    raw_listen(r);
}

static void say_in_pieces(struct place *pl, struct raw *r, const char *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size && !r->ended; at += step) {
        size_t n = size - at < step ? size - at : step;
        if (send(r->fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(pl, r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw r;
    if (size < 1 || size > 32768)
        return 0;
    struct place *pl = the_place();
    bool proved = data[0] & 1;
    pl->p.verify_type = "valid";
    raw_open(&r, &pl->w, pl->a.port);
    if (proved)
        raw_prove(&r, HEADER, "peer.test", "a.test");
    pl->p.verify_type = data[0] & 8 ? NULL : data[0] & 4 ? "invalid" : "valid";
    pl->a.x.hold = data[0] & 2;
    size_t step = size / 16 + (size_t)1;
    if (data[0] & 16)
        step = size;
    say_in_pieces(pl, &r, (const char *)data + 1, size - 1, step);
    CHECK(pl->a.x.in_count == 0 || proved || (pl->p.verify_type && strcmp(pl->p.verify_type, "valid") == 0));
    if (data[0] & 32)
        clock_fake_advance(&pl->w.clock, 70000);
    turn(pl, &r);
    exchange_let_go(&pl->a.x);
    turn(pl, &r);
    close(r.fd);
    turn(pl, &r);
    for (int i = 0; i < 4; i++) { /* questions, pauses and last words end */
        clock_fake_advance(&pl->w.clock, 31000);
        turn(pl, &r);
    }
    peer_drop(&pl->p);
    pl->a.x.in_count = 0;
    pl->a.x.in[0] = pl->a.x.out[0] = pl->a.x.why[0] = pl->p.heard[0] = '\0';
    pl->w.log[0] = '\0';
    return 0;
}
