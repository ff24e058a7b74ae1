/* SPDX-License-Identifier: MIT */
/* How a server showed that it is its domain. */
#ifndef CAUSEWAY_S2S_S2S_PROOF_H
#define CAUSEWAY_S2S_S2S_PROOF_H

#include <stdbool.h>

/* Weakest first: name, as an admin reads it */
#define S2S_PROOFS(P)                                                                              \
    P(NONE, "nothing")                                                                             \
    P(DIALBACK, "dialback")    /* where DNS says that it is, it was found (XEP-0220) */            \
    P(CERTIFICATE, "EXTERNAL") /* a certificate of that name, from a CA that is trusted here */    \
    P(DANE, "DANE")            /* a certificate that DNSSEC vouches for (RFC 7712) */

enum s2s_proof {
#define S2S_PROOF_ENUM(name, text) S2S_PROOF_##name,
    S2S_PROOFS(S2S_PROOF_ENUM)
#undef S2S_PROOF_ENUM
};

const char *s2s_proof_name(enum s2s_proof p);
/* Not by addresses alone. */
bool s2s_proof_is_certificate(enum s2s_proof p);

#endif
