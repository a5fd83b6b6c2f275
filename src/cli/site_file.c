/* SPDX-License-Identifier: Apache-2.0 */
/* Reads site files. What can be checked without the daemon is checked here, so that a fault is
 * found before anything is done. */
#include <jansson.h>
#include <strings.h>

#include "cli/remote.h"
#include "cli/site.h"

enum { VLAN_MAX = 4094, VLAN_DIGITS = 4 };

static int on_line(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line);
static int begin_network(struct wrn_cli *cli, struct wrn_site *site,
                         const struct wrn_ini_line *line);
static int read_port(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line);
static int read_port_word(struct wrn_cli *cli, const struct wrn_ini_line *line, const char *word,
                          struct wrn_site_port *port);
static int read_join(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line);
static int read_setting(struct wrn_cli *cli, struct wrn_site_network *network,
                        const struct wrn_ini_line *line);
static int read_text(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line);
static int check_network(struct wrn_cli *cli, const struct wrn_site_network *network);
static bool is_setting(const char *key);

int wrn_site_read(struct wrn_cli *cli, const char *file, wrn_span text,
                  const struct wrn_ini_variable *variables, size_t variable_count,
                  struct wrn_site **ret_site) {
    struct wrn_site *site = wrn_cli_take(cli, 1, sizeof *site);
    int code = wrn_ini_read(cli, file, text, variables, variable_count, on_line, site);
    for (size_t i = 0; i < site->network_count && code == WRN_CLI_DONE; i++) {
        code = check_network(cli, &site->networks[i]);
    }
    if (code == WRN_CLI_DONE && site->network_count == 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s has no [network NAME]: nothing is to be done",
                            wrn_cli_quote(cli, file));
    }
    *ret_site = site;
    return code;
}

static int on_line(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line) {
    struct wrn_site *site = ctx;
    if (line->key == NULL) {
        return begin_network(cli, site, line);
    }
    struct wrn_site_network *network = &site->networks[site->network_count - 1];
    if (strcmp(line->key, "attach") == 0 || strcmp(line->key, "vtep") == 0) {
        return read_port(cli, network, line);
    }
    if (strcmp(line->key, "join") == 0) {
        return read_join(cli, network, line);
    }
    return is_setting(line->key) ? read_setting(cli, network, line) : read_text(cli, network, line);
}

static int begin_network(struct wrn_cli *cli, struct wrn_site *site,
                         const struct wrn_ini_line *line) {
    if (strcmp(line->kind, "network") != 0 || *line->name == '\0') {
        return wrn_ini_fail(cli, line, "the sections of a site are [network NAME]");
    }
    for (size_t i = 0; i < site->network_count; i++) {
        if (strcmp(site->networks[i].name, line->name) == 0) {
            return wrn_ini_fail(cli, line, "the network %s stands in line %zu already",
                                wrn_cli_quote(cli, line->name), site->networks[i].line.number);
        }
    }
    if (site->network_count == WRN_SITE_NETWORKS_MAX) {
        return wrn_ini_fail(cli, line, "a host can be in %d networks", WRN_SITE_NETWORKS_MAX);
    }
    site->networks[site->network_count++] =
        (struct wrn_site_network){.line = *line, .name = line->name, .is_l2 = true};
    return WRN_CLI_DONE;
}

/* "eth1", "eth1 vlan=12 force", or a VTEP's addresses. */
static int read_port(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line) {
    struct wrn_site_port port = {0};
    int code = WRN_CLI_DONE;
    if (network->port_count == WRN_SITE_PORTS_MAX || *line->value == '\0') {
        return wrn_ini_fail(cli, line, "%s",
                            *line->value == '\0' ? "what is to be attached?"
                                                 : "there are too many ports");
    }
    if (strcmp(line->key, "vtep") == 0) {
        port.vtep = line->value;
    } else {
        const char *rest = line->value;
        while (*rest != '\0' && code == WRN_CLI_DONE) {
            size_t size = strcspn(rest, " \t");
            code = read_port_word(cli, line, wrn_cli_text(cli, "%.*s", (int)size, rest), &port);
            rest += size;
            rest += strspn(rest, " \t");
        }
    }
    network->ports[network->port_count++] = port;
    return code;
}

static int read_port_word(struct wrn_cli *cli, const struct wrn_ini_line *line, const char *word,
                          struct wrn_site_port *port) {
    static const char vlan[] = "vlan=";
    if (port->interface == NULL) {
        port->interface = word;
    } else if (strcmp(word, "force") == 0) {
        port->is_forced = true;
    } else if (port->vlan == 0 && strncmp(word, vlan, sizeof vlan - 1) == 0) {
        const char *digits = word + sizeof vlan - 1;
        size_t size = strspn(digits, "0123456789");
        for (size_t i = 0; i < size && size <= VLAN_DIGITS; i++) {
            port->vlan = port->vlan * 10 + (uint32_t)(digits[i] - '0');
        }
        bool is_long = size > VLAN_DIGITS;
        if (is_long || digits[size] != '\0' || port->vlan < 1 || port->vlan > VLAN_MAX) {
            return wrn_ini_fail(cli, line, "vlan= has to be a number from 1 to %d", VLAN_MAX);
        }
    } else {
        return wrn_ini_fail(cli, line,
                            "behind the interface there may be one vlan=NUMBER, and force, not %s",
                            wrn_cli_quote(cli, word));
    }
    return WRN_CLI_DONE;
}

