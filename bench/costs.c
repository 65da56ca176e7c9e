/* Measures all costs again, for the instruction set in use:
 *
 *     build/bench/atled_costs > src/cost/avx512.def
 *     ATLED_ISA=avx2 build/bench/atled_costs > src/cost/avx2.def
 *     ATLED_ISA=generic build/bench/atled_costs > src/cost/generic.def
 *
 * It takes a minute, on a machine that does nothing else, with OMP_NUM_THREADS=2: the tables are of two cores.  Numbers
 * are rounded to two digits, because two runs differ by more.  Numbers of what this instruction set lacks (bfloat16,
 * oneDNN's Winograd kernels), and limits that no time decides, stay as they are. */
#include "costs.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atled/status.h"
#include "common/clock.h"

double least_seconds(void (*run)(void *data), void *data)
{
    enum { LEAST_RUNS = 3 };
    double start = atl_seconds_now(), least = INFINITY;
    int64_t repeats = 1;
    run(data);
    for (int runs = 0; runs < LEAST_RUNS || atl_seconds_now() - start < 0.2; runs++) {
        double before = atl_seconds_now();
        for (int64_t i = 0; i < repeats; i++)
            run(data);
        double taken = atl_seconds_now() - before;
        least = fmin(least, taken / (double)repeats);
        if (taken < 1e-3)
            repeats *= 2;
    }
    return least;
}

double second_level_cache(void)
{
    long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? (double)bytes : 1 << 20;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* "AMD Ryzen 7 5800X 8-Core Processor", or "this processor". */
static void name_processor(char *name, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "this processor");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon)
            continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n\""), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

static double two_digits(double x)
{
    double unit = x > 0 && isfinite(x) ? pow(10, floor(log10(x)) - 1) : 1;
    return round(x / unit) * unit;
}

static void print_double(const char *field, double x, double old)
{
    if (x == old)
        printf("COST(%s, %g) /* kept: not measured */\n", field, old);
    else
        printf("COST(%s, %.2g) /* was %g */\n", field, two_digits(x), old);
}

static void print_int(const char *field, int64_t x, int64_t old)
{
    if (x == old)
        printf("COST(%s, %lld) /* kept: not measured */\n", field, (long long)old);
    else
        printf("COST(%s, %.0f) /* was %lld */\n", field, two_digits((double)x), (long long)old);
}

#define PRINT(field)                                                                                                   \
    _Generic(measured.field, double : print_double, int64_t : print_int)(#field, measured.field, before->field);

/* Another process takes a share of each time, and a thread that waits for another a multiple of it. */
static void warn_of_load(void)
{
    double load;
    if (getloadavg(&load, 1) == 1 && load > 0.5)
        fprintf(stderr, "atled_costs: the load is %.1f: with other work on this machine no number is right\n", load);
}

int main(void)
{
    warn_of_load();
    const atl_costs *before = atl_costs_in_use();
    atl_costs measured = *before;
    const char *isa = atl_isa_name(atl_isa_in_use());
    char processor[128];
    name_processor(processor, sizeof processor);
    measure_memory(&measured);
    measure_onednn(&measured);
    measure_winograd(&measured);
    measure_bfloat16(&measured);
    measure_threads(&measured);
    printf("/* Costs with %s: see cost.h.  ATLED_ISA=%s build/bench/atled_costs has written this file. */\n", isa, isa);
    printf("MEASURED_ON(\"%d threads of %s, ATLED_ISA=%s\")\n", omp_get_max_threads(), processor, isa);
#define MEASURED_ON(text)
#define COST(field, value) PRINT(field)
#include "cost/generic.def"
    return 0;
}
