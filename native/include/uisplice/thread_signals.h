/* SPDX-License-Identifier: GPL-2.0-or-later
 * Signals on our threads in a process that is not ours, such as Chrome's GPU process. */
#ifndef UISPLICE_THREAD_SIGNALS_H
#define UISPLICE_THREAD_SIGNALS_H

#include <signal.h>

/* Blocks in the calling thread what another process or a timer sends: the application's handlers
 * for it must not run on a thread that it did not make. `before` takes the mask for
 * pthread_sigmask(SIG_SETMASK, before, NULL), once the new thread has inherited this one.
 *
 * What a thread causes itself stays open, for a blocked one kills the process at once
 * (pthread_sigmask(3p)). SIGSYS is how a seccomp sandbox answers a call that it does not let
 * through: Chrome's handler makes an error of it, or asks a process outside (the broker). */
static inline void uis_block_sent_signals(sigset_t *before) {
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t sent;
    sigfillset(&sent);
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&sent, own[i]);
    pthread_sigmask(SIG_BLOCK, &sent, before);
}

#endif
