/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a test program checks: each condition that does not hold is one line on stderr, and the
 * program goes on. One source file a program; not for several threads at once.
 */
#ifndef UIS_TEST_CHECK_H
#define UIS_TEST_CHECK_H

#include <stdio.h>

static int failures; /* conditions that did not hold: the exit status is 0 only without any */

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

#endif
