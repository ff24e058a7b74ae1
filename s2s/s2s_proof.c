/* SPDX-License-Identifier: MIT */
/* Decided here: which proofs rest on a certificate. */
#include "s2s/s2s_proof.h"

const char *s2s_proof_name(enum s2s_proof p)
{
    static const char *const names[] = {
#define NAME(name, text) text,
        S2S_PROOFS(NAME)
#undef NAME
    };
    return names[p];
}

bool s2s_proof_is_certificate(enum s2s_proof p)
{
    return p == S2S_PROOF_CERTIFICATE || p == S2S_PROOF_DANE;
}
