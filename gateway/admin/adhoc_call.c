/* SPDX-License-Identifier: MIT */
/* What a command sees of its execution, and how it is answered. Answers gather in the call's arena and are
 * written once, at the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/admin/adhoc_internal.h"
#include "gateway/base/text.h"
#include "gateway/xmpp/ns.h"

/* ---- questions ---- */

struct exchange *adhoc_exchange(const struct adhoc_call *c)
{
    return c->engine->o.exchange;
}

const struct jid *adhoc_asker(const struct adhoc_call *c)
{
    return c->asker;
}

bool adhoc_is_admin(const struct adhoc_call *c)
{
    return c->by_admin;
}

const char *adhoc_domain(const struct adhoc_call *c)
{
    return c->domain;
}

struct loop *adhoc_loop(const struct adhoc_call *c)
{
    return c->shard->loop;
}

struct arena *adhoc_arena(struct adhoc_call *c)
{
    return &c->arena;
}

const struct listing *adhoc_listing(const struct adhoc_call *c, const char *name)
{
    for (const struct listing *const *l = c->engine->o.listings; l && *l; l++)
        if (strcmp((*l)->name, name) == 0)
            return *l;
    return NULL;
}

const char *adhoc_text(const struct adhoc_call *c, const char *var)
{
    const struct adhoc_value *v = adhoc_form_find(c->values, var);
    return v && v->count ? v->values[0] : "";
}

bool adhoc_is_set(const struct adhoc_call *c, const char *var)
{
    const char *text = adhoc_text(c, var);
    return text_eq(text, "1") || text_eq(text, "true");
}

long long adhoc_number(const struct adhoc_call *c, const char *var, long long otherwise)
{
    const char *text = adhoc_text(c, var);
    return *text ? strtoll(text, NULL, 10) : otherwise;
}

const char *const *adhoc_values(const struct adhoc_call *c, const char *var, unsigned *count)
{
    const struct adhoc_value *v = adhoc_form_find(c->values, var);
    *count = v ? v->count : 0;
    return v ? v->values : NULL;
}

/* ---- what a stage shows ---- */

void adhoc_offer(struct adhoc_call *c, const char *var, const char *label, const char *value)
{
    struct adhoc_offer *o = arena_new(&c->arena, struct adhoc_offer);
    *o = (struct adhoc_offer){arena_dup(&c->arena, var), arena_dup_or_null(&c->arena, label),
                              arena_dup(&c->arena, value), NULL};
    if (c->offers.last)
        c->offers.last->next = o;
    else
        c->offers.first = o;
    c->offers.last = o;
}

static bool has_offers(const struct adhoc_call *c, const char *var)
{
    for (const struct adhoc_offer *o = c->offers.first; o; o = o->next)
        if (strcmp(o->var, var) == 0)
            return true;
    return false;
}

static struct adhoc_value *add_preset(struct adhoc_call *c, const char *var, size_t most)
{
    struct adhoc_value *v = arena_new(&c->arena, struct adhoc_value);
    v->var = arena_dup(&c->arena, var);
    v->values = arena_alloc(&c->arena, (most + 1) * sizeof *v->values);
    v->next = c->presets;
    c->presets = v;
    return v;
}

void adhoc_preset(struct adhoc_call *c, const char *var, const char *value)
{
    struct adhoc_value *v = add_preset(c, var, 1);
    v->values[v->count++] = arena_dup(&c->arena, value);
}

void adhoc_preset_words(struct adhoc_call *c, const char *var, const char *words)
{
    struct adhoc_value *v = add_preset(c, var, strlen(words));
    for (const char *at = words; *(at += strspn(at, " "));) {
        size_t len = strcspn(at, " ");
        v->values[v->count++] = arena_dup_n(&c->arena, at, len);
        at += len;
    }
}

void adhoc_show_stage(struct adhoc_call *c)
{
    const struct adhoc_stage *stage = &c->command->stages[c->stage];
    c->offers = (struct adhoc_offers){0};
    c->presets = c->values;
    c->answer = (struct adhoc_answer){0};
    if (stage->show)
        stage->show(c);
    else
        adhoc_ask(c);
}

