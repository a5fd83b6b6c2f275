/* SPDX-License-Identifier: Apache-2.0 */
/* One WireGuard interface as a machine without I/O: peers, handshakes, timers, sessions, cryptokey
 * routing. The driver hands in datagrams, host packets, commands and the time, and performs what
 * comes out. One thread owns it; others may move packets through lanes (wg/lane.h). */
#pragma once
#include "base/address.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/relayed.h"
#include "crypto/crypto.h"
#include "wg/drop.h"
#include "wg/messages.h"

struct wrn_wg; /* the machine; lives in memory that the caller hands to init */

/* Who is asked whether inner packets may pass, besides the allowed IPs: what the host sends before
 * anything of it leaves, what came in before it reaches the host. A packet that waits for a session
 * is asked about when the host sends it, so that a refusal begins no handshake, and once more when
 * it leaves, by what holds then. Keepalives are not asked about. */
struct wrn_wg_filter {
    /* On the thread of the lane, in its call; must not wait. 'lane' is the lane's number, 0 for the
     * machine's own: no two that run at once have the same. 'packet' is the inner packet without
     * padding, and is only read. Returns NONE, or why it may not pass: POLICY (the host may be told
     * so) or CLOSED, which is counted. */
    enum wrn_drop (*check)(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span packet);
    void *ctx;
};

struct wrn_wg_options {
    uint32_t peers_max;        /* 1..2^18 */
    uint32_t prefixes_max;     /* allowed IPs of each family, 1..2^24 */
    uint32_t staged_max_bytes; /* room for packets that wait for handshakes, all peers together */
    uint32_t
        handshakes_per_s; /* initiations and responses without a cookie that are worked on before
                                * cookies are demanded; 1..1,000,000 */
    /* All session indices that the machine draws begin with these bits, so that what comes to a
     * port that several machines share can be told apart (wg/receiver.h). */
    uint32_t index_tag;      /* 0..2^index_tag_bits-1 */
    uint32_t index_tag_bits; /* 0..WRN_WG_INDEX_TAG_BITS_MAX; 0: none */
    /* Waits until every call on a lane that was running has ended (lane.h); NULL: the machine runs
     * alone. */
    void (*quiesce)(void *ctx);
    void *quiesce_ctx;
    struct wrn_wg_filter filter; /* 'check' NULL: all may pass */
    /* What the host sends to an address that no peer has is the owner's, who may find out whose it
     * is, instead of being refused: a packet that stays with datagram_size 0, drop NONE and peer
     * NONE, ASK_PACKET of a lane. Bounded (WRN_WG_UNROUTED_PER_S), and only for addresses that may
     * be a single host's in a routed network: no multicast, broadcast, link-local or loopback. */
    bool asks_for_unrouted;
    /* Inner packets are those of a layer-2 network (switch/payload.h) instead of IP packets. The
     * caller says whom each is for; allowed IPs are not asked. Of what comes in, type and size are
     * checked and padding is cut off; congestion marks are nobody's. The MTU is
     * WRN_WG_RELAYED_PACKET_MAX and stays that: padding makes no packet larger, and larger ones are
     * not padded. */
    bool is_bridged;
};

/* Limits of one call. */
enum {
    WRN_WG_BATCH_MAX = 128,    /* datagrams or packets a call */
    WRN_WG_MESSAGES_MAX = 384, /* room in struct wrn_wg_out */
    WRN_WG_EVENTS_MAX = 512,
    WRN_WG_STAGED_PER_PEER =
        128, /* packets that wait for one peer's handshake; the oldest give way */
    /* Before a host packet, writable: a sealed one may need a relay's head besides. */
    WRN_WG_HEADROOM = WRN_RELAYED_OVERHEAD + WRN_WG_DATA_HEADER_SIZE,
    WRN_WG_TAILROOM = WRN_WG_PADDING + WRN_WG_TAG_SIZE, /* behind a host packet, writable */
    WRN_WG_PACKET_MAX = 65535,                          /* bytes of an inner packet */
    WRN_WG_INDEX_TAG_BITS_MAX = 8,
    /* First byte of what owners of machines say to each other in the tunnel (wrn_wg_seal_own); no
     * packet of IP begins so. It has WRN_WG_OWN_SIZE bytes or more, of which so many are handed to
     * the other's owner (WRN_WG_ASK_OWN). */
    WRN_WG_OWN = 0x07,
    WRN_WG_OWN_SIZE = 12,
    WRN_WG_LANES_MAX = 128, /* of a machine at once, its own included */
    /* Packets to addresses that no peer has which a lane hands over: so many a second, after a
     * burst. The others are refused (CONTROL_BUSY). */
    WRN_WG_UNROUTED_PER_S = 250,
    WRN_WG_UNROUTED_BURST = 64,
    /* Bytes of an inner packet that still passes a relay: 1,356. Larger ones are refused there. */
    WRN_WG_RELAYED_PACKET_MAX = WRN_RELAYED_INSIDE_MAX - WRN_WG_DATA_HEADER_SIZE - WRN_WG_TAG_SIZE,
};

