/* SPDX-License-Identifier: Apache-2.0 */
/* One small function a finding. */
#define _GNU_SOURCE
#include "daemon/doctor.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "daemon/doctor_firewall.h"
#include "daemon/hooks.h"
#include "daemon/metrics.h"
#include "daemon/netcheck.h"
#include "daemon/service_names.h"
#include "daemon/trouble.h"
#include "io/cleanup.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/privileges.h"
#include "io/steward.h"
#include "wg/uapi.h"

enum { TEXT_SIZE = 640, FREE_LEAST = 4 << 20, EXPIRY_SOON_S = 7 * 86400, RENEWALS = 2 };

/* 2026-01-01: no clock that is right shows less. */
static const int64_t plausible_s = 1767225600;

enum state { OK, WARNING, FAULT };

struct report {
    const struct wrn_doctor_subject *subject;
    json_t *lists[3]; /* by enum state */
};

static void check_rights(struct report *report);
static void check_memory(struct report *report);
static void check_tun(struct report *report);
static void check_state(struct report *report);
static void check_port(struct report *report);
static void check_firewall(struct report *report);
static void check_clock(struct report *report);
static void check_networks(struct report *report);
static void check_unserved(struct report *report);
static void check_network(struct report *report, wrn_handle network);
static uint32_t load(const uint8_t bytes[4]);
static void check_range(struct report *report, wrn_handle network,
                        const struct wrn_node_network_info *info);
static void check_names(struct report *report, wrn_handle network, const char *name);
static void check_forwarding(struct report *report, wrn_handle network, const char *name);
static bool is_forwarding(const char *path);
static void check_nat(struct report *report);
static void check_carrier(struct report *report);
static void check_hooks(struct report *report);
static void check_metrics(struct report *report);
static void WRN_PRINTF(5, 6) add(struct report *report, enum state state, const char *what,
                                 const char *fix, const char *format, ...);

json_t *wrn_doctor(const struct wrn_doctor_subject *subject) {
    struct report report = {.subject = subject,
                            .lists = {json_array(), json_array(), json_array()}};
    check_rights(&report);
    check_memory(&report);
    check_tun(&report);
    check_state(&report);
    check_port(&report);
    check_firewall(&report);
    check_clock(&report);
    check_networks(&report);
    check_nat(&report);
    check_carrier(&report);
    check_hooks(&report);
    check_metrics(&report);
    (void)json_array_extend(report.lists[FAULT], report.lists[WARNING]);
    (void)json_array_extend(report.lists[FAULT], report.lists[OK]);
    json_decref(report.lists[WARNING]);
    json_decref(report.lists[OK]);
    return json_pack("{so}", "findings", report.lists[FAULT]);
}

static void check_rights(struct report *report) {
    struct wrn_privileges_state state;
    char text[WRN_PRIVILEGES_TEXT_SIZE];
    wrn_privileges_look(&state);
    wrn_privileges_print(&state, text);
    if ((state.capabilities & UINT64_C(1) << CAP_NET_ADMIN) == 0) {
        add(report, FAULT, "rights", "start warrend as root, or with CAP_NET_ADMIN",
            "warrend lacks CAP_NET_ADMIN: it can make no interface and set no address");
    } else if (state.uid == 0) {
        add(report, WARNING, "rights",
            "useradd --system --user-group " WRN_PRIVILEGES_USER ", then restart warrend",
            "warrend stays root, without most of root's capabilities (%s)", text);
    } else {
        add(report, OK, "rights", "", "%s", text);
    }
}

static void check_memory(struct report *report) {
    size_t unlocked = wrn_memory_unlocked();
    if (unlocked > 0) {
        add(report, WARNING, "keys in memory",
            "raise the limit: LimitMEMLOCK=infinity of the service, ulimit -l unlimited, or "
            "CAP_IPC_LOCK in a container",
            "%zu KiB that hold keys may be written to swap space: locking them was refused",
            unlocked >> 10);
    } else if (!wrn_memory_is_all_locked()) {
        add(report, OK, "keys in memory", "",
            "locked, but for what libcrypto keeps for a handshake: the limit of locked memory "
            "(RLIMIT_MEMLOCK) holds, without CAP_IPC_LOCK");
    } else {
        add(report, OK, "keys in memory", "", "locked: nothing is ever written to swap space");
    }
}

