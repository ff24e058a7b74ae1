/* SPDX-License-Identifier: MIT */
/* One value out of an XML document, by a path of names. A document type with a system identifier may
 * stand in front (nothing is fetched); declarations of entities may not. */
#include <expat.h>
#include <string.h>

#include "contact-router/pick.h"
#include "gateway/base/text.h"

enum { DEPTH_MAX = 64 };

struct walk {
    XML_Parser parser;
    struct arena *arena;    /* NULL: only whether it is well-formed */
    const char *path;
    const char *at[DEPTH_MAX]; /* where the path goes on below the element of that depth; NULL: not on the path */
    unsigned depth, inside; /* inside: depth of the element whose text is taken; 0: none */
    struct bytes text;
    const char *attribute;  /* found */
    bool found;
};

static void refuse_entity(void *user, const XML_Char *name, int is_parameter, const XML_Char *value, int value_len,
                          const XML_Char *base, const XML_Char *system_id, const XML_Char *public_id,
                          const XML_Char *notation)
{
    struct walk *w = user;
    (void)name, (void)is_parameter, (void)value, (void)value_len, (void)base, (void)system_id, (void)public_id,
        (void)notation;
    XML_StopParser(w->parser, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct walk *w = user;
    if (w->depth == DEPTH_MAX) {
        XML_StopParser(w->parser, XML_FALSE);
        return;
    }
    const char *at = w->depth ? w->at[w->depth - 1] : w->path, *rest = NULL;
    size_t len = strlen(name);
    if (at && !w->found && *at == '/' && strncmp(at + 1, name, len) == 0 && strchr("/@", at[1 + len]))
        rest = at + 1 + len; /* strchr finds the end of the path too */
    w->at[w->depth++] = rest;
    if (!rest || *rest == '/')
        return;
    for (; *rest == '@' && *attributes; attributes += 2)
        if (text_eq(attributes[0], rest + 1) && !w->found) {
            w->attribute = arena_dup(w->arena, attributes[1]);
            w->found = true;
        }
    if (!*rest && w->arena) {
        w->inside = w->depth;
        w->found = true;
    }
}

static void on_end(void *user, const XML_Char *name)
{
    struct walk *w = user;
    (void)name;
    if (w->inside == w->depth)
        w->inside = 0;
    w->depth--;
}

static void on_text(void *user, const XML_Char *text, int len)
{
    struct walk *w = user;
    if (w->inside && w->inside == w->depth)
        bytes_append(&w->text, text, (size_t)len);
}

static bool read_document(struct walk *w, struct span xml)
{
    XML_Parser p = XML_ParserCreate(NULL);
    w->parser = p;
    XML_SetUserData(p, w);
    XML_SetEntityDeclHandler(p, refuse_entity);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    bool ok = xml.len && xml.len < (1u << 24) && XML_Parse(p, xml.data, (int)xml.len, XML_TRUE) == XML_STATUS_OK;
    XML_ParserFree(p);
    return ok;
}

const char *pick_xml(struct arena *a, struct span xml, const char *path)
{
    struct walk w = { .arena = a, .path = path };
    const char *value = NULL;
    if (read_document(&w, xml) && w.found)
        value = w.attribute ? w.attribute : arena_dup_n(a, bytes_text(&w.text), w.text.len);
    bytes_fini(&w.text);
    return value;
}

bool pick_xml_well_formed(struct span xml)
{
    struct walk w = { .path = "" };
    bool ok = read_document(&w, xml);
    bytes_fini(&w.text);
    return ok;
}
