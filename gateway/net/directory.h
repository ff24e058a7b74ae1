/* SPDX-License-Identifier: MIT */
/* A directory of people outside (LDAP, RFC 4511): is this their password, and are they still there?
 *
 * The library blocks, so a few threads of its own ask, each over connections that it keeps; what waits for them is
 * bounded, and refused beyond that: a server that hangs costs those who log in there, and nobody else. No password is
 * kept. Who exists is remembered for a while, for those who show a token instead of a password. */
#ifndef CAUSEWAY_NET_DIRECTORY_H
#define CAUSEWAY_NET_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/error.h"
#include "gateway/base/list.h"
#include "gateway/net/loop.h"

enum directory_outcome {
    DIRECTORY_RIGHT,       /* the password is; or, where none was asked about: the person is there */
    DIRECTORY_WRONG,       /* it is not; or nobody is there, or more than one */
    DIRECTORY_DISABLED,    /* locked, says the directory */
    DIRECTORY_EXPIRED,     /* so is the password, or it must be changed first */
    DIRECTORY_UNAVAILABLE, /* nobody could be asked, or the answer is no answer */
};

enum directory_starttls {
    DIRECTORY_STARTTLS_AUTO,
    DIRECTORY_STARTTLS_YES,
    DIRECTORY_STARTTLS_NO
}; /* AUTO: but on loopback */

struct directory_backend;

struct directory_options {
    const char *domain;      /* of the community */
    const char *const *urls; /* ldap:// ldaps:// ldapi://, tried in that order; ends with NULL */
    enum directory_starttls starttls;
    const char *ca_file;     /* NULL: the system's */
    /* People are searched for below `base` with `filter`, or their entry is `dn` (then base is NULL). Templates with
     * %u, %d. */
    const char *base, *filter, *dn;
    const char *bind_dn, *bind_password; /* who searches; NULL: anonymous */
    unsigned timeout_s;      /* for one answer; a request may take three of them */
    unsigned cache_s;
    unsigned threads, queue_max, cache_max; /* 0: 3, 64, 10,000 */
    const struct directory_backend *backend; /* NULL: LDAP (directory_ldap.c) */
    void *backend_user;
    const struct clock *clock; /* NULL: the machine's */
};

/* How a directory is asked; a line belongs to one thread. All block until `deadline_ms` (of the clock) at most. */
struct directory_backend {
    void *(*open)(const struct directory_options *o); /* connects to nothing yet */
    /* RIGHT: exactly one entry is `user`'s, and its name is in `dn`. UNAVAILABLE fills *e. */
    enum directory_outcome (*find)(void *line, const char *user, struct bytes *dn, uint64_t deadline_ms,
                                   struct error *e);
    enum directory_outcome (*prove)(void *line, const char *dn, const char *password, uint64_t deadline_ms,
                                    struct error *e);
    void (*close)(void *line);
};

struct directory;

/* The options are borrowed until the end. */
struct directory *directory_create(const struct directory_options *o);
/* Nobody asks any more. Waits for the threads. */
void directory_destroy(struct directory **d);
const char *directory_domain(const struct directory *d);
/* There is somebody who may look whether a person is there (else only a password tells). */
bool directory_can_search(const struct directory *d);

struct directory_ask {
    struct list node;
    struct command reply;
    const char *user;     /* localpart, prepared */
    const char *password; /* NULL: is the person there? It may be up to cache_s old, unless */
    bool fresh;           /* what is remembered will not do */
    struct loop *reply_on;
    void (*done)(struct directory_ask *ask);
    enum directory_outcome outcome;
    uint64_t since_ms; /* inside */
};
/* done, once, later. `ask` and what it points to stay until then. Any thread. An empty password is WRONG, and the
 * directory never sees it: it would be a bind of nobody, which is always right (RFC 4513 5.1.2). */
void directory_ask(struct directory *d, struct directory_ask *ask);

#endif
