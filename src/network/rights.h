/* SPDX-License-Identifier: Apache-2.0 */
/* What certificates let their subject do in a network: reduced tags, compiled into a plain value
 * that is asked without reading tags again. Pure; verifies nothing (judge.h does), decides about no
 * packet (policy.h does).
 *
 *     (warren ID ELEMENT)                 ELEMENT may be (*) and a (* set ...) of:
 *     (member)                            be on the ring and have an address
 *     (address [(ip4 BYTES)|(ip6 BYTES)]) lease these addresses; BYTES as in policy.h
 *     (name [LABEL])                      be called so; LABEL: an atom, a (* prefix ...)
 *     (route [(ip4 BYTES)|(ip6 BYTES)])   be the way to these addresses behind it
 *     (relay)                             forward for others
 *     (gateway)                           speak for machines that are no nodes
 *     (invite [K])                        issue memberships; K: which ones, if they are counted: a
 *                                         number from 1, or a range numeric
 *     (admin)                             revoke anybody's certificates, and issue everything
 *     (allow ...)                         send these packets: policy.h
 *     (frame [ETHERTYPE])                 send frames of these types in an l2 network: a number, a
 *                                         range numeric; 0 stands for LLC frames
 *     (mac [BYTES])                       use these source addresses there, and take them over from
 *                                         whoever uses one that is not his; a (* prefix ...), too
 *
 * More in an element is less right, as in all tags. What is not understood permits nothing.
 *
 * Some rights need not be said: who is a member and whose chain nowhere speaks of addresses may
 * lease any of the network's range; so for names, for packets, for frames and for their addresses.
 * Once a certificate in the chain does speak of them, what is not said is not given: else a holder
 * who is limited to some addresses could pass on a membership that leaves that out, and thereby
 * more than he has. */
#pragma once
#include "network/descriptor.h"
#include "network/policy.h"
#include "switch/rules.h"

enum {
    WRN_RIGHTS_RANGES_MAX = 4, /* of addresses, and of routes */
    WRN_RIGHTS_NAMES_MAX = 4,
    WRN_RIGHTS_GRANTS_MAX = 8, /* ways from the owner to the subject */
};

/* Bits of 'flags'. */
enum wrn_right {
    WRN_RIGHT_MEMBER = 1,
    WRN_RIGHT_RELAY = 2,
    WRN_RIGHT_GATEWAY = 4,
    WRN_RIGHT_INVITE = 8,
    WRN_RIGHT_ADMIN = 16,
    WRN_RIGHT_OWNER = 32, /* the owner himself: has all others too, for ever */
};

/* What a chain may speak of: bits. */
enum wrn_rights_topic {
    WRN_RIGHTS_ADDRESSES = 1,
    WRN_RIGHTS_NAMES = 2,
    WRN_RIGHTS_PACKETS = 4,
    WRN_RIGHTS_RELAYING = 8,
    WRN_RIGHTS_FRAMES = 32,
    WRN_RIGHTS_MACS = 64,
    WRN_RIGHTS_TOPICS = WRN_RIGHTS_ADDRESSES | WRN_RIGHTS_NAMES | WRN_RIGHTS_PACKETS |
                        WRN_RIGHTS_RELAYING | WRN_RIGHTS_FRAMES | WRN_RIGHTS_MACS,
};

/* Addresses as numbers, the high half first, IPv4 in the low one; both ends belong to it. */
struct wrn_rights_range {
    uint64_t low[2], high[2];
    uint8_t family; /* enum wrn_family */
};

struct wrn_rights_name {
    char text[WRN_LABEL_SIZE]; /* with a zero byte */
    bool is_prefix;
};

/* A certificate that gives something. */
struct wrn_rights_cert {
    uint8_t hash[WRN_SHA256_SIZE];
    uint8_t issuer[WRN_SIGN_PUBLIC_SIZE];
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
};

