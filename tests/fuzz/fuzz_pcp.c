/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what a router says to a request for a port (PCP): an answer that is taken is one to this
 * request, and has an address and a port that others can be told. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/address.h"
#include "daemon/portmap_ask.h"

enum { PORT = 51820, CODE_MAX = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE] = "twelve bytes";
    const struct wrn_portmap_mapping before = {.port = PORT};
    struct wrn_portmap_mapping mapping = before;
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    WRN_ASSERT(copy != NULL);
    memcpy(copy + 1, data, size);
    int result = wrn_portmap_pcp_read((wrn_span){copy + 1, size}, nonce, PORT, &mapping);
    WRN_ASSERT(result == WRN_ERR_MALFORMED || (result >= 0 && result <= CODE_MAX));
    if (result == 0) {
        WRN_ASSERT(size >= WRN_PORTMAP_PCP_SIZE);
        WRN_ASSERT(memcmp(data + 24, nonce, sizeof nonce) == 0);
        WRN_ASSERT(mapping.external.port != 0);
        WRN_ASSERT(mapping.external.ip.family == WRN_FAMILY_IPV4);
    } else {
        WRN_ASSERT(mapping.lifetime_s == before.lifetime_s && mapping.way == before.way);
    }
    free(copy);
    return 0;
}
