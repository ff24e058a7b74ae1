/* SPDX-License-Identifier: MIT */
/* Decided here: a peer may say whom it is (XEP-0178: the domain that its header named) or nothing ("=", as all but
 * the oldest do), in <auth/> or, asked, in <response/>; whom else it names is an invalid-authzid. Every failure
 * leaves the stream as it was, so that dialback may follow. */
#include "s2s/s2s_external.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/base64.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

const char *s2s_external_why_not(const struct tls_info *tls, const char *domain)
{
    if (!tls || !tls->peer_has_cert)
        return "it showed no certificate";
    if (!tls->peer_chain_valid)
        return "no authority that is trusted here stands behind its certificate, or it is out of date";
    return tls_cert_matches(tls->peer_cert, domain) ? NULL : "its certificate does not name that domain";
}

/* ---- receiving ---- */

/* `said`: base64 of the authorisation identity; "=" or "": none. */
static enum sasl_failure judge(const char *said, const char *remote)
{
    if (!*said || strcmp(said, "=") == 0)
        return SASL_OK;
    struct bytes text = BYTES_EMPTY;
    struct arena a;
    arena_init(&a);
    enum sasl_failure why = SASL_INVALID_AUTHZID;
    if (!base64_decode(&text, said, strlen(said)) || memchr(text.data, '\0', text.len))
        why = SASL_INCORRECT_ENCODING;
    else if (text_eq(jid_parse_domain(&a, bytes_text(&text)), remote))
        why = SASL_OK;
    bytes_fini(&text);
    arena_fini(&a);
    return why;
}

static enum s2s_external_step fail(struct stream *st, enum sasl_failure why)
{
    log_warn(stream_log(st), "SASL EXTERNAL fails: %s", sasl_failure_name(why));
    stream_send_text(st, "<failure xmlns='" NS_SASL "'><%s/></failure>", sasl_failure_name(why));
    return S2S_EXTERNAL_FAILED;
}

enum s2s_external_step s2s_external_take(struct stream *st, const struct stanza *word, const char *remote)
{
    const struct element *root = word->payload->root;
    bool begins = strcmp(root->name, "auth") == 0;
    if (strcmp(root->name, "abort") == 0)
        return fail(st, SASL_ABORTED);
    if (!remote || (begins && !text_eq(stanza_attr(word, "mechanism"), "EXTERNAL")))
        return fail(st, SASL_INVALID_MECHANISM);
    if (!begins && strcmp(root->name, "response") != 0)
        return fail(st, SASL_MALFORMED_REQUEST);
    if (begins && !*root->text) { /* RFC 6120 6.4.2: nothing yet; "=" would be nothing at all */
        stream_send_text(st, "<challenge xmlns='" NS_SASL "'/>");
        return S2S_EXTERNAL_CONTINUES;
    }
    enum sasl_failure why = judge(root->text, remote);
    if (why != SASL_OK)
        return fail(st, why);
    stream_send_text(st, "<success xmlns='" NS_SASL "'/>");
    return S2S_EXTERNAL_PROVED;
}

/* ---- initiating ---- */

bool s2s_external_is_offered(const struct stanza *features)
{
    const struct element *offered = stanza_child(features, "mechanisms", NS_SASL);
    for (const struct element *m = offered ? offered->first_child : NULL; m; m = m->next)
        if (element_is(m, "mechanism", NS_SASL) && strcmp(m->text, "EXTERNAL") == 0)
            return true;
    return false;
}

/* "=": servers of former days take an empty <auth/> for one that is to be challenged (XEP-0178). */
void s2s_external_send(struct stream *st)
{
    stream_send_text(st, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>=</auth>");
}

void s2s_external_read_failure(char *out, size_t size, const struct stanza *failure)
{
    const char *condition = "failure", *text = NULL;
    for (const struct element *c = failure->payload->root->first_child; c; c = c->next) {
        if (strcmp(c->name, "text") == 0)
            text = c->text;
        else
            condition = c->name;
    }
    snprintf(out, size, "%.60s%s%.100s", condition, text ? ": " : "", text ? text : "");
}
