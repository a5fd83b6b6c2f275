/* SPDX-License-Identifier: Apache-2.0 */
/* One table of names serves line, file and help. Keeps no state. */
#include "daemon/options.h"

#include <stdarg.h>
#include <stdio.h>

#include "daemon/metrics.h"
#include "node/node.h"
#include "wg/uapi.h"

enum kind {
    TEXT,
    GROUP,
    USER,
    PLACE,
    PORT,
    TCP_PORT,
    TLS_PORT,
    MTU,
    WORKERS,
    OFFLOADS,
    LEVEL,
    FLAG
};

struct option {
    const char *name;
    enum kind kind;
    size_t at;       /* in struct wrn_daemon_options */
    bool is_in_file; /* may stand in the configuration file */
};

#define AT(member) offsetof(struct wrn_daemon_options, member)

static const struct option table[] = {
    {"config", TEXT, AT(config), false},
    {"state", TEXT, AT(state), true},
    {"socket", TEXT, AT(socket), true},
    {"hooks", TEXT, AT(hooks), true},
    {"log", TEXT, AT(log), true},
    {"metrics", PLACE, AT(metrics), true},
    {"admin-group", GROUP, AT(admins), true},
    {"user", USER, AT(user), true},
    {"listen", PORT, AT(port), true},
    {"listen-tcp", TCP_PORT, AT(tcp_port), true},
    {"listen-tls", TLS_PORT, AT(tls_port), true},
    {"streams", FLAG, AT(streams), true},
    {"mtu", MTU, AT(mtu), true},
    {"workers", WORKERS, AT(workers), true},
    {"offloads", OFFLOADS, AT(offloads), true},
    {"log-level", LEVEL, AT(log_level), true},
    {"foreground", FLAG, AT(foreground), true},
    {"announce", FLAG, AT(announces), true},
    {"aes", FLAG, AT(speaks_aes), true},
    {"map-ports", FLAG, AT(maps_ports), true},
    {"dns", FLAG, AT(resolves), true},
    {"tell-resolver", FLAG, AT(tells_resolver), true},
};

static int refuse(char why[WRN_OPTIONS_WHY_SIZE], const char *format, ...) WRN_PRINTF(2, 3);
static const struct option *take_option(int argc, char *const *argv, int *i, const char **ret_value,
                                        char why[WRN_OPTIONS_WHY_SIZE]);
static int read_line(wrn_span line, struct wrn_daemon_options *options, char *why, size_t size);
static const struct option *find(wrn_span name);
static const char *set(struct wrn_daemon_options *options, const struct option *option,
                       wrn_span value);
static const char *set_text(enum kind kind, wrn_span value, char *at);
static const char *set_stream_port(enum kind kind, wrn_span value, int32_t *at);
static const char *set_level(wrn_span value, enum wrn_log_level *at);
static bool read_place(wrn_span text, char *ret_place);
static bool read_number(wrn_span text, uint32_t max, uint32_t *ret_number);
static bool read_flag(wrn_span text, bool *ret_flag);
static bool is(wrn_span text, const char *word);
static wrn_span trim(wrn_span text);

void wrn_options_default(struct wrn_daemon_options *ret_options) {
    *ret_options = (struct wrn_daemon_options){
        .state = WRN_DAEMON_STATE_FOLDER,
        .socket = WRN_DAEMON_SOCKET_PATH,
        .hooks = WRN_DAEMON_HOOKS_FOLDER,
        .tcp_port = WRN_OPTIONS_SAME,
        .tls_port = WRN_OPTIONS_OFF,
        .streams = true,
        .workers = 1,
        .offloads = WRN_UAPI_OFFLOADS_ALL,
        .log_level = WRN_LOG_INFO,
        .announces = true,
        .speaks_aes = true,
        .maps_ports = true,
        .resolves = true,
        .tells_resolver = true,
    };
}

