/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: heads of VXLAN are those of RFC 7348, and nothing else is taken for one. Method: the RFC's
 * layout as bytes, every VNI's bits, and all that is too short. */
#include "switch/vxlan.h"

#include "unit/base/check.h"

enum { FRAME = 60 };

static void heads_are_those_of_the_rfc(void **state) {
    static const uint8_t wanted[] = {0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0};
    uint8_t head[WRN_VXLAN_HEAD_SIZE];
    (void)state;
    wrn_vxlan_write(0x123456, head);
    assert_memory_equal(head, wanted, sizeof head);
    wrn_vxlan_write(WRN_VXLAN_VNI_MAX, head);
    assert_memory_equal(head, "\x08\0\0\0\xff\xff\xff\0", sizeof head);
}

static void what_was_written_is_read(void **state) {
    uint8_t datagram[WRN_VXLAN_HEAD_SIZE + FRAME] = {0};
    wrn_span whole = {datagram, sizeof datagram};
    wrn_span frame;
    uint32_t vni = 0;
    (void)state;
    for (uint32_t wanted = 0; wanted <= WRN_VXLAN_VNI_MAX; wanted = 2 * wanted + 1) {
        wrn_vxlan_write(wanted, datagram);
        assert_int_equal(wrn_vxlan_read(whole, &vni, &frame), WRN_VXLAN_OK);
        assert_int_equal(vni, wanted);
        assert_ptr_equal(frame.data, datagram + WRN_VXLAN_HEAD_SIZE);
        assert_int_equal(frame.size, FRAME);
    }
    for (size_t i = 0; i < WRN_VXLAN_HEAD_SIZE; i++) { /* reserved bits are ignored */
        wrn_vxlan_write(7, datagram);
        datagram[i] |= i == 0 ? 0xf7 : i < 4 || i == 7 ? 0xff : 0;
        assert_int_equal(wrn_vxlan_read(whole, &vni, &frame), WRN_VXLAN_OK);
        assert_int_equal(vni, 7);
    }
}

static void other_datagrams_are_refused(void **state) {
    uint8_t datagram[WRN_VXLAN_HEAD_SIZE + FRAME] = {0};
    wrn_span frame;
    uint32_t vni = 0;
    (void)state;
    wrn_vxlan_write(7, datagram);
    for (size_t size = 0; size < sizeof datagram; size++) {
        bool fits = size >= WRN_VXLAN_HEAD_SIZE + WRN_VXLAN_FRAME_MIN;
        assert_int_equal(wrn_vxlan_read((wrn_span){datagram, size}, &vni, &frame),
                         fits ? WRN_VXLAN_OK : WRN_VXLAN_SHORT);
    }
    datagram[0] = 0xf7;
    assert_int_equal(wrn_vxlan_read((wrn_span){datagram, sizeof datagram}, &vni, &frame),
                     WRN_VXLAN_NO_VNI);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_those_of_the_rfc),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(other_datagrams_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
