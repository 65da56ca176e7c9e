#include "io/dataset.h"

#include <math.h>
#include <sys/stat.h>
#include <zlib.h>

#include "atled/files.h"
#include "scratch.h"

TestSuite(dataset, .init = make_scratch, .fini = remove_scratch);

/* ---- CIFAR-10 ---------------------------------------------------------------------------------------------------- */

enum { RECORD = 3073 };

/* Record i has label i % 10 and the bytes i, i + 1, i + 2 in its planes. */
static void write_batch(const char *name, int records, int cut, int wrong)
{
    unsigned char *bytes = calloc((size_t)records, RECORD);
    for (int i = 0; i < records; i++) {
        bytes[i * RECORD] = (unsigned char)(i == wrong ? 77 : i % 10);
        for (int k = 0; k < 3072; k++)
            bytes[i * RECORD + 1 + k] = (unsigned char)(i + k / 1024);
    }
    write_file(in_scratch(name), bytes, (size_t)(records * RECORD - cut));
    free(bytes);
}

Test(dataset, cifar10_planes_become_pixels)
{
    write_batch("data_batch_1.bin", 11, 0, -1);
    write_batch("data_batch_2.bin", 3, 0, -1);
    write_batch("test_batch.bin", 2, 0, -1);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING), *test = atl_dataset_open(scratch, ATL_TEST);
    cr_assert(data && test, "%s", atl_error());
    cr_assert_eq(atl_dataset_count(data), 14);
    cr_assert_eq(atl_dataset_count(test), 2);
    cr_assert_eq(atl_dataset_classes(data), 10);
    cr_assert_str_eq(atl_dataset_class_name(data, 3), "cat");
    cr_assert(atl_shape_equal(atl_dataset_image_shape(data), ATL_SHAPE(32, 32, 3)));
    cr_assert_eq(data->labels[10], 0);
    cr_assert_eq(data->labels[12], 1);
    cr_assert_eq(data->bytes[10 * 3072 + 3 * 5 + 2], 12);
    atl_dataset_free(data);
    atl_dataset_free(test);
}

static void refuse(const char *words)
{
    cr_assert_null(atl_dataset_open(scratch, ATL_TRAINING));
    assert_told(words);
}

Test(dataset, a_batch_cut_short_names_file_record_and_both_numbers)
{
    write_batch("data_batch_1.bin", 4, 73, -1);
    refuse("data_batch_1.bin");
    assert_told("record 3 has 3000 of its 3073 bytes");
}

Test(dataset, a_missing_batch_is_named)
{
    write_batch("data_batch_1.bin", 2, 0, -1);
    write_batch("data_batch_3.bin", 2, 0, -1);
    refuse("lacks data_batch_2.bin");
    cr_assert_null(atl_dataset_open(scratch, ATL_TEST));
    assert_told("test_batch.bin");
}

Test(dataset, a_label_out_of_range_is_named)
{
    write_batch("data_batch_1.bin", 4, 0, 2);
    refuse("record 2 has label 77, but labels are 0 to 9");
}

Test(dataset, an_empty_folder_says_what_was_looked_for)
{
    refuse("data_batch_1.bin");
    assert_told("sub-folder a class");
    cr_assert_null(atl_dataset_open("/nowhere/at/all", ATL_TRAINING));
    assert_told("/nowhere/at/all");
    cr_assert_null(atl_dataset_open(NULL, ATL_TRAINING));
}

/* ---- MNIST ------------------------------------------------------------------------------------------------------- */

static size_t put_number(unsigned char *to, size_t at, unsigned number)
{
    for (int i = 0; i < 4; i++)
        to[at + (size_t)i] = (unsigned char)(number >> (24 - 8 * i));
    return at + 4;
}

