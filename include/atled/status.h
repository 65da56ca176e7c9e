/* What functions return on failure, and where the message is.
 *
 * No function of atled aborts, exits or prints.  A function that can fail returns an atl_status or a null pointer, and
 * stores a message for the calling thread in atl_error().  Builders of graph nodes also record the first error on their
 * graph (see graph.h). */
#ifndef ATLED_STATUS_H
#define ATLED_STATUS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ATL_API                 __attribute__((visibility("default")))
#define ATL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define ATL_API
#define ATL_PRINTF(text, first)
#endif

/* In options, zero stands for the default; ATL_ZERO is the value zero itself, and ATL_EXACTLY(x) is x, even if x is
 * zero: atl_momentum(.momentum = ATL_EXACTLY(m)). */
#define ATL_ZERO       (-2147483647 - 1) /* exact as an int, a float and a double */
#define ATL_EXACTLY(x) ((x) == 0 ? ATL_ZERO : (x))

typedef enum atl_status {
    ATL_OK = 0,        /* success */
    ATL_INVALID,       /* an argument, a shape or a graph is invalid */
    ATL_OUT_OF_MEMORY, /* nothing was changed */
    ATL_BAD_FILE,      /* a file is missing, unreadable, or invalid */
    ATL_UNSUPPORTED,   /* valid, but not possible here: the processor, a library or a feature is missing */
    ATL_STOPPED,       /* a user's callback asked to stop */
    ATL_NOT_FINITE,    /* a checked value (atl_check_finite) is NaN or infinite */
    ATL_INTERNAL       /* a bug in atled or oneDNN: please report it */
} atl_status;

/* The message of the last failure on the calling thread, without a final newline; "" if nothing has failed.  Every
 * function that fails sets it; if the cause is an earlier error of a builder, it is that error's message.  The text is
 * valid until the next failing call on the same thread.  It is never null. */
ATL_API const char *atl_error(void);

/* The status of that message, for a caller that learns of a failure by a null pointer; ATL_OK if nothing has failed on
 * the calling thread. */
ATL_API atl_status atl_error_status(void);

/* For code built on atled that reports its own failures in the same way: stores the message, and returns status. */
ATL_API atl_status atl_set_error(atl_status status, const char *format, ...) ATL_PRINTF(2, 3);

/* The version of the library, "major.minor.patch". */
ATL_API const char *atl_version(void);

/* The version of oneDNN, and the most that it may use of the processor: "oneDNN 2.6.3, avx2". */
ATL_API const char *atl_backend_version(void);

/* The instruction sets for which atled's own loops are compiled: AVX-512 (F, VL, DQ, BW), AVX2 with FMA, and the
 * baseline of the architecture.  The environment variable ATLED_ISA (avx512, avx2 or generic) caps the instruction set
 * of our own loops and of oneDNN, where generic is SSE4.1 on x86-64; any other value is ignored, and refused
 * by the command.  It is read once, when the library is loaded. */
typedef enum atl_isa { ATL_ISA_GENERIC = 0, ATL_ISA_AVX2, ATL_ISA_AVX512 } atl_isa;

ATL_API atl_isa atl_isa_in_use(void);          /* what our own loops use: the processor's, or the cap */
ATL_API atl_isa atl_isa_of_processor(void);    /* the best of these that this processor has */
ATL_API const char *atl_isa_name(atl_isa isa); /* "avx2", as in ATLED_ISA; "" for an invalid value */

#ifdef __cplusplus
}
#endif
#endif
