/* SPDX-License-Identifier: MIT */
/* Stanza errors: RFC 6120 section 8.3.3, each with the error type that the RFC associates. */
#ifndef CAUSEWAY_XMPP_STANZA_ERROR_H
#define CAUSEWAY_XMPP_STANZA_ERROR_H

#include <stdbool.h>

/* name, wire name, type */
#define STANZA_ERRORS(E)                                                                           \
    E(BAD_REQUEST, "bad-request", "modify")                                                        \
    E(CONFLICT, "conflict", "cancel")                                                              \
    E(FEATURE_NOT_IMPLEMENTED, "feature-not-implemented", "cancel")                                \
    E(FORBIDDEN, "forbidden", "auth")                                                              \
    E(GONE, "gone", "cancel")                                                                      \
    E(INTERNAL_SERVER_ERROR, "internal-server-error", "cancel")                                    \
    E(ITEM_NOT_FOUND, "item-not-found", "cancel")                                                  \
    E(JID_MALFORMED, "jid-malformed", "modify")                                                    \
    E(NOT_ACCEPTABLE, "not-acceptable", "modify")                                                  \
    E(NOT_ALLOWED, "not-allowed", "cancel")                                                        \
    E(NOT_AUTHORIZED, "not-authorized", "auth")                                                    \
    E(POLICY_VIOLATION, "policy-violation", "modify")                                              \
    E(RECIPIENT_UNAVAILABLE, "recipient-unavailable", "wait")                                      \
    E(REDIRECT, "redirect", "modify")                                                              \
    E(REGISTRATION_REQUIRED, "registration-required", "auth")                                      \
    E(REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel")                                \
    E(REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait")                                      \
    E(RESOURCE_CONSTRAINT, "resource-constraint", "wait")                                          \
    E(SERVICE_UNAVAILABLE, "service-unavailable", "cancel")                                        \
    E(SUBSCRIPTION_REQUIRED, "subscription-required", "auth")                                      \
    E(UNDEFINED_CONDITION, "undefined-condition", "cancel")                                        \
    E(UNEXPECTED_REQUEST, "unexpected-request", "wait")

enum stanza_error {
    STANZA_OK, /* no error */
#define STANZA_ERROR_ENUM(name, wire, type) STANZA_##name,
    STANZA_ERRORS(STANZA_ERROR_ENUM)
#undef STANZA_ERROR_ENUM
};

const char *stanza_error_name(enum stanza_error e); /* wire name; NULL for STANZA_OK */
const char *stanza_error_type(enum stanza_error e);
/* By wire name; STANZA_UNDEFINED_CONDITION when unknown. */
enum stanza_error stanza_error_parse(const char *wire_name);

#endif
