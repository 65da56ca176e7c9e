/* Internal functions of .safetensors files, for loading weights. */
#ifndef ATLED_IO_SAFETENSORS_H
#define ATLED_IO_SAFETENSORS_H

#include "atled/files.h"
#include "io/npy.h"

/* A type of the format, such as "BF16". */
typedef struct atl_safe_kind {
    const char *name;
    int size;        /* bytes of an element */
    const char *npy; /* NumPy's notation of the same type; null: bfloat16 */
    atl_dtype becomes;
} atl_safe_kind;

/* An array of the file, as the header describes it. */
typedef struct atl_safe_entry {
    char *name;
    char type[16];             /* as the file has it */
    const atl_safe_kind *kind; /* null: a type that is not read */
    atl_shape shape;
    int64_t count, begin, end; /* elements; bytes, from the end of the header */
} atl_safe_entry;

/* Reads the JSON text of the header.  *entries_out: sorted by `begin`; each name, and the list, are to be released.
 * data_size: the bytes after the header, which the arrays must fill without gaps. */
atl_status atl_safe_read_header(const char *path, const char *text, size_t size, int64_t data_size,
                                atl_safe_entry **entries_out, int *count_out);
void atl_safe_free_entries(atl_safe_entry *entries, int count);

/* Like the public functions, with a status. */
atl_status atl_safetensors_open_file(const char *path, atl_safetensors **file_out);
const atl_safe_entry *atl_safetensors_entry(const atl_safetensors *file, const char *name); /* or null */
atl_status atl_safetensors_read_entry(const atl_safetensors *file, const atl_safe_entry *entry,
                                      atl_tensor **tensor_out);

#endif
