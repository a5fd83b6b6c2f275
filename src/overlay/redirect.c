/* SPDX-License-Identifier: Apache-2.0 */
/* Where else a stranger may ask that a node has no room for: addresses of some of its peers, in the
 * BYE that refuses it. What is read is a hint: good for a question, no more. Layout:
 * docs/ring/linking.md. */
#include "base/wire.h"
#include "overlay/join_internal.h"
#include "overlay/nat_class.h"
#include "overlay/overlay_internal.h"

static bool is_worth_naming(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                            const struct wrn_endpoint *asker, struct wrn_endpoint *ret_at);
static size_t ip_size(uint8_t family);

void wrn_redirect_write(const struct wrn_overlay *overlay, const struct wrn_endpoint *asker,
                        struct wrn_writer *writer) {
    const struct wrn_links *links = &overlay->links;
    struct wrn_endpoint found[WRN_REDIRECTS_MAX];
    uint8_t count = 0;
    uint32_t start = links->count > 0 ? wrn_rand_below(overlay->rand, links->count) : 0;
    for (uint32_t i = 0; i < links->count && count < WRN_REDIRECTS_MAX; i++) {
        const struct wrn_link *link = &links->links[(start + i) % links->count];
        const struct wrn_overlay_peer *peer = wrn_peers_get(overlay, link->peer);
        if (wrn_link_is_of_ring(link) && is_worth_naming(overlay, peer, asker, &found[count])) {
            count++;
        }
    }
    wrn_write_u8(writer, count);
    for (uint8_t i = 0; i < count; i++) {
        wrn_write_u8(writer, found[i].ip.family);
        wrn_write_u16(writer, found[i].port);
        wrn_write_bytes(writer, found[i].ip.bytes, ip_size(found[i].ip.family));
    }
}

bool wrn_redirect_read(const struct wrn_overlay *overlay, struct wrn_reader *reader,
                       struct wrn_endpoint *ret_chosen) {
    uint8_t count = wrn_read_u8(reader);
    uint8_t seen = 0;
    *ret_chosen = (struct wrn_endpoint){0};
    for (uint8_t i = 0; i < count && !reader->failed; i++) {
        struct wrn_endpoint at = {0};
        at.ip.family = wrn_read_u8(reader);
        at.port = wrn_read_u16(reader);
        if (ip_size(at.ip.family) == 0) {
            return false;
        }
        wrn_read_bytes(reader, at.ip.bytes, ip_size(at.ip.family));
        /* Each of them is as likely as the others. */
        if (!reader->failed && wrn_paths_may_probe(overlay->paths, &at) &&
            wrn_rand_below(overlay->rand, ++seen) == 0) {
            *ret_chosen = at;
        }
    }
    return count <= WRN_REDIRECTS_MAX && wrn_reader_is_done(reader);
}

/* One that anybody reaches, in the family in which the stranger reached us. */
static bool is_worth_naming(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                            const struct wrn_endpoint *asker, struct wrn_endpoint *ret_at) {
    const struct wrn_way *way = wrn_paths_way(overlay->paths, peer->handle);
    if (way->kind != WRN_WAY_DIRECT || wrn_way_is_stream(way) ||
        peer->nat_class != WRN_NAT_CLASS_NONE || way->remote.ip.family != asker->ip.family ||
        way->remote.scope_id != 0 ||
        (wrn_nat_is_private(&way->remote.ip) && !wrn_nat_is_private(&asker->ip))) {
        return false;
    }
    *ret_at = way->remote;
    return true;
}

static size_t ip_size(uint8_t family) {
    return family == WRN_FAMILY_IPV4 ? 4 : family == WRN_FAMILY_IPV6 ? 16 : 0;
}
