/* SPDX-License-Identifier: Apache-2.0 */
/* Wires, stations, gateways. Each frame on its way is an event of its own. */
#include "sim/sites.h"

#include "base/bytes.h"
#include "sim/memory.h"

enum {
    TYPE = 0x88f7,
    BROADCAST = 1,
    ASK = 2,
    ANSWER = 3,
    AT_KIND = 14, /* offsets in a frame */
    AT_FROM = 16,
    AT_ID = 20,
    AT_FILLING = 28,
    FRAME_SIZE = 60,
    FRAME_MAX = 9000,
    OVERHEAD = 60, /* of the tunnel */
    PEERS_MAX = 256,
    WIRE_NS = 10000,
    REST_MS = 200, /* until a station's next word, so long and up to twice that */
    MOVE_MS = 500,
    MEMORY_ALIGNMENT = 64,
};

/* A frame on its way; to a wire, or to a gateway from another one. */
struct sim_carried {
    struct sim_event event;
    struct sim_sites *sites;
    struct sim_carried *next, *previous;
    uint32_t from; /* gateway; on a wire UINT32_MAX - n: station n */
    uint32_t from_incarnation;
    uint32_t to;
    bool is_wire;
    uint32_t size;
    uint8_t bytes[];
};

static void start(struct sim_gateway *gateway);
static struct wrn_switch *init(struct wrn_arena *arena, const struct sim_gateway *gateway);
static void notice(struct sim_gateway *gateway, const struct sim_gateway *other);
static wrn_handle handle_of(const struct sim_gateway *gateway);
static struct wrn_frame_rules rules(void);
static void on_gateway(struct sim_event *event);
static void settle(struct sim_gateway *gateway);
static void be_due(struct sim_gateway *gateway);
static void from_wire(struct sim_gateway *gateway, wrn_span frame);
static void from_tunnel(struct sim_gateway *gateway, wrn_handle peer, wrn_span frame);
static void send(struct sim_gateway *gateway, wrn_handle to, wrn_span frame);
static void send_payload(struct sim_gateway *gateway, wrn_handle to, wrn_span payload);
static void from_payload(struct sim_gateway *gateway, wrn_handle peer, wrn_span payload);
static void put_on_wire(struct sim_sites *sites, uint32_t wire, uint32_t from, wrn_span frame);
static struct sim_carried *carry(struct sim_sites *sites, wrn_span frame);
static void on_carried(struct sim_event *event);
static void on_station(struct sim_event *event);
static void say(struct sim_station *station, uint8_t kind, uint32_t to, uint64_t id);
static uint8_t filling(uint32_t from, uint64_t id, uint32_t at);
static void hear(struct sim_station *station, wrn_span frame);
static bool is_apart(const struct sim_sites *sites, const struct sim_gateway *a,
                     const struct sim_gateway *b);

struct sim_sites *sim_sites_create(struct sim_world *world,
                                   const struct sim_sites_options *options) {
    struct sim_sites *sites = sim_take(1, sizeof *sites);
    sites->world = world;
    sites->options = *options;
    sites->gateway_count = options->wires * options->gateways_each;
    sites->station_count = options->wires * options->stations_each;
    WRN_ASSERT(sites->gateway_count < PEERS_MAX);
    sites->gateways = sim_take(sites->gateway_count, sizeof *sites->gateways);
    sites->stations = sim_take(sites->station_count, sizeof *sites->stations);
    sites->ways =
        sim_take((size_t)sites->gateway_count * sites->gateway_count, sizeof *sites->ways);
    sites->is_asking = true;
    for (uint32_t i = 0; i < sites->gateway_count * sites->gateway_count; i++) {
        sim_prng_init(world, SIM_STREAM_LINK, i, &sites->ways[i].prng);
        sim_way_set(&sites->ways[i], &options->link);
    }
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        struct sim_gateway *gateway = &sites->gateways[i];
        *gateway = (struct sim_gateway){
            .event.happen = on_gateway, .sites = sites, .number = i, .wire = i % options->wires};
        start(gateway);
    }
    sim_sites_notice(sites);
    for (uint32_t i = 0; i < sites->station_count; i++) {
        struct sim_station *station = &sites->stations[i];
        *station = (struct sim_station){
            .event.happen = on_station, .sites = sites, .number = i, .wire = i % options->wires};
        sim_prng_init(world, SIM_STREAM_HOST, i, &station->prng);
        station->heard = sim_take(sites->station_count, sizeof *station->heard);
        sim_at(world, &station->event,
               wrn_mono_add(sim_now(world).mono,
                            WRN_MS(1) * (wrn_prng_next(&station->prng) % REST_MS)));
    }
    return sites;
}

