/* SPDX-License-Identifier: Apache-2.0 */
/* The words for verdicts and faults of the policy. No I/O. */
#include "network/policy.h"

const char *wrn_policy_fault_text(enum wrn_policy_fault fault) {
    static const char *const texts[] = {
#define X(name, text) [WRN_POLICY_FAULT_##name] = text,
        WRN_POLICY_FAULT_LIST(X)
#undef X
    };
    return texts[fault];
}

const char *wrn_policy_refusal_name(enum wrn_policy_refusal refusal) {
    static const char *const names[] = {
#define X(name, counter, text) [WRN_POLICY_##name] = counter,
        WRN_POLICY_REFUSAL_LIST(X)
#undef X
    };
    return names[refusal];
}

const char *wrn_policy_refusal_text(enum wrn_policy_refusal refusal) {
    static const char *const texts[] = {
#define X(name, counter, text) [WRN_POLICY_##name] = text,
        WRN_POLICY_REFUSAL_LIST(X)
#undef X
    };
    return texts[refusal];
}

const char *wrn_policy_ground_name(enum wrn_policy_ground ground) {
    static const char *const names[] = {
#define X(name, counter) [WRN_POLICY_BY_##name] = counter,
        WRN_POLICY_GROUND_LIST(X)
#undef X
    };
    return names[ground];
}
