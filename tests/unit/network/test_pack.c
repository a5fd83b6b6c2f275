/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packed certificates come back as the very bytes that were signed; whatever cannot come back
 * so is refused by name; bytes from others never break anything. Method: chains of keys made from
 * letters; every byte of a packed chain cut off and changed. */
#include "network/pack.h"

#include "base/rand.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

static struct wrn_pack_frame frame;
static uint8_t packed[WRN_PACK_EXPANDED_MAX];
static uint8_t expanded[WRN_PACK_EXPANDED_MAX];

static int set_up(void **state) {
    (void)state;
    frame = chain_frame('O');
    chain_begin('O');
    return 0;
}

static enum wrn_pack_fault fault_of(struct wrn_sexp sequence) {
    enum wrn_pack_fault fault;
    size_t size;
    int error = wrn_pack(&frame, sequence, packed, sizeof packed, &size, &fault);
    assert_true((error == 0) == (fault == WRN_PACK_OK) && (error == 0) == (size > 0));
    return fault;
}

static size_t pack(struct wrn_sexp sequence) {
    enum wrn_pack_fault fault;
    size_t size;
    int error = wrn_pack(&frame, sequence, packed, sizeof packed, &size, &fault);
    CHECK(error == 0, "%s: ", wrn_pack_fault_text(fault));
    return size;
}

static struct wrn_sexp expand(size_t size) {
    struct wrn_sexp sequence;
    assert_int_equal(wrn_pack_expand(&frame, (wrn_span){packed, size}, expanded, &sequence), 0);
    return sequence;
}

static void a_chain_comes_back(void **state) {
    (void)state;
    chain_add('O', 'A', "(* set (admin) (invite) (member))", true, NULL, NULL);
    chain_add('A', 'B', "(* set (invite) (member))", true, "2026-01-01_00:00:00", NULL);
    chain_add('B', 'C', "(member)", false, "2026-01-01_00:00:00", "2026-12-31_23:59:59");
    struct wrn_sexp sequence = chain_end();
    size_t size = pack(sequence);
    assert_true(wrn_sexp_equal(expand(size), sequence));
    assert_true(size * 3 < sequence.bytes.size);
    assert_in_range(size, 1, 420); /* of 1,100 that may be shown */
}

static void order_and_keys_do_not_matter(void **state) {
    (void)state;
    chain_add('A', 'B', "(member)", false, NULL, NULL);
    chain_add_key('A');
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    size_t size = pack(chain_end());
    struct wrn_sexp sequence = expand(size);
    chain_begin('O');
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('A', 'B', "(member)", false, NULL, NULL);
    assert_true(wrn_sexp_equal(sequence, chain_end()));
}

static void one_issuer_may_issue_several(void **state) {
    (void)state;
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('A', 'C', "(member)", false, NULL, NULL);
    chain_add('A', 'C', "(name web)", false, NULL, NULL);
    chain_add('O', 'C', "(relay)", false, NULL, NULL);
    struct wrn_sexp sequence = chain_end();
    assert_true(wrn_sexp_equal(expand(pack(sequence)), sequence));
}

static void as_many_as_may_be(void **state) {
    (void)state;
    for (int i = 0; i < WRN_PACK_CERTS_MAX; i++) {
        chain_add(i == 0 ? 'O' : (char)('a' + i - 1), (char)('a' + i), "(*)", true,
                  "2026-01-01_00:00:00", "2026-12-31_23:59:59");
    }
    struct wrn_sexp sequence = chain_end();
    assert_true(wrn_sexp_equal(expand(pack(sequence)), sequence));
    chain_add('l', 'm', "(*)", true, NULL, NULL);
    assert_int_equal(fault_of(chain_end()), WRN_PACK_TOO_MANY);
    chain_begin('O');
    assert_int_equal(fault_of(chain_end()), WRN_PACK_TOO_MANY);
}

