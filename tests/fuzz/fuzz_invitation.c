/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of invitations, in all their forms. What it takes is printed again in each form
 * and read back the same; what it refuses leaves no secret behind. */
#include "fuzz.h"

#include "fuzz/overlay_stub.h"
#include "network/invitation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_invitation first, second;
    char text[WRN_INVITATION_FILE_MAX];
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(copy);
    if (size > 0) {
        memcpy(copy + 1, data, size);
    }
    enum wrn_invitation_fault fault = wrn_invitation_read((wrn_span){copy + 1, size}, &first);
    HOLDS(fault < WRN_INVITATION_FAULTS);
    if (fault != WRN_INVITATION_OK) {
        HOLDS(wrn_is_zero_secret(&first, sizeof first));
    } else {
        size_t length = wrn_invitation_print_line(&first, text, sizeof text);
        HOLDS(length > 0 && length < WRN_INVITATION_LINE_MAX);
        HOLDS(wrn_invitation_read((wrn_span){(uint8_t *)text, length}, &second) ==
              WRN_INVITATION_OK);
        HOLDS(second.chain_size == first.chain_size &&
              memcmp(second.chain, first.chain, first.chain_size) == 0 &&
              memcmp(second.seed, first.seed, sizeof first.seed) == 0);
        length = wrn_invitation_print_file(&first, text, sizeof text);
        HOLDS(wrn_invitation_read((wrn_span){(uint8_t *)text, length}, &second) ==
              WRN_INVITATION_OK);
        length = wrn_invitation_print_qr(&second, text, sizeof text);
        HOLDS(wrn_invitation_read((wrn_span){(uint8_t *)text, length}, &first) ==
              WRN_INVITATION_OK);
    }
    free(copy);
    return 0;
}