/* A UDP payload that came in; opened in place. */
struct wrn_wg_datagram {
    uint8_t *bytes;       /* in: the payload, writable */
    size_t size;          /* in: its bytes */
    struct wrn_path path; /* in: where it came from, and to which of our addresses */
    uint8_t outer_ecn;    /* in: ECN bits of the outer header, 0..3 */
    uint8_t *packet;      /* out: inner packet for the host, inside 'bytes', ECN already merged */
    size_t packet_size;   /* out: its bytes; 0: nothing to deliver */
    wrn_handle peer;      /* out: who sent it, if there is a packet, or WRN_WG_OWN */
    enum wrn_drop drop;   /* out: why not, WRN_DROP_NONE if it was no refusal; already counted */
};

/* An inner packet that the host sends; sealed in place. */
struct wrn_wg_packet {
    uint8_t *bytes; /* in: IP packet, with WRN_WG_HEADROOM before and WRN_WG_TAILROOM behind it */
    size_t size;    /* in: its bytes (pull: bytes that fit at 'bytes', head and tail excluded) */
    /* out: UDP payload, begins in the headroom, WRN_RELAYED_OVERHEAD writable bytes before it */
    uint8_t *datagram;
    size_t datagram_size; /* out: its bytes; 0: none to send now (kept, or refused) */
    struct wrn_path path; /* out: where to */
    /* out: whose it is, for wrn_wg_forget_source; NONE: asks_for_unrouted. is_bridged: in */
    wrn_handle peer;
    uint8_t outer_ecn; /* out: ECN bits for the outer header */
    /* out: why it was refused, WRN_DROP_NONE if it was not; already counted, but for what is
     * PATH_TOO_SMALL and may be fragmented (packet/narrow.h): that is the caller's to do */
    enum wrn_drop drop;
    uint16_t packet_max; /* out: PATH_TOO_SMALL: bytes of the largest packet that its path takes */
};

/* A handshake message, cookie reply or keepalive to send. */
struct wrn_wg_message {
    struct wrn_path path;
    wrn_handle peer;  /* WRN_HANDLE_NONE for cookie replies */
    uint8_t outer_ds; /* whole DS field: AF41 for handshake messages, as the kernel does */
    uint16_t size;
    uint8_t bytes[WRN_WG_INITIATION_SIZE];
};

/* X(NAME, "text") */
#define WRN_WG_EVENT_LIST(X)                                                                       \
    X(INITIATION_SENT, "sending handshake initiation")                                             \
    X(INITIATION_UNANSWERED,                                                                       \
      "no answer to handshakes with aes-256-gcm: is `cipher` set to that at the other end too?")   \
    X(INITIATION_RECEIVED, "received handshake initiation")                                        \
    X(WRONG_SUITE, "refused its handshake: `cipher` is set to something else at the other end")    \
    X(RESPONSE_RECEIVED, "received handshake response")                                            \
    X(SESSION_STARTED, "session keys in use")                                                      \
    X(HANDSHAKE_GAVE_UP, "handshake did not complete after 90 s, giving up")                       \
    X(COOKIE_SENT, "under load, sending cookie reply")                                             \
    X(COOKIE_RECEIVED, "received cookie, will use it in the next handshake")                       \
    X(ROAMED, "peer's endpoint changed")                                                           \
    X(KEYS_ZEROED, "no new session for 540 s, zeroing keys")                                       \
    X(KEEPALIVE_SENT, "sending keepalive")                                                         \
    X(KEEPALIVE_RECEIVED, "received keepalive")                                                    \
    X(STATE, "handshake state changed")

