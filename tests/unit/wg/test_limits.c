/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no key seals more than its cipher bears, and a renewal begins long before that.
 * Method: the numbers of docs/protocol.md as a table, and the bound itself for every MTU. */
#include "wg/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wg/messages.h"

static void limits_are_those_of_the_specification(void **state) {
    (void)state;
    static const struct {
        uint32_t mtu;
        int rekey_bits, reject_bits;
    } table[] = {
        {0, 27, 28},     {576, 27, 28},   {1420, 27, 28},  {2048, 27, 28},  {2049, 26, 27},
        {4096, 26, 27},  {4097, 25, 26},  {8192, 25, 26},  {8920, 24, 25},  {16384, 24, 25},
        {16385, 23, 24}, {32768, 23, 24}, {32769, 22, 23}, {65535, 22, 23}, {UINT32_MAX, 22, 23},
    };
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        struct wrn_wg_limits limits = wrn_wg_limits(WRN_CIPHER_AES_256_GCM, table[i].mtu);
        assert_int_equal(limits.rekey_after, UINT64_C(1) << table[i].rekey_bits);
        assert_int_equal(limits.reject_after, UINT64_C(1) << table[i].reject_bits);
        limits = wrn_wg_limits(WRN_CIPHER_CHACHA20_POLY1305, table[i].mtu);
        assert_true(limits.rekey_after == UINT64_C(1) << 60);
        assert_true(limits.reject_after == UINT64_MAX - (UINT64_C(1) << 13));
    }
    assert_true(wrn_wg_receive_limit(WRN_CIPHER_CHACHA20_POLY1305) == WRN_WG_REJECT_AFTER_MESSAGES);
    assert_int_equal(wrn_wg_receive_limit(WRN_CIPHER_AES_256_GCM), 1 << 28);
}

/* Padding never adds a block that the MTU has not: 2^35 blocks hold for every size of packet. What
 * any sender may use, every receiver takes. */
static void no_key_seals_more_than_its_blocks(void **state) {
    (void)state;
    uint64_t receive_limit = wrn_wg_receive_limit(WRN_CIPHER_AES_256_GCM);
    for (uint32_t mtu = 0; mtu <= 65535; mtu++) {
        struct wrn_wg_limits limits = wrn_wg_limits(WRN_CIPHER_AES_256_GCM, mtu);
        uint64_t blocks = limits.reject_after * ((mtu + 15) / 16);
        assert_true(blocks <= UINT64_C(1) << 35);
        assert_true(mtu <= 2048 || blocks > UINT64_C(1) << 34);
        assert_true(limits.reject_after <= receive_limit);
        assert_true(limits.rekey_after < limits.reject_after);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_those_of_the_specification),
        cmocka_unit_test(no_key_seals_more_than_its_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
