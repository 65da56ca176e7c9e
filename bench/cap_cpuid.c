/* LD_PRELOAD=build/bench/cap_cpuid.so CAP_ISA=avx2|sse4 COMMAND: the command, and all that it starts, sees a processor
 * without AVX-512, AMX and AVX-VNNI (avx2), or also without AVX, AVX2, FMA, F16C, BMI1 and BMI2 (sse4), whatever
 * library asks.  The kernel makes the instruction CPUID fault, and the handler answers without these bits.  A process
 * that cannot be capped ends with a message and status 125.
 *
 * Not capped is what is chosen before constructors run: glibc's memcpy, strlen and functions of libm, which
 * GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ caps, and choices by IFUNC in libraries that
 * the program is linked to; those of libraries that are loaded later are capped.  /proc/cpuinfo and XGETBV tell all
 * that the processor has.  A thread that blocks SIGSEGV is killed by its first CPUID. */
#define _GNU_SOURCE /* REG_RIP, syscall */
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    ARCH_SET_CPUID = 0x1012, /* asm/prctl.h; of a thread, which its new threads inherit, until exec */
    CANNOT_CAP = 125,        /* the status of commands that run others if they themselves fail, as of timeout(1) */
};

/* Bits of a leaf that are hidden. */
typedef struct hidden_bits {
    unsigned leaf, subleaf, eax, ebx, ecx, edx;
} hidden_bits;

#define BIT(n) (1U << (n))

/* Intel's manual, volume 2A, CPUID; AMD's manual, volume 3, appendix E. */
static const hidden_bits above_avx2[] = {
    /* AVX512F, DQ, IFMA, PF, ER, CD, BW, VL; VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; 4VNNIW, 4FMAPS, VP2INTERSECT,
     * AMX-BF16, AVX512-FP16, AMX-TILE, AMX-INT8 */
    {7, 0, 0, BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31),
     BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14), BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25)},
    /* SHA512, SM3, SM4, AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA; AVX-VNNI-INT8, AVX-NE-CONVERT, AMX-COMPLEX,
     * AVX-VNNI-INT16, AVX10, APX */
    {7, 1, BIT(0) | BIT(1) | BIT(2) | BIT(4) | BIT(5) | BIT(21) | BIT(23), 0, 0,
     BIT(4) | BIT(5) | BIT(8) | BIT(10) | BIT(19) | BIT(21)},
};
static const hidden_bits above_sse4[] = {
    {1, 0, 0, 0, BIT(12) | BIT(28) | BIT(29), 0},             /* FMA, AVX, F16C */
    {7, 0, 0, BIT(3) | BIT(5) | BIT(8), BIT(9) | BIT(10), 0}, /* BMI1, AVX2, BMI2; VAES, VPCLMULQDQ */
    {0x80000001, 0, 0, 0, BIT(11) | BIT(16), 0},              /* XOP, FMA4 */
};
enum { LENGTH_AVX2 = sizeof above_avx2 / sizeof *above_avx2, LENGTH_SSE4 = sizeof above_sse4 / sizeof *above_sse4 };

static int sse4;                /* whether CAP_ISA is sse4 */
static struct sigaction others; /* the program's own action for SIGSEGV */

extern int __sigaction(int, const struct sigaction *, struct sigaction *); /* glibc's sigaction, which we replace */

static void end_with(const char *message)
{
    static const char name[] = "cap_cpuid: ";
    if (write(STDERR_FILENO, name, sizeof name - 1) < 0 || write(STDERR_FILENO, message, strlen(message)) < 0)
        _exit(CANNOT_CAP);
    _exit(CANNOT_CAP);
}

/* Allows this thread's CPUID, or makes it fault; 0 if the kernel does so. */
static long allow_cpuid(unsigned long allowed) { return syscall(SYS_arch_prctl, ARCH_SET_CPUID, allowed); }

static void hide(const hidden_bits *table, int length, unsigned leaf, unsigned subleaf, unsigned values[4])
{
    for (const hidden_bits *bits = table; bits < table + length; bits++)
        if (bits->leaf == leaf && (bits->subleaf == subleaf || leaf != 7)) { /* other leaves ignore ecx */
            values[0] &= ~bits->eax;
            values[1] &= ~bits->ebx;
            values[2] &= ~bits->ecx;
            values[3] &= ~bits->edx;
        }
}

/* Runs the CPUID that `context` stopped at, and steps over it. */
static void answer_cpuid(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX], values[4];
    allow_cpuid(1);
    __cpuid_count(leaf, subleaf, values[0], values[1], values[2], values[3]);
    allow_cpuid(0);
    hide(above_avx2, LENGTH_AVX2, leaf, subleaf, values);
    if (sse4)
        hide(above_sse4, LENGTH_SSE4, leaf, subleaf, values);
    static const int order[4] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX};
    for (int i = 0; i < 4; i++)
        registers[order[i]] = values[i];
    registers[REG_RIP] += 2; /* its bytes: 0F A2 */
}

/* What the program would do of a fault that is no CPUID. */
static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    if (others.sa_flags & SA_SIGINFO)
        others.sa_sigaction(signal_number, info, context);
    else if (others.sa_handler != SIG_DFL && others.sa_handler != SIG_IGN)
        others.sa_handler(signal_number);
    else
        __sigaction(SIGSEGV, &others, NULL); /* the instruction runs again and faults again */
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    const unsigned char *at = (const unsigned char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    /* SI_KERNEL: a general protection fault, so the instruction has been read. */
    if (info->si_code == SI_KERNEL && at[0] == 0x0F && at[1] == 0xA2)
        answer_cpuid(context);
    else
        pass_on(signal_number, info, context);
}

/* In place of glibc's: a handler for SIGSEGV is kept, to be called for faults that are no CPUID. */
int sigaction(int signal_number, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    if (signal_number != SIGSEGV)
        return __sigaction(signal_number, action, old);
    struct sigaction before = others;
    if (action)
        others = *action;
    if (old)
        *old = before;
    return 0;
}

sighandler_t signal(int signal_number, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    return sigaction(signal_number, &action, &old) ? SIG_ERR : old.sa_handler;
}

/* Runs before the constructors of all other libraries: the linker marks this one "initfirst". */
__attribute__((constructor)) static void cap(int count, char **arguments, char **environment)
{
    (void)count, (void)arguments;
    const char *isa = "";
    for (char **text = environment; *text; text++)
        if (!strncmp(*text, "CAP_ISA=", strlen("CAP_ISA=")))
            isa = *text + strlen("CAP_ISA=");
    sse4 = !strcmp(isa, "sse4");
    if (!sse4 && strcmp(isa, "avx2"))
        end_with("CAP_ISA is neither avx2 nor sse4\n");
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigset_t fault;
    sigemptyset(&fault);
    sigaddset(&fault, SIGSEGV);
    if (__sigaction(SIGSEGV, &action, &others) || sigprocmask(SIG_UNBLOCK, &fault, NULL))
        end_with("no handler for SIGSEGV\n");
    if (allow_cpuid(0))
        end_with("this kernel or processor cannot make CPUID fault (\"cpuid_fault\" in /proc/cpuinfo)\n");
}
