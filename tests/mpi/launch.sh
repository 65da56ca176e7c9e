#!/bin/sh
# launch.sh N PROGRAM...: the program as N ranks, with the launcher that is found, Open MPI's or MPICH's.  More ranks
# than processors are allowed, and so is root, who runs tests in containers.  GO_ON=yes: the launcher does not end the
# others when a rank is killed, as docs/distributed.md tells.
ranks=$1
shift
command -v mpirun >/dev/null || { echo "mpirun is missing: install openmpi-bin or mpich"; exit 77; }
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
case $(mpirun --version 2>&1) in
*'Open MPI'*)
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
    exec mpirun --oversubscribe --bind-to none ${GO_ON:+--enable-recovery} -n "$ranks" "$@"
    ;;
*)
    [ -n "$GO_ON" ] || exec mpirun -n "$ranks" "$@"
    exec mpirun -disable-auto-cleanup -n "$ranks" \
        sh -c "$(sed -n '/^# rank.sh /,/^exit /p' "$(dirname "$0")/../../docs/distributed.md")" rank.sh "$@"
    ;;
esac
