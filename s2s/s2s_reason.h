/* SPDX-License-Identifier: MIT */
/* Why a way between two communities is not open, and what somebody can do about it. PURE. */
#ifndef CAUSEWAY_S2S_S2S_REASON_H
#define CAUSEWAY_S2S_S2S_REASON_H

#include "gateway/base/bytes.h"
#include "gateway/base/error.h"
#include "gateway/net/stream.h"
#include "gateway/net/tls.h"

/* Advice for an admin of {L}, the community here; {R} is the other one. clang-format off */
#define S2S_REASONS(R)                                                                                                 \
    R(NONE, "none", "")                                                                                                \
    /* where it is */                                                                                                  \
    R(NO_NAME, "no-such-domain",                                                                                       \
      "Is {R} spelt right? DNS does not know it. If it is right, whoever runs it has to publish DNS records: "         \
      "SRV _xmpp-server._tcp.{R}, or an address (A, AAAA).")                                                           \
    R(NO_ADDRESS, "no-address",                                                                                        \
      "The host that {R} should be on has no address. Whoever runs {R} has to add an A or AAAA record for it, or "     \
      "correct the SRV record that names it.")                                                                         \
    R(NO_SERVER, "no-xmpp-server",                                                                                     \
      "{R} says in DNS that it has no XMPP server (its SRV target is \".\"). Nothing can be done here.")               \
    R(DNS_SILENT, "dns-does-not-answer",                                                                               \
      "Are other domains found? If not, look at this gateway's resolver (dns_server, or /etc/resolv.conf). If they "   \
      "are, the name servers of {R} do not answer, or its DNSSEC signatures are broken: tell whoever runs {R}.")       \
    /* whether it can be reached */                                                                                    \
    R(PORT_CLOSED, "port-closed",                                                                                      \
      "The machine is there, but nothing listens at that port. Whoever runs {R} has to start the server, open the "    \
      "port, or correct the port in its SRV record.")                                                                  \
    R(HOST_SILENT, "host-does-not-answer",                                                                             \
      "A firewall swallows it, or the machine is off. May this machine connect to that port of others? If it may, "    \
      "whoever runs {R} has to look at their side.")                                                                   \
    R(UNREACHABLE, "unreachable",                                                                                      \
      "There is no way to that address from this machine. Look at its network first; then tell whoever runs {R}.")     \
    R(OURSELVES, "leads-to-ourselves",                                                                                 \
      "DNS leads {R} to this gateway, which does not serve it. Add community \"{R}\" if it should; else whoever "      \
      "runs {R} has to correct its DNS records.")                                                                      \
    R(EGRESS, "address-not-allowed",                                                                                   \
      "DNS leads {R} to an address inside private networks, which this gateway does not connect to. If that is "       \
      "meant so, allow it: egress_allow = {\"s2s ADDRESS/BITS\"}.")                                                    \
    /* TLS and certificates */                                                                                         \
    R(NO_TLS, "peer-has-no-tls",                                                                                       \
      "{R} offers no encryption. Whoever runs it has to set up TLS; or allow it here: remote \"{R}\" { tls = "         \
      "\"optional\" }.")                                                                                               \
    R(TLS_FAILED, "tls-failed",                                                                                        \
      "The two sides agree on no TLS version or cipher, or what answers is no XMPP server with TLS. Here TLS 1.2 "     \
      "with forward secrecy is the least.")                                                                            \
    R(OUR_CERTIFICATE, "our-certificate-refused",                                                                      \
      "{R} does not accept the certificate of {L}. Is it in time, does it name {L}, does the file have the whole "     \
      "chain? `causeway doctor` looks at all of this.")                                                                \
    R(NO_CERTIFICATE, "peer-has-no-certificate",                                                                       \
      "{R} shows no certificate, and the policy here wants one. Whoever runs it has to set one up.")                   \
    R(CERTIFICATE_WANTED, "certificate-wanted",                                                                        \
      "The policy here wants a certificate that proves {R}, and dialback is not enough. The certificate step says "    \
      "what it showed; whoever runs {R} has to mend that, or allow dialback here: remote \"{R}\" { certificate = "     \
      "\"optional\" }.")                                                                                               \
    R(CERTIFICATE_NAME, "certificate-lacks-the-name",                                                                  \
      "Whoever runs {R} needs a certificate whose names have {R} itself (dNSName); the host's name is not enough, "    \
      "and a wildcard covers one label.")                                                                              \
    R(CERTIFICATE_TRUST, "certificate-not-trusted",                                                                    \
      "No authority that is trusted here has signed it, a certificate of the chain is missing, or it has expired. "    \
      "Whoever runs {R} has to renew it and serve the whole chain; or add their authority to ca_file.")                \
    R(CERTIFICATE_DANE, "certificate-not-in-dns",                                                                      \
      "The zone of {R}'s host says by DNSSEC which certificate it has (TLSA), and this is another one. Whoever runs "  \
      "{R} has to publish the record of the new certificate, or somebody stands between.")                             \
    /* who they are */                                                                                                 \
    R(OUR_KEY_REFUSED, "our-key-refused",                                                                              \
      "{R} asked the server that DNS names for {L}, and that one did not know the key. Does SRV of {L} lead to this "  \
      "gateway, and to it alone? Nodes of one community must share one store.")                                        \
    R(CANNOT_CALL_BACK, "peer-cannot-call-back",                                                                       \
      "{R} could not ask {L} back. Do SRV _xmpp-server._tcp.{L} and the address lead to this gateway, and is the "     \
      "port open from outside? `causeway doctor` asks.")                                                               \
    R(THEIR_KEY_WRONG, "their-key-wrong",                                                                              \
      "The server that DNS names for {R} says that it did not call. Either somebody else did, or {R} runs on "         \
      "machines that do not share their dialback secret: whoever runs it has to mend that.")                           \
    R(CANNOT_ASK_THEM, "cannot-ask-them",                                                                              \
      "To know that it is {R}, this gateway has to reach the server that DNS names for it, and did not. Mend the "     \
      "way out first.")                                                                                                \
    R(AUTH_REFUSED, "authentication-refused",                                                                          \
      "{R} did not accept the proof that this is {L}. Its words stand above; the certificate of {L} and the SRV "      \
      "records of {L} are the places to look: `causeway doctor`.")                                                     \
    R(AUTH_WRONG, "no-proof",                                                                                          \
      "What called as {R} did not prove to be it, neither by a certificate nor by dialback. Whoever runs {R} has to "  \
      "look at their certificate and their log.")                                                                      \
    R(NO_AUTH, "no-common-proof",                                                                                      \
      "Both sides speak, but offer no way to prove who they are that the other one takes. Most often the certificate " \
      "of one of them is not accepted by the other, and dialback is switched off there.")                              \
    /* policy */                                                                                                       \
    R(OUR_POLICY, "our-policy",                                                                                        \
      "The configuration of this gateway decides so: remote \"{R}\", or community \"{L}\", or a list that they name.") \
    R(THEIR_POLICY, "their-policy",                                                                                    \
      "Whoever runs {R} has decided so. Their words stand above; ask them to allow {L}.")                              \
    R(NOT_SERVED_THERE, "not-served-there",                                                                            \
      "DNS leads {R} to a machine that does not know it. Whoever runs {R} has to set the domain up there, or to "      \
      "correct its DNS records.")                                                                                      \
    R(NOT_SERVED_HERE, "not-served-here",                                                                              \
      "They called a domain that is not served here. Add community \"{L}\" if it should be; else its DNS records "     \
      "lead here by mistake.")                                                                                         \
    /* the stream */                                                                                                   \
    R(NO_ANSWER, "no-answer",                                                                                          \
      "Something takes the connection and says nothing, or not enough. It may be overloaded, or no XMPP server, or "   \
      "want TLS from the first byte at that port: whoever runs {R} has to look.")                                      \
    R(CUT, "connection-cut",                                                                                           \
      "The connection broke without a word. A restart there, a firewall, or a crash; if it goes on, whoever runs {R} " \
      "has to look into their log.")                                                                                   \
    R(PEER_ERROR, "peer-ended-it",                                                                                     \
      "{R} ended the stream with an error. Its words stand above; whoever runs it can tell more from their log.")      \
    R(OUR_ERROR, "we-ended-it",                                                                                        \
      "{R} said something that it must not say. The words stand above: whoever runs it should report that to the "     \
      "makers of their server.")                                                                                       \
    R(TOO_BIG, "too-big", "{R} takes no stanzas of that size; nothing is wrong with the way.")                         \
    R(SHUT_DOWN, "shut-down", "One of the two servers goes down; it is tried again.")
/* clang-format on */

enum s2s_reason {
#define S2S_REASON_ENUM(name, word, advice) S2S_WHY_##name,
    S2S_REASONS(S2S_REASON_ENUM)
#undef S2S_REASON_ENUM
};

const char *s2s_reason_name(enum s2s_reason r); /* "port-closed" */
/* Appends what to do; nothing for NONE. */
void s2s_reason_advice(enum s2s_reason r, const char *local, const char *remote, struct bytes *out);

/* Why no connection came about (gateway/net/dial.h). */
enum s2s_reason s2s_reason_of_dial(const struct error *e);
/* Why a stream ended. `out`: we had begun it. */
enum s2s_reason s2s_reason_of_end(const struct stream_end *end);
/* A dialback error that came for our key. */
enum s2s_reason s2s_reason_of_dialback(const char *condition);

/* One line about a certificate: whom it names, until when, and whether it proves `domain`; the reason why it does
 * not, or NONE. */
enum s2s_reason s2s_reason_of_certificate(const struct tls_info *info, const char *domain, struct bytes *out);

#endif
