/* SPDX-License-Identifier: MIT */
/* Root types commands, another user serves: what a command writes into the store must stay that
 * user's. */
#ifndef CAUSEWAY_OWNER_H
#define CAUSEWAY_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/base/error.h"

/* Whom the folder of the store belongs to. false: there is no such folder. */
bool owner_of_store(const char *store_path, uid_t *uid, gid_t *gid);
/* Started as root, the process becomes that user for good, with the user's groups; else nothing changes. */
MUST_USE bool owner_become(const char *store_path, struct error *e);
/* May that user read `file`, by its mode and the groups of the user? What lies on the way is looked at too. */
bool owner_may_read(uid_t uid, gid_t gid, const char *file);

#endif
