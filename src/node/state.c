/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the state field by field, in one order, so that one state has one form. Judges
 * no certificate: it only sees to it that what is called a chain is one. */
#include "node/state.h"

#include <stdio.h>

#include "base/bytes.h"
#include "network/lease.h"
#include "overlay/limits.h"
#include "overlay/record.h"

enum {
    PORT_SIZE = 2,
    IP4_SIZE = 4,
    IP6_SIZE = 16,
    SIXTEENTHS = 16, /* /16 ranges in 172.16.0.0/12 */
    SHARED = 64,     /* ... in 100.64.0.0/10 */
    WIDE_BITS = 8,   /* shorter prefixes are default routes, whole or in halves */
    VNI_TOP = (1 << 24) - 1,
};

static void write_head(struct wrn_sexp_writer *writer, const struct wrn_state *state);
static void write_places(struct wrn_sexp_writer *writer, const struct wrn_state *state);
static void write_bridge(struct wrn_sexp_writer *writer,
                         const struct wrn_switch_settings *settings);
static void write_kept(struct wrn_sexp_writer *writer, const struct wrn_state_kept *kept);
static void write_endpoint(struct wrn_sexp_writer *writer, const struct wrn_endpoint *endpoint);
static void write_invitation(struct wrn_sexp_writer *writer,
                             const struct wrn_state_invitation *invitation);
static void write_grant(struct wrn_sexp_writer *writer, const struct wrn_state_grant *grant);
static void write_field(struct wrn_sexp_writer *writer, const char *name, wrn_span value);
static void write_text(struct wrn_sexp_writer *writer, const char *name, const char *text);
static void write_number(struct wrn_sexp_writer *writer, const char *name, uint32_t number);
static void write_date(struct wrn_sexp_writer *writer, const char *name, int64_t s);
static void write_ip(struct wrn_sexp_writer *writer, const char *name, const struct wrn_ip *ip);

static enum wrn_state_fault read_network(struct wrn_sexp_cursor *cursor, struct wrn_state *state);
static bool read_signature(struct wrn_sexp sequence, uint8_t ret_signature[WRN_SIGNATURE_SIZE]);
static bool read_standing(struct wrn_sexp_cursor *cursor, struct wrn_state *state);
static bool read_wants(struct wrn_sexp_cursor *cursor, struct wrn_state *state);
static bool read_places(struct wrn_sexp_cursor *cursor, struct wrn_state *state);
static bool read_bridge(struct wrn_sexp_cursor *inner, struct wrn_switch_settings *ret_settings);
static bool read_kept(struct wrn_sexp_cursor *inner, struct wrn_state_kept *ret_kept);
static bool read_endpoint(struct wrn_sexp_cursor *inner, struct wrn_endpoint *ret_endpoint);
static bool read_route(struct wrn_sexp_cursor *inner, struct wrn_prefix *ret_prefix);
static bool read_invitation(struct wrn_sexp_cursor *inner, const struct wrn_state *state,
                            struct wrn_state_invitation *ret_invitation);
static bool take_used(struct wrn_sexp_cursor *inner, struct wrn_state_invitation *invitation);
static bool read_grant(struct wrn_sexp_cursor *inner, const struct wrn_state *state,
                       struct wrn_state_grant *ret_grant);
static bool take_optional(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_value);
static bool take_sized(struct wrn_sexp_cursor *cursor, const char *name, size_t size,
                       uint8_t *ret_bytes);
static bool take_date(struct wrn_sexp_cursor *cursor, const char *name, int64_t *ret_s);
static bool take_flag(struct wrn_sexp_cursor *cursor, const char *name, bool *ret_is_there);
static bool read_ip(wrn_span bytes, struct wrn_ip *ret_ip);
static bool is_chain(const struct wrn_state *state, wrn_span chain, size_t size_max);

static void draw_range(struct wrn_rand rand, const struct wrn_prefix *used, size_t used_count,
                       struct wrn_prefix *ret_range);
