/* SPDX-License-Identifier: Apache-2.0 */
/* The loop guard: of several gateways of one network on one wire, one forwards. Each sends a probe
 * to its own wire each second; who hears a better one's stands by. Gateways also tell members whom
 * they hear, through the tunnel: so the others know that the addresses of one may appear at the
 * other, and to whom they go when one is gone.
 *
 * A frame of ethertype 0x88b5 (IEEE 802, for local experiments), all numbers big-endian:
 *
 *     magic(4) | version(1) | kind(1) | flags(1) | 0 | member(8) | stamp(8) | other(8) | tag(8)
 *
 * 'member' says it, 'other' is whom it hears (notes), or a size and a number (switch_mtu.c); more
 * may follow behind the tag (switch_announce.c).
 * 'stamp' is the sender's time in nanoseconds and only rises, so that what was recorded is worth
 * nothing later. 'tag' is SipHash of all before under the members' secret: 64 bits, which a
 * stranger can only guess at. */
#include "switch/switch_internal.h"

#include <stdio.h>

#include "base/keymap.h"

enum {
    MAGIC = 0x57724c47, /* "WrLG" */
    VERSION = 1,
    KIND_PROBE = 1, /* over the wire */
    KIND_NOTE = 2,  /* through the tunnel */
    KIND_SIZE = 3,  /* ditto: does a frame of this size arrive? (switch_mtu.c) */
    KIND_SIZE_ANSWER = 4,
    KIND_HERE = 5, /* addresses of the sender's side follow (switch_announce.c) */
    FLAG_CONNECTED = 1,
    FLAG_STANDS_BY = 2,
    FLAG_TOOK_OVER = 4,
    AT_KIND = 5, /* offsets */
    AT_FLAGS = 6,
    AT_MEMBER = 8,
    AT_STAMP = 16,
    AT_OTHER = 24,
    AT_TAG = 32,
    BODY_SIZE = 40,
    HEAD_SIZE = 14,
    FRAME_SIZE = 60,
    PROBE_EACH_MS = 1000,
    HURRY_MS = 100,   /* at least so long after the last */
    GONE_MS = 3500,   /* without a probe for so long it is gone */
    FORGOTTEN_S = 60, /* and may begin with any stamp again */
    NOTE_EACH_S = 10,
    NOTES_SOON = 4,    /* so often each second first: who has no port for us yet hears none */
    TWIN_EXTRA_S = 60, /* a twin counts for as long as an address does, and so much longer */
};

static void on_probe(struct wrn_switch *sw, struct wrn_now now, const uint8_t *body,
                     struct wrn_switch_out *out);
static void on_note(struct wrn_switch *sw, struct wrn_now now, uint32_t port, const uint8_t *body,
                    struct wrn_switch_out *out);
static void on_tunnel(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                      const struct wrn_switch_head *head, struct wrn_switch_out *out);
static void say(struct wrn_switch *sw, struct wrn_now now, uint32_t port, uint8_t kind,
                uint64_t what, struct wrn_switch_out *out);
static struct wrn_switch_rival *rival_of(struct wrn_switch *sw, wrn_mono now, uint64_t member);
static void decide(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out);
static bool goes_first(const struct wrn_switch *sw, wrn_mono now,
                       const struct wrn_switch_rival *rival);
static bool is_there(const struct wrn_switch_rival *rival, wrn_mono now);
static bool is_connected(const struct wrn_switch *sw, wrn_mono now);
static void name_of(const struct wrn_switch *sw, uint64_t member, char name[WRN_SWITCH_NAME_SIZE]);
static uint32_t port_of_member(const struct wrn_switch *sw, uint64_t member);
static void note(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out);
static void forget(struct wrn_switch *sw, uint32_t port);
static void write_frame(struct wrn_switch *sw, struct wrn_now now, uint8_t kind, uint8_t flags,
                        uint64_t other, struct wrn_switch_frame *frame);
static uint64_t tag_of(const struct wrn_switch *sw, const uint8_t *body);

bool wrn_switch_guard_is(wrn_span body) {
    return body.size >= BODY_SIZE && wrn_load_be32(body.data) == MAGIC;
}

