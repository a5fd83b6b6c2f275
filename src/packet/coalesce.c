/* SPDX-License-Identifier: Apache-2.0 */
/* Joining packets. The measure of every rule: cutting up makes of the result the very bytes that
 * came in. So IPv4 packets are joined only if their ids count up, though RFC 6864 lets those that
 * must not be fragmented have any: Linux counts up when it cuts, and so do we. Decides nothing by
 * what is in a payload. */
#include "packet/coalesce.h"

#include "packet/frame.h"
#include "packet/internal.h"

enum {
    SLOT_COUNT = 256, /* of the flow table: twice WRN_COALESCE_MAX, a power of two */
    LAST = UINT32_MAX,
    /* More segments than this Linux did not cut a UDP packet into for years (UDP_MAX_SEGMENTS). */
    UDP_SEGMENTS_MAX = 64,
};

enum kind { TCP4, TCP6, UDP4, UDP6 };

/* Where joining keeps what it overwrites in a first packet: offsets in wrn_coalesce_item.saved. */
enum { SAVED_LENGTH = 0, SAVED_V4_CHECKSUM = 2, SAVED_L4_CHECKSUM = 4, SAVED_L4 = 6 };

/* What a packet is to the flows around it. */
enum role {
    STRANGER, /* belongs to no flow of TCP or UDP */
    UNCLEAR,  /* belongs to some flow between its addresses: its ports cannot be read */
    MEMBER,   /* belongs to a flow, but must stay alone */
    JOINABLE, /* may begin a run of its flow, or continue it */
};

/* A packet as it was read. */
struct view {
    uint8_t *bytes;
    uint32_t size;
    uint32_t sequence; /* TCP */
    uint32_t hash;     /* of its flow */
    uint16_t id;       /* IPv4 */
    uint16_t header_size;
    uint8_t link_size; /* bytes before 'bytes' that belong to the frame */
    uint8_t kind;      /* enum kind */
    uint8_t l4_at;
    uint8_t flags; /* TCP */
};

/* The flow of an out that may grow. */
struct run {
    struct view first;
    uint32_t last_item;
    uint32_t size;          /* of the joined packet */
    uint32_t next_sequence; /* TCP */
    uint16_t next_id;       /* IPv4 */
    uint16_t payload;       /* of the first packet: no other may have more */
    uint8_t last_flags;     /* TCP, of the newest */
    bool is_open;
    bool is_verified; /* the first packet's checksums; a packet that stays alone is not checked */
};

/* Where the packets of one call stand. Runs and outs have the same index. */
struct table {
    struct wrn_coalescer *coalescer;
    uint32_t allowed;
    struct run runs[WRN_COALESCE_MAX];
    uint8_t run_outs[WRN_COALESCE_MAX]; /* the outs that are runs */
    uint32_t run_count;
    uint8_t slots[SLOT_COUNT]; /* 0: free, else the out of a flow's newest run, and 1 */
};

static void coalesce(struct wrn_coalescer *coalescer, const struct iovec *packets, size_t count,
                     uint32_t allowed, bool are_frames);
static bool skip_link(struct view *view);
static enum role read_packet(struct view *view, uint32_t allowed);
static enum role read_v4(struct view *view);
static enum role read_v6(struct view *view);
static bool read_l4(struct view *view);
static bool read_tcp(struct view *view);
static uint32_t hash_flow(const struct view *view);
static bool is_same_flow(const struct view *a, const struct view *b);
static uint8_t *find_slot(struct table *table, const struct view *view);
static void close_between(struct table *table, const uint8_t *ip);
static uint32_t add_alone(struct table *table, uint32_t item);
static void begin_run(struct table *table, const struct view *view, uint32_t item, uint8_t *slot);
static bool continues(const struct run *run, const struct view *view, uint32_t count);
static bool has_same_headers(const struct view *first, const struct view *view);
static bool is_valid(const struct view *view);
static void join(struct table *table, const struct view *view, uint32_t item, uint8_t *slot);
static bool is_last(const struct view *view);
static void append(struct table *table, uint32_t out, const struct view *view, uint32_t item);
static void list_parts(struct wrn_coalescer *coalescer);
static void finish_run(struct wrn_coalescer *coalescer, uint32_t out, const struct run *run);
static void finish_ip(struct wrn_coalesce_item *item, const struct run *run);