static bool draw_among(struct wrn_rand rand, const struct wrn_prefix *used, size_t used_count,
                       uint8_t first, uint8_t second, uint32_t count, struct wrn_prefix *ret_range);
static bool is_used(const struct wrn_prefix *range, const struct wrn_prefix *used,
                    size_t used_count);

const char *wrn_state_fault_text(enum wrn_state_fault fault) {
    static const char *const texts[WRN_STATE_FAULTS] = {
#define WRN_STATE_FAULT_TEXT(name, text) [WRN_STATE_##name] = text,
        WRN_STATE_FAULT_LIST(WRN_STATE_FAULT_TEXT)
#undef WRN_STATE_FAULT_TEXT
    };
    return texts[fault];
}

size_t wrn_state_write(const struct wrn_state *state, uint8_t *out, size_t capacity) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    struct wrn_descriptor descriptor = state->descriptor;
    uint8_t room[WRN_DESCRIPTOR_MAX];
    struct wrn_sexp sexp;
    if (wrn_descriptor_write_signed(&descriptor, state->signature, room, sizeof room, &sexp) != 0) {
        return 0;
    }
    wrn_sexp_open(&writer, "warren-state");
    write_text(&writer, "version", "1");
    wrn_sexp_put(&writer, sexp);
    write_head(&writer, state);
    write_places(&writer, state);
    for (uint32_t i = 0; i < state->invitation_count; i++) {
        write_invitation(&writer, &state->invitations[i]);
    }
    for (uint32_t i = 0; i < state->grant_count; i++) {
        write_grant(&writer, &state->grants[i]);
    }
    wrn_sexp_close(&writer);
    return wrn_sexp_finish(&writer, &sexp) == 0 ? sexp.bytes.size : 0;
}

enum wrn_state_fault wrn_state_read(wrn_span expression, struct wrn_state *ret_state) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_sexp sexp;
    struct wrn_state *state = ret_state;
    bool is_good;
    memset(state, 0, sizeof *state);
    if (wrn_sexp_check(expression, &sexp, NULL) != 0 ||
        !wrn_sexp_enter_named(sexp, "warren-state", &cursor)) {
        return WRN_STATE_NOT_STATE;
    }
    enum wrn_state_fault fault = read_network(&cursor, state);
    is_good = fault == WRN_STATE_OK && read_standing(&cursor, state) && read_places(&cursor, state);
    while (is_good && wrn_sexp_take_named(&cursor, "invitation", &inner)) {
        is_good = state->invitation_count < WRN_STATE_INVITATIONS_MAX &&
                  read_invitation(&inner, state, &state->invitations[state->invitation_count++]);
    }
    while (is_good && wrn_sexp_take_named(&cursor, "grant", &inner)) {
        is_good = state->grant_count < WRN_STATE_GRANTS_MAX &&
                  read_grant(&inner, state, &state->grants[state->grant_count++]);
    }
    is_good = is_good && wrn_sexp_at_end(&cursor);
    if (!is_good) {
        wrn_wipe(state, sizeof *state);
        return fault != WRN_STATE_OK ? fault : WRN_STATE_FIELD;
    }
    return WRN_STATE_OK;
}