void wrn_switch_guard_on_frame(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                               const struct wrn_switch_head *head, struct wrn_switch_out *out) {
    const uint8_t *body = head->body.data;
    if (body[4] != VERSION || wrn_load_be64(body + AT_TAG) != tag_of(sw, body)) {
        return;
    }
    if (port == WRN_SWITCH_HOST) {
        if (body[AT_KIND] == KIND_PROBE && sw->settings.guards_loops) {
            on_probe(sw, now, body, out);
        }
    } else if (wrn_load_be64(body + AT_MEMBER) == sw->ports[port].member) {
        on_tunnel(sw, now, port, head, out);
    }
}

void wrn_switch_guard_probe_size(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                                 uint32_t size, uint64_t what, struct wrn_switch_out *out) {
    say(sw, now, port, KIND_SIZE, what, out);
    struct wrn_switch_frame *frame = &out->frames[out->frame_count - 1];
    WRN_ASSERT(size >= FRAME_SIZE && size <= WRN_SWITCH_MADE_MAX);
    memset(frame->bytes + frame->size, 0, size - frame->size);
    frame->size = size;
    frame->is_whole = true;
}

void wrn_switch_guard_on_time(struct wrn_switch *sw, struct wrn_now now,
                              struct wrn_switch_out *out) {
    if (!wrn_mono_reached(now.mono, sw->guard_at)) {
        return;
    }
    sw->guard_at = wrn_mono_add(now.mono, WRN_MS(PROBE_EACH_MS));
    sw->probed_at = now.mono;
    if (sw->forgets_once_more) { /* what was on its way then has arrived */
        sw->forgets_once_more = false;
        forget(sw, WRN_SWITCH_HOST);
    }
    if (out->frame_count < WRN_SWITCH_OUT_MAX) {
        struct wrn_switch_frame *frame = &out->frames[out->frame_count];
        bool stands_by = atomic_load_explicit(&sw->stands_by, memory_order_relaxed);
        uint8_t flags = (uint8_t)((is_connected(sw, now.mono) ? FLAG_CONNECTED : 0) |
                                  (stands_by ? FLAG_STANDS_BY : 0));
        frame->to_host = true;
        frame->count = 0;
        write_frame(sw, now, KIND_PROBE, flags, 0, frame);
        out->frame_count++;
    }
    decide(sw, now, out);
    if (wrn_mono_reached(now.mono, sw->note_at)) {
        note(sw, now, out);
    }
}

struct wrn_switch_frame *wrn_switch_guard_here(struct wrn_switch *sw, struct wrn_now now,
                                               uint32_t port, struct wrn_switch_out *out) {
    say(sw, now, port, KIND_HERE, 0, out);
    struct wrn_switch_frame *frame = &out->frames[out->frame_count - 1];
    frame->size = HEAD_SIZE + BODY_SIZE;
    return frame;
}

void wrn_switch_guard_group(uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]) {
    static const uint8_t group[WRN_MAC_ADDRESS_SIZE] = {0x03, 0x57, 0x72, 0x4c, 0x47, 0x00};
    memcpy(ret_mac, group, sizeof group);
}

void wrn_switch_guard_note_soon(struct wrn_switch *sw) {
    sw->notes_soon = NOTES_SOON;
}

void wrn_switch_guard_greet(struct wrn_switch *sw, wrn_mono now) {
    wrn_switch_guard_note_soon(sw);
    sw->note_at = now;
    for (size_t i = 0; i < WRN_SWITCH_TWINS && sw->settings.guards_loops; i++) {
        if (sw->rivals[i].member != 0) {
            sw->guard_at = now; /* not in a second: until then we may be gone */
        }
    }
}

void wrn_switch_guard_hurry(struct wrn_switch *sw) {
    if (sw->settings.guards_loops) {
        sw->guard_at = wrn_mono_min(sw->guard_at, wrn_mono_add(sw->probed_at, WRN_MS(HURRY_MS)));
    }
}

void wrn_switch_guard_set(struct wrn_switch *sw, wrn_mono now) {
    if (!sw->settings.guards_loops) {
        memset(sw->rivals, 0, sizeof sw->rivals);
        atomic_store_explicit(&sw->stands_by, false, memory_order_relaxed);
        sw->guard_at = WRN_MONO_NEVER;
    } else if (sw->guard_at.ns == WRN_MONO_NEVER.ns || sw->guard_at.ns == 0) {
        sw->guard_at = now;
        sw->note_at = now;
    }
}

