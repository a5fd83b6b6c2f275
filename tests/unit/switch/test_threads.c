/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lanes that ask for verdicts while the control thread learns, ages, opens and closes ports
 * and changes rules never send a frame to a member that has never had its destination, nor two
 * copies to one, and what has a place keeps it. ThreadSanitizer sees the rest.
 * Method: the addresses 1000 i + k are those of peer i alone, so each verdict can be judged by
 * itself, whatever the moment. A lane says when it is inside; the control thread waits for that. */
#include <pthread.h>
#include <sched.h>

#include "unit/switch/packets.h"

/* Peers 1 to STAYING are never closed. */
enum { LANES = 3, PEERS = 12, STAYING = 3, MACS = 24, ROUNDS = 40000, CHANGES = 4000, GROUPS = 6 };

struct reader {
    struct contest *contest;
    _Atomic uint64_t calls; /* odd: it is inside of one */
    struct wrn_prng prng;
    struct wrn_switch_verdict verdict;
    uint64_t known, floods; /* verdicts for one, for several */
    pthread_t thread;
    uint32_t lane;
};

struct contest {
    struct lan lan;
    struct reader readers[LANES];
    _Atomic uint64_t now_ns;
    _Atomic uint32_t wrong, reading;
};

static struct contest contest;

static void quiesce(void *ctx) {
    (void)ctx;
    for (size_t i = 0; i < LANES; i++) {
        uint64_t calls = atomic_load(&contest.readers[i].calls);
        while (calls % 2 != 0 && atomic_load(&contest.readers[i].calls) == calls) {
            sched_yield();
        }
    }
}

static wrn_mono now(void) {
    return (wrn_mono){atomic_load(&contest.now_ns)};
}

static uint32_t below(struct wrn_prng *prng, uint32_t bound) {
    return (uint32_t)(wrn_prng_next(prng) % bound);
}

/* An address of a peer; peer 0 is the host's side. */
static uint32_t mac_of(struct wrn_prng *prng, uint32_t peer) {
    return 1000 * peer + 1 + below(prng, MACS);
}

static struct frame random_frame(struct wrn_prng *prng, uint32_t from, uint32_t to) {
    uint32_t mac = mac_of(prng, from);
    switch (below(prng, 8)) {
    case 0:
        return packet_arp(LAN_BROADCAST, mac, 1, 100 * from + 1, 100 * to + 1);
    case 1:
        return packet_report(mac, 4, 0, below(prng, GROUPS), below(prng, 2) != 0);
    case 2:
        return packet_data(mac, below(prng, GROUPS), below(prng, 2) != 0);
    case 3:
        return packet_igmp(mac, 0x11, 0);
    case 4:
        return lan_frame(LAN_BROADCAST, mac, 0x88f7);
    default:
        return lan_frame(mac_of(prng, to), mac, 0x88f7);
    }
}

static void judge(struct reader *reader, const struct frame *frame, uint32_t to) {
    const struct wrn_switch_verdict *verdict = &reader->verdict;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < verdict->count; i++) {
        uint32_t index = verdict->peers[i].index;
        if (index == 0 || index > PEERS || (seen >> index & 1) != 0) {
            atomic_fetch_add(&contest.wrong, 1);
        }
        seen |= 1U << index;
    }
    if ((frame->bytes[0] & 1) != 0 || verdict->count == 0) {
        return;
    }
    if (verdict->count == 1) {
        reader->known++;
    } else {
        reader->floods++;
    }
    if (verdict->count == 1 && verdict->peers[0].index != to) { /* STAYING get what is unknown */
        atomic_fetch_add(&contest.wrong, 1);
    }
}

static void *read_all(void *arg) {
    struct reader *reader = arg;
    struct wrn_switch *sw = contest.lan.sw;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t from = below(&reader->prng, PEERS + 1);
        uint32_t to = 1 + below(&reader->prng, PEERS);
        struct frame frame = random_frame(&reader->prng, from, to);
        wrn_span span = {frame.bytes, frame.size};
        atomic_fetch_add(&reader->calls, 1);
        if (from == 0) {
            wrn_switch_from_host(sw, reader->lane, now(), span, &reader->verdict);
            judge(reader, &frame, to);
        } else {
            wrn_switch_from_peer(sw, reader->lane, now(), lan_peer(from), span, &reader->verdict);
            (void)wrn_switch_is_open(sw, lan_peer(from));
            (void)wrn_switch_payload_max(sw, lan_peer(to));
        }
        atomic_fetch_add(&reader->calls, 1);
        if (i % 64 == 0) {
            sched_yield(); /* there may be more threads than processors */
        }
    }
    atomic_fetch_sub(&contest.reading, 1);
    return NULL;
}

