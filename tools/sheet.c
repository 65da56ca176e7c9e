/* A contact sheet. */
#include "sheet.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "atled/files.h"
#include "config.h"
#include "text.h"

/* Sizes in pixels of the finished sheet. */
enum { GAP = 12, LEAST_SIDE = 144, CAPTION = 24, TEXT = 13 };
enum { LEAST_COLUMNS = 5 };

/* The arrangement of the pictures. */
typedef struct arrangement {
    int columns, times;              /* every pixel is a square of `times` */
    int64_t tall, wide;              /* of one with its caption and the gap to the next */
    int64_t height, width;           /* of the sheet */
    int64_t tile_height, tile_width; /* of a picture, before it is enlarged */
} arrangement;

static arrangement arrange(int count, int64_t height, int64_t width)
{
    arrangement a = {.columns = LEAST_COLUMNS, .tile_height = height, .tile_width = width};
    while ((int64_t)a.columns * a.columns < count)
        a.columns++;
    if (count < a.columns)
        a.columns = count;
    a.times = (int)((LEAST_SIDE + width - 1) / width);
    a.tall = height * a.times + CAPTION + GAP;
    a.wide = width * a.times + GAP;
    a.width = a.columns * a.wide + GAP;
    a.height = (count + a.columns - 1) / a.columns * a.tall + GAP - GAP / 2;
    return a;
}

int sheet_fits(int count, int64_t height, int64_t width)
{
    enum { MOST_OF_CAIRO = 32767 };
    arrangement a = arrange(count, height, width);
    return a.width <= MOST_OF_CAIRO && a.height <= MOST_OF_CAIRO && a.width * a.height <= ATL_MAX_PIXELS;
}

#ifndef ATLED_HAVE_CAIRO

atl_status write_sheet(const char *path, const sheet_tile *tile, int count)
{
    (void)tile;
    (void)count;
    return atl_set_error(ATL_UNSUPPORTED, "%s: this atled was built without cairo, which draws the sheet", path);
}

#else

#include "cairo_output.h"

static uint32_t byte_of(float x) { return x > 0 ? x < 255 ? (uint32_t)(x + 0.5f) : 255 : 0; }

static cairo_surface_t *cairo_surface_of(const atl_tensor *picture, int height, int width)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    const float *from = atl_floats(picture);
    for (int y = 0; data && y < height; y++)
        for (int x = 0; x < width; x++, from += 3)
            ((uint32_t *)(void *)(data + (size_t)y * (size_t)stride))[x] =
                byte_of(from[0]) << 16 | byte_of(from[1]) << 8 | byte_of(from[2]);
    cairo_surface_mark_dirty(surface);
    return surface;
}

static double width_of(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

/* Truncates a text that is too wide after a whole character. */
static void write_within(cairo_t *cr, double x, double y, double width, const char *text)
{
    char cut[sizeof((sheet_tile *)NULL)->name + 4];
    clean_text(text, cut, sizeof cut - 4); /* cairo accepts only UTF-8 */
    for (size_t length = strlen(cut); width_of(cr, cut) > width && length > 0;) {
        while (--length > 0 && (cut[length] & 0xC0) == 0x80)
            ;
        memcpy(cut + length, "\xE2\x80\xA6", 4); /* three dots */
    }
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, cut);
}

/* The class on the left, its probability on the right, in red if it is not the target. */
static void draw_caption(cairo_t *cr, double x, double y, double width, const sheet_tile *tile)
{
    char number[32] = "";
    if (!isnan(tile->probability))
        snprintf(number, sizeof number, "%.4f", tile->probability);
    double wide = width_of(cr, number);
    cairo_set_source_rgb(cr, 0.13, 0.14, 0.17);
    write_within(cr, x, y + TEXT + 4, width - wide - GAP, tile->name);
    if (!tile->is_met)
        cairo_set_source_rgb(cr, 0.80, 0.22, 0.16);
    cairo_move_to(cr, x + width - wide, y + TEXT + 4);
    cairo_show_text(cr, number);
}

static void draw_tile(cairo_t *cr, double x, double y, const arrangement *a, const sheet_tile *tile)
{
    cairo_surface_t *picture = cairo_surface_of(tile->picture, (int)a->tile_height, (int)a->tile_width);
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, a->times, a->times);
    cairo_set_source_surface(cr, picture, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_rectangle(cr, 0, 0, (double)a->tile_width, (double)a->tile_height);
    cairo_fill(cr);
    cairo_restore(cr);
    cairo_surface_destroy(picture);
    draw_caption(cr, x, y + (double)a->tile_height * a->times, (double)a->tile_width * a->times, tile);
}

atl_status write_sheet(const char *path, const sheet_tile *tile, int count)
{
    atl_shape size = atl_tensor_shape(tile[0].picture);
    arrangement a = arrange(count, size.size[0], size.size[1]);
    if (!sheet_fits(count, size.size[0], size.size[1]))
        return atl_set_error(ATL_UNSUPPORTED, "%s: %d pictures are too many for one sheet", path, count);
    cairo_surface_t *sheet = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)a.width, (int)a.height);
    cairo_t *cr = cairo_create(sheet);
    cairo_set_source_rgb(cr, 0.984, 0.980, 0.969);
    cairo_paint(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, TEXT);
    for (int i = 0; i < count; i++)
        draw_tile(cr, (double)(GAP + i % a.columns * a.wide), (double)(GAP + i / a.columns * a.tall), &a, &tile[i]);
    atl_status status = write_drawn(path, cr);
    cairo_surface_destroy(sheet);
    return status;
}

#endif