struct wrn_rights {
    uint8_t flags; /* enum wrn_right */
    bool any_address, any_name, any_route;
    bool any_relay; /* it is a member, and nothing was said of relaying */
    uint8_t address_count, name_count, route_count, grant_count, cert_count;
    uint32_t uses_low, uses_high; /* INVITE: how the certificates that it issues are counted:
                                   * 1..UINT32_MAX if they are not */
    int64_t not_before_s; /* of (member), of all if it is not there: since when, Unix time */
    int64_t until_s;      /* ... and from when on no more; WRN_RECORD_TIME_MAX_S: no limit */
    int64_t changes_s;    /* until then nothing here changes by time alone: judge again */
    struct wrn_rights_range addresses[WRN_RIGHTS_RANGES_MAX], routes[WRN_RIGHTS_RANGES_MAX];
    struct wrn_rights_name names[WRN_RIGHTS_NAMES_MAX];
    uint16_t grants[WRN_RIGHTS_GRANTS_MAX]; /* a bit for each of 'certs': the chain of the grant;
                                             * a rule's 'element' is an index of this */
    uint16_t member_grants;                 /* a bit for each of 'grants' that gives (member) */
    struct wrn_rights_cert certs[WRN_PACK_CERTS_MAX]; /* each behind that of its issuer */
    struct wrn_policy_rules rules;                    /* what it may send */
    struct wrn_frame_rules frames;                    /* ... in an l2 network */
};

enum wrn_rights_fault {
    WRN_RIGHTS_OK,
    WRN_RIGHTS_BAD_ADDRESS, /* not understood: it permits nothing, all else counts */
    WRN_RIGHTS_BAD_NAME,
    WRN_RIGHTS_BAD_ROUTE,
    WRN_RIGHTS_BAD_USES,
    WRN_RIGHTS_BAD_ALLOW,
    WRN_RIGHTS_BAD_FRAME,
    WRN_RIGHTS_BAD_MAC,
    WRN_RIGHTS_MANY_ADDRESSES, /* from here on: too large, nothing is permitted at all */
    WRN_RIGHTS_MANY_NAMES,
    WRN_RIGHTS_MANY_ROUTES,
    WRN_RIGHTS_MANY_RULES,
    WRN_RIGHTS_MANY_FRAMES,
    WRN_RIGHTS_MANY_MACS,
    WRN_RIGHTS_MANY_GRANTS,
    WRN_RIGHTS_TOO_DEEP, /* sets within sets, more than 8 */
};
enum { WRN_RIGHTS_FAULTS = WRN_RIGHTS_TOO_DEEP + 1 };

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_rights_fault_text(enum wrn_rights_fault fault);

/* One way from the owner to the subject. */
struct wrn_rights_grant {
    struct wrn_sexp element; /* of the reduced tag (warren ID ELEMENT) */
    uint8_t topics;          /* of all its certificates, see wrn_rights_topics */
    bool may_not_invite;     /* it comes from a key that issues memberships that are counted */
};

/* Finds what an element speaks of: enum wrn_rights_topic bits. (*) speaks of nothing, what is not
 * understood of everything. */
uint8_t wrn_rights_topics(struct wrn_sexp element);

/* Tells whether an element gives (invite) with a number alone: so many memberships, counted. */
bool wrn_rights_is_counted(struct wrn_sexp element);

/* Compiles what several grants give together: flags, ranges, names, uses, rules. Times,
 * certificates and their bits in 'grants' are the caller's to fill in. Returns the first fault. */
enum wrn_rights_fault wrn_rights_compile(const struct wrn_rights_grant *grants, size_t count,
                                         struct wrn_rights *ret_rights);

/* All that there is: the owner's. */
void wrn_rights_of_owner(struct wrn_rights *ret_rights);

/* Tell whether an address may be leased (as far as certificates go: the network's range is another
 * question), an address be routed to, a name be borne, and the k-th certificate be issued. */
bool wrn_rights_has_address(const struct wrn_rights *rights, const struct wrn_ip *ip);
bool wrn_rights_has_route(const struct wrn_rights *rights, const struct wrn_prefix *prefix);
bool wrn_rights_has_name(const struct wrn_rights *rights, wrn_span label);
bool wrn_rights_has_use(const struct wrn_rights *rights, uint32_t k);

/* Tells whether its holder may forward sealed packets of others: a member with (relay), or whose
 * chain says nothing of that. */
bool wrn_rights_may_relay(const struct wrn_rights *rights);
