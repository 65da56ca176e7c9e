#!/bin/sh
# two_hosts.sh BUILD [MBITS [DELAY_US [STEPS [NET BATCH WIDTH]]]]: training by two ranks on two hosts with a network of
# that bandwidth (1000: 1 Gbit/s) and delay (1000: 1 ms) between them, with buckets of several sizes: the time of a step
# and the share of it in which they wait.  The hosts are network namespaces of this machine, so it needs root,
# iproute2, and Open MPI.  The network is made by tc's tbf and netem, or by a relay (relay.c), where the kernel has no
# netem.  One bucket for all gradients has no overlap of communication and computation.  What else runs on the machine
# takes its time from the relay and from the threads that exchange buckets, so measure alone, or by `nice -n -15`.
build=$(realpath "$1") rate=${2:-1000} delay=${3:-1000} steps=${4:-12}
net=${5:-cifar10} batch=${6:-64} width=${7:-1536}
scratch=$(mktemp -d) hosts='atled1 atled2'

clean() {
    [ -z "$relay" ] || kill "$relay"
    for host in $hosts; do ip netns del "$host" 2>/dev/null; done
    rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 1' INT TERM
for host in $hosts; do ip netns add "$host" || exit 1; done

in_host() {
    host=atled$1
    shift
    ip netns exec "$host" "$@"
}

# Devices of the name link0.
make_veth() {
    ip link add link0 netns atled1 type veth peer name link0 netns atled2 || return 1
    for i in 1 2; do
        in_host $i tc qdisc add dev link0 root handle 1: tbf rate "${rate}mbit" burst 256kb latency 100ms &&
            in_host $i tc qdisc add dev link0 parent 1:1 netem delay "${delay}us" limit 100000 || return 1
    done
}
make_relay() {
    : >"$scratch/relay"
    "$build/bench/atled_relay" $hosts "$rate" "$delay" >"$scratch/relay" &
    relay=$!
    until grep -q ready "$scratch/relay"; do kill -0 $relay && sleep 0.1 || return 1; done
}
if make_veth 2>/dev/null; then
    how='tc, tbf and netem'
else
    in_host 1 ip link del link0 2>/dev/null
    make_relay || exit 1
    how='a relay'
fi
for i in 1 2; do
    in_host $i ip link set lo up
    in_host $i ip addr add "10.77.0.$i/24" dev link0
    in_host $i ip link set link0 mtu 9000 up
done
echo "$rate Mbit/s and $delay us in each direction, by $how"

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
        "$build/bench/atled_ranks" "$net" "$batch" 2 "$bucket" "$steps" "$width" 2>&1
done
OMP_NUM_THREADS=1 "$build/bench/atled_ranks" "$net" "$batch" 2 4 "$steps" "$width"
