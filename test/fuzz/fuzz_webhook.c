/* SPDX-License-Identifier: MIT */
/* A webhook as anybody may send it: first byte: which provider and hook; then lines "target", "header
 * value", and the body. Nothing that is not signed passes. With the second bit of the first byte set the
 * signature is made right, so that what stands behind it is reached too. */
#include <stdint.h>
#include <string.h>

#include "contact-router/answer_text.h"
#include "contact-router/device.h"
#include "contact-router/hook.h"
#include "contact-router/signature.h"
#include "contact-router/urlencoded.h"
#include "gateway/base/base64.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct provider *make(const char *profile, const struct contact_router_pair *secrets)
{
    struct error e = ERROR_INIT;
    struct provider *p = provider_create(&(struct contact_router_provider){ .name = "p", .profile = profile, .secrets = secrets },
                                         CAUSEWAY_SOURCE_DIR "/schemas/provider", &e);
    CHECK(p != NULL);
    return p;
}

static const char *header(const void *user, const char *name)
{
    (void)name;
    return user;
}

static struct provider *provider_of(unsigned which)
{
    static struct provider *all[5];
    if (!all[0]) {
        log_set_level(LOG_ERROR);
        all[0] = make("twilio", (struct contact_router_pair[]){ { "account_sid", "A" }, { "key_sid", "K" }, { "key_secret", "s" },
                                                                { "auth_token", "12345" }, { NULL, NULL } });
        all[1] = make("telnyx", (struct contact_router_pair[]){ { "api_key", "K" }, { "account_sid", "a" },
            { "public_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }, { NULL, NULL } });
        all[2] = make("kannel", (struct contact_router_pair[]){ { "username", "u" }, { "password", "p" }, { NULL, NULL } });
        all[3] = make("vonage-sms", (struct contact_router_pair[]){ { "api_key", "K" }, { "api_secret", "S" },
                                                                    { "signature_secret", "12345" }, { NULL, NULL } });
        all[4] = make("wctp", (struct contact_router_pair[]){ { "sender", "s" }, { "code", "c" }, { NULL, NULL } });
    }
    return all[which % 5];
}

/* As the first provider signs; NULL: the form is none. */
static const char *sign(struct arena *a, const char *url, struct span body)
{
    struct urlencoded form;
    struct bytes over = BYTES_EMPTY, mac = BYTES_EMPTY, text = BYTES_EMPTY;
    if (!urlencoded_parse(a, body, &form))
        return NULL;
    urlencoded_sort(&form);
    bytes_append_text(&over, url);
    for (unsigned i = 0; i < form.count; i++)
        if (!i || !text_eq(form.v[i].name, form.v[i - 1].name) || !text_eq(form.v[i].value, form.v[i - 1].value))
            bytes_printf(&over, "%s%s", form.v[i].name, form.v[i].value);
    signature_hmac(PROFILE_HMAC_SHA1, SPAN("12345"), bytes_span(&over), &mac);
    base64_encode(&text, mac.data, mac.len);
    const char *signature = arena_dup(a, text.data);
    bytes_fini(&over);
    bytes_fini(&mac);
    bytes_fini(&text);
    return signature;
}

static const char *line(struct arena *a, const char **at, const char *end)
{
    const char *from = *at, *nl = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
    *at = nl ? nl + 1 : end;
    return arena_dup_n(a, from, (size_t)((nl ? nl : end) - from));
}

/* What returns.c does with a text, as far as it is pure. */
static void read_text(struct arena *a, const char *text)
{
    struct answer_text said;
    struct device_command c;
    answer_text_read(a, text, &said);
    CHECK(!said.code || strlen(said.code) <= 7);
    device_command_parse(a, text, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena a;
    arena_init(&a);
    const char *at = (const char *)data + 1, *end = (const char *)data + size;
    bool right = data[0] & 2;
    struct provider *p = provider_of(right ? 0 : data[0] >> 4);
    const char *target = arena_printf(&a, "/%s", line(&a, &at, end)), *value = line(&a, &at, end);
    struct span body = { at, (size_t)(end - at) };
    const char *url = arena_printf(&a, "https://gw.example%s", target);
    if (right && (!(value = sign(&a, url, body)) || !utf8_valid(target, strlen(target)))) {
        arena_fini(&a);
        return 0;
    }
    struct hook_request q = { .method = data[0] & 4 ? "GET" : "POST", .target = target, .public_url = "https://gw.example",
                              .body = body, .header = header, .user = value, .now_us = 1893456000000000 };
    struct hook_event ev;
    struct error e = ERROR_INIT;
    if (hook_read(p, data[0] & 1 ? "inbound" : "status", &q, &a, &ev, &e)) {
        CHECK(right || p == provider_of(2) || p == provider_of(4)); /* a guess never fits; these prove by address */
        if (ev.text)
            read_text(&a, ev.text);
    } else {
        CHECK(e.code != ERROR_NONE);
    }
    arena_fini(&a);
    return 0;
}
