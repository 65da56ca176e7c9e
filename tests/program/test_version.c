/* Which oneDNN runs the programs. */
#include "onednn/onednn.h"
#include "support.h"

Test(version, names_onednn_and_what_it_may_use)
{
    char text[64];
    cr_assert_str_eq(atl_backend_version(), atl_onednn_version(text, sizeof text));
    cr_assert_eq(atl_backend_version(), atl_backend_version());
    cr_assert_mentions(atl_backend_version(), "oneDNN ");
}
