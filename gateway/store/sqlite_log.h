/* SPDX-License-Identifier: MIT */
/* How SQLite writes its write-ahead log: a transaction with one call (sqlite_log.c). */
#ifndef CAUSEWAY_STORE_SQLITE_LOG_H
#define CAUSEWAY_STORE_SQLITE_LOG_H

/* The name of a VFS that is SQLite's own but for that. Any thread; made at the first call. */
const char *sqlite_log_vfs(void);

#endif
