/* SPDX-License-Identifier: GPL-2.0-or-later
 * ffnvcodec's loader of NVIDIA's libraries, with two things chosen here: which file is
 * opened (environment variables can name another one), and where it says what is missing. */
#ifndef UIS_DRIVER_LOADER_H
#define UIS_DRIVER_LOADER_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the loader complains about, by its logctx. */
typedef struct uis_loader_log {
    char text[256];
} uis_loader_log;

#define UISPLICE_CUDA_VARIABLE "UISPLICE_CUDA_LIBRARY"
#define UISPLICE_NVENC_VARIABLE "UISPLICE_NVENC_LIBRARY"

/* The file to open for a library of the driver. */
static inline const char *uis_driver_file(const char *name) {
    const char *variable = strstr(name, "libcuda")            ? UISPLICE_CUDA_VARIABLE
                           : strstr(name, "libnvidia-encode") ? UISPLICE_NVENC_VARIABLE
                                                              : NULL;
    const char *chosen = variable ? getenv(variable) : NULL;
    return chosen && *chosen ? chosen : name;
}

#define FFNV_LIB_HANDLE void *
#define FFNV_LOAD_FUNC(path) dlopen(uis_driver_file(path), RTLD_NOW | RTLD_LOCAL)
#define FFNV_SYM_FUNC(library, symbol) dlsym((library), (symbol))
#define FFNV_FREE_FUNC(library) dlclose(library)
#define FFNV_LOG_FUNC(context, format, name)                                                       \
    snprintf(((uis_loader_log *)(context))->text, sizeof((uis_loader_log *)(context))->text,       \
             (format), uis_driver_file(name))
#define FFNV_DEBUG_LOG_FUNC(context, format, name) (void)(context)

#include <ffnvcodec/dynlink_loader.h>

/* A test double exports this: its name, with the word "double" in it. */
#define UISPLICE_DOUBLE_SYMBOL "uisplice_double_name"

/* What the double behind a loaded library calls itself; NULL: it is none. */
static inline const char *uis_double_name(void *library) {
    const char *(*name)(void) = NULL;
    *(void **)&name = dlsym(library, UISPLICE_DOUBLE_SYMBOL);
    return name ? name() : NULL;
}
#endif
