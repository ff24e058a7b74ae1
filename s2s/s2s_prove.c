/* SPDX-License-Identifier: MIT */
/* Decided here: EXTERNAL before dialback; that a peer which will have neither is told apart by what it refused; that
 * an old peer, which announces nothing, is tried with dialback all the same.
 *
 * XEP-0220 4: only the answer to what was asked on this very stream counts, for just these two domains. */
#include "s2s/s2s_prove.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"
#include "s2s/s2s_dialback.h"
#include "s2s/s2s_external.h"
#include "s2s/s2s_internal.h"
#include "s2s/s2s_way.h"

void s2s_prove_init(struct s2s_prove *pr, const struct s2s_way *way)
{
    *pr = (struct s2s_prove){.way = way};
}

/* XEP-0288 2.2: before the proof. What we can take on the way back stands in it, as we have no features. */
static void ask_for_bidi(struct s2s_prove *pr, struct s2s_out *out)
{
    const struct s2s_features *f = s2s_out_features(out);
    pr->bidi = f->bidi && !pr->way->shard->s2s->o.bidi_off;
    if (!pr->bidi)
        return;
    stream_send_text(s2s_out_stream(out), f->queue ? "<bidi xmlns='" NS_BIDI "'><queue xmlns='" NS_QUEUE "'/></bidi>"
                                                   : "<bidi xmlns='" NS_BIDI "'/>");
}

static void send_key(struct s2s_prove *pr, struct s2s_out *out)
{
    const struct s2s_way *w = pr->way;
    struct bytes key = BYTES_EMPTY;
    s2s_dialback_key(w->shard->s2s, w->remote, w->local, s2s_out_stream_id(out), &key);
    s2s_dialback_send(s2s_out_stream(out), &(struct s2s_dialback_word){.element = "result",
                                                                       .from = w->local,
                                                                       .to = w->remote,
                                                                       .key = bytes_text(&key)});
    bytes_fini(&key);
    pr->state = S2S_PROVE_DIALBACK;
    s2s_trail_note(s2s_out_trail(out), S2S_STEP_AUTHENTICATION, "dialback: our key is sent");
}

static void done(struct s2s_prove *pr, struct s2s_out *out, enum s2s_proof how)
{
    pr->state = S2S_PROVE_DONE;
    pr->how = how;
    log_info(&pr->way->log, "%s accepted; the way is open%s", s2s_proof_name(how), pr->bidi ? ", both ways" : "");
    s2s_trail_well(s2s_out_trail(out), S2S_STEP_AUTHENTICATION, "it accepted our %s%s",
                   how == S2S_PROOF_DIALBACK ? "dialback key" : "certificate (EXTERNAL)",
                   pr->bidi ? "; the stream goes both ways" : "");
}

/* Some servers take dialback without announcing it, so it is tried all the same. */
static void note_no_external(struct s2s_prove *pr, struct s2s_out *out)
{
    pr->offers_nothing = !s2s_out_features(out)->dialback;
    snprintf(pr->no_external, sizeof pr->no_external,
             "it offered no SASL EXTERNAL, so it does not accept the certificate of %.80s%s", pr->way->local,
             pr->offers_nothing ? ", and no dialback" : "");
    s2s_trail_note(s2s_out_trail(out), S2S_STEP_AUTHENTICATION, "%s", pr->no_external);
}

static void begin(struct s2s_prove *pr, struct s2s_out *out)
{
    const struct s2s_features *f = s2s_out_features(out);
    pr->no_external[0] = '\0';
    pr->offers_nothing = false;
    ask_for_bidi(pr, out);
    if (f->external) {
        s2s_external_send(s2s_out_stream(out));
        s2s_trail_note(s2s_out_trail(out), S2S_STEP_AUTHENTICATION, "it offers EXTERNAL: our certificate is the proof");
        pr->state = S2S_PROVE_EXTERNAL;
        return;
    }
    if (wire_tls(stream_wire(s2s_out_stream(out))))
        note_no_external(pr, out);
    send_key(pr, out);
}

void s2s_prove_ready(struct s2s_prove *pr, struct s2s_out *out)
{
    if (pr->state == S2S_PROVE_RESTARTING)
        done(pr, out, S2S_PROOF_CERTIFICATE);
    else
        begin(pr, out);
}

static void fail(struct s2s_prove *pr, struct s2s_out *out, enum s2s_failure why, const char *text)
{
    pr->state = S2S_PROVE_FAILED;
    s2s_out_give_up(out, why, text);
}

/* ---- EXTERNAL ---- */

