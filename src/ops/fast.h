/* ATL_FAST before a function over many floats: compiled for AVX-512, AVX2 and the baseline, and chosen when the library
 * is loaded.  ATL_LANES before its loop: iterations do not depend on one another (an output may be exactly an input,
 * not a shifted one), so that they may run side by side.  ATL_LANE before a function that such a loop calls. */
#ifndef ATLED_OPS_FAST_H
#define ATLED_OPS_FAST_H

#define ATL_LANES _Pragma("omp simd")
#define ATL_LANE  static inline __attribute__((always_inline))

/* A sanitizer's run time is not yet there when the dynamic linker chooses.  (gcc has no macro for
 * -fsanitize=undefined.) */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined ATLED_SANITIZED
#define ATL_SANITIZED_ 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer) ||          \
    __has_feature(undefined_behavior_sanitizer)
#define ATL_SANITIZED_ 1
#endif
#endif

#if defined __x86_64__ && defined __gnu_linux__ && defined __OPTIMIZE__ && defined __has_attribute &&                  \
    !defined ATL_SANITIZED_
#if __has_attribute(target_clones) && defined __clang__ /* whose arch= asks for one exact processor */
#define ATL_FAST __attribute__((target_clones("avx512f", "avx2", "default")))
#elif __has_attribute(target_clones) && __GNUC__ >= 12
#define ATL_FAST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#ifndef ATL_FAST
#define ATL_FAST
#endif

#endif