static void what_cannot_be_packed_is_named(void **state) {
    (void)state;
    static const struct {
        enum wrn_pack_fault fault;
        const char *cert; /* issued by the owner, between his key and the end */
    } cases[] = {
        {WRN_PACK_OK, "(subject @A) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject @A) (tag (warren $ (member))) (comment x)"},
        {WRN_PACK_SHAPE, "(issuer-info (a)) (subject @A) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject #A) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject (name @A b)) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject (k-of-n '1' '1' @A)) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject @A) (propagate (only @B)) (tag (warren $ (member)))"},
        {WRN_PACK_SHAPE, "(subject @A) (tag (warren $ (member))) (valid (online crl @A))"},
        {WRN_PACK_SHAPE, "(subject @A) (tag (warren $ (member)))"
                         "(valid (not-after '1969-12-31_23:59:59'))"},
        {WRN_PACK_OTHER_NETWORK, "(subject @A) (tag (*))"},
        {WRN_PACK_OTHER_NETWORK, "(subject @A) (tag (warren))"},
        {WRN_PACK_OTHER_NETWORK, "(subject @A) (tag (warren $))"},
        {WRN_PACK_OTHER_NETWORK, "(subject @A) (tag (warren lab (member)))"},
        {WRN_PACK_OTHER_NETWORK, "(subject @A) (tag (warren $ (member) (relay)))"},
        {WRN_PACK_NOT_CERTS, "(subject @A)"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        chain_begin('O');
        chain_add_text('O', cases[i].cert);
        enum wrn_pack_fault fault = fault_of(chain_end());
        CHECK(fault == cases[i].fault, "%s: %s: ", cases[i].cert, wrn_pack_fault_text(fault));
    }
}

static void issuers_and_signatures_must_be_there(void **state) {
    (void)state;
    chain_add('A', 'B', "(member)", false, NULL, NULL);
    assert_int_equal(fault_of(chain_end()), WRN_PACK_NO_ISSUER);
    chain_begin('O');
    chain_add_unsigned('O', 'A', "(member)");
    assert_int_equal(fault_of(chain_end()), WRN_PACK_NOT_SIGNED);
    chain_begin('O');
    chain_add('O', 'A', "(*)", true, NULL, NULL);
    chain_add('B', 'C', "(*)", true, NULL, NULL); /* and round: neither is known first */
    chain_add('C', 'B', "(*)", true, NULL, NULL);
    assert_int_equal(fault_of(chain_end()), WRN_PACK_NO_ISSUER);
}

static void room_is_asked_for(void **state) {
    (void)state;
    chain_add('O', 'A', "(member)", false, NULL, NULL);
    struct wrn_sexp sequence = chain_end();
    size_t size = pack(sequence);
    for (size_t capacity = 0; capacity < size; capacity++) {
        enum wrn_pack_fault fault;
        size_t got;
        assert_int_equal(wrn_pack(&frame, sequence, packed, capacity, &got, &fault),
                         WRN_ERR_MALFORMED);
        assert_int_equal(fault, WRN_PACK_TOO_LARGE);
    }
}

static void an_element_may_be_so_long(void **state) {
    (void)state;
    char element[800] = "(name ";
    memset(element + 6, 'x', 629); /* (4:name629:...) is 641 bytes */
    element[635] = ')';
    chain_add('O', 'A', element, false, NULL, NULL);
    assert_int_equal(fault_of(chain_end()), WRN_PACK_TOO_LARGE);
    element[strlen(element) - 2] = ')';
    element[strlen(element) - 1] = '\0';
    chain_begin('O');
    chain_add('O', 'A', element, true, "2026-01-01_00:00:00", "2026-12-31_23:59:59");
    struct wrn_sexp sequence = chain_end();
    assert_true(wrn_sexp_equal(expand(pack(sequence)), sequence));
}

static void cut_and_changed_bytes_break_nothing(void **state) {
    (void)state;
    chain_add('O', 'A', "(* set (invite) (member))", true, "2026-01-01_00:00:00", NULL);
    chain_add('A', 'B', "(member)", false, NULL, "2026-12-31_23:59:59");
    struct wrn_sexp sequence = chain_end();
    struct wrn_sexp other;
    size_t size = pack(sequence);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(wrn_pack_expand(&frame, (wrn_span){packed, cut}, expanded, &other),
                         WRN_ERR_MALFORMED);
    }
    packed[size] = 0;
    assert_int_equal(wrn_pack_expand(&frame, (wrn_span){packed, size + 1}, expanded, &other),
                     WRN_ERR_MALFORMED);
    for (size_t at = 0; at < size; at++) {
        for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
            packed[at] ^= bit;
            if (wrn_pack_expand(&frame, (wrn_span){packed, size}, expanded, &other) == 0) {
                assert_false(wrn_sexp_equal(other, sequence));
            }
            packed[at] ^= bit;
        }
    }
}

static void another_network_gives_other_certificates(void **state) {
    (void)state;
    chain_add('O', 'A', "(member)", false, NULL, NULL);
    struct wrn_sexp sequence = chain_end();
    size_t size = pack(sequence);
    frame.network[0] ^= 1;
    assert_false(wrn_sexp_equal(expand(size), sequence));
    frame = chain_frame('P');
    assert_false(wrn_sexp_equal(expand(size), sequence));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_chain_comes_back, set_up),
        cmocka_unit_test_setup(order_and_keys_do_not_matter, set_up),
        cmocka_unit_test_setup(one_issuer_may_issue_several, set_up),
        cmocka_unit_test_setup(as_many_as_may_be, set_up),
        cmocka_unit_test_setup(what_cannot_be_packed_is_named, set_up),
        cmocka_unit_test_setup(issuers_and_signatures_must_be_there, set_up),
        cmocka_unit_test_setup(room_is_asked_for, set_up),
        cmocka_unit_test_setup(an_element_may_be_so_long, set_up),
        cmocka_unit_test_setup(cut_and_changed_bytes_break_nothing, set_up),
        cmocka_unit_test_setup(another_network_gives_other_certificates, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
