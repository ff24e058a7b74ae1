/* SPDX-License-Identifier: MIT */
/* What was answered, and the parts that act on it. */
#ifndef CAUSEWAY_SETUP_INTERNAL_H
#define CAUSEWAY_SETUP_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/setup.h"

struct setup {
    struct arena arena;
    const char *domain, *ascii; /* as people write it, as the DNS has it */
    /* The five answers; NULL: not yet. */
    const char *host;        /* what SRV records point to */
    const char *addresses;   /* separated by spaces; "none" */
    const char *certificate; /* an e-mail address: certbot gets it; else "CHAIN KEY" */
    const char *mail_server; /* URL; "none" */
    const char *admin;
    /* What only unusual places need. */
    const char *config, *store, *listen, *dns_server, *ca_file, *schema_dir;
    bool force;
    /* What follows from them. */
    const char *folder;      /* the configuration's */
    const char *chain, *key; /* files */
    const char *hook;        /* certbot calls it; NULL: no certbot */
    bool is_system;          /* the usual places: the service's own user and folders */
    gid_t group;             /* may read keys and configuration; (gid_t)-1: nobody else */
};

/* Writes `text` where `path` is, all at once, with that mode and the group that may read. */
MUST_USE bool setup_write(const struct setup *s, const char *path, mode_t mode, const char *text, struct error *e);

/* A certificate that vouches for itself, until an authority's takes its place: everything else can be tried with it. */
MUST_USE bool setup_self_signed(const struct setup *s, struct error *e);
/* The script that certbot calls after each renewal. */
MUST_USE bool setup_write_hook(const struct setup *s, struct error *e);
/* Runs certbot; false: it did not work, and what to do was said. */
bool setup_run_certbot(struct setup *s);
/* Runs a program of this machine and waits; its exit status, 127 when there is none. */
int setup_run(const char *const *argv);

#endif
