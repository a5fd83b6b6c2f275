/* SPDX-License-Identifier: Apache-2.0 */
/* The programs, assembled by hand: they are too small for a compiler and a loader. They look into a
 * packet from its IP header on and return the number that stands in the table at the place of the
 * packet's hash. A read behind the packet's end ends them with 0.
 *
 * The table makes a change one step: queues and sockets are added while it leads nowhere near them,
 * and then it is replaced at once. Which of them have to be emptied before the others go on follows
 * from the rule by which it is filled.
 *
 * Without a program a TUN device keeps a table of flows (a hash of both ends, the same for both
 * directions): what we write through a queue binds its flow to that queue for the packets that come
 * back, and an unknown flow gets a queue by its hash. So a flow changes queues when its first
 * answer is written, or when its peer's datagrams come in through another socket, and what waited
 * in the old queue may be read after what came later. And all flows of one peer end up in one
 * queue, because one peer's datagrams come in through one socket. A hash of the flow alone does
 * neither. */
#include "io/steering.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "io/cleanup.h"

enum { LINK_SIZE = 14, STEPS_MAX = 64, PLACES_LOG = 10, PLACES = 1 << PLACES_LOG };
static_assert(WRN_STEERING_MAX <= UINT8_MAX, "numbers are bytes");

/* Registers of a program. */
enum {
    VALUE = BPF_REG_0, /* what a load yields, in host order; what is returned */
    TABLE = BPF_REG_1,
    CONTEXT = BPF_REG_6, /* where loads of packet bytes want it */
    HASH = BPF_REG_7,
    PROTOCOL = BPF_REG_8,
    PORTS_AT = BPF_REG_9, /* where the transport header begins */
};

/* 2^32 divided by the golden mean: odd, its bits well mixed. */
#define MULTIPLIER ((int32_t)0x9e3779b1)

struct program {
    struct bpf_insn steps[STEPS_MAX];
    size_t count;
    int32_t ip_at; /* where the IP header begins */
};

static int make_table(void);
static int make_program(int32_t ip_at, int table_fd);
static void fill_table(uint32_t count, uint8_t table[PLACES]);
static void assemble(struct program *program, int table_fd);
static size_t add(struct program *program, unsigned code, unsigned to, unsigned from,
                  int32_t value);
static void load(struct program *program, unsigned size, int32_t at);
static void mix_in(struct program *program);
static void land(struct program *program, size_t jump);
static int bpf(int command, union bpf_attr *request);

int wrn_steering_open(struct wrn_steering *ret_steering) {
    WRN_CLEANUP(wrn_close_fd) int table = make_table();
    if (table < 0) {
        return table;
    }
    /* A TUN device shows packets from the IP header on, a TAP device frames (without a tag that is
     * the device's to add), a group from behind the UDP header; there
     * the place of the IP header has to be asked for. */
    WRN_CLEANUP(wrn_close_fd) int device = make_program(0, table);
    WRN_CLEANUP(wrn_close_fd) int bridged = make_program(LINK_SIZE, table);
    WRN_CLEANUP(wrn_close_fd) int group = make_program(SKF_NET_OFF, table);
    if (device < 0 || bridged < 0 || group < 0) {
        return device < 0 ? device : bridged < 0 ? bridged : group;
    }
    *ret_steering = (struct wrn_steering){wrn_take_fd(&table), wrn_take_fd(&device),
                                          wrn_take_fd(&bridged), wrn_take_fd(&group)};
    return 0;
}

void wrn_steering_close(struct wrn_steering *steering) {
    wrn_close_fd(&steering->table_fd);
    wrn_close_fd(&steering->device_fd);
    wrn_close_fd(&steering->bridged_fd);
    wrn_close_fd(&steering->group_fd);
}

int wrn_steering_lead_device(const struct wrn_steering *steering, int fd) {
    struct ifreq request = {0};
    if (ioctl(fd, TUNGETIFF, &request) < 0) {
        return -errno;
    }
    int program = (request.ifr_flags & IFF_TAP) != 0 ? steering->bridged_fd : steering->device_fd;
    return ioctl(fd, TUNSETSTEERINGEBPF, &program) < 0 ? -errno : 0;
}

