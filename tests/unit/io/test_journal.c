/* SPDX-License-Identifier: Apache-2.0 */
/* Entries for the journal. Goal: each field as the protocol has it, whatever stands in it, and none
 * that is cut. Method: bytes compared. */
#include "io/journal.h"

#include "unit/base/check.h"

static void fields_are_lines(void **state) {
    static const char wanted[] = "MESSAGE=a=b\nPRIORITY=6\nEMPTY=\n";
    struct wrn_journal_entry entry = {0};
    (void)state;
    wrn_journal_put(&entry, "MESSAGE", "a=b");
    wrn_journal_put(&entry, "NOT_THERE", NULL);
    wrn_journal_put(&entry, "PRIORITY", "6");
    wrn_journal_put(&entry, "EMPTY", "");
    assert_int_equal(entry.size, sizeof wanted - 1);
    assert_memory_equal(entry.bytes, wanted, sizeof wanted - 1);
}

static void a_text_of_several_lines_makes_no_field_of_its_own(void **state) {
    static const char wanted[] = "MESSAGE\n\x0c\0\0\0\0\0\0\0one\n_UID=0\nx\nPRIORITY=3\n";
    struct wrn_journal_entry entry = {0};
    (void)state;
    wrn_journal_put(&entry, "MESSAGE", "one\n_UID=0\nx");
    wrn_journal_put(&entry, "PRIORITY", "3");
    assert_int_equal(entry.bytes[8], 12);
    assert_int_equal(entry.size, sizeof wanted - 1);
    assert_memory_equal(entry.bytes, wanted, sizeof wanted - 1);
}

static void what_does_not_fit_is_left_out_whole(void **state) {
    struct wrn_journal_entry entry = {0};
    char large[WRN_JOURNAL_ENTRY_MAX];
    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    wrn_journal_put(&entry, "A", "1");
    wrn_journal_put(&entry, "LARGE", large);
    wrn_journal_put(&entry, "B", "2");
    assert_int_equal(entry.size, 8);
    assert_memory_equal(entry.bytes, "A=1\nB=2\n", 8);
}

static void nothing_is_opened_where_standard_error_does_not_lead_there(void **state) {
    (void)state;
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_int_equal(wrn_journal_open(), -ENOENT);
    assert_int_equal(setenv("JOURNAL_STREAM", "1:2", 1), 0);
    assert_int_equal(wrn_journal_open(), -ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_lines),
        cmocka_unit_test(a_text_of_several_lines_makes_no_field_of_its_own),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(nothing_is_opened_where_standard_error_does_not_lead_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
