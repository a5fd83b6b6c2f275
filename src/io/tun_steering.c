/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program, assembled by hand: it is too small for a compiler and a loader. It sees the
 * packet from its IP header on and returns a number, of which the kernel takes the remainder by the
 * number of queues. A read behind the packet's end ends it with 0.
 *
 * Without it the kernel keeps a table of flows (a hash of both ends, the same for both directions):
 * what we write through a queue binds its flow to that queue for the packets that come back, and an
 * unknown flow gets a queue by its hash. So a flow changes queues when its first answer is written,
 * or when its peer's datagrams come in through another socket, and what waited in the old queue may
 * be read after what came later. And all flows of one peer end up in one queue, because one
 * peer's datagrams come in through one socket. A hash of the flow alone does neither. */
#include "io/tun_steering.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "io/cleanup.h"

enum { STEPS_MAX = 64 };

/* Registers of the program. */
enum {
    VALUE = BPF_REG_0,   /* what a load yields, in host order; what is returned */
    CONTEXT = BPF_REG_6, /* where loads of packet bytes want it */
    HASH = BPF_REG_7,
    PROTOCOL = BPF_REG_8,
    PORTS_AT = BPF_REG_9, /* bytes before the transport header */
};

/* 2^32 divided by the golden mean: odd, its bits well mixed. */
#define MULTIPLIER ((int32_t)0x9e3779b1)

struct program {
    struct bpf_insn steps[STEPS_MAX];
    size_t count;
};

static void assemble(struct program *program);
static size_t add(struct program *program, unsigned code, unsigned to, unsigned from,
                  int32_t value);
static void load(struct program *program, unsigned size, int32_t at);
static void mix_in(struct program *program);
static void land(struct program *program, size_t jump);
static int submit(const struct program *program);

bool wrn_tun_steer(int fd) {
    struct program program = {0};
    assemble(&program);
    WRN_CLEANUP(wrn_close_fd) int handle = submit(&program);
    /* the device holds the program from there on */
    return handle >= 0 && ioctl(fd, TUNSETSTEERINGEBPF, &handle) == 0;
}

static void assemble(struct program *program) {
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, BPF_REG_1, 0);
    add(program, BPF_ALU64 | BPF_MOV | BPF_K, HASH, 0, 0);
    load(program, BPF_B, 0); /* the version */
    add(program, BPF_ALU | BPF_RSH | BPF_K, VALUE, 0, 4);
    size_t is_v6 = add(program, BPF_JMP | BPF_JEQ | BPF_K, VALUE, 0, 6);

    for (int32_t at = 12; at < 20; at += 4) { /* both addresses */
        load(program, BPF_W, at);
        mix_in(program);
    }
    load(program, BPF_B, 9);
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, PROTOCOL, VALUE, 0);
    load(program, BPF_H, 6); /* more to come, or not the first piece: not all have the ports */
    size_t fragment = add(program, BPF_JMP | BPF_JSET | BPF_K, VALUE, 0, 0x3fff);
    load(program, BPF_B, 0); /* the header's length in words */
    add(program, BPF_ALU | BPF_AND | BPF_K, VALUE, 0, 15);
    add(program, BPF_ALU | BPF_LSH | BPF_K, VALUE, 0, 2);
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, PORTS_AT, VALUE, 0);
    size_t v4_done = add(program, BPF_JMP | BPF_JA, 0, 0, 0);

    land(program, is_v6);
    for (int32_t at = 8; at < 40; at += 4) {
        load(program, BPF_W, at);
        mix_in(program);
    }
    load(program, BPF_B, 6); /* the next header: with extensions the ports are not looked for */
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, PROTOCOL, VALUE, 0);
    add(program, BPF_ALU64 | BPF_MOV | BPF_K, PORTS_AT, 0, 40);

    land(program, v4_done);
    size_t tcp = add(program, BPF_JMP | BPF_JEQ | BPF_K, PROTOCOL, 0, IPPROTO_TCP);
    size_t other = add(program, BPF_JMP | BPF_JNE | BPF_K, PROTOCOL, 0, IPPROTO_UDP);
    land(program, tcp);
    add(program, BPF_LD | BPF_IND | BPF_W, 0, PORTS_AT, 0);
    mix_in(program);

    land(program, other);
    land(program, fragment);
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, VALUE, PROTOCOL, 0);
    mix_in(program);
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, VALUE, HASH, 0);
    add(program, BPF_ALU | BPF_RSH | BPF_K, VALUE, 0, 16); /* the better half; 16 bits are used */
    add(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* Appends a step. Returns its place. */
static size_t add(struct program *program, unsigned code, unsigned to, unsigned from,
                  int32_t value) {
    WRN_ASSERT(program->count < STEPS_MAX);
    program->steps[program->count] = (struct bpf_insn){
        .code = (uint8_t)code, .dst_reg = to & 15, .src_reg = from & 15, .imm = value};
    return program->count++;
}

/* Loads 'size' (BPF_B, BPF_H, BPF_W) at a place of the packet. */
static void load(struct program *program, unsigned size, int32_t at) {
    add(program, BPF_LD | BPF_ABS | size, 0, 0, at);
}

/* Puts the value into the hash. */
static void mix_in(struct program *program) {
    add(program, BPF_ALU | BPF_XOR | BPF_X, HASH, VALUE, 0);
    add(program, BPF_ALU | BPF_MUL | BPF_K, HASH, 0, MULTIPLIER);
}

/* Lets a jump lead to the next step. */
static void land(struct program *program, size_t jump) {
    program->steps[jump].off = (int16_t)(program->count - jump - 1);
}

/* Hands the program to the kernel. Returns its descriptor or -errno. */
static int submit(const struct program *program) {
    static const char license[] = "Apache-2.0";
    union bpf_attr request = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insn_cnt = (uint32_t)program->count,
        .insns = (uintptr_t)program->steps,
        .license = (uintptr_t)license,
    };
    long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &request, sizeof request);
    return fd < 0 ? -errno : (int)fd; /* close-on-exec */
}