/* ---- answers on the wire ---- */

static void open_command(struct builder *b, const struct adhoc_call *c, const char *status)
{
    build_begin_result(b, c->iq);
    build_open(b, "command", NS_COMMANDS);
    build_attr(b, "node", c->command->node);
    build_attr(b, "sessionid", c->id);
    build_attr(b, "status", status);
}

static void write_actions(struct builder *b, const struct adhoc_call *c)
{
    bool last = c->stage + 1 == c->command->stage_count;
    build_open(b, "actions", NULL);
    build_attr(b, "execute", last ? "complete" : "next");
    if (c->stage > 0)
        build_leaf(b, "prev", NULL, NULL);
    build_leaf(b, last ? "complete" : "next", NULL, NULL);
    build_close(b);
}

static void write_note(struct builder *b, const struct adhoc_answer *a)
{
    if (!a->note)
        return;
    build_open(b, "note", NULL);
    build_attr(b, "type", a->warns ? "warn" : "info");
    build_text(b, a->note);
    build_close(b);
}

void adhoc_ask(struct adhoc_call *c)
{
    struct builder b;
    open_command(&b, c, "executing");
    write_actions(&b, c);
    adhoc_form_write(&b, c->command->form_type, &c->command->stages[c->stage], &c->offers, c->presets);
    write_note(&b, &c->answer);
    build_close(&b);
    exchange_answer(c->engine->o.exchange, build_end(&b));
    adhoc_call_waits(c);
}

void adhoc_ask_offered(struct adhoc_call *c, const char *var, const char *nothing)
{
    if (has_offers(c, var)) {
        adhoc_ask(c);
        return;
    }
    adhoc_note(c, "%s", nothing);
    adhoc_finish(c);
}

static void write_table(struct builder *b, const struct adhoc_answer *a)
{
    form_open_reported(b);
    for (unsigned i = 0; i < a->column_count; i++)
        form_add(
            b, &(struct form_field){.type = FORM_TEXT_SINGLE, .var = a->columns[i].var, .label = a->columns[i].label});
    build_close(b);
    for (const struct adhoc_cell_row *r = a->rows; r; r = r->next) {
        form_open_item(b);
        for (unsigned i = 0; i < a->column_count; i++)
            form_add(b, &(struct form_field){
                            .bare = true, .var = a->columns[i].var, .value = r->cells[i] ? r->cells[i] : ""});
        build_close(b);
    }
}

static void write_result(struct builder *b, const struct adhoc_call *c)
{
    const struct adhoc_answer *a = &c->answer;
    if (!a->fields && !a->columns)
        return;
    form_open(b, FORM_KIND_RESULT, c->command->form_type, c->command->name, NULL);
    for (const struct adhoc_answer_field *f = a->fields; f; f = f->next)
        form_add(b, &(struct form_field){.type = f->type, .var = f->var, .label = f->label, .value = f->value});
    if (a->columns)
        write_table(b, a);
    build_close(b);
}

void adhoc_finish(struct adhoc_call *c)
{
    struct builder b;
    open_command(&b, c, "completed");
    write_result(&b, c);
    write_note(&b, &c->answer);
    build_close(&b);
    exchange_answer(c->engine->o.exchange, build_end(&b));
    adhoc_call_end(c);
}

/* Which command and session failed: clients look it up there. Without the form, which may hold a password. */
static void repeat_command(struct builder *b, const struct stanza *iq)
{
    static const char *const names[] = {"node", "sessionid", "action"};
    const struct element *command = stanza_child(iq, "command", NS_COMMANDS);
    if (!command)
        return;
    build_open(b, "command", NS_COMMANDS);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        build_attr(b, names[i], element_attr(command, names[i]));
    build_close(b);
}