static void write_idx(const char *name, int is_packed, unsigned magic, unsigned count, unsigned side, int cut,
                      int value)
{
    unsigned char bytes[4096];
    size_t at = put_number(bytes, put_number(bytes, 0, magic), count);
    if (side)
        at = put_number(bytes, put_number(bytes, at, side), side);
    for (unsigned i = 0; i < count * (side ? side * side : 1) && at < sizeof bytes; i++)
        bytes[at++] = (unsigned char)(value >= 0 ? (unsigned)value : i % 10);
    at -= (size_t)cut;
    if (!is_packed) {
        write_file(in_scratch(name), bytes, at);
        return;
    }
    gzFile stream = gzopen(in_scratch(name), "wb");
    cr_assert_eq(gzwrite(stream, bytes, (unsigned)at), (int)at);
    gzclose(stream);
}

static void write_images(unsigned count, int cut) { write_idx("train-images-idx3-ubyte", 0, 0x803, count, 4, cut, -1); }
static void write_labels(unsigned count, int value)
{
    write_idx("train-labels-idx1-ubyte", 0, 0x801, count, 0, 0, value);
}

Test(dataset, idx_plain_and_packed)
{
    write_images(5, 0);
    write_idx("train-labels-idx1-ubyte.gz", 1, 0x801, 5, 0, 0, -1);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    cr_assert(data, "%s", atl_error());
    cr_assert_eq(atl_dataset_count(data), 5);
    cr_assert(atl_shape_equal(atl_dataset_image_shape(data), ATL_SHAPE(4, 4, 1)));
    cr_assert_eq(data->labels[4], 4);
    cr_assert_eq(data->bytes[2 * 16 + 3], 5);
    cr_assert_str_eq(atl_dataset_class_name(data, 7), "7");
    atl_dataset_free(data);
}

Test(dataset, idx_counts_that_disagree)
{
    write_images(5, 0);
    write_labels(6, -1);
    refuse("has 5 images");
    assert_told("has 6 labels");
}

Test(dataset, idx_cut_short)
{
    write_images(5, 3);
    write_labels(5, -1);
    refuse("record 4 of 5 has 13 of its 16 bytes");
}

Test(dataset, idx_of_another_kind_and_of_a_wrong_label)
{
    write_idx("train-images-idx3-ubyte", 0, 0x801, 5, 4, 0, -1);
    write_labels(5, -1);
    refuse("0x00000801");
    write_images(5, 0);
    write_labels(5, 12);
    refuse("record 0 has label 12");
}

/* Packed, and damaged from the end on: a wrong checksum, whether reading the header or the pixels meets it, and a
 * missing one. */
Test(dataset, idx_packed_with_a_wrong_or_missing_checksum)
{
    for (int side = 2; side <= 16; side += 14) {
        size_t size;
        write_labels(5, -1);
        write_idx("train-images-idx3-ubyte.gz", 1, 0x803, 5, (unsigned)side, 0, -1);
        unsigned char *bytes = read_file(in_scratch("train-images-idx3-ubyte.gz"), &size);
        bytes[size - 8] ^= 0xff;
        write_file(in_scratch("train-images-idx3-ubyte.gz"), bytes, size);
        refuse("is damaged: incorrect data check");
        bytes[size - 8] ^= 0xff;
        for (size_t cut = 1; cut <= 8; cut++) {
            write_file(in_scratch("train-images-idx3-ubyte.gz"), bytes, size - cut);
            refuse("is cut short");
        }
        free(bytes);
    }
}

/* Random pixels, which gzip stores as they are, of a size at which a read returns the last pixel together with the
 * last byte: no later read of the data would notice a missing checksum. */
