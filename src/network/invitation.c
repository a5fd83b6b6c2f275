/* SPDX-License-Identifier: Apache-2.0 */
/* What an invitation holds, checked, and what follows from it: the certificate of a member. Its
 * forms are in invitation_text.c. */
#include "network/invitation.h"

#include <stdio.h>

#include "base/clock.h"
#include "network/invitation_internal.h"
#include "spki/tag.h"

enum {
    TAG_ROOM = 4096,
    JOIN_ROOM = WRN_PACK_EXPANDED_MAX + 2048,
};

/* Dates that can be written: until the end of the year 9999. */
#define DATE_MAX_S INT64_C(253402300799)

/* From the owner to the invitation's key. */
struct path {
    struct wrn_spki_cert certs[WRN_PACK_CERTS_MAX]; /* views; the last one first */
    uint32_t count;
    int64_t from_s, until_s; /* until_s is not part of it */
    bool is_delegable;
};

static enum wrn_invitation_fault expand(const struct wrn_invitation *invitation,
                                        uint8_t room[WRN_PACK_EXPANDED_MAX],
                                        struct wrn_sexp *ret_sequence);
static enum wrn_invitation_fault verify_chain(struct wrn_sexp sequence);
static enum wrn_invitation_fault find_path(const struct wrn_invitation *invitation,
                                           struct wrn_sexp sequence, struct path *ret_path);
static bool find_cert(struct wrn_sexp sequence, const uint8_t *subject,
                      struct wrn_spki_cert *ret_cert);
static void narrow(struct path *path, const struct wrn_spki_cert *cert);
static enum wrn_invitation_fault check_dates(const struct path *path, int64_t now_s);
static enum wrn_invitation_fault reduce(const struct wrn_invitation *invitation,
                                        const struct path *path, uint8_t rooms[2][TAG_ROOM],
                                        struct wrn_sexp *ret_tag);
static struct wrn_sexp write_mask(const struct wrn_invitation *invitation, uint8_t *room);
static enum wrn_invitation_fault issue(const struct wrn_invitation *invitation,
                                       const uint8_t *member, const struct path *path,
                                       struct wrn_sexp tag, struct wrn_sexp_writer *out);
static bool is_endpoint(const struct wrn_endpoint *endpoint);

const char *wrn_invitation_fault_text(enum wrn_invitation_fault fault) {
    static const char *const texts[WRN_INVITATION_FAULTS] = {
#define WRN_INVITATION_FAULT_TEXT(name, text) [WRN_INVITATION_##name] = text,
        WRN_INVITATION_FAULT_LIST(WRN_INVITATION_FAULT_TEXT)
#undef WRN_INVITATION_FAULT_TEXT
    };
    return texts[fault];
}

void wrn_invitation_finish(struct wrn_invitation *invitation) {
    wrn_wipe(invitation, sizeof *invitation);
}

enum wrn_invitation_fault wrn_invitation_verify(struct wrn_invitation *invitation) {
    uint8_t room[WRN_PACK_EXPANDED_MAX];
    uint8_t descriptor_room[WRN_DESCRIPTOR_MAX];
    struct wrn_sexp sequence;
    struct wrn_descriptor descriptor;
    enum wrn_descriptor_fault descriptor_fault;
    struct path path;
    if (wrn_descriptor_write_signed(&invitation->descriptor, invitation->signature, descriptor_room,
                                    sizeof descriptor_room, &sequence) != 0 ||
        wrn_descriptor_read(sequence, &descriptor, &descriptor_fault) != 0) {
        return WRN_INVITATION_DESCRIPTOR;
    }
    invitation->descriptor = descriptor;
    for (uint32_t i = 0; i < invitation->endpoint_count; i++) {
        if (!is_endpoint(&invitation->endpoints[i])) {
            return WRN_INVITATION_ENDPOINT;
        }
    }
    enum wrn_invitation_fault fault = expand(invitation, room, &sequence);
    fault = fault == WRN_INVITATION_OK ? verify_chain(sequence) : fault;
    fault = fault == WRN_INVITATION_OK ? find_path(invitation, sequence, &path) : fault;
    if (fault == WRN_INVITATION_OK && !path.is_delegable) {
        fault = WRN_INVITATION_NOT_DELEGABLE;
    }
    return fault;
}