/* <error/> with a condition of XEP-0050 section 4.4 inside: build_error has no place for one. */
void adhoc_send_error(struct exchange *x, const struct stanza *iq, enum stanza_error e, const char *specific,
                      const char *text)
{
    struct builder b;
    build_begin(&b, STANZA_IQ, IQ_ERROR);
    build_from(&b, iq->to);
    build_to(&b, iq->from);
    build_id(&b, iq->id);
    repeat_command(&b, iq);
    build_open(&b, "error", NULL);
    build_attr(&b, "type", stanza_error_type(e));
    build_leaf(&b, stanza_error_name(e), NS_STANZA_ERRORS, NULL);
    if (text)
        build_leaf(&b, "text", NS_STANZA_ERRORS, text);
    if (specific)
        build_leaf(&b, specific, NS_COMMANDS, NULL);
    build_close(&b);
    exchange_answer(x, build_end(&b));
}

void adhoc_refuse(struct adhoc_call *c, enum stanza_error e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(&c->arena, fmt, ap);
    va_end(ap);
    adhoc_send_error(c->engine->o.exchange, c->iq, e, NULL, text);
    adhoc_call_end(c);
}

void adhoc_reject(struct adhoc_call *c, const char *fmt, ...)
{
    CHECK(c->command->stage_count);
    va_list ap;
    va_start(ap, fmt);
    const char *text = arena_vprintf(&c->arena, fmt, ap);
    va_end(ap);
    adhoc_send_error(c->engine->o.exchange, c->iq, STANZA_BAD_REQUEST, "bad-payload", text);
    c->answer = (struct adhoc_answer){0};
    adhoc_call_waits(c);
}

const char *adhoc_own_account(struct adhoc_call *c, const char *text)
{
    const struct jid *j = jid_parse_text(&c->arena, text);
    if (jid_is_account(j) && text_eq(j->domain, adhoc_domain(c)))
        return j->bare;
    adhoc_reject(c, "'%.200s' is not an account of %s", text, adhoc_domain(c));
    return NULL;
}

/* ---- what the answer says ---- */

static void set_note(struct adhoc_call *c, bool warns, const char *text)
{
    c->answer.note = c->answer.note ? arena_printf(&c->arena, "%s\n%s", c->answer.note, text) : text;
    c->answer.warns = c->answer.warns || warns;
}

void adhoc_note(struct adhoc_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_note(c, false, arena_vprintf(&c->arena, fmt, ap));
    va_end(ap);
}

void adhoc_warn(struct adhoc_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_note(c, true, arena_vprintf(&c->arena, fmt, ap));
    va_end(ap);
}

void adhoc_result(struct adhoc_call *c, enum form_type type, const char *var, const char *label, const char *value)
{
    struct adhoc_answer_field *f = arena_new(&c->arena, struct adhoc_answer_field);
    *f = (struct adhoc_answer_field){type, arena_dup(&c->arena, var), arena_dup_or_null(&c->arena, label),
                                     arena_dup_or_null(&c->arena, value), NULL};
    if (c->answer.last_field)
        c->answer.last_field->next = f;
    else
        c->answer.fields = f;
    c->answer.last_field = f;
}

void adhoc_result_number(struct adhoc_call *c, const char *var, const char *label, unsigned long long n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", n);
    adhoc_result(c, FORM_TEXT_SINGLE, var, label, text);
}

void adhoc_columns(struct adhoc_call *c, const struct listing_column *columns)
{
    c->answer.columns = columns;
    c->answer.column_count = 0;
    while (columns[c->answer.column_count].var)
        c->answer.column_count++;
}

void adhoc_row(struct adhoc_call *c, const char *const *cells)
{
    struct adhoc_cell_row *r = arena_new(&c->arena, struct adhoc_cell_row);
    r->cells = arena_alloc(&c->arena, c->answer.column_count * sizeof *r->cells);
    for (unsigned i = 0; i < c->answer.column_count; i++)
        r->cells[i] = arena_dup_or_null(&c->arena, cells[i]);
    if (c->answer.last_row)
        c->answer.last_row->next = r;
    else
        c->answer.rows = r;
    c->answer.last_row = r;
}
