/* SPDX-License-Identifier: GPL-2.0-or-later
 * The layer's log; see log.h. */
#define _GNU_SOURCE
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static int log_fd = STDERR_FILENO;
static int log_level = UIS_LOG_INFO;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static void open_once(void) {
    const char *level = getenv("UIS_LOG_LEVEL");
    for (int i = UIS_LOG_ERROR; level && i <= UIS_LOG_DEBUG; i++)
        if (strcmp(level, level_names[i]) == 0 || (level[0] == '0' + i && level[1] == '\0'))
            log_level = i;
    const char *path = getenv("UIS_LOG");
    if (!path || !path[0])
        return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        log_fd = fd;
    else
        uis_log(UIS_LOG_WARNING, "cannot append to UIS_LOG=%s (%s), using stderr", path,
                strerror(errno));
}

void uis_log_open(void) {
    pthread_once(&opened, open_once);
}

/* The loader may unload the layer with its last instance and load it again. */
__attribute__((destructor)) static void close_log(void) {
    if (log_fd != STDERR_FILENO)
        close(log_fd);
    log_fd = STDERR_FILENO;
}

void uis_log(uis_log_level level, const char *format, ...) {
    if ((int)level > log_level)
        return;
    char line[1024];
    int used =
        snprintf(line, sizeof line, "uisplice layer: [%d] %s: ", (int)getpid(), level_names[level]);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    if (more < 0)
        return;
    size_t length = (size_t)used + (size_t)more;
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t written = write(log_fd, line, length);
    (void)written; /* a log that cannot be written has nowhere to say so */
}
