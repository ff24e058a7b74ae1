/* SPDX-License-Identifier: MIT */
/* libldap. A line has two connections: over one the searcher asks, over the other people show their passwords, so
 * neither changes who the other is. Both are kept, and made anew when a kept one turns out dead, once for each request.
 *
 * The addresses are the configuration's, and nobody outside has a say in them, so they are not asked of the egress
 * guard. Referrals are not chased: a password goes where it was told to go, and nowhere else. Nothing goes out in the
 * clear but to this machine. */
#include "gateway/net/directory_ldap.h"

#include <ldap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/net/directory_text.h"
#include "gateway/xmpp/prep.h"

#define SYSTEM_ANCHORS "/etc/ssl/certs/ca-certificates.crt"

enum {
    PAGE = 500,
    FOUND_MAX = 2,
    COMPARED_MAX = 4, /* times that a filter has %u */
    DN_BYTES_MAX = 8192,
    KEEPALIVE_S = 60,
    KEEPALIVE_PROBES = 3,
    KEEPALIVE_BETWEEN_S = 10
};

struct line {
    const struct directory_options *o;
    const struct clock *clock;
    LDAP *searcher, *people; /* NULL: not connected */
    unsigned first;          /* of the urls: the one that answered last */
};

/* What came back of one request. */
struct answer {
    int code;
    char *said; /* libldap's; NULL: nothing */
    enum directory_policy policy;
};

static void answer_fini(struct answer *a)
{
    ldap_memfree(a->said);
}

void directory_ldap_init(void)
{
    setenv("LDAPNOINIT", "1", 1);
}

/* ---- time ---- */