enum wrn_descriptor_fault wrn_state_create(struct wrn_descriptor *descriptor,
                                           const uint8_t seed[WRN_SEED_SIZE], struct wrn_rand rand,
                                           int64_t now_s, const struct wrn_prefix *used,
                                           size_t used_count, struct wrn_state *ret_state) {
    uint8_t room[WRN_DESCRIPTOR_MAX];
    struct wrn_sexp sequence;
    memset(ret_state, 0, sizeof *ret_state);
    descriptor->created_s = now_s;
    wrn_rand_fill(rand, descriptor->nonce, sizeof descriptor->nonce);
    if (descriptor->vni == 0) {
        descriptor->vni = 1 + wrn_rand_below(rand, VNI_TOP);
    }
    bool draws = descriptor->kind == WRN_NETWORK_L3; /* an Ethernet has what its hosts have */
    if (draws && descriptor->ipv4.ip.family == WRN_FAMILY_NONE) {
        draw_range(rand, used, used_count, &descriptor->ipv4);
    }
    if (draws && descriptor->ipv6.ip.family == WRN_FAMILY_NONE) {
        descriptor->ipv6 = (struct wrn_prefix){{{0xfd}, WRN_FAMILY_IPV6}, 64};
        wrn_rand_fill(rand, descriptor->ipv6.ip.bytes + 1, 7); /* RFC 4193, section 3.2 */
    }
    enum wrn_descriptor_fault fault = wrn_descriptor_check(descriptor);
    if (fault != WRN_DESCRIPTOR_OK) {
        return fault;
    }
    int error = wrn_descriptor_write(descriptor, seed, room, sizeof room, &sequence);
    if (error != 0 || !read_signature(sequence, ret_state->signature)) {
        return error == -ENOMEM ? WRN_DESCRIPTOR_SIGNATURE : WRN_DESCRIPTOR_MALFORMED;
    }
    ret_state->descriptor = *descriptor;
    ret_state->wants_address = ret_state->wants_name = true;
    return WRN_DESCRIPTOR_OK;
}

enum wrn_invitation_fault wrn_state_join(const struct wrn_invitation *invitation,
                                         const uint8_t member[WRN_SIGN_PUBLIC_SIZE], int64_t now_s,
                                         int64_t until_s, uint8_t *chain,
                                         struct wrn_state *ret_state) {
    size_t size = 0;
    memset(ret_state, 0, sizeof *ret_state);
    enum wrn_invitation_fault fault =
        wrn_invitation_accept(invitation, member, now_s, until_s, chain, WRN_CREDENTIAL_MAX, &size);
    if (fault != WRN_INVITATION_OK) {
        return fault;
    }
    ret_state->descriptor = invitation->descriptor;
    memcpy(ret_state->signature, invitation->signature, sizeof ret_state->signature);
    ret_state->chain = (wrn_span){chain, size};
    ret_state->invitation_chain = (wrn_span){invitation->chain, invitation->chain_size};
    ret_state->wants_address = ret_state->wants_name = true;
    ret_state->endpoint_count = invitation->endpoint_count;
    memcpy(ret_state->endpoints, invitation->endpoints,
           invitation->endpoint_count * sizeof ret_state->endpoints[0]);
    return WRN_INVITATION_OK;
}

/* ---- writing ---- */

static void write_head(struct wrn_sexp_writer *writer, const struct wrn_state *state) {
    if (state->chain.size > 0) {
        write_field(writer, "chain", state->chain);
    }
    if (state->invitation_chain.size > 0) {
        write_field(writer, "invitation-chain", state->invitation_chain);
    }
    if (state->use > 0) {
        write_number(writer, "use", state->use);
    }
    wrn_sexp_open(writer, "wants");
    if (state->wants_address) {
        wrn_sexp_put_word(writer, "address");
    }
    if (state->wants_name) {
        wrn_sexp_put_word(writer, "name");
    }
    if (state->wants_routes) {
        wrn_sexp_put_word(writer, "routes");
    }
    wrn_sexp_close(writer);
    if (state->label[0] != '\0') {
        write_text(writer, "label", state->label);
    }
    if (state->lease.family != WRN_FAMILY_NONE) {
        write_ip(writer, "lease", &state->lease);
    }
}

static void write_places(struct wrn_sexp_writer *writer, const struct wrn_state *state) {
    for (uint32_t i = 0; i < state->endpoint_count; i++) {
        write_endpoint(writer, &state->endpoints[i]);
    }
    for (uint32_t i = 0; i < state->locator_count; i++) {
        write_field(writer, "locator", state->locators[i]);
    }
    if (state->lists.size > 0) {
        write_field(writer, "lists", state->lists);
    }
    for (uint32_t i = 0; i < state->route_count; i++) {
        char text[WRN_PREFIX_TEXT_SIZE];
        (void)wrn_prefix_print(&state->routes[i], text);
        write_text(writer, "route", text);
    }
    if (state->has_meeting) {
        write_field(writer, "meets", (wrn_span){state->meeting, sizeof state->meeting});
    }
    if (state->has_bridge) {
        write_bridge(writer, &state->bridge);
    }
    for (uint32_t i = 0; i < state->kept_count; i++) {
        write_kept(writer, &state->kept[i]);
    }
}