int wrn_options_read(wrn_span text, const char *path, struct wrn_daemon_options *options,
                     char reterr_why[WRN_OPTIONS_WHY_SIZE]) {
    char why[WRN_OPTIONS_WHY_SIZE / 2];
    for (size_t number = 1; text.size > 0; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        if (read_line((wrn_span){text.data, size}, options, why, sizeof why) != 0) {
            return refuse(reterr_why, "%s, line %zu: %s", path, number, why);
        }
        size += end != NULL;
        text = (wrn_span){text.data + size, text.size - size};
    }
    return 0;
}

int wrn_options_parse(int argc, char *const *argv, bool only_config,
                      struct wrn_daemon_options *options, char reterr_why[WRN_OPTIONS_WHY_SIZE]) {
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool is_help = strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
        if (is_help || strcmp(argument, "--version") == 0 || strcmp(argument, "-V") == 0) {
            options->action = is_help ? WRN_OPTIONS_HELP : WRN_OPTIONS_VERSION;
            return 0;
        }
        const char *value;
        const struct option *option = take_option(argc, argv, &i, &value, reterr_why);
        if (option == NULL) {
            return -EINVAL;
        }
        if (only_config && strcmp(option->name, "config") != 0) {
            continue;
        }
        const char *why = set(options, option, (wrn_span){(const uint8_t *)value, strlen(value)});
        if (why != NULL) {
            return refuse(reterr_why, "--%s: %s, not %s", option->name, why, value);
        }
    }
    return 0;
}

const char *wrn_options_usage(void) {
    return "usage: warrend [OPTION]...\n"
           "Connects this machine with the networks it is in. `warren` tells it what to do.\n"
           "\n"
           "  --config FILE      reads options from a file: `name = value` a line, as below\n"
           "                     without the dashes (/etc/warren/warrend.conf, if it is there)\n"
           "  --state FOLDER     where identity and networks are (" WRN_DAEMON_STATE_FOLDER ")\n"
           "  --socket PATH      where `warren` finds it (" WRN_DAEMON_SOCKET_PATH ")\n"
           "  --admin-group NAME whoever is in this group may change things, besides root;\n"
           "                     the group `warren` may only look (nobody else)\n"
           "  --user NAME        who it becomes once it has started as root (warren, if there is\n"
           "                     such a user); root: it stays root, with few capabilities\n"
           "  --listen PORT      the UDP port of all networks, 0 for any free one (the one of\n"
           "                     last time, if it is free)\n"
           "  --listen-tcp PORT  where hosts connect whose UDP is blocked: a TCP port, `same` as\n"
           "                     the UDP port, or `off` (same)\n"
           "  --listen-tls PORT  the same for those that reach nothing but web servers: 443 is\n"
           "                     where they look, or `off` (off)\n"
           "  --no-streams       uses UDP alone, even where it is blocked\n"
           "  --foreground       does not go into the background; the log goes to stderr\n"
           "  --log FILE         where the log of the background goes (FOLDER/log)\n"
           "  --log-level LEVEL  silent, error, info or verbose (info); SIGHUP reads it anew\n"
           "                     from the configuration file\n"
           "  --mtu BYTES        of the interfaces of networks of layer 3, 1280 to 1420, or auto:\n"
           "                     what the default route's interface leaves (auto)\n"
           "  --workers N        threads that carry packets, 1 to 64, or auto (1)\n"
           "  --offloads LIST    all, none, or of csum,tso4,tso6,uso,gso,gro (all)\n"
           "  --hooks FOLDER     programs that are run when something happens\n"
           "                     (" WRN_DAEMON_HOOKS_FOLDER ")\n"
           "  --metrics PLACE    serves metrics for Prometheus at unix:PATH or ADDRESS:PORT, as\n"
           "                     127.0.0.1:9586 (nowhere)\n"
           "  --no-aes           ChaCha20-Poly1305 with all members, also where both have\n"
           "                     instructions for AES\n"
           "  --no-announce      does not look for others on the LAN\n"
           "  --no-map-ports     asks no router for a port\n"
           "  --no-dns           answers no names of the networks\n"
           "  --no-tell-resolver leaves the host's resolver alone\n"
           "  --version | --help\n"
           "\n"
           "Example: warrend && warren network create home\n";
}