static struct timeval timeval_of(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* How long one answer may take; 1 ms when the time is over, for libldap takes 0 as for ever. */
static struct timeval patience(const struct line *l, uint64_t deadline_ms)
{
    uint64_t now = clock_mono_ms(l->clock), most = (uint64_t)l->o->timeout_s * 1000;
    uint64_t left = deadline_ms > now ? deadline_ms - now : 1;

    return timeval_of(left < most ? left : most);
}

/* ---- connecting ---- */

static bool fail_with(struct error *e, LDAP *ld, const char *what, int code)
{
    char *said = NULL;

    if (ld)
        ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    error_set(e, ERROR_TEMPORARY, "%s: %s%s%s", what, ldap_err2string(code), said && *said ? ": " : "",
              said ? said : "");
    ldap_memfree(said);
    return false;
}

static void drop(LDAP **ld)
{
    if (*ld)
        ldap_unbind_ext(*ld, NULL, NULL);
    *ld = NULL;
}

static bool set(LDAP *ld, int option, const void *value)
{
    return ldap_set_option(ld, option, value) == LDAP_OPT_SUCCESS;
}

static bool set_int(LDAP *ld, int option, int value)
{
    return set(ld, option, &value);
}

/* Debian's libldap is built with GnuTLS: there the least version has no effect, and the list of versions leaks with
 * each connection. So it is looked at before anything is said. */
static bool is_modern(LDAP *ld)
{
    char *version = NULL;

    if (ldap_get_option(ld, LDAP_OPT_X_TLS_VERSION, &version) != LDAP_OPT_SUCCESS || !version)
        return false;
    bool modern = strstr(version, "1.2") || strstr(version, "1.3");
    ldap_memfree(version);
    return modern;
}

static bool set_tls(const struct line *l, LDAP *ld)
{
    const char *anchors = l->o->ca_file ? l->o->ca_file : SYSTEM_ANCHORS;

    return set_int(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND) && /* chain and name */
           set(ld, LDAP_OPT_X_TLS_CACERTFILE, anchors) &&
           set_int(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2) &&
           set_int(ld, LDAP_OPT_X_TLS_NEWCTX, 0);
}

static bool set_options(const struct line *l, LDAP *ld, uint64_t deadline_ms)
{
    struct timeval tv = patience(l, deadline_ms);

    return set_int(ld, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3) && set(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&
           set_int(ld, LDAP_OPT_DEREF, LDAP_DEREF_NEVER) && set(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) &&
           set(ld, LDAP_OPT_NETWORK_TIMEOUT, &tv) && set(ld, LDAP_OPT_TIMEOUT, &tv) &&
           set_int(ld, LDAP_OPT_X_KEEPALIVE_IDLE, KEEPALIVE_S) &&
           set_int(ld, LDAP_OPT_X_KEEPALIVE_PROBES, KEEPALIVE_PROBES) &&
           set_int(ld, LDAP_OPT_X_KEEPALIVE_INTERVAL, KEEPALIVE_BETWEEN_S);
}

static bool starts_tls(const struct directory_options *o, const char *url)
{
    if (!text_starts_with(url, "ldap://"))
        return false;
    return o->starttls == DIRECTORY_STARTTLS_YES ||
           (o->starttls == DIRECTORY_STARTTLS_AUTO && !directory_text_is_loopback(url));
}

static bool is_in_clear(const struct directory_options *o, const char *url)
{
    return text_starts_with(url, "ldap://") && !starts_tls(o, url) && !directory_text_is_loopback(url);
}

static bool secure(const struct line *l, LDAP *ld, const char *url, struct error *e)
{
    bool has_tls = starts_tls(l->o, url) || text_starts_with(url, "ldaps://");

    if (has_tls && !set_tls(l, ld))
        return error_set(e, ERROR_INVALID, "%s: TLS cannot be set up; can %s be read?", url,
                         l->o->ca_file ? l->o->ca_file : SYSTEM_ANCHORS);
    int code = starts_tls(l->o, url) ? ldap_start_tls_s(ld, NULL, NULL) : ldap_connect(ld);
    if (code != LDAP_SUCCESS)
        return fail_with(e, ld, url, code);
    return !has_tls || is_modern(ld) || error_set(e, ERROR_DENIED, "%s: older than TLS 1.2", url);
}

static LDAP *connect_to(const struct line *l, const char *url, uint64_t deadline_ms, struct error *e)
{
    LDAP *ld = NULL;

    if (is_in_clear(l->o, url)) { /* the configuration was checked */
        error_set(e, ERROR_DENIED, "%s: not without TLS", url);
        return NULL;
    }
    int code = ldap_initialize(&ld, url);
    if (code != LDAP_SUCCESS) {
        fail_with(e, NULL, url, code);
        return NULL;
    }
    if (!set_options(l, ld, deadline_ms))
        error_set(e, ERROR_INVALID, "%s: libldap lacks an option", url);
    else if (secure(l, ld, url, e))
        return ld;
    drop(&ld);
    return NULL;
}

static LDAP *connect_any(struct line *l, uint64_t deadline_ms, struct error *e)
{
    unsigned count = 0;

    while (l->o->urls[count])
        count++;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = (l->first + i) % count;
        if (i && clock_mono_ms(l->clock) >= deadline_ms)
            break;
        LDAP *ld = connect_to(l, l->o->urls[at], deadline_ms, e);
        if (ld) {
            l->first = at;
            error_clear(e);
            return ld;
        }
    }
    return NULL;
}

/* ---- one request ---- */

static enum directory_policy policy_of(LDAP *ld, LDAPControl **controls)
{
    LDAPControl *c = ldap_control_find(LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, NULL);
    LDAPPasswordPolicyError said = PP_noError;
    ber_int_t expires, grace;

    if (!c || ldap_parse_passwordpolicy_control(ld, c, &expires, &grace, &said) != LDAP_SUCCESS)
        return DIRECTORY_POLICY_NONE;
    if (said == PP_accountLocked)
        return DIRECTORY_POLICY_LOCKED;
    return said == PP_passwordExpired || said == PP_changeAfterReset ? DIRECTORY_POLICY_EXPIRED : DIRECTORY_POLICY_NONE;
}

/* Waits for what ends request `id`; *chain (may be NULL) is for who wants the entries before it. */
static void await(const struct line *l, LDAP *ld, int id, uint64_t deadline_ms, struct answer *a, LDAPMessage **chain,
                  LDAPControl ***controls)
{
    struct timeval tv = patience(l, deadline_ms);
    LDAPMessage *all = NULL;
    int rc = ldap_result(ld, id, LDAP_MSG_ALL, &tv, &all);

    *a = (struct answer){.code = LDAP_TIMEOUT};
    if (rc == 0)
        ldap_abandon_ext(ld, id, NULL, NULL);
    if (rc < 0) {
        ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &a->code);
        a->code = directory_text_failure(a->code);
    }
    LDAPMessage *last = all;
    for (LDAPMessage *m = all; m; m = ldap_next_message(ld, m))
        last = m;
    if (rc > 0) {
        int parsed = ldap_parse_result(ld, last, &a->code, NULL, &a->said, NULL, controls, 0);
        if (parsed != LDAP_SUCCESS)
            a->code = parsed;
    }
    if (chain)
        *chain = all;
    else
        ldap_msgfree(all);
}

