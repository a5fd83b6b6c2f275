/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of a network's state, in whatever form the file has. What it takes is written
 * again and read back the same; what it refuses leaves nothing behind. */
#include "fuzz.h"

#include "fuzz/overlay_stub.h"
#include "node/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t canonical[WRN_STATE_MAX], again[WRN_STATE_MAX];
    struct wrn_state first, second;
    struct wrn_sexp sexp;
    if (size > WRN_STATE_MAX / 2 || wrn_sexp_read(WRN_SEXP_ANY, (wrn_span){data, size}, canonical,
                                                  sizeof canonical, &sexp, NULL, NULL) != 0) {
        return 0;
    }
    uint8_t *copy = malloc(sexp.bytes.size); /* of its own size, so that reading on is noticed */
    HOLDS(copy);
    memcpy(copy, sexp.bytes.data, sexp.bytes.size);
    enum wrn_state_fault fault = wrn_state_read((wrn_span){copy, sexp.bytes.size}, &first);
    HOLDS(fault < WRN_STATE_FAULTS);
    if (fault != WRN_STATE_OK) {
        HOLDS(wrn_is_zero_secret(&first, sizeof first));
    } else {
        size_t written = wrn_state_write(&first, again, sizeof again);
        HOLDS(written == sexp.bytes.size && memcmp(again, copy, written) == 0);
        HOLDS(wrn_state_read((wrn_span){again, written}, &second) == WRN_STATE_OK);
    }
    free(copy);
    return 0;
}
