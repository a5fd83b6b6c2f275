/* SPDX-License-Identifier: Apache-2.0 */
/* Drives members: their lives, datagrams, packets and alarms. One input at a time: what comes out
 * of one that is another input waits in the member's queue. */
#include "sim/member.h"

#include <stdio.h>

#include "sim/cheap.h"
#include "sim/echo.h"
#include "sim/memory.h"
#include "wg/receiver.h"

enum { ALIGNMENT = 64, INPUTS_MAX = 20000, TURNS_MAX = 1000, PULL_BATCH = 16 };

enum input_kind {
    INPUT_CARRY,  /* sealed, by a path that the node takes care of */
    INPUT_INJECT, /* a WireGuard datagram that came through the ring */
    INPUT_PACKET, /* of the host, for the machine */
};

struct sim_input {
    struct sim_input *next;
    enum input_kind kind;
    uint32_t slot;
    struct wrn_path path;
    size_t size;
    uint8_t bytes[];
};

static bool is_there(wrn_handle handle);
static void *take_aligned(size_t size, void **ret_place);
static void start_network(struct sim_member *member, uint32_t slot);
static void free_run(struct sim_member *member);
static void tell_local(struct sim_member *member);
static void drain(struct sim_member *member);
static void hand_in(struct sim_member *member, struct sim_input *input);
static void queue(struct sim_member *member, enum input_kind kind, uint32_t slot,
                  const struct wrn_path *path, wrn_span bytes);
static void set_alarm(struct sim_member *member);
static void on_alarm(struct sim_alarm *alarm);
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void to_machine(struct sim_member *member, const struct wrn_path *path, wrn_span bytes);
static uint32_t slot_of(const struct sim_member *member, wrn_handle network);
static void open_datagram(struct sim_member *member, uint32_t slot, const struct wrn_path *path,
                          wrn_span bytes);
static void seal_packet(struct sim_member *member, uint32_t slot, wrn_span packet);
static void perform(struct sim_member *member);
static void perform_wg(struct sim_member *member, uint32_t slot);
static void perform_action(struct sim_member *member, const struct wrn_node_action *action);
static void send_by(struct sim_member *member, uint32_t slot, const struct wrn_path *path,
                    wrn_span datagram);
static void send_from(struct sim_member *member, uint16_t port, const struct wrn_endpoint *to,
                      wrn_span bytes, bool is_multicast);
static void set_sockets(struct sim_member *member, const struct wrn_node_action *action);
static void set_address(struct sim_membership *network, const struct wrn_node_action *action);
static void note_answer(struct sim_members *members, const struct wrn_node_answer *answer);
static void note_event(struct sim_member *member, uint32_t slot,
                       const struct wrn_node_event *event);
static void deliver(struct sim_member *member, uint32_t slot, wrn_span packet);
static void save(struct sim_member *member, uint32_t slot);

struct sim_members *sim_members_create(struct sim_run *run) {
    struct sim_members *members = sim_take(1, sizeof *members);
    members->run = run;
    members->net = sim_net_create(run->world);
    int error = wrn_crypto_create(WRN_CRYPTO_OPENSSL, &members->crypto);
    WRN_ASSERT(error == 0);
    members->primitives =
        run->options.is_cheap ? sim_cheap_primitives() : wrn_primitives(members->crypto);
    members->out = sim_take(1, sizeof *members->out);
    members->wg_out = sim_take(1, sizeof *members->wg_out);
    members->out->wg = members->wg_out;
    members->out->overlay = sim_take(1, sizeof *members->out->overlay);
    members->buffer = sim_take(1, WRN_WG_HEADROOM + SIM_DATAGRAM_MAX + WRN_WG_TAILROOM);
    members->state = sim_take(1, WRN_STATE_MAX);
    members->asked_count = 1;
    members->asked = sim_grow(NULL, 0, &members->asked_capacity, sizeof *members->asked);
    return members;
}

