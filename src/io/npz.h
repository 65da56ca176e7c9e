/* Internal functions of archives, for loading weights. */
#ifndef ATLED_IO_NPZ_H
#define ATLED_IO_NPZ_H

#include "atled/files.h"
#include "io/npy.h"

/* Reads the header of an entry without its data. */
atl_status atl_npz_header(const atl_npz *npz, const char *name, atl_npy_header *header_out);

/* Like atl_npz_open and atl_npz_read, with a status. */
atl_status atl_npz_open_archive(const char *path, atl_npz **npz_out);
atl_status atl_npz_read_entry(const atl_npz *npz, const char *name, atl_tensor **tensor_out);

#endif