void sim_sites_destroy(struct sim_sites *sites) {
    while (sites->carried != NULL) {
        struct sim_carried *next = sites->carried->next;
        sim_at(sites->world, &sites->carried->event, WRN_MONO_NEVER);
        free(sites->carried);
        sites->carried = next;
    }
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        sim_at(sites->world, &sites->gateways[i].event, WRN_MONO_NEVER);
        free(sites->gateways[i].memory);
        free(sites->gateways[i].pieces_memory);
    }
    for (uint32_t i = 0; i < sites->station_count; i++) {
        sim_at(sites->world, &sites->stations[i].event, WRN_MONO_NEVER);
        free(sites->stations[i].heard);
    }
    free(sites->gateways);
    free(sites->stations);
    free(sites->ways);
    free(sites);
}

void sim_sites_mac(uint32_t station, uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]) {
    ret_mac[0] = 2;
    ret_mac[1] = station % 4 == 0 ? 1 : 0;
    wrn_store_be32(ret_mac + 2, station + 1);
}

bool sim_sites_may_move(const struct sim_sites *sites, uint32_t station) {
    return station < sites->station_count && station % 4 == 0;
}

void sim_sites_move(struct sim_sites *sites, uint32_t station, uint32_t wire) {
    struct sim_station *moved = &sites->stations[station];
    moved->wire = wire;
    moved->deaf_until = wrn_mono_add(sim_now(sites->world).mono, WRN_MS(MOVE_MS));
    sim_at(sites->world, &moved->event, moved->deaf_until);
}

void sim_sites_forge(struct sim_sites *sites, uint32_t station, uint32_t as) {
    uint8_t frame[FRAME_SIZE] = {0};
    memset(frame, 0xff, WRN_MAC_ADDRESS_SIZE);
    sim_sites_mac(as, frame + WRN_MAC_ADDRESS_SIZE);
    wrn_store_be16(frame + AT_KIND - 2, TYPE);
    put_on_wire(sites, sites->stations[station].wire, UINT32_MAX - station,
                (wrn_span){frame, sizeof frame});
}

void sim_sites_kill(struct sim_sites *sites, uint32_t gateway) {
    sites->gateways[gateway].is_up = false;
    sim_at(sites->world, &sites->gateways[gateway].event, WRN_MONO_NEVER);
}

void sim_sites_revive(struct sim_sites *sites, uint32_t gateway) {
    free(sites->gateways[gateway].memory);
    free(sites->gateways[gateway].pieces_memory);
    sites->gateways[gateway].incarnation++;
    start(&sites->gateways[gateway]);
}

void sim_sites_notice(struct sim_sites *sites) {
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        struct sim_gateway *gateway = &sites->gateways[i];
        for (uint32_t j = 0; j < sites->gateway_count && gateway->is_up; j++) {
            const struct sim_gateway *other = &sites->gateways[j];
            if (i != j) {
                notice(gateway, other);
            }
        }
        if (gateway->is_up) {
            be_due(gateway);
        }
    }
}