void wrn_coalesce(struct wrn_coalescer *coalescer, const struct iovec *packets, size_t count,
                  uint32_t allowed) {
    coalesce(coalescer, packets, count, allowed, false);
}

void wrn_coalesce_frames(struct wrn_coalescer *coalescer, const struct iovec *frames, size_t count,
                         uint32_t allowed) {
    coalesce(coalescer, frames, count, allowed, true);
}
size_t wrn_coalesce_undo(struct wrn_coalescer *coalescer, uint32_t index,
                         struct iovec *ret_packets) {
    WRN_ASSERT(index < coalescer->count);
    struct wrn_coalesce_item *first = &coalescer->items[coalescer->first_item[index]];
    if (coalescer->out[index].packet_count > 1) {
        uint8_t *ip = first->bytes + first->link_size;
        bool is_v6 = ip[0] >> 4 == 6;
        uint8_t *l4 = ip + (is_v6 ? V6_SIZE : V4_SIZE_MIN);
        bool is_tcp = ip[is_v6 ? V6_NEXT : V4_PROTOCOL] == PROTOCOL_TCP;
        memcpy(ip + (is_v6 ? V6_LENGTH : V4_LENGTH), first->saved + SAVED_LENGTH, 2);
        if (!is_v6) {
            memcpy(ip + V4_CHECKSUM, first->saved + SAVED_V4_CHECKSUM, 2);
        }
        memcpy(l4 + (is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM), first->saved + SAVED_L4_CHECKSUM, 2);
        if (is_tcp) {
            l4[TCP_FLAGS] = first->saved[SAVED_L4];
        } else {
            memcpy(l4 + UDP_LENGTH, first->saved + SAVED_L4, 2);
        }
    }
    size_t count = 0;
    for (uint32_t i = coalescer->first_item[index]; i != LAST;
         i = coalescer->items[i].next_of_joined) {
        ret_packets[count].iov_base = coalescer->items[i].bytes;
        ret_packets[count].iov_len = coalescer->items[i].size;
        count++;
    }
    return count;
}

/* Joins packets, or frames. */
static void coalesce(struct wrn_coalescer *coalescer, const struct iovec *packets, size_t count,
                     uint32_t allowed, bool are_frames) {
    WRN_ASSERT(count <= WRN_COALESCE_MAX);
    struct table table;
    table.coalescer = coalescer;
    table.allowed = allowed;
    table.run_count = 0;
    memset(table.slots, 0, sizeof table.slots);
    coalescer->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct view view = {.bytes = packets[i].iov_base, .size = (uint32_t)packets[i].iov_len};
        coalescer->items[i].bytes = view.bytes;
        coalescer->items[i].size = view.size;
        coalescer->items[i].next_of_joined = LAST;
        coalescer->items[i].header_size = 0;
        enum role role = STRANGER;
        if (!are_frames || skip_link(&view)) {
            role = read_packet(&view, allowed);
        }
        coalescer->items[i].link_size = view.link_size;
        if (role == JOINABLE) {
            coalescer->items[i].header_size = (uint16_t)(view.link_size + view.header_size);
            join(&table, &view, i, find_slot(&table, &view));
            continue;
        }
        if (role == MEMBER) {
            uint8_t *slot = find_slot(&table, &view);
            if (*slot != 0) {
                table.runs[*slot - 1].is_open = false;
            }
        } else if (role == UNCLEAR) {
            close_between(&table, view.bytes);
        }
        add_alone(&table, i);
    }
    for (uint32_t i = 0; i < table.run_count; i++) {
        uint32_t out = table.run_outs[i];
        if (coalescer->out[out].packet_count > 1) {
            finish_run(coalescer, out, &table.runs[out]);
        }
    }
    list_parts(coalescer);
}

/* Makes the view of a frame that of the packet in it. False: there is none that could be joined. */
static bool skip_link(struct view *view) {
    uint16_t type = 0;
    uint32_t link = wrn_frame_link_size(view->bytes, view->size, &type);
    if (link == 0 || link == view->size) {
        return false;
    }
    uint8_t version = view->bytes[link] >> 4;
    if (!(type == WRN_FRAME_TYPE_IPV4 && version == 4) &&
        !(type == WRN_FRAME_TYPE_IPV6 && version == 6)) {
        return false;
    }
    view->link_size = (uint8_t)link;
    view->bytes += link;
    view->size -= link;
    return true;
}

