/* SPDX-License-Identifier: Apache-2.0 */
/* Joining by brute force: a packet is appended if cutting up the result gives both back. */
#include "unit/packet/identity.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "packet/coalesce.h"
#include "packet/split.h"
#include "unit/packet/model.h"

enum { NOBODY = -1 };

/* What joining is expected to do with one packet. */
struct fate {
    int group;    /* the packet that begins its out */
    int previous; /* of the same out, or NOBODY */
    size_t count; /* in the out so far, with this one */
};

struct subject {
    const struct iovec *packets;
    size_t count;
    uint32_t allowed;
    uint8_t *copies[WRN_COALESCE_MAX]; /* in memory of their own size */
    struct iovec list[WRN_COALESCE_MAX];
    struct fate fates[WRN_COALESCE_MAX];
    struct wrn_coalescer coalescer;
    uint8_t joined[MODEL_SIZE_MAX];
    uint8_t segment[MODEL_SIZE_MAX];
    bool is_seen[WRN_COALESCE_MAX];
    size_t joined_count;
};

static void foretell(struct subject *s);
static bool is_related(const struct iovec *a, const struct iovec *b);
static bool has_addresses(const struct iovec *packet);
static int ports_at(const struct iovec *packet);
static bool may_join(const struct subject *s, size_t index);
static bool may_join_l4(const uint8_t *l4, size_t size, bool is_udp);
static bool can_append(struct subject *s, size_t last, size_t index);
static size_t payload_at(const uint8_t *packet);
static const char *check_outs(struct subject *s);
static const char *check_out(struct subject *s, uint32_t out);
static const char *check_header(struct subject *s, uint32_t out, size_t first);
static size_t gather(struct subject *s, uint32_t out);
static const char *check_segments(struct subject *s, uint32_t out, size_t size, size_t first);

const char *identity_check(const struct iovec *packets, size_t count, uint32_t allowed,
                           size_t *ret_joined) {
    struct subject *s = calloc(1, sizeof *s);
    WRN_ASSERT(s != NULL);
    s->packets = packets;
    s->count = count;
    s->allowed = allowed;
    for (size_t i = 0; i < count; i++) {
        size_t size = packets[i].iov_len;
        s->copies[i] = malloc(size > 0 ? size : 1);
        WRN_ASSERT(s->copies[i] != NULL);
        if (size > 0) {
            memcpy(s->copies[i], packets[i].iov_base, size);
        }
        s->list[i] = (struct iovec){s->copies[i], size};
    }
    foretell(s);
    wrn_coalesce(&s->coalescer, s->list, count, allowed);
    const char *wrong = check_outs(s);
    if (ret_joined != NULL) {
        *ret_joined = s->joined_count;
    }
    for (size_t i = 0; i < count; i++) {
        free(s->copies[i]);
    }
    free(s);
    return wrong;
}

static void foretell(struct subject *s) {
    for (size_t i = 0; i < s->count; i++) {
        s->fates[i] = (struct fate){.group = (int)i, .previous = NOBODY, .count = 1};
        size_t k = i;
        while (k > 0 && !is_related(&s->packets[k - 1], &s->packets[i])) {
            k--;
        }
        if (k > 0 && may_join(s, k - 1) && may_join(s, i) && can_append(s, k - 1, i)) {
            s->fates[i] = (struct fate){.group = s->fates[k - 1].group,
                                        .previous = (int)k - 1,
                                        .count = s->fates[k - 1].count + 1};
            s->joined_count++;
        }
    }
}

/* Tells whether two packets are, or might be, of one flow. */
static bool is_related(const struct iovec *a, const struct iovec *b) {
    if (!has_addresses(a) || !has_addresses(b)) {
        return false;
    }
    const uint8_t *x = a->iov_base, *y = b->iov_base;
    bool is_v6 = x[0] >> 4 == 6;
    if (x[0] >> 4 != y[0] >> 4 ||
        memcmp(x + (is_v6 ? 8 : 12), y + (is_v6 ? 8 : 12), is_v6 ? 32 : 8) != 0) {
        return false;
    }
    int x_at = ports_at(a), y_at = ports_at(b);
    if (x_at < 0 || y_at < 0) {
        return true;
    }
    size_t protocol = is_v6 ? 6 : 9;
    return x[protocol] == y[protocol] && memcmp(x + x_at, y + y_at, 4) == 0;
}

/* Tells whether it could be a piece of TCP or UDP. */
static bool has_addresses(const struct iovec *packet) {
    const uint8_t *ip = packet->iov_base;
    if (packet->iov_len >= 20 && ip[0] >> 4 == 4) {
        return ip[9] == 6 || ip[9] == 17;
    }
    if (packet->iov_len >= 40 && ip[0] >> 4 == 6) {
        static const uint8_t nexts[] = {6, 17, 0, 43, 44, 51, 60};
        return memchr(nexts, ip[6], sizeof nexts) != NULL;
    }
    return false;
}

