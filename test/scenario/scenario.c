/* SPDX-License-Identifier: MIT */
/* Reads a conversation and plays it on test/world. One file, one world; test/scenario/README.md has
 * the language. Prints the file and line of what did not hold. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/arena.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "test/world/match.h"
#include "test/world/world.h"

enum { PROVIDER_PACE_MS = 2000 /* it takes one request a second */ };
enum { LINE_MAX_LEN = 4096, GATEWAYS_MAX = 4, PEERS_MAX = 32, WORDS_MAX = 12, DAY_S = 86400 };

struct play {
    const char *file;
    FILE *in;
    unsigned line, command_line;
    char next[LINE_MAX_LEN]; /* read ahead; "" at the end */
    bool has_next;
    struct world_gateway gateways[GATEWAYS_MAX];
    unsigned gateway_count;
    struct world *world; /* NULL until the first line that needs it */
    struct {
        char *name;
        struct peer *peer;
    } peers[PEERS_MAX];
    unsigned peer_count;
    struct match_variables vars;
    struct stanza *seen; /* what arrived last, for the message */
    struct arena sql; /* of `counts`: the store knows a statement by its address */
};

static void complain(struct play *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void complain(struct play *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s:%u: ", p->file, p->command_line);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1);
}

static char *show(const struct stanza *st)
{
    struct bytes xml = BYTES_EMPTY;
    if (st)
        stanza_write(&xml, st, NULL);
    return bytes_take(&xml);
}

/* ---- reading ---- */

static bool read_line(struct play *p, char line[LINE_MAX_LEN])
{
    if (p->has_next) {
        p->has_next = false;
        memcpy(line, p->next, LINE_MAX_LEN);
    } else if (!fgets(line, LINE_MAX_LEN, p->in)) {
        return false;
    } else {
        p->line++;
    }
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* The indented lines that follow, variables filled in. */
static char *read_block(struct play *p, bool fill)
{
    struct bytes text = BYTES_EMPTY;
    char line[LINE_MAX_LEN];
    while (read_line(p, line)) {
        if (line[0] != ' ' && line[0] != '\t') {
            memcpy(p->next, line, LINE_MAX_LEN);
            p->has_next = true;
            break;
        }
        bytes_append_text(&text, line + strspn(line, " \t"));
        size_t len = strlen(line);
        if (len && line[len - 1] != '>')
            bytes_append_char(&text, ' ');
    }
    char *block = bytes_take(&text);
    if (!fill)
        return block;
    char *filled = match_fill(block, &p->vars);
    mem_free(block);
    return filled;
}

/* ---- who ---- */

static struct world *world(struct play *p)
{
    if (!p->world)
        p->world = world_create(p->gateways, p->gateway_count);
    return p->world;
}

static struct peer *find_peer(struct play *p, const char *name)
{
    for (unsigned i = p->peer_count; i-- > 0;)
        if (text_eq(p->peers[i].name, name))
            return p->peers[i].peer;
    complain(p, "nobody is bound as %s", name);
    return NULL;
}

static void add_peer(struct play *p, const char *name)
{
    struct peer *peer = world_bind(world(p), name);
    if (!peer)
        complain(p, "%s cannot bind: %s", name, stanza_error_name(world_refusal(p->world)));
    if (p->peer_count == PEERS_MAX)
        complain(p, "too many peers");
    p->peers[p->peer_count].name = mem_dup(name);
    p->peers[p->peer_count++].peer = peer;
}

/* ---- what they do ---- */

static void sends(struct play *p, struct peer *peer, bool allowed)
{
    char *xml = read_block(p, true);
    struct stanza *st = match_parse(xml);
    if (!st)
        complain(p, "this is not a stanza: %s", xml);
    stanza_unref(&st);
    if (peer_send(peer, xml) != allowed)
        complain(p, allowed ? "the gateway refused this `from`" : "the gateway took this `from`");
    mem_free(xml);
    world_settle(p->world);
}

/* {i} in it is which one. */
static void sends_times(struct play *p, struct peer *peer, const char *times)
{
    uint64_t count;
    if (!text_to_u64(times, &count))
        complain(p, "sends NUMBER times");
    char *block = read_block(p, false);
    for (uint64_t i = 1; i <= count; i++) {
        struct match_variables with_i = p->vars;
        CHECK(with_i.count < MATCH_VARIABLES_MAX);
        snprintf(with_i.list[with_i.count].name, 32, "i");
        snprintf(with_i.list[with_i.count++].value, 512, "%llu", (unsigned long long)i);
        char *xml = match_fill(block, &with_i);
        if (!peer_send(peer, xml))
            complain(p, "the gateway refused this `from`");
        mem_free(xml);
        world_settle(p->world);
    }
    mem_free(block);
}

/* How many messages with a body wait here, from that bare JID. */
static void has(struct play *p, struct peer *peer, const char *number, const char *from)
{
    uint64_t expected;
    unsigned count = 0;
    struct stanza *got;
    for (unsigned i = 0; (got = peer_look(peer, i)); i++)
        count += got->kind == STANZA_MESSAGE && got->from && text_eq(got->from->bare, from) && stanza_body(got);
    if (!text_to_u64(number, &expected) || count != expected)
        complain(p, "there are %u", count);
}

static struct stanza *read_expected(struct play *p)
{
    char *xml = read_block(p, false);
    struct stanza *st = match_parse(xml);
    if (!st)
        complain(p, "this is not a stanza: %s", xml);
    mem_free(xml);
    return st;
}

/* The next stanza; or, with `any`, one among those that wait. */
static void receives(struct play *p, struct peer *peer, bool any)
{
    struct stanza *expected = read_expected(p), *got;
    const char *missing = "nothing arrived";
    for (unsigned i = 0; (got = peer_look(peer, i)); i++) {
        missing = match_stanza(expected, got, &p->vars);
        if (!missing) {
            peer_take(peer, i);
            break;
        }
        if (!any)
            break;
    }
    if (missing)
        complain(p, "%s%s\n  got: %s\n  expected: %s", missing, any ? " (among all)" : "",
                 show(any ? peer_look(peer, 0) : got), show(expected));
    stanza_unref(&expected);
}

static void receives_nothing(struct play *p, struct peer *peer)
{
    struct stanza *got = peer_look(peer, 0);
    if (got)
        complain(p, "something arrived: %s", show(got));
}

static void forgets(struct peer *peer)
{
    while (peer_next(peer))
        ;
}

static void is(struct play *p, struct peer *peer, const char *what)
{
    if (text_eq(what, "settled")) {
        if (peer_settled(peer) != peer_sent(peer))
            complain(p, "%u of %u stanzas are settled", peer_settled(peer), peer_sent(peer));
    } else if (text_eq(what, "unsettled")) {
        if (peer_settled(peer) == peer_sent(peer))
            complain(p, "all stanzas are settled");
    } else if (text_eq(what, "replaced")) {
        if (peer_replaced(peer) != STREAM_CONFLICT)
            complain(p, "was not replaced");
    } else if (text_eq(what, "ended")) {
        if (peer_replaced(peer) == STREAM_OK || peer_replaced(peer) == STREAM_CONFLICT)
            complain(p, "was not ended");
    } else if (text_eq(what, "active")) {
        peer_link_state(peer, LINK_ACTIVE);
    } else if (text_eq(what, "inactive")) {
        peer_link_state(peer, LINK_INACTIVE);
    } else if (text_eq(what, "hibernating")) {
        peer_link_state(peer, LINK_HIBERNATING);
    } else {
        complain(p, "unknown: is %s", what);
    }
}

static bool is_phrase(char *const *w, unsigned n, const char *phrase)
{
    char joined[256] = "";
    size_t at = 0;
    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(joined + at, sizeof(joined) - at, "%s%s", i ? " " : "", w[i]);
    return text_eq(joined, phrase);
}

static void peer_line(struct play *p, char *const *w, unsigned n)
{
    if (is_phrase(w + 1, n - 1, "binds")) {
        add_peer(p, w[0]);
        return;
    }
    if (n == 4 && is_phrase(w + 1, 2, "cannot bind:")) {
        if (world_bind(world(p), w[0]))
            complain(p, "%s could bind", w[0]);
        if (!text_eq(stanza_error_name(world_refusal(p->world)), w[3]))
            complain(p, "refused with %s", stanza_error_name(world_refusal(p->world)));
        return;
    }
    struct peer *peer = find_peer(p, w[0]);
    char *const *v = w + 1;
    n--;
    if (is_phrase(v, n, "sends"))
        sends(p, peer, true);
    else if (is_phrase(v, n, "may not send"))
        sends(p, peer, false);
    else if (is_phrase(v, n, "receives"))
        receives(p, peer, false);
    else if (is_phrase(v, n, "receives among others"))
        receives(p, peer, true);
    else if (is_phrase(v, n, "receives nothing"))
        receives_nothing(p, peer);
    else if (is_phrase(v, n, "forgets"))
        forgets(peer);
    else if (is_phrase(v, n, "holds reports"))
        peer_hold_reports(peer);
    else if (is_phrase(v, n, "reports"))
        peer_report(peer);
    else if (is_phrase(v, n, "vanishes"))
        peer_vanish(peer);
    else if (is_phrase(v, n, "falls asleep"))
        peer_fall_asleep(peer);
    else if (is_phrase(v, n, "wakes"))
        peer_wake(peer);
    else if (n == 3 && text_eq(v[0], "sends") && text_eq(v[2], "times"))
        sends_times(p, peer, v[1]);
    else if (n == 5 && text_eq(v[0], "has") && is_phrase(v + 2, 2, "messages from"))
        has(p, peer, v[1], v[4]);
    else if (n == 2 && text_eq(v[0], "is"))
        is(p, peer, v[1]);
    else
        complain(p, "what does this mean?");
    world_settle(p->world);
}

/* ---- lines ---- */

static void gateway_line(struct play *p, char *const *w, unsigned n)
{
    if (p->world || p->gateway_count == GATEWAYS_MAX)
        complain(p, "gateways come first, and are few");
    struct world_gateway *g = &p->gateways[p->gateway_count++];
    g->domain = mem_dup(w[1]);
    g->strangers = STRANGERS_ASK;
    for (unsigned i = 2; i < n; i++) {
        if (text_eq(w[i], "delivers"))
            g->strangers = STRANGERS_DELIVER;
        else if (text_eq(w[i], "refuses"))
            g->strangers = STRANGERS_REFUSE;
        else if (text_eq(w[i], "no-archive"))
            g->no_archive = true;
        else if (text_eq(w[i], "two-loops"))
            g->loops = 2;
        else if (text_eq(w[i], "one-resource"))
            g->resources_max = 1;
        else if (text_starts_with(w[i], "devices"))
            g->devices = &devices_played, g->texts_a_day = (unsigned)strtoul(w[i] + strcspn(w[i], "0123456789"), NULL, 10);
        else
            complain(p, "unknown: %s", w[i]);
    }
}

/* "advance until 21:30": UTC, within the next day. */
static void advance_until(struct play *p, const char *text)
{
    unsigned h, min;
    if (sscanf(text, "%u:%u", &h, &min) != 2 || h > 23 || min > 59)
        complain(p, "advance until HH:MM");
    int64_t now = world_now_us(world(p)) / 1000, day = (int64_t)DAY_S * 1000;
    int64_t wait = (int64_t)(h * 3600 + min * 60) * 1000 - now % day;
    world_advance(p->world, (uint64_t)(wait > 0 ? wait : wait + day));
}

static void advance_line(struct play *p, char *const *w, unsigned n)
{
    uint64_t count = 0;
    if (n == 3 && text_eq(w[1], "until")) {
        advance_until(p, w[2]);
        return;
    }
    if (n != 3 || !text_to_u64(w[1], &count))
        complain(p, "advance NUMBER s|min|h|d");
    uint64_t unit = text_eq(w[2], "s")     ? 1000
                    : text_eq(w[2], "min") ? 60000
                    : text_eq(w[2], "h")   ? 3600000
                                           : 86400000;
    world_advance(world(p), count * unit);
}

static void wire_line(struct play *p, const char *state)
{
    if (text_eq(state, "up"))
        world_wire(world(p), WIRE_UP);
    else if (text_eq(state, "holds"))
        world_wire(world(p), WIRE_HOLDS);
    else if (text_eq(state, "fails"))
        world_wire(world(p), WIRE_FAILS);
    else
        complain(p, "wire up|holds|fails");
    world_settle(p->world);
}

/* ---- devices ---- */

static struct world_devices *devices(struct play *p, const char *domain)
{
    for (unsigned i = 0; i < p->gateway_count; i++)
        if (p->gateways[i].devices && (!domain || text_eq(p->gateways[i].domain, domain)))
            return world_devices(world(p), p->gateways[i].domain);
    complain(p, "no gateway has devices%s%s", domain ? ": " : "", domain ? domain : "");
    return NULL;
}

/* provider of DOMAIN accepts; mail server of DOMAIN fails */
static void mood_line(struct play *p, char *const *w, unsigned n)
{
    bool mail = text_eq(w[0], "mail");
    unsigned at = mail ? 2 : 1;
    static const char *const words[] = {"accepts", "fails", "refuses", "says-nothing"};
    for (unsigned i = 0; n == at + 3 && text_eq(w[at], "of") && i < sizeof words / sizeof *words; i++)
        if (text_eq(w[at + 2], words[i])) {
            (mail ? devices_mail_server : devices_provider)(devices(p, w[at + 1]), (enum devices_mood)i);
            return;
        }
    complain(p, "provider of DOMAIN accepts|fails|refuses|says-nothing");
}

/* What is written must be somewhere in it. */
static void arrives(struct play *p, bool mail, const char *to)
{
    struct world_devices *d = devices(p, NULL);
    const char *(*look)(struct world_devices *, const char *) = mail ? devices_look_mail : devices_look_text;
    if (!look(d, to))
        world_advance(p->world, PROVIDER_PACE_MS);
    const char *got = look(d, to);
    char *block = read_block(p, false);
    size_t len = strlen(block);
    while (len && block[len - 1] == ' ')
        block[--len] = '\0';
    struct bytes pattern = BYTES_EMPTY;
    bytes_printf(&pattern, "*%s*", block);
    if (!got || !match_text(bytes_text(&pattern), got, &p->vars))
        complain(p, "to %s went: %s\n  expected: %s", to, got ? got : "nothing", block);
    (mail ? devices_take_mail : devices_take_text)(d, to);
    bytes_fini(&pattern);
    mem_free(block);
}

static void nothing_arrives(struct play *p, bool mail, const char *to)
{
    const char *got = (mail ? devices_look_mail : devices_look_text)(devices(p, NULL), text_eq(to, "anybody") ? NULL : to);
    if (got)
        complain(p, "to %s went: %s", to, got);
}

static void text_from(struct play *p, const char *from, bool forged)
{
    struct world_devices *d = devices(p, NULL);
    char *text = read_block(p, true);
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ')
        text[--len] = '\0';
    devices_text_arrives(d, from, text, forged);
    world_settle(p->world);
    if (devices_answer(d) != (forged ? 403 : 200))
        complain(p, "the webhook was answered %d", devices_answer(d));
    mem_free(text);
}

static void status(struct play *p, const char *to, const char *state)
{
    struct world_devices *d = devices(p, NULL);
    if (!devices_status(d, to, state))
        complain(p, "no text went to %s", to);
    world_settle(p->world);
    if (devices_answer(d) != 204)
        complain(p, "the webhook was answered %d", devices_answer(d));
}

static void tries(struct play *p, const char *count)
{
    uint64_t expected;
    unsigned got = devices_tries(devices(p, NULL));
    if (!text_to_u64(count, &expected) || got != expected)
        complain(p, "it was tried %u times", got);
}

/* DOMAIN counts N: the SQL follows, indented. */
static void counts(struct play *p, const char *domain, const char *number)
{
    uint64_t expected;
    char *block = read_block(p, true);
    int64_t got = world_count(world(p), domain, arena_dup(&p->sql, block));
    if (!text_to_u64(number, &expected) || got != (int64_t)expected)
        complain(p, "there are %lld", (long long)got);
    mem_free(block);
}

static bool device_line(struct play *p, char *const *w, unsigned n)
{
    if (text_eq(w[0], "provider") || (n == 5 && text_eq(w[0], "mail") && text_eq(w[1], "server")))
        mood_line(p, w, n);
    else if (n == 3 && (text_eq(w[0], "text") || text_eq(w[0], "mail")) && text_eq(w[1], "to"))
        arrives(p, text_eq(w[0], "mail"), w[2]);
    else if (n == 4 && text_eq(w[0], "no") && text_eq(w[2], "to"))
        nothing_arrives(p, text_eq(w[1], "mail"), w[3]);
    else if (n == 3 && is_phrase(w, 2, "text from"))
        text_from(p, w[2], false);
    else if (n == 4 && is_phrase(w, 3, "forged text from"))
        text_from(p, w[3], true);
    else if (n == 5 && is_phrase(w, 2, "text to") && text_eq(w[3], "was"))
        status(p, w[2], w[4]);
    else if (n == 3 && text_eq(w[0], "tried") && text_eq(w[2], "times"))
        tries(p, w[1]);
    else if (n == 3 && text_eq(w[1], "counts"))
        counts(p, w[0], w[2]);
    else
        return false;
    return true;
}

static void run_line(struct play *p, char *line)
{
    char *w[WORDS_MAX], *save = NULL;
    unsigned n = 0;
    for (char *t = strtok_r(line, " \t", &save); t && n < WORDS_MAX;
         t = strtok_r(NULL, " \t", &save))
        w[n++] = t;
    if (!n || w[0][0] == '#')
        return;
    p->command_line = p->line;
    if (n >= 2 && text_eq(w[0], "gateway"))
        gateway_line(p, w, n);
    else if (n == 2 && text_eq(w[0], "account"))
        world_account(world(p), w[1]);
    else if (n == 2 && text_eq(w[0], "admin"))
        world_admin(world(p), w[1]);
    else if (text_eq(w[0], "advance"))
        advance_line(p, w, n);
    else if (n == 2 && text_eq(w[0], "wire"))
        wire_line(p, w[1]);
    else if (n >= 2 && strchr(w[0], '@'))
        peer_line(p, w, n);
    else if (!device_line(p, w, n))
        complain(p, "what does this mean?");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    struct play *p = mem_new(struct play);
    p->file = argv[1];
    arena_init(&p->sql);
    p->in = fopen(p->file, "r");
    if (!p->in) {
        perror(p->file);
        return 2;
    }
    log_set_level(getenv("SCENARIO_LOG") ? LOG_DEBUG : LOG_ERROR);
    char line[LINE_MAX_LEN];
    while (read_line(p, line))
        run_line(p, line);
    fclose(p->in);
    if (p->world)
        world_destroy(&p->world);
    arena_fini(&p->sql);
    for (unsigned i = 0; i < p->peer_count; i++)
        mem_free(p->peers[i].name);
    for (unsigned i = 0; i < p->gateway_count; i++)
        mem_free((void *)p->gateways[i].domain);
    mem_free(p);
    return 0;
}
