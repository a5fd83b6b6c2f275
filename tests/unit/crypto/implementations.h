/* SPDX-License-Identifier: Apache-2.0 */
/* Runs each test of AEADs once for every implementation: libcrypto's, and each that intel-ipsec-mb
 * has. Those that the processor cannot run are skipped, and say so. */
#pragma once
#include "crypto/internal.h"
#include "unit/base/check.h"

enum { IMPLEMENTATIONS = 1 + WRN_IPSEC_MB_KINDS }; /* 0 is libcrypto */

typedef void (*implementation_test)(struct wrn_crypto *crypto);

/* Returns 0 or -ENOTSUP; anything else fails the test. */
static inline int implementation_create(size_t implementation, struct wrn_crypto **ret_crypto) {
    int error =
        implementation == 0
            ? wrn_crypto_create(WRN_CRYPTO_OPENSSL, ret_crypto)
            : wrn_crypto_create_kind((enum wrn_ipsec_mb_kind)(implementation - 1), ret_crypto);
    CHECK(error == 0 || (error == -ENOTSUP && implementation > 0), "error %d: ", error);
    return error;
}

static inline const char *implementation_name(size_t implementation) {
    static const char *const names[IMPLEMENTATIONS] = {
        "openssl",
        [1 + WRN_IPSEC_MB_AVX2] = "ipsec-mb (avx2)",
        [1 + WRN_IPSEC_MB_AVX512] = "ipsec-mb (avx512)",
        [1 + WRN_IPSEC_MB_AVX512_VAES] = "ipsec-mb (avx512, vaes)",
    };
    return names[implementation];
}

struct implementation_case {
    implementation_test test;
    size_t implementation;
    char name[100];
};

static inline void implementation_run(void **state) {
    const struct implementation_case *one = *state;
    struct wrn_crypto *crypto = NULL;
    if (implementation_create(one->implementation, &crypto) != 0) {
        print_message("# skipped: neither this processor nor this build has %s\n",
                      implementation_name(one->implementation));
        skip();
        return;
    }
    assert_string_equal(wrn_crypto_provider_name(crypto), implementation_name(one->implementation));
    one->test(crypto);
    wrn_crypto_destroy(crypto);
}

struct implementation_list {
    const char *name;
    implementation_test test;
};

/* Makes a test of each of the 'count' in the list for each implementation; the arrays have room. */
static inline void implementation_fill(struct CMUnitTest *tests, struct implementation_case *cases,
                                       const struct implementation_list *list, size_t count) {
    for (size_t i = 0; i < count * IMPLEMENTATIONS; i++) {
        cases[i].test = list[i / IMPLEMENTATIONS].test;
        cases[i].implementation = i % IMPLEMENTATIONS;
        (void)snprintf(cases[i].name, sizeof(cases[i].name), "%s: %s",
                       list[i / IMPLEMENTATIONS].name, implementation_name(i % IMPLEMENTATIONS));
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = implementation_run, .initial_state = &cases[i]};
    }
}
