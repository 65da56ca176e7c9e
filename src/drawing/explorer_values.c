/* The values of a run in the explorer's page: for each node a few numbers, a histogram and a small picture, all cut so
 * that the page stays small. */
#include "drawing/explorer_values.h"

#include <math.h>
#include <string.h>

#include "atled/tensor.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "program/json.h"

enum { BINS = 24, LEVELS = 64, MOST_SIDE = 28, LEAST_SIDE = 4, MOST_ROW = 64, ALL_PICTURES = 900000 };

/* A digit for each of 64 levels; the page's program knows them, too. */
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

typedef struct array {
    const float *floats;
    const int32_t *ints;
    int64_t count;
    atl_shape shape;
} array;

static double element(const array *a, int64_t i) { return a->floats ? a->floats[i] : a->ints ? a->ints[i] : NAN; }

/* Of finite elements, but for `bad`. */
typedef struct summary {
    double least, most, sum, squares;
    int64_t zeros, bad;
    int64_t bin[BINS];
} summary;

static summary summarize(const array *a)
{
    summary s = {.least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < a->count; i++) {
        double x = element(a, i);
        if (!isfinite(x)) {
            s.bad++;
            continue;
        }
        s.least = x < s.least ? x : s.least;
        s.most = x > s.most ? x : s.most;
        s.sum += x;
        s.squares += x * x;
        s.zeros += x == 0;
    }
    double range = s.most - s.least;
    for (int64_t i = 0; i < a->count; i++) {
        double x = element(a, i);
        if (isfinite(x))
            s.bin[range > 0 ? (int)fmin(BINS - 1, (x - s.least) / range * BINS) : 0]++;
    }
    return s;
}

/* The share of channels (of the last dimension) in which nothing is positive. */
static double dead_share(const array *a)
{
    int64_t channels = a->shape.rank > 0 ? a->shape.size[a->shape.rank - 1] : 1, dead = 0;
    for (int64_t c = 0; c < channels; c++) {
        int alive = 0;
        for (int64_t i = c; !alive && i < a->count; i += channels)
            alive = element(a, i) > 0;
        dead += !alive;
    }
    return channels ? (double)dead / (double)channels : 0;
}

/* Three significant digits; null if it is not finite. */
static void write_number(FILE *file, double x)
{
    int exponent = x != 0 && isfinite(x) ? (int)floor(log10(fabs(x))) : 0;
    if (exponent >= -2 && exponent < 6) {
        atl_write_json_number(file, x,
                              x == floor(x)  ? 0
                              : exponent < 0 ? 2 - exponent
                              : exponent > 2 ? 0
                                             : 2 - exponent);
        return;
    }
    atl_write_json_number(file, x / pow(10, exponent), 2);
    fprintf(file, "e%d", exponent);
}

static void write_histogram(FILE *file, const summary *s)
{
    int64_t most = 1;
    for (int i = 0; i < BINS; i++)
        most = s->bin[i] > most ? s->bin[i] : most;
    fputs(",\"", file);
    for (int i = 0; i < BINS; i++) /* a bin that holds something can be seen */
        fputc(digits[s->bin[i] ? 1 + (int)((LEVELS - 2) * (double)s->bin[i] / (double)most) : 0], file);
    fputc('"', file);
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* The array as planes of rows and columns: element (plane, row, column) is the mean of `mean` elements `step` apart. */
typedef struct view {
    int64_t planes, rows, columns, mean;
    int64_t by_plane, by_row, by_column, step;
} view;

/* The number of columns with which an array is nearest to a square, as rows of whole inner dimensions: a vector is one
 * row, and weights [out, in, 1, 1] are out rows. */
static int64_t columns_of(const array *a)
{
    int64_t inner = 1, best = a->count;
    double worst = INFINITY;
    for (int i = a->shape.rank - 1; i >= 0; i--) {
        inner *= a->shape.size[i];
        double off = fabs(log((double)inner * (double)inner / (double)a->count));
        if (off <= worst) { /* of two that are equally far, the wider */
            worst = off;
            best = inner;
        }
    }
    return best;
}

static view view_of(const array *a, int is_image)
{
    const int64_t *size = a->shape.size;
    int rank = a->shape.rank;
    if (is_image && rank == 4) { /* the first image of the batch */
        int64_t channels = size[3], colours = channels == 3;
        return (view){colours ? 3 : 1, size[1], size[2], colours ? 1 : channels, 1, size[2] * channels, channels, 1};
    }
    int64_t columns = columns_of(a);
    return (view){1, a->count / columns, columns, 1, 0, columns, 1, 0};
}

static double cell_of(const array *a, const view *v, int64_t plane, int64_t row, int64_t column)
{
    double sum = 0;
    for (int64_t k = 0; k < v->mean; k++)
        sum += element(a, plane * v->by_plane + row * v->by_row + column * v->by_column + k * v->step);
    return sum / (double)v->mean;
}

/* The means over parts of the array, in `cells`. */
static void shrink(const array *a, const view *v, int64_t rows, int64_t columns, double *cells)
{
    for (int64_t p = 0; p < v->planes; p++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++) {
                int64_t r0 = r * v->rows / rows, r1 = (r + 1) * v->rows / rows;
                int64_t c0 = c * v->columns / columns, c1 = (c + 1) * v->columns / columns;
                double sum = 0;
                for (int64_t i = r0; i < r1; i++)
                    for (int64_t j = c0; j < c1; j++)
                        sum += cell_of(a, v, p, i, j);
                *cells++ = sum / (double)((r1 - r0) * (c1 - c0));
            }
}

/* Columns, planes, least and largest mean, and a digit for each mean: '!' where it is not finite. */
static void write_cells(FILE *file, const double *cells, int64_t count, int64_t columns, int64_t planes)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(cells[i])) {
            least = fmin(least, cells[i]);
            most = fmax(most, cells[i]);
        }
    fprintf(file, ",%lld,%lld,", (long long)columns, (long long)planes);
    write_number(file, least);
    fputc(',', file);
    write_number(file, most);
    fputs(",\"", file);
    for (int64_t i = 0; i < count; i++) {
        double level = most > least ? (cells[i] - least) / (most - least) * (LEVELS - 1) : 0;
        fputc(isfinite(cells[i]) ? digits[(int)(level + 0.5)] : '!', file);
    }
    fputc('"', file);
}