uint32_t sim_sites_where(const struct sim_sites *sites, uint32_t gateway, uint32_t station) {
    const struct sim_gateway *asked = &sites->gateways[gateway];
    struct wrn_switch_mac mac;
    uint8_t wanted[WRN_MAC_ADDRESS_SIZE];
    sim_sites_mac(station, wanted);
    for (uint32_t cursor = 0;
         wrn_switch_next_mac(asked->sw, sim_now(sites->world).mono, &cursor, &mac);) {
        if (memcmp(mac.mac, wanted, sizeof wanted) == 0) {
            return mac.peer.generation == 0 ? asked->wire : sites->gateways[mac.peer.index].wire;
        }
    }
    return UINT32_MAX;
}

void sim_sites_pass(struct sim_sites *sites, uint64_t ns) {
    sites->is_asking = true;
    sim_run(sites->world, wrn_mono_add(sim_now(sites->world).mono, ns));
    sites->is_asking = false;
    sim_run(sites->world, wrn_mono_add(sim_now(sites->world).mono, WRN_MS(500)));
    sites->is_asking = true;
}

/* ---- gateways */

static void start(struct sim_gateway *gateway) {
    struct wrn_frame_rules ours = rules();
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    (void)init(&arena, gateway);
    size_t size = arena.used;
    gateway->memory = sim_take(1, size + MEMORY_ALIGNMENT);
    wrn_arena_init(&arena, (void *)wrn_align_up((uintptr_t)gateway->memory, MEMORY_ALIGNMENT),
                   size);
    gateway->sw = init(&arena, gateway);
    gateway->is_up = true;
    gateway->pieces_memory = sim_take(1, wrn_pieces_memory_size() + MEMORY_ALIGNMENT);
    gateway->pieces =
        wrn_pieces_init((void *)wrn_align_up((uintptr_t)gateway->pieces_memory, MEMORY_ALIGNMENT));
    wrn_switch_set_ours(gateway->sw, &ours);
    struct wrn_switch_settings settings;
    wrn_switch_settings(gateway->sw, &settings);
    settings.age_s = gateway->sites->options.age_s;
    wrn_switch_set(gateway->sw, sim_now(gateway->sites->world), &settings);
    sim_at(gateway->sites->world, &gateway->event, sim_now(gateway->sites->world).mono);
}

static struct wrn_switch *init(struct wrn_arena *arena, const struct sim_gateway *gateway) {
    struct wrn_switch_options options;
    wrn_switch_defaults(&options);
    options.peers_max = PEERS_MAX;
    options.lanes_max = 1;
    options.macs_max = 2048;
    options.macs_per_port = 256;
    options.neighbours_max = 64;
    options.groups_max = 16;
    options.own = 1000 + gateway->number;
    return wrn_switch_init(arena, &options,
                           sim_rand(gateway->sites->world, SIM_STREAM_NODE, gateway->number),
                           sim_now(gateway->sites->world));
}

static wrn_handle handle_of(const struct sim_gateway *gateway) {
    return (wrn_handle){gateway->number, 2 * gateway->incarnation + 1};
}

static struct wrn_frame_rules rules(void) {
    return (struct wrn_frame_rules){
        .any_type = true,
        .any_mac = true,
        .mac_count = 1,
        .macs[0] = {.bytes = {2, 1}, .bits = 16},
    };
}

static void notice(struct sim_gateway *gateway, const struct sim_gateway *other) {
    struct sim_sites *sites = gateway->sites;
    struct wrn_switch_port port = {.peer = handle_of(other),
                                   .member = 1000 + other->number,
                                   .name = "a gateway",
                                   .theirs = rules(),
                                   .payload_max = 1400};
    if (!other->is_up || is_apart(sites, gateway, other)) {
        wrn_switch_close(gateway->sw, sim_now(sites->world), port.peer);
    } else if (!wrn_switch_is_open(gateway->sw, port.peer)) {
        WRN_ASSERT(wrn_switch_open(gateway->sw, sim_now(sites->world), &port));
    }
}

