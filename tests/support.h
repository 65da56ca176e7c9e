/* What the tests share: seeded random tensors, comparison, data files, messages. */
#ifndef ATLED_TESTS_SUPPORT_H
#define ATLED_TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atled/atled.h"

/* A sanitizer has to see each path once, with whatever numbers, and takes ten times as long.  So a build with
 * sanitizers repeats less: FEWER(12, 2) is 12, and 2 in such a build.  It never leaves out an op or a path, and every
 * test program prints that it does so (docs/testing.md). */
#if defined(ATLED_SANITIZED) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#define FEWER(plain, sanitized) (SANITIZED ? (sanitized) : (plain))
/* For a test of numbers alone: another one runs the same code, which the reason names. */
#define skip_if_sanitized(why)                                                                                         \
    do {                                                                                                               \
        if (SANITIZED)                                                                                                 \
            cr_skip_test("under sanitizers: %s", (why));                                                               \
    } while (0)

/* $ATLED_SEED, or 1. Every test program prints it when it starts. */
uint64_t test_seed(void);
/* The next random numbers are those of a test that has just begun; those after `count` calls of random_below. */
void restart_random(void);
void skip_random(uint64_t count);

/* Uniform in [low, high).  The k-th call in a test draws the same numbers for the same seed. */
atl_tensor *random_tensor(atl_shape shape, float low, float high);
atl_tensor *random_ints(atl_shape shape, int low, int high); /* int32 */
uint64_t random_below(uint64_t limit);                       /* from the same stream; limit > 0 */
/* In [-1, 1], and MARGIN NaNs beyond them, which must not be used; to be freed. */
enum { MARGIN = 64 };
float *random_floats(int64_t count);

/* Element i of a tensor of any type. */
double element_of(const atl_tensor *tensor, int64_t i);

/* |value - expected| / |expected| over all elements (2-norms; if |expected| is 0, over 1).  Infinite if a shape
 * differs, either is null, or value has a NaN where expected has none. */
double relative_l2(const atl_tensor *value, const atl_tensor *expected);
/* max |value - expected|, infinite as above. */
double largest_difference(const atl_tensor *value, const atl_tensor *expected);

#define cr_assert_close(value, expected, bound)                                                                        \
    do {                                                                                                               \
        double distance_ = relative_l2((value), (expected));                                                           \
        cr_assert(distance_ <= (bound), "%s is %.3g from %s (relative L2; bound %.3g, seed %llu)", #value, distance_,  \
                  #expected, (double)(bound), (unsigned long long)test_seed());                                        \
    } while (0)

/* Runs the program and asserts that its values are within this relative L2 distance of the double references. */
void assert_like_references(atl_program *program, atl_nodes wanted, const atl_feed *feeds, double bound);

/* True for a step that copies an output which is an input or a variable: it computes nothing. */
int copies_a_source(const atl_step_info *info);

/* The number of steps in every run of this op whose implementation's name contains this text; null: any except
 * copies_a_source. */
int64_t steps_by(const atl_program *program, const char *op, const char *implementation);

/* There must be a message that contains the text. */
#define cr_assert_mentions(message, text)                                                                              \
    do {                                                                                                               \
        const char *message_ = (message), *text_ = (text);                                                             \
        cr_assert(message_ &&strstr(message_, text_), "the message \"%s\" does not mention \"%s\"",                    \
                  message_ ? message_ : "(none)", text_);                                                              \
    } while (0)

/* The path of a file of the shared data: $ATLED_DATA, or ../shared/data beside the source.  If it is missing, the
 * test is skipped with the reason.  The text lives until the test ends. */
const char *data_file(const char *name);
/* The same for a file of this project. */
const char *source_file(const char *name);
/* A path for a file to be written: in a folder of the test, inside the build directory. */
const char *scratch_file(const char *name);

/* All of a file, with a 0 at its end.  The text lives until the test ends. */
char *whole_file(const char *path);

/* An array of an .npz archive, for the caller to free. */
atl_tensor *npz_array(const char *path, const char *name);

void expect_shape(const atl_node *y, atl_shape shape);

/* The shape of an input of a sample. */
atl_shape shape_of_input(const atl_sample *sample, int input);

#endif
