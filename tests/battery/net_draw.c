/* Recipes drawn at random, and made smaller. */
#include "net.h"

#include "graph/random.h"

/* Multiplications of the forward part for one image: most nets are small; a tenth is large enough for every kernel. */
static const double FEW_PRODUCTS = 3e5, MANY_PRODUCTS = 3e6;

typedef struct drawing {
    uint64_t stream, drawn;
    double most_products;
} drawing;

static int below(drawing *d, int limit) { return (int)(atl_random_bits(d->stream, d->drawn++) % (uint64_t)limit); }

/* True once in `of` times. */
static int rarely(drawing *d, int of) { return below(d, of) == 0; }

static int draw_kind(drawing *d)
{
    int total = 0, kind = 0;
    for (int i = 0; i < net_kinds(); i++)
        total += net_weight(i);
    for (int left = below(d, total); left >= net_weight(kind); kind++)
        left -= net_weight(kind);
    return kind;
}

/* A value that fits as the second operand: of the same shape, or the same but for the channels.  `a` itself only if
 * none else. */
static int draw_second(drawing *d, const net *n, int k, int a, int second)
{
    int fits[MOST_LAYERS + 1], count = 0;
    atl_shape shape = atl_shape_of(n->value[a]);
    for (int i = 0; i <= k; i++) {
        atl_shape other = atl_shape_of(n->value[i]);
        if (second == 2)
            other.size[3] = shape.size[3];
        if (i != a && atl_shape_equal(other, shape))
            fits[count++] = i;
    }
    return count ? fits[below(d, count)] : a;
}

static void draw_layer(drawing *d, const net *n, int k, net_layer *l)
{
    *l = (net_layer){.kind = draw_kind(d), .a = rarely(d, 4) ? below(d, k + 1) : k};
    int second = net_second_operand(l->kind);
    l->b = second ? draw_second(d, n, k, l->a, second) : 0;
    for (int i = 0; i < LAYER_PARAMETERS; i++)
        l->p[i] = net_settings(l->kind, i) ? below(d, net_settings(l->kind, i)) : 0;
}

static void draw_image(drawing *d, int *option)
{
    static const int any[] = {1, 3, 4, 5, 7, 13}, by_8[] = {8, 24, 3, 40}, by_16[] = {16, 32, 3, 16, 48};
    option[NET_ALIGNED] = below(d, 3);
    option[NET_BATCH] = 1 + below(d, 3);
    option[NET_CHANNELS] = option[NET_ALIGNED] == 1   ? by_16[below(d, 5)]
                           : option[NET_ALIGNED] == 2 ? by_8[below(d, 4)]
                                                      : any[below(d, 6)];
    int large = rarely(d, 12);
    option[NET_HEIGHT] = large ? 9 + below(d, 20) : 3 + below(d, 9);
    option[NET_WIDTH] = rarely(d, 3) ? 3 + below(d, 9) : option[NET_HEIGHT];
    d->most_products = large ? MANY_PRODUCTS : FEW_PRODUCTS;
    option[NET_ANY_BATCH] = rarely(d, 5);
}

static void draw_outputs(drawing *d, net_recipe *r)
{
    int *option = r->option;
    option[NET_HEAD] = rarely(d, 2) ? 0 : 1 + below(d, 4);
    option[NET_LOSS] = below(d, 5);
    option[NET_LEAVES] = below(d, 2);
    option[NET_BY_IMAGE] = !rarely(d, 4);
    option[NET_BY_VARIABLES] = below(d, 3);
    option[NET_BY_VALUE] = rarely(d, 4) ? below(d, r->layers + 1) : 0;
    option[NET_SECOND_COST] = rarely(d, 8);
    option[NET_SECOND_ORDER] = option[NET_BY_IMAGE] && r->layers < 5 && rarely(d, 8);
    for (int k = 0; k < r->layers; k++)
        option[NET_WANTS] |= rarely(d, 8) << k;
    if (rarely(d, 6)) /* the forward part alone */
        option[NET_BY_IMAGE] = option[NET_BY_VARIABLES] = option[NET_BY_VALUE] = option[NET_SECOND_ORDER] = 0;
}

