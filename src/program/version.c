/* Which oneDNN runs the programs. */
#include <pthread.h>

#include "atled/status.h"
#include "onednn/onednn.h"

static char text[64];

static void make_text(void) { atl_onednn_version(text, sizeof text); }

const char *atl_backend_version(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_text);
    return text;
}
