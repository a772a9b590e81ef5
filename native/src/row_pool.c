/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "row_pool.h"

#include "uisplice/thread_signals.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

/* Bands for each thread: contents differ, and so does what a thread gets of its processor. */
#define BANDS_EACH 4

typedef struct loop {
    uis_row_function function;
    void *context;
    uint32_t rows, band_rows, bands;
} loop;

struct uis_row_pool {
    uint32_t helpers, shared_from;
    pthread_t threads[UIS_ROW_HELPERS_MAX];
    uint32_t started;
    bool tried;

    pthread_mutex_t lock; /* guards all below but `next` */
    pthread_cond_t work;  /* a loop is there, or the end */
    pthread_cond_t left;  /* a helper is through with it */
    loop current;
    bool open; /* helpers may still enter the loop */
    uint64_t number;
    uint32_t inside; /* helpers that did */
    bool closing;

    uint32_t next; /* (atomic) band that nobody has taken yet */
};

static pthread_once_t counted = PTHREAD_ONCE_INIT;
static uint32_t processors;

static void count_processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    processors = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

uint32_t uis_row_helpers(void) {
    pthread_once(&counted, count_processors);
    return processors < 4 ? 0 : processors < 16 ? 3 : UIS_ROW_HELPERS_MAX;
}

uis_row_pool *uis_row_pool_open(uint32_t helpers) {
    uis_row_pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->left, NULL);
    uis_row_pool_set(p, helpers, UIS_ROWS_SHARED_FROM);
    return p;
}

void uis_row_pool_set(uis_row_pool *p, uint32_t helpers, uint32_t shared_from) {
    p->shared_from = shared_from;
    p->helpers = helpers < UIS_ROW_HELPERS_MAX ? helpers : UIS_ROW_HELPERS_MAX;
}

static void do_bands(uis_row_pool *p, const loop *l) {
    for (;;) {
        const uint32_t band = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        if (band >= l->bands)
            return;
        const uint32_t from = band * l->band_rows;
        const uint32_t to = from + l->band_rows < l->rows ? from + l->band_rows : l->rows;
        l->function(l->context, band, from, to);
    }
}

static void *help(void *argument) {
    uis_row_pool *p = argument;
    uint64_t done = 0; /* number of the loop that this thread took part in last */
    /* Another thread's name is written to a file, which a sandbox refuses. */
    pthread_setname_np(pthread_self(), "uis-rows");
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        if (!p->open || p->number == done) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        const loop mine = p->current;
        done = p->number;
        p->inside++;
        pthread_mutex_unlock(&p->lock);
        do_bands(p, &mine);
        pthread_mutex_lock(&p->lock);
        if (--p->inside == 0)
            pthread_cond_signal(&p->left);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void start(uis_row_pool *p) {
    p->tried = true;
    sigset_t before; /* threads inherit the mask */
    uis_block_sent_signals(&before);
    while (p->started < p->helpers && pthread_create(&p->threads[p->started], NULL, help, p) == 0)
        p->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void uis_rows_run(uis_row_pool *p, uint32_t rows, size_t macroblocks, uis_row_function function,
                  void *context) {
    if (rows == 0)
        return;
    const bool shared = p->helpers && macroblocks >= p->shared_from;
    if (shared && !p->tried)
        start(p);
    if (!shared || !p->started) {
        function(context, 0, 0, rows);
        return;
    }
    const uint32_t wanted = BANDS_EACH * (p->started + 1);
    const uint32_t band_rows = rows > wanted ? rows / wanted : 1;
    const loop l = {function, context, rows, band_rows, (rows + band_rows - 1) / band_rows};
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&p->next, 0, __ATOMIC_RELAXED);
    p->current = l;
    p->number++;
    p->open = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    do_bands(p, &l);
    /* All bands are taken. Who is not awake yet is not waited for. */
    pthread_mutex_lock(&p->lock);
    p->open = false;
    while (p->inside)
        pthread_cond_wait(&p->left, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void uis_row_pool_close(uis_row_pool *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->left);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
