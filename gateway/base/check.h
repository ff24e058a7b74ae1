/* SPDX-License-Identifier: MIT */
/* CHECK: a promise of ours. Always compiled in; a broken one stops the process, whose acknowledged
 * state is on disk. What a peer or the world does is never checked with it. */
#ifndef CAUSEWAY_BASE_CHECK_H
#define CAUSEWAY_BASE_CHECK_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *cond);

/* The object that holds `member`, from a pointer to that member. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