static int refuse(char why[WRN_OPTIONS_WHY_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WRN_OPTIONS_WHY_SIZE, format, args);
    va_end(args);
    return -EINVAL;
}

/* Takes "--NAME VALUE", "--NAME=VALUE", "--FLAG" or "--no-FLAG"; a value behind it moves '*i' on.
 * Returns the option, or NULL with the reason. */
static const struct option *take_option(int argc, char *const *argv, int *i, const char **ret_value,
                                        char why[WRN_OPTIONS_WHY_SIZE]) {
    const char *argument = argv[*i];
    if (strncmp(argument, "--", 2) != 0) {
        (void)refuse(why, "there is no argument %s; warrend --help lists all", argument);
        return NULL;
    }
    const char *equals = strchr(argument, '=');
    size_t size = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    bool is_no = strncmp(argument, "--no-", 5) == 0;
    size_t skip = is_no ? 5 : 2;
    const struct option *option = find((wrn_span){(const uint8_t *)argument + skip, size - skip});
    if (option == NULL || (is_no && (option->kind != FLAG || equals != NULL))) {
        (void)refuse(why, "there is no option %s; warrend --help lists all", argument);
        return NULL;
    }
    if (equals != NULL || option->kind == FLAG) {
        *ret_value = equals != NULL ? equals + 1 : is_no ? "no" : "yes";
        return option;
    }
    if (*i + 1 >= argc) {
        (void)refuse(why, "a value is missing behind %s", argument);
        return NULL;
    }
    *ret_value = argv[++*i];
    return option;
}

/* Reads one line of the file. */
static int read_line(wrn_span line, struct wrn_daemon_options *options, char *why, size_t size) {
    const uint8_t *comment = line.size > 0 ? memchr(line.data, '#', line.size) : NULL;
    line.size = comment != NULL ? (size_t)(comment - line.data) : line.size;
    line = trim(line);
    if (line.size == 0) {
        return 0;
    }
    const uint8_t *equals = memchr(line.data, '=', line.size);
    if (equals == NULL) {
        (void)snprintf(why, size, "a line is `name = value`; '=' is missing");
        return -EINVAL;
    }
    wrn_span name = trim((wrn_span){line.data, (size_t)(equals - line.data)});
    wrn_span value = trim((wrn_span){equals + 1, line.size - (size_t)(equals - line.data) - 1});
    const struct option *option = find(name);
    int shown = name.size < 40 ? (int)name.size : 40;
    if (option == NULL || !option->is_in_file) {
        (void)snprintf(why, size, "there is no option \"%.*s\"; warrend --help lists all", shown,
                       (const char *)name.data);
        return -EINVAL;
    }
    const char *wrong = set(options, option, value);
    if (wrong != NULL) {
        (void)snprintf(why, size, "%s: %s", option->name, wrong);
        return -EINVAL;
    }
    return 0;
}