/* RFC 6120 6.4.2: our "=" was not taken for an answer. There is no other, so it is given once. */
static void answer_challenge(struct s2s_prove *pr, struct s2s_out *out)
{
    if (pr->state == S2S_PROVE_CHALLENGED) {
        fail(pr, out, S2S_TIMEOUT, "the peer wants more for SASL EXTERNAL than a certificate");
        return;
    }
    stream_send_text(s2s_out_stream(out), "<response xmlns='" NS_SASL "'>=</response>");
    pr->state = S2S_PROVE_CHALLENGED;
}

static bool external_element(struct s2s_prove *pr, struct s2s_out *out, const struct stanza *st)
{
    const struct element *root = st->payload->root;
    char why[160];
    if (strcmp(root->ns, NS_SASL) != 0)
        return false;
    if (strcmp(root->name, "success") == 0) {
        pr->state = S2S_PROVE_RESTARTING;
        s2s_out_restart(out);
        return true;
    }
    if (strcmp(root->name, "challenge") == 0) {
        answer_challenge(pr, out);
        return true;
    }
    if (strcmp(root->name, "failure") != 0)
        return false;
    s2s_external_read_failure(why, sizeof why, st);
    snprintf(pr->no_external, sizeof pr->no_external, "it refused the certificate of %.80s by SASL EXTERNAL: %.90s",
             pr->way->local, why);
    log_info(&pr->way->log, "%s; dialback is tried", pr->no_external);
    s2s_trail_fail(s2s_out_trail(out), S2S_STEP_AUTHENTICATION, S2S_WHY_OUR_CERTIFICATE, "%s", pr->no_external);
    send_key(pr, out);
    return true;
}

/* ---- dialback ---- */

/* XEP-0220 2.4.2: what will not change by itself while messages wait. */
static enum s2s_failure of_condition(const char *name)
{
    static const char *const permanent[] = {"policy-violation", "forbidden", "not-allowed", "not-authorized"};
    for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
        if (strcmp(permanent[i], name) == 0)
            return S2S_REFUSED;
    return S2S_TIMEOUT;
}

/* Invalid, or an error (XEP-0220 2.5): ours or the peer's set-up is wrong; messages wait for better. */
static void refused(struct s2s_prove *pr, struct s2s_out *out, const struct stanza *st)
{
    const struct element *error = element_child(st->payload->root, "error", NULL);
    const struct element *condition = error ? error->first_child : NULL;
    char text[200];
    snprintf(text, sizeof text, "the peer did not accept our dialback key: %.60s",
             condition ? condition->name : "it says that it is not valid");
    s2s_trail_fail(s2s_out_trail(out), S2S_STEP_AUTHENTICATION,
                   s2s_reason_of_dialback(condition ? condition->name : NULL), "%s", text);
    fail(pr, out, condition ? of_condition(condition->name) : S2S_TIMEOUT, text);
}

static bool dialback_element(struct s2s_prove *pr, struct s2s_out *out, const struct stanza *st)
{
    struct s2s_dialback d;
    if (!element_is(st->payload->root, "result", NS_DIALBACK) || !s2s_dialback_read(st, &d))
        return false;
    if (strcmp(d.from, pr->way->remote) != 0 || strcmp(d.to, pr->way->local) != 0)
        log_warn(&pr->way->log, "dialback result for other domains ignored");
    else if (text_eq(d.type, "valid"))
        done(pr, out, S2S_PROOF_DIALBACK);
    else
        refused(pr, out, st);
    arena_fini(&d.arena);
    return true;
}

bool s2s_prove_element(struct s2s_prove *pr, struct s2s_out *out, const struct stanza *st)
{
    switch (pr->state) {
    case S2S_PROVE_EXTERNAL:
    case S2S_PROVE_CHALLENGED:
        return external_element(pr, out, st);
    case S2S_PROVE_DIALBACK:
        return dialback_element(pr, out, st);
    case S2S_PROVE_IDLE:
    case S2S_PROVE_RESTARTING:
    case S2S_PROVE_DONE:
    case S2S_PROVE_FAILED:
        return false;
    }
    return false;
}

enum s2s_failure s2s_prove_end(struct s2s_prove *pr, enum s2s_failure why, char *out, size_t size, const char *text)
{
    bool both = pr->state == S2S_PROVE_DIALBACK || pr->state == S2S_PROVE_FAILED;
    if (both && pr->offers_nothing && why == S2S_FAULTED)
        why = S2S_REFUSED; /* it takes neither: waiting mends nothing */
    snprintf(out, size, "%s%s%s", text, both && pr->no_external[0] ? "; " : "", both ? pr->no_external : "");
    pr->state = S2S_PROVE_IDLE;
    pr->bidi = false;
    pr->how = S2S_PROOF_NONE;
    return why;
}
