/* SPDX-License-Identifier: Apache-2.0 */
/* Votes over what peers say of our outer endpoint, and the arithmetic of steps. No state. */
#include "overlay/nat_class.h"

/* A tally over sights. */
struct vote {
    size_t best;      /* index of a sight that says what most say */
    size_t agreeing;  /* how many say it */
    size_t addresses; /* ... at how many different addresses they are */
};

static void classify_hard(struct wrn_nat_view *view, const struct wrn_nat_sight *sights,
                          size_t count, const struct wrn_ip *ip, const uint16_t *fresh,
                          size_t fresh_count);
static bool is_usable(const struct wrn_nat_sight *sight);
static struct vote vote(const struct wrn_nat_sight *sights, size_t count, const struct wrn_ip *ip);
static size_t usable_count(const struct wrn_nat_sight *sights, size_t count,
                           const struct wrn_ip *ip);
static bool is_address_dependent(const struct wrn_nat_sight *sights, size_t count,
                                 const struct wrn_ip *ip);
static size_t passive_ports(const struct wrn_nat_sight *sights, size_t count,
                            const struct wrn_ip *ip, uint16_t *ret_ports, size_t capacity);
static const struct wrn_nat_sight *kept_port(const struct wrn_nat_sight *sights, size_t count,
                                             const struct wrn_ip *ip,
                                             const struct wrn_locator_endpoint *locals,
                                             size_t local_count);
static bool needs_no_nat(const struct wrn_locator_endpoint *locals, size_t count);
static bool is_seen_at_home(const struct wrn_nat_sight *sights, size_t count,
                            const struct wrn_locator_endpoint *locals, size_t local_count);
static int32_t step_of(const uint16_t *ports, size_t count);
static uint32_t common_divisor(uint32_t a, uint32_t b);
static bool is_local(const struct wrn_endpoint *endpoint, const struct wrn_locator_endpoint *locals,
                     size_t count);

struct wrn_nat_view wrn_nat_classify(const struct wrn_nat_sight *sights, size_t count,
                                     const uint16_t *fresh, size_t fresh_count,
                                     const struct wrn_locator_endpoint *locals,
                                     size_t local_count) {
    struct wrn_nat_view view = {.nat_class = WRN_NAT_CLASS_UNKNOWN};
    struct vote by_ip = vote(sights, count, NULL);
    size_t all = usable_count(sights, count, NULL);
    bool is_public = needs_no_nat(locals, local_count);
    if (all == 0) {
        if (is_public && is_seen_at_home(sights, count, locals, local_count)) {
            view.nat_class = WRN_NAT_CLASS_NONE;
        }
        return view;
    }
    const struct wrn_ip *ip = &sights[by_ip.best].outer.ip;
    struct vote by_port = vote(sights, count, ip);
    const struct wrn_endpoint *outer = &sights[by_port.best].outer;
    /* Alone against others, or against our own address, nobody is believed. */
    if (by_ip.agreeing < 2 && (all > 2 || (is_public && !is_local(outer, locals, local_count)))) {
        return view;
    }
    const struct wrn_nat_sight *kept = kept_port(sights, count, ip, locals, local_count);
    size_t of_ip = usable_count(sights, count, ip);
    bool is_one = by_port.agreeing >= 2 && by_port.addresses >= 2;
    if (by_port.agreeing < 2 && kept != NULL) {
        outer = &kept->outer;
        is_one = of_ip >= WRN_NAT_SIGHTS_MIN_HARD || is_local(outer, locals, local_count);
    }
    view.outer = *outer;
    if (is_one) {
        view.nat_class = is_local(outer, locals, local_count) ? WRN_NAT_CLASS_NONE
                                                              : WRN_NAT_CLASS_ENDPOINT_INDEPENDENT;
    } else if (of_ip >= WRN_NAT_SIGHTS_MIN_HARD && of_ip != by_port.agreeing) {
        classify_hard(&view, sights, count, ip, fresh, fresh_count);
    } /* else too few, or all of them at one address: nothing can be told */
    return view;
}

uint16_t wrn_nat_port_after(uint16_t port, int32_t step, int32_t steps) {
    int64_t place = (int64_t)port - WRN_NAT_PORT_FIRST + (int64_t)step * steps;
    place %= WRN_NAT_PORTS;
    if (place < 0) {
        place += WRN_NAT_PORTS;
    }
    return (uint16_t)(WRN_NAT_PORT_FIRST + place);
}