enum wrn_invitation_fault wrn_invitation_check(const struct wrn_invitation *invitation,
                                               int64_t now_s, int64_t *ret_from_s,
                                               int64_t *ret_until_s) {
    uint8_t room[WRN_PACK_EXPANDED_MAX];
    struct wrn_sexp sequence;
    struct path path = {.until_s = 0};
    enum wrn_invitation_fault fault = expand(invitation, room, &sequence);
    fault = fault == WRN_INVITATION_OK ? find_path(invitation, sequence, &path) : fault;
    *ret_from_s = path.from_s;
    *ret_until_s = path.until_s;
    return fault == WRN_INVITATION_OK ? check_dates(&path, now_s) : fault;
}

void wrn_invitation_explain(const struct wrn_invitation *invitation,
                            enum wrn_invitation_fault fault, int64_t now_s,
                            char ret_why[WRN_INVITATION_WHY_SIZE]) {
    char dates[2][WRN_SPKI_DATE_SIZE];
    int64_t from_s, until_s;
    if (fault == WRN_INVITATION_NOT_YET || fault == WRN_INVITATION_EXPIRED) {
        bool is_early =
            wrn_invitation_check(invitation, now_s, &from_s, &until_s) == WRN_INVITATION_NOT_YET;
        if (wrn_spki_date_write(is_early ? from_s : until_s - 1, dates[0]) &&
            wrn_spki_date_write(now_s, dates[1])) {
            (void)snprintf(ret_why, WRN_INVITATION_WHY_SIZE,
                           "the invitation is valid %s %.*s (UTC), and this host's clock says "
                           "%.*s: set the clock if it is wrong, else %s",
                           is_early ? "from" : "until", WRN_SPKI_DATE_SIZE, dates[0],
                           WRN_SPKI_DATE_SIZE, dates[1], is_early ? "wait" : "ask for another one");
            return;
        }
    }
    (void)snprintf(ret_why, WRN_INVITATION_WHY_SIZE, "%s", wrn_invitation_fault_text(fault));
}

enum wrn_invitation_fault wrn_invitation_accept(const struct wrn_invitation *invitation,
                                                const uint8_t member[WRN_SIGN_PUBLIC_SIZE],
                                                int64_t now_s, int64_t until_s, uint8_t *out,
                                                size_t capacity, size_t *ret_size) {
    uint8_t room[WRN_PACK_EXPANDED_MAX], joined[JOIN_ROOM], tags[2][TAG_ROOM];
    struct wrn_pack_frame frame = wrn_descriptor_frame(&invitation->descriptor);
    struct wrn_sexp_writer writer = wrn_sexp_writer(joined, sizeof joined);
    struct wrn_sexp sequence, object, tag;
    struct wrn_sexp_cursor cursor;
    struct path path;
    enum wrn_pack_fault pack_fault;
    enum wrn_invitation_fault fault = expand(invitation, room, &sequence);
    fault = fault == WRN_INVITATION_OK ? find_path(invitation, sequence, &path) : fault;
    fault = fault == WRN_INVITATION_OK ? check_dates(&path, now_s) : fault;
    if (fault == WRN_INVITATION_OK && !path.is_delegable) {
        fault = WRN_INVITATION_NOT_DELEGABLE;
    }
    fault = fault == WRN_INVITATION_OK ? reduce(invitation, &path, tags, &tag) : fault;
    if (fault != WRN_INVITATION_OK) {
        return fault;
    }
    int64_t begin_s = now_s - WRN_CLOCK_TOLERANCE_S; /* what leads here may begin later */
    path.from_s = path.from_s > begin_s ? path.from_s : begin_s;
    path.until_s = path.until_s < until_s ? path.until_s : until_s;
    if (path.until_s <= now_s) {
        return WRN_INVITATION_EXPIRED;
    }
    wrn_sexp_open(&writer, "sequence");
    (void)wrn_sexp_enter_named(sequence, "sequence", &cursor);
    while (wrn_sexp_take_any(&cursor, &object)) {
        wrn_sexp_put(&writer, object);
    }
    fault = issue(invitation, member, &path, tag, &writer);
    if (fault != WRN_INVITATION_OK) {
        return fault;
    }
    wrn_sexp_close(&writer);
    if (wrn_sexp_finish(&writer, &sequence) != 0 ||
        wrn_pack(&frame, sequence, out, capacity, ret_size, &pack_fault) != 0) {
        return WRN_INVITATION_TOO_LARGE;
    }
    return WRN_INVITATION_OK;
}

