/* Plots of a training and of an evaluation. */
#include "plot.h"

#include <math.h>
#include <stdio.h>

#include "config.h"

#ifndef ATLED_HAVE_CAIRO

atl_status write_curves(const char *path, const char *title, const epoch_record *record, int count)
{
    (void)title;
    (void)record;
    (void)count;
    return atl_set_error(ATL_UNSUPPORTED, "%s: this atled was built without cairo, which draws curves", path);
}

atl_status write_confusion(const char *path, const int64_t *confusion, int classes, const char *const *names)
{
    (void)confusion;
    (void)classes;
    (void)names;
    return atl_set_error(ATL_UNSUPPORTED, "%s: this atled was built without cairo, which draws the matrix", path);
}

#else

#include "cairo_output.h"
#include "text.h"

/* All sizes are in pixels of the finished picture. */
enum { CHART = 400, TALL = 300, MARGIN = 56, HEAD = 64, CELL = 36, ROW_NAMES = 110, TITLE = 26 };

typedef struct axes {
    double left, top;       /* of the chart */
    double last, low, high; /* epochs are 0..last, values low..high */
} axes;

static cairo_t *new_picture(int width, int height)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cr = cairo_create(surface);
    cairo_surface_destroy(surface); /* the context holds it */
    cairo_set_source_rgb(cr, 0.984, 0.980, 0.969);
    cairo_paint(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_source_rgb(cr, 0.13, 0.14, 0.17);
    return cr;
}

static void write_text(cairo_t *cr, double x, double y, double size, const char *text)
{
    cairo_set_font_size(cr, size);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, text);
}

/* To the left of x. */
static void write_before(cairo_t *cr, double x, double y, double size, const char *text)
{
    cairo_text_extents_t extents;
    cairo_set_font_size(cr, size);
    cairo_text_extents(cr, text, &extents);
    write_text(cr, x - extents.x_advance, y, size, text);
}

/* ---- curves ------------------------------------------------------------------------------------------------------ */

static double value_of(const epoch_record *r, int which)
{
    const double values[] = {r->loss, r->test_loss, 100 * r->right, 100 * r->test_right};
    return values[which];
}

static void draw_curve(cairo_t *cr, const axes *a, const epoch_record *record, int count, int which)
{
    int is_begun = 0;
    for (int i = 0; i < count; i++) {
        double value = value_of(&record[i], which);
        if (!isfinite(value))
            continue;
        double x = a->left + CHART * record[i].epoch / a->last;
        double y = a->top + TALL * (a->high - value) / (a->high - a->low);
        if (!is_begun)
            cairo_move_to(cr, x, y);
        cairo_line_to(cr, x, y);
        is_begun = 1;
    }
    if (which % 2)
        cairo_set_source_rgb(cr, 0.80, 0.22, 0.16);
    else
        cairo_set_source_rgb(cr, 0.20, 0.36, 0.62);
    cairo_set_line_width(cr, 2);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND); /* a single epoch is a dot */
    cairo_stroke(cr);
}

static void draw_axes(cairo_t *cr, const axes *a, const char *caption)
{
    char text[32];
    for (int i = 0; i <= 4; i++) {
        double y = a->top + TALL * i / 4.0 + 0.5, value = a->high - (a->high - a->low) * i / 4;
        cairo_set_source_rgb(cr, 0.86, 0.855, 0.84);
        cairo_set_line_width(cr, 1);
        cairo_move_to(cr, a->left, y);
        cairo_line_to(cr, a->left + CHART, y);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.47, 0.48, 0.51);
        snprintf(text, sizeof text, "%.3g", value);
        write_before(cr, a->left - 6, y + 4, 11, text);
    }
    snprintf(text, sizeof text, "epoch %.3g", a->last);
    write_text(cr, a->left, a->top + TALL + 16, 11, "0");
    write_before(cr, a->left + CHART, a->top + TALL + 16, 11, text);
    cairo_set_source_rgb(cr, 0.13, 0.14, 0.17);
    write_text(cr, a->left, a->top - 8, 13, caption);
}

/* Curves 2 * pair (training, blue) and 2 * pair + 1 (test, red). */
static void draw_chart(cairo_t *cr, axes a, const epoch_record *record, int count, int pair, const char *caption)
{
    a.low = pair ? 100 : 0;
    a.high = pair ? 100 : 0.1;
    for (int i = 0; i < 2 * count; i++) {
        double value = value_of(&record[i / 2], 2 * pair + i % 2);
        if (pair && value < a.low)
            a.low = fmax(0, 10 * floor(value / 10));
        if (!pair && isfinite(value) && value > a.high)
            a.high = ceil(value * 10) / 10;
    }
    if (a.low >= a.high)
        a.low = a.high - 10;
    draw_axes(cr, &a, caption);
    draw_curve(cr, &a, record, count, 2 * pair);
    draw_curve(cr, &a, record, count, 2 * pair + 1);
}