static void check_tun(struct report *report) {
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    struct stat status;
    int error = wrn_steward_open_tun(-1, &fd);
    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode))) {
        add(report, FAULT, "tun device",
            "rm /dev/net/tun; modprobe tun; in a container: give it the host's /dev/net/tun",
            "what stands at /dev/net/tun is no device");
    } else if (fd >= 0) {
        add(report, OK, "tun device", "", "/dev/net/tun can be opened");
    } else {
        add(report, FAULT, "tun device",
            error == -EACCES || error == -EPERM
                ? "start warrend as root; in a container: give it the device /dev/net/tun"
                : "modprobe tun; in a container: give it the device /dev/net/tun",
            "/dev/net/tun cannot be opened: %s", strerror(-error));
    }
}

static void check_state(struct report *report) {
    const struct wrn_daemon *daemon = report->subject->daemon;
    const char *path = wrn_daemon_options(daemon)->state;
    struct wrn_daemon_facts facts = {0};
    char fix[TEXT_SIZE];
    struct stat info;
    struct statvfs disk;
    wrn_daemon_facts(daemon, &facts);
    int folder = wrn_daemon_folder(daemon);
    if (fstat(folder, &info) != 0 || fstatvfs(folder, &disk) != 0) {
        add(report, FAULT, "state", "see whether the disk is well", "%s cannot be looked at: %s",
            path, strerror(errno));
        return;
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(fix, sizeof fix, "chmod 700 %s", path);
        add(report, FAULT, "state", fix, "others than its owner may look into %s, where keys are",
            path);
    }
    if (facts.failed_saves > 0) {
        add(report, FAULT, "state", "see what the log says, and whether the disk is full",
            "%" PRIu64 " times the state of a network could not be written", facts.failed_saves);
    }
    if ((uint64_t)disk.f_bavail * disk.f_frsize < FREE_LEAST) {
        add(report, FAULT, "state", "make room on that disk",
            "the disk under %s is full: what changes in networks is lost when warrend ends", path);
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0 && facts.failed_saves == 0) {
        add(report, OK, "state", "", "%s is closed to others, and there is room", path);
    }
}

static void check_port(struct report *report) {
    uint16_t port = wrn_daemon_port(report->subject->daemon);
    const struct wrn_udp *udp = wrn_daemon_sockets(report->subject->daemon);
    if (port == 0 || udp == NULL || (udp->fd4 < 0 && udp->fd6 < 0)) {
        add(report, FAULT, "port", "choose another one: warrend --listen PORT",
            "no UDP port is open");
    } else {
        add(report, OK, "port", "", "UDP port %u is open for %s", (unsigned)port,
            udp->fd6 < 0   ? "IPv4"
            : udp->fd4 < 0 ? "IPv6"
                           : "IPv4 and IPv6");
    }
}

/* A firewall that drops what is new does not stop paths that both sides open at once; others cannot
 * begin with us, and we cannot relay. So it is a warning. */
static void check_firewall(struct report *report) {
    const json_t *ruleset = report->subject->ruleset;
    uint16_t port = wrn_daemon_port(report->subject->daemon);
    struct wrn_firewall_drop drop;
    char fix[TEXT_SIZE];
    if (ruleset == NULL) {
        add(report, OK, "firewall", "",
            "nftables cannot be looked at (no program nft, or no "
            "rights): nothing is known");
    } else if (!wrn_firewall_drops(ruleset, port, &drop)) {
        add(report, OK, "firewall", "", "no rule of nftables is known to drop UDP port %u",
            (unsigned)port);
    } else {
        (void)snprintf(fix, sizeof fix, "nft insert rule %s %s %s udp dport %u accept%s",
                       drop.family, drop.table, drop.chain, (unsigned)port,
                       "; and the same in the file or program that makes these rules");
        add(report, WARNING, "firewall", fix,
            "nftables drops what others begin with UDP port %u: chain %s of table %s %s (%s)",
            (unsigned)port, drop.chain, drop.family, drop.table,
            drop.by_policy ? "its policy is drop, and no rule takes it" : "a rule drops it");
    }
}

