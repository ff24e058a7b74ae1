/* SPDX-License-Identifier: MIT */
/* See ctl_form.h. A field of type text-private takes no value from the command line: only a file, standard
 * input or the terminal. One that is the same password again ("password-verify") takes the first one's. */
#include "gateway/ctl/ctl_form.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/ctl/ctl_secret.h"
#include "gateway/ctl/ctl_xml.h"

bool ctl_form_flags(struct ctl_flags *f, int argc, char **argv, struct error *e)
{
    for (int i = 0; i < argc; i++) {
        char *name = argv[i], *equals = strchr(name, '=');
        if (strncmp(name, "--", 2) != 0 || name[2] == '\0' || name[2] == '=')
            return error_set(e, ERROR_INVALID, "'%.80s' is not --field", name);
        if (f->count == CTL_FLAGS_MAX)
            return error_set(e, ERROR_INVALID, "more than %d fields", CTL_FLAGS_MAX);
        struct ctl_flag *flag = &f->v[f->count++];
        *flag = (struct ctl_flag){.name = name + 2};
        if (equals) {
            *equals = '\0';
            flag->value = equals + 1;
        } else if (i + 1 < argc) {
            flag->value = argv[++i];
        } else {
            return error_set(e, ERROR_INVALID, "--%.80s: a value is missing", flag->name);
        }
    }
    return true;
}

const char *ctl_form_unused(const struct ctl_flags *f)
{
    for (unsigned i = 0; i < f->count; i++)
        if (!f->v[i].used)
            return f->v[i].name;
    return NULL;
}

static struct ctl_flag *flag_named(struct ctl_flags *f, const char *name, struct ctl_flag *behind)
{
    for (struct ctl_flag *at = behind ? behind + 1 : f->v; at < f->v + f->count; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

/* ---- values ---- */

static void add_leaf(xmpp_ctx_t *ctx, xmpp_stanza_t *parent, const char *name, const char *text)
{
    xmpp_stanza_t *leaf = xmpp_stanza_new(ctx), *body = xmpp_stanza_new(ctx);
    xmpp_stanza_set_name(leaf, name);
    xmpp_stanza_set_text(body, text);
    xmpp_stanza_add_child(leaf, body);
    xmpp_stanza_add_child(parent, leaf);
    xmpp_stanza_release(body);
    xmpp_stanza_release(leaf);
}

static bool add_secret_file(xmpp_ctx_t *ctx, xmpp_stanza_t *out, const char *path, struct error *e)
{
    char secret[CTL_SECRET_BYTES];
    bool got = ctl_secret_from_file(path, secret, e);
    if (got)
        add_leaf(ctx, out, "value", secret);
    mem_wipe(secret, sizeof secret);
    return got;
}

static const char *first_value(struct arena *a, xmpp_stanza_t *submit, const char *var)
{
    for (xmpp_stanza_t *f = ctl_xml_child(submit, "field"); f; f = ctl_xml_next(f, "field"))
        if (text_eq(xmpp_stanza_get_attribute(f, "var"), var))
            return ctl_xml_text(a, ctl_xml_child(f, "value"));
    return NULL;
}

/* The same password again; NULL: it is not that. */
static const char *verified(struct arena *a, xmpp_stanza_t *submit, const char *var)
{
    size_t len = strlen(var), tail = strlen("-verify");
    return len > tail && strcmp(var + len - tail, "-verify") == 0 ? first_value(a, submit, arena_dup_n(a, var, len - tail)) : NULL;
}

static bool add_secret(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *submit, xmpp_stanza_t *out,
                       const char *var, bool required, struct error *e)
{
    struct ctl_flag *open = flag_named(f, var, NULL), *file = flag_named(f, arena_printf(a, "%s-file", var), NULL);
    const char *same = verified(a, submit, var);
    if (open)
        return error_set(e, ERROR_INVALID, "--%s: others could read it on the command line; give --%s-file FILE, or - for standard input", var, var);
    if (file) {
        file->used = true;
        return add_secret_file(ctx, out, file->value, e);
    }
    if (same) {
        add_leaf(ctx, out, "value", same);
        return true;
    }
    if (!required)
        return true;
    if (!f->may_ask)
        return error_set(e, ERROR_INVALID, "--%s-file is missing", var);
    char secret[CTL_SECRET_BYTES];
    bool got = ctl_secret_ask(var, secret, e);
    if (got)
        add_leaf(ctx, out, "value", secret);
    mem_wipe(secret, sizeof secret);
    return got;
}

/* Values of a file, a line each. */
static bool add_lines(xmpp_ctx_t *ctx, xmpp_stanza_t *out, const char *path, struct error *e)
{
    char line[CTL_SECRET_BYTES];
    bool is_stdin = text_eq(path, "-");
    FILE *in = is_stdin ? stdin : fopen(path, "re");
    if (!in)
        return error_set(e, ERROR_NOT_FOUND, "%s cannot be read", path);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0])
            add_leaf(ctx, out, "value", line);
    }
    if (!is_stdin)
        fclose(in);
    return true;
}

static bool add_open(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *field, xmpp_stanza_t *out,
                     const char *var, bool required, struct error *e)
{
    struct ctl_flag *file = flag_named(f, arena_printf(a, "%s-file", var), NULL);
    for (struct ctl_flag *flag = flag_named(f, var, NULL); flag; flag = flag_named(f, var, flag)) {
        flag->used = true;
        add_leaf(ctx, out, "value", flag->value);
    }
    if (file) {
        file->used = true;
        if (!add_lines(ctx, out, file->value, e))
            return false;
    }
    if (ctl_xml_child(out, "value"))
        return true;
    for (xmpp_stanza_t *v = ctl_xml_child(field, "value"); v; v = ctl_xml_next(v, "value"))
        add_leaf(ctx, out, "value", ctl_xml_text(a, v));
    if (required && !ctl_xml_child(out, "value"))
        return error_set(e, ERROR_INVALID, "--%s is missing", var);
    return true;
}

static bool add_field(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *field, xmpp_stanza_t *submit, struct error *e)
{
    const char *type = xmpp_stanza_get_type(field), *var = xmpp_stanza_get_attribute(field, "var");
    if (!var || text_eq(type, "fixed"))
        return true;
    bool required = ctl_xml_child(field, "required") != NULL;
    xmpp_stanza_t *out = xmpp_stanza_new(ctx);
    xmpp_stanza_set_name(out, "field");
    xmpp_stanza_set_attribute(out, "var", var);
    bool ok = text_eq(type, "text-private") ? add_secret(ctx, a, f, submit, out, var, required, e)
                                            : add_open(ctx, a, f, field, out, var, required, e);
    if (ok)
        xmpp_stanza_add_child(submit, out);
    xmpp_stanza_release(out);
    return ok;
}

xmpp_stanza_t *ctl_form_fill(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *form, struct error *e)
{
    xmpp_stanza_t *submit = xmpp_stanza_new(ctx);
    xmpp_stanza_set_name(submit, "x");
    xmpp_stanza_set_ns(submit, CTL_NS_DATA);
    xmpp_stanza_set_type(submit, "submit");
    for (xmpp_stanza_t *field = ctl_xml_child(form, "field"); field; field = ctl_xml_next(field, "field"))
        if (!add_field(ctx, a, f, field, submit, e)) {
            xmpp_stanza_release(submit);
            return NULL;
        }
    return submit;
}
