/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the path machine share: its tables, its messages. Nobody else includes it. */
#pragma once
#include "base/bytes.h"
#include "base/dues.h"
#include "base/keymap.h"
#include "base/wire.h"
#include "overlay/nat_class.h"
#include "overlay/paths.h"

enum {
    PATHS_LOCALS = 8,
    PATHS_SIGHTS = 8,
    PATHS_CANDIDATES = WRN_ENDPOINTS_MAX,
    PATHS_TIMED = 4,      /* rounds of pings that a pong may still answer with a measured time */
    PATHS_FRESH = 4,      /* mappings made to see the steps of our NAT */
    PATHS_RUNS = 4,       /* READYs that an answer may be to */
    PATHS_BIRTHDAYS = 8,  /* addresses that are remembered as guessed at */
    PATHS_CALL_MAX = 288, /* bytes of a CALL, at most */
    PATHS_NO_SEARCH = 0xffff,
    PATHS_EXTRA_SOCKETS = WRN_SOCKETS_MAX - 1,
};
#define PATHS_NOBODY UINT32_MAX

/* Flags of PING and PONG. */
enum {
    PATHS_FLAG_QUESTION = 1, /* PONG: answer me, too */
    PATHS_FLAG_REFLECT = 2,  /* PING: only tell me where this comes from */
    PATHS_FLAG_MOVED = 4,    /* our addresses changed: what you knew of them is void */
    PATHS_FLAG_YOU_PING = 8, /* for once the receiver does the pinging */
    PATHS_FLAG_BEST = 32,    /* this way is our best one */
    PATHS_FLAG_LAST = 16,    /* PONG: answer me, and ask no more */
};

/* What a CALL is for. */
enum wrn_paths_call {
    PATHS_CALL_PROBE,   /* here are my endpoints: probe me, I do the same */
    PATHS_CALL_READY,   /* my NAT is hard: guess at the ports that I name */
    PATHS_CALL_GUESSED, /* I did: send from new ports now */
    PATHS_CALLS
};
enum {
    PATHS_CALL_WANTS_REPLY = 1,
    PATHS_CALL_ANEW = 2, /* UDP works again here: what was tried in vain before says nothing */
};

/* Who probes first: 'run' of a CALL_PROBE. A router that holds strays needs its own side to be. */
enum wrn_paths_order { ORDER_TOGETHER, ORDER_CALLED_FIRST, ORDER_CALLER_FIRST, ORDERS };

struct wrn_paths_peer {
    wrn_handle handle;    /* generation even: nobody */
    uint64_t incarnation; /* that was proven */
    struct wrn_way way;   /* the best one */
    wrn_handle relay;     /* generation 0: none */
    uint64_t slot;
    struct wrn_endpoint alt; /* another one that was proven, from socket 0; family NONE: none */
    struct wrn_endpoint udp; /* STREAM: where to look whether UDP works again; family NONE: none */
    wrn_mono look_at;        /* ... and when */
    uint16_t tcp_port, tls_port; /* where the peer takes streams, as it says; 0: nowhere */
    uint8_t looks;               /* ... that nobody answered */
    uint16_t search;             /* PATHS_NO_SEARCH: none */
    uint32_t alt_at_us;          /* when it was proven */
    wrn_mono heard_at;           /* on the best way */
    wrn_mono ping_at;            /* when to ping it next */
    wrn_mono relay_at;    /* when to ask for a relay, or to ping one that is not proven yet */
    wrn_mono retry_at;    /* when to look for a direct way again */
    wrn_mono gone_at;     /* when to give the peer up */
    wrn_mono searched_at; /* when the last search began */
    uint32_t round_us[PATHS_TIMED];
    uint32_t serial; /* of the last round of pings */
    uint32_t rtt_us, relay_rtt_us;
    uint32_t probes;    /* in this search */
    uint32_t since_s;   /* the best way is, in seconds */
    uint32_t next_wait; /* in the line for a search */
    uint16_t port_last; /* the peer's, as it says */
    int16_t port_step;
    uint8_t reason;       /* enum wrn_reason: why there is no direct way */
    uint8_t nat_class;    /* the peer's, as it says */
    uint8_t tries;        /* pings on the best way that were not answered */
    uint8_t relay_tries;  /* ... on the relay, or how often one was asked for */
    uint8_t retries;      /* searches that found nothing */
    uint8_t their_period; /* seconds between pings that the peer wants, 0: not said */
    uint8_t most_s;       /* ... that we allow for this peer, 0: the options' */
    uint16_t flags;       /* PEER_... below */
};