int wrn_steering_lead_group(const struct wrn_steering *steering, int fd) {
    int program = steering->group_fd;
    int status = setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof program);
    return status < 0 ? -errno : 0;
}

int wrn_steering_spread(const struct wrn_steering *steering, uint32_t count) {
    static const uint32_t first = 0;
    uint8_t table[PLACES];
    WRN_ASSERT(count >= 1 && count <= WRN_STEERING_MAX);
    fill_table(count, table);
    union bpf_attr request = {.map_fd = (uint32_t)steering->table_fd,
                              .key = (uintptr_t)&first,
                              .value = (uintptr_t)table};
    int status = bpf(BPF_MAP_UPDATE_ELEM, &request);
    return status < 0 ? status : 0;
}

/* Makes the table, all zero. Returns its descriptor or -errno. */
static int make_table(void) {
    union bpf_attr request = {.map_type = BPF_MAP_TYPE_ARRAY,
                              .key_size = sizeof(uint32_t),
                              .value_size = PLACES,
                              .max_entries = 1};
    return bpf(BPF_MAP_CREATE, &request);
}

/* Returns a program's descriptor or -errno. */
static int make_program(int32_t ip_at, int table_fd) {
    static const char license[] = "Apache-2.0";
    struct program program = {.ip_at = ip_at};
    assemble(&program, table_fd);
    union bpf_attr request = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insn_cnt = (uint32_t)program.count,
        .insns = (uintptr_t)program.steps,
        .license = (uintptr_t)license,
    };
    return bpf(BPF_PROG_LOAD, &request);
}

/* Begins with one number, and lets one after the other take places from whichever has most. So the
 * table for any count follows from that for one less, by moves to the new number alone. */
static void fill_table(uint32_t count, uint8_t table[PLACES]) {
    uint32_t shares[WRN_STEERING_MAX] = {PLACES};
    memset(table, 0, PLACES);
    for (uint32_t added = 1; added < count; added++) {
        for (uint32_t at = 0; shares[added] < PLACES / (added + 1); at = (at + 1) % PLACES) {
            uint32_t most = 0;
            for (uint32_t i = 1; i < added; i++) {
                most = shares[i] > shares[most] ? i : most;
            }
            if (table[at] == most) {
                table[at] = (uint8_t)added;
                shares[most]--;
                shares[added]++;
            }
        }
    }
}

static void assemble(struct program *program, int table_fd) {
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
    add(program, BPF_ALU64 | BPF_ADD | BPF_K, PORTS_AT, 0, program->ip_at);
    size_t v4_done = add(program, BPF_JMP | BPF_JA, 0, 0, 0);

    land(program, is_v6);
    for (int32_t at = 8; at < 40; at += 4) {
        load(program, BPF_W, at);
        mix_in(program);
    }
    load(program, BPF_B, 6); /* the next header: with extensions the ports are not looked for */
    add(program, BPF_ALU64 | BPF_MOV | BPF_X, PROTOCOL, VALUE, 0);
    add(program, BPF_ALU64 | BPF_MOV | BPF_K, PORTS_AT, 0, program->ip_at + 40);

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
    add(program, BPF_ALU | BPF_RSH | BPF_K, HASH, 0, 32 - PLACES_LOG); /* the best bits */
    add(program, BPF_LD | BPF_DW | BPF_IMM, TABLE, BPF_PSEUDO_MAP_VALUE, table_fd);
    add(program, 0, 0, 0, 0); /* the rest of that step: bytes into the table */
    add(program, BPF_ALU64 | BPF_ADD | BPF_X, TABLE, HASH, 0);
    add(program, BPF_LDX | BPF_MEM | BPF_B, VALUE, TABLE, 0);
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

/* Loads 'size' (BPF_B, BPF_H, BPF_W) at a place of the IP header. */
static void load(struct program *program, unsigned size, int32_t at) {
    add(program, BPF_LD | BPF_ABS | size, 0, 0, program->ip_at + at);
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

/* Returns a descriptor (close-on-exec) or 0, or -errno. */
static int bpf(int command, union bpf_attr *request) {
    long result = syscall(SYS_bpf, command, request, sizeof *request);
    return result < 0 ? -errno : (int)result;
}
