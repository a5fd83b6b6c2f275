/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that write down what they get. */
#include "unit/sim/hosts.h"

#include "sim/memory.h"

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static struct wrn_prefix prefix_of(const char *text);

struct hosts *hosts_create(uint64_t seed) {
    struct hosts *hosts = sim_take(1, sizeof *hosts);
    hosts->world = sim_world_create(seed);
    hosts->net = sim_net_create(hosts->world);
    hosts->began_ns = sim_now(hosts->world).mono.ns;
    return hosts;
}

void hosts_destroy(struct hosts *hosts) {
    sim_net_destroy(hosts->net);
    sim_world_destroy(hosts->world);
    free(hosts);
}

sim_host hosts_add(struct hosts *hosts, sim_segment segment, const struct sim_link *up,
                   const struct sim_link *down) {
    sim_host host = sim_net_add_host(hosts->net, segment, up, down, NULL, NULL);
    WRN_ASSERT(host < HOSTS_MAX);
    hosts->one[host].all = hosts;
    sim_host_set_owner(hosts->net, host, on_datagram, &hosts->one[host]);
    return host;
}

sim_segment hosts_segment(struct hosts *hosts, const char *prefix4, const char *prefix6) {
    struct wrn_prefix p4 = prefix_of(prefix4);
    struct wrn_prefix p6 = prefix_of(prefix6);
    return sim_net_add_segment(hosts->net, &p4, &p6);
}

struct wrn_endpoint hosts_at(const struct hosts *hosts, sim_host host, enum wrn_family family,
                             uint16_t port) {
    struct wrn_ip ips[2];
    size_t count = sim_host_addresses(hosts->net, host, ips);
    size_t i = 0;
    while (i < count && ips[i].family != family) {
        i++;
    }
    WRN_ASSERT(i < count);
    return (struct wrn_endpoint){.ip = ips[i], .port = port};
}

void hosts_send(struct hosts *hosts, sim_host host, uint16_t port, const struct wrn_endpoint *to,
                uint8_t byte) {
    struct wrn_endpoint from = {.port = port};
    int error = sim_send(hosts->net, host, &from, to, (wrn_span){&byte, 1});
    WRN_ASSERT(error == 0);
}

void hosts_pass(struct hosts *hosts, uint64_t ns) {
    sim_run(hosts->world, wrn_mono_add(sim_now(hosts->world).mono, ns));
}

const struct hosts_note *hosts_last(const struct hosts *hosts, sim_host host) {
    const struct hosts_one *one = &hosts->one[host];
    WRN_ASSERT(one->count > 0);
    return &one->notes[one->count - 1];
}

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct hosts_one *one = owner;
    WRN_ASSERT(one->count < HOSTS_NOTES_MAX);
    struct hosts_note *note = &one->notes[one->count++];
    *note = (struct hosts_note){
        .at_ns = sim_now(one->all->world).mono.ns - one->all->began_ns,
        .from = from,
        .to = to,
        .size = bytes.size,
        .first = bytes.size > 0 ? bytes.data[0] : 0,
        .was_multicast = was_multicast,
    };
    if (one->on_note != NULL) {
        one->on_note(one, note);
    }
}

static struct wrn_prefix prefix_of(const char *text) {
    struct wrn_prefix prefix = {0};
    if (text != NULL) {
        int error = wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix);
        WRN_ASSERT(error == 0);
    }
    return prefix;
}
