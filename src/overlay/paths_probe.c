/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of pings, pongs and calls, the numbers in them, and the limits of probing. Decides
 * about no path. */
#include "overlay/paths_internal.h"

enum {
    BODY_COMMON = 15, /* of a ping: kind, flags, question, epoch, period */
    PONG_FIXED = 26,  /* of a pong: answer, family, port besides */
    BUCKET_BURST = 64,
    QUESTION_SHIFT = 34, /* questions without time change each 2^34 ns (17 s) */
};
#define UNTIMED ((uint64_t)1 << 63)

static size_t ip_size(uint8_t family);
static uint64_t number(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                       const struct wrn_way *way, uint64_t serial);
static uint64_t untimed_serial(wrn_mono now, uint64_t back);
static uint8_t flags_of(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p,
                        const struct wrn_way *way, uint8_t *ret_period);
static void note_probe(struct wrn_paths *paths, const struct wrn_way *way);
static bool is_loopback(const struct wrn_ip *ip);
static bool is_nobodys(const struct wrn_ip *ip);

uint32_t wrn_paths_us(wrn_mono now) {
    return (uint32_t)(now.ns / 1000);
}

void wrn_paths_new_round(struct wrn_paths_peer *p, wrn_mono now) {
    p->serial++;
    p->round_us[p->serial % PATHS_TIMED] = wrn_paths_us(now);
}

/* A ping is as large as its pong, so that an answer to a forged address is no gain. */
void wrn_paths_send_ping(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, uint8_t flags, bool is_timed) {
    uint8_t bytes[PONG_FIXED + 16] = {0};
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    uint8_t period;
    flags |= flags_of(paths, now, p, way, &period);
    wrn_write_u8(&writer, WRN_MESSAGE_PING);
    wrn_write_u8(&writer, flags);
    wrn_write_u64(&writer, number(paths, p, way, is_timed ? p->serial : untimed_serial(now, 0)));
    wrn_write_u32(&writer, paths->epoch);
    wrn_write_u8(&writer, period);
    size_t size = PONG_FIXED;
    if (way->kind == WRN_WAY_DIRECT) {
        size += ip_size(way->remote.ip.family);
        p->probes++;
        note_probe(paths, way);
    }
    paths->port.send(paths->port.ctx, p->handle, way, (wrn_span){bytes, size});
}

void wrn_paths_send_pong(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, uint64_t answer, uint8_t asks, size_t room) {
    uint8_t bytes[PONG_FIXED + 16];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    uint8_t period;
    uint8_t flags = flags_of(paths, now, p, way, &period);
    uint8_t family = way->kind == WRN_WAY_DIRECT ? way->remote.ip.family : WRN_FAMILY_NONE;
    if (PONG_FIXED + ip_size(family) > room) {
        family = WRN_FAMILY_NONE;
    }
    if (room < PONG_FIXED) { /* never more than was sent */
        return;
    }
    wrn_write_u8(&writer, WRN_MESSAGE_PONG);
    wrn_write_u8(&writer, flags | asks);
    wrn_write_u64(&writer, asks != 0 ? number(paths, p, way, untimed_serial(now, 0)) : 0);
    wrn_write_u32(&writer, paths->epoch);
    wrn_write_u8(&writer, period);
    wrn_write_u64(&writer, answer);
    wrn_write_u8(&writer, family);
    wrn_write_u16(&writer, family == WRN_FAMILY_NONE ? 0 : way->remote.port);
    wrn_write_bytes(&writer, way->remote.ip.bytes, ip_size(family));
    paths->port.send(paths->port.ctx, p->handle, way, wrn_written(&writer));
}

bool wrn_paths_read_ping(wrn_span message, struct wrn_paths_ping *ret_ping) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_paths_ping ping = {0};
    (void)wrn_read_u8(&reader);
    ping.flags = wrn_read_u8(&reader);
    ping.question = wrn_read_u64(&reader);
    ping.epoch = wrn_read_u32(&reader);
    ping.period_s = wrn_read_u8(&reader);
    (void)wrn_read_rest(&reader);
    *ret_ping = ping;
    return wrn_reader_is_done(&reader) && message.size >= PONG_FIXED;
}

bool wrn_paths_read_pong(wrn_span message, struct wrn_paths_ping *ret_pong) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_paths_ping pong = {0};
    (void)wrn_read_u8(&reader);
    pong.flags = wrn_read_u8(&reader);
    pong.question = wrn_read_u64(&reader);
    pong.epoch = wrn_read_u32(&reader);
    pong.period_s = wrn_read_u8(&reader);
    pong.answer = wrn_read_u64(&reader);
    pong.observed.ip.family = wrn_read_u8(&reader);
    pong.observed.port = wrn_read_u16(&reader);
    uint8_t family = pong.observed.ip.family;
    if (family != WRN_FAMILY_NONE && family != WRN_FAMILY_IPV4 && family != WRN_FAMILY_IPV6) {
        return false;
    }
    wrn_read_bytes(&reader, pong.observed.ip.bytes, ip_size(family));
    *ret_pong = pong;
    return wrn_reader_is_done(&reader);
}

