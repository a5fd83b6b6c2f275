/* SPDX-License-Identifier: Apache-2.0 */
/* What workers tell the control thread: nothing is mixed up, a flood of one kind leaves room for
 * the other, and the other side is woken. */
#include "plane/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wg/uapi.h"

static bool was_woken(int fd) {
    eventfd_t count;
    return eventfd_read(fd, &count) == 0;
}

/* Goal: packets fill only their own ring; lost asks are remembered, lost packets are the caller's
 * to count. Method: puts until a ring is full, then everything is read back. */
static void floods(void **state) {
    static const uint8_t packet[1400] = {1, 2, 3};
    struct wrn_reports reports = {0};
    struct wrn_report ask = {.kind = WRN_REPORT_ASK, .ask = {.kind = WRN_WG_ASK_RENEW}};
    struct wrn_report of_packet = {.kind = WRN_REPORT_PACKET, .peer = {7, 9}};
    size_t packets = 0;
    size_t asks = 0;
    size_t size;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(wrn_reports_init(&reports, false, fd), 0);
    while (wrn_reports_put(&reports, &of_packet, (wrn_span){packet, sizeof packet})) {
        packets++;
    }
    assert_in_range(packets, 128, 100000); /* as many as may wait for a peer, at least */
    assert_int_equal(wrn_reports_take_facts(&reports), 0);
    while (wrn_reports_put(&reports, &ask, (wrn_span){NULL, 0})) {
        asks++;
    }
    assert_in_range(asks, 128, 100000);
    assert_int_equal(wrn_reports_take_facts(&reports), WRN_FACT_ASKS_LOST);
    assert_int_equal(wrn_reports_take_facts(&reports), 0); /* said once */
    assert_true(was_woken(fd));
    wrn_reports_state(&reports, WRN_FACT_DELETED); /* has room in full rings */
    assert_true(was_woken(fd));
    wrn_reports_state(&reports, WRN_UAPI_OFFLOAD_GSO);
    assert_false(wrn_reports_are_empty(&reports));
    assert_int_equal(wrn_reports_take_facts(&reports), WRN_FACT_DELETED | WRN_UAPI_OFFLOAD_GSO);
    assert_true(was_woken(fd));
    wrn_reports_flush(&reports);
    assert_true(was_woken(fd));
    for (; packets > 0; packets--) {
        const struct wrn_report *report = wrn_report_first(reports.packets, &size);
        assert_non_null(report);
        assert_int_equal(report->kind, WRN_REPORT_PACKET);
        assert_int_equal(report->peer.index, 7);
        assert_int_equal(size, sizeof packet);
        assert_memory_equal(report->bytes, packet, sizeof packet);
        wrn_ring_release(reports.packets);
    }
    assert_null(wrn_report_first(reports.packets, &size));
    for (; asks > 0; asks--) {
        const struct wrn_report *report = wrn_report_first(reports.messages, &size);
        assert_non_null(report);
        assert_int_equal(report->ask.kind, WRN_WG_ASK_RENEW);
        assert_int_equal(size, 0);
        wrn_ring_release(reports.messages);
    }
    assert_true(wrn_reports_are_empty(&reports));
    wrn_reports_finish(&reports);
    (void)close(fd);
}

/* Goal: nobody sleeps on a lost ask. The control thread takes the facts and then reads a full ring;
 * an ask that found no room in between leaves nothing in the ring that would be shown later. It is
 * woken once for all asks that are lost until it takes the facts again. */
static void lost_asks_wake(void **state) {
    struct wrn_reports reports = {0};
    struct wrn_report ask = {.kind = WRN_REPORT_ASK, .ask = {.kind = WRN_WG_ASK_TIMER}};
    struct wrn_report datagram = {.kind = WRN_REPORT_DATAGRAM};
    size_t size;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(wrn_reports_init(&reports, false, fd), 0);
    for (int turn = 0; turn < 3; turn++) {
        while (wrn_reports_put(&reports, &datagram, (wrn_span){NULL, 0})) {
        }
        wrn_reports_flush(&reports);
        assert_true(was_woken(fd));
        assert_int_equal(wrn_reports_take_facts(&reports), 0);
        for (int i = 0; i < 3; i++) {
            assert_false(wrn_reports_put(&reports, &ask, (wrn_span){NULL, 0}));
        }
        while (wrn_report_first(reports.messages, &size) != NULL) {
            wrn_ring_release(reports.messages);
        }
        wrn_reports_flush(&reports);
        assert_true(was_woken(fd));
        assert_false(was_woken(fd));
        assert_int_equal(wrn_reports_take_facts(&reports), WRN_FACT_ASKS_LOST);
    }
    wrn_reports_finish(&reports);
    (void)close(fd);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods),
        cmocka_unit_test(lost_asks_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