static void write_bridge(struct wrn_sexp_writer *writer,
                         const struct wrn_switch_settings *settings) {
    wrn_sexp_open(writer, "bridge");
    if (settings->allows_dhcp) {
        wrn_sexp_put_word(writer, "dhcp");
    }
    if (settings->answers_neighbours) {
        wrn_sexp_put_word(writer, "answers");
    }
    if (settings->guards_loops) {
        wrn_sexp_put_word(writer, "guard");
    }
    if (settings->serves_dhcp) {
        wrn_sexp_put_word(writer, "server");
    }
    write_number(writer, "floods", settings->floods_per_s);
    write_number(writer, "age", settings->age_s);
    wrn_sexp_close(writer);
}

static void write_kept(struct wrn_sexp_writer *writer, const struct wrn_state_kept *kept) {
    wrn_sexp_open(writer, "kept");
    wrn_sexp_put_word(writer, kept->kind == WRN_RECORD_CREATE ? "create" : "put");
    wrn_sexp_put_bytes(writer, kept->key);
    wrn_sexp_put_bytes(writer, kept->value);
    write_number(writer, "ttl", kept->ttl_s);
    if (kept->kind == WRN_RECORD_CREATE) {
        write_date(writer, "claimed", kept->claimed_s);
    }
    wrn_sexp_close(writer);
}

static void write_endpoint(struct wrn_sexp_writer *writer, const struct wrn_endpoint *endpoint) {
    uint8_t port[PORT_SIZE] = {(uint8_t)(endpoint->port >> 8), (uint8_t)endpoint->port};
    size_t size = endpoint->ip.family == WRN_FAMILY_IPV4 ? IP4_SIZE : IP6_SIZE;
    wrn_sexp_open(writer, "at");
    wrn_sexp_put_bytes(writer, (wrn_span){endpoint->ip.bytes, size});
    wrn_sexp_put_bytes(writer, (wrn_span){port, sizeof port});
    wrn_sexp_close(writer);
}

static void write_invitation(struct wrn_sexp_writer *writer,
                             const struct wrn_state_invitation *invitation) {
    wrn_sexp_open(writer, "invitation");
    write_field(writer, "seed", (wrn_span){invitation->seed, sizeof invitation->seed});
    write_field(writer, "cert", (wrn_span){invitation->cert_hash, sizeof invitation->cert_hash});
    write_date(writer, "made", invitation->made_s);
    write_date(writer, "until", invitation->until_s);
    write_number(writer, "uses", invitation->uses);
    if (invitation->used > 0) {
        write_number(writer, "used", invitation->used);
    }
    if (invitation->is_revoked) {
        wrn_sexp_open(writer, "revoked");
        wrn_sexp_close(writer);
    }
    write_field(writer, "chain", invitation->chain);
    wrn_sexp_close(writer);
}

static void write_grant(struct wrn_sexp_writer *writer, const struct wrn_state_grant *grant) {
    wrn_sexp_open(writer, "grant");
    write_field(writer, "subject", (wrn_span){grant->subject, sizeof grant->subject});
    if (grant->is_delivered) {
        wrn_sexp_open(writer, "delivered");
        wrn_sexp_close(writer);
    }
    write_field(writer, "chain", grant->chain);
    wrn_sexp_close(writer);
}

static void write_field(struct wrn_sexp_writer *writer, const char *name, wrn_span value) {
    wrn_sexp_open(writer, name);
    wrn_sexp_put_bytes(writer, value);
    wrn_sexp_close(writer);
}

