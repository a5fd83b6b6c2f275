/* SPDX-License-Identifier: Apache-2.0 */
/* A joined packet that the kernel refuses is taken apart again: if it takes the parts, it was the
 * joining that it did not like. */
#include "plane/deliver.h"

#include <errno.h>

#include "wg/uapi.h"

static_assert((int)WRN_DELIVER_MAX <= (int)WRN_COALESCE_MAX, "a batch is joined in one piece");

/* One call. */
struct work {
    struct wrn_delivery *delivery;
    const struct wrn_tun *tun;
    uint32_t *joinable;
    struct wrn_delivered *delivered;
};

static int write_all(const struct work *work);
static int write_joined(const struct work *work, uint32_t index);
static int write_apart(const struct work *work, uint32_t index, int reason);
static int write_singly(const struct work *work, const struct iovec *packets, size_t count);
static void stop_joining(const struct work *work, const uint8_t *header);

int wrn_deliver(struct wrn_delivery *delivery, const struct wrn_tun *tun, uint32_t *joinable,
                const struct wrn_wg_datagram *batch, size_t count,
                struct wrn_delivered *ret_delivered) {
    struct work work = {delivery, tun, joinable, ret_delivered};
    size_t ready = 0;
    *ret_delivered = (struct wrn_delivered){0};
    for (size_t i = 0; i < count; i++) {
        if (batch[i].packet_size > 0) {
            delivery->packets[ready++] = (struct iovec){batch[i].packet, batch[i].packet_size};
        }
    }
    if (ready <= 1 || *joinable == 0 || tun->vnet_size == 0) {
        return write_singly(&work, delivery->packets, ready);
    }
    wrn_coalesce(&delivery->coalescer, delivery->packets, ready, *joinable);
    return write_all(&work);
}

int wrn_deliver_frames(struct wrn_delivery *delivery, const struct wrn_tun *tun, uint32_t *joinable,
                       size_t count, struct wrn_delivered *ret_delivered) {
    struct work work = {delivery, tun, joinable, ret_delivered};
    *ret_delivered = (struct wrn_delivered){0};
    if (count <= 1 || *joinable == 0 || tun->vnet_size == 0) {
        return write_singly(&work, delivery->packets, count);
    }
    wrn_coalesce_frames(&delivery->coalescer, delivery->packets, count, *joinable);
    return write_all(&work);
}

/* Writes what the coalescer has made. Returns 0 or -ENODEV. */
static int write_all(const struct work *work) {
    int error = 0;
    for (uint32_t i = 0; i < work->delivery->coalescer.count && error == 0; i++) {
        error = write_joined(work, i);
    }
    return error;
}

/* Writes what was joined as one; apart if the kernel does not take it. Returns 0 or -ENODEV. */
static int write_joined(const struct work *work, uint32_t index) {
    struct wrn_coalescer *coalescer = &work->delivery->coalescer;
    const struct wrn_coalesced *joined = &coalescer->out[index];
    int error = wrn_tun_write(work->tun, &coalescer->parts[joined->first_part - 1],
                              (size_t)joined->part_count + 1, joined->header);
    if (error == 0 || error == -ENODEV) {
        return error;
    }
    if (joined->packet_count > 1) {
        return write_apart(work, index, -error);
    }
    work->delivered->refused++;
    return 0;
}

/* The kernel has refused a joined packet. If it takes the parts, it was the joining that it did not
 * like, and there will be no more of that kind. Returns 0 or -ENODEV. */
static int write_apart(const struct work *work, uint32_t index, int reason) {
    bool is_lasting = reason == EINVAL || reason == EOPNOTSUPP || reason == EMSGSIZE;
    struct wrn_coalescer *coalescer = &work->delivery->coalescer;
    uint64_t refused_before = work->delivered->refused;
    uint8_t header[WRN_VIRTIO_SIZE];
    struct iovec apart[WRN_COALESCE_MAX];
    memcpy(header, coalescer->out[index].header, sizeof header);
    size_t count = wrn_coalesce_undo(coalescer, index, apart);
    int error = write_singly(work, apart, count);
    if (error == 0 && work->delivered->refused == refused_before && is_lasting) {
        stop_joining(work, header); /* it was not for want of memory, say */
    }
    return error;
}

/* Writes packets one by one, and counts those that the kernel refuses. Returns 0 or -ENODEV. */
static int write_singly(const struct work *work, const struct iovec *packets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct iovec parts[] = {{NULL, 0}, packets[i]};
        int error = wrn_tun_write(work->tun, parts, WRN_COUNT(parts), NULL);
        if (error == -ENODEV) {
            return error;
        }
        work->delivered->refused += error != 0;
    }
    return 0;
}

static void stop_joining(const struct work *work, const uint8_t *header) {
    static const struct {
        uint8_t gso_type;
        uint32_t joinable;
        uint32_t offload;
    } kinds[] = {
        {WRN_VIRTIO_GSO_TCP4, WRN_COALESCE_TCP4, WRN_UAPI_OFFLOAD_TSO4},
        {WRN_VIRTIO_GSO_TCP6, WRN_COALESCE_TCP6, WRN_UAPI_OFFLOAD_TSO6},
        {WRN_VIRTIO_GSO_UDP, WRN_COALESCE_UDP, WRN_UAPI_OFFLOAD_USO},
    };
    struct wrn_virtio virtio;
    wrn_virtio_read(header, &virtio);
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if ((virtio.gso_type & ~WRN_VIRTIO_GSO_ECN) == kinds[i].gso_type) {
            *work->joinable &= ~kinds[i].joinable;
            work->delivered->lost |= kinds[i].offload;
        }
    }
}