enum wrn_wg_event_kind {
#define WRN_WG_EVENT_ENUM(name, text) WRN_WG_EVENT_##name,
    WRN_WG_EVENT_LIST(WRN_WG_EVENT_ENUM)
#undef WRN_WG_EVENT_ENUM
        WRN_WG_EVENT_COUNT
};

/* Returns the sentence that belongs to an event, static. */
const char *wrn_wg_event_text(enum wrn_wg_event_kind kind);

/* Tells whether an event means that somebody has to change a setting. Such events are rare. */
bool wrn_wg_event_is_fault(enum wrn_wg_event_kind kind);

struct wrn_wg_event {
    enum wrn_wg_event_kind kind;
    wrn_handle peer; /* WRN_HANDLE_NONE where no peer is known */
    uint32_t detail; /* attempt number of INITIATION_SENT; new state of STATE */
};

/* What an input led to besides its own packets. The caller sets the counts to 0 before the call;
 * each input call appends at most three messages a packet. */
struct wrn_wg_out {
    uint32_t message_count;
    uint32_t event_count;
    uint32_t events_lost; /* events beyond the room, dropped */
    struct wrn_wg_message messages[WRN_WG_MESSAGES_MAX];
    struct wrn_wg_event events[WRN_WG_EVENTS_MAX];
};

/* ---- life ---- */

/* Returns the bytes of memory that wrn_wg_init needs for 'options'. Mostly untouched until used. */
size_t wrn_wg_memory_size(const struct wrn_wg_options *options);

/* Builds a machine in 'memory' (zeroed, 64-byte aligned, wrn_wg_memory_size bytes), which the
 * caller keeps until after finish. 'crypto' must outlive it. It starts down, without key or peers.
 * */
struct wrn_wg *wrn_wg_init(void *memory, const struct wrn_wg_options *options,
                           struct wrn_crypto *crypto, struct wrn_rand rand);

/* Wipes every secret. NULL is fine. The memory belongs to the caller again. */
void wrn_wg_finish(struct wrn_wg *wg);

/* ---- inputs: network, host, time. 'now' never goes backwards. ---- */

/* Takes 1..WRN_WG_BATCH_MAX received datagrams, in order, and opens them in place. */
void wrn_wg_on_datagrams(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_datagram *batch,
                         size_t count, struct wrn_wg_out *out);

/* Takes 1..WRN_WG_BATCH_MAX packets from the host, in order, and seals them in place, or keeps a
 * copy while a handshake runs. */
void wrn_wg_on_packets(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                       size_t count, struct wrn_wg_out *out);

/* Sends a packet (1..WRN_WG_PACKET_MAX bytes) to a peer whom the caller chooses, as the machine's
 * other inputs do with packets that wait: wrn_wg_pull_staged fetches it, behind those that wait
 * already, once there is a session. One that is not live: refused and counted. */
void wrn_wg_queue_packet(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, wrn_span packet,
                         struct wrn_wg_out *out);

/* Tells whether a packet to the peer would be sealed at once: there is a session, and nothing waits
 * for one. */
bool wrn_wg_is_ready(const struct wrn_wg *wg, struct wrn_now now, wrn_handle peer);

/* Fetches up to 'count' kept packets whose session is ready now, sealed, into the caller's buffers,
 * each with room for WRN_WG_PACKET_MAX bytes between its head- and tailroom. Returns how many. Call
 * it after every other input until it returns 0: a packet counts as sent, so that lanes may send to
 * its peer again, when the next call is made. */
size_t wrn_wg_pull_staged(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_packet *batch,
                          size_t count, struct wrn_wg_out *out);

/* Does what is due, bounded by the room in 'out'; wrn_wg_due tells when to call again (maybe at
 * once). Early and repeated calls are legal. */
void wrn_wg_on_time(struct wrn_wg *wg, struct wrn_now now, struct wrn_wg_out *out);

/* Returns when wrn_wg_on_time wants to be called, WRN_MONO_NEVER if nothing is scheduled. */
wrn_mono wrn_wg_due(const struct wrn_wg *wg);

