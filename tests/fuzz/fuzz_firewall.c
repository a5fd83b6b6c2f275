/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what nft prints of the host's rules: whatever they are, the verdict is of one of their
 * chains, and the same when it is asked for again. */
#include "fuzz.h"

#include "daemon/doctor_firewall.h"

enum { PORT = 51820 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_firewall_drop first, second;
    memset(&first, 0xa5, sizeof first);
    memset(&second, 0x5a, sizeof second);
    json_t *ruleset = json_loadb((const char *)data, size, 0, NULL);
    bool drops = wrn_firewall_drops(ruleset, PORT, &first);
    WRN_ASSERT(drops == wrn_firewall_drops(ruleset, PORT, &second));
    if (drops) {
        WRN_ASSERT(memchr(first.chain, '\0', sizeof first.chain) != NULL);
        WRN_ASSERT(strcmp(first.family, second.family) == 0);
        WRN_ASSERT(strcmp(first.table, second.table) == 0);
        WRN_ASSERT(strcmp(first.chain, second.chain) == 0);
        WRN_ASSERT(first.by_policy == second.by_policy);
    }
    json_decref(ruleset);
    return 0;
}