static void draw_running(drawing *d, int *option)
{
    if (rarely(d, 3)) {
        option[NET_OPTIMIZER] = 1 + below(d, 8);
        option[NET_STEP_FORM] = below(d, 13);
        option[NET_CLIP] = rarely(d, 2) ? below(d, 4) : 0;
        option[NET_AVERAGE] = rarely(d, 4);
        option[NET_DECAY] = rarely(d, 4);
        option[NET_TWO_PROGRAMS] = below(d, 2);
    }
    option[NET_THREADS] = 1 + rarely(d, 4);
    option[NET_BFLOAT16] = rarely(d, 8);
    option[NET_TIMING] = rarely(d, 30);
    option[NET_NAN] = rarely(d, 8);
    option[NET_FEED_BACK] = rarely(d, 4);
    option[NET_CONTEXT] = rarely(d, 6);
}

net_recipe net_draw(uint64_t seed, uint64_t number)
{
    net_recipe r = {.seed = seed, .number = number};
    drawing d = {.stream = atl_random_bits(seed ^ 0x6e657473, number)};
    net n;
    draw_image(&d, r.option);
    if (number % 16 == 15) /* one pixel, whose parts are dense; by the number, so that other nets stay what they are */
        r.option[NET_BATCH] = r.option[NET_HEIGHT] = r.option[NET_WIDTH] = 1;
    net_begin(&n, &r, r.option[NET_BATCH], 0);
    int wanted = 1 + below(&d, MOST_LAYERS);
    for (int tries = 0; r.layers < wanted && tries < 3 * MOST_LAYERS; tries++) {
        int k = r.layers;
        double before = n.products;
        draw_layer(&d, &n, k, &r.layer[k]);
        net_add_layer(&n, k);
        if (n.products <= d.most_products)
            r.layers++;
        else
            n.products = before; /* drawn again; its nodes stay unused */
    }
    draw_outputs(&d, &r);
    draw_running(&d, r.option);
    atl_graph_free(n.graph);
    return r;
}

/* ---- shrinking --------------------------------------------------------------------------------------------------- */

enum { MOST_TRIALS = 600 };

typedef struct shrinking {
    net_recipe best;
    int variant, trials, changed;
} shrinking;

/* Keeps the change if the network still fails. */
static int try_change(shrinking *s, const net_recipe *changed)
{
    char text[NET_TEXT];
    int variant;
    if (s->trials++ >= MOST_TRIALS || net_agrees(changed, s->variant, text, sizeof text, &variant))
        return 0;
    s->best = *changed;
    s->changed = 1;
    return 1;
}

static void try_number(shrinking *s, int *in_best, int value)
{
    if (*in_best <= value)
        return;
    net_recipe changed = s->best;
    int *number = (int *)((char *)&changed + ((char *)in_best - (char *)&s->best));
    *number = value;
    try_change(s, &changed);
}

static void shrink_layer(shrinking *s, int k)
{
    net_layer *l = &s->best.layer[k];
    try_number(s, &l->kind, 0);
    for (int i = 0; l->kind && i < LAYER_PARAMETERS; i++)
        try_number(s, &l->p[i], 0);
}

static void shrink_option(shrinking *s, int option)
{
    int *value = &s->best.option[option], least = option <= NET_CHANNELS || option == NET_THREADS;
    try_number(s, value, least);
    if (option == NET_WANTS)
        for (int k = 0; k < MOST_LAYERS; k++)
            try_number(s, value, *value & ~(1 << k));
    if (option == NET_HEIGHT || option == NET_WIDTH || option == NET_CHANNELS)
        for (int step = *value / 2; step > 0; step /= 2)
            try_number(s, value, *value - step);
}

net_recipe net_shrink(const net_recipe *recipe, int variant)
{
    shrinking s = {.best = *recipe, .variant = variant, .changed = 1};
    while (s.changed && s.trials < MOST_TRIALS) {
        s.changed = 0;
        for (int k = s.best.layers - 1; k >= 0; k--)
            shrink_layer(&s, k);
        for (int i = 0; i < NET_OPTIONS; i++)
            if (i != NET_ALIGNED)
                shrink_option(&s, i);
    }
    return s.best;
}