bool wrn_switch_guard_is_twin(const struct wrn_switch *sw, uint32_t port, uint64_t member,
                              uint32_t now_s) {
    const struct wrn_switch_place *place = &sw->ports[port];
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) {
        if (place->twins[i].member == member && place->twins[i].until_s > now_s) {
            return true;
        }
    }
    return false;
}

/* ---- the wire */

static void on_probe(struct wrn_switch *sw, struct wrn_now now, const uint8_t *body,
                     struct wrn_switch_out *out) {
    uint64_t member = wrn_load_be64(body + AT_MEMBER), stamp = wrn_load_be64(body + AT_STAMP);
    if (member == sw->options.own) { /* our own, back by a loop within our side */
        (void)wrn_switch_tell(sw, now.mono, out, WRN_SWITCH_HOST, WRN_SWITCH_EVENT_LOOP);
        return;
    }
    struct wrn_switch_rival *rival = rival_of(sw, now.mono, member);
    if (rival == NULL || stamp <= rival->stamp) {
        return;
    }
    bool was_there = is_there(rival, now.mono), stood_by = rival->stands_by;
    rival->stands_by = (body[AT_FLAGS] & FLAG_STANDS_BY) != 0;
    rival->stamp = stamp;
    rival->heard_at = now.mono;
    rival->is_connected = (body[AT_FLAGS] & FLAG_CONNECTED) != 0;
    if (!was_there || rival->stands_by != stood_by) {
        /* until now it may have brought frames of all members to our side, and ours to all */
        forget(sw, WRN_SWITCH_HOST);
        forget(sw, port_of_member(sw, member));
        sw->forgets_once_more = true;
        wrn_switch_guard_note_soon(sw);
        note(sw, now, out);
    }
    decide(sw, now, out);
}

/* The place of a rival: its own, a free one, or that of the largest number; NULL: it has a larger
 * one, and there are enough. */
static struct wrn_switch_rival *rival_of(struct wrn_switch *sw, wrn_mono now, uint64_t member) {
    struct wrn_switch_rival *found = NULL;
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) {
        struct wrn_switch_rival *rival = &sw->rivals[i];
        if (rival->member != 0 && wrn_mono_since(now, rival->heard_at) > WRN_S(FORGOTTEN_S)) {
            *rival = (struct wrn_switch_rival){0};
        }
        if (rival->member == member) {
            return rival;
        }
        if (found == NULL || rival->member == 0 ||
            (found->member != 0 && rival->member > found->member)) {
            found = rival;
        }
    }
    if (found->member != 0 && found->member < member) {
        return NULL;
    }
    *found = (struct wrn_switch_rival){.member = member};
    return found;
}

static void decide(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out) {
    const struct wrn_switch_rival *first = NULL;
    bool stands_by = atomic_load_explicit(&sw->stands_by, memory_order_relaxed);
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) {
        if (goes_first(sw, now.mono, &sw->rivals[i])) {
            first = &sw->rivals[i];
        }
    }
    if ((first != NULL) == stands_by) {
        return;
    }
    atomic_store_explicit(&sw->stands_by, first != NULL, memory_order_relaxed);
    /* what is on our side was or will be at the other's */
    forget(sw, first != NULL ? WRN_SWITCH_HOST : port_of_member(sw, sw->behind));
    sw->behind = first != NULL ? first->member : sw->behind;
    if (first == NULL) {
        wrn_switch_announce_begin(sw, now.mono); /* its wire looks for others' hosts elsewhere */
    }
    struct wrn_switch_event *event =
        wrn_switch_tell(sw, now.mono, out, WRN_SWITCH_HOST,
                        first != NULL ? WRN_SWITCH_EVENT_LOOP : WRN_SWITCH_EVENT_LOOP_ENDED);
    if (event != NULL) {
        name_of(sw, sw->behind, event->name);
    }
    wrn_switch_guard_note_soon(sw);
    note(sw, now, out);
}

