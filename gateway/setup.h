/* SPDX-License-Identifier: MIT */
/* `causeway setup DOMAIN`: from a bare machine to a community, by five questions. Each may be answered by a flag
 * instead; what is left is read from standard input. */
#ifndef CAUSEWAY_SETUP_H
#define CAUSEWAY_SETUP_H

#define SETUP_CONFIG "/etc/causeway/causeway.conf"

/* argv[0] is "setup". Exit code: 0 it is set up and nothing is wrong; 1 something is left to do, and was said; 2
 * misused. */
int setup_cli(int argc, char **argv);

#endif
