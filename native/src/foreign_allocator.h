/* SPDX-License-Identifier: GPL-2.0-or-later
 * Encoding in a process whose executable brings its own malloc. */
#ifndef UIS_FOREIGN_ALLOCATOR_H
#define UIS_FOREIGN_ALLOCATOR_H

#include <stddef.h>

/* Lets libx264 ask for no larger alignment than its vectors need.
 *
 * It wants its large buffers at multiples of 2 MiB, for transparent huge pages, by memalign.
 * In Chrome that is Chrome's allocator, which stops the process at an alignment that large.
 * libx264 has no switch for it, and binding it to libc's malloc instead (RTLD_DEEPBIND)
 * does not do: libc's own strdup, which it also frees, is still served by Chrome's.
 * So its import of memalign, and nothing else, leads to a function that asks for less.
 *
 * Call it before an encoder opens; again is fine. 0, also where libx264 imports no memalign;
 * or a negative errno with a sentence in err. */
int uis_limit_x264_alignment(char *err, size_t err_size);

#endif