void sim_members_destroy(struct sim_members *members) {
    if (members == NULL) {
        return;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        struct sim_member *member = members->all[i];
        sim_member_crash(member);
        for (uint32_t slot = 0; slot < SIM_MEMBER_NETWORKS; slot++) {
            free(member->networks[slot].state);
        }
        free(member);
    }
    sim_net_destroy(members->net);
    wrn_crypto_destroy(members->crypto);
    free(members->out->overlay);
    free(members->out);
    free(members->wg_out);
    free(members->buffer);
    free(members->state);
    free(members->echoes);
    free(members->asked);
    free(members->all);
    free(members);
}

struct sim_member *sim_member_add(struct sim_members *members, sim_segment segment,
                                  const struct sim_link *up, const struct sim_link *down) {
    struct sim_member *member = sim_take(1, sizeof *member);
    members->all =
        sim_grow(members->all, members->count, &members->capacity, sizeof(struct sim_member *));
    members->all[members->count] = member;
    member->members = members;
    member->number = members->count++;
    member->segment = segment;
    member->host = sim_net_add_host(members->net, segment, up, down, on_datagram, member);
    member->next_port = SIM_MEMBER_PORT_FIRST;
    (void)snprintf(member->name, sizeof member->name, "host%u", member->number);
    sim_prng_init(members->run->world, SIM_STREAM_NODE, member->number, &member->prng);
    wrn_rand_fill(wrn_prng_rand(&member->prng), member->seed, sizeof member->seed);
    member->alarm.ring = on_alarm;
    return member;
}

void sim_member_start(struct sim_member *member) {
    struct sim_members *members = member->members;
    WRN_ASSERT(member->node == NULL && !members->is_busy);
    struct wrn_node_options options = {
        .host = {(const uint8_t *)member->name, strlen(member->name)},
        .port = SIM_MEMBER_PORT,
        .announces = true,
        .crypto = members->crypto,
        .primitives = &members->primitives,
        .rand = wrn_prng_rand(&member->prng),
    };
    memcpy(options.seed, member->seed, sizeof options.seed);
    void *place = NULL;
    member->memory = take_aligned(wrn_node_memory_size(&options), &place);
    member->node = wrn_node_init(place, &options, sim_member_now(member));
    WRN_ASSERT(member->node != NULL);
    sim_trace(members->run->world, "member starts", member->number, 0, 0);
    tell_local(member);
    for (uint32_t slot = 0; slot < SIM_MEMBER_NETWORKS; slot++) {
        if (member->networks[slot].is_used) {
            start_network(member, slot);
        }
    }
    set_alarm(member);
}

void sim_member_stop(struct sim_member *member) {
    for (uint32_t slot = 0; member->node != NULL && slot < SIM_MEMBER_NETWORKS; slot++) {
        if (is_there(member->networks[slot].handle)) {
            sim_member_begin(member);
            wrn_node_leave(member->node, sim_member_now(member), member->networks[slot].handle,
                           false, member->members->out);
            sim_member_end(member);
            save(member, slot);
        }
    }
    sim_member_crash(member);
}

void sim_member_crash(struct sim_member *member) {
    if (member->node != NULL) {
        sim_trace(member->members->run->world, "member ends", member->number, 0, 0);
        free_run(member);
    }
}

void sim_member_sleep(struct sim_member *member) {
    sim_trace(member->members->run->world, "member sleeps", member->number, 0, 0);
    sim_host_sleep(member->members->net, member->host);
}

void sim_member_wake(struct sim_member *member) {
    sim_trace(member->members->run->world, "member wakes", member->number, 0, 0);
    sim_host_wake(member->members->net, member->host);
    if (member->node != NULL) {
        tell_local(member);
        set_alarm(member);
    }
}

void sim_member_move(struct sim_member *member, sim_segment segment) {
    sim_trace(member->members->run->world, "member moves", member->number, segment, 0);
    sim_host_move(member->members->net, member->host, segment);
    member->segment = segment;
    if (member->node != NULL && !sim_host_clock(member->members->net, member->host)->is_asleep) {
        tell_local(member);
        set_alarm(member);
    }
}

struct wrn_now sim_member_now(const struct sim_member *member) {
    return sim_clock_now(sim_host_clock(member->members->net, member->host));
}

