/* SPDX-License-Identifier: Apache-2.0 */
/* What uring_eval does between its system calls, the same for all its engines: cuts up what the
 * host hands over, packs trains of datagrams, and joins what arrives. Makes no system call. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    VIRTIO = 10, /* bytes of the header before each packet of the TUN device */
    HEAD = 16,   /* as WireGuard's data message; only its counter is filled in */
    TAG = 16,    /* room for an authentication tag */
    ROOM = 66560,
    BUFFERS = 64, /* a power of two */
    TRAINS = 64,
    TRAIN_BYTES = 65000, /* below the largest UDP payload */
    SEGMENTS_MAX = 64,   /* datagrams in one send, as older kernels have it */
    TRAINS_A_FRAME = 4,  /* that one packet of 64 kB can need */
    WRITES = 256,
    WRITES_A_BUFFER = 128,
    CONTROL = 64,
};

/* Room for control messages. */
union plane_control {
    size_t alignment; /* that of struct cmsghdr */
    uint8_t bytes[CONTROL];
};

/* Datagrams of one size (the last may be shorter) that leave in one call. */
struct train {
    struct msghdr message;
    struct iovec part;
    union plane_control control;
    uint8_t *bytes;
    size_t size;
    size_t segment;
    unsigned count;
};

/* One packet for the TUN device, joined of up to SEGMENTS_MAX. */
struct write {
    struct iovec parts[SEGMENTS_MAX]; /* the first with the virtio header before it */
    unsigned part_count;
    uint8_t *packet; /* the first one */
    size_t header_size;
    size_t segment; /* payload of the first */
    size_t payload; /* of all */
    bool is_full;
    int buffers[SEGMENTS_MAX]; /* in which the parts lie */
    unsigned buffer_count;
};

struct counters {
    uint64_t calls;     /* system calls on the packet path */
    uint64_t frames;    /* read from the TUN device */
    uint64_t trains;    /* sent */
    uint64_t datagrams; /* in them */
    uint64_t receives;  /* datagrams or trains received */
    uint64_t writes;    /* to the TUN device */
    uint64_t in_vain;   /* reads and receives that found nothing */
    uint64_t dropped;   /* no room, or refused by the kernel */
    uint64_t reordered; /* datagrams with a lower counter than the one before */
    uint64_t rearmed;   /* multishot requests begun */
    uint64_t zc_copied; /* zero-copy sends that the kernel copied all the same */
};

/* What lies between reading and writing. */
struct plane {
    struct sockaddr_in remote;
    struct train trains[TRAINS];
    unsigned free_trains[TRAINS], free_train_count;
    unsigned ready_trains[TRAINS], ready_train_count;
    struct train *open_train;
    struct write writes[WRITES];
    unsigned free_writes[WRITES], free_write_count;
    unsigned ready_writes[WRITES], ready_write_count;
    struct write *open_write;
    uint64_t sent_counter, seen_counter;
    struct counters counters;
};

/* A buffer of which the content waits to be worked on. */
struct arrived {
    int buffer;
    uint8_t *bytes;
    size_t size;
    size_t segment; /* of a train */
};

/* Prepares a plane that is zeroed. 'trains' has TRAINS times ROOM bytes. */
void plane_init(struct plane *plane, uint8_t *trains);

/* Tell whether there is room for one packet more from the TUN device, or one received buffer. */
bool plane_may_leave(const struct plane *plane);
bool plane_may_arrive(const struct plane *plane);

/* Packs what was read from the TUN device, virtio header first, into trains. It is copied. */
void plane_leave(struct plane *plane, const uint8_t *frame, size_t size);

/* Takes a received train apart and joins its packets into writes for the TUN device. They point
 * into the buffer. */
void plane_arrive(struct plane *plane, const struct arrived *arrived);

/* Finish the train or the write under way, if there is one: all that is in the ready lists then. */
void plane_close_train(struct plane *plane);
void plane_close_write(struct plane *plane);