/* Numbers are made from what they are for, so that none has to be kept: an answer that comes from
 * elsewhere than where the question went fits nothing. */
bool wrn_paths_is_ours(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p,
                       const struct wrn_way *way, uint64_t answer, bool *ret_is_timed,
                       uint32_t *ret_rtt_us) {
    for (uint32_t back = 0; back < PATHS_TIMED && back < p->serial; back++) {
        uint32_t serial = p->serial - back;
        if (answer == number(paths, p, way, serial)) {
            uint32_t rtt_us = wrn_paths_us(now) - p->round_us[serial % PATHS_TIMED];
            *ret_is_timed = true;
            *ret_rtt_us = rtt_us > 0 ? rtt_us : 1;
            return true;
        }
    }
    *ret_is_timed = false;
    *ret_rtt_us = 0;
    return answer == number(paths, p, way, untimed_serial(now, 0)) ||
           answer == number(paths, p, way, untimed_serial(now, 1));
}

bool wrn_paths_may_send(struct wrn_paths *paths, wrn_mono now, wrn_mono *ret_at) {
    uint64_t each_ns = WRN_S(1) / paths->options.probes_per_s;
    wrn_mono at = paths->bucket_at;
    if (wrn_mono_before(wrn_mono_add(now, BUCKET_BURST * each_ns), at)) {
        *ret_at = (wrn_mono){at.ns - BUCKET_BURST * each_ns};
        return false;
    }
    paths->bucket_at = wrn_mono_add(wrn_mono_before(at, now) ? now : at, each_ns);
    return true;
}

bool wrn_paths_may_probe(const struct wrn_paths *paths, const struct wrn_endpoint *endpoint) {
    if (endpoint->port == 0 || is_nobodys(&endpoint->ip)) {
        return false;
    }
    bool is_ours_loopback = false;
    for (size_t i = 0; i < paths->local_count; i++) {
        if (wrn_endpoint_equal(&paths->locals[i].at, endpoint)) {
            return false;
        }
        is_ours_loopback = is_ours_loopback || is_loopback(&paths->locals[i].at.ip);
    }
    if (is_loopback(&endpoint->ip) && !is_ours_loopback) {
        return false;
    }
    return paths->options.may_probe == NULL ||
           paths->options.may_probe(paths->options.may_probe_ctx, endpoint);
}

void wrn_paths_send_call(struct wrn_paths *paths, struct wrn_paths_peer *p,
                         struct wrn_paths_call_body *body) {
    uint8_t bytes[PATHS_CALL_MAX];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    body->endpoint_count = wrn_paths_endpoints(paths, body->endpoints);
    wrn_write_u8(&writer, WRN_MESSAGE_CALL);
    wrn_write_u8(&writer, body->what);
    wrn_write_u8(&writer, body->flags);
    wrn_write_u8(&writer, (uint8_t)paths->view.nat_class);
    wrn_write_u8(&writer, body->run);
    wrn_write_u16(&writer, (uint16_t)body->port_step);
    wrn_write_u16(&writer, body->port_last);
    wrn_write_u16(&writer, body->count);
    wrn_write_u8(&writer, (uint8_t)body->endpoint_count);
    for (size_t i = 0; i < body->endpoint_count; i++) {
        const struct wrn_locator_endpoint *endpoint = &body->endpoints[i];
        wrn_write_u8(&writer, endpoint->kind);
        wrn_write_u8(&writer, endpoint->at.ip.family);
        wrn_write_u16(&writer, endpoint->at.port);
        wrn_write_bytes(&writer, endpoint->at.ip.bytes, ip_size(endpoint->at.ip.family));
    }
    wrn_span message = wrn_written(&writer);
    WRN_ASSERT(message.size > 0);
    struct wrn_way relay = wrn_paths_relay_way(p);
    if ((p->flags & PEER_RELAY_PROVEN) != 0) {
        paths->port.send(paths->port.ctx, p->handle, &relay, message);
    } else if (wrn_paths_is_direct(p) && p->tries == 0) {
        paths->port.send(paths->port.ctx, p->handle, &p->way, message);
    } else {
        paths->port.send_around(paths->port.ctx, p->handle, message);
    }
}

