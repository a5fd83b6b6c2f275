/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes site files: what is taken keeps to the bounds that attaching relies on, what is refused is
 * said in one line without control characters. */
#include "fuzz.h"

#include <stdlib.h>

#include "cli/site.h"

enum { VLAN_MAX = 4094 };

static void check_site(const struct wrn_site *site) {
    WRN_ASSERT(site->network_count > 0 && site->network_count <= WRN_SITE_NETWORKS_MAX);
    for (size_t i = 0; i < site->network_count; i++) {
        const struct wrn_site_network *network = &site->networks[i];
        WRN_ASSERT(network->name != NULL && network->name[0] != '\0');
        WRN_ASSERT(!network->creates || network->join == NULL);
        WRN_ASSERT(network->port_count <= WRN_SITE_PORTS_MAX);
        WRN_ASSERT(network->setting_count <= WRN_SITE_SETTINGS_MAX);
        for (size_t k = 0; k < network->port_count; k++) {
            const struct wrn_site_port *port = &network->ports[k];
            WRN_ASSERT((port->interface == NULL) != (port->vtep == NULL));
            WRN_ASSERT(port->vlan <= VLAN_MAX);
        }
        for (size_t k = 0; k < network->setting_count; k++) {
            WRN_ASSERT(strchr(network->settings[k], '=') != NULL);
        }
    }
}

static void check_refusal(const char *said, size_t size) {
    WRN_ASSERT(size > 1 && said[size - 1] == '\n');
    for (size_t i = 0; i + 1 < size; i++) {
        WRN_ASSERT((uint8_t)said[i] >= ' ');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct wrn_ini_variable variables[] = {{"site", "north"}, {"nothing", ""}};
    struct wrn_cli cli;
    struct wrn_site *site = NULL;
    char *said = NULL;
    size_t said_size = 0;
    FILE *err = open_memstream(&said, &said_size);
    WRN_ASSERT(err != NULL);
    wrn_cli_init(&cli, err, err, 0);
    int code = wrn_site_read(&cli, "a file", (wrn_span){data, size}, variables,
                             WRN_COUNT(variables), &site);
    (void)fflush(err);
    if (code == WRN_CLI_DONE) {
        check_site(site);
    } else {
        check_refusal(said, said_size);
    }
    wrn_cli_finish(&cli);
    (void)fclose(err);
    free(said);
    return 0;
}