static void write_text(struct wrn_sexp_writer *writer, const char *name, const char *text) {
    write_field(writer, name, (wrn_span){(const uint8_t *)text, strlen(text)});
}

static void write_number(struct wrn_sexp_writer *writer, const char *name, uint32_t number) {
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%u", (unsigned)number);
    write_text(writer, name, digits);
}

static void write_date(struct wrn_sexp_writer *writer, const char *name, int64_t s) {
    char date[WRN_SPKI_DATE_SIZE];
    bool is_date = s >= 0 && s <= WRN_RECORD_TIME_MAX_S && wrn_spki_date_write(s, date);
    WRN_ASSERT(is_date);
    write_field(writer, name, (wrn_span){(const uint8_t *)date, sizeof date});
}

static void write_ip(struct wrn_sexp_writer *writer, const char *name, const struct wrn_ip *ip) {
    size_t size = ip->family == WRN_FAMILY_IPV4 ? IP4_SIZE : IP6_SIZE;
    write_field(writer, name, (wrn_span){ip->bytes, size});
}

/* ---- reading ---- */

static enum wrn_state_fault read_network(struct wrn_sexp_cursor *cursor, struct wrn_state *state) {
    enum wrn_descriptor_fault fault;
    struct wrn_sexp sequence;
    wrn_span version;
    if (!wrn_sexp_take_field(cursor, "version", &version)) {
        return WRN_STATE_NOT_STATE;
    }
    if (version.size != 1 || version.data[0] != '1') {
        return WRN_STATE_VERSION;
    }
    if (!wrn_sexp_take_any(cursor, &sequence) ||
        wrn_descriptor_read(sequence, &state->descriptor, &fault) != 0 ||
        !read_signature(sequence, state->signature)) {
        return WRN_STATE_DESCRIPTOR;
    }
    return WRN_STATE_OK;
}

/* Of a descriptor whose form is right. */
static bool read_signature(struct wrn_sexp sequence, uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_sexp body;
    wrn_span signature;
    if (!wrn_sexp_enter_named(sequence, "sequence", &cursor) ||
        !wrn_sexp_take_any(&cursor, &body) || !wrn_sexp_take_named(&cursor, "signature", &inner) ||
        !wrn_sexp_take_field(&inner, "ed25519", &signature) ||
        signature.size != WRN_SIGNATURE_SIZE) {
        return false;
    }
    memcpy(ret_signature, signature.data, WRN_SIGNATURE_SIZE);
    return true;
}

static bool read_standing(struct wrn_sexp_cursor *cursor, struct wrn_state *state) {
    struct wrn_sexp_cursor before = *cursor, inner;
    wrn_span label = {NULL, 0}, lease = {NULL, 0};
    if (!take_optional(cursor, "chain", &state->chain) ||
        !take_optional(cursor, "invitation-chain", &state->invitation_chain)) {
        return false;
    }
    if ((state->chain.data != NULL && !is_chain(state, state->chain, WRN_CREDENTIAL_MAX)) ||
        (state->invitation_chain.data != NULL &&
         !is_chain(state, state->invitation_chain, WRN_INVITATION_CHAIN_MAX))) {
        return false;
    }
    before = *cursor;
    if (wrn_sexp_take_named(&before, "use", &inner) &&
        (!wrn_sexp_take_number(cursor, "use", UINT16_MAX, &state->use) || state->use == 0)) {
        return false;
    }
    if (!read_wants(cursor, state) || !take_optional(cursor, "label", &label) ||
        !take_optional(cursor, "lease", &lease)) {
        return false;
    }
    if (label.data != NULL) {
        if (!wrn_label_is_good(label)) {
            return false;
        }
        memcpy(state->label, label.data, label.size); /* zeroed before */
    }
    return lease.data == NULL || (read_ip(lease, &state->lease) &&
                                  wrn_lease_is_assignable(&state->descriptor.ipv4, &state->lease));
}

