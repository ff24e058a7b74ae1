/* SPDX-License-Identifier: MIT */
/* Which elements end a line, which are silent, and that of a quotation only its place is kept. */
#include "contact-router/mail_html.h"

#include <libxml/HTMLparser.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 200 };

static bool is_one_of(const xmlNode *n, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp((const char *)n->name, *names) == 0)
            return true;
    return false;
}

static bool at_line_start(const struct bytes *out)
{
    return !out->len || out->data[out->len - 1] == '\n';
}

static void end_line(struct bytes *out)
{
    if (!at_line_start(out))
        bytes_append_char(out, '\n');
}

/* Any run of white space is one blank. */
static void put_text(const char *text, struct bytes *out)
{
    for (; *text; text++) {
        bool white = strchr(" \t\r\n", *text) != NULL;
        if (!white)
            bytes_append_char(out, *text);
        else if (!at_line_start(out) && out->data[out->len - 1] != ' ')
            bytes_append_char(out, ' ');
    }
}

static void walk(const xmlNode *n, unsigned depth, struct bytes *out)
{
    static const char *const silent[] = {"script", "style", "head", "title", NULL};
    static const char *const blocks[] = {"p",  "div", "li", "tr", "table", "h1", "h2", "h3", "h4",
                                         "ul", "ol",  "hr", "pre", NULL};
    static const char *const quotes[] = {"blockquote", NULL}, *const breaks[] = {"br", NULL};
    for (; n && depth < DEPTH_MAX; n = n->next) {
        if (n->type == XML_TEXT_NODE && n->content)
            put_text((const char *)n->content, out);
        if (n->type != XML_ELEMENT_NODE || is_one_of(n, silent))
            continue;
        if (is_one_of(n, quotes)) { /* that there was one is enough: mail_quote.c drops it */
            end_line(out);
            bytes_append_text(out, ">\n");
            continue;
        }
        if (is_one_of(n, breaks))
            bytes_append_char(out, '\n');
        bool block = is_one_of(n, blocks);
        if (block)
            end_line(out);
        walk(n->children, depth + 1, out);
        if (block)
            end_line(out);
    }
}

void mail_html_text(struct span html, struct bytes *out)
{
    htmlDocPtr doc = htmlReadMemory(html.data, (int)html.len, NULL, "UTF-8",
                                    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET);
    if (!doc)
        return;
    walk(xmlDocGetRootElement(doc), 0, out);
    end_line(out);
    xmlFreeDoc(doc);
}