static void on_gateway(struct sim_event *event) {
    struct sim_gateway *gateway = WRN_CONTAINER(event, struct sim_gateway, event);
    struct sim_sites *sites = gateway->sites;
    sites->out.frame_count = sites->out.event_count = 0;
    wrn_switch_on_time(gateway->sw, sim_now(sites->world), &sites->out);
    settle(gateway);
}

/* Does what an input led to. */
static void settle(struct sim_gateway *gateway) {
    struct sim_sites *sites = gateway->sites;
    for (uint32_t i = 0; i < sites->out.event_count; i++) {
        gateway->events[sites->out.events[i].kind]++;
        sim_trace(sites->world, "switch event", gateway->number, sites->out.events[i].kind, 0);
    }
    for (uint32_t i = 0; i < sites->out.frame_count; i++) {
        const struct wrn_switch_frame *frame = &sites->out.frames[i];
        wrn_span bytes = {frame->bytes, frame->size};
        if (frame->to_host) {
            put_on_wire(sites, gateway->wire, gateway->number, bytes);
        }
        for (uint32_t j = 0; j < frame->count; j++) {
            send(gateway, frame->peers[j], bytes);
        }
    }
    sites->out.frame_count = sites->out.event_count = 0;
    be_due(gateway);
}

static void be_due(struct sim_gateway *gateway) {
    wrn_mono now = sim_now(gateway->sites->world).mono, due = wrn_switch_due(gateway->sw);
    sim_at(gateway->sites->world, &gateway->event, wrn_mono_before(now, due) ? due : now);
}

static void from_wire(struct sim_gateway *gateway, wrn_span frame) {
    struct sim_sites *sites = gateway->sites;
    struct wrn_now now = sim_now(sites->world);
    wrn_switch_from_host(gateway->sw, 0, now.mono, frame, &sites->verdict);
    sim_trace(sites->world, "from wire", gateway->number, sites->verdict.refusal,
              sites->verdict.count);
    for (uint32_t i = 0; i < sites->verdict.count; i++) {
        send(gateway, sites->verdict.peers[i], frame);
    }
    if (sites->verdict.is_told) {
        wrn_switch_on_frame(gateway->sw, now, WRN_HANDLE_NONE, frame, &sites->out);
        settle(gateway);
    }
}

static void from_tunnel(struct sim_gateway *gateway, wrn_handle peer, wrn_span frame) {
    struct sim_sites *sites = gateway->sites;
    struct wrn_now now = sim_now(sites->world);
    wrn_switch_from_peer(gateway->sw, 0, now.mono, peer, frame, &sites->verdict);
    sim_trace(sites->world, "from tunnel", gateway->number, sites->verdict.refusal, peer.index);
    if (sites->verdict.refusal == WRN_SWITCH_NONE) {
        put_on_wire(sites, gateway->wire, gateway->number, frame);
    }
    if (sites->verdict.is_told) {
        wrn_switch_on_frame(gateway->sw, now, peer, frame, &sites->out);
        settle(gateway);
    }
}

/* A frame, whole or in pieces. */
static void send(struct sim_gateway *gateway, wrn_handle to, wrn_span frame) {
    uint32_t payload_max = gateway->sites->options.payload_max;
    struct wrn_pieces_plan plan = wrn_pieces_plan(frame.size, payload_max);
    if (payload_max == 0) {
        send_payload(gateway, to, frame);
        return;
    }
    uint16_t id = plan.count > 1 ? gateway->next_id++ : 0;
    for (uint32_t i = 0; i < plan.count; i++) {
        uint8_t payload[FRAME_MAX];
        size_t size = wrn_pieces_payload_size(&plan, frame.size, i);
        WRN_ASSERT(size <= sizeof payload);
        wrn_pieces_write(&plan, frame, id, i, payload);
        send_payload(gateway, to, (wrn_span){payload, size});
    }
}

