/* One picture that shows how a network was fooled, drawn with cairo. */
#include "panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "atled/files.h"
#include "config.h"

#ifndef ATLED_HAVE_CAIRO

atl_status write_panel(const char *path, const story *panel)
{
    (void)panel;
    return atl_set_error(ATL_UNSUPPORTED, "%s: this atled was built without cairo, which draws panels", path);
}

#else

#include "cairo_output.h"
#include "text.h"

/* All sizes are in pixels of the finished picture. */
enum {
    MARGIN = 28,
    GAP = 24,
    HEAD = 84,    /* title and subtitle */
    CAPTION = 26, /* below a tile */
    LARGE = 448,  /* side of the result's tile */
    SMALL = 168,  /* sides of the others */
    WIDTH = 2 * MARGIN + LARGE + 3 * (GAP + SMALL),
    HEIGHT = HEAD + LARGE + CAPTION + MARGIN
};

typedef struct colour {
    double r, g, b;
} colour;

static const colour paper = {0.984, 0.980, 0.969}, ink = {0.13, 0.14, 0.17}, faint = {0.47, 0.48, 0.51},
                    rule = {0.86, 0.855, 0.84}, accent = {0.80, 0.22, 0.16};

static void use(cairo_t *cr, colour c) { cairo_set_source_rgb(cr, c.r, c.g, c.b); }

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static int64_t height_of(const atl_tensor *picture) { return atl_tensor_shape(picture).size[1]; }
static int64_t width_of(const atl_tensor *picture) { return atl_tensor_shape(picture).size[2]; }

static uint32_t byte_of(double x) { return x > 0 ? x < 255 ? (uint32_t)(x + 0.5) : 255 : 0; }
static uint32_t packed(const double rgb[3])
{
    return 0xFF000000u | byte_of(rgb[0]) << 16 | byte_of(rgb[1]) << 8 | byte_of(rgb[2]);
}

/* Converts the three values of pixel i to its colour. */
typedef void shade(const story *panel, double gain, int64_t i, double rgb[3]);

static cairo_surface_t *cairo_surface_of(const story *panel, shade *shade_of, double gain)
{
    int h = (int)height_of(panel->result), w = (int)width_of(panel->result);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    cairo_surface_flush(surface);
    for (int y = 0; data && y < h; y++)
        for (int x = 0; x < w; x++) {
            double rgb[3];
            shade_of(panel, gain, (int64_t)y * w + x, rgb);
            ((uint32_t *)(void *)(data + (size_t)y * (size_t)stride))[x] = packed(rgb);
        }
    cairo_surface_mark_dirty(surface);
    return surface;
}

static void shade_start(const story *panel, double gain, int64_t i, double rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = gain * atl_floats(panel->start)[3 * i + c];
}

static void shade_result(const story *panel, double gain, int64_t i, double rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = gain * atl_floats(panel->result)[3 * i + c];
}

/* The visible difference in grey levels: the start is rounded as well. */
static double difference_at(const story *panel, int64_t i)
{
    return atl_floats(panel->result)[i] - floor(atl_floats(panel->start)[i] + 0.5);
}

/* Grey where nothing changed. */
static void shade_difference(const story *panel, double gain, int64_t i, double rgb[3])
{
    for (int c = 0; c < 3; c++)
        rgb[c] = 128 + gain * difference_at(panel, 3 * i + c);
}

static double slope_at(const story *panel, int64_t i)
{
    const float *g = atl_floats(panel->gradient) + 3 * i;
    return sqrt((double)g[0] * g[0] + (double)g[1] * g[1] + (double)g[2] * g[2]);
}

