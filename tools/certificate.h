/* Certificates: JSON files that say what an attack has done, with the digests of all files that it depends on. */
#ifndef ATLED_TOOLS_CERTIFICATE_H
#define ATLED_TOOLS_CERTIFICATE_H

#include <jansson.h>

#define CERTIFICATE_FORMAT "atled attack certificate 1"

/* Writes the object with a digest of the text itself at the end.  Returns 0, or the exit code after an error
 * message. */
int write_certificate(const char *command, const char *path, const json_t *content);
/* Reads a certificate whose own digest is right; null with the reason in `why` otherwise. */
json_t *read_certificate(const char *path, char *why, size_t size);

/* Values at a path such as "picture.sha256", of an object; a default if there is none of that type. */
const char *text_at(const json_t *object, const char *path);
double number_at(const json_t *object, const char *path); /* NaN */
long long whole_at(const json_t *object, const char *path, long long missing);

#endif
