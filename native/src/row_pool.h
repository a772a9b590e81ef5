/* SPDX-License-Identifier: GPL-2.0-or-later
 * A few threads that share loops over rows with the thread that owns them: comparing,
 * converting and accounting a picture. A call returns when all rows are done, so whoever calls
 * sees one thread's work, only sooner; the order in which bands are done is nobody's to rely on. */
#ifndef UIS_ROW_POOL_H
#define UIS_ROW_POOL_H

#include <stddef.h>
#include <stdint.h>

typedef struct uis_row_pool uis_row_pool;

#define UIS_ROW_HELPERS_MAX 7
#define UIS_ROW_BANDS 64 /* more than that are never made of one loop */
/* Macroblocks of work from which on a loop is shared: more than a picture of 1920x1080 has. In
 * smaller ones a tick has time to spare, and a helper that other processes keep from its
 * processor would only be waited for. */
#define UIS_ROWS_SHARED_FROM 8192

/* Rows `from` to `to - 1` are band `band`. */
typedef void (*uis_row_function)(void *context, uint32_t band, uint32_t from, uint32_t to);

/* How many helpers pay on this machine: none below four processors, where the page's own
 * process has use for the others, then three; seven from sixteen on. Asked once in a process and
 * kept, so that a sandbox that comes later cannot get in the way. Any thread. */
uint32_t uis_row_helpers(void);

/* NULL: out of memory. Threads start with the first loop that is worth them, block signals that
 * are sent (thread_signals.h) and sleep between loops; one that does not start is done without. */
uis_row_pool *uis_row_pool_open(uint32_t helpers);

/* Other numbers, before the first loop: at most UIS_ROW_HELPERS_MAX helpers, and from how many
 * macroblocks on. */
void uis_row_pool_set(uis_row_pool *pool, uint32_t helpers, uint32_t shared_from);

/* Calls the function for bands that make up rows 0 to rows - 1, together so many macroblocks of
 * work. One caller at a time; not from within a band. */
void uis_rows_run(uis_row_pool *pool, uint32_t rows, size_t macroblocks, uis_row_function function,
                  void *context);

/* Ends the threads. No loop may run. NULL is fine. */
void uis_row_pool_close(uis_row_pool *pool);
#endif
