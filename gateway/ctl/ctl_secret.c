/* SPDX-License-Identifier: MIT */
/* See ctl_secret.h. */
#include "gateway/ctl/ctl_secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "gateway/ctl/ctl_input.h"

static bool read_line(FILE *in, char *out)
{
    if (!fgets(out, CTL_SECRET_BYTES, in))
        return false;
    size_t len = strcspn(out, "\r\n");
    bool whole = out[len] != '\0' || feof(in);
    out[len] = '\0';
    return whole && len > 0;
}

bool ctl_secret_from_file(const char *path, char out[CTL_SECRET_BYTES], struct error *e)
{
    FILE *in = ctl_input_open(path, e);
    struct stat st;
    if (!in)
        return false;
    bool open_to_others = in != stdin && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077);
    bool got = !open_to_others && read_line(in, out);
    ctl_input_close(&in);
    if (open_to_others)
        return error_set(e, ERROR_DENIED, "%s: others may read this file; chmod 600 it", path);
    return got || error_set(e, ERROR_INVALID, "%s: there is no line in it, or it is too long", path);
}

bool ctl_secret_ask(const char *prompt, char out[CTL_SECRET_BYTES], struct error *e)
{
    struct termios before, quiet;
    FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty || tcgetattr(fileno(tty), &before) != 0) {
        if (tty)
            fclose(tty);
        return error_set(e, ERROR_INVALID, "%s: there is no terminal to ask on", prompt);
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(tty), TCSAFLUSH, &quiet); /* before the question: what is typed at once is not lost */
    fprintf(tty, "%s: ", prompt);
    fflush(tty);
    bool got = read_line(tty, out);
    tcsetattr(fileno(tty), TCSADRAIN, &before);
    fputc('\n', tty);
    fclose(tty);
    return got || error_set(e, ERROR_INVALID, "%s: nothing was typed", prompt);
}