static void bind_as(const struct line *l, LDAP *ld, const char *dn, const char *password, uint64_t deadline_ms,
                    struct answer *a)
{
    LDAPControl policy = {.ldctl_oid = (char *)LDAP_CONTROL_PASSWORDPOLICYREQUEST}, *asked[] = {&policy, NULL},
                **told = NULL;
    struct berval secret = {.bv_len = strlen(password), .bv_val = (char *)password};
    int id, code = ldap_sasl_bind(ld, dn, LDAP_SASL_SIMPLE, &secret, asked, NULL, &id);

    *a = (struct answer){.code = code};
    if (code != LDAP_SUCCESS)
        return;
    await(l, ld, id, deadline_ms, a, NULL, &told);
    a->policy = policy_of(ld, told);
    ldap_controls_free(told);
}

static bool fail_of(struct error *e, const char *what, const struct answer *a)
{
    return error_set(e, ERROR_TEMPORARY, "%s: %s%s%s", what, ldap_err2string(a->code), a->said && *a->said ? ": " : "",
                     a->said ? a->said : "");
}

/* The searcher's connection: kept, or made now. */
static bool ready_searcher(struct line *l, uint64_t deadline_ms, struct error *e)
{
    struct answer a;

    if (!l->searcher)
        l->searcher = connect_any(l, deadline_ms, e);
    else
        return true;
    if (!l->searcher)
        return false;
    if (!l->o->bind_dn)
        return true;
    bind_as(l, l->searcher, l->o->bind_dn, l->o->bind_password, deadline_ms, &a);
    bool bound = a.code == LDAP_SUCCESS;
    if (!bound) {
        char what[200];
        snprintf(what, sizeof what, "who searches (%s) is refused", l->o->bind_dn);
        fail_of(e, what, &a);
        drop(&l->searcher);
    }
    answer_fini(&a);
    return bound;
}

struct query {
    const char *base, *filter;
    const char *const *attributes; /* ends with NULL; itself NULL: none is wanted */
    int scope, most;
    LDAPControl **controls;
};

/* Once more over a new connection when a kept one is dead. */
static bool search(struct line *l, const struct query *q, uint64_t deadline_ms, struct answer *a, LDAPMessage **chain,
                   LDAPControl ***told, struct error *e)
{
    const char *none[] = {LDAP_NO_ATTRS, NULL};

    for (;;) {
        bool kept = l->searcher != NULL;
        struct timeval tv = patience(l, deadline_ms);
        int id = 0;
        if (!ready_searcher(l, deadline_ms, e))
            return false;
        *a = (struct answer){.code = ldap_search_ext(l->searcher, q->base, q->scope, q->filter,
                                                     (char **)(q->attributes ? q->attributes : none), 0, q->controls,
                                                     NULL, &tv, q->most, &id)};
        if (a->code == LDAP_SUCCESS)
            await(l, l->searcher, id, deadline_ms, a, chain, told);
        if (!directory_text_is_broken(a->code))
            return true;
        drop(&l->searcher);
        if (!kept || clock_mono_ms(l->clock) >= deadline_ms)
            return true;
        answer_fini(a);
        ldap_msgfree(*chain);
        *chain = NULL;
    }
}

/* ---- finding ---- */

/* What the name is compared with where people are looked for. */
struct compared {
    struct directory_listed by[COMPARED_MAX];
    const char *attributes[COMPARED_MAX + 1]; /* of these */
    unsigned count; /* 0: it cannot be told */
};

