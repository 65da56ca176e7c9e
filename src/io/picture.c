/* Reads an image of any format, and contains the code that all formats share. */
#include "io/picture.h"

#include <inttypes.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/unset_tensor.h"
#include "files/input_file.h"

/* Returns 1 if an image of that size is possible; multiplies only sizes that are below the limit themselves. */
static int is_possible(int64_t height, int64_t width)
{
    return height > 0 && width > 0 && height <= ATL_MAX_PIXELS && width <= ATL_MAX_PIXELS &&
           height * width <= ATL_MAX_PIXELS;
}

atl_status atl_new_picture(const atl_picture_file *file, int64_t height, int64_t width, int64_t most_per_byte,
                           atl_tensor **image_out)
{
    *image_out = NULL;
    if (!is_possible(height, width))
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is a picture of %" PRId64 " x %" PRId64
                             " pixels; atled takes up to %d megapixels: make it "
                             "smaller first",
                             file->path, width, height, ATL_MAX_PIXELS / 1000000);
    if (height * width / most_per_byte > file->size)
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is damaged or cut short: %" PRId64 " x %" PRId64 " pixels cannot be in its %" PRId64
                             " bytes: fetch or save it again",
                             file->path, width, height, file->size);
    *image_out = atl_tensor_unset(ATL_FLOAT32, ATL_SHAPE(height, width, 3));
    return *image_out
               ? ATL_OK
               : atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s' (%" PRId64 " x %" PRId64 " pixels)",
                               file->path, width, height);
}

atl_status atl_picture_size_of(const atl_tensor *image, const char *what, atl_picture_size *size_out)
{
    char text[160];
    atl_shape shape = atl_tensor_shape(image);
    if (!image)
        return atl_set_error(ATL_INVALID, "%s: the picture is null", what);
    if (!atl_floats(image))
        return atl_set_error(ATL_INVALID, "%s: the picture is %s; it must be float32, 0..255", what,
                             atl_dtype_name(atl_tensor_dtype(image)));
    int first = shape.rank == 4 && shape.size[0] == 1; /* a batch of one */
    if (shape.rank - first < 2 || shape.rank - first > 3)
        return atl_set_error(
            ATL_INVALID, "%s: a picture is [height, width, channels], alone or as a batch of one, but the tensor is %s",
            what, atl_shape_text(shape, text, sizeof text));
    *size_out =
        (atl_picture_size){shape.size[first], shape.size[first + 1], shape.rank == 2 ? 1 : shape.size[first + 2]};
    if (!is_possible(size_out->height, size_out->width) || size_out->channels < 1)
        return atl_set_error(ATL_INVALID, "%s: the picture is %s; it must have 1 to %d pixels", what,
                             atl_shape_text(shape, text, sizeof text), ATL_MAX_PIXELS);
    return ATL_OK;
}

typedef struct format {
    const char *name;
    const char *magic; /* the first bytes */
    size_t length;
    atl_status (*decode)(const atl_picture_file *file, atl_tensor **image_out); /* null: known, but not read */
} format;

static const format formats[] = {
    {"PNG", "\x89PNG\r\n\x1a\n", 8, atl_decode_png},
    {"JPEG", "\xff\xd8\xff", 3, atl_decode_jpeg},
    {"GIF", "GIF8", 4, NULL},
    {"WebP or another RIFF file", "RIFF", 4, NULL},
    {"TIFF", "II*\0", 4, NULL},
    {"TIFF", "MM\0*", 4, NULL},
    {"PDF", "%PDF", 4, NULL},
    {"NumPy array", "\x93NUMPY", 6, NULL},
    {"zip", "PK\x03\x04", 4, NULL},
    {"BMP", "BM", 2, NULL},
    {"netpbm picture", "P6", 2, NULL},
};

static const format *format_of(const char *start, size_t length)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (length >= formats[i].length && memcmp(start, formats[i].magic, formats[i].length) == 0)
            return &formats[i];
    return NULL;
}

static atl_status decode(const atl_picture_file *file, atl_tensor **image_out)
{
    char start[8];
    const format *found = format_of(start, fread(start, 1, sizeof start, file->stream));
    if (!found)
        return atl_set_error(ATL_BAD_FILE, "'%s' is neither PNG nor JPEG by its first bytes: convert it to one of them",
                             file->path);
    if (!found->decode)
        return atl_set_error(ATL_BAD_FILE, "'%s' is neither PNG nor JPEG but a %s: convert it to one of them",
                             file->path, found->name);
    rewind(file->stream);
    return found->decode(file, image_out);
}

atl_tensor *atl_picture_of(const atl_picture_file *file)
{
    atl_tensor *image = NULL;
    return decode(file, &image) ? NULL : image;
}

atl_tensor *atl_read_image(const char *path)
{
    atl_picture_file file = {.path = path};
    if (atl_open_input(path, "a PNG or JPEG picture", &file.stream, &file.size) != ATL_OK)
        return NULL;
    atl_tensor *image = atl_picture_of(&file);
    fclose(file.stream);
    return image;
}
