/* SPDX-License-Identifier: MIT */
/* Webhooks: which provider, is the address one that we gave out, is the request signed as the profile
 * says; then returns.c. The answer is given when what it caused is committed. Addresses:
 *     PUBLIC_URL/hook/PROVIDER/status/REF/EXPIRES/TOKEN   given with each message
 *     PUBLIC_URL/hook/PROVIDER/voice/REF/EXPIRES/TOKEN    given with each call (voice_http.h)
 *     PUBLIC_URL/hook/PROVIDER/inbound/REF/EXPIRES/TOKEN  given with each message, to those who answer there
 *     PUBLIC_URL/hook/PROVIDER/inbound/TOKEN              entered at the provider by the admin
 * TOKEN is an HMAC over what stands before it. Where the provider signs, the address entered by hand
 * may leave it out. */
#include <stdio.h>
#include <string.h>

#include "contact-router/capability.h"
#include "contact-router/hook.h"
#include "contact-router/returns.h"
#include "contact-router/returns_status.h"
#include "contact-router/voice_http.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/text.h"

/* -- capability addresses -- */

static void status_over(const char *provider, const char *kind, const char *ref, const char *expires, struct bytes *out)
{
    bytes_printf(out, "%s/%s/%s/%s", provider, kind, ref, expires);
}

void returns_http_url(const struct contact_router *r, const char *provider, const char *kind, const char *ref,
                      int64_t expires_s, struct bytes *out)
{
    char expires[24];
    struct bytes over = BYTES_EMPTY;
    snprintf(expires, sizeof expires, "%lld", (long long)expires_s);
    status_over(provider, kind, ref, expires, &over);
    bytes_printf(out, "%s/hook/%s/", r->public_url, bytes_text(&over));
    capability_append(r->hook_key, bytes_text(&over), out);
    bytes_fini(&over);
}

void returns_http_inbound_url(const struct contact_router *r, const char *provider, struct bytes *out)
{
    struct bytes over = BYTES_EMPTY;
    bytes_printf(&over, "%s/inbound", provider);
    bytes_printf(out, "%s/hook/%s/", r->public_url, bytes_text(&over));
    capability_append(r->hook_key, bytes_text(&over), out);
    bytes_fini(&over);
}

/* -- one request -- */

struct hooking {
    struct contact_router *r;
    struct http_exchange *x;
    struct arena arena; /* copies: what is answered later must not lean on the request */
    struct router_provider *provider;
    const char *kind, *ref;
    struct hook_event event;         /* the first */
    const struct hook_event *at;     /* the one that is being done */
};

static void answer(struct http_exchange *x, int status, const char *why)
{
    http_answer(x, status, *why ? "text/plain" : NULL, span_of(why));
}

static void refuse(struct http_exchange *x, int status, const char *provider, const char *peer, const char *why)
{
    log_warn(NULL, "a webhook for `%.40s` from %s was refused: %s", provider, peer ? peer : "?", why);
    answer(x, status, status == 403 ? "forbidden\n" : status == 404 ? "not found\n" : "bad request\n");
}

/* The address: ERROR_DENIED when it is not one that we gave out. */
static bool check_address(struct hooking *h, const struct capability_path *p, struct error *e)
{
    bool voice = text_eq(h->kind, "voice"), bare = p->count == 3 && !voice;
    struct bytes over = BYTES_EMPTY;
    bool ok = false;
    if (bare && !hook_needs_token(h->provider->provider, h->kind)) {
        ok = true; /* the signature must prove all */
    } else if (p->count == 6) {
        uint64_t expires;
        status_over(p->v[1], p->v[2], p->v[3], p->v[4], &over);
        ok = capability_fits(h->r->hook_key, bytes_text(&over), p->v[5]) && text_to_u64(p->v[4], &expires) &&
             (int64_t)expires >= contact_router_now_us(h->r) / 1000000;
        h->ref = arena_dup(&h->arena, p->v[3]);
    } else if (text_eq(h->kind, "inbound") && p->count == 4) {
        bytes_printf(&over, "%s/inbound", p->v[1]);
        ok = capability_fits(h->r->hook_key, bytes_text(&over), p->v[3]);
    }
    bytes_fini(&over);
    return ok || error_set(e, ERROR_DENIED, "not an address that we gave out, or its time is over");
}