/* Wipes and frees what was let go of, after a quiesce if there is something. With lanes the driver
 * calls it after each input; a machine that runs alone does it by itself. */
void wrn_wg_reclaim(struct wrn_wg *wg);

/* Counts a refusal that the driver saw (WRN_DROP_SEND_REFUSED and its neighbours). */
void wrn_wg_count_drop(struct wrn_wg *wg, enum wrn_drop reason, uint64_t count);

/* ---- commands ---- */

/* Brings the interface up (starts persistent keepalives) or down (forgets sessions, handshakes and
 * kept packets, as the kernel does). */
void wrn_wg_set_up(struct wrn_wg *wg, struct wrn_now now, bool up, struct wrn_wg_out *out);

/* Sets the MTU of the host's interface in bytes: padding never makes a packet larger than it. A
 * bridged machine keeps its own. */
void wrn_wg_set_mtu(struct wrn_wg *wg, uint32_t mtu_bytes);

/* Sets our private key; all zero removes it. Sessions made with another key are forgotten; a peer
 * whose public key is ours is removed, as the kernel does. Returns 0 or -ENOMEM, then nothing
 * changed. */
WRN_NODISCARD int wrn_wg_set_private_key(struct wrn_wg *wg, struct wrn_now now,
                                         const uint8_t key[WRN_WG_KEY_SIZE]);

/* Finds the peer with this public key. Returns its handle or WRN_HANDLE_NONE. */
wrn_handle wrn_wg_peer_find(const struct wrn_wg *wg, const uint8_t public_key[WRN_WG_KEY_SIZE]);

/* Adds a peer. Returns 0 and sets 'ret_peer', or -EEXIST, -EINVAL (our own public key),
 * WRN_ERR_FULL. */
WRN_NODISCARD int wrn_wg_peer_add(struct wrn_wg *wg, struct wrn_now now,
                                  const uint8_t public_key[WRN_WG_KEY_SIZE], wrn_handle *ret_peer);

/* Removes a peer with all it has. A handle that is not live is ignored, here and in every command
 * below (those that can fail return WRN_ERR_NOT_FOUND). */
void wrn_wg_peer_remove(struct wrn_wg *wg, wrn_handle peer);

/* Sets the preshared key, all zero for none; used from the next handshake on. */
void wrn_wg_peer_set_psk(struct wrn_wg *wg, wrn_handle peer, const uint8_t key[WRN_WG_KEY_SIZE]);

/* Sets the cipher of the only suite that is spoken with the peer; the other end has to be set alike
 * (docs/protocol.md). A peer is added with ChaCha20-Poly1305, which is stock WireGuard. If it
 * changes, sessions and handshake of the other suite are forgotten; packets that wait stay. */
void wrn_wg_peer_set_cipher(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer,
                            enum wrn_cipher cipher, struct wrn_wg_out *out);

/* Sets where the peer is; forgets the source address learnt for the old place. */
void wrn_wg_peer_set_endpoint(struct wrn_wg *wg, wrn_handle peer,
                              const struct wrn_endpoint *endpoint);

/* Sets how the peer is reached, all of it; one that leads nowhere: not at all, for now. */
void wrn_wg_peer_set_path(struct wrn_wg *wg, wrn_handle peer, const struct wrn_path *path);

/* Sets the largest inner packet that is sent to the peer, bytes (WRN_WG_RELAYED_PACKET_MAX is what
 * all paths take); a new peer's is WRN_WG_PACKET_MAX. Larger ones are refused (PATH_TOO_SMALL),
 * padding makes none larger, and where it is less than the MTU, TCP connections that begin are told
 * to send smaller segments, both ends. Lower it before a path that is narrower is set. A bridged
 * machine's keeps what it had. */
void wrn_wg_peer_set_packet_max(struct wrn_wg *wg, wrn_handle peer, uint16_t bytes);

/* Seals what the owner of the machine has to say itself to the peer, 'packet->size' bytes that are
 * no packet of IP, if that can be done at once on a direct path: as large as they are, without
 * padding. Returns whether it did; 'packet' is as after wrn_wg_on_packets. */
bool wrn_wg_seal_own(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer,
                     struct wrn_wg_packet *packet);