/* Certificates begin and end by it, so does what each signs. */
static void check_clock(struct report *report) {
    static const char fix[] = "set it: timedatectl set-ntp true, or chrony, or date";
    const struct wrn_node *node = wrn_daemon_node(report->subject->daemon);
    int64_t now_s = wrn_clock_read().wall.s;
    struct timex clock = {0};
    uint32_t cursor = 0;
    wrn_handle network;
    bool is_wrong = now_s < plausible_s;
    if (is_wrong) {
        add(report, FAULT, "clock", fix, "this host's clock shows a time that has long passed");
    }
    while ((network = wrn_node_next(node, &cursor)).generation != 0) {
        const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
        if (descriptor != NULL && descriptor->created_s > now_s + 600) {
            is_wrong = true;
            add(report, FAULT, "clock", fix,
                "the network %s was made %" PRId64 " minutes from now, says this host's clock",
                descriptor->name, (descriptor->created_s - now_s) / 60);
        }
    }
    if (is_wrong) {
        return;
    }
    if (adjtimex(&clock) == TIME_ERROR || (clock.status & STA_UNSYNC) != 0) {
        add(report, WARNING, "clock", fix,
            "nothing keeps this host's clock right (the kernel says that it is not synchronised)");
    } else {
        add(report, OK, "clock", "", "it is kept synchronised");
    }
}

static void check_networks(struct report *report) {
    const struct wrn_node *node = wrn_daemon_node(report->subject->daemon);
    uint32_t cursor = 0, count = 0;
    wrn_handle network;
    while ((network = wrn_node_next(node, &cursor)).generation != 0) {
        check_network(report, network);
        count++;
    }
    check_unserved(report);
    if (count == 0 && wrn_daemon_unserved(report->subject->daemon, 0) == NULL) {
        add(report, OK, "networks", "warren network create NAME, or warren join INVITATION",
            "this machine is in none");
    }
}

static void check_unserved(struct report *report) {
    char what[WRN_LABEL_SIZE + 16];
    const struct wrn_daemon_unserved *unserved;
    for (size_t i = 0; (unserved = wrn_daemon_unserved(report->subject->daemon, i)) != NULL; i++) {
        (void)snprintf(what, sizeof what, "network %.16s", unserved->id);
        add(report, FAULT, what,
            "mend what it says, then: warren down && warren up (a service: systemctl restart "
            "warrend)",
            "it is not served: %s", unserved->why);
    }
}

static void check_network(struct report *report, wrn_handle network) {
    char what[WRN_LABEL_SIZE + 16], fix[TEXT_SIZE];
    struct wrn_node_network_info info;
    struct wrn_daemon_interface interface;
    struct wrn_trouble trouble;
    if (!wrn_node_network_info(wrn_daemon_node(report->subject->daemon), network, &info)) {
        return;
    }
    const char *name = info.descriptor->name;
    int64_t left_s = info.until_s - wrn_clock_read().wall.s;
    (void)snprintf(what, sizeof what, "network %s", name);
    (void)snprintf(fix, sizeof fix,
                   "ask who may invite for a new invitation, or for a renewal: "
                   "warren member list --network %s",
                   name);
    wrn_trouble_find(&info, &trouble);
    if (trouble.is_out) {
        add(report, FAULT, what, trouble.fix, "%s", trouble.text);
        return;
    }
    if (left_s <= 0) {
        add(report, FAULT, what, fix, "this machine's membership has ended");
    } else if (left_s < EXPIRY_SOON_S && info.renewals >= RENEWALS) {
        add(report, WARNING, what, fix,
            "this machine's membership ends in %" PRId64
            " hours, and nobody who may renew it has done so",
            left_s / 3600);
    }
    if (!wrn_daemon_interface(report->subject->daemon, network, &interface)) {
        add(report, FAULT, what, "see the log, and the findings about rights and the tun device",
            "it has no interface");
    }
    if (info.ring != WRN_RING_STATE_CONNECTED && info.size > 1) {
        add(report, WARNING, what, "is another member on? then: warren netcheck",
            "no other member has been found (any more)");
    }
    if (trouble.text[0] != '\0') {
        add(report, WARNING, what, trouble.fix, "%s", trouble.text);
    } else if (left_s > 0) {
        add(report, OK, what, "", "%u peer%s, %" PRIu64 " node%s on the ring", info.peers,
            info.peers == 1 ? "" : "s", info.size, info.size == 1 ? "" : "s");
    }
    check_range(report, network, &info);
    check_names(report, network, name);
    check_forwarding(report, network, name);
}

/* Where the LAN, or another network, has addresses of the same range, whose the packets are the
 * longest prefix decides: routes to single members are set then (overlap.c). */
