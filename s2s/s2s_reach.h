/* SPDX-License-Identifier: MIT */
/* The way to a domain's targets: one connection after the other, until one serves. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_REACH_H
#define CAUSEWAY_S2S_S2S_REACH_H

#include <uv.h>

#include "gateway/net/tls.h"
#include "s2s/s2s_locate.h"

struct s2s_reach;

struct s2s_reach_events {
    /* A target took the connection, which is the callee's. Nothing comes any more before s2s_reach_next. */
    void (*on_reached)(void *user, uv_os_sock_t fd, const struct s2s_target *t);
    /* One did not; others may still. */
    void (*on_failed)(void *user, const struct s2s_target *t, enum s2s_failure why, const char *text);
    /* No target is left: after on_failed, or where s2s_reach_next found none. May free it, as on_reached may. */
    void (*on_over)(void *user);
};

/* The targets are borrowed and must live as long. Begins with s2s_reach_next. */
struct s2s_reach *s2s_reach_create(struct s2s_shard *sh, const struct s2s_located *where, struct s2s_trail *trail,
                                   const struct s2s_reach_events *ev, void *user);
/* Goes on with the targets that have neither failed nor been reached. What was found comes later. */
void s2s_reach_next(struct s2s_reach *r);
bool s2s_reach_has_next(const struct s2s_reach *r);
/* Of the target that was reached last: fills the part of *p about DANE; borrowed from `r`. */
void s2s_reach_fill_dane(const struct s2s_reach *r, struct tls_peer *p);
/* Accepts NULL. No callback comes any more. */
void s2s_reach_free(struct s2s_reach **r);

#endif
