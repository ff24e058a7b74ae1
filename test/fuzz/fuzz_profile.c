/* SPDX-License-Identifier: MIT */
/* Any bytes as a provider's profile; one that loads makes a request of an ugly message and judges an ugly
 * answer. What is in the request's headers never ends a line. */
#include <stdint.h>
#include <string.h>

#include "contact-router/provider_answer.h"
#include "contact-router/provider_request.h"
#include "gateway/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct provider_request *r)
{
    for (unsigned i = 0; i < r->header_count; i++)
        CHECK(!strpbrk(r->headers[i], "\r\n"));
    CHECK(!strpbrk(r->url, "\r\n"));
}

static void render(const struct provider *p, enum profile_kind kind)
{
    struct provider_message m = { .kind = kind, .to = "+1\r\nX: y", .from = "\"<a&b>'", .text = "]]> ${to} %s \xf0\x9f\x98\x80\n",
                                  .subject = "\xe2\x80\x9c", .ref = "abcdefghijklmnopqrstuv", .hook_status = "https://g/h?a=b&c",
                                  .now_us = 1893456000000000 };
    struct provider_request r = { 0 };
    struct error e = ERROR_INIT;
    arena_init(&r.arena);
    if (provider_request_render(p, &m, &r, &e))
        check_request(&r);
    else
        CHECK(e.code != ERROR_NONE && *e.text);
    arena_fini(&r.arena);
}

static const char *no_header(const void *user, const char *name)
{
    (void)user, (void)name;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct span bodies[] = { SPAN("{\"sid\":[{\"a\":1}],\"code\":20429}"), SPAN("Success \"1\""), SPAN("") };
    struct error e = ERROR_INIT;
    struct profile *profile = profile_parse("fuzz", (const char *)data, size, &e);
    if (!profile) {
        CHECK(e.code != ERROR_NONE && strstr(e.text, "fuzz:"));
        return 0;
    }
    struct provider p = { .profile = profile, .name = "p", .from = "+441632960000", .allow_http = true };
    for (unsigned i = 0; i < profile->option_count; i++)
        p.option_values[i] = profile->options[i].value;
    for (unsigned i = 0; i < profile->secret_count; i++)
        p.secret_values[i] = "s\r\necret\"";
    for (unsigned k = 0; k < PROFILE_KINDS; k++) {
        if (!profile->send[k].present)
            continue;
        render(&p, (enum profile_kind)k);
        for (unsigned b = 0; b < 3; b++) {
            struct provider_reply reply = { .status = b == 1 ? 429 : 200, .body = bodies[b], .header = no_header };
            struct provider_answer a;
            provider_answer_judge(&profile->send[k], &reply, &a);
        }
    }
    profile_destroy(&profile);
    return 0;
}
