/* SPDX-License-Identifier: MIT */
/* causeway-mail-reader: a mail on standard input, what it says on standard output (mail_answer.h), and the end. The
 * gateway starts one a mail (limited_child.h), so that what a hostile mail does to a MIME parser happens here. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "contact-router/mail_read.h"

int main(void)
{
    struct bytes mail = BYTES_EMPTY, out = BYTES_EMPTY;
    char piece[65536];
    ssize_t n;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* an old kernel is no reason not to read mail */
    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
        bytes_append(&mail, piece, (size_t)n);
    mail_read_init();
    bool ok = n == 0 && mail_read(bytes_span(&mail), &out);
    ok = ok && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    bytes_fini(&mail);
    bytes_fini(&out);
    return ok ? 0 : 1;
}