static bool read_wants(struct wrn_sexp_cursor *cursor, struct wrn_state *state) {
    struct wrn_sexp_cursor inner;
    if (!wrn_sexp_take_named(cursor, "wants", &inner)) {
        return false;
    }
    state->wants_address = wrn_sexp_take_word(&inner, "address");
    state->wants_name = wrn_sexp_take_word(&inner, "name");
    state->wants_routes = wrn_sexp_take_word(&inner, "routes");
    return wrn_sexp_at_end(&inner);
}

static bool read_places(struct wrn_sexp_cursor *cursor, struct wrn_state *state) {
    struct wrn_sexp_cursor inner;
    wrn_span locator;
    while (wrn_sexp_take_named(cursor, "at", &inner)) {
        if (state->endpoint_count == WRN_COUNT(state->endpoints) ||
            !read_endpoint(&inner, &state->endpoints[state->endpoint_count++])) {
            return false;
        }
    }
    while (wrn_sexp_take_named(cursor, "locator", &inner)) {
        if (state->locator_count == WRN_STATE_LOCATORS_MAX ||
            !wrn_sexp_take_atom(&inner, &locator) || !wrn_sexp_at_end(&inner) ||
            locator.size == 0 || locator.size > WRN_LOCATOR_MAX) {
            return false;
        }
        state->locators[state->locator_count++] = locator;
    }
    if (!take_optional(cursor, "lists", &state->lists)) {
        return false;
    }
    while (wrn_sexp_take_named(cursor, "route", &inner)) {
        if (state->route_count == WRN_STATE_ROUTES_MAX ||
            !read_route(&inner, &state->routes[state->route_count++])) {
            return false;
        }
    }
    wrn_span meeting = {NULL, 0};
    if (!take_optional(cursor, "meets", &meeting) ||
        (meeting.data != NULL && meeting.size != sizeof state->meeting)) {
        return false;
    }
    if (meeting.data != NULL) {
        state->has_meeting = true;
        memcpy(state->meeting, meeting.data, sizeof state->meeting);
    }
    if (wrn_sexp_take_named(cursor, "bridge", &inner)) {
        state->has_bridge = true;
        if (state->descriptor.kind != WRN_NETWORK_L2 || !read_bridge(&inner, &state->bridge)) {
            return false;
        }
    }
    while (wrn_sexp_take_named(cursor, "kept", &inner)) {
        if (state->kept_count == WRN_STATE_KEPT_MAX ||
            !read_kept(&inner, &state->kept[state->kept_count++])) {
            return false;
        }
    }
    return true;
}

static bool read_bridge(struct wrn_sexp_cursor *inner, struct wrn_switch_settings *ret_settings) {
    enum { AGE_MAX = 86400 };
    ret_settings->allows_dhcp = wrn_sexp_take_word(inner, "dhcp");
    ret_settings->answers_neighbours = wrn_sexp_take_word(inner, "answers");
    ret_settings->guards_loops = wrn_sexp_take_word(inner, "guard");
    ret_settings->serves_dhcp = wrn_sexp_take_word(inner, "server");
    return wrn_sexp_take_number(inner, "floods", UINT32_MAX, &ret_settings->floods_per_s) &&
           wrn_sexp_take_number(inner, "age", AGE_MAX, &ret_settings->age_s) &&
           wrn_sexp_at_end(inner);
}

static bool read_kept(struct wrn_sexp_cursor *inner, struct wrn_state_kept *ret_kept) {
    bool is_create = wrn_sexp_take_word(inner, "create");
    ret_kept->kind = is_create ? WRN_RECORD_CREATE : WRN_RECORD_PUT;
    return (is_create || wrn_sexp_take_word(inner, "put")) &&
           wrn_sexp_take_atom(inner, &ret_kept->key) && ret_kept->key.size > 0 &&
           ret_kept->key.size <= WRN_RECORD_KEY_MAX &&
           wrn_sexp_take_atom(inner, &ret_kept->value) &&
           ret_kept->value.size <= WRN_RECORD_VALUE_MAX &&
           wrn_sexp_take_number(inner, "ttl", WRN_RECORD_TTL_MAX_S, &ret_kept->ttl_s) &&
           ret_kept->ttl_s > 0 &&
           (!is_create || take_date(inner, "claimed", &ret_kept->claimed_s)) &&
           wrn_sexp_at_end(inner);
}

