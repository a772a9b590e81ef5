/* SPDX-License-Identifier: GPL-2.0-or-later
 * See foreign_allocator.h. The import is a slot in libx264's global offset table, found
 * through its dynamic section as the dynamic linker finds it (ELF gABI, chapter 5). */
#define _GNU_SOURCE
#include "foreign_allocator.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VECTOR_ALIGNMENT 64 /* libx264's NATIVE_ALIGN at most: AVX-512 */

static void *small_memalign(size_t alignment, size_t size) {
    return memalign(alignment < VECTOR_ALIGNMENT ? alignment : VECTOR_ALIGNMENT, size);
}

/* What of a library's dynamic section is needed. */
typedef struct imports {
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2]; /* of functions, of data: both may hold it */
    size_t sizes[2];              /* bytes */
} imports;

static imports read_imports(const struct dl_phdr_info *library) {
    imports found = {0};
    const ElfW(Dyn) *entry = NULL;
    for (size_t i = 0; i < library->dlpi_phnum; i++)
        if (library->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const void *)(library->dlpi_addr + library->dlpi_phdr[i].p_vaddr);
    /* glibc has made addresses of these offsets already. */
    for (; entry && entry->d_tag != DT_NULL; entry++) {
        const void *at = (const void *)entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            found.symbols = at;
            break;
        case DT_STRTAB:
            found.names = at;
            break;
        case DT_JMPREL:
            found.tables[0] = at;
            break;
        case DT_PLTRELSZ:
            found.sizes[0] = entry->d_un.d_val;
            break;
        case DT_RELA:
            found.tables[1] = at;
            break;
        case DT_RELASZ:
            found.sizes[1] = entry->d_un.d_val;
            break;
        }
    }
    return found;
}

/* The slot may lie in pages that were made read-only once it was bound (RELRO). */
static int redirect(uintptr_t slot) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t to = (uintptr_t)small_memalign;
    if (*(const uintptr_t *)slot == to)
        return 0;
    if (mprotect((void *)(slot & ~(page - 1)), page, PROT_READ | PROT_WRITE) != 0)
        return -errno;
    *(uintptr_t *)slot = to; /* aligned, so it lies in one page */
    /* Left writable: whether it was is not known here, and lazy binding writes beside it. */
    return 0;
}

static int look(struct dl_phdr_info *library, size_t size, void *result) {
    (void)size;
    const char *file = strrchr(library->dlpi_name, '/');
    if (strncmp(file ? file + 1 : library->dlpi_name, "libx264.so", 10) != 0)
        return 0;
    const imports found = read_imports(library);
    for (int t = 0; t < 2 && found.symbols && found.names; t++) {
        const size_t count = found.tables[t] ? found.sizes[t] / sizeof(ElfW(Rela)) : 0;
        for (size_t i = 0; i < count; i++) {
            const ElfW(Rela) *r = &found.tables[t][i];
            const size_t symbol = (size_t)(sizeof(void *) == 8 ? (uint64_t)r->r_info >> 32
                                                               : (uint64_t)r->r_info >> 8);
            if (symbol && strcmp(found.names + found.symbols[symbol].st_name, "memalign") == 0)
                *(int *)result = redirect(library->dlpi_addr + r->r_offset);
        }
    }
    return *(int *)result;
}

int uis_limit_x264_alignment(char *err, size_t err_size) {
    int rc = 0;
    dl_iterate_phdr(look, &rc);
    if (rc != 0)
        snprintf(err, err_size, "libx264's allocations cannot be redirected: %s", strerror(-rc));
    return rc;
}
