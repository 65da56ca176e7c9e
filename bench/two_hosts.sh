#!/bin/sh
# two_hosts.sh BUILD [RATE [DELAY [STEPS]]]: training by two ranks on two hosts with a network of that rate (1gbit)
# and delay (1ms) between them, with buckets of several sizes: the time of a step and the share of it in which rank 0
# waits.  The hosts are network namespaces of this machine, so it needs root, iproute2, and Open MPI.  One bucket for
# all gradients has no overlap of communication and computation.  A kernel without netem gives no delay, and says so.
build=$(realpath "$1") rate=${2:-1gbit} delay=${3:-1ms} steps=${4:-12}
scratch=$(mktemp -d) hosts='atled1 atled2'

clean() {
    for host in $hosts; do ip netns del "$host" 2>/dev/null; done
    rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 1' INT TERM
for host in $hosts; do ip netns add "$host" || exit 1; done
ip link add veth1 netns atled1 type veth peer name veth1 netns atled2 || exit 1
for i in 1 2; do
    in="ip netns exec atled$i"
    $in ip link set lo up
    $in ip addr add "10.77.0.$i/24" dev veth1
    $in ip link set veth1 up
    $in tc qdisc add dev veth1 root handle 1: tbf rate "$rate" burst 256kb latency 100ms || exit 1
    why=$($in tc qdisc add dev veth1 parent 1:1 netem delay "$delay" 2>&1) || no_delay="no delay of $delay: $why"
done
[ -z "$no_delay" ] || echo "$no_delay"

# Open MPI starts its daemon on the other host by this, in place of ssh: HOST COMMAND...
cat >"$scratch/enter" <<'END'
#!/bin/sh
while :; do case $1 in -*) shift ;; *) break ;; esac; done
host=atled${1##*.}
shift
exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"
END
chmod +x "$scratch/enter"
printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' >"$scratch/hosts"
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMP_NUM_THREADS

for bucket in 1 4 16 1024; do
    "$scratch/enter" 10.77.0.1 mpirun --hostfile "$scratch/hosts" --mca plm_rsh_agent "$scratch/enter" \
        --mca orte_keep_fqdn_hostnames 1 --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
        --mca oob_tcp_if_include 10.77.0.0/24 --bind-to none --map-by node -n 2 -x OMP_NUM_THREADS \
        "$build/bench/atled_ranks" cifar10 64 2 "$bucket" "$steps" 1536 2>&1
done
OMP_NUM_THREADS=1 "$build/bench/atled_ranks" cifar10 64 2 4 "$steps" 1536
