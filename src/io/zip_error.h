/* What libzip's errors mean. */
#ifndef ATLED_IO_ZIP_ERROR_H
#define ATLED_IO_ZIP_ERROR_H

#include <errno.h>
#include <zip.h>

static inline int atl_zip_lacks_memory(zip_error_t *error)
{
    return zip_error_code_zip(error) == ZIP_ER_MEMORY ||
           (zip_error_system_type(error) == ZIP_ET_SYS && zip_error_code_system(error) == ENOMEM);
}

#endif
