/* Checks whether a text is JSON (RFC 8259), by recursive descent. */
#ifndef ATLED_TESTS_JSON_H
#define ATLED_TESTS_JSON_H

#include <ctype.h>
#include <string.h>

static inline const char *json_blank(const char *at) { return at + strspn(at, " \t\r\n"); }

/* True if a valid UTF-8 character begins here, or this byte continues one that its first byte has validated. */
static inline int json_is_utf8(const char *at)
{
    unsigned char c = (unsigned char)*at;
    int rest = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (c >= 0x80 && c < 0xc0)
        return (at[-1] & 0x80) != 0;
    for (int i = 1; i <= rest; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return 1;
}

static inline const char *json_string(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\' && !json_is_utf8(at))
            return NULL;
        if (*at != '\\')
            continue;
        at++;
        if (*at == 'u') {
            for (int i = 0; i < 4; i++)
                if (!isxdigit((unsigned char)*++at))
                    return NULL;
        } else if (!*at || !strchr("\"\\/bfnrt", *at))
            return NULL;
    }
    return *at ? at + 1 : NULL;
}

static inline const char *json_digits(const char *at)
{
    size_t count = strspn(at, "0123456789");
    return count ? at + count : NULL;
}

static inline const char *json_number(const char *at)
{
    at += *at == '-';
    at = *at == '0' ? at + 1 : json_digits(at);
    if (at && *at == '.')
        at = json_digits(at + 1);
    if (at && (*at == 'e' || *at == 'E'))
        at = json_digits(at + 1 + (at[1] == '+' || at[1] == '-'));
    return at;
}

/* Returns the end of the value that begins here; null if there is none. */
static inline const char *json_value(const char *at)
{
    at = json_blank(at);
    if (*at == '"')
        return json_string(at);
    for (int i = 0; i < 3; i++) {
        const char *const word = ((const char *const[]){"true", "false", "null"})[i];
        if (strncmp(at, word, strlen(word)) == 0)
            return at + strlen(word);
    }
    if (*at != '{' && *at != '[')
        return json_number(at);
    char end = *at == '{' ? '}' : ']';
    at = json_blank(at + 1);
    if (*at == end)
        return at + 1;
    for (;; at = json_blank(at + 1)) {
        if (end == '}') {
            at = *at == '"' ? json_string(at) : NULL;
            at = at ? json_blank(at) : NULL;
            if (!at || *at++ != ':')
                return NULL;
        }
        at = json_value(at);
        at = at ? json_blank(at) : NULL;
        if (!at || (*at != ',' && *at != end))
            return NULL;
        if (*at == end)
            return at + 1;
    }
}

static inline int is_json(const char *text)
{
    const char *end = json_value(text);
    return end && !*json_blank(end);
}

#endif
