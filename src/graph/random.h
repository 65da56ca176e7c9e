/* Random numbers by counter: element i of stream `seed` has the same bits on every machine, in any order of access. */
#ifndef ATLED_GRAPH_RANDOM_H
#define ATLED_GRAPH_RANDOM_H

#include <math.h>
#include <stdint.h>

/* splitmix64's finaliser (Steele, Lea & Flood 2014) over a Weyl sequence. */
static inline uint64_t atl_random_bits(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1), 24 bits: exact as a float. */
static inline float atl_random_uniform(uint64_t seed, uint64_t counter)
{
    return (float)(atl_random_bits(seed, counter) >> 40) * 0x1p-24f;
}

/* Uniform in [low, high), or (high, low] if high is the lower one.  What rounding would make the open end is the
 * number before it. */
static inline float atl_random_between(float low, float high, uint64_t seed, uint64_t counter)
{
    double u = (double)atl_random_uniform(seed, counter);
    float x = (float)((double)low + ((double)high - (double)low) * u);
    return x == high ? nextafterf(high, low) : x;
}

double atl_random_normal(uint64_t seed, uint64_t counter); /* mean 0, standard deviation 1; Box and Muller 1958 */

#endif
