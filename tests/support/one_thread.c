/* SPDX-License-Identifier: GPL-2.0-or-later
 * Preloaded into Chrome for tests: /proc/self/task has one thread, whatever the Vulkan driver
 * started. Chrome's GPU process gives itself its seccomp sandbox only then; lavapipe, of which
 * the tests are made, starts threads before that; another driver need not. From Mesa 25 on it also
 * makes threads later and lowers their priority, for which the sandbox ends the process: that is
 * left out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

typedef int stat_function(int, const char *, void *, int);

static int call(const char *name, int folder, const char *path, void *out, int flags) {
    void *symbol = dlsym(RTLD_NEXT, name);
    stat_function *next;
    memcpy(&next, &symbol, sizeof next);
    return next(folder, path, out, flags);
}

static int is_tasks(const char *path) {
    return path && strcmp(path, "self/task/") == 0;
}

int fstatat(int folder, const char *path, struct stat *out, int flags) {
    const int rc = call("fstatat", folder, path, out, flags);
    if (rc == 0 && is_tasks(path))
        out->st_nlink = 3; /* itself, its parent, one thread */
    return rc;
}

int fstatat64(int folder, const char *path, struct stat64 *out, int flags) {
    const int rc = call("fstatat64", folder, path, out, flags);
    if (rc == 0 && is_tasks(path))
        out->st_nlink = 3;
    return rc;
}

int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *parameters) {
    static int (*next)(pthread_t, int, const struct sched_param *);
    if (policy == SCHED_BATCH)
        return 0;
    void *symbol = dlsym(RTLD_NEXT, "pthread_setschedparam");
    memcpy(&next, &symbol, sizeof next);
    return next(thread, policy, parameters);
}
