/* What the tests share. */
#include "support.h"

#include <criterion/hooks.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/random.h"
#include "roots.h"

static uint64_t drawn; /* numbers drawn so far, in this test's process */

uint64_t test_seed(void)
{
    const char *given = getenv("ATLED_SEED");
    return given ? strtoull(given, NULL, 0) : 1;
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    fprintf(stderr, "seed %llu%s\n", (unsigned long long)test_seed(),
            SANITIZED ? "; sanitized: fewer repetitions than in the plain build" : "");
}

void restart_random(void) { drawn = 0; }

void skip_random(uint64_t count) { drawn += count; }

uint64_t random_below(uint64_t limit) { return atl_random_bits(test_seed(), drawn++) % limit; }

atl_tensor *random_tensor(atl_shape shape, float low, float high)
{
    return atl_uniform_tensor(shape, low, high, atl_random_bits(test_seed(), drawn++));
}

atl_tensor *random_ints(atl_shape shape, int low, int high)
{
    atl_tensor *tensor = atl_tensor_new(ATL_INT32, shape);
    for (int64_t i = 0; i < atl_tensor_count(tensor); i++)
        atl_ints(tensor)[i] = low + (int)random_below((uint64_t)(high - low));
    return tensor;
}

float *random_floats(int64_t count)
{
    float *x = malloc((size_t)(count + MARGIN) * sizeof *x);
    cr_assert(x);
    for (int64_t i = 0; i < count + MARGIN; i++)
        x[i] = i < count ? (float)random_below(2001) / 1000 - 1 : NAN;
    return x;
}

double element_of(const atl_tensor *tensor, int64_t i)
{
    switch (atl_tensor_dtype(tensor)) {
    case ATL_FLOAT32:
        return atl_floats(tensor)[i];
    case ATL_INT32:
        return atl_ints(tensor)[i];
    default:
        return atl_doubles(tensor)[i];
    }
}

static int comparable(const atl_tensor *a, const atl_tensor *b)
{
    return a && b && atl_shape_equal(atl_tensor_shape(a), atl_tensor_shape(b));
}

/* Equal infinities do not differ, nor do two NaNs. */
static double difference_at(const atl_tensor *value, const atl_tensor *expected, int64_t i)
{
    double a = element_of(value, i), b = element_of(expected, i);
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    return isnan(a - b) ? INFINITY : fabs(a - b);
}

double relative_l2(const atl_tensor *value, const atl_tensor *expected)
{
    double difference = 0, norm = 0;
    if (!comparable(value, expected))
        return INFINITY;
    for (int64_t i = 0; i < atl_tensor_count(expected); i++) {
        double d = difference_at(value, expected, i), e = element_of(expected, i);
        difference += d * d;
        norm += isfinite(e) ? e * e : 0;
    }
    return sqrt(difference) / (norm > 0 ? sqrt(norm) : 1);
}

double largest_difference(const atl_tensor *value, const atl_tensor *expected)
{
    double largest = 0;
    if (!comparable(value, expected))
        return INFINITY;
    for (int64_t i = 0; i < atl_tensor_count(expected); i++)
        largest = fmax(largest, difference_at(value, expected, i));
    return largest;
}

/* "folder/name" that lives until the test's process ends: in a list, so that it is no leak. */
void assert_like_references(atl_program *program, atl_nodes wanted, const atl_feed *feeds, double bound)
{
    cr_assert(program, "%s", atl_error());
    cr_assert_eq(atl_run(program, feeds), ATL_OK, "%s", atl_error());
    atl_reference *oracle = atl_reference_run(wanted, feeds);
    cr_assert(oracle, "%s", atl_error());
    for (int64_t i = 0; i < wanted.count; i++) {
        double off = relative_l2(atl_value(program, wanted.node[i]), atl_reference_value(oracle, wanted.node[i]));
        cr_assert_leq(off, bound, "%s is %.3g from its reference (relative L2; bound %.3g, seed %llu)",
                      atl_name_of(wanted.node[i]), off, bound, (unsigned long long)test_seed());
    }
    atl_reference_free(oracle);
}

int copies_a_source(const atl_step_info *info)
{
    return !strcmp(info->implementation, "copy") && (!strcmp(info->op, "input") || !strcmp(info->op, "variable"));
}

int64_t steps_by(const atl_program *program, const char *op, const char *implementation)
{
    int64_t count = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        count += !info.prepack && (op || implementation || !copies_a_source(&info)) && (!op || !strcmp(info.op, op)) &&
                 (!implementation || strstr(info.implementation, implementation));
    }
    return count;
}

static char *joined_path(const char *folder, const char *name)
{
    static struct kept_path {
        struct kept_path *earlier;
        char text[];
    } * paths;
    size_t size = strlen(folder) + strlen(name) + 2;
    struct kept_path *path = malloc(sizeof *path + size);
    cr_assert(path, "out of memory");
    path->earlier = paths;
    paths = path;
    snprintf(path->text, size, "%s/%s", folder, name);
    return path->text;
}

const char *source_file(const char *name) { return joined_path(ATLED_SOURCE_ROOT, name); }

const char *data_file(const char *name)
{
    const char *folder = getenv("ATLED_DATA");
    char *path = joined_path(folder ? folder : ATLED_SOURCE_ROOT "/../shared/data", name);
    if (access(path, R_OK))
        cr_skip_test("%s is missing: put the shared data there, or set ATLED_DATA", path);
    return path;
}

const char *scratch_file(const char *name)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/scratch", ATLED_BUILD_ROOT);
    mkdir(folder, 0777);
    snprintf(folder, sizeof folder, "%s/scratch/%ld", ATLED_BUILD_ROOT, (long)getpid());
    mkdir(folder, 0777);
    return joined_path(folder, name);
}

char *whole_file(const char *path)
{
    enum { MOST_TEXTS = 4096 };
    static char *volatile kept[MOST_TEXTS]; /* where the leak checker finds them */
    static int count;
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc((size_t)size + 1, 1);
    cr_assert(text && fread(text, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    cr_assert(count < MOST_TEXTS && !kept[count]);
    return kept[count++] = text;
}

atl_tensor *npz_array(const char *path, const char *name)
{
    atl_npz *npz = atl_npz_open(path);
    cr_assert(npz, "%s", atl_error());
    atl_tensor *array = atl_npz_read(npz, name);
    cr_assert(array, "%s", atl_error());
    atl_npz_close(npz);
    return array;
}

void expect_shape(const atl_node *y, atl_shape shape)
{
    char text[2][160];
    cr_assert(y, "%s", atl_error());
    cr_expect(atl_shape_equal(atl_shape_of(y), shape), "the shape of '%s' is %s, not %s", atl_name_of(y),
              atl_shape_text(atl_shape_of(y), text[0], sizeof text[0]), atl_shape_text(shape, text[1], sizeof text[1]));
}

atl_shape shape_of_input(const atl_sample *sample, int input)
{
    int64_t size[ATL_MAX_RANK];
    for (int d = 0; d < sample->input[input].rank; d++)
        size[d] = sample->input[input].size[d];
    return atl_shape_from(sample->input[input].rank, size);
}
