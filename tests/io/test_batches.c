#include "atled/data.h"
#include <unistd.h>

#include "support.h"

/* Image i is 4 x 6 x 1 and holds 100 i + 6 row + column; its label is i. */
static atl_dataset *numbered(int count)
{
    atl_tensor *images = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(count, 4, 6, 1));
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(count));
    for (int i = 0; i < count; i++) {
        atl_ints(labels)[i] = i;
        for (int k = 0; k < 24; k++)
            atl_floats(images)[i * 24 + k] = (float)(100 * i + k);
    }
    atl_dataset *data = atl_dataset_of(images, labels);
    cr_assert(data, "%s", atl_error());
    atl_tensor_free(images);
    atl_tensor_free(labels);
    return data;
}

Test(batches, every_example_once_in_an_epoch_and_a_short_last_batch)
{
    atl_dataset *data = numbered(10);
    atl_batches *batches = atl_batches_new(data, .size = 4, .shuffle = 1, .seed = 3);
    int order[3][10];
    cr_assert_eq(atl_batches_per_epoch(batches), 3);
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[10] = {0}, at = 0;
        for (int index = 0; index < 3; index++) {
            const atl_batch *b = atl_batches_next(batches);
            cr_assert_eq(b->count, index < 2 ? 4 : 2);
            cr_assert_eq(atl_tensor_shape(b->images).size[0], b->count);
            cr_assert_eq(b->epoch, epoch);
            cr_assert_eq(b->index, index);
            cr_assert_eq(b->last, index == 2);
            for (int i = 0; i < b->count; i++) {
                int label = atl_ints(b->labels)[i];
                cr_assert_eq(atl_floats(b->images)[i * 24 + 5], (float)(100 * label + 5));
                seen[label]++;
                order[epoch][at++] = label;
            }
        }
        for (int i = 0; i < 10; i++)
            cr_assert_eq(seen[i], 1);
    }
    cr_assert_arr_neq(order[0], order[1], sizeof order[0]);
    cr_assert_arr_neq(order[1], order[2], sizeof order[0]);
    atl_batches_free(batches);
    atl_dataset_free(data);
}

Test(batches, cut_from_the_middle_or_padded)
{
    atl_dataset *data = numbered(2);
    atl_batches *batches = atl_batches_new(data, .size = 2, .height = 2, .width = 3);
    const atl_batch *b = atl_batches_next(batches);
    cr_assert_eq(atl_floats(b->images)[0], 7); /* row 1, column 1 */
    cr_assert_eq(atl_floats(b->images)[5], 15);
    atl_batches_free(batches);
    batches = atl_batches_new(data, .size = 2, .pad = 1);
    b = atl_batches_next(batches);
    cr_assert(atl_shape_equal(atl_tensor_shape(b->images), ATL_SHAPE(2, 6, 8, 1)));
    cr_assert_eq(atl_floats(b->images)[0], 0);
    cr_assert_eq(atl_floats(b->images)[9 + 5], 5);
    atl_batches_free(batches);
    atl_dataset_free(data);
}

/* Every crop lies within the image, flipped or not, and all of them occur. */
Test(batches, random_cuts_and_flips)
{
    atl_dataset *data = numbered(1);
    atl_batches *batches = atl_batches_new(data, .height = 2, .width = 3, .random_crop = 1, .flip = 1, .seed = 5);
    int seen[2][3][4] = {0}, different = 0;
    for (int i = 0; i < 500; i++) {
        const float *x = atl_floats(atl_batches_next(batches)->images);
        int is_flipped = x[1] < x[0], corner = (int)(is_flipped ? x[2] : x[0]);
        cr_assert_eq(is_flipped ? x[3] : x[5], (float)(corner + 8));
        different += seen[is_flipped][corner / 6][corner % 6]++ == 0;
    }
    cr_assert_eq(different, 24);
    atl_batches_free(batches);
    atl_dataset_free(data);
}

Test(batches, brightness_and_contrast_stay_within_their_bounds)
{
    atl_dataset *data = numbered(1);
    atl_batches *batches = atl_batches_new(data, .brightness = 10, .contrast = 0.5f, .seed = 5);
    float least = 100, most = 0;
    for (int i = 0; i < 200; i++) {
        const float *x = atl_floats(atl_batches_next(batches)->images);
        float gain = x[1] - x[0], middle = (x[0] + x[23]) / 2;
        cr_assert(gain > 0.499f && gain < 1.501f, "%g", gain);
        cr_assert(middle > 1.49f && middle < 21.51f, "%g", middle);
        least = middle < least ? middle : least;
        most = middle > most ? middle : most;
    }
    cr_assert(least < 3 && most > 20);
    atl_batches_free(batches);
    atl_dataset_free(data);
}

