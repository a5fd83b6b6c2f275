/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the file of a network's ports: what is read of it is written, and read as the same. */
#include "fuzz.h"

#include <stdlib.h>

#include "daemon/attach_internal.h"

static const wrn_handle network = {1, 1};

static size_t print(const struct wrn_attach *attach, char *ret_text) {
    size_t size = 0;
    int error = wrn_attach_write(attach, network, ret_text, &size);
    WRN_ASSERT(error == 0 && size > 0 && size <= WRN_ATTACH_TEXT_MAX);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_attach *first = calloc(1, sizeof *first);
    struct wrn_attach *second = calloc(1, sizeof *second);
    char *text = malloc(WRN_ATTACH_TEXT_MAX), *again = malloc(WRN_ATTACH_TEXT_MAX);
    WRN_ASSERT(first != NULL && second != NULL && text != NULL && again != NULL);
    (void)wrn_attach_read(first, network, (wrn_span){data, size});
    size_t text_size = print(first, text);
    WRN_ASSERT(!wrn_attach_read(second, network, (wrn_span){(uint8_t *)text, text_size}));
    WRN_ASSERT(print(second, again) == text_size && memcmp(text, again, text_size) == 0);
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        const struct wrn_attach_port *port = &first->entries[i].port;
        if (first->entries[i].is_used) {
            WRN_ASSERT(memchr(port->interface, '\0', sizeof port->interface) != NULL);
            WRN_ASSERT(port->vlan <= WRN_ATTACH_VLAN_MAX);
            WRN_ASSERT(port->is_vtep == (port->interface[0] == '\0'));
        }
    }
    free(first);
    free(second);
    free(text);
    free(again);
    return 0;
}
