#!/bin/sh
# includes.sh SOURCE: includes point downwards only (docs/architecture.md).  For each folder: what its files may include
# with "".
cd "$1" || exit 1
status=0

# check FOLDER PATTERN: complains about every quoted #include in the folder that does not match
check() {
    [ -d "$1" ] || return
    found=$(grep -rnE --include='*.[ch]' '^ *# *include *"' "$1" | grep -vE "#include \"($2)")
    [ -z "$found" ] || {
        printf '%s may include only "%s":\n%s\n' "$1" "$2" "$found"
        status=1
    }
}
common='atled/|config\.h|common/|graph/(memory|error|option|random)\.h'
check include/atled '[a-z_]*\.h"'
check src/graph "$common|graph/|kernels/(kernels|parallel)\.h"
check src/files "$common|files/"
check src/lowering "$common|graph/|lowering/"
check src/common 'common/'
check src/cost 'atled/status\.h|cost/'
check src/kernels 'atled/status\.h|common/|kernels/|cost/'
check src/onednn "$common|graph/|lowering/|onednn/|kernels/|cost/"
check src/distributed "$common|distributed/"
check src/ops "$common|graph/|distributed/|lowering/|ops/|onednn/|kernels/|cost/"
check src/autodiff "$common|graph/|autodiff/"
ops='ops/(expression|attributes|moments|attention_fused|kept_slope)\.h'
check src/compiler/passes "$common|graph/|cost/|lowering/|compiler/passes/|$ops"
check src/compiler/layout "$common|graph/|lowering/|compiler/(passes|layout)/|cost/|ops/expression\.h|files/"
check src/compiler/lower \
    "$common|graph/|lowering/|compiler/(passes|layout|lower)/|cost/|ops/expression\.h|onednn/onednn\.h"
check src/compiler/memory "$common|graph/|lowering/|compiler/(passes|layout|lower|memory)/|cost/"
compiler="graph/|lowering/|compiler/|$ops|files/|onednn/onednn\.h|kernels/|cost/"
check src/compiler "$common|$compiler"
check src/program \
    "$common|graph/|distributed/all_reduce\.h|lowering/|program/|compiler/|onednn/onednn\.h|kernels/|cost/"
check src/io "$common|graph/(variables|unset_tensor)\.h|io/|files/|kernels/|cost/"
check src/drawing "$common|graph/|drawing/|files/(atomic|input)_file\.h|program/json\.h|explorer_page\.h\""
check src/models "$common|models/"
check src/train "$common|graph/(variables|graph)\.h|distributed/|ops/all_reduce\.h|train/"
check src/attack "$common|attack/|kernels/|cost/"
check src/explain "$common|explain/|kernels/maps\.h"
check src/onnx "$common|graph/(variables|unset_tensor)\.h|onnx/|files/|ops/(attributes|conv|pool)\.h|kernels/kernels\.h"
check src/mpi 'atled/|mpi/|common/'
check tools 'atled/|config\.h|[a-z_]*\.h"'
check examples 'atled/'

dnnl=$(grep -rlE --include='*.[ch]' 'include *[<"].*dnnl' include src tools examples | grep -v '^src/onednn/')
[ -z "$dnnl" ] || {
    echo "oneDNN is included outside src/onednn:" $dnnl
    status=1
}
exit $status