bool wrn_paths_read_call(wrn_span message, struct wrn_paths_call_body *ret_body) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_paths_call_body body = {0};
    (void)wrn_read_u8(&reader);
    body.what = wrn_read_u8(&reader);
    body.flags = wrn_read_u8(&reader);
    body.nat_class = wrn_read_u8(&reader);
    body.run = wrn_read_u8(&reader);
    body.port_step = (int16_t)wrn_read_u16(&reader);
    body.port_last = wrn_read_u16(&reader);
    body.count = wrn_read_u16(&reader);
    body.endpoint_count = wrn_read_u8(&reader);
    if (body.endpoint_count > WRN_ENDPOINTS_MAX || body.what >= PATHS_CALLS ||
        body.nat_class >= WRN_NAT_CLASSES) {
        return false;
    }
    for (size_t i = 0; i < body.endpoint_count; i++) {
        struct wrn_locator_endpoint *endpoint = &body.endpoints[i];
        endpoint->kind = wrn_read_u8(&reader);
        endpoint->at.ip.family = wrn_read_u8(&reader);
        endpoint->at.port = wrn_read_u16(&reader);
        uint8_t family = endpoint->at.ip.family;
        if ((family != WRN_FAMILY_IPV4 && family != WRN_FAMILY_IPV6) ||
            endpoint->kind > WRN_ENDPOINT_MAPPED) {
            return false;
        }
        wrn_read_bytes(&reader, endpoint->at.ip.bytes, ip_size(family));
    }
    *ret_body = body;
    return wrn_reader_is_done(&reader);
}

static size_t ip_size(uint8_t family) {
    return family == WRN_FAMILY_IPV6 ? 16 : family == WRN_FAMILY_IPV4 ? 4 : 0;
}

static uint64_t number(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                       const struct wrn_way *way, uint64_t serial) {
    uint8_t bytes[64];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    wrn_write_u32(&writer, p->handle.index);
    wrn_write_u32(&writer, p->handle.generation);
    wrn_write_u64(&writer, serial);
    wrn_write_u8(&writer, way->kind);
    if (way->kind == WRN_WAY_DIRECT) {
        wrn_write_u16(&writer, way->socket);
        wrn_write_u8(&writer, way->remote.ip.family);
        wrn_write_bytes(&writer, way->remote.ip.bytes, sizeof way->remote.ip.bytes);
        wrn_write_u16(&writer, way->remote.port);
        wrn_write_u32(&writer, way->remote.scope_id);
    } else {
        wrn_write_u32(&writer, way->relay.index);
        wrn_write_u32(&writer, way->relay.generation);
        wrn_write_u64(&writer, way->slot);
    }
    wrn_span span = wrn_written(&writer);
    uint64_t made = wrn_siphash(paths->secret, span.data, span.size);
    return made != 0 ? made : 1; /* 0: no question */
}

static uint64_t untimed_serial(wrn_mono now, uint64_t back) {
    return UNTIMED | ((now.ns >> QUESTION_SHIFT) - back);
}

static uint8_t flags_of(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p,
                        const struct wrn_way *way, uint8_t *ret_period) {
    bool you_ping;
    *ret_period = wrn_paths_period_told(paths, p, &you_ping);
    bool is_best = wrn_way_equal(way, &p->way) && (p->flags & PEER_LOST) == 0;
    uint8_t flags = is_best ? PATHS_FLAG_BEST : 0;
    flags |= you_ping && is_best ? PATHS_FLAG_YOU_PING : 0;
    if (wrn_mono_before(now, paths->moved_until)) {
        flags |= PATHS_FLAG_MOVED;
    }
    return flags;
}

/* Counts for the class BLOCKED: nothing answered though several addresses were tried. */
static void note_probe(struct wrn_paths *paths, const struct wrn_way *way) {
    if (wrn_way_is_stream(way)) {
        return;
    }
    paths->probes++;
    paths->vain = paths->vain < UINT32_MAX ? paths->vain + 1 : paths->vain;
    for (size_t i = 0; i < paths->tried_count; i++) {
        if (wrn_ip_equal(&paths->tried[i], &way->remote.ip)) {
            return;
        }
    }
    if (paths->tried_count < WRN_COUNT(paths->tried) && !wrn_nat_is_private(&way->remote.ip)) {
        paths->tried[paths->tried_count++] = way->remote.ip;
    }
}

static bool is_loopback(const struct wrn_ip *ip) {
    static const uint8_t one[16] = {[15] = 1};
    return ip->family == WRN_FAMILY_IPV6 ? memcmp(ip->bytes, one, sizeof one) == 0
                                         : ip->bytes[0] == 127;
}

/* Unspecified, multicast, broadcast, "this network", IPv4 written as IPv6. */
static bool is_nobodys(const struct wrn_ip *ip) {
    static const uint8_t zero[16];
    if (ip->family == WRN_FAMILY_IPV4) {
        return ip->bytes[0] == 0 || ip->bytes[0] >= 224;
    }
    return ip->family != WRN_FAMILY_IPV6 || memcmp(ip->bytes, zero, sizeof zero) == 0 ||
           ip->bytes[0] == 0xff || (memcmp(ip->bytes, zero, 10) == 0 && ip->bytes[10] == 0xff);
}