static const struct option *find(wrn_span name) {
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        if (is(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

/* Sets an option. Returns NULL, or what it may be. */
static const char *set(struct wrn_daemon_options *options, const struct option *option,
                       wrn_span value) {
    void *at = (char *)options + option->at;
    uint32_t number = 0;
    switch (option->kind) {
    case TEXT:
    case GROUP:
    case USER:
        return set_text(option->kind, value, at);
    case PLACE:
        return read_place(value, at) ? NULL
                                     : "it is unix:/PATH (107 bytes at most), or an address with "
                                       "a port, as 127.0.0.1:9586";
    case PORT:
        if (!read_number(value, UINT16_MAX, &number)) {
            return "it is a port, 0 to 65535";
        }
        *(uint16_t *)at = (uint16_t)number;
        return NULL;
    case TCP_PORT:
    case TLS_PORT:
        return set_stream_port(option->kind, value, at);
    case WORKERS:
        if (!is(value, "auto") && !wrn_uapi_read_workers(value, &number)) {
            return "it is auto or a number from 1 to 64";
        }
        *(uint32_t *)at = number;
        return NULL;
    case MTU:
        if (!is(value, "auto") &&
            (!read_number(value, WRN_NODE_MTU_MAX, &number) || number < WRN_NODE_MTU_MIN)) {
            return "it is auto or a number of bytes from 1280 to 1420";
        }
        *(uint16_t *)at = (uint16_t)number;
        return NULL;
    case OFFLOADS:
        return wrn_uapi_read_offloads(value, at)
                   ? NULL
                   : "it is all, none, or names of csum, tso4, tso6, uso, gso, gro with commas "
                     "between";
    case LEVEL:
        return set_level(value, at);
    case FLAG:
        return read_flag(value, at) ? NULL : "it is yes or no";
    }
    return NULL;
}

static const char *set_text(enum kind kind, wrn_span value, char *at) {
    size_t room = kind == TEXT ? (size_t)WRN_OPTIONS_PATH_MAX : (size_t)WRN_OPTIONS_GROUP_MAX;
    if (value.size == 0 || value.size >= room || memchr(value.data, '\0', value.size) != NULL) {
        return kind == TEXT    ? "it is a path of 1 to 511 bytes"
               : kind == GROUP ? "it is a group's name, or its number"
                               : "it is a user's name, or its number";
    }
    memcpy(at, value.data, value.size);
    at[value.size] = '\0';
    return NULL;
}

static const char *set_stream_port(enum kind kind, wrn_span value, int32_t *at) {
    uint32_t number = 0;
    if (is(value, "off") || (kind == TCP_PORT && is(value, "same"))) {
        *at = is(value, "off") ? WRN_OPTIONS_OFF : WRN_OPTIONS_SAME;
        return NULL;
    }
    if (!read_number(value, UINT16_MAX, &number) || number == 0) {
        return kind == TCP_PORT ? "it is a port, 1 to 65535, or same, or off"
                                : "it is a port, 1 to 65535, or off";
    }
    *at = (int32_t)number;
    return NULL;
}

static const char *set_level(wrn_span value, enum wrn_log_level *at) {
    static const char *const levels[] = {"silent", "error", "info", "verbose"};
    for (size_t i = 0; i < WRN_COUNT(levels); i++) {
        if (is(value, levels[i])) {
            *at = (enum wrn_log_level)i;
            return NULL;
        }
    }
    return "it is silent, error, info or verbose";
}

/* Takes a place for metrics as it stands. */
static bool read_place(wrn_span text, char *ret_place) {
    char place[WRN_OPTIONS_PATH_MAX];
    if (text.size == 0 || text.size >= sizeof place || memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    memcpy(place, text.data, text.size);
    place[text.size] = '\0';
    if (!wrn_metrics_is_place(place)) {
        return false;
    }
    memcpy(ret_place, place, text.size + 1);
    return true;
}

static bool read_number(wrn_span text, uint32_t max, uint32_t *ret_number) {
    uint32_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(text.data[i] - '0');
        if (number > max) {
            return false;
        }
    }
    *ret_number = number;
    return text.size > 0;
}

static bool read_flag(wrn_span text, bool *ret_flag) {
    *ret_flag = is(text, "yes");
    return *ret_flag || is(text, "no");
}

static bool is(wrn_span text, const char *word) {
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static wrn_span trim(wrn_span text) {
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (wrn_span){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t' ||
                             text.data[text.size - 1] == '\r')) {
        text.size--;
    }
    return text;
}