/* Returns the offset of the ports, or NOBODY. */
static int ports_at(const struct iovec *packet) {
    const uint8_t *ip = packet->iov_base;
    if (ip[0] >> 4 == 6) {
        return packet->iov_len >= 44 && (ip[6] == 6 || ip[6] == 17) ? 40 : NOBODY;
    }
    int at = (ip[0] & 15) * 4;
    bool there =
        at >= 20 && packet->iov_len >= (size_t)at + 4 && (wrn_load_be16(ip + 6) & 0x1fff) == 0;
    return there ? at : NOBODY;
}

/* What is never joined, whatever its neighbours are. Both packets are of TCP or UDP. */
static bool may_join(const struct subject *s, size_t index) {
    const uint8_t *ip = s->packets[index].iov_base;
    size_t size = s->packets[index].iov_len;
    if (ports_at(&s->packets[index]) < 0 || size > 65535) {
        return false;
    }
    bool is_v6 = ip[0] >> 4 == 6;
    size_t at = is_v6 ? 40 : 20;
    bool is_udp = ip[is_v6 ? 6 : 9] == 17;
    uint32_t need = is_udp ? WRN_COALESCE_UDP : is_v6 ? WRN_COALESCE_TCP6 : WRN_COALESCE_TCP4;
    if ((s->allowed & need) == 0) {
        return false;
    }
    if (is_v6 ? wrn_load_be16(ip + 4) + 40u != size
              : ip[0] != 0x45 || wrn_load_be16(ip + 2) != size ||
                    (wrn_load_be16(ip + 6) & 0x3fff) != 0) {
        return false;
    }
    return may_join_l4(ip + at, size - at, is_udp) && model_is_sealed(ip, size, at);
}

static bool may_join_l4(const uint8_t *l4, size_t size, bool is_udp) {
    if (is_udp) {
        return size > 8 && wrn_load_be16(l4 + 4) == size && wrn_load_be16(l4 + 6) != 0;
    }
    return size > 20 && l4[12] >> 4 >= 5 && (size_t)(l4[12] >> 4) * 4 < size &&
           (l4[12] & 15) == 0 &&
           (l4[13] | MODEL_PSH | MODEL_FIN) == (MODEL_ACK | MODEL_PSH | MODEL_FIN) &&
           (l4[13] & MODEL_ACK) != 0;
}

/* Puts the out of 'last' and packet 'index' together and cuts that up again: the first, 'last' and
 * 'index' must come out. The others did already. */
static bool can_append(struct subject *s, size_t last, size_t index) {
    size_t chain[WRN_COALESCE_MAX];
    size_t count = s->fates[last].count;
    size_t at = last;
    for (size_t i = count; i-- > 0; at = (size_t)s->fates[at].previous) {
        chain[i] = at;
    }
    chain[count] = index;
    const uint8_t *first = s->packets[chain[0]].iov_base;
    size_t header_size = payload_at(first), size = s->packets[chain[0]].iov_len;
    size_t l4_at = model_l4_at(first);
    bool is_udp = first[first[0] >> 4 == 6 ? 6 : 9] == 17;
    size_t gso_size = size - header_size;
    memcpy(s->joined, first, size);
    for (size_t i = 1; i <= count; i++) {
        const uint8_t *packet = s->packets[chain[i]].iov_base;
        size_t payload = s->packets[chain[i]].iov_len - payload_at(packet);
        if (size + payload > WRN_COALESCE_SIZE_MAX) {
            return false;
        }
        memcpy(s->joined + size, packet + payload_at(packet), payload);
        size += payload;
        s->joined[l4_at + 13] |= is_udp ? 0 : packet[l4_at + 13];
    }
    if (is_udp && count >= 64) {
        return false;
    }
    if (first[0] >> 4 == 4) {
        wrn_store_be16(s->joined + 2, (uint16_t)size);
    } else {
        wrn_store_be16(s->joined + 4, (uint16_t)(size - 40));
    }
    struct wrn_virtio header;
    model_enlarge(s->joined, size, (uint16_t)gso_size, &header);
    const size_t checked[] = {0, count - 1, count};
    for (size_t i = 0; i < WRN_COUNT(checked); i++) {
        const struct iovec *packet = &s->packets[chain[checked[i]]];
        size_t cut = model_cut(&header, s->joined, size, (uint32_t)checked[i], s->segment);
        if (cut != packet->iov_len || memcmp(s->segment, packet->iov_base, cut) != 0) {
            return false;
        }
    }
    return true;
}

/* Of a packet that may be joined. */
static size_t payload_at(const uint8_t *packet) {
    size_t at = model_l4_at(packet);
    bool is_udp = packet[packet[0] >> 4 == 6 ? 6 : 9] == 17;
    return at + (is_udp ? 8 : (size_t)(packet[at + 12] >> 4) * 4);
}