/* Fills the view of a packet of TCP or UDP; 'bytes' and 'size' are set. */
static enum role read_packet(struct view *view, uint32_t allowed) {
    static const uint8_t needs[] = {
        [TCP4] = WRN_COALESCE_TCP4,
        [TCP6] = WRN_COALESCE_TCP6,
        [UDP4] = WRN_COALESCE_UDP,
        [UDP6] = WRN_COALESCE_UDP,
    };
    enum role role = STRANGER;
    if (view->size >= V4_SIZE_MIN && view->bytes[0] >> 4 == 4) {
        role = read_v4(view);
    } else if (view->size >= V6_SIZE && view->bytes[0] >> 4 == 6) {
        role = read_v6(view);
    }
    if (role <= UNCLEAR) {
        return role;
    }
    if ((needs[view->kind] & allowed) == 0) {
        return STRANGER; /* there are no runs of this kind that it could disturb */
    }
    view->hash = hash_flow(view);
    return role;
}

/* Options are not joined: few packets have them, and those are not in a hurry. */
static enum role read_v4(struct view *view) {
    const uint8_t *ip = view->bytes;
    uint8_t protocol = ip[V4_PROTOCOL];
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) {
        return STRANGER;
    }
    uint32_t header_size = (uint32_t)(ip[0] & 15) * 4;
    uint16_t fragment = wrn_load_be16(ip + V4_FRAGMENT);
    if (header_size < V4_SIZE_MIN || view->size < header_size + PORTS_SIZE ||
        (fragment & V4_FRAGMENT_OFFSET) != 0) {
        return UNCLEAR;
    }
    view->kind = protocol == PROTOCOL_TCP ? TCP4 : UDP4;
    view->l4_at = (uint8_t)header_size;
    view->id = wrn_load_be16(ip + V4_ID);
    /* A checksum of ffff is another form of 0, which we would not write. */
    bool joinable = header_size == V4_SIZE_MIN && (fragment & V4_MORE_FRAGMENTS) == 0 &&
                    wrn_load_be16(ip + V4_LENGTH) == view->size &&
                    wrn_load_be16(ip + V4_CHECKSUM) != UINT16_MAX && read_l4(view);
    return joinable ? JOINABLE : MEMBER;
}

static enum role read_v6(struct view *view) {
    enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60 };
    const uint8_t *ip = view->bytes;
    switch (ip[V6_NEXT]) {
    case PROTOCOL_TCP:
    case PROTOCOL_UDP:
        break;
    case HOP_BY_HOP:
    case ROUTING:
    case FRAGMENT:
    case AUTHENTICATION:
    case DESTINATION:
        return UNCLEAR;
    default:
        return STRANGER;
    }
    if (view->size < V6_SIZE + PORTS_SIZE) {
        return UNCLEAR;
    }
    view->kind = ip[V6_NEXT] == PROTOCOL_TCP ? TCP6 : UDP6;
    view->l4_at = V6_SIZE;
    bool whole = (uint32_t)wrn_load_be16(ip + V6_LENGTH) + V6_SIZE == view->size;
    return whole && read_l4(view) ? JOINABLE : MEMBER;
}

/* Tells whether the header after IP's is one that can be joined, and payload follows it. */
static bool read_l4(struct view *view) {
    const uint8_t *l4 = view->bytes + view->l4_at;
    uint32_t l4_size = view->size - view->l4_at;
    if (view->kind == TCP4 || view->kind == TCP6) {
        return l4_size > TCP_SIZE_MIN && read_tcp(view);
    }
    view->header_size = (uint16_t)(view->l4_at + UDP_SIZE);
    return l4_size > UDP_SIZE && wrn_load_be16(l4 + UDP_LENGTH) == l4_size &&
           wrn_load_be16(l4 + UDP_CHECKSUM) != 0;
}

