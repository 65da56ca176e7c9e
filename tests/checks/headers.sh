#!/bin/sh
# headers.sh INCLUDE COMPILER...: each public header compiles alone, as strict C11 and as C++, without a warning.
include=$1 status=0
shift
cxx=$(command -v g++ || command -v c++ || command -v clang++)
[ -n "$cxx" ] || echo "no C++ compiler: the headers were tried as C only"

for header in "$include"/atled/*.h; do
    line="#include \"atled/$(basename "$header")\""
    printf '%s\nint main(void) { return 0; }\n' "$line" |
        "$@" -x c -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror -I "$include" -fsyntax-only - || status=1
    [ -z "$cxx" ] || printf '%s\nint main() { return 0; }\n' "$line" |
        "$cxx" -x c++ -std=c++11 -Wall -Wextra -Werror -I "$include" -fsyntax-only - || status=1
done
[ -z "$cxx" ] || printf '#include "atled/atled.hpp"\nint main() { return 0; }\n' |
    "$cxx" -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I "$include" -fsyntax-only - ||
    status=1
exit $status
