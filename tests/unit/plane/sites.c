/* SPDX-License-Identifier: Apache-2.0 */
/* Sites, driven from one thread as daemons' control threads do. */
#define _GNU_SOURCE /* unshare, setns */
#include "sites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/rcu.h"
#include "wg/uapi.h"

enum { WAIT_S = 30, PACKET_BUFFER = 16 << 20 };

static const char tap_name[] = "tap0";

static void quiesce(void *ctx) {
    (void)ctx;
    wrn_rcu_wait();
}

static void ask_interface(const char *name, unsigned long what, struct ifreq *values) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(values->ifr_name, name, strlen(name) + 1);
    assert_return_code(ioctl(fd, what, values), errno);
    close(fd);
}

static int open_namespace(void) {
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_return_code(fd, errno);
    return fd;
}

bool sites_allowed(void) {
    return geteuid() == 0 && access("/dev/net/tun", R_OK) == 0;
}

void sites_enter(const struct sites *sites, uint32_t site) {
    int fd = site < SITES_MAX ? sites->site[site].namespace_fd : sites->base_fd;
    assert_return_code(setns(fd, CLONE_NEWNET), errno);
}

/* ---- what settle hands over ---- */

static struct site *site_of(struct sites *sites, const struct wrn_wg *wg, uint32_t *ret_index) {
    uint32_t i = 0;
    while (sites->site[i].wg != wg) {
        i++;
        assert_true(i < sites->count);
    }
    *ret_index = i;
    return &sites->site[i];
}

static void on_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event) {
    (void)ctx;
    (void)wg;
    (void)event;
}

static void on_refused(void *ctx, const struct wrn_path *path, int error) {
    (void)ctx;
    (void)path;
    print_message("# the kernel refused a datagram: %s\n", strerror(-error));
}

static void on_carry(void *ctx, const struct wrn_wg *wg, wrn_handle peer,
                     const struct wrn_path *path, uint8_t ds, wrn_span datagram) {
    struct sites *sites = ctx;
    uint32_t from;
    (void)site_of(sites, wg, &from);
    (void)peer;
    (void)ds;
    assert_int_equal(path->kind, WRN_PATH_CONTROL);
    assert_true(datagram.size <= WRN_RELAYED_INSIDE_MAX);
    if (sites->held_count == SITES_HELD_MAX) {
        return; /* as on a line that is full */
    }
    struct sites_held *held = &sites->held[sites->held_count++];
    held->from = from;
    held->to = (uint32_t)path->slot;
    held->size = datagram.size;
    memcpy(held->bytes, datagram.data, datagram.size);
}

static void take_switch_out(struct site *site) {
    for (uint32_t i = 0; i < site->out->frame_count; i++) {
        const struct wrn_switch_frame *frame = &site->out->frames[i];
        assert_int_equal(wrn_crew_send_frame(site->crew, wrn_clock_read(), site->machine,
                                             frame->to_host, false, frame->peers, frame->count,
                                             (wrn_span){frame->bytes, frame->size},
                                             site->settle.out),
                         0);
    }
    site->out->frame_count = 0;
    site->out->event_count = 0;
}

static void on_told(void *ctx, const struct wrn_wg *wg, wrn_handle peer, wrn_span frame) {
    uint32_t index;
    struct site *site = site_of(ctx, wg, &index);
    site->told++;
    wrn_switch_on_frame(site->sw, wrn_clock_read(), peer, frame, site->out);
    take_switch_out(site);
}

/* ---- making ---- */

static void create_switch(struct sites *sites, struct site *site) {
    struct wrn_switch_options options;
    struct wrn_arena arena;
    wrn_switch_defaults(&options);
    options.peers_max = 8;
    options.lanes_max = 16;
    options.own = (uint64_t)(site - sites->site) + 1;
    options.quiesce = quiesce;
    wrn_arena_init(&arena, NULL, SIZE_MAX);
    (void)wrn_switch_init(&arena, &options, wrn_prng_rand(&sites->prng), wrn_clock_read());
    site->switch_memory = aligned_alloc(64, wrn_align_up(arena.used, 64));
    assert_non_null(site->switch_memory);
    memset(site->switch_memory, 0, arena.used);
    wrn_arena_init(&arena, site->switch_memory, arena.used);
    site->sw = wrn_switch_init(&arena, &options, wrn_prng_rand(&sites->prng), wrn_clock_read());
    assert_non_null(site->sw);
    wrn_switch_set_ours(site->sw, &(struct wrn_frame_rules){.any_type = true, .any_mac = true});
    struct wrn_switch_settings settings;
    wrn_switch_settings(site->sw, &settings);
    settings.floods_per_s = 0;
    settings.guards_loops = false; /* all hosts here are of one test, and no wire joins them */
    wrn_switch_set(site->sw, wrn_clock_read(), &settings);
    site->out = calloc(1, sizeof *site->out);
    assert_non_null(site->out);
}

