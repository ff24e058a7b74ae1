/* SPDX-License-Identifier: MIT */
/* Stream errors: RFC 6120 section 4.9.3. */
#ifndef CAUSEWAY_XMPP_STREAM_ERROR_H
#define CAUSEWAY_XMPP_STREAM_ERROR_H

#define STREAM_ERRORS(E)                                                                           \
    E(BAD_FORMAT, "bad-format")                                                                    \
    E(BAD_NAMESPACE_PREFIX, "bad-namespace-prefix")                                                \
    E(CONFLICT, "conflict")                                                                        \
    E(CONNECTION_TIMEOUT, "connection-timeout")                                                    \
    E(HOST_GONE, "host-gone")                                                                      \
    E(HOST_UNKNOWN, "host-unknown")                                                                \
    E(IMPROPER_ADDRESSING, "improper-addressing")                                                  \
    E(INTERNAL_SERVER_ERROR, "internal-server-error")                                              \
    E(INVALID_FROM, "invalid-from")                                                                \
    E(INVALID_NAMESPACE, "invalid-namespace")                                                      \
    E(INVALID_XML, "invalid-xml")                                                                  \
    E(NOT_AUTHORIZED, "not-authorized")                                                            \
    E(NOT_WELL_FORMED, "not-well-formed")                                                          \
    E(POLICY_VIOLATION, "policy-violation")                                                        \
    E(REMOTE_CONNECTION_FAILED, "remote-connection-failed")                                        \
    E(RESET, "reset")                                                                              \
    E(RESOURCE_CONSTRAINT, "resource-constraint")                                                  \
    E(RESTRICTED_XML, "restricted-xml")                                                            \
    E(SEE_OTHER_HOST, "see-other-host")                                                            \
    E(SYSTEM_SHUTDOWN, "system-shutdown")                                                          \
    E(UNDEFINED_CONDITION, "undefined-condition")                                                  \
    E(UNSUPPORTED_ENCODING, "unsupported-encoding")                                                \
    E(UNSUPPORTED_FEATURE, "unsupported-feature")                                                  \
    E(UNSUPPORTED_STANZA_TYPE, "unsupported-stanza-type")                                          \
    E(UNSUPPORTED_VERSION, "unsupported-version")

enum stream_error {
    STREAM_OK, /* an orderly end */
#define STREAM_ERROR_ENUM(name, wire) STREAM_##name,
    STREAM_ERRORS(STREAM_ERROR_ENUM)
#undef STREAM_ERROR_ENUM
};

const char *stream_error_name(enum stream_error e); /* wire name; NULL for STREAM_OK */
enum stream_error stream_error_parse(const char *wire_name);

#endif