int32_t wrn_nat_port_distance(uint16_t from, uint16_t to) {
    int32_t way = ((int32_t)to - (int32_t)from) % WRN_NAT_PORTS;
    if (way < 0) {
        way += WRN_NAT_PORTS;
    }
    return way < WRN_NAT_PORTS / 2 ? way : way - WRN_NAT_PORTS;
}

bool wrn_nat_is_private(const struct wrn_ip *ip) {
    static const uint8_t loopback[16] = {[15] = 1};
    const uint8_t *b = ip->bytes;
    if (ip->family == WRN_FAMILY_IPV6) {
        return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
               memcmp(b, loopback, sizeof loopback) == 0;
    }
    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64) || (b[0] == 169 && b[1] == 254) || b[0] == 127;
}

/* Which of the classes with many ports? */
static void classify_hard(struct wrn_nat_view *view, const struct wrn_nat_sight *sights,
                          size_t count, const struct wrn_ip *ip, const uint16_t *fresh,
                          size_t fresh_count) {
    enum { PORTS_MAX = 8 };
    uint16_t seen[PORTS_MAX] = {0};
    if (fresh_count < WRN_NAT_SIGHTS_MIN_HARD) {
        fresh_count = passive_ports(sights, count, ip, seen, PORTS_MAX);
        fresh = seen;
    }
    view->port_step = step_of(fresh, fresh_count);
    if (view->port_step != 0) {
        view->nat_class = WRN_NAT_CLASS_PORT_PREDICTABLE;
        view->port_last = fresh[fresh_count - 1];
    } else {
        view->nat_class = is_address_dependent(sights, count, ip) ? WRN_NAT_CLASS_ADDRESS_DEPENDENT
                                                                  : WRN_NAT_CLASS_PORT_RANDOM;
    }
}

static bool is_usable(const struct wrn_nat_sight *sight) {
    return sight->outer.ip.family == WRN_FAMILY_IPV4 && sight->outer.port != 0;
}

/* Finds what most say: of the address, or if it is given, of the port there. Of equals the one that
 * comes first wins. */
static struct vote vote(const struct wrn_nat_sight *sights, size_t count, const struct wrn_ip *ip) {
    struct vote best = {0};
    for (size_t i = 0; i < count; i++) {
        if (!is_usable(&sights[i]) || (ip != NULL && !wrn_ip_equal(&sights[i].outer.ip, ip))) {
            continue;
        }
        struct vote mine = {.best = i};
        for (size_t j = 0; j < count; j++) {
            if (!wrn_ip_equal(&sights[j].outer.ip, &sights[i].outer.ip) ||
                (ip != NULL && sights[j].outer.port != sights[i].outer.port)) {
                continue;
            }
            bool is_first = true;
            for (size_t k = 0; k < j; k++) {
                is_first =
                    is_first && !(wrn_ip_equal(&sights[k].outer.ip, &sights[i].outer.ip) &&
                                  (ip == NULL || sights[k].outer.port == sights[i].outer.port) &&
                                  wrn_ip_equal(&sights[k].observer.ip, &sights[j].observer.ip));
            }
            mine.agreeing++;
            mine.addresses += is_first;
        }
        if (mine.agreeing > best.agreeing) {
            best = mine;
        }
    }
    return best;
}

/* NULL: at any address. */
static size_t usable_count(const struct wrn_nat_sight *sights, size_t count,
                           const struct wrn_ip *ip) {
    size_t usable = 0;
    for (size_t i = 0; i < count; i++) {
        usable += is_usable(&sights[i]) && (ip == NULL || wrn_ip_equal(&sights[i].outer.ip, ip));
    }
    return usable;
}

/* Finds one who saw our own port: a NAT that chooses would hardly have. Routers that keep ports
 * give another one where the peer's datagram came before ours, which may be for most. */
static const struct wrn_nat_sight *kept_port(const struct wrn_nat_sight *sights, size_t count,
                                             const struct wrn_ip *ip,
                                             const struct wrn_locator_endpoint *locals,
                                             size_t local_count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_usable(&sights[i]) || !wrn_ip_equal(&sights[i].outer.ip, ip)) {
            continue;
        }
        for (size_t j = 0; j < local_count; j++) {
            if (locals[j].kind == WRN_ENDPOINT_LOCAL && locals[j].at.port == sights[i].outer.port) {
                return &sights[i];
            }
        }
    }
    return NULL;
}

