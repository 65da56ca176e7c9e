/* Adversarial pictures: a picture that a network gets right, changed so little that nobody sees it, until the network
 * gets it wrong.
 *
 *     atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 32, 32, 3));
 *     atl_node *scores = atl_resnet20(image);
 *     atl_load_npz(g, "resnet20.npz");
 *     atl_attacker *attacker = atl_attacker_new(image, scores);
 *     atl_attack(attacker, .method = "pgd", .pictures = pictures, .labels = labels,
 *                .norm = ATL_NORM_LINF, .eps = {8, 255}, .watch = print_result);
 *
 * Pixels have 256 levels between the lowest and the highest value.  A result lies on these levels unless .unrounded is
 * set, and it is judged there: what is reported holds for the picture that an 8-bit file stores.  Sizes of changes are
 * fractions of the range from the lowest to the highest pixel, as in the literature: 8/255 is 8 levels.
 *
 * Each picture has random numbers of its own, from the seed and its index, and the program always runs with the same
 * number of rows and one thread.  So the result for a picture depends neither on the other pictures nor on the number
 * of threads.  Only "universal" and "patch" look for one change for all pictures of a call.
 *
 * Sources: Goodfellow et al. 2014 (FGSM); Kurakin et al. 2016 (BIM); Madry et al. 2017 (PGD); Dong et al. 2017
 * (MI-FGSM); see docs/attacking.md for the other methods. */
#ifndef ATLED_ADVERSARIAL_H
#define ATLED_ADVERSARIAL_H

#include "program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a network to attack ----------------------------------------------------------------------------------------- */

/* A network with the gradient of its scores, compiled once for all methods. */
typedef struct atl_attacker atl_attacker;

typedef struct atl_attacker_args {
    atl_node *image;  /* float32 input [n, ...]; n is ATL_ANY, or the number of rows of each run */
    atl_node *scores; /* float32 [n, classes], two classes or more, computed from it: logits, not probabilities */
    /* Your own loss, float32 [n], larger where the attack does better; null: losses of the scores.  The methods that
     * follow a gradient of a loss follow this one; whether the goal is met still depends on the scores. */
    atl_node *loss;
    atl_node *loss_class;     /* int32 input [n] that the loss reads: the class to leave or to reach; may be null */
    float lowest, highest;    /* of a pixel; both 0: 0 and 255 */
    int threads;              /* how many runs at once, 1 to 1024; 0: OpenMP's number */
    int64_t rows;             /* pictures in a run, if the image's n is ATL_ANY; 0: 8 */
    atl_compile_args compile; /* .timing and so on; .graph, .outputs and .threads are ignored */
    int end_;
} atl_attacker_args;
/* Null on failure: see atl_error().  Weights may be loaded before or after.  The nodes of the losses are added to the
 * graph, which must outlive the attacker. */
ATL_API atl_attacker *atl_attacker_new_with(const atl_attacker_args *args);
#define atl_attacker_new(...) atl_attacker_new_with(ATL_OPTIONS_(atl_attacker_args, __VA_ARGS__))
ATL_API void atl_attacker_free(atl_attacker *attacker); /* before the graph; null is allowed */
ATL_API int atl_attacker_classes(const atl_attacker *attacker);
/* The scores of `count` pictures, each of the shape of the image without its first dimension: [count, classes].
 * Returns ATL_INVALID if pictures is no float32 tensor [count, ...] of that shape, or scores_out is null. */
ATL_API atl_status atl_attacker_scores(atl_attacker *attacker, const atl_tensor *pictures, float *scores_out);

/* ---- attacks ----------------------------------------------------------------------------------------------------- */

/* The size of a change d of a picture. */
typedef enum atl_norm {
    ATL_NORM_LINF = 0, /* largest |d| of an element */
    ATL_NORM_L2,       /* root of the sum of d^2 */
    ATL_NORM_L1,       /* sum of |d| */
    ATL_NORM_L0        /* number of elements that differ; not a fraction of the range */
} atl_norm;
ATL_API const char *atl_norm_name(atl_norm norm); /* "linf", "l2", "l1", "l0"; "" for an invalid value */

/* The goal. */
typedef enum atl_attack_goal {
    ATL_GOAL_LEAVE = 0,    /* any class but the label */
    ATL_GOAL_CLASS,        /* the class in .targets */
    ATL_GOAL_RANDOM,       /* a class drawn at random, by the picture's seed; not the label */
    ATL_GOAL_LEAST_LIKELY, /* the class with the lowest score for the unchanged picture */
} atl_attack_goal;

/* Exact, so that "within eps" has one meaning: over / under of the range of a pixel.  {8, 255}: 8 levels. */
typedef struct atl_fraction {
    int64_t over, under;
} atl_fraction;

