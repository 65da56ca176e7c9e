#!/bin/sh
# launch.sh N PROGRAM...: the program as N ranks, with the launcher that is found, Open MPI's or MPICH's.  More ranks
# than processors are allowed, and so is root, who runs tests in containers.  LAUNCH_OPTIONS: for Open MPI's.
ranks=$1
shift
command -v mpirun >/dev/null || { echo "mpirun is missing: install openmpi-bin or mpich"; exit 77; }
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
case $(mpirun --version 2>&1) in
*'Open MPI'*)
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
    # shellcheck disable=SC2086
    exec mpirun --oversubscribe --bind-to none $LAUNCH_OPTIONS -n "$ranks" "$@"
    ;;
*) exec mpirun -n "$ranks" "$@" ;;
esac