/* Tells whether we have addresses, and all of IPv4 are public. */
static bool needs_no_nat(const struct wrn_locator_endpoint *locals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct wrn_ip *ip = &locals[i].at.ip;
        if (ip->family == WRN_FAMILY_IPV4 && wrn_nat_is_private(ip)) {
            return false;
        }
    }
    return count > 0;
}

/* Tells whether somebody sees us by IPv6 where we are. */
static bool is_seen_at_home(const struct wrn_nat_sight *sights, size_t count,
                            const struct wrn_locator_endpoint *locals, size_t local_count) {
    for (size_t i = 0; i < count; i++) {
        if (is_local(&sights[i].outer, locals, local_count)) {
            return true;
        }
    }
    return false;
}

/* Tells whether two observers at one address, and all such, saw the same port. */
static bool is_address_dependent(const struct wrn_nat_sight *sights, size_t count,
                                 const struct wrn_ip *ip) {
    bool is_seen = false;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            const struct wrn_nat_sight *a = &sights[i], *b = &sights[j];
            if (is_usable(a) && is_usable(b) && wrn_ip_equal(&a->outer.ip, ip) &&
                wrn_ip_equal(&b->outer.ip, ip) && wrn_ip_equal(&a->observer.ip, &b->observer.ip) &&
                a->observer.port != b->observer.port) {
                if (a->outer.port != b->outer.port) {
                    return false;
                }
                is_seen = true;
            }
        }
    }
    return is_seen;
}

/* Writes the ports in the order in which the mappings were made; of many the last ones. Returns
 * how many, at least one. */
static size_t passive_ports(const struct wrn_nat_sight *sights, size_t count,
                            const struct wrn_ip *ip, uint16_t *ret_ports, size_t capacity) {
    uint32_t orders[8];
    size_t ports = 0;
    WRN_ASSERT(capacity <= WRN_COUNT(orders));
    for (size_t i = 0; i < count; i++) {
        if (!is_usable(&sights[i]) || !wrn_ip_equal(&sights[i].outer.ip, ip)) {
            continue;
        }
        size_t place = ports;
        while (place > 0 && orders[place - 1] > sights[i].order) {
            place--;
        }
        if (ports == capacity) { /* the oldest makes room */
            if (place == 0) {
                continue;
            }
            place--;
            memmove(orders, orders + 1, place * sizeof *orders);
            memmove(ret_ports, ret_ports + 1, place * sizeof *ret_ports);
        } else {
            memmove(orders + place + 1, orders + place, (ports - place) * sizeof *orders);
            memmove(ret_ports + place + 1, ret_ports + place, (ports - place) * sizeof *ret_ports);
            ports++;
        }
        orders[place] = sights[i].order;
        ret_ports[place] = sights[i].outer.port;
    }
    return ports;
}

/* Returns the step by which the ports grow, or fall, 0: none. Others make mappings meanwhile, so
 * what lies between two ports is a few steps, all in one direction. */
static int32_t step_of(const uint16_t *ports, size_t count) {
    uint32_t step = 0;
    bool is_rising = count > 1 && wrn_nat_port_distance(ports[0], ports[1]) > 0;
    for (size_t i = 1; i < count; i++) {
        int32_t way = wrn_nat_port_distance(ports[i - 1], ports[i]);
        if (way == 0 || (way > 0) != is_rising) {
            return 0;
        }
        step = common_divisor(step, (uint32_t)(way > 0 ? way : -way));
    }
    if (step > WRN_NAT_STEP_MAX) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        int32_t way = wrn_nat_port_distance(ports[i - 1], ports[i]);
        if ((uint32_t)(way > 0 ? way : -way) > step * (1 + WRN_NAT_STRANGERS_MAX)) {
            return 0;
        }
    }
    return is_rising ? (int32_t)step : -(int32_t)step;
}

static uint32_t common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool is_local(const struct wrn_endpoint *endpoint, const struct wrn_locator_endpoint *locals,
                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (locals[i].kind == WRN_ENDPOINT_LOCAL && wrn_endpoint_equal(&locals[i].at, endpoint)) {
            return true;
        }
    }
    return false;
}