enum {
    PEER_WE_ASKED = 1,
    PEER_RELAY_PROVEN = 2,
    PEER_LOST = 4,        /* the best way does not answer */
    PEER_WAITS = 8,       /* in the line for a search */
    PEER_WANTS_ME = 16,   /* the peer asked us to do the pinging */
    PEER_WAS_UP = 32,     /* there was a way once */
    PEER_IS_SHORT = 64,   /* nothing came in a period and a half: did our mapping die? */
    PEER_HAS_MOVED = 128, /* the peer said so, on a way that is not proven yet */
    PEER_IS_MODEST = 256, /* ports are not guessed at at random for it */
    PEER_IS_ANEW = 512,   /* the next call says ANEW */
};

struct wrn_paths_candidate {
    struct wrn_endpoint at;
    uint8_t kind; /* enum wrn_endpoint_kind */
    uint8_t sent;
    uint8_t limit;
};

enum wrn_paths_guess_state { GUESS_NOT_YET, GUESS_UNDER_WAY, GUESS_DONE };

struct wrn_paths_search {
    bool is_used;
    uint8_t count;
    uint8_t round;
    uint8_t cursor;
    uint8_t guess; /* enum wrn_paths_guess_state */
    uint8_t guess_runs;
    uint8_t streams; /* how often streams were tried */
    uint32_t peer;
    wrn_mono started, next, ends;
    struct wrn_paths_candidate candidates[PATHS_CANDIDATES];
};

/* ---- one rung for both ends of a pair of which one has a hard NAT, one pair at a time ---- */

enum wrn_paths_guess_phase {
    PHASE_NONE,
    PHASE_OPENER_MEASURES, /* what port our NAT gives next */
    PHASE_OPENER_READY,    /* says so until the peer has guessed */
    PHASE_OPENER_MEASURES_AGAIN,
    PHASE_OPENER_FIRES, /* from new sockets */
    PHASE_OPENER_WAITS,
    PHASE_GUESSER_MEASURES,
    PHASE_GUESSES, /* at the ports named */
    PHASE_GUESSER_TELLS,
    PHASE_GUESSES_ON, /* the second part */
    PHASE_GUESSER_WAITS,
};

struct wrn_paths_guess {
    uint8_t phase;
    uint8_t run; /* number of what the last READY said; the opener begins anywhere */
    uint8_t calls;
    bool has_called;  /* READY was said; before it is said again, our port is measured again */
    bool is_random;   /* the opener's ports are */
    bool is_diagonal; /* both predictable: each port of theirs belongs to one of ours */
    uint32_t peer;
    struct wrn_endpoint at;     /* where to send to, the port is added where it is guessed */
    uint16_t base_port;         /* guesser: theirs, before the first guess. Opener: ours */
    uint16_t bases[PATHS_RUNS]; /* opener: what the last READYs said, by their number */
    uint16_t far_port;          /* opener, diagonal: theirs, before the first one */
    uint16_t mine_port;         /* guesser, diagonal: ours, before the first one */
    uint16_t socket_first, socket_count;
    uint16_t stride; /* between random guesses */
    int32_t step, far_step;
    int32_t done, first_part, all; /* guesses or shots */
    wrn_mono next, ends;
};

/* Finds out which ports our NAT gives to new flows, by pings from new sockets to a helper. Several
 * are sent in one moment, so that no other flow of ours comes between them. */
