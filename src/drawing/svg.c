/* Graphviz draws frames in an order that depends on addresses in memory, and numbers them through the whole process.
 * Here they come in the order of the scopes, without those numbers. */
#include <stdlib.h>
#include <string.h>

#include "drawing/drawing.h"
#include "graph/memory.h"

static const char frame_start[] = "<g id=\"clust", group_end[] = "</g>\n", title[] = "<title>cluster_";

typedef struct frame {
    const char *text;
    size_t length;
    long number;
} frame;

/* Removes each id="clust17". */
static unsigned remove_frame_ids(char *svg)
{
    static const char id[] = " id=\"clust";
    char *to = svg;
    for (const char *from = svg; *from;) {
        size_t length = strncmp(from, id, sizeof id - 1) == 0 ? sizeof id - 1 : 0;
        length += length ? strspn(from + length, "0123456789") : 0;
        if (length && from[length] == '"')
            from += length + 1;
        else
            *to++ = *from++;
    }
    *to = 0;
    return (unsigned)(to - svg);
}

static int compare_frames(const void *left, const void *right)
{
    const frame *a = left, *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

/* The length of the frame that begins here, with the groups in it; 0 if none does. */
static size_t frame_at(const char *text)
{
    int open = 1;
    if (strncmp(text, frame_start, sizeof frame_start - 1) != 0)
        return 0;
    for (const char *at = text + 1; *at; at++) {
        open += strncmp(at, "<g ", 3) == 0;
        if (strncmp(at, group_end, sizeof group_end - 1) == 0 && --open == 0)
            return (size_t)(at - text) + sizeof group_end - 1;
    }
    return 0;
}

static long number_of(const char *text)
{
    const char *at = strstr(text, title);
    return at ? strtol(at + sizeof title - 1, NULL, 10) : 0;
}

/* Sorts the frames that follow each other from `text` on; returns what is behind them.  Without memory they stay. */
static char *sort_frames(char *text)
{
    size_t count = 0, length = 0;
    for (size_t part; (part = frame_at(text + length)); length += part)
        count++;
    frame *frames = atl_allocate(count + 1, sizeof *frames);
    char *sorted = atl_allocate(length + 1, 1), *to = sorted;
    if (frames && sorted) {
        const char *from = text;
        for (size_t i = 0; i < count; i++, from += frames[i - 1].length)
            frames[i] = (frame){from, frame_at(from), number_of(from)};
        qsort(frames, count, sizeof *frames, compare_frames);
        for (size_t i = 0; i < count; i++) {
            memcpy(to, frames[i].text, frames[i].length);
            to += frames[i].length;
        }
        memcpy(text, sorted, length);
    }
    atl_release(frames);
    atl_release(sorted);
    return text + length;
}

unsigned dot_steady_svg(char *svg, unsigned size)
{
    for (char *at = svg; size && (at = strstr(at, frame_start));)
        at = frame_at(at) ? sort_frames(at) : at + 1;
    return size ? remove_frame_ids(svg) : 0;
}

/* Moves what follows `end` to `start`. */
static void cut(char *start, const char *end) { memmove(start, end, strlen(end) + 1); }

char *dot_svg_for_page(char *svg)
{
    char *start = svg ? strstr(svg, "<svg") : NULL; /* what is before it belongs in files of its own */
    const char *head_end = start ? strchr(start, '>') : NULL;
    if (!head_end)
        return NULL;
    for (char *at = start; (at = strstr(at, "pt\"")) && at < head_end; head_end -= 2)
        cut(at, at + 2);
    char *to = start;
    for (const char *from = start; *from;) { /* links that lead nowhere and carry tooltips */
        size_t length = strncmp(from, "<a xlink:title=", 15) == 0 ? strcspn(from, ">") + 1
                        : strncmp(from, "</a>", 4) == 0           ? 4
                                                                  : 0;
        if (length && from[length - 1] == '>')
            from += length;
        else
            *to++ = *from++;
    }
    *to = 0;
    return start;
}