/* Says whether the peer's path is what the caller set (pinned) or follows where its messages come
 * from, as a new peer's does. All that goes to a pinned peer, answers too, takes the set path, and
 * ROAMED never happens to it. To be done before the peer has a session: what a lane has in its
 * hands at that moment may still be followed. */
void wrn_wg_peer_set_pinned(struct wrn_wg *wg, wrn_handle peer, bool is_pinned);

/* Says that what the host sends to the peer waits for now, as packets wait for a handshake: in
 * order, bounded alike (WRN_WG_STAGED_PER_PEER), later ones behind earlier ones. Handshakes and
 * keepalives go on. Set again to false, all of it goes. To be paused before lanes may send to the
 * peer: what one has in its hands at that moment still goes. A peer is added unpaused. */
void wrn_wg_peer_set_paused(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, bool is_paused,
                            struct wrn_wg_out *out);

/* Sets the persistent keepalive interval, seconds 0..65535, 0 = off. Turning it on makes one due at
 * once if the interface is up and the endpoint known. */
void wrn_wg_peer_set_keepalive(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer,
                               uint16_t interval_s);

/* Gives an inner prefix to the peer, takes it away, or takes all of them away. Returns 0,
 * WRN_ERR_FULL or WRN_ERR_NOT_FOUND. */
WRN_NODISCARD int wrn_wg_peer_allow(struct wrn_wg *wg, wrn_handle peer,
                                    const struct wrn_prefix *prefix);
void wrn_wg_peer_disallow(struct wrn_wg *wg, wrn_handle peer, const struct wrn_prefix *prefix);
void wrn_wg_peer_disallow_all(struct wrn_wg *wg, wrn_handle peer);

/* Makes packets that wait for the peer go out if they can: starts a handshake where one is needed.
 * The driver calls it after a configuration change, as the kernel does. */
void wrn_wg_peer_kick(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer,
                      struct wrn_wg_out *out);

/* Forgets the source address towards a peer: the kernel refused it, the next send lets it choose.
 * */
void wrn_wg_forget_source(struct wrn_wg *wg, wrn_handle peer);

/* Forgets all source addresses (the listen port or the network changed). */
void wrn_wg_forget_sources(struct wrn_wg *wg);

/* ---- questions ---- */

/* Returns the private key (32 bytes, owned by the machine), or NULL if none is set. */
const uint8_t *wrn_wg_private_key(const struct wrn_wg *wg);

struct wrn_wg_peer_info {
    uint8_t public_key[WRN_WG_KEY_SIZE];
    uint8_t psk[WRN_WG_KEY_SIZE]; /* zero: none. Wipe it after use */
    struct wrn_endpoint endpoint; /* family NONE: unknown */
    struct wrn_path path;         /* all of it */
    bool is_pinned;
    uint16_t packet_max; /* wrn_wg_peer_set_packet_max */
    uint64_t tx_bytes;   /* outer UDP payload, handshakes and keepalives included */
    uint64_t rx_bytes;
    wrn_wall last_handshake; /* zero: never */
    uint16_t keepalive_s;
    enum wrn_cipher cipher;
    enum wrn_cipher remote_cipher; /* what the other end is set to, as far as its handshakes tell */
};

/* Walks the peers in the order of their places: start with *cursor = 0; returns WRN_HANDLE_NONE at
 * the end. Removing the peer just returned is allowed. */
wrn_handle wrn_wg_peer_next(const struct wrn_wg *wg, uint32_t *cursor);

/* Describes a peer. Returns false, with 'ret_info' untouched, if the handle is not live. */
bool wrn_wg_peer_info(const struct wrn_wg *wg, wrn_handle peer, struct wrn_wg_peer_info *ret_info);

/* Walks the allowed IPs of a peer: start with *cursor = 0; returns false at the end. */
bool wrn_wg_peer_next_allowed(const struct wrn_wg *wg, wrn_handle peer, uint64_t *cursor,
                              struct wrn_prefix *ret_prefix);

/* Returns the number of peers. */
uint32_t wrn_wg_peer_count(const struct wrn_wg *wg);

/* Writes the WRN_DROP_COUNT counters, those of all lanes added up, indexed by reason. */
void wrn_wg_drops(const struct wrn_wg *wg, uint64_t ret_counts[WRN_DROP_COUNT]);