static const char *check_outs(struct subject *s) {
    size_t seen = 0, next_part = 1;
    const char *wrong = NULL;
    for (uint32_t out = 0; out < s->coalescer.count && wrong == NULL; out++) {
        const struct wrn_coalesced *o = &s->coalescer.out[out];
        if (o->part_count != o->packet_count || o->first_part != next_part) {
            return "parts of one out lie together, after a free entry";
        }
        next_part += o->part_count + 1u;
        seen += o->packet_count;
        wrong = check_out(s, out);
    }
    if (wrong == NULL && seen != s->count) {
        wrong = "every packet is in an out, once";
    }
    return wrong;
}

static const char *check_out(struct subject *s, uint32_t out) {
    const struct wrn_coalesced *o = &s->coalescer.out[out];
    size_t size = gather(s, out);
    struct iovec undone[WRN_COALESCE_MAX];
    if (wrn_coalesce_undo(&s->coalescer, out, undone) != o->packet_count) {
        return "undoing yields all packets of an out";
    }
    size_t first = 0, index = 0;
    for (size_t i = 0; i < o->packet_count; i++) {
        size_t before = index;
        for (index = 0; index < s->count && undone[i].iov_base != s->copies[index]; index++) {
        }
        if (index == s->count || s->is_seen[index] ||
            undone[i].iov_len != s->packets[index].iov_len) {
            return "undoing yields packets that went in, once each";
        }
        s->is_seen[index] = true;
        first = i == 0 ? index : first;
        if (s->fates[index].group != (int)first ||
            s->fates[index].previous != (i == 0 ? NOBODY : (int)before)) {
            return "what can be joined in order is joined, and nothing else";
        }
        if (memcmp(s->copies[index], s->packets[index].iov_base, undone[i].iov_len) != 0) {
            return "undoing restores every byte";
        }
    }
    for (size_t i = 0; i < first; i++) {
        if (!s->is_seen[i]) {
            return "outs are in the order of their first packets";
        }
    }
    return o->packet_count == 1 ? check_header(s, out, first) : check_segments(s, out, size, first);
}

/* Of a packet that stayed alone, which lies in 'joined'. */
static const char *check_header(struct subject *s, uint32_t out, size_t first) {
    static const uint8_t zero[WRN_VIRTIO_SIZE];
    if (memcmp(s->coalescer.out[out].header, zero, sizeof zero) != 0) {
        return "what stays alone has an empty header";
    }
    if (s->packets[first].iov_len > 0 &&
        memcmp(s->joined, s->packets[first].iov_base, s->packets[first].iov_len) != 0) {
        return "what stays alone is untouched";
    }
    return NULL;
}

/* Copies an out's parts to 'joined'. */
static size_t gather(struct subject *s, uint32_t out) {
    const struct wrn_coalesced *o = &s->coalescer.out[out];
    size_t size = 0;
    for (size_t i = 0; i < o->part_count; i++) {
        const struct iovec *part = &s->coalescer.parts[o->first_part + i];
        WRN_ASSERT(size + part->iov_len <= sizeof s->joined);
        if (part->iov_len > 0) {
            memcpy(s->joined + size, part->iov_base, part->iov_len);
        }
        size += part->iov_len;
    }
    return size;
}

/* Cuts what lies in 'joined' up again. */
static const char *check_segments(struct subject *s, uint32_t out, size_t size, size_t first) {
    struct wrn_virtio header, expected;
    struct wrn_split split;
    wrn_virtio_read(s->coalescer.out[out].header, &header);
    memcpy(s->segment, s->joined, size);
    model_enlarge(s->segment, size, header.gso_size, &expected);
    if (memcmp(s->segment, s->joined, size) != 0 ||
        memcmp(&expected, &header, sizeof header) != 0) {
        return "a joined packet has the header and the partial sum that the host expects";
    }
    if (size > WRN_COALESCE_SIZE_MAX ||
        (s->joined[0] >> 4 == 4 &&
         (wrn_load_be16(s->joined + 2) != size || model_checksum(s->joined, 20, 0) != 0))) {
        return "a joined packet has a right length and IPv4 header";
    }
    if (wrn_split_begin(&split, &header, s->joined, size) != 0 ||
        split.count != s->coalescer.out[out].packet_count) {
        return "a joined packet can be cut up";
    }
    uint32_t index = 0;
    for (size_t i = first; i < s->count; i++) {
        if (s->fates[i].group != (int)first) {
            continue;
        }
        size_t segment_size = wrn_split_size(&split, index);
        if (segment_size != s->packets[i].iov_len) {
            return "cutting up gives the same sizes";
        }
        wrn_split_write(&split, index, s->segment);
        if (memcmp(s->segment, s->packets[i].iov_base, segment_size) != 0) {
            return "cutting up gives the same packets";
        }
        index++;
    }
    return NULL;
}