Test(batches, taken_up_in_the_middle_they_are_the_same_bits)
{
    atl_dataset *data = numbered(10);
    atl_batches_args args = {
        data,      .size = 3,       .height = 3,      .width = 3,         .shuffle = 1, .random_crop = 1,
        .flip = 1, .brightness = 3, .contrast = 0.2f, .seed = test_seed()};
    atl_batches *whole = atl_batches_new_with(&args);
    for (int i = 0; i < 6; i++)
        atl_batches_next(whole);
    args.first = 6;
    atl_batches *rest = atl_batches_new_with(&args);
    for (int i = 0; i < 6; i++) {
        const atl_batch *a = atl_batches_next(whole), *b = atl_batches_next(rest);
        cr_assert_eq(a->count, b->count);
        cr_assert_arr_eq(atl_floats(a->images), atl_floats(b->images), (size_t)(a->count * 9) * sizeof(float));
        cr_assert_arr_eq(atl_ints(a->labels), atl_ints(b->labels), (size_t)a->count * sizeof(int32_t));
    }
    atl_batches_free(whole);
    atl_batches_free(rest);
    atl_dataset_free(data);
}

/* The thread prepares them if there are two processors; if the callers' threads do nothing in between, they soon
 * prepare them together, unless there are more than three. */
Test(batches, whoever_makes_them_they_are_the_same_bits)
{
    enum { COUNT = 300, SIZE = 256, SIDE = 16, CUT = 14 };
    uint64_t seed = test_seed();
    atl_tensor *images = atl_uniform_tensor(ATL_SHAPE(COUNT, SIDE, SIDE, 1), 0, 255, seed);
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(COUNT));
    for (int i = 0; i < COUNT; i++)
        atl_ints(labels)[i] = i;
    atl_dataset *data = atl_dataset_of(images, labels);
    atl_batches_args args = {data,      .size = SIZE,    .height = CUT,    .width = CUT, .shuffle = 1, .random_crop = 1,
                             .flip = 1, .brightness = 3, .contrast = 0.2f, .seed = seed, .threads = 1};
    atl_batches *alone = atl_batches_new_with(&args);
    args.threads = 3;
    atl_batches *together = atl_batches_new_with(&args);
    for (int i = 0; i < 40; i++) {
        const atl_batch *a = atl_batches_next(alone), *b = atl_batches_next(together);
        cr_assert_eq(a->count, i % 2 ? COUNT - SIZE : SIZE);
        cr_assert_eq(b->index, i % 2);
        cr_assert_arr_eq(atl_floats(a->images), atl_floats(b->images), (size_t)(a->count * CUT * CUT) * sizeof(float));
        cr_assert_arr_eq(atl_ints(a->labels), atl_ints(b->labels), (size_t)a->count * sizeof(int32_t));
    }
    atl_batches_free(alone);
    atl_batches_free(together);
    atl_dataset_free(data);
    atl_tensor_free(images);
    atl_tensor_free(labels);
}

/* True if the next batch is in the same memory as the last one: it is if the caller's threads prepare it between two
 * steps. */
static int next_has_same_place(atl_batches *batches)
{
    const float *last = atl_floats(atl_batches_next(batches)->images);
    return atl_floats(atl_batches_next(batches)->images) == last;
}

Test(batches, the_thread_stands_aside_only_where_it_is_in_the_way)
{
    enum { COUNT = 64 };
    atl_dataset *data = numbered(10);
    atl_batches *hasty = atl_batches_new(data, .size = 2, .threads = 1024);
    while (!next_has_same_place(hasty)) /* a caller that does nothing in between; the test has a timeout */
        ;
    for (int i = 0; i < COUNT; i++)
        cr_assert(next_has_same_place(hasty));
    atl_batches *patient = atl_batches_new(data, .size = 2, .threads = 1024);
    for (int i = 0; i < COUNT / 2; i++) {
        cr_assert(!next_has_same_place(patient));
        usleep(20000); /* of which the thread may take 1/40; 4 ms were not enough under a sanitizer on a busy machine */
    }
    atl_batches_free(hasty);
    atl_batches_free(patient);
    atl_dataset_free(data);
}

Test(batches, what_cannot_be_is_refused_in_words)
{
    atl_dataset *data = numbered(2);
    cr_assert_null(atl_batches_new(data, .height = 5));
    cr_assert_mentions(atl_error(), "5 x 6 pixels cannot be cut out of images of 4 x 6");
    cr_assert_null(atl_batches_new(NULL));
    cr_assert_null(atl_batches_new(data, .size = -1));
    atl_batches_free(NULL);
    atl_batches *idle = atl_batches_new(data);
    atl_batches_free(idle); /* never asked for anything */
    atl_dataset_free(data);
}