atl_status write_curves(const char *path, const char *title, const epoch_record *record, int count)
{
    cairo_t *cr = new_picture(2 * (CHART + 2 * MARGIN), HEAD + TALL + MARGIN);
    axes a = {.left = MARGIN, .top = HEAD, .last = count ? record[count - 1].epoch : 1};
    write_text(cr, MARGIN, 30, 18, title);
    draw_chart(cr, a, record, count, 0, "loss: training blue, test red");
    a.left += CHART + 2 * MARGIN;
    draw_chart(cr, a, record, count, 1, "% right: training blue, test red");
    return write_drawn(path, cr);
}

/* ---- the confusion matrix ---------------------------------------------------------------------------------------- */

static void draw_cell(cairo_t *cr, double x, double y, int64_t count, int64_t row_sum)
{
    char text[32];
    double share = row_sum ? (double)count / (double)row_sum : 0, light = 1 - sqrt(share);
    cairo_rectangle(cr, x, y, CELL - 1, CELL - 1);
    cairo_set_source_rgb(cr, 0.20 + 0.76 * light, 0.36 + 0.60 * light, 0.62 + 0.33 * light);
    cairo_fill(cr);
    if (light < 0.5)
        cairo_set_source_rgb(cr, 1, 1, 1);
    else
        cairo_set_source_rgb(cr, 0.13, 0.14, 0.17);
    snprintf(text, sizeof text, "%lld", (long long)count);
    write_before(cr, x + CELL - 5, y + CELL / 2.0 + 4, 10, text);
}

static void draw_names(cairo_t *cr, int i, const char *name)
{
    char shown[64];
    name = clean_text(name, shown, sizeof shown); /* cairo accepts only UTF-8 */
    cairo_set_source_rgb(cr, 0.13, 0.14, 0.17);
    write_before(cr, ROW_NAMES - 8, ROW_NAMES + i * CELL + CELL / 2.0 + 4, 12, name);
    cairo_save(cr);
    cairo_translate(cr, ROW_NAMES + i * CELL + CELL / 2.0 + 4, ROW_NAMES - 8);
    cairo_rotate(cr, -1.5707963267948966);
    write_text(cr, 0, 0, 12, name);
    cairo_restore(cr);
}

/* Above the columns, and, turned, left of the rows. */
static void draw_titles(cairo_t *cr, int classes)
{
    static const char *const title[] = {"predicted class", "true class"};
    double middle = TITLE + ROW_NAMES + classes * CELL / 2.0;
    for (int i = 0; i < 2; i++) {
        cairo_text_extents_t extents;
        cairo_save(cr);
        cairo_set_font_size(cr, 14);
        cairo_text_extents(cr, title[i], &extents);
        if (i == 0)
            cairo_translate(cr, middle - extents.x_advance / 2, TITLE - 8);
        else {
            cairo_translate(cr, TITLE - 8, middle + extents.x_advance / 2);
            cairo_rotate(cr, -1.5707963267948966);
        }
        write_text(cr, 0, 0, 14, title[i]);
        cairo_restore(cr);
    }
}

atl_status write_confusion(const char *path, const int64_t *confusion, int classes, const char *const *names)
{
    if (classes > MOST_CONFUSION_CLASSES)
        return atl_set_error(ATL_UNSUPPORTED, "%s: %d classes are too many for a picture; %d can be drawn", path,
                             classes, MOST_CONFUSION_CLASSES);
    int side = TITLE + ROW_NAMES + classes * CELL + 16;
    cairo_t *cr = new_picture(side, side);
    draw_titles(cr, classes);
    cairo_translate(cr, TITLE, TITLE);
    for (int i = 0; i < classes; i++) {
        char number[16];
        int64_t sum = 0;
        snprintf(number, sizeof number, "%d", i);
        draw_names(cr, i, names ? names[i] : number);
        for (int j = 0; j < classes; j++)
            sum += confusion[(int64_t)i * classes + j];
        for (int j = 0; j < classes; j++)
            draw_cell(cr, ROW_NAMES + j * CELL, ROW_NAMES + i * CELL, confusion[(int64_t)i * classes + j], sum);
    }
    return write_drawn(path, cr);
}

#endif
