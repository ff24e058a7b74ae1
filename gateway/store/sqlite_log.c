/* SPDX-License-Identifier: MIT */
/* SQLite writes each page of its write-ahead log with two calls, one for the frame's head of 24
 * bytes and one for the page. Here neighbours are gathered and written together: when the log is
 * synced, when a frame ends a transaction, when somebody reads what is not written yet, and when
 * the room is used up.
 *
 * Nobody else can miss what is gathered: other connections read the log up to the last frame that
 * the index in shared memory names, and SQLite names a frame there after its transaction's last
 * frame (a head whose bytes 4 to 7 are not zero) and the sync. What is gathered when the process
 * dies was never acknowledged. Pages that left the cache and changed again within the transaction
 * make SQLite tell the checksums anew behind its last frame, head by head: then that frame's head
 * comes a second time, without a page, and is what ends it.
 *
 * Every other file is SQLite's own, opened in place. */
#include "gateway/store/sqlite_log.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/mem.h"

enum {
    ROOM = 128 * 1024, /* thirty pages; a larger group is two writes */
    HEAD = 24,         /* of a frame */
};

struct log_file {
    sqlite3_file file; /* first: what SQLite sees */
    sqlite3_file *real;
    char *data; /* owned; ROOM; NULL until something is written */
    sqlite3_int64 at;
    int len;
    sqlite3_int64 top; /* behind the last frame since the log began anew, or further */
    bool ends; /* the frame whose head came last ends a transaction */
};

static sqlite3_vfs vfs, *real_vfs; /* set once, before anybody sees the name */
static pthread_once_t vfs_once = PTHREAD_ONCE_INIT;

static struct log_file *log_of(sqlite3_file *f)
{
    return (struct log_file *)f;
}

/* What could not be written stays: SQLite was told that it is, and when the disk is full it may take back
 * one statement alone and commit those before. */
static int put_out(struct log_file *l)
{
    int rc = l->len ? l->real->pMethods->xWrite(l->real, l->data, l->len, l->at) : SQLITE_OK;
    if (rc == SQLITE_OK)
        l->len = 0;
    return rc;
}

/* A new frame, or a new log, begins at `at`: what was gathered behind was taken back. (Before SQLite tells
 * a checksum anew it reads the frame, so that one is not gathered.) */
static void forget_from(struct log_file *l, sqlite3_int64 at)
{
    if (l->len && at < l->at + l->len)
        l->len = at > l->at ? (int)(at - l->at) : 0;
}

static int gather(struct log_file *l, const void *data, int len, sqlite3_int64 at)
{
    int rc = SQLITE_OK;
    if (at != l->at + l->len || l->len + len > ROOM)
        rc = put_out(l);
    if (rc != SQLITE_OK || len > ROOM)
        return rc != SQLITE_OK ? rc : l->real->pMethods->xWrite(l->real, data, len, at);
    if (!l->data)
        l->data = mem_alloc(ROOM);
    if (!l->len)
        l->at = at;
    memcpy(l->data + l->len, data, (size_t)len);
    l->len += len;
    return SQLITE_OK;
}

static int log_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
    struct log_file *l = log_of(f);
    bool again = at < l->top;
    if (at == 0 || len == HEAD)
        forget_from(l, at);
    int rc = gather(l, data, len, at);
    if (at == 0 || at + len > l->top)
        l->top = at + len;
    if (len == HEAD)
        l->ends = memcmp((const char *)data + 4, "\0\0\0", 4) != 0;
    return rc == SQLITE_OK && l->ends && (len != HEAD || again) ? put_out(l) : rc;
}

static int log_read(sqlite3_file *f, void *data, int len, sqlite3_int64 at)
{
    struct log_file *l = log_of(f);
    int rc = l->len && at + len > l->at && at < l->at + l->len ? put_out(l) : SQLITE_OK;
    return rc == SQLITE_OK ? l->real->pMethods->xRead(l->real, data, len, at) : rc;
}

static int log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct log_file *l = log_of(f);
    int rc = put_out(l);
    return rc == SQLITE_OK ? l->real->pMethods->xTruncate(l->real, size) : rc;
}

static int log_sync(sqlite3_file *f, int flags)
{
    struct log_file *l = log_of(f);
    int rc = put_out(l);
    return rc == SQLITE_OK ? l->real->pMethods->xSync(l->real, flags) : rc;
}

static int log_size(sqlite3_file *f, sqlite3_int64 *size)
{
    struct log_file *l = log_of(f);
    int rc = put_out(l);
    return rc == SQLITE_OK ? l->real->pMethods->xFileSize(l->real, size) : rc;
}

static int log_close(sqlite3_file *f)
{
    struct log_file *l = log_of(f);
    int rc = put_out(l), closed = l->real->pMethods->xClose(l->real);
    mem_free(l->data);
    l->data = NULL;
    return rc == SQLITE_OK ? closed : rc;
}

static int log_lock(sqlite3_file *f, int level)
{
    return log_of(f)->real->pMethods->xLock(log_of(f)->real, level);
}

static int log_unlock(sqlite3_file *f, int level)
{
    return log_of(f)->real->pMethods->xUnlock(log_of(f)->real, level);
}

static int log_reserved(sqlite3_file *f, int *held)
{
    return log_of(f)->real->pMethods->xCheckReservedLock(log_of(f)->real, held);
}

static int log_control(sqlite3_file *f, int op, void *arg)
{
    return log_of(f)->real->pMethods->xFileControl(log_of(f)->real, op, arg);
}

static int log_sector(sqlite3_file *f)
{
    return log_of(f)->real->pMethods->xSectorSize(log_of(f)->real);
}

static int log_traits(sqlite3_file *f)
{
    return log_of(f)->real->pMethods->xDeviceCharacteristics(log_of(f)->real);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, /* a log is neither mapped nor shared */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector,
    .xDeviceCharacteristics = log_traits,
};

static int open_file(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    struct log_file *l = log_of(f);
    (void)v;
    if (!(flags & SQLITE_OPEN_WAL))
        return real_vfs->xOpen(real_vfs, path, f, flags, out_flags);
    *l = (struct log_file){.real = (sqlite3_file *)(l + 1)};
    int rc = real_vfs->xOpen(real_vfs, path, l->real, flags, out_flags);
    if (rc == SQLITE_OK)
        l->file.pMethods = &log_methods;
    return rc;
}

static void make_vfs(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    CHECK(real_vfs != NULL);
    vfs = *real_vfs; /* which does all the rest */
    vfs.pNext = NULL;
    vfs.zName = "causeway-log";
    vfs.szOsFile = (int)sizeof(struct log_file) + real_vfs->szOsFile;
    vfs.xOpen = open_file;
    CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

const char *sqlite_log_vfs(void)
{
    pthread_once(&vfs_once, make_vfs);
    return vfs.zName;
}
