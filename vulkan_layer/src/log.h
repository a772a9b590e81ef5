/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The layer's log: whole lines prefixed "uisplice layer:", to $UIS_LOG or
 * stderr. Any thread may write; a line is one write(2), so lines of several
 * Chrome processes that append to one file stay whole.
 */
#ifndef UIS_LOG_H
#define UIS_LOG_H

typedef enum uis_log_level {
    UIS_LOG_ERROR = 0,
    UIS_LOG_WARNING = 1,
    UIS_LOG_INFO = 2,
    UIS_LOG_DEBUG = 3,
} uis_log_level;

/* Reads UIS_LOG and UIS_LOG_LEVEL ("error".."debug" or 0..3; default info) and
 * opens the file. Only the first call does anything: a sandboxed process may
 * not open files any more when it makes its second instance. */
void uis_log_open(void);

void uis_log(uis_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