static void compared_init(struct compared *c, const struct directory_options *o)
{
    const char *base;

    *c = (struct compared){0};
    if (o->base)
        c->count = directory_text_compared(c->by, COMPARED_MAX, o->filter, o->domain);
    else if (directory_text_listed_dn(&c->by[0], &base, o->dn, o->domain))
        c->count = 1;
    else
        directory_text_listed_fini(&c->by[0]);
    for (unsigned i = 0; i < c->count; i++)
        c->attributes[i] = bytes_text(&c->by[i].attribute);
}

static void compared_fini(struct compared *c)
{
    for (unsigned i = 0; i < c->count; i++)
        directory_text_listed_fini(&c->by[i]);
}

static bool value_is(const struct directory_listed *by, const struct berval *value, const char *user)
{
    char prepared[PREP_MAX + 1];
    size_t len;
    const char *name = directory_text_name(by, value->bv_val, value->bv_len, &len);

    return name && prep_node(prepared, name, len) && strcmp(prepared, user) == 0;
}

/* A directory compares more loosely than addresses are (spaces, accents, letters that look alike): its answer counts
 * for the name that it has there, and for no other. What may not be read cannot be compared. */
static bool is_named(LDAP *ld, LDAPMessage *entry, const struct compared *c, const char *user)
{
    bool named = false, seen = false;

    for (unsigned i = 0; i < c->count && !named; i++) {
        struct berval **values = ldap_get_values_len(ld, entry, c->attributes[i]);
        for (int v = 0; values && values[v] && !named; v++) {
            seen = true;
            named = value_is(&c->by[i], values[v], user);
        }
        ldap_value_free_len(values);
    }
    return named || !seen;
}

static bool take_dn(LDAP *ld, LDAPMessage *entry, struct bytes *dn)
{
    char *name = ldap_get_dn(ld, entry);
    bool fits = name && *name && strlen(name) < DN_BYTES_MAX;

    if (fits)
        bytes_append_text(dn, name);
    ldap_memfree(name);
    return fits;
}

static enum directory_outcome judge_found(struct line *l, const char *user, const struct compared *c,
                                          const struct answer *a, LDAPMessage *chain, struct bytes *dn, struct error *e)
{
    int count = l->searcher ? ldap_count_entries(l->searcher, chain) : 0;

    if (a->code == LDAP_SIZELIMIT_EXCEEDED || (a->code == LDAP_SUCCESS && count > 1)) {
        error_set(e, ERROR_INVALID, "the filter finds more than one entry for '%s': nobody is let in", user);
        return DIRECTORY_WRONG;
    }
    if (a->code == LDAP_NO_SUCH_OBJECT && !l->o->base)
        return DIRECTORY_WRONG;
    if (a->code != LDAP_SUCCESS) {
        fail_of(e, "search", a);
        return DIRECTORY_UNAVAILABLE;
    }
    if (count == 0)
        return DIRECTORY_WRONG;
    if (!is_named(l->searcher, ldap_first_entry(l->searcher, chain), c, user)) {
        error_set(e, ERROR_INVALID, "what the filter finds for '%s' has another name there: nobody is let in", user);
        return DIRECTORY_WRONG;
    }
    if (take_dn(l->searcher, ldap_first_entry(l->searcher, chain), dn))
        return DIRECTORY_RIGHT;
    error_set(e, ERROR_INVALID, "the entry of '%s' has no usable name", user);
    return DIRECTORY_UNAVAILABLE;
}

static enum directory_outcome search_person(struct line *l, const char *user, struct bytes *dn, uint64_t deadline_ms,
                                            struct error *e)
{
    const struct directory_options *o = l->o;
    struct bytes asked = BYTES_EMPTY;
    struct answer a = {0};
    LDAPMessage *chain = NULL;
    enum directory_outcome outcome = DIRECTORY_UNAVAILABLE;
    struct compared c;

