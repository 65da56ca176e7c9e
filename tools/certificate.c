/* Certificates: reading and writing them. */
#include "certificate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "tools.h"

/* The end of each file: the digest of all bytes before it. */
#define SEAL_START ",\n  \"seal\": \""
#define SEAL_END   "\"\n}\n"
enum { LARGEST_FILE = 1 << 20, SEAL = sizeof SEAL_START - 1 + DIGEST_TEXT - 1 + sizeof SEAL_END - 1 };

int write_certificate(const char *command, const char *path, const json_t *content)
{
    char digest[DIGEST_TEXT];
    char *text = json_dumps(content, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    size_t length = text ? strlen(text) : 0; /* ends in "\n}" */
    char *sealed = text && length > 2 ? malloc(length + SEAL + 1) : NULL;
    if (!sealed) {
        free(text);
        return report_no_memory(command);
    }
    length -= 2;
    digest_of_bytes(text, length, digest);
    memcpy(sealed, text, length);
    snprintf(sealed + length, SEAL + 1, "%s%s%s", SEAL_START, digest, SEAL_END);
    atl_status status = atl_write_bytes(path, sealed, length + SEAL);
    free(sealed);
    free(text);
    return status ? report_failure(command) : 0;
}

static char *read_whole(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(LARGEST_FILE + 1) : NULL;
    *size_out = text ? fread(text, 1, LARGEST_FILE, file) : 0;
    if (file)
        fclose(file);
    if (text)
        text[*size_out] = 0;
    return text;
}

static int has_seal(const char *text, size_t size)
{
    char digest[DIGEST_TEXT], seal[SEAL + 1];
    if (size <= SEAL)
        return 0;
    digest_of_bytes(text, size - SEAL, digest);
    snprintf(seal, sizeof seal, "%s%s%s", SEAL_START, digest, SEAL_END);
    return memcmp(text + size - SEAL, seal, SEAL) == 0;
}

json_t *read_certificate(const char *path, char *why, size_t size)
{
    size_t length;
    json_error_t error;
    char *text = read_whole(path, &length);
    json_t *content = NULL;
    if (!text || length == 0)
        snprintf(why, size, "the file is missing, empty or cannot be read");
    else if (!has_seal(text, length))
        snprintf(why, size,
                 "its own digest is wrong: the file was cut or changed after it was written, or it is no "
                 "certificate");
    else if (!(content = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error)))
        snprintf(why, size, "line %d is no JSON: %s", error.line, error.text);
    else if (!json_is_object(content) || !text_at(content, "format") ||
             strcmp(text_at(content, "format"), CERTIFICATE_FORMAT) != 0) {
        snprintf(why, size, "it is no '%s'", CERTIFICATE_FORMAT);
        json_decref(content);
        content = NULL;
    }
    free(text);
    return content;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const json_t *value_at(const json_t *object, const char *path)
{
    char key[64];
    while (object) {
        size_t length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        object = json_object_get(object, key);
        if (!path[length])
            break;
        path += length + 1;
    }
    return object;
}

const char *text_at(const json_t *object, const char *path) { return json_string_value(value_at(object, path)); }

double number_at(const json_t *object, const char *path)
{
    const json_t *value = value_at(object, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

long long whole_at(const json_t *object, const char *path, long long missing)
{
    const json_t *value = value_at(object, path);
    return json_is_integer(value) ? json_integer_value(value) : missing;
}