static void check_range(struct report *report, wrn_handle network,
                        const struct wrn_node_network_info *info) {
    const struct wrn_prefix *range = &info->descriptor->ipv4;
    struct wrn_daemon_interface own = {.index = 0};
    char what[WRN_LABEL_SIZE + 16], text[WRN_PREFIX_TEXT_SIZE];
    struct ifaddrs *all = NULL;
    if (range->ip.family != WRN_FAMILY_IPV4 ||
        !wrn_daemon_interface(report->subject->daemon, network, &own) || getifaddrs(&all) != 0) {
        return;
    }
    (void)snprintf(what, sizeof what, "range of %s", info->descriptor->name);
    (void)wrn_prefix_print(range, text);
    struct wrn_daemon_foreign foreign;
    if (wrn_daemon_foreign_route(report->subject->daemon, range, &foreign)) {
        add(report, WARNING, what,
            "have the network made anew with another range (warren network create NAME --ipv4 "
            "RANGE), or take that route away",
            "%s, the network's, and the route %s by %s of this machine are of the same range: "
            "hosts with the address of a member cannot be reached there, nor members here that "
            "the route leads to",
            text, foreign.route, foreign.interface);
        freeifaddrs(all);
        return;
    }
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET ||
            one->ifa_netmask == NULL || strcmp(one->ifa_name, own.name) == 0) {
            continue;
        }
        uint32_t address =
            ((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr.s_addr;
        uint32_t mask =
            ((const struct sockaddr_in *)(const void *)one->ifa_netmask)->sin_addr.s_addr;
        uint32_t ours = htonl(UINT32_MAX << (32 - range->length_bits));
        if (((address ^ load(range->ip.bytes)) & mask & ours) == 0) {
            add(report, WARNING, what,
                "have the network made anew with another range (warren network create NAME --ipv4 "
                "RANGE), or change that of the interface",
                "%s, the network's, and the addresses of the interface %s are of the same range: "
                "hosts with the address of a member cannot be reached there, nor members that are "
                "not connected yet here",
                text, one->ifa_name);
            break;
        }
    }
    freeifaddrs(all);
}

static uint32_t load(const uint8_t bytes[4]) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value); /* as the system has it */
    return value;
}

static void check_names(struct report *report, wrn_handle network, const char *name) {
    char what[WRN_LABEL_SIZE + 16];
    if (report->subject->names == NULL) {
        return;
    }
    (void)snprintf(what, sizeof what, "names of %s", name);
    json_t *status = wrn_service_names_status(report->subject->names, network);
    bool answers = json_is_true(json_object_get(status, "answers"));
    bool is_asked = json_is_true(json_object_get(status, "host_asks"));
    const char *text = json_string_value(json_object_get(status, "text"));
    add(report, answers && is_asked ? OK : WARNING, what,
        answers && is_asked ? "" : "docs/names-on-this-host.md says what can be done by hand", "%s",
        text != NULL ? text : "");
    json_decref(status);
}

/* Who offers a route has to pass on what comes for it. */
static void check_forwarding(struct report *report, wrn_handle network, const char *name) {
    static const struct {
        uint8_t family;
        const char *what, *path, *fix;
    } families[] = {
        {WRN_FAMILY_IPV4, "IPv4", "/proc/sys/net/ipv4/ip_forward",
         "sysctl -w net.ipv4.ip_forward=1, and the same line in /etc/sysctl.d"},
        {WRN_FAMILY_IPV6, "IPv6", "/proc/sys/net/ipv6/conf/all/forwarding",
         "sysctl -w net.ipv6.conf.all.forwarding=1, and the same line in /etc/sysctl.d"},
    };
    const struct wrn_node *node = wrn_daemon_node(report->subject->daemon);
    char what[WRN_LABEL_SIZE + 16];
    (void)snprintf(what, sizeof what, "routes of %s", name);
    for (size_t i = 0; i < WRN_COUNT(families); i++) {
        struct wrn_node_route route;
        uint32_t cursor = 0, offered = 0;
        while (wrn_node_next_route(node, network, &cursor, &route)) {
            offered += route.is_ours && route.prefix.ip.family == families[i].family;
        }
        if (offered == 0) {
            continue;
        }
        bool is_on = is_forwarding(families[i].path);
        add(report, is_on ? OK : FAULT, what, is_on ? "" : families[i].fix,
            "this host offers %u %s routes, and %s", (unsigned)offered, families[i].what,
            is_on ? "forwards" : "does not forward: what comes for them is dropped");
    }
}