/* What a change did is over when it returns; lanes see it whole or not at all. */
static void change(struct wrn_prng *prng) {
    struct lan *lan = &contest.lan;
    struct wrn_frame_rules rules = lan_rules();
    uint32_t peer = 1 + below(prng, PEERS);
    lan->now.mono = now();
    lan->out.frame_count = lan->out.event_count = 0;
    switch (below(prng, 16)) {
    case 0:
        if (peer > STAYING) {
            wrn_switch_close(lan->sw, lan->now, lan_peer(peer));
        }
        break;
    case 1:
        lan_open_with(lan, peer, "again", &rules);
        break;
    case 2:
        wrn_switch_set_ours(lan->sw, &rules);
        break;
    case 3:
        atomic_fetch_add(&contest.now_ns, WRN_MS(700));
        lan->now.mono = now();
        wrn_switch_on_time(lan->sw, lan->now, &lan->out);
        break;
    default: {
        uint32_t from = below(prng, PEERS + 1);
        struct frame frame = random_frame(prng, from, peer);
        wrn_switch_on_frame(lan->sw, lan->now, from == 0 ? WRN_HANDLE_NONE : lan_peer(from),
                            (wrn_span){frame.bytes, frame.size}, &lan->out);
        for (uint32_t i = 0; i < lan->out.event_count; i++) { /* nobody takes anything */
            enum wrn_switch_event_kind kind = lan->out.events[i].kind;
            assert_true(kind != WRN_SWITCH_EVENT_STOLEN && kind != WRN_SWITCH_EVENT_MOVED);
        }
        break;
    }
    }
}

static void lanes_and_the_control_thread_agree(void **state) {
    struct wrn_switch_options options = lan_options();
    struct wrn_switch_settings settings;
    struct wrn_prng prng;
    uint64_t seed = check_seed(), known = 0, floods = 0;
    (void)state;
    options.macs_max = 256; /* so that entries are used again */
    options.macs_per_port = 32;
    options.quiesce = quiesce;
    lan_start(&contest.lan, &options);
    wrn_switch_settings(contest.lan.sw, &settings);
    settings.age_s = 10;
    settings.floods_per_s = 0;
    wrn_switch_set(contest.lan.sw, contest.lan.now, &settings);
    atomic_store(&contest.now_ns, contest.lan.now.mono.ns);
    for (uint32_t i = 1; i <= PEERS; i++) {
        lan_open(&contest.lan, i, "member");
    }
    wrn_prng_init(&prng, seed, 0);
    atomic_store(&contest.reading, LANES);
    for (uint32_t i = 0; i < LANES; i++) {
        struct reader *reader = &contest.readers[i];
        reader->lane = 1 + i;
        wrn_prng_init(&reader->prng, seed, 1 + i);
        assert_int_equal(pthread_create(&reader->thread, NULL, read_all, reader), 0);
    }
    for (uint32_t i = 0; i < CHANGES || atomic_load(&contest.reading) > 0; i++) {
        change(&prng);
        if (i % 16 == 0) {
            sched_yield();
        }
    }
    for (uint32_t i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(contest.readers[i].thread, NULL), 0);
        known += contest.readers[i].known;
        floods += contest.readers[i].floods;
    }
    assert_int_equal(atomic_load(&contest.wrong), 0);
    assert_true(known > 0 && floods > 0); /* there was something to judge */
    /* what ports count as theirs is what the table has */
    struct wrn_switch_port_info info;
    struct wrn_switch_mac mac;
    uint32_t counted = 0, found = 0;
    for (uint32_t cursor = 0; wrn_switch_next_port(contest.lan.sw, &cursor, &info);) {
        counted += info.macs;
    }
    wrn_switch_mac_sweep(contest.lan.sw, wrn_switch_seconds(contest.lan.sw, now()));
    for (uint32_t cursor = 0; wrn_switch_next_mac(contest.lan.sw, now(), &cursor, &mac);) {
        found++;
    }
    assert_true(found <= counted);
    assert_int_equal(found, contest.lan.sw->mac_chains.used);
    lan_stop(&contest.lan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_and_the_control_thread_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
