/* relay NAMESPACE NAMESPACE MBITS DELAY_US: a network link between two network namespaces, with that bandwidth in each
 * direction, and that delay, for kernels without netem.  Each namespace gets a TUN device, link0, to which the caller
 * gives an address; the relay reads packets from one and writes them to the other when they are due.  No packet is
 * lost.  It needs root, prints a line when both devices are there, and runs until it is killed. */
#define _GNU_SOURCE /* setns, ppoll */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 65535 /* of a packet of IP */ };

typedef struct packet {
    struct packet *next;
    int64_t due; /* nanoseconds */
    size_t size;
    char bytes[];
} packet;

/* One direction. */
typedef struct lane {
    int from, to;
    packet *first, *last;
    int64_t is_free; /* when the last bit of all packets so far is sent, in nanoseconds */
} lane;

static int64_t nanoseconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The device of a namespace: a file, or -1 after a message. */
static int open_device(const char *namespace)
{
    char path[256];
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    strcpy(request.ifr_name, "link0");
    int space = open(path, O_RDONLY), device = -1;
    if (space >= 0 && setns(space, CLONE_NEWNET) == 0)
        device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (device < 0 || ioctl(device, TUNSETIFF, &request)) {
        perror(path);
        device = -1;
    }
    if (space >= 0)
        close(space);
    return device;
}

/* Takes all packets that are there.  Each follows the one before it at the link's rate, and arrives after the delay. */
static int take(lane *l, double nanoseconds_a_byte, int64_t delay)
{
    static char bytes[MOST_BYTES];
    for (ssize_t size; (size = read(l->from, bytes, sizeof bytes)) > 0;) {
        packet *p = malloc(sizeof *p + (size_t)size);
        if (!p)
            return 0;
        int64_t now = nanoseconds_now();
        l->is_free = (l->is_free > now ? l->is_free : now) + (int64_t)((double)size * nanoseconds_a_byte);
        *p = (packet){.due = l->is_free + delay, .size = (size_t)size};
        memcpy(p->bytes, bytes, p->size);
        *(l->first ? &l->last->next : &l->first) = p;
        l->last = p;
    }
    return 1;
}

/* Passes on what is due; returns the nanoseconds until the next packet is. */
static int64_t pass_on(lane *l)
{
    for (packet *p; (p = l->first);) {
        int64_t rest = p->due - nanoseconds_now();
        if (rest > 0)
            return rest;
        if (write(l->to, p->bytes, p->size) < 0 && errno != EIO) /* EIO: the device is not up yet */
            perror("link0");
        l->first = p->next;
        free(p);
    }
    return INT64_MAX;
}

int main(int argc, char **argv)
{
    double megabits = argc == 5 ? atof(argv[3]) : 0;
    int64_t delay = argc == 5 ? atoll(argv[4]) * 1000 : -1;
    if (!(megabits > 0) || delay < 0) {
        fprintf(stderr, "relay NAMESPACE NAMESPACE MBITS DELAY_US\n");
        return 2;
    }
    int one = open_device(argv[1]), other = one < 0 ? -1 : open_device(argv[2]);
    if (other < 0)
        return 3;
    lane lanes[2] = {{.from = one, .to = other}, {.from = other, .to = one}};
    puts("ready");
    fflush(stdout);
    for (;;) {
        int64_t next = INT64_MAX;
        for (int i = 0; i < 2; i++) {
            if (!take(&lanes[i], 8e3 / megabits, delay))
                return 3;
            int64_t rest = pass_on(&lanes[i]);
            next = rest < next ? rest : next;
        }
        struct pollfd files[2] = {{.fd = one, .events = POLLIN}, {.fd = other, .events = POLLIN}};
        struct timespec time = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000};
        ppoll(files, 2, &time, NULL);
    }
}