static void write_picture(FILE *file, const array *a, int is_image, int64_t side)
{
    double cells[3 * MOST_SIDE * MOST_SIDE];
    view v = view_of(a, is_image);
    int64_t rows = v.rows < side ? v.rows : side, columns = v.columns < side ? v.columns : side;
    if (v.rows == 1)
        columns = v.columns < MOST_ROW ? v.columns : MOST_ROW;
    if (side < LEAST_SIDE || rows * columns < 2)
        return;
    shrink(a, &v, rows, columns, cells);
    write_cells(file, cells, v.planes * rows * columns, columns, v.planes);
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static int read_array(array *a, const atl_tensor *value)
{
    if (!value)
        return 0;
    *a = (array){.count = atl_tensor_count(value), .shape = atl_tensor_shape(value)};
    if (atl_tensor_dtype(value) == ATL_FLOAT32)
        a->floats = atl_floats(value);
    else if (atl_tensor_dtype(value) == ATL_INT32)
        a->ints = atl_ints(value);
    return a->count > 0 && (a->floats || a->ints);
}

static void write_value(const explorer_page *p, const atl_node *node, const array *a, int64_t side)
{
    summary s = summarize(a);
    double count = (double)(a->count - s.bad);
    int is_relu = (node->op->flags & ATL_OP_RELU) != 0 || strcmp(node->op->name, "relu6") == 0;
    fprintf(p->file, "[%lld,", (long long)p->number[node->index]);
    const double numbers[] = {s.least,
                              s.most,
                              count > 0 ? s.sum / count : NAN,
                              count > 0 ? sqrt(s.squares / count) : NAN,
                              count > 0 ? (double)s.zeros / count : NAN,
                              is_relu ? dead_share(a) : NAN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        write_number(p->file, numbers[i]);
        fputc(',', p->file);
    }
    fprintf(p->file, "%lld", (long long)s.bad);
    write_histogram(p->file, &s);
    write_picture(p->file, a, !(node->op->flags & (ATL_OP_VARIABLE | ATL_OP_CONSTANT)), side);
    fputc(']', p->file);
}

void explorer_write_values(const explorer_page *p)
{
    const atl_tensor *const *values = p->d.args->values;
    int64_t drawn = 0, written = 0;
    array a;
    for (int64_t i = 0; values && i < p->d.graph->count; i++)
        drawn += p->d.is_drawn[i] && values[i];
    double room = drawn ? ALL_PICTURES / (double)drawn : 0;
    int64_t side = (int64_t)fmin(MOST_SIDE, sqrt(room));
    fputs("\"values\":[", p->file);
    for (int64_t i = 0; values && i < p->d.graph->count; i++)
        if (p->d.is_drawn[i] && read_array(&a, values[i])) {
            fputs(written++ ? ",\n" : "", p->file);
            write_value(p, p->d.graph->nodes[i], &a, side);
        }
    fputs("],\n", p->file);
}