static bool is_forwarding(const char *path) {
    char digit = '0';
    WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &digit, 1) == 1 && digit != '0';
}

static void check_nat(struct report *report) {
    struct wrn_netcheck_view view;
    const struct wrn_portmap *portmap = report->subject->portmap;
    wrn_netcheck_look(report->subject->daemon, &view);
    bool is_mapped = portmap != NULL && wrn_portmap_mapping(portmap)->way != WRN_PORTMAP_NONE;
    bool is_hard = view.nat_class == WRN_NAT_CLASS_PORT_RANDOM ||
                   view.nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE ||
                   view.nat_class == WRN_NAT_CLASS_ADDRESS_DEPENDENT;
    if (wrn_netcheck_is_blocked(&view)) {
        add(report, FAULT, "reach", "allow outgoing UDP, or try from another network",
            "nobody answers: something between here and the others drops UDP, or all of them are "
            "off");
    } else if (wrn_netcheck_is_by_streams(&view)) {
        add(report, WARNING, "reach", "allow outgoing UDP: paths are direct and faster then",
            "something between here and the others drops UDP; %u peers are reached by TCP instead",
            (unsigned)view.streams);
    } else if (is_hard && !is_mapped) {
        const char *text = portmap != NULL ? wrn_portmap_mapping(portmap)->text : "";
        add(report, WARNING, "reach",
            text[0] != '\0' ? text
                            : "let warrend ask the router for a port (map-ports = yes), or "
                              "forward its UDP port there by hand",
            "the router gives %s; peers behind such routers are reached through relays only",
            wrn_nat_class_text(view.nat_class));
    } else {
        add(report, OK, "reach", "", "%s%s", wrn_nat_class_text(view.nat_class),
            is_mapped ? "; and the router has mapped a port" : "");
    }
}

static void check_carrier(struct report *report) {
    struct wrn_daemon_facts facts = {0};
    char names[WRN_UAPI_OFFLOADS_SIZE], wanted[WRN_UAPI_OFFLOADS_SIZE];
    uint32_t configured = wrn_daemon_options(report->subject->daemon)->offloads;
    wrn_daemon_facts(report->subject->daemon, &facts);
    wrn_uapi_write_offloads(facts.offloads, names);
    wrn_uapi_write_offloads(configured & ~facts.offloads, wanted);
    if (facts.lost_actions > 0) {
        add(report, WARNING, "load", "is this host too busy, or too short of memory?",
            "%" PRIu64 " things that were to be done found no room", facts.lost_actions);
    }
    add(report, OK, "packets", "", "%u worker%s; %s; offloads in use: %s%s%s",
        (unsigned)facts.workers, facts.workers == 1 ? "" : "s",
        facts.provider != NULL ? facts.provider : "openssl", names,
        (configured & ~facts.offloads) != 0 ? "; this kernel or network has no " : "",
        (configured & ~facts.offloads) != 0 ? wanted : "");
}

static void check_hooks(struct report *report) {
    if (report->subject->hooks == NULL) {
        return;
    }
    json_t *status = wrn_hooks_status(report->subject->hooks);
    json_int_t runs = json_integer_value(json_object_get(status, "runs"));
    json_int_t failures = json_integer_value(json_object_get(status, "failures"));
    json_int_t left_out = json_integer_value(json_object_get(status, "left_out"));
    add(report, failures + left_out > 0 ? WARNING : OK, "hooks",
        failures + left_out > 0 ? "the log says which, and why" : "",
        "%" JSON_INTEGER_FORMAT " runs, %" JSON_INTEGER_FORMAT " failures, %" JSON_INTEGER_FORMAT
        " events left out",
        runs, failures, left_out);
    json_decref(status);
}

static void check_metrics(struct report *report) {
    const struct wrn_metrics *metrics = report->subject->metrics;
    if (metrics == NULL) {
        return;
    }
    const char *why = wrn_metrics_why(metrics);
    add(report, why != NULL ? WARNING : OK, "metrics", "", "%s",
        why != NULL ? why : "they are served");
}

static void add(struct report *report, enum state state, const char *what, const char *fix,
                const char *format, ...) {
    static const char *const names[] = {"ok", "warning", "fault"};
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *finding =
        json_pack("{ssssssss}", "what", what, "state", names[state], "text", text, "fix", fix);
    if (finding != NULL) { /* else it is missing, as much else will be */
        (void)json_array_append_new(report->lists[state], finding);
    }
}
