/* SHA-256 digests. */
#include "digest.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>

static void write_digest(struct sha256_ctx *state, char text[DIGEST_TEXT])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(state, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

void digest_of_bytes(const void *bytes, size_t size, char text[DIGEST_TEXT])
{
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, size, bytes);
    write_digest(&state, text);
}

int digest_of_file(const char *path, char text[DIGEST_TEXT])
{
    uint8_t bytes[1 << 16];
    struct sha256_ctx state;
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    sha256_init(&state);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0;)
        sha256_update(&state, size, bytes);
    int error = ferror(file) ? errno ? errno : EIO : 0;
    fclose(file);
    if (error) {
        errno = error;
        return -1;
    }
    write_digest(&state, text);
    return 0;
}