/* ACK and nothing else but PSH and FIN. */
static bool read_tcp(struct view *view) {
    const uint8_t *tcp = view->bytes + view->l4_at;
    uint32_t header_size = (uint32_t)(tcp[TCP_OFFSET] >> 4) * 4;
    view->header_size = (uint16_t)(view->l4_at + header_size);
    view->sequence = wrn_load_be32(tcp + TCP_SEQUENCE);
    view->flags = tcp[TCP_FLAGS];
    return header_size >= TCP_SIZE_MIN && view->size > view->header_size &&
           (tcp[TCP_OFFSET] & 15) == 0 && (view->flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK &&
           wrn_load_be16(tcp + TCP_CHECKSUM) != UINT16_MAX;
}

/* Not secret: who finds collisions makes a call compare each packet with each other, of 128. */
static uint32_t hash_flow(const struct view *view) {
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t words[4] = {0};
    uint32_t ports;
    memcpy(&ports, view->bytes + view->l4_at, sizeof ports);
    if (view->kind == TCP4 || view->kind == UDP4) {
        memcpy(words, view->bytes + V4_SOURCE, V4_ADDRESSES_SIZE);
    } else {
        memcpy(words, view->bytes + V6_SOURCE, V6_ADDRESSES_SIZE);
        words[0] = (words[0] + words[1] * 3) * odd + words[2] * 5 + words[3] * 7;
    }
    uint64_t hash = ((words[0] ^ (words[0] >> 32)) * odd + ports + view->kind) * odd;
    return (uint32_t)(hash >> 32);
}

static bool is_same_flow(const struct view *a, const struct view *b) {
    if (a->kind != b->kind || memcmp(a->bytes + a->l4_at, b->bytes + b->l4_at, PORTS_SIZE) != 0) {
        return false;
    }
    if (a->kind == TCP4 || a->kind == UDP4) {
        return memcmp(a->bytes + V4_SOURCE, b->bytes + V4_SOURCE, V4_ADDRESSES_SIZE) == 0;
    }
    return memcmp(a->bytes + V6_SOURCE, b->bytes + V6_SOURCE, V6_ADDRESSES_SIZE) == 0;
}

/* Returns the slot of the packet's flow, or the free one that it may take. Half of them are free:
 * there are at most as many flows as packets. */
static uint8_t *find_slot(struct table *table, const struct view *view) {
    uint32_t at = view->hash % SLOT_COUNT;
    while (table->slots[at] != 0) {
        const struct view *first = &table->runs[table->slots[at] - 1].first;
        if (first->hash == view->hash && is_same_flow(first, view)) {
            break;
        }
        at = (at + 1) % SLOT_COUNT;
    }
    return &table->slots[at];
}

/* Ends the runs that a packet without readable ports could belong to, so that it is not
 * overtaken. */
static void close_between(struct table *table, const uint8_t *ip) {
    bool is_v6 = ip[0] >> 4 == 6;
    for (uint32_t i = 0; i < table->run_count; i++) {
        struct run *run = &table->runs[table->run_outs[i]];
        const uint8_t *other = run->first.bytes;
        if (!run->is_open || (other[0] >> 4 == 6) != is_v6) {
            continue;
        }
        if (is_v6 ? memcmp(other + V6_SOURCE, ip + V6_SOURCE, V6_ADDRESSES_SIZE) == 0
                  : memcmp(other + V4_SOURCE, ip + V4_SOURCE, V4_ADDRESSES_SIZE) == 0) {
            run->is_open = false;
        }
    }
}

/* Returns the new out. */
static uint32_t add_alone(struct table *table, uint32_t item) {
    struct wrn_coalescer *coalescer = table->coalescer;
    uint32_t out = coalescer->count++;
    memset(coalescer->out[out].header, 0, WRN_VIRTIO_SIZE);
    coalescer->out[out].packet_count = 1;
    coalescer->first_item[out] = item;
    return out;
}

static void begin_run(struct table *table, const struct view *view, uint32_t item, uint8_t *slot) {
    uint32_t out = add_alone(table, item);
    struct run *run = &table->runs[out];
    uint32_t payload = view->size - view->header_size;
    *run = (struct run){
        .first = *view,
        .last_item = item,
        .size = view->size,
        .next_sequence = view->sequence + payload,
        .next_id = (uint16_t)(view->id + 1),
        .payload = (uint16_t)payload,
        .is_open = !is_last(view),
    };
    table->run_outs[table->run_count++] = (uint8_t)out;
    *slot = (uint8_t)(out + 1);
}

/* Adds the packet to its flow's run, or ends that and begins another. */
static void join(struct table *table, const struct view *view, uint32_t item, uint8_t *slot) {
    if (*slot == 0) {
        begin_run(table, view, item, slot);
        return;
    }
    uint32_t out = *slot - 1u;
    struct run *run = &table->runs[out];
    if (!continues(run, view, table->coalescer->out[out].packet_count)) {
        begin_run(table, view, item, slot);
        return;
    }
    if (!is_valid(view)) { /* alone, and the flow must not pass it */
        run->is_open = false;
        add_alone(table, item);
        return;
    }
    if (!run->is_verified && !is_valid(&run->first)) {
        begin_run(table, view, item, slot);
        table->runs[*slot - 1].is_verified = true;
        return;
    }
    run->is_verified = true;
    append(table, out, view, item);
}

/* Tells whether a packet of the run's flow is what cutting up would yield next. */
static bool continues(const struct run *run, const struct view *view, uint32_t count) {
    uint32_t payload = view->size - view->header_size;
    bool is_tcp = view->kind == TCP4 || view->kind == TCP6;
    bool is_v4 = view->kind == TCP4 || view->kind == UDP4;
    return run->is_open && payload <= run->payload &&
           run->size + payload <= WRN_COALESCE_SIZE_MAX && (!is_v4 || view->id == run->next_id) &&
           (is_tcp ? view->sequence == run->next_sequence : count < UDP_SEGMENTS_MAX) &&
           has_same_headers(&run->first, view);
}

/* Compares what cutting up repeats in each segment; addresses and ports are known to be equal. */
static bool has_same_headers(const struct view *first, const struct view *view) {
    const uint8_t *a = first->bytes, *b = view->bytes;
    if (first->header_size != view->header_size || first->link_size != view->link_size ||
        (view->link_size != 0 &&
         memcmp(a - first->link_size, b - view->link_size, view->link_size) != 0)) {
        return false;
    }
    if (view->kind == TCP4 || view->kind == UDP4) {
        /* Version and TOS; fragment bits, TTL and protocol. */
        if (memcmp(a, b, 2) != 0 || memcmp(a + V4_FRAGMENT, b + V4_FRAGMENT, 4) != 0) {
            return false;
        }
    } else if (memcmp(a, b, 4) != 0 || memcmp(a + V6_NEXT, b + V6_NEXT, 2) != 0) {
        return false; /* version, traffic class, flow label; next header, hop limit */
    }
    if (view->kind == UDP4 || view->kind == UDP6) {
        return true;
    }
    a += first->l4_at;
    b += view->l4_at;
    size_t tail = (size_t)view->header_size - view->l4_at - TCP_URGENT;
    return memcmp(a + TCP_ACKNOWLEDGED, b + TCP_ACKNOWLEDGED, 4) == 0 &&
           memcmp(a + TCP_WINDOW, b + TCP_WINDOW, 2) == 0 &&
           memcmp(a + TCP_URGENT, b + TCP_URGENT, tail) == 0; /* and the options */
}

/* Checks both checksums. */
static bool is_valid(const struct view *view) {
    bool is_tcp = view->kind == TCP4 || view->kind == TCP6;
    bool is_v4 = view->kind == TCP4 || view->kind == UDP4;
    if (is_v4 && wrn_sum_finish(wrn_sum_add((wrn_sum){0}, view->bytes, V4_SIZE_MIN)) != 0) {
        return false;
    }
    uint32_t l4_size = view->size - view->l4_at;
    wrn_sum sum = wrn_sum_add_pseudo((wrn_sum){0}, view->bytes,
                                     is_tcp ? PROTOCOL_TCP : PROTOCOL_UDP, l4_size);
    return wrn_sum_finish(wrn_sum_add(sum, view->bytes + view->l4_at, l4_size)) == 0;
}

/* Only the last segment of a cut packet has these. */
static bool is_last(const struct view *view) {
    return (view->flags & (TCP_PSH | TCP_FIN)) != 0;
}

static void append(struct table *table, uint32_t out, const struct view *view, uint32_t item) {
    struct wrn_coalescer *coalescer = table->coalescer;
    struct run *run = &table->runs[out];
    uint32_t payload = view->size - view->header_size;
    coalescer->items[run->last_item].next_of_joined = item;
    coalescer->out[out].packet_count++;
    run->last_item = item;
    run->last_flags = view->flags;
    run->size += payload;
    run->next_sequence += payload;
    run->next_id++;
    run->is_open = !is_last(view) && payload == run->payload;
}

static void list_parts(struct wrn_coalescer *coalescer) {
    uint32_t at = 0;
    for (uint32_t out = 0; out < coalescer->count; out++) {
        struct wrn_coalesced *joined = &coalescer->out[out];
        at++; /* for the header */
        joined->first_part = (uint16_t)at;
        joined->part_count = joined->packet_count;
        uint32_t skipped = 0;
        for (uint32_t i = coalescer->first_item[out]; i != LAST;
             i = coalescer->items[i].next_of_joined) {
            const struct wrn_coalesce_item *item = &coalescer->items[i];
            coalescer->parts[at].iov_base = item->bytes + skipped;
            coalescer->parts[at].iov_len = item->size - skipped;
            skipped = item->header_size; /* of all but the first; all in an out have the same */
            at++;
        }
    }
}

/* Makes the first packet's headers those of the joined one, and the virtio header. */
static void finish_run(struct wrn_coalescer *coalescer, uint32_t out, const struct run *run) {
    struct wrn_coalesce_item *item = &coalescer->items[coalescer->first_item[out]];
    const struct view *first = &run->first;
    bool is_tcp = first->kind == TCP4 || first->kind == TCP6;
    uint8_t *l4 = first->bytes + first->l4_at;
    uint32_t l4_size = run->size - first->l4_at;
    uint16_t checksum_at = is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
    static const uint8_t gso_types[] = {
        [TCP4] = WRN_VIRTIO_GSO_TCP4,
        [TCP6] = WRN_VIRTIO_GSO_TCP6,
        [UDP4] = WRN_VIRTIO_GSO_UDP,
        [UDP6] = WRN_VIRTIO_GSO_UDP,
    };
    struct wrn_virtio header = {
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM,
        .gso_type = gso_types[first->kind],
        .header_size = (uint16_t)(first->link_size + first->header_size),
        .gso_size = run->payload,
        .checksum_start = (uint16_t)(first->link_size + first->l4_at),
        .checksum_offset = checksum_at,
    };
    wrn_virtio_write(&header, coalescer->out[out].header);

    finish_ip(item, run);
    memcpy(item->saved + SAVED_L4_CHECKSUM, l4 + checksum_at, 2);
    wrn_sum pseudo = wrn_sum_add_pseudo((wrn_sum){0}, first->bytes,
                                        is_tcp ? PROTOCOL_TCP : PROTOCOL_UDP, l4_size);
    wrn_store_be16(l4 + checksum_at, (uint16_t)~wrn_sum_finish(pseudo));
    if (is_tcp) {
        item->saved[SAVED_L4] = l4[TCP_FLAGS];
        l4[TCP_FLAGS] |= run->last_flags;
    } else {
        memcpy(item->saved + SAVED_L4, l4 + UDP_LENGTH, 2);
        wrn_store_be16(l4 + UDP_LENGTH, (uint16_t)l4_size);
    }
}

static void finish_ip(struct wrn_coalesce_item *item, const struct run *run) {
    uint8_t *ip = item->bytes + item->link_size;
    if (run->first.kind == TCP6 || run->first.kind == UDP6) {
        memcpy(item->saved + SAVED_LENGTH, ip + V6_LENGTH, 2);
        wrn_store_be16(ip + V6_LENGTH, (uint16_t)(run->size - V6_SIZE));
        return;
    }
    memcpy(item->saved + SAVED_LENGTH, ip + V4_LENGTH, 2);
    memcpy(item->saved + SAVED_V4_CHECKSUM, ip + V4_CHECKSUM, 2);
    wrn_store_be16(ip + V4_LENGTH, (uint16_t)run->size);
    wrn_store_be16(ip + V4_CHECKSUM, 0);
    wrn_sum sum = wrn_sum_add((wrn_sum){0}, ip, V4_SIZE_MIN);
    wrn_store_be16(ip + V4_CHECKSUM, wrn_sum_finish(sum));
}