static void create_machine(struct sites *sites, struct site *site) {
    struct wrn_wg_options options = {
        .peers_max = 8,
        .prefixes_max = 8,
        .staged_max_bytes = 1 << 20,
        .handshakes_per_s = 1000,
        .quiesce = quiesce,
        .index_tag = (uint32_t)(site - sites->site) + 1,
        .index_tag_bits = SITES_TAG_BITS,
        .is_bridged = true,
    };
    uint8_t key[32];
    site->memory_size = wrn_wg_memory_size(&options);
    assert_int_equal(wrn_memory_map(site->memory_size, &site->memory), 0);
    site->wg =
        wrn_wg_init(site->memory, &options, sites->crypto, wrn_random_source(&sites->random));
    wrn_rand_fill(wrn_random_source(&sites->random), key, sizeof key);
    wrn_x25519_clamp(key);
    assert_true(wrn_x25519_public(sites->crypto, key, site->public_key));
    assert_int_equal(wrn_wg_set_private_key(site->wg, wrn_clock_read(), key), 0);
    wrn_wg_set_up(site->wg, wrn_clock_read(), true, NULL);
}

/* A TAP device in a namespace of its own, and a packet socket on it. */
static void create_host(struct sites *sites, struct site *site, struct wrn_tun *ret_tap) {
    int on = 1, size = PACKET_BUFFER;
    assert_return_code(unshare(CLONE_NEWNET), errno);
    site->namespace_fd = open_namespace();
    int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) { /* the host should not say things of its own */
        (void)!write(fd, "1", 1);
        close(fd);
    }
    assert_int_equal(wrn_tun_create_tap(tap_name, ret_tap), 0);
    ask_interface(tap_name, SIOCSIFFLAGS, &(struct ifreq){.ifr_flags = IFF_UP | IFF_PROMISC});
    site->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(tap_name)};
    assert_return_code(bind(site->packet_fd, (const struct sockaddr *)&at, sizeof at), errno);
    assert_return_code(setsockopt(site->packet_fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on),
                       errno);
    (void)setsockopt(site->packet_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    sites_enter(sites, SITES_MAX);
}

static void introduce(struct sites *sites, uint32_t one, uint32_t other) {
    struct site *site = &sites->site[one];
    const struct wrn_udp *udp = wrn_crew_sockets(sites->site[other].crew);
    struct wrn_endpoint there = {.ip = {.bytes = {127, 0, 0, 1}, .family = WRN_FAMILY_IPV4},
                                 .port = udp->port};
    assert_int_equal(wrn_wg_peer_add(site->wg, wrn_clock_read(), sites->site[other].public_key,
                                     &site->peers[other]),
                     0);
    struct wrn_path path = {.remote = there};
    if (sites->way == SITES_RELAYED) {
        struct sockaddr_in at;
        socklen_t size = sizeof at;
        assert_return_code(getsockname(sites->relay_fd, (struct sockaddr *)&at, &size), errno);
        path.remote.port = ntohs(at.sin_port);
        path.kind = WRN_PATH_RELAY;
        path.slot = other;
    } else if (sites->way == SITES_CARRIED) {
        path = (struct wrn_path){.kind = WRN_PATH_CONTROL, .slot = other};
    }
    wrn_wg_peer_set_pinned(site->wg, site->peers[other], true);
    wrn_wg_peer_set_path(site->wg, site->peers[other], &path);
    struct wrn_switch_port port = {.peer = site->peers[other],
                                   .member = other + 1,
                                   .theirs = {.any_type = true, .any_mac = true},
                                   .payload_max = SITES_PAYLOAD_MAX};
    (void)snprintf(port.name, sizeof port.name, "site%u", other);
    assert_true(wrn_switch_open(site->sw, wrn_clock_read(), &port));
}