typedef struct atl_attack_result {
    int64_t position;                   /* in .pictures */
    int64_t picture;                    /* its index */
    int label, target;                  /* the class to leave; the class to reach, -1: any other */
    int clean_top;                      /* the class of the unchanged picture */
    int top;                            /* the class of the result */
    bool clean_met;                     /* the unchanged picture met the goal: it was not attacked */
    bool met;                           /* the result meets the goal, and its size is within eps if there is one */
    const float *pixels;                /* the result, or the best attempt; valid during the call */
    double margin_before, margin_after; /* by how much the goal is met, in units of the scores; negative: not met */
    double size[4];                     /* of the change, by atl_norm */
    int64_t forwards, gradients;        /* runs of the network for this picture, without and with a gradient */
    int64_t zero_gradients;             /* how many of them were zero in all elements */
    double seconds;                     /* from its start to its end; other pictures ran meanwhile */
    const char *remark;                 /* a warning, for example that gradients vanish; "" if there is none */
    /* The probability of the class to leave or to reach, at every `course_every`-th gradient of the attack (without
     * gradients: at every request for scores), and last for the result. */
    const float *course;
    int course_count;
    int64_t course_every;
    const void *jpeg; /* with .jpeg: the file whose pixels these are; null: the unchanged picture */
    size_t jpeg_size;
} atl_attack_result;
/* Called for each picture when it is done, in the order in which they end, by one thread at a time.  Return non-zero to
 * stop: pictures that are not done are dropped. */
typedef int atl_attack_watch(void *context, const atl_attack_result *result);
/* Polled before each run of the network, by any thread; non-zero stops. */
typedef int atl_attack_poll(void *context);
/* Your own constraint: changes the pixels (`count`, of one picture) to the nearest allowed ones.  Called by
 * several threads at once. */
typedef void atl_attack_project(void *context, const float *original, float *pixels, int64_t count);

typedef struct atl_attack_method atl_attack_method;

typedef struct atl_attack_args {
    atl_attacker *attacker;
    const char *method;                  /* see atl_attack_methods; null: "pgd" */
    const atl_attack_method *own_method; /* in place of .method */
    const atl_tensor *pictures;          /* float32 [n, ...] */
    const int32_t *labels;               /* n classes; null: what the network says of the unchanged pictures */
    const int32_t *targets;              /* n classes, of ATL_GOAL_CLASS */
    atl_attack_goal goal;
    atl_norm norm;
    atl_fraction eps;       /* the largest size; under 0: none is given, which only minimal methods allow */
    const int64_t *indices; /* n numbers, on which the random numbers of the pictures depend; null: 0 to n - 1 */
    uint64_t seed;
    int steps, restarts; /* 0: the method's own */
    double step_size;    /* a fraction of the range; 0: the method's own, which follows eps */
    double confidence;   /* the margin that the result must have, in units of the scores; 0: above rounding errors */
    int64_t at_once;     /* pictures that are attacked at the same time; 0: twice what the threads can run */
    bool unrounded;      /* results are float numbers, not levels */
    bool attack_wrong;   /* also attacks pictures whose unchanged form meets the goal */
    /* 1 to 100: results are what a JPEG file of that quality stores, and judged and measured so: each picture that a
     * method asks about is encoded and decoded first, and gradients pass through as if it were not (straight through).
     * For pictures [n, h, w, 1 or 3].  Changes are measured from .pictures: give what such a file stores of them, or
     * its losses count as changes.  0: no JPEG. */
    int jpeg;
    atl_attack_project *project; /* may be null; results are then not rounded further than it leaves them */
    void *project_context;
    atl_attack_watch *watch; /* required */
    atl_attack_poll *poll;   /* may be null */
    void *context;           /* of watch and poll */
    int end_;
} atl_attack_args;
/* ATL_STOPPED if a callback has stopped it; ATL_NOT_FINITE if a score of an unchanged picture is NaN or infinite;
 * ATL_INVALID for options that do not fit each other: the message says which. */
ATL_API atl_status atl_attack_with(const atl_attack_args *args);
#define atl_attack(...) atl_attack_with(ATL_OPTIONS_(atl_attack_args, __VA_ARGS__))

/* ---- a method of your own --------------------------------------------------------------------------------------- */

/* One picture under attack.  A method is a function that attacks one picture from start to end as if it were alone;
 * the library runs many of them at once and gathers what they ask of the network.
 * Pixels are counted in levels here, 0 to 255, whatever the network takes. */
typedef struct atl_attempt atl_attempt;