void sim_member_begin(struct sim_member *member) {
    struct sim_members *members = member->members;
    WRN_ASSERT(member->node != NULL && !members->is_busy);
    members->is_busy = true;
    members->wg_out->message_count = 0;
    members->wg_out->event_count = 0;
    members->wg_out->events_lost = 0;
    wrn_node_out_reset(members->out);
}

void sim_member_end(struct sim_member *member) {
    perform(member);
    drain(member);
    member->members->is_busy = false;
    set_alarm(member);
}

void sim_member_set_state(struct sim_member *member, uint32_t slot, const struct wrn_state *state) {
    struct sim_membership *network = &member->networks[slot];
    uint8_t *bytes = member->members->state;
    size_t size = wrn_state_write(state, bytes, WRN_STATE_MAX);
    WRN_ASSERT(size > 0 && !network->is_used);
    *network = (struct sim_membership){.is_used = true, .state_size = size};
    network->state = sim_take(1, size);
    memcpy(network->state, bytes, size);
    if (member->node != NULL) {
        start_network(member, slot);
    }
}

void sim_member_send(struct sim_member *member, uint32_t slot, wrn_span packet) {
    sim_member_begin(member);
    queue(member, INPUT_PACKET, slot, NULL, packet);
    sim_member_end(member);
}

static bool is_there(wrn_handle handle) {
    return !wrn_handle_equal(handle, WRN_HANDLE_NONE);
}