Test(dataset, idx_packed_without_its_checksum_where_a_read_ends_with_the_data)
{
    enum { COUNT = 16, HEIGHT = 31, WIDTH = 33, SIZE = 16 + COUNT * HEIGHT * WIDTH };
    static unsigned char bytes[SIZE];
    size_t at = put_number(bytes, put_number(bytes, 0, 0x803), COUNT), size;
    at = put_number(bytes, put_number(bytes, at, HEIGHT), WIDTH);
    for (uint32_t number = 1; at < SIZE; at++)
        bytes[at] = (unsigned char)((number = number * 1664525 + 1013904223) >> 24);
    write_labels(COUNT, -1);
    gzFile stream = gzopen(in_scratch("train-images-idx3-ubyte.gz"), "wb");
    cr_assert_eq(gzwrite(stream, bytes, SIZE), SIZE);
    gzclose(stream);
    unsigned char *packed = read_file(in_scratch("train-images-idx3-ubyte.gz"), &size);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    cr_assert(data, "%s", atl_error());
    cr_expect_eq(memcmp(data->bytes, bytes + 16, SIZE - 16), 0);
    atl_dataset_free(data);
    for (size_t cut = 1; cut <= 8; cut++) {
        write_file(in_scratch("train-images-idx3-ubyte.gz"), packed, size - cut);
        refuse("is cut short");
    }
    packed[size - 8] ^= 0xff;
    write_file(in_scratch("train-images-idx3-ubyte.gz"), packed, size);
    refuse("is damaged: incorrect data check");
    free(packed);
}

/* A file may be packed in parts, one after the other. */
Test(dataset, idx_packed_in_two_members)
{
    const unsigned char head[16] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2};
    write_labels(2, -1);
    gzFile stream = gzopen(in_scratch("train-images-idx3-ubyte.gz"), "wb");
    cr_assert_eq(gzwrite(stream, head, sizeof head), (int)sizeof head);
    gzclose(stream);
    stream = gzopen(in_scratch("train-images-idx3-ubyte.gz"), "ab");
    cr_assert_eq(gzwrite(stream, "abcd", 4), 4);
    gzclose(stream);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    cr_assert(data, "%s", atl_error());
    cr_expect_eq(data->bytes[3], 'd');
    atl_dataset_free(data);
}

Test(dataset, idx_of_nothing)
{
    write_images(0, 0);
    write_labels(0, -1);
    refuse("the count is 0, not in 1 to 4294967295");
}

Test(dataset, idx_that_claims_more_than_it_can_hold)
{
    write_idx("train-images-idx3-ubyte", 0, 0x803, 4000000000u, 0, 0, 1);
    write_labels(5, -1);
    refuse("train-images-idx3-ubyte");
}

/* ---- folders and archives ---------------------------------------------------------------------------------------- */

static void write_picture(const char *folder, const char *name, int height, float grey)
{
    char path[ATL_PATH_SIZE];
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(height, 5, 3), grey, grey, 1);
    mkdir(in_scratch(folder), 0777);
    cr_assert(atl_write_png(atl_path_in(path, in_scratch(folder), name), pixels) == ATL_OK, "%s", atl_error());
    atl_tensor_free(pixels);
}

static void remove_picture(const char *folder, const char *name)
{
    char path[ATL_PATH_SIZE];
    remove(atl_path_in(path, in_scratch(folder), name));
}

Test(dataset, a_sub_folder_is_a_class)
{
    write_picture("dogs", "b.png", 4, 40);
    write_picture("cats", "a.png", 4, 20);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    cr_assert(data, "%s", atl_error());
    cr_assert_eq(atl_dataset_count(data), 2);
    cr_assert_str_eq(atl_dataset_class_name(data, 0), "cats");
    cr_assert_str_eq(atl_dataset_class_name(data, 1), "dogs");
    cr_assert_eq(data->bytes[0], 20);
    cr_assert_eq(data->labels[1], 1);
    atl_dataset_free(data);
    write_picture("dogs", "c.png", 6, 40);
    refuse("c.png' is 6 x 5 pixels, but the pictures before it are 4 x 5");
    remove_picture("dogs", "c.png");
    remove_picture("dogs", "b.png");
    refuse("has no pictures");
    remove_picture("cats", "a.png");
}