static void send_payload(struct sim_gateway *gateway, wrn_handle to, wrn_span payload) {
    struct sim_sites *sites = gateway->sites;
    struct sim_way *way = &sites->ways[gateway->number * sites->gateway_count + to.index];
    struct sim_transit transit;
    sim_way_pass(way, sim_now(sites->world).mono.ns, (uint32_t)payload.size + OVERHEAD,
                 (uint32_t)payload.size, &transit);
    sites->crossed++;
    if (transit.fate == SIM_FATE_ARRIVES) {
        struct sim_carried *carried = carry(sites, payload);
        carried->from = gateway->number;
        carried->from_incarnation = gateway->incarnation;
        carried->to = to.index;
        sim_at(sites->world, &carried->event, (wrn_mono){transit.arrival_ns});
    }
}

/* What came through the tunnel: a frame, or a piece of one. */
static void from_payload(struct sim_gateway *gateway, wrn_handle peer, wrn_span payload) {
    struct wrn_pieces_frame frame = {0};
    if (gateway->sites->options.payload_max == 0) {
        from_tunnel(gateway, peer, payload);
    } else if (payload.data[0] == WRN_PAYLOAD_FRAME) {
        from_tunnel(gateway, peer,
                    (wrn_span){payload.data + WRN_PAYLOAD_FRAME_HEAD,
                               payload.size - WRN_PAYLOAD_FRAME_HEAD});
    } else {
        (void)wrn_pieces_add(gateway->pieces, sim_now(gateway->sites->world).mono, peer, payload,
                             &frame); /* counted */
        if (frame.size > 0) {
            from_tunnel(gateway, peer, (wrn_span){frame.bytes, frame.size});
        }
        wrn_pieces_release(gateway->pieces);
    }
}

/* ---- frames */

static void put_on_wire(struct sim_sites *sites, uint32_t wire, uint32_t from, wrn_span frame) {
    struct sim_carried *carried = carry(sites, frame);
    carried->from = from;
    carried->to = wire;
    carried->is_wire = true;
    sim_at(sites->world, &carried->event, wrn_mono_add(sim_now(sites->world).mono, WIRE_NS));
}

static struct sim_carried *carry(struct sim_sites *sites, wrn_span frame) {
    struct sim_carried *carried = sim_take(1, sizeof *carried + frame.size);
    carried->event.happen = on_carried;
    carried->sites = sites;
    carried->size = (uint32_t)frame.size;
    memcpy(carried->bytes, frame.data, frame.size);
    carried->next = sites->carried;
    if (carried->next != NULL) {
        carried->next->previous = carried;
    }
    sites->carried = carried;
    return carried;
}

static void on_carried(struct sim_event *event) {
    struct sim_carried *carried = WRN_CONTAINER(event, struct sim_carried, event);
    struct sim_sites *sites = carried->sites;
    wrn_span frame = {carried->bytes, carried->size};
    if (carried->previous != NULL) {
        carried->previous->next = carried->next;
    } else {
        sites->carried = carried->next;
    }
    if (carried->next != NULL) {
        carried->next->previous = carried->previous;
    }
    for (uint32_t i = 0; i < sites->station_count && carried->is_wire; i++) {
        if (sites->stations[i].wire == carried->to && carried->from != UINT32_MAX - i) {
            hear(&sites->stations[i], frame);
        }
    }
    for (uint32_t i = 0; i < sites->gateway_count; i++) {
        struct sim_gateway *gateway = &sites->gateways[i];
        if (!gateway->is_up) {
            continue;
        }
        if (carried->is_wire && gateway->wire == carried->to && carried->from != i) {
            from_wire(gateway, frame);
        } else if (!carried->is_wire && carried->to == i &&
                   !is_apart(sites, gateway, &sites->gateways[carried->from])) {
            from_payload(gateway, (wrn_handle){carried->from, 2 * carried->from_incarnation + 1},
                         frame);
        }
    }
    free(carried);
}

static bool is_apart(const struct sim_sites *sites, const struct sim_gateway *a,
                     const struct sim_gateway *b) {
    return sites->is_cut && a->group != b->group;
}