struct wrn_paths_measure {
    bool is_active;
    bool is_for_guess; /* one port; else for the class: PATHS_FRESH at once */
    uint8_t tries;
    uint8_t count;               /* neighbouring sockets that were asked from */
    uint16_t socket;             /* the first one, 0: none */
    uint16_t ports[PATHS_FRESH]; /* that they got, 0: not told yet */
    uint32_t helper;
    wrn_mono next;
};

/* Learns how long our NAT keeps a mapping, on one path at a time. */
struct wrn_paths_period {
    uint8_t learned_s, test_s, failed_s;
    uint32_t peer; /* PATHS_NOBODY: no test */
    wrn_mono silent_since, failed_at, due;
    wrn_mono learned_at;
};

struct wrn_paths_sight {
    struct wrn_nat_sight seen;
    uint32_t peer;
    wrn_mono at;
};

struct wrn_paths {
    struct wrn_paths_options options;
    struct wrn_paths_port port;
    struct wrn_rand rand;
    uint64_t secret[2];
    struct wrn_dues dues; /* of the peers */
    struct wrn_paths_peer *peers;
    struct wrn_paths_search *searches;
    uint32_t wait_first, wait_last;
    uint32_t epoch;
    uint32_t flows; /* new endpoints that socket 0 has sent to */
    struct wrn_locator_endpoint locals[PATHS_LOCALS];
    size_t local_count;
    wrn_mono bucket_at; /* GCRA: when the next probe would be on time */
    wrn_mono moved_until;
    struct wrn_paths_sight sights[PATHS_SIGHTS];
    uint32_t sight_count;
    struct wrn_nat_view view;
    uint16_t fresh[PATHS_FRESH];
    uint8_t fresh_count;
    wrn_mono fresh_at;
    uint64_t probes, answers;
    struct wrn_ip tried[4]; /* addresses that were probed, for BLOCKED */
    uint8_t tried_count;
    uint32_t vain;               /* probes by UDP since the last answer that came by it */
    uint32_t stream_answers;     /* ... that came by streams meanwhile */
    uint16_t tcp_port, tls_port; /* ours */
    uint16_t stream_socket;      /* what got through last, 0: nothing so far */
    struct wrn_paths_measure measure;
    struct wrn_paths_guess guess;
    struct wrn_paths_period period;
    struct {
        struct wrn_ip ip;
        wrn_mono until;
    } birthdays[PATHS_BIRTHDAYS];
    uint64_t sockets_used[(WRN_SOCKETS_MAX + 63) / 64];
};

/* What a pong, or a ping, says. */
struct wrn_paths_ping {
    uint8_t flags;
    uint8_t period_s;
    uint32_t epoch;
    uint64_t answer;              /* PONG: the number answered */
    uint64_t question;            /* to be answered */
    struct wrn_endpoint observed; /* PONG: family NONE: not told */
};

struct wrn_paths_call_body {
    uint8_t what; /* enum wrn_paths_call */
    uint8_t flags;
    uint8_t nat_class;
    uint8_t run;
    int16_t port_step;
    uint16_t port_last; /* READY, GUESSED: the port before the first that is meant */
    uint16_t count;
    size_t endpoint_count;
    struct wrn_locator_endpoint endpoints[WRN_ENDPOINTS_MAX];
};

/* ---- paths.c ---- */

/* Returns the peer, NULL if it is not known. */
struct wrn_paths_peer *wrn_paths_peer_of(const struct wrn_paths *paths, wrn_handle peer);

/* Sets the earliest of the peer's deadlines. */
void wrn_paths_arm(struct wrn_paths *paths, struct wrn_paths_peer *p);

/* A number of ours was answered on 'way'; has_rtt: and its time was measured. */
void wrn_paths_on_answer(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, bool has_rtt, uint32_t rtt_us,
                         const struct wrn_paths_ping *pong);

/* Tells how good a way is by its kind alone: smaller is better. */
uint32_t wrn_paths_rank(const struct wrn_way *way);

/* Returns the way through the peer's relay. */
struct wrn_way wrn_paths_relay_way(const struct wrn_paths_peer *p);

