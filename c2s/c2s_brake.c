/* SPDX-License-Identifier: MIT */
/* A table of fixed size, four places a set. Keys are hashes that nobody outside can foresee, so nobody can
 * aim at the set of another's account. */
#include "c2s/c2s_brake.h"

#include <netinet/in.h>
#include <string.h>

#include "gateway/base/hash.h"
#include "gateway/base/mem.h"

enum { SETS = 1024, WAYS = 4, ABOVE_FREE = 10 /* more are not counted: so long a rest forgives all */ };

struct entry {
    uint64_t key; /* 0: free */
    uint64_t since_ms; /* from when on the next is forgiven */
    uint16_t wrong, waiting;
};

struct c2s_brake {
    struct entry sets[SETS][WAYS];
};

/* What one kind of key may do. */
struct rule {
    unsigned free, waiting;
};

static const struct rule for_account = { C2S_BRAKE_FREE, C2S_BRAKE_WAITING };
static const struct rule for_network = { C2S_BRAKE_NETWORK_FREE, C2S_BRAKE_NETWORK_WAITING };

struct c2s_brake *c2s_brake_create(void)
{
    return mem_new(struct c2s_brake);
}

void c2s_brake_destroy(struct c2s_brake **b)
{
    mem_free(*b);
    *b = NULL;
}

static uint64_t hash_of(const char *text, const unsigned char *network, size_t len)
{
    unsigned char seed[8 + 6] = { 0 };
    uint64_t of_text = hash_text(text), h;

    memcpy(seed, &of_text, sizeof(of_text));
    memcpy(seed + 8, network, len);
    h = hash_bytes(seed, 8 + len);
    return h ? h : 1;
}

struct c2s_brake_key c2s_brake_key(const struct sockaddr *peer, const char *user, const char *domain)
{
    unsigned char network[6] = { 0 };
    size_t len = 0;

    if (peer->sa_family == AF_INET) {
        len = 3;
        memcpy(network, &((const struct sockaddr_in *)peer)->sin_addr, len);
    } else if (peer->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        bool v4 = IN6_IS_ADDR_V4MAPPED(a);
        len = v4 ? 3 : 6;
        memcpy(network, a->s6_addr + (v4 ? 12 : 0), len);
    }
    /* A localpart is never empty, so the network's own key is nobody's account. */
    uint64_t of_domain = hash_text(domain);
    struct c2s_brake_key k = { hash_of(user, network, len) ^ of_domain, hash_of("", network, len) };
    k.account += k.account == 0;
    return k;
}

static struct entry *find(struct c2s_brake *b, uint64_t key)
{
    struct entry *set = b->sets[key % SETS];

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

static void forgive(struct entry *e, uint64_t mono_ms)
{
    uint64_t n = (mono_ms - e->since_ms) / C2S_BRAKE_FORGIVE_MS;

    e->since_ms += n * C2S_BRAKE_FORGIVE_MS;
    e->wrong = n < e->wrong ? (uint16_t)(e->wrong - n) : 0;
}

/* Its own place, or a free one, or that of whoever has been quiet the longest. */
static struct entry *take(struct c2s_brake *b, uint64_t key, uint64_t mono_ms)
{
    struct entry *set = b->sets[key % SETS], *e = find(b, key), *oldest = &set[0];

    for (unsigned i = 1; !e && i < WAYS; i++)
        if (!set[i].key || (oldest->key && set[i].since_ms < oldest->since_ms))
            oldest = &set[i];
    if (!e) {
        e = oldest;
        *e = (struct entry){ .key = key, .since_ms = mono_ms };
    }
    forgive(e, mono_ms);
    return e;
}

static uint64_t delay_of(unsigned wrong, const struct rule *r)
{
    unsigned over = wrong > r->free ? wrong - r->free : 0;

    return over == 0 ? 0 : over > 4 ? C2S_BRAKE_MAX_MS : (uint64_t)1000 << (over - 1);
}

/* What the next wrong one costs; 0 when nothing is held against that key. */
static uint64_t price(struct c2s_brake *b, uint64_t key, const struct rule *r, uint64_t mono_ms)
{
    struct entry *e = find(b, key);

    if (e)
        forgive(e, mono_ms);
    return e ? delay_of(e->wrong + 1u, r) : 0;
}

static void count(struct c2s_brake *b, uint64_t key, const struct rule *r, uint64_t mono_ms)
{
    struct entry *e = take(b, key, mono_ms);

    if (!e->wrong)
        e->since_ms = mono_ms;
    e->wrong += e->wrong < r->free + ABOVE_FREE;
}

/* false: it is full. No entry: it was pushed out, and holds nobody up. */
static bool has_room(struct c2s_brake *b, uint64_t key, const struct rule *r)
{
    const struct entry *e = find(b, key);

    return !e || e->waiting < r->waiting;
}

static void add_waiting(struct c2s_brake *b, uint64_t key)
{
    struct entry *e = find(b, key);

    if (e)
        e->waiting++;
}

static void end_waiting(struct c2s_brake *b, uint64_t key)
{
    struct entry *e = find(b, key);

    if (e && e->waiting)
        e->waiting--;
}

static void forget_wrong(struct c2s_brake *b, uint64_t key)
{
    struct entry *e = find(b, key);

    if (e)
        e->wrong = 0;
}

bool c2s_brake_judged(struct c2s_brake *b, struct c2s_brake_key key, bool wrong, uint64_t mono_ms, uint64_t *delay_ms)
{
    /* Asked before it is counted, as if it were wrong: right and wrong look alike. */
    uint64_t own = price(b, key.account, &for_account, mono_ms), all = price(b, key.network, &for_network, mono_ms);

    *delay_ms = own > all ? own : all;
    if (wrong || *delay_ms) { /* so that also what the next one costs does not say what is not told yet */
        count(b, key.account, &for_account, mono_ms);
        count(b, key.network, &for_network, mono_ms);
    } else {
        forget_wrong(b, key.account);
    }
    if (*delay_ms) {
        if (!has_room(b, key.account, &for_account) || !has_room(b, key.network, &for_network))
            return false;
        add_waiting(b, key.account);
        add_waiting(b, key.network);
    }
    return true;
}

void c2s_brake_told(struct c2s_brake *b, struct c2s_brake_key key, bool right)
{
    struct entry *network = find(b, key.network);

    end_waiting(b, key.account);
    end_waiting(b, key.network);
    if (!right)
        return;
    forget_wrong(b, key.account);
    if (network && network->wrong)
        network->wrong--; /* it was counted as if it were wrong */
}
