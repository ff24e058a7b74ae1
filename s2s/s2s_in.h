/* SPDX-License-Identifier: MIT */
/* Incoming streams. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_IN_H
#define CAUSEWAY_S2S_S2S_IN_H

#include "gateway/net/listener.h"
#include "gateway/net/stream.h"
#include "gateway/store/gate.h"

struct s2s_shard;
struct s2s_in;

void s2s_in_accept(struct s2s_shard *sh, struct listener *li, bool direct_tls, uv_os_sock_t fd);
void s2s_in_close(struct s2s_in *in, enum stream_error e, const char *text);
/* That domain is ours no more: nothing is taken for it. Who spoke to nobody else here is told (host-gone). */
void s2s_in_forget(struct s2s_in *in, const char *local);
void s2s_in_gate_open(struct gate *g); /* of the shard: its incoming streams are read again */
struct s2s_in *s2s_in_from_node(struct list *node);
/* What an admin is shown of it: "PLAIN", and for each pair that is proved (or once, with NULL): local, remote. */
const char *s2s_in_state(const struct s2s_in *in);
void s2s_in_each_proved(const struct s2s_in *in, void (*each)(void *user, const char *local, const char *remote),
                        void *user);

#endif
