/* Graphviz draws frames in an order that depends on addresses in memory, and numbers them through the whole process.
 * Here they come in the order of the scopes, without those numbers. */
#include <stdlib.h>
#include <string.h>

#include "drawing/drawing.h"
#include "graph/memory.h"

static const char frame_start[] = "<!-- cluster_", frame_end[] = "</g>\n";

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
        if (strncmp(from, id, sizeof id - 1) == 0)
            from += sizeof id - 1 + strspn(from + sizeof id - 1, "0123456789") + 1;
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

/* The length of the frame that begins here; 0 if none does. */
static size_t frame_at(const char *text)
{
    if (strncmp(text, frame_start, sizeof frame_start - 1) != 0)
        return 0;
    const char *end = strstr(text, frame_end);
    return end ? (size_t)(end - text) + sizeof frame_end - 1 : 0;
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
            frames[i] = (frame){from, frame_at(from), strtol(from + sizeof frame_start - 1, NULL, 10)};
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
