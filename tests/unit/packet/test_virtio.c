/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the header lies in memory as the kernel's struct does. Method: comparison with that struct
 * of the system's headers. */
#include "packet/virtio.h"

#include <linux/virtio_net.h>

#include "unit/base/check.h"

static void layout(void **state) {
    (void)state;
    const struct virtio_net_hdr kernel = {.flags = 0x11,
                                          .gso_type = 0x22,
                                          .hdr_len = 0x3344,
                                          .gso_size = 0x5566,
                                          .csum_start = 0x7788,
                                          .csum_offset = 0x99aa};
    assert_int_equal(sizeof kernel, WRN_VIRTIO_SIZE);
    uint8_t bytes[WRN_VIRTIO_SIZE];
    memcpy(bytes, &kernel, sizeof bytes);
    struct wrn_virtio header;
    wrn_virtio_read(bytes, &header);
    assert_int_equal(header.flags, 0x11);
    assert_int_equal(header.gso_type, 0x22);
    assert_int_equal(header.header_size, 0x3344);
    assert_int_equal(header.gso_size, 0x5566);
    assert_int_equal(header.checksum_start, 0x7788);
    assert_int_equal(header.checksum_offset, 0x99aa);
    uint8_t again[WRN_VIRTIO_SIZE] = {0};
    wrn_virtio_write(&header, again);
    assert_memory_equal(again, bytes, sizeof bytes);
}

static void numbers(void **state) {
    (void)state;
    assert_int_equal(WRN_VIRTIO_NEEDS_CHECKSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(WRN_VIRTIO_CHECKSUM_VALID, VIRTIO_NET_HDR_F_DATA_VALID);
    assert_int_equal(WRN_VIRTIO_GSO_NONE, VIRTIO_NET_HDR_GSO_NONE);
    assert_int_equal(WRN_VIRTIO_GSO_TCP4, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(WRN_VIRTIO_GSO_TCP6, VIRTIO_NET_HDR_GSO_TCPV6);
    assert_int_equal(WRN_VIRTIO_GSO_ECN, VIRTIO_NET_HDR_GSO_ECN);
    /* Newer than Debian 12's headers: 5 since Linux 6.2. */
    assert_int_equal(WRN_VIRTIO_GSO_UDP, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
