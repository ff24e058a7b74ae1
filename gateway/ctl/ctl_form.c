/* SPDX-License-Identifier: MIT */
/* See ctl_form.h. A field of type text-private takes no value from the command line: only a file, standard
 * input or the terminal. One that is the same password again ("password-verify") takes the first one's. */
#include "gateway/ctl/ctl_form.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/base/text.h"
#include "gateway/ctl/ctl_input.h"
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

void ctl_form_first(struct ctl_flags *f, const char *value)
{
    f->v[f->count++] = (struct ctl_flag){.name = "", .value = value};
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

/* A field of the form, on its way into the answer. */
struct filling {
    xmpp_ctx_t *ctx;
    struct arena *arena;
    struct ctl_flags *flags;
    xmpp_stanza_t *asked;  /* the form's field */
    xmpp_stanza_t *submit; /* the answer, with the fields before this one */
    xmpp_stanza_t *out;    /* the answer's field */
    const char *var;       /* its name */
    bool is_required;
};

static void add_value(struct filling *f, const char *text)
{
    xmpp_stanza_t *value = xmpp_stanza_new(f->ctx), *body = xmpp_stanza_new(f->ctx);
    xmpp_stanza_set_name(value, "value");
    xmpp_stanza_set_text(body, text);
    xmpp_stanza_add_child(value, body);
    xmpp_stanza_add_child(f->out, value);
    xmpp_stanza_release(body);
    xmpp_stanza_release(value);
}

/* --VAR-file; NULL: it was not given. */
static const char *file_of(struct filling *f)
{
    struct ctl_flag *file = flag_named(f->flags, arena_printf(f->arena, "%s-file", f->var), NULL);
    if (!file)
        return NULL;
    file->used = true;
    return file->value;
}

static const char *first_value(struct filling *f, const char *var)
{
    for (xmpp_stanza_t *at = ctl_xml_child(f->submit, "field"); at; at = ctl_xml_next(at, "field"))
        if (text_eq(xmpp_stanza_get_attribute(at, "var"), var))
            return ctl_xml_text(f->arena, ctl_xml_child(at, "value"));
    return NULL;
}

/* The same password again; NULL: it is not that. */
static const char *verified(struct filling *f)
{
    size_t len = strlen(f->var), tail = strlen("-verify");
    bool is_verify = len > tail && strcmp(f->var + len - tail, "-verify") == 0;
    return is_verify ? first_value(f, arena_dup_n(f->arena, f->var, len - tail)) : NULL;
}

/* `path` NULL: the terminal. */
static bool add_read_secret(struct filling *f, const char *path, struct error *e)
{
    char secret[CTL_SECRET_BYTES];
    bool got = path ? ctl_secret_from_file(path, secret, e) : ctl_secret_ask(f->var, secret, e);
    if (got)
        add_value(f, secret);
    mem_wipe(secret, sizeof secret);
    return got;
}

static bool add_secret(struct filling *f, struct error *e)
{
    const char *same = verified(f), *path = file_of(f);
    if (flag_named(f->flags, f->var, NULL))
        return error_set(e, ERROR_INVALID,
                         "--%s: others could read it on the command line; give --%s-file FILE, or - for standard input",
                         f->var, f->var);
    if (path)
        return add_read_secret(f, path, e);
    if (same)
        add_value(f, same);
    if (same || !f->is_required)
        return true;
    if (!f->flags->may_ask)
        return error_set(e, ERROR_INVALID, "--%s-file is missing", f->var);
    return add_read_secret(f, NULL, e);
}

/* Values of a file, a line each. */
static bool add_lines(struct filling *f, const char *path, struct error *e)
{
    char line[CTL_SECRET_BYTES];
    FILE *in = ctl_input_open(path, e);
    if (!in)
        return false;
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0])
            add_value(f, line);
    }
    ctl_input_close(&in);
    return true;
}

/* From the command line, else what the form proposes. */
static bool add_open(struct filling *f, struct error *e)
{
    const char *path = file_of(f);
    for (struct ctl_flag *flag = flag_named(f->flags, f->var, NULL); flag; flag = flag_named(f->flags, f->var, flag)) {
        flag->used = true;
        add_value(f, flag->value);
    }
    if (path && !add_lines(f, path, e))
        return false;
    if (ctl_xml_child(f->out, "value"))
        return true;
    for (xmpp_stanza_t *v = ctl_xml_child(f->asked, "value"); v; v = ctl_xml_next(v, "value"))
        add_value(f, ctl_xml_text(f->arena, v));
    if (f->is_required && !ctl_xml_child(f->out, "value"))
        return error_set(e, ERROR_INVALID, "--%s is missing", f->var);
    return true;
}

static bool add_field(struct filling *f, xmpp_stanza_t *asked, struct error *e)
{
    const char *type = xmpp_stanza_get_type(asked);
    f->asked = asked;
    f->var = xmpp_stanza_get_attribute(asked, "var");
    f->is_required = ctl_xml_child(asked, "required") != NULL;
    if (!f->var || text_eq(type, "fixed"))
        return true;
    struct ctl_flag *first = text_eq(type, "hidden") ? NULL : flag_named(f->flags, "", NULL);
    if (first)
        first->name = f->var;
    f->out = xmpp_stanza_new(f->ctx);
    xmpp_stanza_set_name(f->out, "field");
    xmpp_stanza_set_attribute(f->out, "var", f->var);
    bool ok = text_eq(type, "text-private") ? add_secret(f, e) : add_open(f, e);
    if (ok)
        xmpp_stanza_add_child(f->submit, f->out);
    xmpp_stanza_release(f->out);
    return ok;
}

xmpp_stanza_t *ctl_form_fill(xmpp_ctx_t *ctx, struct arena *a, struct ctl_flags *f, xmpp_stanza_t *form,
                             struct error *e)
{
    struct filling fill = {.ctx = ctx, .arena = a, .flags = f, .submit = xmpp_stanza_new(ctx)};
    xmpp_stanza_set_name(fill.submit, "x");
    xmpp_stanza_set_ns(fill.submit, CTL_NS_DATA);
    xmpp_stanza_set_type(fill.submit, "submit");
    for (xmpp_stanza_t *field = ctl_xml_child(form, "field"); field; field = ctl_xml_next(field, "field"))
        if (!add_field(&fill, field, e)) {
            xmpp_stanza_release(fill.submit);
            return NULL;
        }
    return fill.submit;
}