struct atl_attack_method {
    const char *name;
    const char *about;   /* one line */
    unsigned norms;      /* bit 1 << norm for each norm that it has */
    bool is_minimal;     /* looks for the smallest change; needs no eps */
    bool is_black_box;   /* uses no gradient */
    int steps, restarts; /* by default */
    atl_status (*run)(atl_attempt *attempt);
    bool is_shared; /* of the library only: one change for all pictures of the call, on which results depend then */
};
/* All methods of the library, in the order of the documentation; null if index is out of range. */
ATL_API int atl_attack_method_count(void);
ATL_API const atl_attack_method *atl_attack_method_at(int index);
ATL_API const atl_attack_method *atl_attack_method_find(const char *name); /* null if there is none */

/* What the attempt was asked for; all 0 for null. */
typedef struct atl_attempt_task {
    int64_t count;         /* elements of the picture */
    int64_t height;        /* of a picture [h, w, c]; else 0 */
    int64_t channels;      /* of such a picture; else 1 */
    const float *original; /* in levels */
    int classes;
    int label, target; /* target -1: any class but the label */
    atl_norm norm;
    double eps; /* in levels; INFINITY if none was given.  L0: elements */
    int steps, restarts;
    double step_size; /* in levels; 0: not given */
    bool is_rounded;  /* results must be whole levels */
} atl_attempt_task;
ATL_API atl_attempt_task atl_attempt_task_of(const atl_attempt *attempt);

/* Losses: larger where the attack does better, with a target or without.  y: label, t: target, z: scores. */
typedef enum atl_attack_loss {
    ATL_ATTACK_CROSS_ENTROPY = 0, /* -log softmax(z)[y]; log softmax(z)[t] */
    ATL_ATTACK_MARGIN,            /* largest other - z[y]; z[t] - largest other */
    ATL_ATTACK_DLR,               /* margin / (largest - third); (z[t] - z[y]) / (largest - mean of third and fourth) */
    ATL_ATTACK_WEIGHTED,          /* the sum of weights[i] * z[i] */
    ATL_ATTACK_OWN                /* the attacker's .loss */
} atl_attack_loss;
/* The loss to follow: the one that was asked for, or the attacker's own if it has one. */
ATL_API atl_attack_loss atl_attempt_loss(const atl_attempt *attempt, atl_attack_loss loss);

/* Runs the network for `count` pictures at once, [count, elements] -> [count, classes]. */
ATL_API atl_status atl_attempt_scores(atl_attempt *attempt, int64_t count, const float *pixels, float *scores_out);
/* Runs the network and the gradient of a loss for one picture.  weights: for ATL_ATTACK_WEIGHTED, one
 * per class; for ATL_ATTACK_DLR they may replace the numerator by the sum of weights[i] * z[i], else null;
 * scores_out and loss_out may be null. */
ATL_API atl_status atl_attempt_gradient(atl_attempt *attempt, const float *pixels, atl_attack_loss loss,
                                        const float *weights, float *gradient_out, float *scores_out, double *loss_out);
/* The margin by which scores meet the goal: positive if they do. */
ATL_API double atl_attempt_margin(const atl_attempt *attempt, const float *scores);
/* True if that margin exceeds rounding errors, or the confidence that was asked for. */
ATL_API bool atl_attempt_is_met(const atl_attempt *attempt, const float *scores);
/* Moves pixels to the nearest ones within eps and the range, and then through your own constraint. */
ATL_API void atl_attempt_project(atl_attempt *attempt, float *pixels);
/* Offers a picture as a result: it is rounded to levels within eps, classified, and kept if it meets the goal with the
 * smallest change so far; without one that meets the goal, the one with the largest margin is kept. */
ATL_API atl_status atl_attempt_offer(atl_attempt *attempt, const float *pixels);
/* True if the goal is met, which ends an attack with an eps, or if the attack was stopped. */
ATL_API bool atl_attempt_is_done(const atl_attempt *attempt);
/* The best picture so far, in levels, and its size in the attempt's norm, in levels; null and infinity before the goal
 * is met. */
ATL_API const float *atl_attempt_best(const atl_attempt *attempt, double *size_out);
/* Ends a minimal attack: rounds the picture in several ways, keeps what survives, and drops changes that are not
 * needed. */
ATL_API atl_status atl_attempt_polish(atl_attempt *attempt, const float *pixels);
/* Room for `count` pictures that is freed with the attempt, zeroed; null without memory. */
ATL_API float *atl_attempt_room(atl_attempt *attempt, int64_t count);
/* Random numbers of this picture: uniform in [0, 1), and normal with deviation 1. */
ATL_API double atl_attempt_uniform(atl_attempt *attempt);
ATL_API double atl_attempt_normal(atl_attempt *attempt);

#ifdef __cplusplus
}
#endif
#endif