/* Does the peer have a direct way that answers, be it a stream? */
bool wrn_paths_is_direct(const struct wrn_paths_peer *p);

/* ---- paths_alive.c ---- */

/* Sets when the best way is pinged next, after it was heard. */
void wrn_paths_keep_alive(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* The deadline has come. */
void wrn_paths_ping_best(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* The best way is dead: to the next one, or to a new search. */
void wrn_paths_lose(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* Seconds that we tell the peer, and whether it is to ping us. */
uint8_t wrn_paths_period_told(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                              bool *ret_you_ping);
/* Something came on the best way: what does it say of the test that runs? */
void wrn_paths_period_heard(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                            bool is_ping);
/* The test's time is over. */
void wrn_paths_period_on_time(struct wrn_paths *paths, wrn_mono now);

/* ---- paths_stream.c ---- */

/* Does the peer have a direct way by UDP that answers? */
bool wrn_paths_is_udp(const struct wrn_paths_peer *p);
/* Does a pong that came this way say that UDP gets through? */
bool wrn_paths_comes_by_udp(const struct wrn_paths *paths, const struct wrn_way *way);
/* Opens streams to a peer if it is time to; the search's 'next' is when it is again. */
void wrn_paths_stream_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                           struct wrn_paths_search *search);
/* A stream has become the best way, or is no more. */
void wrn_paths_stream_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
void wrn_paths_stream_end(struct wrn_paths_peer *p);
/* Traffic flows by it: does UDP work again? */
void wrn_paths_stream_hurry(struct wrn_paths_peer *p, wrn_mono now);
/* The deadline for that has come. */
void wrn_paths_stream_look(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* Remembers where the peer was searched for by UDP. */
void wrn_paths_stream_note(const struct wrn_paths *paths, struct wrn_paths_peer *p);
/* A number of ours was answered: by UDP after it had been blocked, everybody is looked for. */
void wrn_paths_stream_answered(struct wrn_paths *paths, wrn_mono now, const struct wrn_way *way);
/* Tells whether UDP is blocked here though the peers can be reached. */
bool wrn_paths_streams_alone(const struct wrn_paths *paths);

/* ---- paths_probe.c ---- */

/* Sends a ping on 'way' that belongs to the last round (wrn_paths_new_round). */
void wrn_paths_send_ping(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, uint8_t flags, bool is_timed);
/* Begins a round: pings from now on are timed from here. */
void wrn_paths_new_round(struct wrn_paths_peer *p, wrn_mono now);
/* Answers what came on 'way', with at most 'room' bytes; 'asks': 0, FLAG_QUESTION, _LAST too. */
void wrn_paths_send_pong(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                         const struct wrn_way *way, uint64_t answer, uint8_t asks, size_t room);
bool wrn_paths_read_ping(wrn_span message, struct wrn_paths_ping *ret_ping);
bool wrn_paths_read_pong(wrn_span message, struct wrn_paths_ping *ret_pong);
/* Tells whether 'answer' is a number that we sent on this way; if it is timed, since when. */
bool wrn_paths_is_ours(const struct wrn_paths *paths, wrn_mono now, const struct wrn_paths_peer *p,
                       const struct wrn_way *way, uint64_t answer, bool *ret_is_timed,
                       uint32_t *ret_rtt_us);
/* Takes one probe from the bucket; false: not before *ret_at. */
bool wrn_paths_may_send(struct wrn_paths *paths, wrn_mono now, wrn_mono *ret_at);
/* Calls the peer: by its relay, its direct way, or over the ring. */
void wrn_paths_send_call(struct wrn_paths *paths, struct wrn_paths_peer *p,
                         struct wrn_paths_call_body *body);
bool wrn_paths_read_call(wrn_span message, struct wrn_paths_call_body *ret_body);
uint32_t wrn_paths_us(wrn_mono now);

/* ---- paths_class.c ---- */

/* A peer said where our datagram came from. */
void wrn_paths_see(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                   const struct wrn_way *way, const struct wrn_endpoint *outer);
void wrn_paths_forget_sight(struct wrn_paths *paths, uint32_t peer);
/* Judges anew, tells if something changed. */
void wrn_paths_judge(struct wrn_paths *paths, wrn_mono now);
/* Fills in endpoints, best first; returns how many. */
size_t wrn_paths_endpoints(const struct wrn_paths *paths,
                           struct wrn_locator_endpoint *ret_endpoints);

/* ---- wrn_paths_search.c ---- */

/* Begins a search, or puts the peer into the line for one; renews the endpoints of one that runs.
 * 'delay_ns' is waited before the first probe. */
void wrn_paths_search_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                            const struct wrn_locator_endpoint *endpoints, size_t count,
                            uint64_t delay_ns);
/* It may take as long as the peer is worth. */
void wrn_paths_search_pace(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
void wrn_paths_search_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* Ends it, whatever it found; the next in the line begins. */
void wrn_paths_search_end(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
void wrn_paths_leave_line(struct wrn_paths *paths, struct wrn_paths_peer *p);
void wrn_paths_on_call(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                       const struct wrn_paths_call_body *body);
/* Calls the peer for its endpoints, and has it probe ours. */
void wrn_paths_call_probe(struct wrn_paths *paths, struct wrn_paths_peer *p, bool wants_reply,
                          uint8_t order);
/* The deadlines of relays and of repeated searches have come. */
void wrn_paths_relay_drop(struct wrn_paths *paths, struct wrn_paths_peer *p); /* leads nowhere */
void wrn_paths_relay_step(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
void wrn_paths_retry(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
/* Why is there no direct way? */
enum wrn_reason wrn_paths_why(const struct wrn_paths *paths, const struct wrn_paths_peer *p,
                              bool guessed);

/* Is it likely that we share a LAN with this candidate? */
bool wrn_paths_is_near(const struct wrn_paths *paths, const struct wrn_paths_search *search,
                       const struct wrn_endpoint *endpoint);

/* ---- paths_birthday.c ---- */

/* Tells whether guessing ports is worth a try for this pair. */
bool wrn_paths_is_random(uint8_t nat_class);
bool wrn_paths_guess_fits(const struct wrn_paths *paths, const struct wrn_paths_peer *p);
/* Begins it if it is this end's to begin; false: somebody else is being guessed at. */
bool wrn_paths_guess_begin(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p);
void wrn_paths_guess_on_call(struct wrn_paths *paths, wrn_mono now, struct wrn_paths_peer *p,
                             const struct wrn_paths_call_body *body);
/* Ends it: sockets that no way uses are closed. */
void wrn_paths_guess_end(struct wrn_paths *paths, wrn_mono now);
/* Tells whether each new flow of ours would now spoil what is predicted: for a second or two. */
bool wrn_paths_guess_needs_quiet(const struct wrn_paths *paths);
void wrn_paths_guess_on_time(struct wrn_paths *paths, wrn_mono now);
wrn_mono wrn_paths_guess_due(const struct wrn_paths *paths);
/* ---- wrn_paths_measure.c ---- */
bool wrn_paths_measure_begin(struct wrn_paths *paths, wrn_mono now, bool is_for_guess);
void wrn_paths_measure_end(struct wrn_paths *paths);
void wrn_paths_measure_on_time(struct wrn_paths *paths, wrn_mono now);
bool wrn_paths_measure_on_pong(struct wrn_paths *paths, wrn_mono now,
                               const struct wrn_paths_peer *p, const struct wrn_way *way,
                               const struct wrn_paths_ping *pong);
/* The port that our NAT gave to a new flow, 0: nobody told. Continues the guess. */
void wrn_paths_guess_measured(struct wrn_paths *paths, wrn_mono now, uint16_t port);
/* Takes 'count' neighbouring sockets and opens them; 0: there are none. */
uint16_t wrn_paths_sockets_open(struct wrn_paths *paths, uint16_t count);
/* Closes a socket if the peer's ways do not use it any more. */
void wrn_paths_socket_drop(struct wrn_paths *paths, const struct wrn_paths_peer *p,
                           uint16_t socket);
