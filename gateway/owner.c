/* SPDX-License-Identifier: MIT */
/* Who owns the store, and being that user. */
#include "gateway/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/text.h"

bool owner_of_store(const char *store_path, uid_t *uid, gid_t *gid)
{
    char folder[4096];
    struct stat st;
    if (!text_copy(folder, sizeof folder, store_path))
        return false;
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash[1] = '\0';
    else if (slash)
        *slash = '\0';
    if (stat(slash ? folder : ".", &st) != 0 || !S_ISDIR(st.st_mode))
        return false;
    *uid = st.st_uid;
    *gid = st.st_gid;
    return true;
}

static bool become(uid_t uid, gid_t gid)
{
    const struct passwd *p = getpwuid(uid);
    return (p ? initgroups(p->pw_name, p->pw_gid) : setgroups(0, NULL)) == 0 && setgid(p ? p->pw_gid : gid) == 0 &&
           setuid(uid) == 0;
}

bool owner_become(const char *store_path, struct error *e)
{
    uid_t uid;
    gid_t gid;
    if (geteuid() != 0 || !owner_of_store(store_path, &uid, &gid) || uid == 0)
        return true;
    if (!become(uid, gid))
        return error_set(e, ERROR_DENIED, "cannot become user %u, whose the store's folder is: %s", (unsigned)uid,
                         strerror(errno));
    return true;
}

/* Asked in a child that has become the user: no rule of the kernel need be told again here. */
bool owner_may_read(uid_t uid, gid_t gid, const char *file)
{
    if (geteuid() != 0 || uid == 0)
        return access(file, R_OK) == 0;
    pid_t child = fork();
    if (child == 0)
        _exit(become(uid, gid) && access(file, R_OK) == 0 ? 0 : 1);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
