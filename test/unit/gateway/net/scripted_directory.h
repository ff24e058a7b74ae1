/* SPDX-License-Identifier: MIT */
/* A directory that a test scripts: behind the threads of gateway/net/directory.c, in place of libldap. Romeo's password is rose. */
#ifndef TEST_NET_SCRIPTED_DIRECTORY_H
#define TEST_NET_SCRIPTED_DIRECTORY_H

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/net/directory.h"

struct script {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool shut;       /* nobody is answered until it is open */
    bool away;       /* UNAVAILABLE */
    bool is_gone;    /* nobody is there */
    unsigned inside; /* threads that wait */
    unsigned finds, proofs;
    enum directory_outcome refusal; /* of who shows another password; RIGHT: WRONG */
    struct directory *d;
};

static inline void *script_open(const struct directory_options *o)
{
    return o->backend_user;
}

static inline void script_close(void *line)
{
    (void)line;
}

static inline enum directory_outcome script_find(void *line, const char *user, struct bytes *dn, uint64_t deadline_ms, struct error *e)
{
    struct script *s = line;
    (void)deadline_ms;

    pthread_mutex_lock(&s->lock);
    s->finds++;
    s->inside++;
    pthread_cond_broadcast(&s->wake);
    while (s->shut)
        pthread_cond_wait(&s->wake, &s->lock);
    s->inside--;
    enum directory_outcome outcome = s->away ? DIRECTORY_UNAVAILABLE : s->is_gone ? DIRECTORY_WRONG : DIRECTORY_RIGHT;
    pthread_mutex_unlock(&s->lock);
    if (outcome == DIRECTORY_UNAVAILABLE)
        error_set(e, ERROR_TEMPORARY, "away");
    bytes_printf(dn, "uid=%s", user);
    return outcome;
}

static inline enum directory_outcome script_prove(void *line, const char *dn, const char *password, uint64_t deadline_ms, struct error *e)
{
    struct script *s = line;
    (void)deadline_ms, (void)e;

    assert_true(*password);
    pthread_mutex_lock(&s->lock);
    s->proofs++;
    enum directory_outcome refusal = s->refusal ? s->refusal : DIRECTORY_WRONG;
    pthread_mutex_unlock(&s->lock);
    return text_eq(dn, "uid=romeo") && text_eq(password, "rose") ? DIRECTORY_RIGHT : refusal;
}

static const struct directory_backend script_backend = {script_open, script_find, script_prove, script_close};

/* `o`: without who is asked. */
static inline void script_start(struct script *s, struct directory_options o)
{
    static const char *const urls[] = {"ldap://localhost", NULL};

    *s = (struct script){0};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    o.urls = urls;
    o.base = o.dn ? NULL : "ou=people";
    o.timeout_s = 5;
    o.backend = &script_backend;
    o.backend_user = s;
    s->d = directory_create(&o);
}

static inline void script_end(struct script *s)
{
    directory_destroy(&s->d);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
}

static inline void script_set_shut(struct script *s, bool shut)
{
    pthread_mutex_lock(&s->lock);
    s->shut = shut;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static inline void script_until_inside(struct script *s, unsigned count)
{
    pthread_mutex_lock(&s->lock);
    while (s->inside < count)
        pthread_cond_wait(&s->wake, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

#endif