static const char *request_header(const void *user, const char *name)
{
    const struct http_incoming *in = user;
    return in->header(in, name);
}

static bool read_event(struct hooking *h, const struct http_incoming *in, struct error *e)
{
    struct hook_request q = {.method = in->method,
                             .target = in->target,
                             .public_url = h->r->public_url,
                             .body = in->body,
                             .header = request_header,
                             .user = in,
                             .now_us = contact_router_now_us(h->r)};
    return hook_read(h->provider->provider, h->kind, &q, &h->arena, &h->event, e);
}

static void end(struct hooking *h)
{
    arena_fini(&h->arena);
    mem_free(h);
}

static bool no_names(const struct template_names *n, const char *name, struct bytes *out)
{
    (void)n, (void)name, (void)out;
    return true; /* ${voice.document}: voice_http.c answers those */
}

static void answer_as_profile(struct hooking *h)
{
    struct bytes body = BYTES_EMPTY;
    const struct profile_hook *hook = h->event.proof;
    struct template_names none = { no_names };
    struct error ignored = ERROR_INIT; /* the template was checked when the profile was read */
    if (!template_render(&hook->reply_body, TEMPLATE_XML, &none, &body, &ignored))
        bytes_clear(&body);
    http_answer(h->x, (int)hook->reply_status, hook->reply_type, bytes_span(&body));
    bytes_fini(&body);
    end(h);
}

static void dispatch(struct hooking *h);

/* One after the other; what was done before the one that failed is known when the provider asks again. */
static void on_returned(void *user, const struct error *e)
{
    struct hooking *h = user;
    if (e->code != ERROR_NONE) {
        log_warn(NULL, "a webhook of %s is put off: %s", h->provider->provider->name, e->text);
        answer(h->x, 503, "try again\n");
        end(h);
        return;
    }
    h->at = h->at->next;
    dispatch(h);
}

static void dispatch(struct hooking *h)
{
    if (h->at && h->at->hook && text_eq(h->kind, "voice")) {
        voice_http_turn(h->r, h->provider, h->ref, h->at, h->x);
        end(h);
        return;
    }
    if (!h->at || !h->at->hook) { /* all done; or genuine, but an event that the profile does not ask for */
        answer_as_profile(h);
        return;
    }
    struct returns_request q = { .r = h->r, .provider = h->provider, .ref = h->ref, .event = h->at, .done = on_returned,
                                 .user = h };
    if (text_eq(h->at->hook->kind, "status"))
        returns_status(&q);
    else
        returns_inbound(&q);
}

void returns_http_request(struct contact_router *r, struct http_exchange *x, const struct http_incoming *in)
{
    struct capability_path p;
    if (!r->running || !r->public_url) {
        answer(x, 503, "not now\n");
        return;
    }
    bool shaped = capability_split(in->target, &p) && p.count >= 3 && text_eq(p.v[0], "hook") &&
                  (text_eq(p.v[2], "status") || text_eq(p.v[2], "inbound") || text_eq(p.v[2], "voice"));
    struct router_provider *provider = shaped ? contact_router_provider_named(r, p.v[1]) : NULL;
    if (!provider) {
        refuse(x, 404, shaped ? p.v[1] : "?", in->peer, "no such address");
        return;
    }
    struct hooking *h = mem_new(struct hooking);
    arena_init(&h->arena);
    h->r = r;
    h->x = x;
    h->provider = provider;
    h->kind = text_eq(p.v[2], "status") ? "status" : text_eq(p.v[2], "voice") ? "voice" : "inbound";
    struct error e = ERROR_INIT;
    if (check_address(h, &p, &e) && read_event(h, in, &e)) {
        h->at = &h->event;
        dispatch(h);
        return;
    }
    int status = e.code == ERROR_DENIED ? 403 : e.code == ERROR_NOT_FOUND ? 404 : 400;
    if (status == 403)
        r->hooks_refused++;
    refuse(x, status, provider->provider->name, in->peer, e.text);
    end(h);
}