struct sites *sites_create(uint32_t count, enum sites_way way, uint32_t workers) {
    struct sites *sites = calloc(1, sizeof *sites);
    struct wrn_crew_options options = {.tag_bits = SITES_TAG_BITS, .provider = WRN_CRYPTO_AUTO};
    struct wrn_settle_port settle = {
        .ctx = sites, .event = on_event, .refused = on_refused, .carry = on_carry, .told = on_told};
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_non_null(sites);
    assert_return_code(unshare(CLONE_NEWNET), errno);
    ask_interface("lo", SIOCSIFFLAGS, &(struct ifreq){.ifr_flags = IFF_UP});
    sites->base_fd = open_namespace();
    sites->count = count;
    sites->way = way;
    wrn_prng_init(&sites->prng, 1, 2);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &sites->crypto), 0);
    sites->relay_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_return_code(bind(sites->relay_fd, (const struct sockaddr *)&any, sizeof any), errno);
    for (uint32_t i = 0; i < count; i++) {
        struct site *site = &sites->site[i];
        struct wrn_tun tap;
        create_switch(sites, site);
        create_machine(sites, site);
        create_host(sites, site, &tap);
        assert_int_equal(wrn_crew_create(&options, &site->crew), 0);
        assert_int_equal(wrn_settle_init(&site->settle, &settle), 0);
        wrn_crew_set_offloads(site->crew, WRN_UAPI_OFFLOADS_ALL);
        assert_int_equal(wrn_crew_add(site->crew, site->wg, i + 1, site->sw, tap, &site->machine),
                         0);
        assert_int_equal(wrn_crew_open_sockets(site->crew, 0, 0), 0);
        assert_int_equal(wrn_crew_set_workers(site->crew, workers), 0);
        const struct wrn_udp *udp = wrn_crew_sockets(site->crew);
        site->settle.udp = (struct wrn_udp){.fd4 = udp->fd4, .fd6 = udp->fd6, .port = udp->port};
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < count; k++) {
            if (i != k) {
                introduce(sites, i, k);
            }
        }
    }
    return sites;
}

void sites_destroy(struct sites *sites) {
    for (uint32_t i = 0; i < sites->count; i++) {
        struct site *site = &sites->site[i];
        wrn_crew_destroy(site->crew);
        wrn_settle_finish(&site->settle);
        wrn_wg_finish(site->wg);
        wrn_memory_unmap(site->memory, site->memory_size);
        free(site->switch_memory);
        free(site->out);
        close(site->packet_fd);
        close(site->namespace_fd);
    }
    close(sites->relay_fd);
    close(sites->base_fd);
    wrn_crypto_destroy(sites->crypto);
    free(sites);
}

/* ---- the control threads, and the relay ---- */

static void read_ring(struct site *site, struct wrn_ring *ring) {
    struct wrn_report *report;
    size_t size;
    while ((report = wrn_report_first(ring, &size)) != NULL) {
        assert_true(wrn_handle_equal(report->machine, site->machine));
        wrn_settle_report(&site->settle, site->wg, wrn_clock_read(), report, size);
        wrn_settle_run(&site->settle, site->wg, wrn_clock_read());
        wrn_ring_release(ring);
    }
}

static void serve_site(struct site *site) {
    struct wrn_reports *reports;
    uint64_t count;
    (void)!read(wrn_crew_event_fd(site->crew), &count, sizeof count);
    for (uint32_t i = 0; (reports = wrn_crew_reports(site->crew, i)) != NULL; i++) {
        (void)wrn_reports_take_facts(reports);
        read_ring(site, reports->messages);
        read_ring(site, reports->packets);
        read_ring(site, reports->told);
    }
    wrn_crew_dismiss(site->crew);
    if (wrn_mono_reached(wrn_clock_read().mono, wrn_wg_due(site->wg))) {
        wrn_wg_on_time(site->wg, wrn_clock_read(), site->settle.out);
    }
    if (wrn_mono_reached(wrn_clock_read().mono, wrn_switch_due(site->sw))) {
        wrn_switch_on_time(site->sw, wrn_clock_read(), site->out);
        take_switch_out(site);
    }
    wrn_settle_run(&site->settle, site->wg, wrn_clock_read());
}