    compared_init(&c, o);
    if (o->base)
        directory_text_filter(&asked, o->filter, user, o->domain);
    else
        directory_text_dn(&asked, o->dn, user, o->domain);
    struct query q = {.base = o->base ? o->base : bytes_text(&asked),
                      .filter = o->base ? bytes_text(&asked) : "(objectClass=*)",
                      .attributes = c.count ? c.attributes : NULL,
                      .scope = o->base ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_BASE,
                      .most = FOUND_MAX};
    if (search(l, &q, deadline_ms, &a, &chain, NULL, e))
        outcome = judge_found(l, user, &c, &a, chain, dn, e);
    compared_fini(&c);
    answer_fini(&a);
    ldap_msgfree(chain);
    bytes_fini(&asked);
    return outcome;
}

static enum directory_outcome line_find(void *line, const char *user, struct bytes *dn, uint64_t deadline_ms,
                                        struct error *e)
{
    struct line *l = line;

    if (l->o->base || l->o->bind_dn)
        return search_person(l, user, dn, deadline_ms, e);
    directory_text_dn(dn, l->o->dn, user, l->o->domain); /* nobody can look: the password alone will tell */
    return DIRECTORY_RIGHT;
}

/* ---- proving ---- */

static enum directory_outcome line_prove(void *line, const char *dn, const char *password, uint64_t deadline_ms,
                                         struct error *e)
{
    struct line *l = line;

    CHECK(*dn && *password); /* either empty is a bind of nobody, and right */
    for (;;) {
        bool kept = l->people != NULL;
        struct answer a;
        if (!kept && !(l->people = connect_any(l, deadline_ms, e)))
            return DIRECTORY_UNAVAILABLE;
        bind_as(l, l->people, dn, password, deadline_ms, &a);
        enum directory_outcome outcome = directory_text_outcome(a.code, a.said, a.policy);
        bool broken = directory_text_is_broken(a.code);
        if (outcome == DIRECTORY_UNAVAILABLE)
            fail_of(e, "bind", &a);
        answer_fini(&a);
        if (broken)
            drop(&l->people);
        if (!broken || !kept || clock_mono_ms(l->clock) >= deadline_ms)
            return outcome;
        error_clear(e);
    }
}

/* ---- life ---- */

static void *line_open(const struct directory_options *o)
{
    struct line *l = mem_new(struct line);

    l->o = o;
    l->clock = o->clock ? o->clock : clock_real();
    return l;
}

static void line_close(void *line)
{
    struct line *l = line;

    drop(&l->searcher);
    drop(&l->people);
    mem_free(l);
}

const struct directory_backend directory_ldap_backend = {
    .open = line_open,
    .find = line_find,
    .prove = line_prove,
    .close = line_close,
};

/* ---- for tools ---- */

static uint64_t tool_deadline(const struct line *l)
{
    return clock_mono_ms(l->clock) + (uint64_t)l->o->timeout_s * 3000;
}

enum directory_outcome directory_ldap_find(const struct directory_options *o, const char *user, struct error *e)
{
    struct line *l = line_open(o);
    struct bytes dn = BYTES_EMPTY;
    enum directory_outcome outcome = search_person(l, user, &dn, tool_deadline(l), e);

    bytes_fini(&dn);
    line_close(l);
    return outcome;
}

struct list_call {
    struct directory_listed listed;
    const char *attributes[2];
    void (*each)(void *user, const char *name, size_t len);
    void *user;
};

static void tell_entry(const struct list_call *c, LDAP *ld, LDAPMessage *entry)
{
    struct berval **values = ldap_get_values_len(ld, entry, bytes_text(&c->listed.attribute));

    for (int i = 0; values && values[i]; i++) {
        size_t len;
        const char *name = directory_text_name(&c->listed, values[i]->bv_val, values[i]->bv_len, &len);
        if (name)
            c->each(c->user, name, len);
    }
    ldap_value_free_len(values);
}

/* One page; *cookie is where the next begins, empty behind the last. */
static bool list_page(struct line *l, const struct list_call *c, const struct query *ask, struct berval *cookie,
                      struct error *e)
{
    LDAPControl *page = NULL, *asked[2] = {NULL, NULL}, **told = NULL;
    struct query q = *ask;
    struct answer a = {0};
    LDAPMessage *chain = NULL;
    uint64_t deadline_ms = tool_deadline(l);