/* ---- the chain ---- */

static enum wrn_invitation_fault expand(const struct wrn_invitation *invitation,
                                        uint8_t room[WRN_PACK_EXPANDED_MAX],
                                        struct wrn_sexp *ret_sequence) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&invitation->descriptor);
    wrn_span packed = {invitation->chain, invitation->chain_size};
    return wrn_pack_expand(&frame, packed, room, ret_sequence) == 0 ? WRN_INVITATION_OK
                                                                    : WRN_INVITATION_CHAIN;
}

/* Each certificate is followed by its signature, as it was expanded. */
static enum wrn_invitation_fault verify_chain(struct wrn_sexp sequence) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object, signed_by;
    struct wrn_spki_cert cert;
    struct wrn_spki_signature signature;
    (void)wrn_sexp_enter_named(sequence, "sequence", &cursor);
    while (wrn_sexp_take_any(&cursor, &object)) {
        if (wrn_spki_read_cert(object, WRN_SPKI_STRICT, &cert, NULL) != 0 ||
            cert.issuer.ed25519 == NULL || !wrn_sexp_take_any(&cursor, &signed_by) ||
            wrn_spki_read_signature(signed_by, &signature, NULL) != 0) {
            return WRN_INVITATION_CHAIN;
        }
        if (!wrn_spki_verify(&signature, object, cert.issuer.ed25519)) {
            return WRN_INVITATION_CHAIN_SIGNATURE;
        }
    }
    return WRN_INVITATION_OK;
}

/* Goes from the invitation's key to the owner, by the first certificate for each. */
static enum wrn_invitation_fault find_path(const struct wrn_invitation *invitation,
                                           struct wrn_sexp sequence, struct path *ret_path) {
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
    struct path *path = ret_path;
    *path = (struct path){.until_s = INT64_MAX, .is_delegable = true};
    if (!wrn_sign_public(invitation->seed, subject)) {
        return WRN_INVITATION_NO_MEMORY;
    }
    while (path->count == 0 || memcmp(subject, invitation->descriptor.owner, sizeof subject) != 0) {
        if (path->count == WRN_PACK_CERTS_MAX) {
            return WRN_INVITATION_CHAIN; /* a circle */
        }
        struct wrn_spki_cert *cert = &path->certs[path->count];
        if (!find_cert(sequence, subject, cert)) {
            return path->count == 0 ? WRN_INVITATION_KEY : WRN_INVITATION_CHAIN;
        }
        path->count++;
        narrow(path, cert);
        memcpy(subject, cert->issuer.ed25519, sizeof subject);
    }
    return WRN_INVITATION_OK;
}

