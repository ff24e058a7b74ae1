/* SPDX-License-Identifier: MIT */
/* Incoming streams. Loop: the shard's. */
#ifndef CAUSEWAY_S2S_S2S_IN_H
#define CAUSEWAY_S2S_S2S_IN_H

#include "gateway/net/listener.h"
#include "gateway/net/stream.h"
#include "s2s/s2s_proof.h"

struct s2s_shard;
struct s2s_in;

/* `li` NULL: it is counted in the shard's `taken`. */
void s2s_in_accept(struct s2s_shard *sh, struct listener *li, bool direct_tls, uv_os_sock_t fd,
                   const struct sockaddr_storage *peer);
void s2s_in_close(struct s2s_in *in, enum stream_error e, const char *text);
/* That domain is ours no more: nothing is taken for it. Who spoke to nobody else here is told (host-gone). */
void s2s_in_forget(struct s2s_in *in, const char *local);
struct s2s_in *s2s_in_from_node(struct list *node);
/* XEP-0288: a stream of the shard by which LOCAL's stanzas can go to REMOTE; NULL: none. It tells that pair when it
 * has room again and when it ends (s2s_pair.h). */
struct s2s_in *s2s_in_way_back(struct s2s_shard *sh, const char *local, const char *remote);
bool s2s_in_is_ready(const struct s2s_in *in); /* it takes stanzas */
struct stream *s2s_in_stream(const struct s2s_in *in);
bool s2s_in_takes_queue(const struct s2s_in *in); /* the peer knows urn:causeway:queue:1 */
/* How the pair was proved on this stream; S2S_PROOF_NONE: it was not. */
enum s2s_proof s2s_in_proof(const struct s2s_in *in, const char *local, const char *remote);

/* What an admin is shown of it: "PLAIN", and for each pair that is proved (or once, with S2S_PROOF_NONE). */
struct s2s_in_look {
    const char *state;
    const char *local, *remote; /* NULL: unknown. Remote: what it says that it is, where nothing is proved */
    enum s2s_proof how;
    bool both_ways; /* XEP-0288 */
};
void s2s_in_each_proved(const struct s2s_in *in, void (*each)(void *user, const struct s2s_in_look *look), void *user);

#endif