/* Whoever is between us and a server without TLS could read an invitation and use it himself, or
 * give us one into a network of his. */
static int read_join(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line) {
    if (strncasecmp(line->value, "http://", 7) == 0) {
        return wrn_ini_fail(cli, line,
                            "an invitation is a secret, and http:// shows it to everybody on the "
                            "way, who may change it, too: fetch it by https://, or put it into a "
                            "file");
    }
    if (*line->value == '\0') {
        return wrn_ini_fail(cli, line,
                            "join is an invitation, the name of a file with one, or an "
                            "https:// address of one");
    }
    network->join = line->value;
    return WRN_CLI_DONE;
}

static int read_setting(struct wrn_cli *cli, struct wrn_site_network *network,
                        const struct wrn_ini_line *line) {
    json_t *params = wrn_cli_json_object(cli);
    const char *text = wrn_cli_text(cli, "%s=%s", line->key, line->value);
    struct wrn_cli quiet = *cli; /* what is wrong is said with its line */
    FILE *nowhere = fopen("/dev/null", "we");
    if (nowhere != NULL) {
        quiet.out = quiet.err = nowhere;
        quiet.json = false;
    }
    int code = wrn_bridge_read_setting(&quiet, text, params);
    cli->blocks = quiet.blocks;
    if (nowhere != NULL) {
        (void)fclose(nowhere);
    }
    json_decref(params);
    if (code != WRN_CLI_DONE) {
        return wrn_ini_fail(cli, line,
                            "there are dhcp = allow or deny, dhcp-server = on or off, arp = on or "
                            "off, loop-guard = on or off, storm = NUMBER and age = SECONDS");
    }
    if (network->setting_count == WRN_SITE_SETTINGS_MAX) {
        return wrn_ini_fail(cli, line, "one setting has several values");
    }
    network->settings[network->setting_count++] = text;
    return WRN_CLI_DONE;
}

static int read_text(struct wrn_cli *cli, struct wrn_site_network *network,
                     const struct wrn_ini_line *line) {
    const struct {
        const char *key;
        const char **value;
    } texts[] = {
        {"host-name", &network->host_name}, {"ipv4", &network->ipv4}, {"ipv6", &network->ipv6}};
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        if (strcmp(line->key, texts[i].key) == 0) {
            *texts[i].value = line->value;
            return WRN_CLI_DONE;
        }
    }
    if (strcmp(line->key, "kind") == 0) {
        network->has_kind = true;
        network->is_l2 = strcmp(line->value, "l2") == 0;
        return network->is_l2 || strcmp(line->value, "l3") == 0
                   ? WRN_CLI_DONE
                   : wrn_ini_fail(cli, line, "kind is l2 or l3");
    }
    if (strcmp(line->key, "create") == 0) {
        network->creates = strcmp(line->value, "yes") == 0;
        return network->creates || strcmp(line->value, "no") == 0
                   ? WRN_CLI_DONE
                   : wrn_ini_fail(cli, line, "create is yes or no");
    }
    return wrn_ini_fail(cli, line,
                        "%s is no setting of a network: there are join, create, kind, host-name, "
                        "ipv4, ipv6, attach, vtep, dhcp, dhcp-server, arp, loop-guard, storm and "
                        "age",
                        line->key);
}

static int check_network(struct wrn_cli *cli, const struct wrn_site_network *network) {
    bool is_bridged = network->port_count > 0 || network->setting_count > 0;
    if (network->creates && network->join != NULL) {
        return wrn_ini_fail(cli, &network->line, "%s is either created or joined, not both",
                            wrn_cli_quote(cli, network->name));
    }
    if (is_bridged && !network->is_l2) {
        return wrn_ini_fail(cli, &network->line,
                            "%s is of kind l3, which has no bridge: nothing can be attached",
                            wrn_cli_quote(cli, network->name));
    }
    if (!network->creates && (network->ipv4 != NULL || network->ipv6 != NULL)) {
        return wrn_ini_fail(cli, &network->line, "ranges are chosen by who creates %s",
                            wrn_cli_quote(cli, network->name));
    }
    return WRN_CLI_DONE;
}

static bool is_setting(const char *key) {
    static const char *const keys[] = {"dhcp", "dhcp-server", "arp", "loop-guard", "storm", "age"};
    for (size_t i = 0; i < WRN_COUNT(keys); i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}