static void serve_relay(struct sites *sites) {
    static uint8_t bytes[65536];
    ssize_t size;
    while ((size = recv(sites->relay_fd, bytes, sizeof bytes, 0)) > 0) {
        assert_true(size > WRN_RELAYED_OVERHEAD && size <= WRN_RELAYED_MAX);
        assert_int_equal(bytes[0], WRN_RELAYED_KIND);
        uint64_t to = wrn_load_be64(bytes + 4);
        assert_true(to < sites->count);
        struct sockaddr_in there = {
            .sin_family = AF_INET,
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
            .sin_port = htons(wrn_crew_sockets(sites->site[to].crew)->port),
        };
        (void)sendto(sites->relay_fd, bytes + WRN_RELAYED_OVERHEAD,
                     (size_t)size - WRN_RELAYED_OVERHEAD, 0, (const struct sockaddr *)&there,
                     sizeof there);
        sites->relayed++;
    }
}

static void carry_held(struct sites *sites) {
    for (uint32_t i = 0; i < sites->held_count; i++) { /* settling may add to them */
        struct sites_held *held = &sites->held[i];
        struct site *site = &sites->site[held->to];
        struct wrn_wg_datagram datagram = {
            .bytes = held->bytes,
            .size = held->size,
            .path = {.kind = WRN_PATH_CONTROL, .slot = held->from},
        };
        assert_int_equal(wrn_crew_inject(site->crew, wrn_clock_read(), site->machine, &datagram, 1,
                                         site->settle.out),
                         0);
        wrn_settle_run(&site->settle, site->wg, wrn_clock_read());
        sites->carried++;
    }
    sites->held_count = 0;
}

void sites_until(struct sites *sites, bool (*is_done)(struct sites *sites, void *ctx), void *ctx) {
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_S(WAIT_S));
    for (;;) {
        struct pollfd fds[2 * SITES_MAX + 1] = {{.fd = sites->relay_fd, .events = POLLIN}};
        for (uint32_t i = 0; i < sites->count; i++) {
            serve_site(&sites->site[i]);
            fds[1 + 2 * i] =
                (struct pollfd){.fd = wrn_crew_event_fd(sites->site[i].crew), .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = sites->site[i].packet_fd, .events = POLLIN};
        }
        carry_held(sites);
        serve_relay(sites);
        if (is_done(sites, ctx)) {
            return;
        }
        assert_true(wrn_mono_before(wrn_clock_read().mono, end));
        (void)poll(fds, 1 + 2 * sites->count, 5);
    }
}

void sites_send(struct sites *sites, uint32_t site, const uint8_t *frame, size_t size) {
    assert_int_equal(send(sites->site[site].packet_fd, frame, size, 0), size);
}

size_t sites_receive(struct sites *sites, uint32_t site, uint8_t frame[SITES_FRAME_ROOM]) {
    for (;;) {
        struct sockaddr_ll from;
        uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))]
            __attribute__((aligned(__alignof__(struct cmsghdr))));
        struct iovec part = {frame, SITES_FRAME_ROOM};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = room,
                                 .msg_controllen = sizeof room};
        ssize_t size = recvmsg(sites->site[site].packet_fd, &message, 0);
        if (size < 0) {
            return 0;
        }
        if (from.sll_pkttype == PACKET_OUTGOING) {
            continue; /* what our side has sent */
        }
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL;
             at = CMSG_NXTHDR(&message, at)) {
            struct tpacket_auxdata auxiliary;
            memcpy(&auxiliary, CMSG_DATA(at), sizeof auxiliary);
            if ((auxiliary.tp_status & TP_STATUS_VLAN_VALID) != 0) {
                memmove(frame + 16, frame + 12, (size_t)size - 12);
                wrn_store_be16(frame + 12, auxiliary.tp_vlan_tpid);
                wrn_store_be16(frame + 14, auxiliary.tp_vlan_tci);
                size += 4;
            }
        }
        return (size_t)size;
    }
}

uint64_t sites_pieces(const struct sites *sites, uint32_t site, enum wrn_pieces_refusal what) {
    uint64_t counts[WRN_PIECES_REFUSAL_COUNT];
    wrn_crew_frame_counts(sites->site[site].crew, sites->site[site].machine, counts);
    return counts[what];
}

uint64_t sites_drops(const struct sites *sites, uint32_t site, enum wrn_drop reason) {
    uint64_t counts[WRN_DROP_COUNT];
    wrn_wg_drops(sites->site[site].wg, counts);
    return counts[reason];
}
