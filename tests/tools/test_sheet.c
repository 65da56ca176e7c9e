/* The contact sheet: many images, and names of any kind. */
#include "tools/sheet.h"

#include "config.h"
#include "support.h"

#ifdef ATLED_HAVE_CAIRO

#include "tools/sheet.c"
#include "tools/cairo_output.c"
#include "tools/text.c"

static atl_tensor *flat_picture(int side)
{
    atl_tensor *picture = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(side, side, 3));
    cr_assert(picture);
    for (int64_t i = 0; i < atl_tensor_count(picture); i++)
        atl_floats(picture)[i] = 200;
    return picture;
}

static atl_shape shape_of_sheet(const sheet_tile *tiles, int count)
{
    const char *path = scratch_file("sheet.png");
    cr_assert_eq(write_sheet(path, tiles, count), ATL_OK, "%s", atl_error());
    atl_tensor *sheet = atl_read_image(path);
    cr_assert(sheet, "%s", atl_error());
    atl_shape shape = atl_tensor_shape(sheet);
    atl_tensor_free(sheet);
    return shape;
}

/* In rows of five the sheet would exceed the largest height that cairo draws. */
Test(sheet, nine_hundred_and_twenty_pictures)
{
    enum { COUNT = 920 };
    atl_tensor *picture = flat_picture(12);
    sheet_tile *tiles = calloc(COUNT, sizeof *tiles);
    cr_assert(tiles);
    for (int i = 0; i < COUNT; i++) {
        tiles[i] = (sheet_tile){.picture = picture, .probability = 0.5, .is_met = i % 2};
        snprintf(tiles[i].name, sizeof tiles[i].name, "%d", i);
    }
    atl_shape shape = shape_of_sheet(tiles, COUNT);
    cr_assert_lt(shape.size[0], 32767);
    cr_assert_lt(shape.size[0], 2 * shape.size[1]);
    shape = shape_of_sheet(tiles, 7); /* few stand as ever */
    cr_assert_eq(shape.size[1], 5 * (144 + GAP) + GAP);
    free(tiles);
    atl_tensor_free(picture);
}

Test(sheet, as_many_as_are_asked_for_fit_or_are_refused_before_the_work)
{
    cr_assert(sheet_fits(1, 24, 24));
    cr_assert(sheet_fits(1000, 224, 224));
    cr_assert(!sheet_fits(1000000, 24, 24));
    cr_assert(!sheet_fits(1, 40000, 24));
}

Test(sheet, names_of_any_kind)
{
    atl_tensor *picture = flat_picture(24);
    static const char *const names[] = {"P\xE9kinois", "\033[31m", "", "\xFF\xFE",
                                        "a name that is far too long to stand below its picture, to the very end"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sheet_tile tile = {.picture = picture};
        snprintf(tile.name, sizeof tile.name, "%s", names[i]);
        shape_of_sheet(&tile, 1);
    }
    sheet_tile cut = {.picture = picture}; /* within its last character */
    memset(cut.name, 'x', sizeof cut.name - 1);
    cut.name[sizeof cut.name - 2] = '\xC3';
    shape_of_sheet(&cut, 1);
    atl_tensor_free(picture);
}

#endif
