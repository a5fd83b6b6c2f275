/* SPDX-License-Identifier: Apache-2.0 */
/* A site file: which networks a gateway is in, and what is attached to them. docs/layer2.md has the
 * syntax. Reading it changes nothing. */
#pragma once
#include "cli/command.h"
#include "cli/ini.h"

enum {
    WRN_SITE_NETWORKS_MAX = 64,
    WRN_SITE_PORTS_MAX = 64,
    WRN_SITE_SETTINGS_MAX = 8,
    WRN_SITE_FILE_MAX = 1 << 20, /* bytes */
};

/* Something to attach: an interface or a VTEP. */
struct wrn_site_port {
    const char *interface; /* NULL: a VTEP */
    const char *vtep;
    uint32_t vlan;
    bool is_forced;
};

struct wrn_site_network {
    struct wrn_ini_line line; /* of its title */
    const char *name;
    bool is_l2, has_kind;
    bool creates;
    const char *join; /* an invitation, a file, or where to fetch it; NULL: none */
    const char *host_name, *ipv4, *ipv6;
    size_t port_count, setting_count;
    struct wrn_site_port ports[WRN_SITE_PORTS_MAX];
    const char *settings[WRN_SITE_SETTINGS_MAX]; /* "dhcp=allow" */
};

struct wrn_site {
    size_t network_count;
    struct wrn_site_network networks[WRN_SITE_NETWORKS_MAX];
};

/* Reads and checks a whole file. Returns WRN_CLI_DONE and a site in memory of the run, or what
 * wrn_cli_fail returned, having named the line. */
WRN_NODISCARD int wrn_site_read(struct wrn_cli *cli, const char *file, wrn_span text,
                                const struct wrn_ini_variable *variables, size_t variable_count,
                                struct wrn_site **ret_site);

/* Brings this host to what the site says, by the daemon that runs: only what differs is changed.
 * Prints what was. Returns WRN_CLI_DONE, or what wrn_cli_fail returned. */
WRN_NODISCARD int wrn_site_bring_up(struct wrn_cli *cli, const struct wrn_args *args,
                                    const struct wrn_site *site, json_t **ret_changes);
