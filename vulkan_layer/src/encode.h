/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Encoding in this process: the encoder host of libuisplice.so, loaded by the path in
 * UISPLICE_LIBRARY when the ring asks for it. The layer itself links to no encoder.
 * Calls come under capture.c's lock; nothing here waits, but for the end of the threads
 * in detach.
 */
#ifndef UIS_ENCODE_H
#define UIS_ENCODE_H

#include <stdbool.h>

/* Loads the library and lets it attach the ring NAME: files and libraries must be opened
 * before a sandbox closes. What fails is kept for uis_encode_start, because most processes
 * that attach never capture. */
void uis_encode_attach(const char *name);

/* This process captures the main window: its threads start, once. NULL, or why not. */
const char *uis_encode_start(void);

/* Ends the threads and lets go of the ring. */
void uis_encode_detach(void);

#endif