/* Who can reach other members goes before who cannot, then the smaller number. */
static bool goes_first(const struct wrn_switch *sw, wrn_mono now,
                       const struct wrn_switch_rival *rival) {
    bool ours = is_connected(sw, now);
    if (!is_there(rival, now)) {
        return false;
    }
    return rival->is_connected != ours ? rival->is_connected : rival->member < sw->options.own;
}

static bool is_there(const struct wrn_switch_rival *rival, wrn_mono now) {
    return rival->member != 0 && rival->stamp != 0 &&
           wrn_mono_since(now, rival->heard_at) < WRN_MS(GONE_MS);
}

/* Whether anybody who is not on our wire is reached. */
static bool is_connected(const struct wrn_switch *sw, wrn_mono now) {
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    for (uint32_t port = 1; port < ports; port++) {
        bool is_rival = !sw->ports[port].is_open;
        for (size_t i = 0; i < WRN_SWITCH_TWINS && !is_rival; i++) {
            is_rival =
                sw->rivals[i].member == sw->ports[port].member && is_there(&sw->rivals[i], now);
        }
        if (!is_rival) {
            return true;
        }
    }
    return false;
}

static void name_of(const struct wrn_switch *sw, uint64_t member, char name[WRN_SWITCH_NAME_SIZE]) {
    uint32_t port = port_of_member(sw, member);
    if (port != WRN_SWITCH_UNKNOWN) {
        memcpy(name, sw->ports[port].name, WRN_SWITCH_NAME_SIZE);
    } else {
        (void)snprintf(name, WRN_SWITCH_NAME_SIZE, "%016llx", (unsigned long long)member);
    }
}

static uint32_t port_of_member(const struct wrn_switch *sw, uint64_t member) {
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    for (uint32_t port = 1; port < ports; port++) {
        if (sw->ports[port].is_open && sw->ports[port].member == member) {
            return port;
        }
    }
    return WRN_SWITCH_UNKNOWN;
}

/* ---- the tunnel */

/* Tells members of each gateway on our wire. One that is gone is still told of for a while. */
static void note(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out) {
    bool stands_by = atomic_load_explicit(&sw->stands_by, memory_order_relaxed);
    sw->note_at = wrn_mono_add(now.mono, sw->notes_soon > 0 ? 0 : WRN_S(NOTE_EACH_S));
    sw->notes_soon -= sw->notes_soon > 0;
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) {
        const struct wrn_switch_rival *rival = &sw->rivals[i];
        bool is_gone = !is_there(rival, now.mono);
        if (rival->member == 0 || rival->stamp == 0 || out->frame_count == WRN_SWITCH_OUT_MAX ||
            wrn_mono_since(now.mono, rival->heard_at) > WRN_S(FORGOTTEN_S)) {
            continue;
        }
        uint8_t flags = (uint8_t)((stands_by ? FLAG_STANDS_BY : 0) |
                                  (is_gone && !stands_by ? FLAG_TOOK_OVER : 0));
        struct wrn_switch_frame *frame = &out->frames[out->frame_count];
        frame->to_host = false;
        frame->count = wrn_switch_members(sw, frame->peers);
        if (frame->count > 0) {
            write_frame(sw, now, KIND_NOTE, flags, rival->member, frame);
            out->frame_count++;
        }
    }
}

/* A member's own word. */
static void on_tunnel(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                      const struct wrn_switch_head *head, struct wrn_switch_out *out) {
    const uint8_t *body = head->body.data;
    uint64_t other = wrn_load_be64(body + AT_OTHER);
    if (body[AT_KIND] == KIND_NOTE) {
        on_note(sw, now, port, body, out);
    } else if (body[AT_KIND] == KIND_SIZE && out->frame_count < WRN_SWITCH_OUT_MAX) {
        say(sw, now, port, KIND_SIZE_ANSWER, other, out);
    } else if (body[AT_KIND] == KIND_SIZE_ANSWER) {
        wrn_switch_mtu_on_answer(sw, now.mono, port, other);
    } else if (body[AT_KIND] == KIND_HERE) {
        wrn_switch_announce_on_here(sw, now.mono, port,
                                    (wrn_span){body + BODY_SIZE, head->body.size - BODY_SIZE}, out);
    }
}