static bool find_cert(struct wrn_sexp sequence, const uint8_t *subject,
                      struct wrn_spki_cert *ret_cert) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object;
    (void)wrn_sexp_enter_named(sequence, "sequence", &cursor);
    while (wrn_sexp_take_any(&cursor, &object)) {
        if (wrn_sexp_is_named(object, "cert") &&
            wrn_spki_read_cert(object, WRN_SPKI_STRICT, ret_cert, NULL) == 0 &&
            ret_cert->issuer.ed25519 != NULL &&
            ret_cert->subject.kind == WRN_SPKI_SUBJECT_PRINCIPAL &&
            ret_cert->subject.principal.ed25519 != NULL &&
            memcmp(ret_cert->subject.principal.ed25519, subject, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

static void narrow(struct path *path, const struct wrn_spki_cert *cert) {
    int64_t s;
    if (cert->validity.not_before.size > 0 && wrn_spki_date_read(cert->validity.not_before, &s) &&
        s > path->from_s) {
        path->from_s = s;
    }
    if (cert->validity.not_after.size > 0 && wrn_spki_date_read(cert->validity.not_after, &s) &&
        s + 1 < path->until_s) {
        path->until_s = s + 1;
    }
    path->is_delegable = path->is_delegable && cert->delegation == WRN_SPKI_DELEGABLE;
}

static enum wrn_invitation_fault check_dates(const struct path *path, int64_t now_s) {
    if (now_s < path->from_s) {
        return WRN_INVITATION_NOT_YET;
    }
    return now_s >= path->until_s ? WRN_INVITATION_EXPIRED : WRN_INVITATION_OK;
}

/* ---- the member's certificate ---- */

/* Intersects what all certificates give, and what an invitation passes on. */
static enum wrn_invitation_fault reduce(const struct wrn_invitation *invitation,
                                        const struct path *path, uint8_t rooms[2][TAG_ROOM],
                                        struct wrn_sexp *ret_tag) {
    struct wrn_sexp tag = write_mask(invitation, rooms[0]);
    for (uint32_t i = 0; i < path->count; i++) {
        struct wrn_sexp_writer writer = wrn_sexp_writer(rooms[(i + 1) % 2], TAG_ROOM);
        int found = wrn_tag_intersect(tag, path->certs[i].tag, &writer);
        if (found != 1) {
            return found == 0 ? WRN_INVITATION_NOT_DELEGABLE : WRN_INVITATION_TOO_LARGE;
        }
        if (wrn_sexp_finish(&writer, &tag) != 0) {
            return WRN_INVITATION_TOO_LARGE;
        }
    }
    *ret_tag = tag;
    return WRN_INVITATION_OK;
}

/* (warren ID (* set ...)) of all that a member may be given by an invitation. */
static struct wrn_sexp write_mask(const struct wrn_invitation *invitation, uint8_t *room) {
    static const char *const words[] = {"member", "address", "name",  "route",
                                        "relay",  "gateway", "allow", "invite"};
    struct wrn_sexp_writer writer = wrn_sexp_writer(room, TAG_ROOM);
    struct wrn_sexp tag;
    size_t count = WRN_COUNT(words) - (invitation->members_may_invite ? 0 : 1);
    wrn_sexp_open(&writer, "warren");
    wrn_sexp_put_bytes(&writer, (wrn_span){invitation->descriptor.id, WRN_NETWORK_ID_SIZE});
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    for (size_t i = 0; i < count; i++) {
        wrn_sexp_open(&writer, words[i]);
        wrn_sexp_close(&writer);
    }
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, &tag);
    WRN_ASSERT(error == 0);
    return tag;
}

static enum wrn_invitation_fault issue(const struct wrn_invitation *invitation,
                                       const uint8_t *member, const struct path *path,
                                       struct wrn_sexp tag, struct wrn_sexp_writer *out) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], keys[2][WRN_SPKI_KEY_SEXP_SIZE];
    char dates[2][WRN_SPKI_DATE_SIZE];
    struct wrn_spki_issue issue = {
        .delegation = invitation->members_may_invite ? WRN_SPKI_DELEGABLE : WRN_SPKI_NOT_DELEGABLE,
        .tag = tag,
    };
    if (!wrn_sign_public(invitation->seed, public_key)) {
        return WRN_INVITATION_NO_MEMORY;
    }
    issue.issuer = wrn_spki_key_sexp(public_key, keys[0]);
    issue.subject = wrn_spki_key_sexp(member, keys[1]);
    if (path->from_s > 0 && wrn_spki_date_write(path->from_s, dates[0])) {
        issue.validity.not_before = (wrn_spki_date){(uint8_t *)dates[0], WRN_SPKI_DATE_SIZE};
    }
    if (path->until_s <= DATE_MAX_S && wrn_spki_date_write(path->until_s - 1, dates[1])) {
        issue.validity.not_after = (wrn_spki_date){(uint8_t *)dates[1], WRN_SPKI_DATE_SIZE};
    }
    size_t begin = out->size;
    wrn_spki_write_cert(out, &issue, false);
    if (out->error != 0) {
        return WRN_INVITATION_TOO_LARGE;
    }
    struct wrn_sexp cert;
    if (wrn_sexp_check((wrn_span){out->out + begin, out->size - begin}, &cert, NULL) != 0) {
        return WRN_INVITATION_TOO_LARGE;
    }
    return wrn_spki_sign(out, cert, invitation->seed) ? WRN_INVITATION_OK
                                                      : WRN_INVITATION_NO_MEMORY;
}

/* Not 0.0.0.0, not multicast and above, not link-local (whose interface would it be?). */
static bool is_endpoint(const struct wrn_endpoint *endpoint) {
    const uint8_t *bytes = endpoint->ip.bytes;
    static const uint8_t zero[16];
    if (endpoint->port == 0 || memcmp(bytes, zero, sizeof zero) == 0) {
        return false;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        return bytes[0] != 0 && bytes[0] < 224;
    }
    return endpoint->ip.family == WRN_FAMILY_IPV6 && bytes[0] != 0xff &&
           !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}
