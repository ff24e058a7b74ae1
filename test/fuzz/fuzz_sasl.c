/* SPDX-License-Identifier: MIT */
/* A whole exchange: lines are the mechanism, the initial response and further responses, as text
 * that is encoded here (a line that begins with '=' goes as it is). Nobody gets in without the
 * password. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/mem.h"
#include "gateway/xmpp/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find_binding(void *user, const char *type, struct bytes *out)
{
    (void)user;
    bytes_append_text(out, "channel");
    return strcmp(type, "tls-exporter") == 0;
}

static const struct sasl_config config = {
    .domain = "capulet.example",
    .offered = SASL_BIT(PLAIN) | SASL_BIT(SCRAM_SHA_1) | SASL_BIT(SCRAM_SHA_256) |
               SASL_BIT(SCRAM_SHA_1_PLUS) | SASL_BIT(SCRAM_SHA_256_PLUS),
    .binding = {find_binding, NULL},
    .fake_secret = {"0123456789abcdef", 16},
    .fake_iterations = 1,
};

/* One line; '\1' in it is a NUL. */
static bool take_line(const uint8_t **at, size_t *left, struct bytes *out)
{
    bytes_clear(out);
    if (*left == 0)
        return false;
    const uint8_t *end = memchr(*at, '\n', *left);
    size_t len = end ? (size_t)(end - *at) : *left;
    struct bytes raw = BYTES_EMPTY;
    bytes_append(&raw, *at, len);
    for (size_t i = 0; i < raw.len; i++)
        if (raw.data[i] == 1)
            raw.data[i] = 0;
    if (len && **at == '=')
        bytes_append_text(out, raw.data + 1);
    else
        base64_encode(out, raw.data, raw.len);
    bytes_fini(&raw);
    size_t used = end ? len + 1 : len;
    *at += used;
    *left -= used;
    return true;
}

static enum sasl_step advance(struct sasl *s, enum sasl_step step)
{
    if (step == SASL_NEED_KEYS && sasl_takes_token(s)) {
        static const char *const tokens[] = {"a token that no seed has", "nor this"};
        CHECK(sasl_username(s) != NULL);
        step = sasl_give_tokens(s, tokens, *sasl_username(s) == 'a' ? 0 : 2);
    } else if (step == SASL_NEED_KEYS) {
        struct scram_keys keys = {.hash = sasl_hash(s), .iterations = 1, .salt_len = 1};
        CHECK(sasl_username(s) != NULL);
        CHECK(scram_keys_derive(&keys, "a password that no seed has"));
        step = sasl_give_keys(s, *sasl_username(s) == 'a' ? NULL : &keys);
    }
    if (step == SASL_NEED_WORK) {
        sasl_work(s);
        step = sasl_worked(s);
    }
    CHECK(step == SASL_CONTINUE || step == SASL_FAILED);
    CHECK((step == SASL_FAILED) == (sasl_failure(s) != SASL_OK));
    return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "X",
                                        "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "", "PLAIN-PLUS",
                                        "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS", "HT-SHA-256-NONE", "HT-SHA-256-EXPR"};
    struct bytes line = BYTES_EMPTY;
    if (size < 2)
        return 0;
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    struct sasl *s = sasl_create(&config);
    take_line(&at, &left, &line);
    enum sasl_step step = advance(s, sasl_begin(s, names[data[0] % (sizeof names / sizeof *names)], bytes_text(&line)));
    while (step == SASL_CONTINUE && take_line(&at, &left, &line))
        step = advance(s, sasl_respond(s, bytes_text(&line)));
    sasl_destroy(&s);
    bytes_fini(&line);
    return 0;
}
