/* Drawings in files: as DOT text, or rendered by Graphviz's library. */
#include "atled/dot.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "drawing/dot.h"
#include "drawing/drawing.h"
#include "drawing/explorer.h"
#include "drawing/explorer_compare.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "graph/variables.h"
#include "files/atomic_file.h"

/* "svg" for a path that ends in .svg, "html" for the explorer; null for a path that is not rendered. */
static const char *format_of(const char *path)
{
    static const char *const formats[] = {"svg", "png", "pdf", "html", "json"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof formats / sizeof formats[0]; i++)
        if (strcasecmp(dot + 1, formats[i]) == 0)
            return formats[i];
    return NULL;
}

static atl_status write_text(const atl_dot_args *args)
{
    atl_atomic_file *file;
    atl_status status = atl_atomic_open(&file, args->path);
    if (status)
        return status;
    status = atl_dot_text(args, atl_atomic_stream(file), NULL, NULL);
    if (!status)
        return atl_atomic_commit(file);
    atl_atomic_abandon(file);
    if (status == ATL_BAD_FILE) { /* the writer of the text does not know the path */
        char why[ATL_ERROR_SIZE];
        snprintf(why, sizeof why, "%s", atl_error());
        atl_set_error(status, "%s: %s", args->path, why);
    }
    return status;
}

#ifdef ATLED_HAVE_GRAPHVIZ

#include <gvc.h>

/* The layout's time grows faster than the drawing, and its stack grows with the drawing. */
enum { MOST_BOXES = 4000 };

static pthread_mutex_t graphviz = PTHREAD_MUTEX_INITIALIZER;
static char complaint[512];

void dot_lock_graphviz(void)
{
    pthread_mutex_lock(&graphviz);
    complaint[0] = 0;
}

void dot_unlock_graphviz(void) { pthread_mutex_unlock(&graphviz); }

static int keep_error_text(char *message)
{
    if (message && message[0] && message[0] != '\n' && !complaint[0])
        snprintf(complaint, sizeof complaint, "%.*s", (int)strcspn(message, "\n"), message);
    return 0;
}

static atl_status save(const char *target, const char *data, size_t size)
{
    atl_atomic_file *file;
    atl_status status = atl_atomic_open(&file, target);
    if (status)
        return status;
    fwrite(data, 1, size, atl_atomic_stream(file)); /* commit reports its errors */
    return atl_atomic_commit(file);
}

static char *copy_of(const char *data, size_t size)
{
    char *copy = atl_allocate(size + 1, 1);
    if (copy)
        memcpy(copy, data, size);
    return copy;
}

/* data_out: a copy that ends with a null byte, for atl_release; null: the file `target` is written. */
static atl_status lay_out_and_save(GVC_t *context, Agraph_t *drawn, const char *format, const char *target,
                                   char **data_out)
{
    char *data = NULL;
    unsigned size = 0;
    if (strcmp(format, "png") == 0) /* twice the resolution of a screen, so that small text is sharp */
        agattr(drawn, AGRAPH, (char *)"dpi", (char *)"144");
    if (gvLayout(context, drawn, "dot"))
        return atl_set_error(ATL_INTERNAL, "%s: Graphviz cannot lay the graph out: %s", target, complaint);
    atl_status status = ATL_OK;
    if (gvRenderData(context, drawn, format, &data, &size) || !data)
        status = atl_set_error(ATL_UNSUPPORTED,
                               "%s: Graphviz cannot render %s here: %s; a name that ends in .dot gets the text", target,
                               format, complaint);
    else if (strcmp(format, "svg") == 0)
        size = dot_steady_svg(data, size);
    if (!status && data_out)
        status = (*data_out = copy_of(data, size)) ? ATL_OK : atl_out_of_memory();
    else if (!status)
        status = save(target, data, size);
    gvFreeRenderData(data);
    gvFreeLayout(context, drawn);
    return status;
}

