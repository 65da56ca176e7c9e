# Read by scripts that are called with LAUNCH ATLED DATA SCRATCH: these words, an empty folder, and the reason for which
# the script is skipped. A rank has one thread.
launch=$1 atled=$2 data=${ATLED_DATA:-$3}/cifar10 scratch=$4
command -v mpirun >/dev/null || { echo "mpirun is missing: install openmpi-bin or mpich"; exit 77; }
[ -d "$data" ] || { echo "$data is missing: set ATLED_DATA"; exit 77; }
rm -rf "$scratch"
mkdir -p "$scratch"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS

# Waits until $scratch/log, of the training $job, tells of its first step.
await_step() {
    tries=0
    until grep -q 'step 1/' "$scratch/log"; do
        sleep 0.2
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "no step"; cat "$scratch/log"; kill -9 $job; exit 1; }
    done
}
