/* Attacks whose results must survive JPEG: what the file stores is judged, and within eps. */
#include "small_network.h"

#include "atled/files.h"

enum { COUNT = 8, QUALITY = 92 };

/* What JPEG stores of random pictures, so that nothing is lost by encoding them again, or little. */
static atl_tensor *stored_pictures(void)
{
    atl_tensor *pictures = random_pictures(COUNT);
    for (int i = 0; i < COUNT; i++) {
        float *own = atl_floats(pictures) + i * ELEMENTS;
        void *bytes;
        size_t size;
        atl_tensor *one = atl_tensor_of_floats(ATL_SHAPE(SIDE, SIDE, 3), own);
        cr_assert_eq(atl_encode_jpeg(one, QUALITY, &bytes, &size), ATL_OK, "%s", atl_error());
        atl_tensor *back = atl_decode_image(bytes, size);
        memcpy(own, atl_floats(back), ELEMENTS * sizeof *own);
        atl_bytes_free(bytes);
        atl_tensor_free(back);
        atl_tensor_free(one);
    }
    return pictures;
}

typedef struct seen {
    results results;
    int files; /* results that are another file than the picture's */
} seen;

/* The pixels are those of the file. */
static int keep_checked(void *context, const atl_attack_result *r)
{
    seen *s = context;
    if (r->jpeg) {
        atl_tensor *back = atl_decode_image(r->jpeg, r->jpeg_size);
        cr_assert(back, "%s", atl_error());
        cr_assert_arr_eq(atl_floats(back), r->pixels, ELEMENTS * sizeof(float));
        atl_tensor_free(back);
        s->files++;
    } else
        cr_assert(r->size[ATL_NORM_L0] == 0 && r->jpeg_size == 0);
    return keep_result(&s->results, r);
}

static seen attack(const small_network *net, const char *method, const atl_tensor *pictures, atl_norm norm,
                   atl_fraction eps, int threads, int64_t rows)
{
    seen s = {make_results(COUNT), 0};
    atl_attacker *attacker = atl_attacker_new(net->image, net->scores, .threads = threads, .rows = rows);
    cr_assert_eq(atl_attack(attacker, method, .pictures = pictures, .norm = norm, .eps = eps, .jpeg = QUALITY,
                            .seed = 3, .steps = strcmp(method, "square") == 0 ? 100 : 0, .watch = keep_checked,
                            .context = &s),
                 ATL_OK, "%s", atl_error());
    cr_assert_eq(s.results.count, COUNT);
    atl_attacker_free(attacker);
    return s;
}

Test(stored, results_are_what_the_files_hold, .timeout = 300)
{
    static const struct {
        const char *method;
        atl_norm norm;
        atl_fraction eps;
    } tries[] = {{"pgd", ATL_NORM_LINF, {40, 255}}, {"pgd", ATL_NORM_L2, {1, 1}},
                 {"apgd-ce", ATL_NORM_L2, {1, 1}},  {"square", ATL_NORM_LINF, {60, 255}},
                 {"deepfool", ATL_NORM_L2, {0, 0}}, {"fmn", ATL_NORM_LINF, {0, 0}},
                 {"best", ATL_NORM_L2, {0, 0}},     {"ddn", ATL_NORM_L2, {0, 0}}};
    small_network net = make_network();
    atl_tensor *pictures = stored_pictures();
    for (size_t k = 0; k < sizeof tries / sizeof *tries; k++) {
        const atl_fraction eps = tries[k].eps;
        seen s = attack(&net, tries[k].method, pictures, tries[k].norm, eps, 2, 4);
        int met = 0;
        for (int i = 0; i < COUNT; i++) {
            const atl_attack_result *r = &s.results.result[i];
            cr_assert_eq(r->label, class_of_picture(&net, atl_floats(pictures) + i * ELEMENTS));
            cr_assert_eq(r->top, class_of_picture(&net, r->pixels));
            cr_assert(!r->met || r->top != r->label);
            cr_assert(!r->met || !eps.under || r->size[tries[k].norm] <= (double)eps.over / (double)eps.under + 1e-12,
                      "%s: %g", tries[k].method, r->size[tries[k].norm]);
            met += r->met;
        }
        cr_assert(met <= s.files && met >= (eps.under ? COUNT / 2 : COUNT), "%s, %s: %d of %d", tries[k].method,
                  atl_norm_name(tries[k].norm), met, COUNT);
        free_results(&s.results);
    }
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(stored, neither_batches_nor_threads_change_them, .timeout = 300)
{
    small_network net = make_network();
    atl_tensor *pictures = stored_pictures();
    static const char *const methods[] = {"pgd", "deepfool"};
    for (int m = 0; m < 2; m++) {
        seen one = attack(&net, methods[m], pictures, ATL_NORM_L2, (atl_fraction){1, 2}, 1, 1),
             two = attack(&net, methods[m], pictures, ATL_NORM_L2, (atl_fraction){1, 2}, 2, 8);
        cr_assert_arr_eq(one.results.pixels, two.results.pixels, COUNT * ELEMENTS * sizeof(float), "%s", methods[m]);
        free_results(&one.results);
        free_results(&two.results);
    }
    atl_tensor_free(pictures);
    free_network(&net);
}

Test(stored, eps_of_zero_has_no_other_file)
{
    small_network net = make_network();
    atl_tensor *pictures = stored_pictures();
    seen s = attack(&net, "pgd", pictures, ATL_NORM_LINF, (atl_fraction){0, 255}, 1, 8);
    cr_assert_eq(s.files, 0);
    free_results(&s.results);
    atl_tensor_free(pictures);
    free_network(&net);
}

static void project(void *context, const float *original, float *pixels, int64_t count)
{
    (void)context, (void)original, (void)pixels, (void)count;
}

Test(stored, mistakes_are_named)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(2);
    atl_attacker *attacker = atl_attacker_new(net.image, net.scores, .threads = 1);
    results r = make_results(2);
#define EXPECT(text, ...)                                                                                              \
    cr_assert_eq(atl_attack(attacker, .pictures = pictures, .eps = {1, 255}, .watch = keep_result, .context = &r,      \
                            __VA_ARGS__),                                                                              \
                 ATL_INVALID);                                                                                         \
    cr_assert(strstr(atl_error(), text), "%s", atl_error())
    EXPECT(".jpeg is 101", .jpeg = 101);
    EXPECT(".jpeg is -1", .jpeg = -1);
    EXPECT(".unrounded", .jpeg = 90, .unrounded = 1);
    EXPECT(".project", .jpeg = 90, .project = project);
    EXPECT("all pictures share", .jpeg = 90, .method = "universal");
    cr_assert_eq(r.count, 0);
    atl_attacker_free(attacker);
    atl_node *flat = atl_input(net.graph, "flat", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 12));
    atl_attacker *other = atl_attacker_new(flat, atl_dense_layer(flat, "other", 3), .threads = 1);
    atl_tensor *rows = random_tensor(ATL_SHAPE(2, 12), 0, 255);
    cr_assert_eq(atl_attack(other, .pictures = rows, .eps = {1, 255}, .watch = keep_result, .context = &r, .jpeg = 90),
                 ATL_INVALID);
    cr_assert(strstr(atl_error(), "[n, h, w, 1 or 3]"), "%s", atl_error());
    atl_attacker_free(other);
    atl_tensor_free(rows);
    free_results(&r);
    atl_tensor_free(pictures);
    free_network(&net);
}