static atl_status render_text(const char *text, const char *format, const char *target, char **data_out)
{
    atl_status status = ATL_OK;
    dot_lock_graphviz();
    agusererrf outer = agseterrf(keep_error_text);
    GVC_t *context = gvContext();
    Agraph_t *drawn = context ? agmemread(text) : NULL;
    if (drawn)
        status = lay_out_and_save(context, drawn, format, target, data_out);
    else
        status = atl_set_error(ATL_INTERNAL, "%s: Graphviz cannot read the drawing: %s", target, complaint);
    if (drawn)
        agclose(drawn);
    if (context)
        gvFreeContext(context);
    agseterrf(outer);
    dot_unlock_graphviz();
    return status;
}

static atl_status render(const atl_dot_args *args, const char *format)
{
    char *text = NULL;
    int64_t boxes = 0;
    atl_status status = atl_dot_text(args, NULL, &text, &boxes);
    if (!status && boxes > MOST_BOXES)
        status = atl_set_error(
            ATL_UNSUPPORTED,
            "%s: %lld boxes are more than can be laid out in reasonable time (%d); draw scopes as boxes (depth), "
            "or only what lies between two nodes, or write the text (.dot)",
            args->path, (long long)boxes, MOST_BOXES);
    if (!status)
        status = render_text(text, format, args->path, NULL);
    atl_release(text);
    return status;
}

/* The drawing for readers without JavaScript: layers as boxes; null if it is too large, or cannot be made. */
static char *still_drawing(const atl_dot_args *args)
{
    enum { MOST_STILL = 300 };
    char *text = NULL, *svg = NULL;
    int64_t boxes = 0;
    atl_dot_args still = *args;
    if (still.depth == 0)
        still.depth = 1;
    if (!atl_dot_text(&still, NULL, &text, &boxes) && boxes <= MOST_STILL)
        render_text(text, "svg", args->path, &svg);
    atl_release(text);
    return svg;
}

#else

static char *still_drawing(const atl_dot_args *args)
{
    (void)args;
    return NULL;
}

static atl_status render(const atl_dot_args *args, const char *format)
{
    return atl_set_error(
        ATL_UNSUPPORTED,
        "%s: this build of atled cannot render %s, because Graphviz's library was missing; write the text (.dot) "
        "and run: dot -T%s",
        args->path, format, format);
}

#endif

static atl_status write_explorer(const atl_dot_args *args)
{
    atl_atomic_file *file;
    atl_status status = atl_atomic_open(&file, args->path);
    if (status)
        return status;
    char *svg = still_drawing(args);
    status = explorer_write(args, dot_svg_for_page(svg), atl_atomic_stream(file));
    atl_release(svg);
    if (!status)
        return atl_atomic_commit(file);
    atl_atomic_abandon(file);
    return status;
}

static atl_status write_json(const atl_dot_args *args)
{
    atl_atomic_file *file;
    atl_status status = atl_atomic_open(&file, args->path);
    if (status)
        return status;
    status = explorer_write_json(args, atl_atomic_stream(file));
    if (!status)
        return atl_atomic_commit(file);
    atl_atomic_abandon(file);
    return status;
}

static atl_status write_drawing(const atl_dot_args *args)
{
    if (args->file && args->path)
        return atl_set_error(ATL_INVALID, "dot: both a path and a file are given: leave one of them out");
    if (args->file)
        return atl_dot_text(args, args->file, NULL, NULL);
    if (!args->path || !args->path[0])
        return atl_set_error(ATL_INVALID, "dot: neither a path nor a file to write to is given");
    const char *format = format_of(args->path);
    if (!format)
        return write_text(args);
    return strcmp(format, "html") == 0   ? write_explorer(args)
           : strcmp(format, "json") == 0 ? write_json(args)
                                         : render(args, format);
}

atl_status atl_write_dot_with(const atl_dot_args *args)
{
    if (!args)
        return atl_null_argument("atl_write_dot", "the options are");
    if (!args)
        return atl_set_error(ATL_INVALID, "dot: the arguments are null");
    return atl_graph_note_failure(args->graph, write_drawing(args));
}
