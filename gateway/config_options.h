/* SPDX-License-Identifier: MIT */
/* The table of options; internal to config*.c. */
#ifndef CAUSEWAY_CONFIG_OPTIONS_H
#define CAUSEWAY_CONFIG_OPTIONS_H

#include <stddef.h>

enum option_type { OPTION_TEXT, OPTION_LIST, OPTION_INT, OPTION_BOOL };

enum option_check {
    CHECK_ANY,
    CHECK_WORD,    /* one of the words in `range`, separated by '|' */
    CHECK_FILE,    /* a file that can be read */
    CHECK_SECRET,  /* NAME=FILE, where nobody but owner and group may read FILE; else that provider is off */
    CHECK_PAIR,    /* NAME=VALUE */
    CHECK_DOMAIN,  /* a domain, prepared */
    CHECK_NODE,    /* a domain, a slash, and something */
    CHECK_PATTERN, /* a domain, or "*." and one */
    CHECK_JID,     /* a bare JID */
    CHECK_ADDRESS, /* a numeric address */
    CHECK_URL,     /* a scheme from `range`, then :// and no white space */
    CHECK_EGRESS,  /* PURPOSE CIDR */
    CHECK_PREFIX,  /* + and digits */
};

struct option {
    const char *section, *name;
    enum option_type type;
    const char *text_default; /* TEXT: NULL is "not given" */
    long int_default;         /* INT, BOOL */
    long least, most;         /* INT */
    enum option_check check;
    const char *range;        /* words or schemes, see the check */
    const char *unit;         /* INT; "" none */
    const char *sentence;
};

struct option_section {
    const char *name, *title; /* title NULL: none; else what it is, for people */
    int multi;
    const char *sentence;
};

extern const struct option config_options[];
extern const size_t config_options_count;
extern const struct option_section config_options_sections[];
extern const size_t config_options_section_count;

#endif