    if (!ready_searcher(l, deadline_ms, e))
        return false;
    if (ldap_create_page_control(l->searcher, PAGE, cookie->bv_val ? cookie : NULL, 1, &page) != LDAP_SUCCESS)
        return error_set(e, ERROR_INVALID, "libldap makes no page");
    asked[0] = page;
    q.controls = asked;
    bool done = search(l, &q, deadline_ms, &a, &chain, &told, e) && (a.code == LDAP_SUCCESS || fail_of(e, "list", &a));
    ldap_control_free(page);
    for (LDAPMessage *m = done ? ldap_first_entry(l->searcher, chain) : NULL; m; m = ldap_next_entry(l->searcher, m))
        tell_entry(c, l->searcher, m);
    ber_memfree(cookie->bv_val);
    *cookie = (struct berval){0};
    LDAPControl *next = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, told, NULL);
    ber_int_t estimate;
    if (done && next && ldap_parse_pageresponse_control(l->searcher, next, &estimate, cookie) != LDAP_SUCCESS)
        done = error_set(e, ERROR_INVALID, "list: what the directory says of the next page cannot be read");
    ldap_controls_free(told);
    ldap_msgfree(chain);
    answer_fini(&a);
    return done;
}

static bool fill_listed(const struct directory_options *o, struct list_call *c, struct query *q, struct error *e)
{
    const char *base = NULL;
    bool can = o->base ? directory_text_listed(&c->listed, o->filter, o->domain)
                       : directory_text_listed_dn(&c->listed, &base, o->dn, o->domain);

    c->attributes[0] = bytes_text(&c->listed.attribute);
    *q = (struct query){.base = o->base ? o->base : base,
                        .filter = bytes_text(&c->listed.filter),
                        .attributes = c->attributes,
                        .scope = o->base ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_ONELEVEL};
    return can ||
           error_set(e, ERROR_INVALID, "people cannot be listed: %%u is compared with no attribute, as in (uid=%%u)");
}

bool directory_ldap_list(const struct directory_options *o, void (*each)(void *user, const char *name, size_t len),
                         void *user, struct error *e)
{
    struct list_call c = {.each = each, .user = user};
    struct line *l = line_open(o);
    struct berval cookie = {0};
    struct query q;
    bool done = fill_listed(o, &c, &q, e);

    while (done) {
        done = list_page(l, &c, &q, &cookie, e);
        if (!cookie.bv_len)
            break;
    }
    ber_memfree(cookie.bv_val);
    directory_text_listed_fini(&c.listed);
    line_close(l);
    return done;
}

/* ---- examining ---- */

static bool try_search(struct line *l, bool *seen, const char **next, struct error *e)
{
    struct list_call c = {0};
    struct answer a = {0};
    LDAPMessage *chain = NULL;
    struct query q;
    bool can = fill_listed(l->o, &c, &q, e);

    q.most = 1;
    *next = "look at ldap_base and ldap_filter";
    bool done = can && search(l, &q, tool_deadline(l), &a, &chain, NULL, e);
    if (done && a.code == LDAP_NO_SUCH_OBJECT)
        *next = "ldap_base: there is no such entry, or who searches may not see it";
    if (done && a.code != LDAP_SUCCESS && a.code != LDAP_SIZELIMIT_EXCEEDED)
        done = fail_of(e, q.filter, &a);
    *seen = done && ldap_count_entries(l->searcher, chain) > 0;
    answer_fini(&a);
    ldap_msgfree(chain);
    directory_text_listed_fini(&c.listed);
    return done;
}

bool directory_ldap_try(const struct directory_options *o, unsigned index, bool *seen, const char **next,
                        struct error *e)
{
    const char *urls[] = {o->urls[index], NULL};
    struct directory_options one = *o;
    one.urls = urls;
    struct line *l = line_open(&one);

    *seen = true;
    *next = "is it up, is the address right, and is its certificate of an authority in ca_file, for that name?";
    l->searcher = connect_any(l, tool_deadline(l), e);
    bool done = l->searcher != NULL;
    drop(&l->searcher);
    if (done && (o->base || o->bind_dn)) {
        *next = "look at ldap_bind_dn and ldap_password_file";
        done = ready_searcher(l, tool_deadline(l), e) && try_search(l, seen, next, e);
    }
    line_close(l);
    return done;
}