/* From dark blue through red to white: lightness increases monotonically, so that the map works in grey, too. */
static void shade_gradient(const story *panel, double gain, int64_t i, double rgb[3])
{
    static const double stop[6][3] = {{8, 8, 24},    {58, 18, 92},   {140, 32, 98},
                                      {216, 74, 58}, {247, 154, 50}, {252, 243, 176}};
    double t = 5 * fmin(1, gain * slope_at(panel, i));
    int k = t < 5 ? (int)t : 4;
    for (int c = 0; c < 3; c++)
        rgb[c] = stop[k][c] + (t - k) * (stop[k + 1][c] - stop[k][c]);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile that all but `share` of the count values stay below; sorts them. */
static double quantile(double *values, int64_t count, double share)
{
    if (!count)
        return 0;
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[(int64_t)((1 - share) * (double)(count - 1))];
}

static double change_at(const story *panel, int64_t i) { return fabs(difference_at(panel, i)); }

/* The gain at which all but 1 % of the values are visible without clipping; 1 if they are all zero; 0 if out of
 * memory. */
static double gain_of(const story *panel, double (*at)(const story *panel, int64_t i), int64_t count, double full)
{
    double *values = malloc((size_t)count * sizeof *values), high = 0;
    for (int64_t i = 0; values && i < count; i++)
        values[i] = at(panel, i);
    if (!values)
        return 0;
    high = quantile(values, count, 0.01);
    free(values);
    return high > 0 ? full / high : 1;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void choose_font(cairo_t *cr, double size, int bold)
{
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

/* align: 0 begins at x, 0.5 is centred there, 1 ends there. */
static void write_text(cairo_t *cr, double x, double y, double align, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, text);
}

/* The same with a smaller font if the text would not fit. */
static void write_fitting(cairo_t *cr, double x, double y, double room, double size, int bold, const char *text)
{
    cairo_text_extents_t extents;
    choose_font(cr, size, bold);
    cairo_text_extents(cr, text, &extents);
    if (extents.x_advance > room)
        choose_font(cr, size * room / extents.x_advance, bold);
    write_text(cr, x, y, 0, text);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

/* Takes ownership of the surface.  Enlarged pixels stay square and sharp. */
static void draw_tile(cairo_t *cr, double x, double y, double side, cairo_surface_t *picture, const char *caption)
{
    double w = cairo_image_surface_get_width(picture), h = cairo_image_surface_get_height(picture);
    double scale = side / fmax(w, h);
    cairo_save(cr);
    cairo_translate(cr, x + (side - scale * w) / 2, y + (side - scale * h) / 2);
    cairo_scale(cr, scale, scale);
    cairo_set_source_surface(cr, picture, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), scale >= 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_rectangle(cr, 0, 0, w, h);
    cairo_fill(cr);
    cairo_restore(cr);
    cairo_surface_destroy(picture);
    use(cr, faint);
    choose_font(cr, 13, 0);
    write_text(cr, x, y + side + 18, 0, caption);
}

/* Reduces the number of shades in a part of the picture: this is invisible in small tiles of noise, but the file is a
 * quarter smaller. */
static void coarsen(cairo_surface_t *surface, int x, int y, int side)
{
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    cairo_surface_flush(surface);
    for (int row = y; data && row < y + side; row++) {
        uint32_t *pixel = (uint32_t *)(void *)(data + (size_t)row * (size_t)stride);
        for (int column = x; column < x + side; column++)
            pixel[column] = (pixel[column] & 0xFFF0F0F0u) | (pixel[column] >> 4 & 0x000F0F0Fu);
    }
    cairo_surface_mark_dirty(surface);
}

typedef struct plot {
    double x, y, width, height;
} plot;

static double plot_x(const plot *p, double iteration, int iterations)
{
    return p->x + p->width * (iterations ? iteration / iterations : 0);
}
static double plot_y(const plot *p, double probability) { return p->y + p->height * (1 - probability); }

/* 1, 2 or 5 times a power of ten, so that the axis has at most six ticks. */
static int tick_distance(int iterations)
{
    int distance = 1;
    for (int i = 0; iterations / distance > 6; i++)
        distance = i % 3 == 1 ? distance / 2 * 5 : distance * 2;
    return distance;
}

static void draw_axes(cairo_t *cr, const plot *p, const story *panel)
{
    char text[32];
    cairo_set_line_width(cr, 1);
    choose_font(cr, 12, 0);
    for (int i = 0; i <= 4; i++) {
        double y = round(plot_y(p, i / 4.0)) + 0.5;
        use(cr, rule);
        cairo_move_to(cr, p->x, y);
        cairo_line_to(cr, p->x + p->width, y);
        cairo_stroke(cr);
        use(cr, faint);
        snprintf(text, sizeof text, "%d %%", 25 * i);
        write_text(cr, p->x - 8, y + 4, 1, text);
    }
    int distance = tick_distance(panel->iterations);
    for (int i = 0; i <= panel->iterations; i += distance) {
        snprintf(text, sizeof text, "%d", i);
        write_text(cr, plot_x(p, i, panel->iterations), p->y + p->height + 18, 0.5, text);
    }
}

static void draw_goal(cairo_t *cr, const plot *p, double confidence)
{
    static const double dashes[] = {4, 4};
    double y = round(plot_y(p, confidence)) + 0.5;
    use(cr, faint);
    cairo_set_dash(cr, dashes, 2, 0);
    cairo_move_to(cr, p->x, y);
    cairo_line_to(cr, p->x + p->width, y);
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0);
}

static void trace_curve(cairo_t *cr, const plot *p, const story *panel)
{
    for (int i = 0; i <= panel->iterations; i++)
        cairo_line_to(cr, plot_x(p, i, panel->iterations), plot_y(p, panel->probability[i]));
}

/* Draws the last point, and beside it the number of iterations. */
static void draw_end(cairo_t *cr, const plot *p, const story *panel)
{
    char text[64];
    double last = panel->probability[panel->iterations];
    double x = plot_x(p, panel->iterations, panel->iterations), y = plot_y(p, last);
    use(cr, accent);
    cairo_arc(cr, x, y, 4.5, 0, 2 * M_PI);
    cairo_fill(cr);
    snprintf(text, sizeof text, "%.4g %% after %d iteration%s", 100 * last, panel->iterations,
             plural(panel->iterations));
    choose_font(cr, 14, 1);
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    write_text(cr, fmax(x - extents.x_advance, p->x), y - 14, 0, text);
}

static void draw_curve(cairo_t *cr, const plot *p, const story *panel)
{
    draw_axes(cr, p, panel);
    draw_goal(cr, p, panel->confidence);
    cairo_move_to(cr, p->x, p->y + p->height);
    trace_curve(cr, p, panel);
    cairo_line_to(cr, plot_x(p, panel->iterations, panel->iterations), p->y + p->height);
    cairo_set_source_rgba(cr, accent.r, accent.g, accent.b, 0.10);
    cairo_fill(cr);
    trace_curve(cr, p, panel);
    use(cr, accent);
    cairo_set_line_width(cr, 2.2);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
    draw_end(cr, p, panel);
}

/* 0 without memory. */
static int draw(cairo_t *cr, const story *panel)
{
    char caption[64];
    int64_t count = atl_tensor_count(panel->result);
    double x = MARGIN, y = HEAD;
    use(cr, paper);
    cairo_paint(cr);
    use(cr, ink);
    write_fitting(cr, x, 40, WIDTH - 2 * MARGIN, 24, 1, panel->title);
    use(cr, faint);
    write_fitting(cr, x, 64, WIDTH - 2 * MARGIN, 14, 0, panel->subtitle);

    draw_tile(cr, x, y, LARGE, cairo_surface_of(panel, shade_result, 1), "the result, as written");
    x += LARGE + GAP;
    draw_tile(cr, x, y, SMALL, cairo_surface_of(panel, shade_start, 1), "the start");
    x += SMALL + GAP;
    double gain = gain_of(panel, change_at, count, 127), gain_of_slope = gain_of(panel, slope_at, count / 3, 1);
    snprintf(caption, sizeof caption, "result \xe2\x88\x92 start, \xc3\x97 %.3g", gain);
    draw_tile(cr, x, y, SMALL, cairo_surface_of(panel, shade_difference, gain), caption);
    x += SMALL + GAP;
    draw_tile(cr, x, y, SMALL, cairo_surface_of(panel, shade_gradient, gain_of_slope), "|gradient| at the start");

    for (int i = 0; i < 3; i++)
        coarsen(cairo_get_target(cr), MARGIN + LARGE + GAP + i * (SMALL + GAP), HEAD, SMALL);

    const plot p = {MARGIN + LARGE + GAP + 44, HEAD + SMALL + CAPTION + 52, 3 * SMALL + 2 * GAP - 44 - 8,
                    LARGE - SMALL - CAPTION - 52};
    use(cr, ink);
    choose_font(cr, 14, 1);
    write_text(cr, MARGIN + LARGE + GAP, p.y - 24, 0, "the probability of the target per iteration");
    draw_curve(cr, &p, panel);
    return gain > 0 && gain_of_slope > 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

atl_status write_panel(const char *path, const story *panel)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
    cairo_t *cr = cairo_create(surface);
    atl_status status;
    if (draw(cr, panel))
        status = write_drawn(path, cr);
    else {
        status = atl_set_error(ATL_OUT_OF_MEMORY, "%s: out of memory", path);
        cairo_destroy(cr);
    }
    cairo_surface_destroy(surface);
    return status;
}

#endif