Test(dataset, archives)
{
    atl_tensor *images = atl_uniform_tensor(ATL_SHAPE(3, 4, 5), 0, 255, 1);
    atl_tensor *labels = atl_tensor_of_ints(ATL_SHAPE(3), (const int32_t[]){0, 2, 1});
    const atl_npz_entry whole[] = {{"images", images}, {"labels", labels}}, half[] = {{"images", images}};
    const char *path = in_scratch("train.npz");
    cr_assert(atl_write_npz(path, 2, whole) == ATL_OK);
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    cr_assert(data, "%s", atl_error());
    cr_assert_eq(atl_dataset_classes(data), 3);
    cr_assert(atl_shape_equal(atl_dataset_image_shape(data), ATL_SHAPE(4, 5, 1)));
    cr_assert_eq(data->floats[7], atl_floats(images)[7]);
    atl_dataset_free(data);
    cr_assert(atl_write_npz(path, 1, half) == ATL_OK);
    refuse("no array \"labels\"");
    atl_tensor_free(labels);
    labels = atl_tensor_of_ints(ATL_SHAPE(2), (const int32_t[]){0, 2});
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", images}, {"labels", labels}}) == ATL_OK);
    refuse("has 3 images, but 2 labels");
    atl_ints(labels)[1] = -1;
    atl_tensor *two = atl_uniform_tensor(ATL_SHAPE(2, 4, 5), 0, 255, 1);
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", two}, {"labels", labels}}) == ATL_OK);
    refuse("record 1 has label -1");
    atl_ints(labels)[1] = 1;
    atl_floats(two)[23] = (float)NAN;
    cr_assert(atl_write_npz(path, 2, (const atl_npz_entry[]){{"images", two}, {"labels", labels}}) == ATL_OK);
    refuse("record 1 has a pixel that is nan");
    atl_tensor_free(images);
    atl_tensor_free(two);
    atl_tensor_free(labels);
}

static void refuse_tensors(atl_tensor *images, atl_tensor *labels, const char *words)
{
    cr_expect_null(atl_dataset_of(images, labels));
    cr_assert_mentions(atl_error(), words);
    cr_expect_eq(atl_error_status(), ATL_INVALID);
    atl_tensor_free(images);
    atl_tensor_free(labels);
}

Test(dataset, of_tensors_that_do_not_fit)
{
    atl_shape image = ATL_SHAPE(2, 3, 3, 1), two = ATL_SHAPE(2);
    refuse_tensors(NULL, atl_tensor_new(ATL_INT32, two), "not null and [2]");
    refuse_tensors(atl_tensor_new(ATL_FLOAT32, image), NULL, "not [2, 3, 3, 1] and null");
    refuse_tensors(atl_tensor_new(ATL_INT32, image), atl_tensor_new(ATL_INT32, two), "needs float32 images");
    refuse_tensors(atl_tensor_new(ATL_FLOAT32, image), atl_tensor_new(ATL_FLOAT32, two), "int32 labels");
    refuse_tensors(atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 9)), atl_tensor_new(ATL_INT32, two), "not [2, 9] and [2]");
    refuse_tensors(atl_tensor_new(ATL_FLOAT32, image), atl_tensor_new(ATL_INT32, ATL_SHAPE(3)), "and [3]");
    static const int32_t impossible[][2] = {{0, -1}, {0, 1 << 24}};
    for (int i = 0; i < 2; i++)
        refuse_tensors(atl_tensor_new(ATL_FLOAT32, image), atl_tensor_of_ints(two, impossible[i]),
                       "record 1 has label");
}

Test(dataset, of_a_path_that_is_too_long)
{
    char path[8000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    cr_expect_null(atl_dataset_open(path, ATL_TRAINING));
    cr_assert_mentions(atl_error(), "too long: 7999 characters");
    cr_expect_null(atl_dataset_open("", ATL_TRAINING));
    cr_assert_mentions(atl_error(), "no path was given");
}