/* Returns zeroed memory to be freed, and where in it begins a line of a cache. */
static void *take_aligned(size_t size, void **ret_place) {
    void *memory = sim_take(1, size + ALIGNMENT);
    *ret_place = (void *)(((uintptr_t)memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
    return memory;
}

static void start_network(struct sim_member *member, uint32_t slot) {
    struct sim_membership *network = &member->networks[slot];
    void *place = NULL;
    network->memory = take_aligned(wrn_node_network_size(member->node), &place);
    sim_member_begin(member);
    wrn_span state = {network->state, network->state_size};
    enum wrn_reason reason = wrn_node_add(member->node, sim_member_now(member), place, state,
                                          member->members->out, &network->handle);
    sim_report_expect(&member->members->run->report, reason == WRN_REASON_NONE,
                      "%s cannot start its network: %s", member->name, wrn_reason_text(reason));
    sim_member_end(member);
}

static void free_run(struct sim_member *member) {
    sim_alarm_set(sim_host_clock(member->members->net, member->host), &member->alarm,
                  WRN_MONO_NEVER);
    for (uint32_t slot = 0; slot < SIM_MEMBER_NETWORKS; slot++) {
        struct sim_membership *network = &member->networks[slot];
        if (is_there(network->handle)) {
            wrn_node_remove(member->node, network->handle);
        }
        free(network->memory);
        network->memory = NULL;
        network->handle = WRN_HANDLE_NONE;
        network->address_count = 0;
        memset(network->ports, 0, sizeof network->ports);
    }
    wrn_node_finish(member->node);
    free(member->memory);
    member->node = NULL;
    member->memory = NULL;
    while (member->first != NULL) {
        struct sim_input *input = member->first;
        member->first = input->next;
        free(input);
    }
    member->last = NULL;
    member->inputs = 0;
}

static void tell_local(struct sim_member *member) {
    struct wrn_ip ips[2];
    struct wrn_locator_endpoint endpoints[2] = {0};
    size_t count = sim_host_addresses(member->members->net, member->host, ips);
    for (size_t i = 0; i < count; i++) {
        endpoints[i] = (struct wrn_locator_endpoint){
            .at = {.ip = ips[i], .port = SIM_MEMBER_PORT},
            .kind = WRN_ENDPOINT_LOCAL,
        };
    }
    uint32_t cursor = 0;
    for (bool is_more = true; is_more;) {
        sim_member_begin(member);
        is_more = wrn_node_set_local(member->node, sim_member_now(member), endpoints, count,
                                     &cursor, member->members->out);
        sim_member_end(member);
    }
}

/* Hands in what came out, in order. */
static void drain(struct sim_member *member) {
    while (member->first != NULL) {
        struct sim_input *input = member->first;
        member->first = input->next;
        member->last = input->next == NULL ? NULL : member->last;
        member->inputs--;
        wrn_node_out_reset(member->members->out);
        hand_in(member, input);
        perform(member);
        free(input);
    }
}

static void hand_in(struct sim_member *member, struct sim_input *input) {
    struct sim_membership *network = &member->networks[input->slot];
    wrn_span bytes = {input->bytes, input->size};
    if (!is_there(network->handle)) {
        return;
    }
    switch (input->kind) {
    case INPUT_CARRY:
        wrn_node_on_carry(member->node, sim_member_now(member), network->handle, &input->path,
                          bytes, member->members->out);
        break;
    case INPUT_INJECT:
        open_datagram(member, input->slot, &input->path, bytes);
        break;
    case INPUT_PACKET:
        seal_packet(member, input->slot, bytes);
        break;
    }
}

static void queue(struct sim_member *member, enum input_kind kind, uint32_t slot,
                  const struct wrn_path *path, wrn_span bytes) {
    if (member->inputs == INPUTS_MAX) {
        sim_report_expect(&member->members->run->report, false,
                          "%s: one input leads to more than %d others", member->name, INPUTS_MAX);
        return;
    }
    struct sim_input *input = sim_take(1, sizeof *input + bytes.size);
    input->kind = kind;
    input->slot = slot;
    input->path = path != NULL ? *path : (struct wrn_path){0};
    input->size = bytes.size;
    memcpy(input->bytes, bytes.data, bytes.size);
    if (member->last != NULL) {
        member->last->next = input;
    } else {
        member->first = input;
    }
    member->last = input;
    member->inputs++;
}

static void set_alarm(struct sim_member *member) {
    struct sim_clock *clock = sim_host_clock(member->members->net, member->host);
    wrn_mono now = sim_clock_now(clock).mono;
    wrn_mono due = wrn_node_due(member->node);
    if (wrn_mono_before(due, now)) {
        due = now;
    }
    if (!sim_is_set(&member->alarm.event) || member->alarm.due.ns != due.ns) {
        sim_alarm_set(clock, &member->alarm, due);
    }
}

/* One network a turn; after some turns nothing may be due any more: it would never end. */
static void on_alarm(struct sim_alarm *alarm) {
    struct sim_member *member = WRN_CONTAINER(alarm, struct sim_member, alarm);
    struct wrn_now now = sim_member_now(member);
    uint32_t turns = 0;
    while (turns < TURNS_MAX && !wrn_mono_before(now.mono, wrn_node_due(member->node))) {
        sim_member_begin(member);
        wrn_node_on_time(member->node, now, member->members->out);
        sim_member_end(member);
        turns++;
    }
    if (turns == TURNS_MAX) {
        sim_report_expect(&member->members->run->report, false,
                          "%s is still due after %d turns at %llu ns", member->name, TURNS_MAX,
                          (unsigned long long)now.mono.ns);
        sim_alarm_set(sim_host_clock(member->members->net, member->host), &member->alarm,
                      wrn_mono_add(now.mono, WRN_MS(10)));
    }
}

/* By port and first byte: the ring's, the machines', or a socket's of one network. */
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct sim_member *member = owner;
    struct sim_members *members = member->members;
    if (member->node == NULL || bytes.size == 0 ||
        (was_multicast && to.port != SIM_MEMBER_ANNOUNCE_PORT)) {
        return;
    }
    wrn_handle network = WRN_HANDLE_NONE;
    uint16_t socket = 0;
    if (!was_multicast && to.port != SIM_MEMBER_PORT) {
        for (uint32_t i = 0; i < SIM_MEMBER_NETWORKS * WRN_NODE_SOCKETS_MAX && socket == 0; i++) {
            if (member->networks[i / WRN_NODE_SOCKETS_MAX].ports[i % WRN_NODE_SOCKETS_MAX] ==
                to.port) {
                network = member->networks[i / WRN_NODE_SOCKETS_MAX].handle;
                socket = (uint16_t)(i % WRN_NODE_SOCKETS_MAX);
            }
        }
        if (socket == 0) {
            return; /* nothing is bound there */
        }
    }
    sim_member_begin(member);
    if (socket != 0 || wrn_frame_is_ours(bytes.data[0])) {
        memcpy(members->buffer, bytes.data, bytes.size);
        wrn_node_on_datagram(member->node, sim_member_now(member), network, socket, &from,
                             members->buffer, bytes.size, members->out);
    } else {
        struct wrn_path path = {.remote = from, .local = to.ip};
        to_machine(member, &path, bytes);
    }
    sim_member_end(member);
}

/* A WireGuard message to the shared port, as the crew tells whose it is. */
static void to_machine(struct sim_member *member, const struct wrn_path *path, wrn_span bytes) {
    uint32_t tag = 0;
    enum wrn_wg_receiver receiver =
        wrn_wg_receiver(bytes.data, bytes.size, WRN_NODE_TAG_BITS, &tag);
    for (uint32_t slot = 0; slot < SIM_MEMBER_NETWORKS; slot++) {
        wrn_handle handle = member->networks[slot].handle;
        struct wrn_wg *wg = is_there(handle) ? wrn_node_wg(member->node, handle) : NULL;
        if (wg != NULL &&
            ((receiver == WRN_WG_RECEIVER_TAGGED && wrn_node_tag(member->node, handle) == tag) ||
             (receiver == WRN_WG_RECEIVER_INITIATION &&
              wrn_wg_is_initiation_for(wg, member->members->crypto, bytes)))) {
            open_datagram(member, slot, path, bytes);
            return;
        }
    }
}

static uint32_t slot_of(const struct sim_member *member, wrn_handle network) {
    uint32_t slot = 0;
    while (slot < SIM_MEMBER_NETWORKS &&
           !wrn_handle_equal(member->networks[slot].handle, network)) {
        slot++;
    }
    return slot;
}

static void open_datagram(struct sim_member *member, uint32_t slot, const struct wrn_path *path,
                          wrn_span bytes) {
    struct sim_members *members = member->members;
    wrn_handle handle = member->networks[slot].handle;
    memcpy(members->buffer, bytes.data, bytes.size);
    struct wrn_wg_datagram datagram = {.bytes = members->buffer, .size = bytes.size, .path = *path};
    wrn_wg_on_datagrams(wrn_node_wg(member->node, handle), sim_member_now(member), &datagram, 1,
                        members->wg_out);
    members->out->network = handle;
    if (datagram.packet_size > 0) {
        deliver(member, slot, (wrn_span){datagram.packet, datagram.packet_size});
    }
}

static void seal_packet(struct sim_member *member, uint32_t slot, wrn_span packet) {
    struct sim_members *members = member->members;
    wrn_handle handle = member->networks[slot].handle;
    uint8_t *place = members->buffer + WRN_WG_HEADROOM;
    memcpy(place, packet.data, packet.size);
    struct wrn_wg_packet one = {.bytes = place, .size = packet.size};
    wrn_wg_on_packets(wrn_node_wg(member->node, handle), sim_member_now(member), &one, 1,
                      members->wg_out);
    members->out->network = handle;
    if (one.datagram_size > 0) {
        send_by(member, slot, &one.path, (wrn_span){one.datagram, one.datagram_size});
    } else if (one.drop == WRN_DROP_NONE && !is_there(one.peer)) {
        wrn_node_on_packet(member->node, sim_member_now(member), handle, packet, members->out);
    }
}

/* First what the machine wants, then the rest, in order. */
static void perform(struct sim_member *member) {
    struct wrn_node_out *out = member->members->out;
    uint32_t slot = slot_of(member, out->network);
    if (is_there(out->network) && slot < SIM_MEMBER_NETWORKS) {
        perform_wg(member, slot);
    }
    for (uint32_t i = 0; i < out->count; i++) {
        perform_action(member, &out->actions[i]);
    }
    sim_report_expect(&member->members->run->report, out->lost == 0,
                      "%s lost %llu actions that found no room", member->name,
                      (unsigned long long)out->lost);
    out->lost = 0;
}

/* Sends the machine's messages, and packets that waited and may go. */
static void perform_wg(struct sim_member *member, uint32_t slot) {
    struct sim_members *members = member->members;
    struct wrn_wg_out *out = members->wg_out;
    struct wrn_wg *wg = wrn_node_wg(member->node, member->networks[slot].handle);
    struct wrn_wg_packet packet;
    size_t count = 0;
    do {
        for (uint32_t i = 0; i < out->message_count; i++) {
            const struct wrn_wg_message *message = &out->messages[i];
            send_by(member, slot, &message->path, (wrn_span){message->bytes, message->size});
        }
        out->message_count = out->event_count = 0;
        packet = (struct wrn_wg_packet){.bytes = members->buffer + WRN_WG_HEADROOM,
                                        .size = WRN_WG_PACKET_MAX};
        count = wrn_wg_pull_staged(wg, sim_member_now(member), &packet, 1, out);
        if (count > 0 && packet.datagram_size > 0) {
            send_by(member, slot, &packet.path, (wrn_span){packet.datagram, packet.datagram_size});
        }
    } while (count > 0 || out->message_count > 0);
    wrn_wg_reclaim(wg);
}

static void perform_action(struct sim_member *member, const struct wrn_node_action *action) {
    uint32_t slot = slot_of(member, action->network);
    struct sim_membership *network = &member->networks[slot % SIM_MEMBER_NETWORKS];
    if (slot == SIM_MEMBER_NETWORKS && action->kind != WRN_NODE_ANSWER) {
        return; /* of a network that could not be started */
    }
    switch (action->kind) {
    case WRN_NODE_DATAGRAM:
    case WRN_NODE_MULTICAST:
        send_from(member, action->socket == 0 ? SIM_MEMBER_PORT : network->ports[action->socket],
                  &action->to, action->bytes, action->kind == WRN_NODE_MULTICAST);
        break;
    case WRN_NODE_SOCKETS:
        set_sockets(member, action);
        break;
    case WRN_NODE_INJECT:
        queue(member, INPUT_INJECT, slot, &action->path, action->bytes);
        break;
    case WRN_NODE_TO_HOST:
        member->members->unreachable++;
        break;
    case WRN_NODE_ADDRESS:
        set_address(network, action);
        break;
    case WRN_NODE_ROUTE: /* a host here has no other way */
    case WRN_NODE_FRAME: /* nor a network with a switch */
        break;
    case WRN_NODE_SAVE:
        save(member, slot);
        break;
    case WRN_NODE_EVENT:
        note_event(member, slot, &action->event);
        break;
    case WRN_NODE_ANSWER:
        note_answer(member->members, &action->answer);
        break;
    case WRN_NODE_GONE:
        network->is_gone = true;
        break;
    }
}

static void send_by(struct sim_member *member, uint32_t slot, const struct wrn_path *path,
                    wrn_span datagram) {
    uint8_t bytes[WRN_RELAYED_MAX];
    switch (path->kind) {
    case WRN_PATH_CONTROL:
        queue(member, INPUT_CARRY, slot, path, datagram);
        break;
    case WRN_PATH_RELAY:
        if (datagram.size <= WRN_RELAYED_INSIDE_MAX) {
            wrn_relayed_write(path->slot, bytes);
            memcpy(bytes + WRN_RELAYED_OVERHEAD, datagram.data, datagram.size);
            send_from(member, SIM_MEMBER_PORT, &path->remote,
                      (wrn_span){bytes, WRN_RELAYED_OVERHEAD + datagram.size}, false);
        }
        break;
    default:
        if (path->remote.ip.family != WRN_FAMILY_NONE) {
            send_from(member, SIM_MEMBER_PORT, &path->remote, datagram, false);
        }
        break;
    }
}

static void send_from(struct sim_member *member, uint16_t port, const struct wrn_endpoint *to,
                      wrn_span bytes, bool is_multicast) {
    struct sim_members *members = member->members;
    struct wrn_endpoint from = {.port = port};
    sim_report_expect(&members->run->report, port != 0, "%s sends from a socket that is not open",
                      member->name);
    if (port == 0) {
        return;
    }
    int error = is_multicast ? sim_send_multicast(members->net, member->host, &from,
                                                  SIM_MEMBER_ANNOUNCE_PORT, bytes)
                             : sim_send(members->net, member->host, &from, to, bytes);
    sim_report_expect(&members->run->report, error == 0 || error == -ENETUNREACH,
                      "%s: a datagram cannot be sent: %d", member->name, error);
}

static void set_sockets(struct sim_member *member, const struct wrn_node_action *action) {
    uint32_t slot = slot_of(member, action->network);
    sim_report_expect(&member->members->run->report,
                      action->socket >= 1 && action->socket + action->count <= WRN_NODE_SOCKETS_MAX,
                      "%s: sockets %u to %u do not exist", member->name, action->socket,
                      action->socket + action->count);
    for (uint32_t i = action->socket;
         i < (uint32_t)action->socket + action->count && i < WRN_NODE_SOCKETS_MAX; i++) {
        member->networks[slot].ports[i] = action->is_open ? member->next_port++ : 0;
        if (member->next_port == 0) {
            member->next_port = SIM_MEMBER_PORT_FIRST;
        }
    }
}

static void set_address(struct sim_membership *network, const struct wrn_node_action *action) {
    uint32_t at = 0;
    while (at < network->address_count &&
           !wrn_ip_equal(&network->addresses[at].ip, &action->prefix.ip)) {
        at++;
    }
    if (action->is_open && at < SIM_MEMBER_ADDRESSES) {
        network->addresses[at] = action->prefix;
        network->address_count += at == network->address_count;
    } else if (!action->is_open && at < network->address_count) {
        network->addresses[at] = network->addresses[--network->address_count];
    }
}

static void note_answer(struct sim_members *members, const struct wrn_node_answer *answer) {
    if (answer->tag < members->asked_count) {
        struct sim_asked *asked = &members->asked[answer->tag];
        asked->count++;
        asked->is_answered |= answer->is_last;
        asked->reason = answer->reason;
        asked->name = answer->name;
        asked->rights_seen |= answer->rights;
    }
}

static void note_event(struct sim_member *member, uint32_t slot,
                       const struct wrn_node_event *event) {
    struct sim_members *members = member->members;
    struct sim_membership *network = &member->networks[slot];
    WRN_ASSERT(event->kind < WRN_NODE_EVENT_KINDS);
    network->events[event->kind]++;
    if (event->kind != WRN_NODE_EVENT_PEER_UP_KIND &&
        event->kind != WRN_NODE_EVENT_PEER_PATH_KIND &&
        event->kind != WRN_NODE_EVENT_PEER_DOWN_KIND) {
        network->last = *event;
    }
    sim_trace(members->run->world, wrn_node_event_name(event->kind), member->number, slot,
              event->reason);
    if (members->on_event != NULL) {
        members->on_event(members->ctx, member, slot, event);
    }
}

/* The host's own stack: answers echo requests, notes echo replies. */
static void deliver(struct sim_member *member, uint32_t slot, wrn_span packet) {
    struct sim_members *members = member->members;
    uint8_t answer[SIM_ECHO_SIZE];
    uint32_t number = 0;
    members->packets++;
    if (members->on_packet != NULL) {
        members->on_packet(members->ctx, member, slot, packet);
    }
    size_t size = sim_echo_answer(packet, answer);
    if (size > 0) {
        queue(member, INPUT_PACKET, slot, NULL, (wrn_span){answer, size});
    } else if (sim_echo_read_reply(packet, &number) && number < members->echo_count &&
               members->echoes[number].came.ns == 0) {
        members->echoes[number].came = sim_now(members->run->world).mono;
    }
}

static void save(struct sim_member *member, uint32_t slot) {
    struct sim_membership *network = &member->networks[slot];
    uint8_t *bytes = member->members->state;
    size_t size = wrn_node_save(member->node, network->handle, bytes, WRN_STATE_MAX);
    sim_report_expect(&member->members->run->report, size > 0, "%s cannot save its network",
                      member->name);
    if (size > 0) {
        free(network->state);
        network->state = sim_take(1, size);
        memcpy(network->state, bytes, size);
        network->state_size = size;
        member->saved++;
    }
}