/* ---- stations */

static void on_station(struct sim_event *event) {
    struct sim_station *station = WRN_CONTAINER(event, struct sim_station, event);
    struct sim_sites *sites = station->sites;
    uint64_t rest_ms = REST_MS + wrn_prng_next(&station->prng) % REST_MS;
    uint64_t other = wrn_prng_next(&station->prng) % sites->station_count;
    const struct sim_station *asked = &sites->stations[other];
    bool is_far =
        sites->is_cut && sites->gateways[asked->wire].group != sites->gateways[station->wire].group;
    sim_at(sites->world, event, wrn_mono_add(sim_now(sites->world).mono, WRN_MS(1) * rest_ms));
    if (station->is_silent) {
        return;
    }
    if (wrn_prng_next(&station->prng) % 4 == 0) {
        sites->broadcasts++;
        say(station, BROADCAST, UINT32_MAX, ++station->next_id);
    } else if (sites->is_asking && other != station->number && !asked->is_silent && !is_far) {
        station->is_waiting = true;
        sites->asked++;
        say(station, ASK, (uint32_t)other, ++station->asked_id);
    }
}

static void say(struct sim_station *station, uint8_t kind, uint32_t to, uint64_t id) {
    uint8_t frame[FRAME_MAX] = {0};
    uint32_t size = station->sites->options.frame_size;
    size = size > FRAME_SIZE ? size : FRAME_SIZE;
    WRN_ASSERT(size <= sizeof frame);
    if (kind == BROADCAST) {
        memset(frame, 0xff, WRN_MAC_ADDRESS_SIZE);
    } else {
        sim_sites_mac(to, frame);
    }
    sim_sites_mac(station->number, frame + WRN_MAC_ADDRESS_SIZE);
    wrn_store_be16(frame + AT_KIND - 2, TYPE);
    frame[AT_KIND] = kind;
    wrn_store_be32(frame + AT_FROM, station->number);
    wrn_store_be64(frame + AT_ID, id);
    for (uint32_t i = AT_FILLING; i < size; i++) {
        frame[i] = filling(station->number, id, i);
    }
    put_on_wire(station->sites, station->wire, UINT32_MAX - station->number,
                (wrn_span){frame, size});
}

/* A byte of a frame, so that bytes of another one, or at another place, are seen to be that. */
static uint8_t filling(uint32_t from, uint64_t id, uint32_t at) {
    return (uint8_t)((uint64_t)from * 31 + id * 7 + at + (uint64_t)(at >> 8) * 13);
}

static void hear(struct sim_station *station, wrn_span frame) {
    struct sim_sites *sites = station->sites;
    uint8_t own[WRN_MAC_ADDRESS_SIZE];
    sim_sites_mac(station->number, own);
    if (wrn_load_be16(frame.data + AT_KIND - 2) != TYPE || station->is_silent ||
        wrn_mono_before(sim_now(sites->world).mono, station->deaf_until)) {
        return;
    }
    uint32_t from = wrn_load_be32(frame.data + AT_FROM);
    uint64_t id = wrn_load_be64(frame.data + AT_ID);
    bool is_ours = memcmp(frame.data, own, sizeof own) == 0, is_whole = true;
    for (uint32_t i = AT_FILLING; i < frame.size && is_whole; i++) {
        is_whole = frame.data[i] == filling(from, id, i);
    }
    sites->garbled += !is_whole;
    switch (frame.data[AT_KIND]) {
    case BROADCAST:
        sites->heard++;
        sites->copies += id <= station->heard[from];
        station->heard[from] = id > station->heard[from] ? id : station->heard[from];
        break;
    case ASK:
        if (is_ours) {
            say(station, ANSWER, from, id);
        }
        break;
    case ANSWER:
        if (is_ours && station->is_waiting && id == station->asked_id) {
            station->is_waiting = false;
            sites->answered++;
        }
        break;
    default:
        break;
    }
}
