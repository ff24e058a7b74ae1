/* SPDX-License-Identifier: MIT */
/* A directory asked by libldap. Everything here blocks: for the threads of directory.c, and for tools. */
#ifndef CAUSEWAY_NET_DIRECTORY_LDAP_H
#define CAUSEWAY_NET_DIRECTORY_LDAP_H

#include "gateway/net/directory.h"

extern const struct directory_backend directory_ldap_backend;

/* Everybody who could log in, by pages (RFC 2696): each localpart as the directory has it, not prepared; the same one
 * may come twice. false: not all were told, and *e says why. */
MUST_USE bool directory_ldap_list(const struct directory_options *o,
                                  void (*each)(void *user, const char *name, size_t len), void *user, struct error *e);
/* Is that one there? For tools; as find above, over a line of its own each time. */
enum directory_outcome directory_ldap_find(const struct directory_options *o, const char *user, struct error *e);
/* Connects to urls[index] alone, proves who searches, and searches: *seen is whether the filter finds anybody. false:
 * *e says what is wrong, *next what to do. */
MUST_USE bool directory_ldap_try(const struct directory_options *o, unsigned index, bool *seen, const char **next,
                                 struct error *e);
/* Before anything else of this process: options of libldap are ours alone, not those of /etc/ldap or of a home. */
void directory_ldap_init(void);

#endif
