/* What the fuzz targets share.  A target is one file with LLVMFuzzerTestOneInput, linked to libFuzzer
 * (docs/testing.md), or to replay.c, which runs the seeds as an ordinary test. */
#ifndef ATLED_TESTS_FUZZ_H
#define ATLED_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Always returns 0.  Aborts if a promise is broken: a failure without a message, a value changed by a failed call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reading takes at most this multiple of the input's size in memory, and FUZZ_ALLOWANCE; 0: the target has no such
 * bound. docs/architecture.md explains the multiples. */
extern const int64_t fuzz_memory_multiple;
enum { FUZZ_ALLOWANCE = 2 << 20 };

/* The path of a file in memory that holds the input; the same path is used again by the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* The path of a folder of this process; files in it are replaced, or removed when data is null. */
const char *fuzz_folder(void);
void fuzz_folder_file(const char *name, const uint8_t *data, size_t size);

/* Aborts with these words if the condition does not hold. */
void fuzz_require(int condition, const char *words);

/* Aborts if a call failed without a message; then clears the message. */
void fuzz_require_message(int failed);

#endif