static bool read_endpoint(struct wrn_sexp_cursor *inner, struct wrn_endpoint *ret_endpoint) {
    static const uint8_t zero[IP6_SIZE];
    wrn_span ip, port;
    *ret_endpoint = (struct wrn_endpoint){.port = 0};
    if (!wrn_sexp_take_atom(inner, &ip) || !read_ip(ip, &ret_endpoint->ip) ||
        !wrn_sexp_take_atom(inner, &port) || port.size != PORT_SIZE || !wrn_sexp_at_end(inner)) {
        return false;
    }
    ret_endpoint->port = wrn_load_be16(port.data);
    return ret_endpoint->port != 0 && memcmp(ret_endpoint->ip.bytes, zero, sizeof zero) != 0;
}

/* In the one form that is written. */
static bool read_route(struct wrn_sexp_cursor *inner, struct wrn_prefix *ret_prefix) {
    char text[WRN_PREFIX_TEXT_SIZE];
    wrn_span value;
    return wrn_sexp_take_atom(inner, &value) && wrn_sexp_at_end(inner) &&
           wrn_prefix_parse(value, ret_prefix) == 0 &&
           wrn_prefix_print(ret_prefix, text) == value.size &&
           memcmp(text, value.data, value.size) == 0;
}

static bool read_invitation(struct wrn_sexp_cursor *inner, const struct wrn_state *state,
                            struct wrn_state_invitation *ret_invitation) {
    struct wrn_state_invitation *invitation = ret_invitation;
    return take_sized(inner, "seed", sizeof invitation->seed, invitation->seed) &&
           take_sized(inner, "cert", sizeof invitation->cert_hash, invitation->cert_hash) &&
           take_date(inner, "made", &invitation->made_s) &&
           take_date(inner, "until", &invitation->until_s) &&
           wrn_sexp_take_number(inner, "uses", UINT16_MAX, &invitation->uses) &&
           take_used(inner, invitation) && take_flag(inner, "revoked", &invitation->is_revoked) &&
           wrn_sexp_take_field(inner, "chain", &invitation->chain) && wrn_sexp_at_end(inner) &&
           is_chain(state, invitation->chain, WRN_INVITATION_CHAIN_MAX);
}

/* It may be missing. */
static bool take_used(struct wrn_sexp_cursor *inner, struct wrn_state_invitation *invitation) {
    struct wrn_sexp_cursor before = *inner, number;
    if (!wrn_sexp_take_named(&before, "used", &number)) {
        return true;
    }
    return wrn_sexp_take_number(inner, "used", invitation->uses, &invitation->used) &&
           invitation->used > 0;
}

static bool read_grant(struct wrn_sexp_cursor *inner, const struct wrn_state *state,
                       struct wrn_state_grant *ret_grant) {
    struct wrn_state_grant *grant = ret_grant;
    return take_sized(inner, "subject", sizeof grant->subject, grant->subject) &&
           wrn_sign_public_is_sound(grant->subject) &&
           take_flag(inner, "delivered", &grant->is_delivered) &&
           wrn_sexp_take_field(inner, "chain", &grant->chain) && wrn_sexp_at_end(inner) &&
           is_chain(state, grant->chain, WRN_CREDENTIAL_MAX);
}

/* One that is not there leaves 'ret_value' as it is; one that is must be a single atom, not empty.
 */
static bool take_optional(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_value) {
    struct wrn_sexp_cursor before = *cursor, inner;
    if (!wrn_sexp_take_named(&before, name, &inner)) {
        return true;
    }
    return wrn_sexp_take_field(cursor, name, ret_value) && ret_value->size > 0;
}