static void say(struct wrn_switch *sw, struct wrn_now now, uint32_t port, uint8_t kind,
                uint64_t what, struct wrn_switch_out *out) {
    WRN_ASSERT(out->frame_count < WRN_SWITCH_OUT_MAX);
    struct wrn_switch_frame *frame = &out->frames[out->frame_count++];
    frame->to_host = false;
    frame->peers[0] = wrn_switch_peer_of(sw, port);
    frame->count = 1;
    write_frame(sw, now, kind, 0, what, frame);
}

/* What a member says about its own side, and nobody else's. */
static void on_note(struct wrn_switch *sw, struct wrn_now now, uint32_t port, const uint8_t *body,
                    struct wrn_switch_out *out) {
    struct wrn_switch_place *place = &sw->ports[port];
    uint64_t other = wrn_load_be64(body + AT_OTHER), stamp = wrn_load_be64(body + AT_STAMP);
    uint32_t now_s = wrn_switch_seconds(sw, now.mono);
    struct wrn_switch_twin *twin = &place->twins[0];
    if (other == 0 || (stamp <= place->stamp && now_s < place->noted_s + FORGOTTEN_S)) {
        return;
    }
    place->stamp = stamp;
    place->noted_s = now_s;
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) { /* its own place, or the oldest */
        if (place->twins[i].member == other) {
            twin = &place->twins[i];
            break;
        }
        twin = place->twins[i].until_s < twin->until_s ? &place->twins[i] : twin;
    }
    if ((body[AT_FLAGS] & FLAG_TOOK_OVER) == 0) {
        *twin = (struct wrn_switch_twin){.member = other,
                                         .until_s = now_s + sw->settings.age_s + TWIN_EXTRA_S};
    }
    if ((body[AT_FLAGS] & FLAG_STANDS_BY) != 0) {
        forget(sw, port);
    }
    if ((body[AT_FLAGS] & FLAG_TOOK_OVER) != 0) {
        uint32_t gone = port_of_member(sw, other);
        if (gone != WRN_SWITCH_UNKNOWN &&
            wrn_switch_guard_is_twin(sw, gone, place->member, now_s)) {
            forget(sw, gone);
        }
        wrn_switch_announce_here(sw, now, port, out);
    }
}

static void forget(struct wrn_switch *sw, uint32_t port) {
    if (port != WRN_SWITCH_UNKNOWN) {
        wrn_switch_mac_forget(sw, port);
        wrn_switch_neighbour_forget(sw, port);
    }
}

/* ---- frames */

static void write_frame(struct wrn_switch *sw, struct wrn_now now, uint8_t kind, uint8_t flags,
                        uint64_t other, struct wrn_switch_frame *frame) {
    uint64_t source = wrn_siphash(sw->guard_key, &sw->options.own, sizeof sw->options.own);
    uint64_t stamp = (uint64_t)now.wall.s * WRN_S(1) + now.wall.ns;
    uint8_t *body = frame->bytes + HEAD_SIZE;
    sw->stamp = stamp > sw->stamp ? stamp : sw->stamp + 1;
    memset(frame->bytes, 0, FRAME_SIZE);
    wrn_switch_guard_group(frame->bytes);
    wrn_store_be64(frame->bytes + WRN_MAC_ADDRESS_SIZE, source);
    frame->bytes[WRN_MAC_ADDRESS_SIZE] = 0x06; /* a station's, of local making */
    wrn_store_be16(frame->bytes + 2 * (size_t)WRN_MAC_ADDRESS_SIZE, WRN_SWITCH_GUARD_TYPE);
    wrn_store_be32(body, MAGIC);
    body[4] = VERSION;
    body[AT_KIND] = kind;
    body[AT_FLAGS] = flags;
    body[AT_FLAGS + 1] = 0;
    wrn_store_be64(body + AT_MEMBER, sw->options.own);
    wrn_store_be64(body + AT_STAMP, sw->stamp);
    wrn_store_be64(body + AT_OTHER, other);
    wrn_store_be64(body + AT_TAG, tag_of(sw, body));
    frame->size = FRAME_SIZE;
    frame->is_whole = false;
}

static uint64_t tag_of(const struct wrn_switch *sw, const uint8_t *body) {
    return wrn_siphash(sw->guard_key, body, AT_TAG);
}
