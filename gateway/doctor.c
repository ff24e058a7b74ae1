/* SPDX-License-Identifier: MIT */
/* The order of an examination, its report, and what needs neither the network nor a certificate: the
 * configuration, the store, the admins. */
#include "gateway/doctor.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "gateway/accounts_cli.h"
#include "gateway/doctor_internal.h"
#include "gateway/owner.h"
#include "gateway/rehearsal.h"

enum { ENOUGH_MIB = 200 };

void doctor_say(struct doctor *d, enum doctor_grade grade, const char *next, const char *fmt, ...)
{
    static const char *const words[] = {"ok    ", "note  ", "WRONG "};
    va_list ap;
    fputs(words[grade], d->out);
    va_start(ap, fmt);
    vfprintf(d->out, fmt, ap);
    va_end(ap);
    fputc('\n', d->out);
    if (next)
        fprintf(d->out, "      -> %s\n", next);
    d->wrong += grade == DOCTOR_WRONG;
    d->notes += grade == DOCTOR_NOTE;
    fflush(d->out);
}

static void on_mistake(void *user, const char *text)
{
    struct doctor *d = user;
    doctor_say(d, DOCTOR_WRONG, "mend it there; `causeway check` asks for this alone", "%s", text);
}

static void examine_config(struct doctor *d)
{
    if (rehearsal_run(d->c, on_mistake, d) == 0)
        doctor_say(d, DOCTOR_GOOD, NULL, "configuration %s", d->c->file);
}

static void examine_store(struct doctor *d)
{
    const char *path = d->c->store_path;
    struct statvfs fs;
    struct stat st;
    uid_t uid;
    gid_t gid;
    if (!owner_of_store(path, &uid, &gid))
        return; /* rehearsal_run has said it */
    if (stat(path, &st) == 0 && st.st_uid != uid)
        doctor_say(d, DOCTOR_WRONG, arena_printf(&d->arena, "chown --reference=\"$(dirname %s)\" %s*", path, path),
                   "store %s belongs to another user than its folder", path);
    else if (stat(path, &st) == 0)
        doctor_say(d, DOCTOR_GOOD, NULL, "store %s, %lld MiB", path, (long long)st.st_size >> 20);
    else
        doctor_say(d, DOCTOR_NOTE, "it is made by the first `causeway account add` or `causeway run`",
                   "there is no store %s yet", path);
    const char *slash = strrchr(path, '/');
    const char *folder = slash && slash != path ? arena_dup_n(&d->arena, path, (size_t)(slash - path)) : "/";
    if (statvfs(slash ? folder : ".", &fs) == 0 && fs.f_bavail * (fs.f_frsize >> 10) / 1024 < ENOUGH_MIB)
        doctor_say(d, DOCTOR_WRONG, "make room: without it nothing can be acknowledged",
                   "%s has less than %d MiB left", folder, ENOUGH_MIB);
}

static void examine_admin(struct doctor *d, const char *bare)
{
    struct error e = ERROR_INIT;
    bool found = false;
    if (!accounts_cli_find(d->c, bare, &found, &e))
        doctor_say(d, DOCTOR_WRONG, "mend that first; if it is a question of rights, run this as root", "admin %s: %s",
                   bare, e.text);
    else if (found)
        doctor_say(d, DOCTOR_GOOD, NULL, "admin %s", bare);
    else
        doctor_say(d, DOCTOR_WRONG, arena_printf(&d->arena, "causeway account add %s", bare),
                   "there is no account %s, who shall be an admin", bare);
}

/* Last of all: root becomes the store's owner for it. */
static void examine_admins(struct doctor *d)
{
    struct error e = ERROR_INIT;
    bool there = access(d->c->store_path, F_OK) == 0;
    if (there && !owner_become(d->c->store_path, &e)) {
        doctor_say(d, DOCTOR_WRONG, "run this as root, or as the user that serves", "%s", e.text);
        return;
    }
    for (unsigned i = 0; i < d->c->community_count; i++) {
        const struct community *c = &d->c->communities[i].exchange;
        if (!c->admins)
            doctor_say(d, DOCTOR_NOTE, "name some: admins = { \"you@...\" }",
                       "%s has no admins: nobody steers it by a client", c->domain);
        for (const char *const *a = c->admins; there && a && *a; a++)
            examine_admin(d, *a);
    }
}

unsigned doctor_examine(const struct config *c, FILE *out)
{
    struct doctor d = {.c = c, .out = out};
    arena_init(&d.arena);
    examine_config(&d);
    doctor_certificates(&d);
    examine_store(&d);
    doctor_ports(&d);
    doctor_dns(&d);
    doctor_directories(&d);
    examine_admins(&d);
    fprintf(out, "%u wrong, %u worth a note\n", d.wrong, d.notes);
    arena_fini(&d.arena);
    return d.wrong;
}

int doctor_cli(const struct config *c, int argc, char **argv)
{
    (void)argc, (void)argv;
    return doctor_examine(c, stdout) ? 1 : 0;
}