static bool take_sized(struct wrn_sexp_cursor *cursor, const char *name, size_t size,
                       uint8_t *ret_bytes) {
    wrn_span value;
    if (!wrn_sexp_take_field(cursor, name, &value) || value.size != size) {
        return false;
    }
    memcpy(ret_bytes, value.data, size);
    return true;
}

static bool take_date(struct wrn_sexp_cursor *cursor, const char *name, int64_t *ret_s) {
    wrn_span date;
    return wrn_sexp_take_field(cursor, name, &date) && wrn_spki_date_read(date, ret_s) &&
           *ret_s >= 0;
}

static bool take_flag(struct wrn_sexp_cursor *cursor, const char *name, bool *ret_is_there) {
    struct wrn_sexp_cursor inner;
    *ret_is_there = wrn_sexp_take_named(cursor, name, &inner);
    return !*ret_is_there || wrn_sexp_at_end(&inner);
}

static bool read_ip(wrn_span bytes, struct wrn_ip *ret_ip) {
    *ret_ip = (struct wrn_ip){.family = WRN_FAMILY_NONE};
    if (bytes.size != IP4_SIZE && bytes.size != IP6_SIZE) {
        return false;
    }
    ret_ip->family = bytes.size == IP4_SIZE ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    memcpy(ret_ip->bytes, bytes.data, bytes.size);
    return true;
}

static bool is_chain(const struct wrn_state *state, wrn_span chain, size_t size_max) {
    uint8_t room[WRN_PACK_EXPANDED_MAX];
    struct wrn_pack_frame frame = wrn_descriptor_frame(&state->descriptor);
    struct wrn_sexp sequence;
    return chain.size <= size_max && wrn_pack_expand(&frame, chain, room, &sequence) == 0;
}

/* ---- a network's ranges ---- */

/* Draws one that nothing here uses; family NONE if all are in use: then the network has IPv6 alone.
 * Source of the ranges: RFC 1918, section 3; RFC 6598, section 7. */
static void draw_range(struct wrn_rand rand, const struct wrn_prefix *used, size_t used_count,
                       struct wrn_prefix *ret_range) {
    if (!draw_among(rand, used, used_count, 10, 0, UINT8_MAX + 1, ret_range) &&
        !draw_among(rand, used, used_count, 172, 16, SIXTEENTHS, ret_range) &&
        !draw_among(rand, used, used_count, 192, 168, 1, ret_range) &&
        !draw_among(rand, used, used_count, 100, 64, SHARED, ret_range)) {
        *ret_range = (struct wrn_prefix){.length_bits = 0};
    }
}

/* Among 'count' ranges first.second.0.0/16, first.(second + 1).0.0/16, ... */
static bool draw_among(struct wrn_rand rand, const struct wrn_prefix *used, size_t used_count,
                       uint8_t first, uint8_t second, uint32_t count,
                       struct wrn_prefix *ret_range) {
    uint32_t begin = wrn_rand_below(rand, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)(second + (begin + i) % count);
        *ret_range = (struct wrn_prefix){{{first, byte}, WRN_FAMILY_IPV4}, 16};
        if (!is_used(ret_range, used, used_count)) {
            return true;
        }
    }
    return false;
}

/* Whether one is a part of the other. Default routes take nothing away. */
static bool is_used(const struct wrn_prefix *range, const struct wrn_prefix *used,
                    size_t used_count) {
    for (size_t i = 0; i < used_count; i++) {
        uint8_t bits =
            used[i].length_bits < range->length_bits ? used[i].length_bits : range->length_bits;
        bool same = used[i].ip.family == range->ip.family && used[i].length_bits >= WIDE_BITS;
        for (size_t bit = 0; same && bit < bits; bit++) {
            same = ((used[i].ip.bytes[bit / 8] ^ range->ip.bytes[bit / 8]) & 0x80 >> bit % 8) == 0;
        }
        if (same) {
            return true;
        }
    }
    return false;
}
