/* SPDX-License-Identifier: Apache-2.0 */
/* An invitation to a network: all that a host needs to join, in a line, a file or a QR code. It is
 * a secret until it is spent: it holds the seed of a key that may issue memberships. Pure. Layout:
 * docs/network/invitation.md. */
#pragma once
#include "network/descriptor.h"

enum {
    WRN_INVITATION_ENDPOINTS_MAX = 8,
    WRN_INVITATION_CHAIN_MAX = 900, /* bytes, packed: room is left for the member's certificate */
    WRN_INVITATION_LINE_MAX = 2560, /* characters, with a zero byte, of line and QR code */
    WRN_INVITATION_FILE_MAX = 3072, /* the same of a file */
    WRN_INVITATION_WHY_SIZE = 256,  /* of what is wrong with it, with dates */
};

/* Secret. Wipe it with wrn_invitation_finish. */
struct wrn_invitation {
    struct wrn_descriptor descriptor;
    uint8_t signature[WRN_SIGNATURE_SIZE]; /* the owner's, of the descriptor */
    uint8_t seed[WRN_SEED_SIZE];           /* of the invitation's own key */
    bool members_may_invite; /* who joins by it may invite others, as far as its chain permits */
    uint16_t chain_size;
    uint8_t chain[WRN_INVITATION_CHAIN_MAX]; /* packed: from the owner to that key */
    uint8_t endpoint_count;
    struct wrn_endpoint endpoints[WRN_INVITATION_ENDPOINTS_MAX]; /* where nodes may answer */
};

/* X(NAME, "what is wrong, and the next step") */
#define WRN_INVITATION_FAULT_LIST(X)                                                               \
    X(OK, "nothing is wrong")                                                                      \
    X(NOT_INVITATION, "this is no invitation: one begins with \"warren:1:\"; copy it from there")  \
    X(VERSION, "the invitation was made by a later Warren: update this one")                       \
    X(BAD_CHARACTER, "the invitation has a character that none has: copy it again")                \
    X(CUT, "the invitation has been cut off: copy all of it, it is one long line")                 \
    X(LONGER, "something stands behind the invitation: copy the line without it")                  \
    X(MISTYPED, "the invitation was changed on the way (its checksum is wrong): copy it again, "   \
                "or use its file or QR code")                                                      \
    X(DESCRIPTOR, "the invitation does not describe a network that its owner signed: ask for "     \
                  "another one")                                                                   \
    X(ENDPOINT, "the invitation names an address where no node can be: ask for another one")       \
    X(CHAIN, "the invitation's certificates cannot be read: ask for another one")                  \
    X(CHAIN_SIGNATURE, "a certificate of the invitation was not signed by its issuer: ask for "    \
                       "another one")                                                              \
    X(KEY, "the invitation's certificates are not for its key: ask for another one")               \
    X(NOT_DELEGABLE, "the invitation's certificates do not let it admit members: whoever made it " \
                     "has to make it anew, by somebody who may invite")                            \
    X(NOT_YET, "the invitation is not valid yet: check this machine's clock, or wait")             \
    X(EXPIRED, "the invitation's time is over: check this machine's clock, or ask for another")    \
    X(TOO_LARGE, "the invitation's chain of certificates is too long: let somebody nearer to the " \
                 "owner make it")                                                                  \
    X(NO_MEMORY, "there is no memory left: close other programs and try again")

enum wrn_invitation_fault {
#define WRN_INVITATION_FAULT_ENUM(name, text) WRN_INVITATION_##name,
    WRN_INVITATION_FAULT_LIST(WRN_INVITATION_FAULT_ENUM)
#undef WRN_INVITATION_FAULT_ENUM
        WRN_INVITATION_FAULTS
};

/* Says what a fault is and what to do, as a clause without a full stop. Static text. */
const char *wrn_invitation_fault_text(enum wrn_invitation_fault fault);

/* Wipes it. */
void wrn_invitation_finish(struct wrn_invitation *invitation);

/* Each writes the invitation with a zero byte and returns its length without it; 0 if it does not
 * fit, which WRN_INVITATION_LINE_MAX and _FILE_MAX rule out. The caller wipes it.
 *     line  "warren:1:" and base64url (RFC 4648, section 5, without padding)
 *     qr    "WARREN:1:" and base32 (section 6, without padding): characters that take 5.5 bits of a
 *           QR code each, not 8, so that this is the shorter one there
 *     file  (warren-invitation ...) in the transport form of RFC 9804, and a newline
 * Lengths: docs/network/invitation.md. */
size_t wrn_invitation_print_line(const struct wrn_invitation *invitation, char *out,
                                 size_t capacity);
size_t wrn_invitation_print_qr(const struct wrn_invitation *invitation, char *out, size_t capacity);
size_t wrn_invitation_print_file(const struct wrn_invitation *invitation, char *out,
                                 size_t capacity);

/* Reads any of the three; white space around it, and within a line that a mailer has broken, is
 * passed over. Verifies the descriptor and the signatures of the chain, that it leads to the
 * invitation's key and that this one may pass on; does not look at dates, rights or revocations.
 * Returns OK, or the first fault; then 'ret_invitation' is wiped. At most WRN_PACK_CERTS_MAX + 1
 * verifications, none before the checksum is right. Needs 40 KiB of stack, wiped. */
WRN_NODISCARD enum wrn_invitation_fault wrn_invitation_read(wrn_span text,
                                                            struct wrn_invitation *ret_invitation);

/* Says whether the certificates are valid at a time (Unix): OK, NOT_YET or EXPIRED, and from when
 * to when they are: 'ret_from_s' <= t < 'ret_until_s'; 0 and INT64_MAX without limits. */
WRN_NODISCARD enum wrn_invitation_fault
wrn_invitation_check(const struct wrn_invitation *invitation, int64_t now_s, int64_t *ret_from_s,
                     int64_t *ret_until_s);

/* Says what a fault of joining at a time (Unix) is: as wrn_invitation_fault_text, and of NOT_YET
 * and EXPIRED with the dates, so that a clock that is wrong is seen. */
void wrn_invitation_explain(const struct wrn_invitation *invitation,
                            enum wrn_invitation_fault fault, int64_t now_s,
                            char ret_why[WRN_INVITATION_WHY_SIZE]);

/* Joins: the invitation's key issues a certificate to 'member' (a public key) for what the chain
 * gives, without (admin), and without (invite) unless 'members_may_invite'; not to be passed on
 * unless that. Valid from WRN_CLOCK_TOLERANCE_S before 'now_s', but not before the chain, until
 * 'until_s' or the chain's end, what comes first. Writes the packed chain that the member shows
 * from now on to 'out'. Returns OK, NOT_YET, EXPIRED, NOT_DELEGABLE (nothing is left to give),
 * TOO_LARGE ('capacity') or NO_MEMORY. */
WRN_NODISCARD enum wrn_invitation_fault
wrn_invitation_accept(const struct wrn_invitation *invitation,
                      const uint8_t member[WRN_SIGN_PUBLIC_SIZE], int64_t now_s, int64_t until_s,
                      uint8_t *out, size_t capacity, size_t *ret_size);
