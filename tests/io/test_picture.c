/* Detecting image formats, and what all of them reject. */
#include "scratch.h"

#include "atled/files.h"
#include "io/picture.h"

TestSuite(picture, .init = make_scratch, .fini = remove_scratch);

static void assert_refused(const char *bytes, size_t size, const char *words)
{
    write_file(in_scratch("a.png"), bytes, size);
    cr_assert_null(atl_read_image(in_scratch("a.png")));
    assert_told(words);
    assert_told("a.png");
}

Test(picture, other_formats_are_named)
{
    assert_refused("GIF89a..........", 16, "a GIF");
    assert_refused("RIFF....WEBPVP8 ", 16, "WebP");
    assert_refused("BM..............", 16, "a BMP");
    assert_refused("\x93NUMPY..........", 16, "a NumPy array");
    assert_refused("hello", 5, "neither PNG nor JPEG");
    assert_refused("\x89PNG", 4, "neither PNG nor JPEG");
    assert_refused("\xff\xd8\xff", 3, "damaged JPEG");
    assert_refused("\x89PNG\r\n\x1a\n", 8, "damaged PNG: it ends early");
}

Test(picture, no_file)
{
    cr_assert_null(atl_read_image(in_scratch("missing.png")));
    assert_told("there is no file");
    cr_assert_null(atl_read_image(scratch));
    assert_told("directory");
    cr_assert_null(atl_read_image(NULL));
    assert_refused("", 0, "is empty");
}

Test(picture, limit_of_size)
{
    atl_tensor *image;
    atl_picture_file file = {.path = "a.png", .size = 1000000};
    cr_assert_eq(atl_new_picture(&file, 100001, 1000, 1000, &image), ATL_BAD_FILE);
    assert_told("1000 x 100001");
    assert_told("100 megapixels");
    cr_assert_null(image);
    cr_assert_eq(atl_new_picture(&file, INT64_MAX, INT64_MAX, 1000, &image), ATL_BAD_FILE);
    cr_assert_eq(atl_new_picture(&file, 0, 5, 1000, &image), ATL_BAD_FILE);
    cr_assert_eq(atl_new_picture(&file, 2, 5, 1000, &image), ATL_OK);
    atl_tensor_free(image);
    file.size = 100;
    cr_assert_eq(atl_new_picture(&file, 1000, 101, 1000, &image), ATL_BAD_FILE);
    assert_told("101 x 1000 pixels cannot be in its 100 bytes");
    cr_assert_eq(atl_new_picture(&file, 1000, 100, 1000, &image), ATL_OK);
    atl_tensor_free(image);
}
