/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of locators, every signature being good. What it takes is within its limits and
 * has one encoding: written again it is the same, but for endpoints that were left out. */
#include "fuzz.h"

#include "fuzz/overlay_stub.h"
#include "overlay/locator.h"

static void check_fields(const struct wrn_locator *locator);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t seed[WRN_SEED_SIZE];
    struct overlay_stub stub = {0};
    struct wrn_primitives primitives = stub_primitives(&stub);
    struct wrn_locator locator;
    struct wrn_locator again;
    uint8_t written[WRN_LOCATOR_MAX];
    uint8_t rewritten[WRN_LOCATOR_MAX];
    uint8_t *copy = malloc(size + 1); /* of its own size, so that reading on is noticed */
    HOLDS(copy);
    if (size > 0) {
        memcpy(copy + 1, data, size);
    }
    enum wrn_reason reason =
        wrn_locator_read((wrn_span){copy + 1, size}, &primitives, NULL, &locator);
    HOLDS(reason == WRN_REASON_NONE || reason == WRN_REASON_MALFORMED ||
          reason == WRN_REASON_TOO_LARGE);
    if (reason == WRN_REASON_NONE) {
        check_fields(&locator);
        struct wrn_locator twin = locator;
        size_t twin_size =
            wrn_locator_write(&twin, &primitives, seed, NULL, written, sizeof(written));
        HOLDS(wrn_id_equal(twin.id, locator.id));
        HOLDS(twin_size > 0 && twin_size <= size);
        HOLDS(twin_size < size || memcmp(written, copy + 1, size) == 0);
        HOLDS(wrn_locator_read((wrn_span){written, twin_size}, &primitives, NULL, &again) ==
              WRN_REASON_NONE);
        HOLDS(wrn_locator_write(&again, &primitives, seed, NULL, rewritten, sizeof(rewritten)) ==
              twin_size);
        HOLDS(memcmp(written, rewritten, twin_size) == 0);
    }
    free(copy);
    return 0;
}

static void check_fields(const struct wrn_locator *locator) {
    HOLDS(locator->nat_class < WRN_NAT_CLASSES);
    HOLDS(locator->endpoint_count <= WRN_ENDPOINTS_MAX);
    HOLDS(locator->relay_count <= WRN_LOCATOR_RELAYS_MAX);
    HOLDS(locator->port_step >= -WRN_LOCATOR_STEP_MAX &&
          locator->port_step <= WRN_LOCATOR_STEP_MAX);
    for (size_t i = 0; i < locator->endpoint_count; i++) {
        const struct wrn_locator_endpoint *entry = &locator->endpoints[i];
        char text[WRN_ENDPOINT_TEXT_SIZE];
        struct wrn_endpoint parsed;
        HOLDS(entry->kind <= WRN_ENDPOINT_MAPPED && entry->at.port != 0);
        size_t size = wrn_endpoint_print(&entry->at, text);
        HOLDS(wrn_endpoint_parse((wrn_span){(const uint8_t *)text, size}, &parsed) == 0);
        HOLDS(wrn_endpoint_equal(&parsed, &entry->at));
    }
}
