/* SPDX-License-Identifier: MIT */
/* A mail from anywhere: what the reader says of it is always what the gateway takes. And LMTP around it: the same
 * pieces, however the bytes are cut. */
#include <stdint.h>

#include "contact-router/mail_answer.h"
#include "contact-router/mail_read.h"
#include "gateway/net/lmtp_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lmtp(struct span in, size_t step, struct bytes *out)
{
    struct lmtp_parse p;
    lmtp_parse_init(&p, 300);
    for (size_t at = 0; at < in.len;) {
        enum lmtp_piece piece;
        at += lmtp_parse_feed(&p, in.data + at, in.len - at < step ? in.len - at : step, &piece);
        if (piece == LMTP_PIECE_LONG)
            break;
        if (piece != LMTP_PIECE_NONE)
            bytes_printf(out, "%d%d%d%zu %s\n", piece, p.bad, p.too_big, p.data.len, bytes_text(&p.data));
        if (piece == LMTP_PIECE_LINE && p.data.len == 4 && p.data.data[0] == 'D')
            lmtp_parse_expect_mail(&p);
    }
    lmtp_parse_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    struct span in = {(const char *)data, size};
    struct bytes out = BYTES_EMPTY, one = BYTES_EMPTY, all = BYTES_EMPTY;
    struct mail_answer m;
    struct error e = ERROR_INIT;
    struct arena a;
    if (!begun)
        mail_read_init();
    begun = true;
    if (size > 65536)
        return 0;
    arena_init(&a);
    if (mail_read(in, &out))
        CHECK(mail_answer_read(bytes_span(&out), &a, &m, &e));
    lmtp(in, 1, &one);
    lmtp(in, 7777, &all);
    CHECK(span_eq(bytes_span(&one), bytes_span(&all)));
    arena_fini(&a);
    bytes_fini(&out);
    bytes_fini(&one);
    bytes_fini(&all);
    return 0;
}
