/* SPDX-License-Identifier: Apache-2.0 */
/* One candidate is stored at a time, and the DHT decides. Only what is ours is stored once more, to
 * be kept: else every candidate that was somebody's would be kept, too. */
#include "network/claim.h"

enum {
    ANSWER_S = 30, /* the DHT answers within 15 s */
    RETRY_MIN_S = 1,
    RETRY_MAX_S = 60,
    REFUSED_MIN_S = 30, /* a certificate has to be renewed, or a clock to be set */
    REFUSED_MAX_S = 600,
    ROUND_MIN_S = 30,
    ROUND_MAX_S = 600,
    REFRESH_S = 10,
    LEAVE_TRIES_MAX = 5,
    LEAVE_RETRY_S = 4,
};

static void begin_round(struct wrn_claim *claim, struct wrn_now now);
static void try_candidate(struct wrn_claim *claim, struct wrn_now now);
static void try_again(struct wrn_claim *claim, struct wrn_now now);
static void on_created(struct wrn_claim *claim, struct wrn_now now,
                       const struct wrn_dht_answer *answer);
static void on_refreshed(struct wrn_claim *claim, struct wrn_now now,
                         const struct wrn_dht_answer *answer);
static void refresh(struct wrn_claim *claim, struct wrn_now now);
static void refresh_later(struct wrn_claim *claim, struct wrn_now now);
static void hold(struct wrn_claim *claim, struct wrn_now now);
static void lose(struct wrn_claim *claim, struct wrn_now now, wrn_span winner,
                 enum wrn_reason reason);
static void wait(struct wrn_claim *claim, struct wrn_now now, enum wrn_reason reason);
static void leave(struct wrn_claim *claim, struct wrn_now now);
static void end(struct wrn_claim *claim, enum wrn_reason reason);
static void set_state(struct wrn_claim *claim, enum wrn_claim_state state);
static enum wrn_reason store(struct wrn_claim *claim, enum wrn_record_kind kind, bool keep);
static bool read_winner(const struct wrn_claim *claim, wrn_span winner,
                        struct wrn_record *ret_record);
static struct wrn_claim_event event_of(const struct wrn_claim *claim,
                                       enum wrn_claim_event_kind kind, enum wrn_reason reason);
static uint32_t back_off_s(struct wrn_claim *claim, uint32_t least_s, uint32_t most_s,
                           uint32_t times);
static bool is_for_candidate(enum wrn_reason reason);
static bool is_for_rights(enum wrn_reason reason);

const char *wrn_claim_state_name(enum wrn_claim_state state) {
    static const char *const names[WRN_CLAIM_STATES] = {
#define WRN_CLAIM_STATE_NAME(name, text) [WRN_CLAIM_##name] = text,
        WRN_CLAIM_STATE_LIST(WRN_CLAIM_STATE_NAME)
#undef WRN_CLAIM_STATE_NAME
    };
    return names[state];
}

void wrn_claim_init(struct wrn_claim *claim, const struct wrn_claim_port *port,
                    const struct wrn_primitives *primitives, struct wrn_rand rand,
                    const uint8_t own[WRN_SIGN_PUBLIC_SIZE], uint16_t tag_top) {
    *claim = (struct wrn_claim){.port = *port,
                                .primitives = primitives,
                                .rand = rand,
                                .due = WRN_MONO_NEVER,
                                .tag_top = (uint32_t)tag_top << 16};
    memcpy(claim->own, own, sizeof claim->own);
}

void wrn_claim_start(struct wrn_claim *claim, struct wrn_now now) {
    if (claim->state == WRN_CLAIM_OFF || claim->state == WRN_CLAIM_LEAVING) {
        claim->rounds = 0;
        claim->waiting_for = WRN_REASON_NONE;
        claim->previous_size = 0;
        claim->has_holder = false;
        begin_round(claim, now);
    }
}

void wrn_claim_stop(struct wrn_claim *claim, struct wrn_now now, bool release) {
    bool may_be_stored = claim->state == WRN_CLAIM_HELD || claim->state == WRN_CLAIM_TRYING ||
                         claim->state == WRN_CLAIM_WAITING;
    if (claim->state == WRN_CLAIM_LEAVING && release) {
        return;
    }
    claim->tag = 0;
    claim->due = WRN_MONO_NEVER;
    claim->failures = 0;
    if (!release || !may_be_stored) {
        set_state(claim, WRN_CLAIM_OFF);
        return;
    }
    set_state(claim, WRN_CLAIM_LEAVING);
    leave(claim, now);
}

void wrn_claim_refresh(struct wrn_claim *claim, struct wrn_now now) {
    if (claim->state == WRN_CLAIM_HELD && !claim->wants_refresh) {
        claim->wants_refresh = true;
        if (claim->tag == 0) { /* else when that one is answered */
            claim->due =
                wrn_mono_before(claim->refresh_from, now.mono) ? now.mono : claim->refresh_from;
        }
    }
}

void wrn_claim_changed(struct wrn_claim *claim, struct wrn_now now, bool still_good) {
    switch (claim->state) {
    case WRN_CLAIM_HELD:
        if (!still_good) {
            (void)store(claim, WRN_RECORD_DELETE, false); /* else it ends with its time */
            claim->tag = 0;
            lose(claim, now, (wrn_span){0}, WRN_REASON_RULE);
        }
        return;
    case WRN_CLAIM_TRYING:
    case WRN_CLAIM_WAITING:
    case WRN_CLAIM_FULL:
        claim->rounds = 0;
        begin_round(claim, now);
        return;
    default:
        return;
    }
}

void wrn_claim_on_answer(struct wrn_claim *claim, struct wrn_now now,
                         const struct wrn_dht_answer *answer) {
    if (claim->tag == 0 || answer->tag != claim->tag || answer->verb != WRN_DHT_STORE ||
        !answer->is_last) {
        return;
    }
    claim->tag = 0;
    switch (claim->state) {
    case WRN_CLAIM_TRYING:
        on_created(claim, now, answer);
        return;
    case WRN_CLAIM_HELD:
        on_refreshed(claim, now, answer);
        return;
    case WRN_CLAIM_LEAVING:
        end(claim, answer->reason);
        return;
    default:
        return;
    }
}

void wrn_claim_on_lost(struct wrn_claim *claim, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason) {
    struct wrn_record ours;
    if (claim->state == WRN_CLAIM_HELD &&
        wrn_record_read(record, claim->primitives, &ours) == WRN_REASON_NONE &&
        ours.key.size == claim->key_size && memcmp(ours.key.data, claim->key, ours.key.size) == 0) {
        claim->tag = 0;
        lose(claim, now, winner, reason);
    }
}

void wrn_claim_on_connected(struct wrn_claim *claim, struct wrn_now now) {
    bool is_unkept = claim->state == WRN_CLAIM_HELD && claim->wants_refresh && claim->tag == 0;
    if (claim->state == WRN_CLAIM_WAITING || is_unkept) {
        claim->failures = 0;
        claim->due = now.mono;
    }
}

void wrn_claim_on_time(struct wrn_claim *claim, struct wrn_now now) {
    if (!wrn_mono_reached(now.mono, claim->due)) {
        return;
    }
    claim->due = WRN_MONO_NEVER;
    switch (claim->state) {
    case WRN_CLAIM_TRYING:
        claim->tag = 0;
        wait(claim, now, WRN_REASON_TIMEOUT);
        return;
    case WRN_CLAIM_WAITING:
        set_state(claim, WRN_CLAIM_TRYING);
        try_again(claim, now);
        return;
    case WRN_CLAIM_FULL:
        begin_round(claim, now);
        return;
    case WRN_CLAIM_HELD:
        if (claim->tag != 0) {
            claim->tag = 0;
            refresh_later(claim, now);
        } else if (claim->wants_refresh) {
            refresh(claim, now);
        }
        return;
    case WRN_CLAIM_LEAVING:
        leave(claim, now);
        return;
    default:
        return;
    }
}

wrn_mono wrn_claim_due(const struct wrn_claim *claim) {
    return claim->due;
}

wrn_span wrn_claim_key(const struct wrn_claim *claim) {
    return claim->state == WRN_CLAIM_HELD ? (wrn_span){(const uint8_t *)claim->key, claim->key_size}
                                          : (wrn_span){0};
}

/* ---- trying ---- */

static void begin_round(struct wrn_claim *claim, struct wrn_now now) {
    claim->port.round(claim->port.ctx);
    claim->index = 0;
    claim->taken = claim->refused = 0;
    try_candidate(claim, now);
}

/* Begins with the candidate 'index', or says that there is none left. */
static void try_candidate(struct wrn_claim *claim, struct wrn_now now) {
    claim->tag = 0;
    claim->failures = 0;
    claim->claimed_s = now.wall.s;
    claim->key_size = (uint8_t)claim->port.candidate(claim->port.ctx, claim->index, claim->key);
    WRN_ASSERT(claim->key_size <= WRN_RECORD_KEY_MAX);
    if (claim->key_size > 0) {
        set_state(claim, WRN_CLAIM_TRYING);
        try_again(claim, now);
        return;
    }
    set_state(claim, WRN_CLAIM_FULL);
    uint32_t retry_s = back_off_s(claim, ROUND_MIN_S, ROUND_MAX_S, claim->rounds++);
    struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_FULL, WRN_REASON_KEY_TAKEN);
    event.retry_s = retry_s;
    claim->due = wrn_mono_add(now.mono, WRN_S(retry_s));
    claim->waiting_for = WRN_REASON_NONE;
    claim->port.event(claim->port.ctx, &event);
}

/* Stores the same candidate. */
static void try_again(struct wrn_claim *claim, struct wrn_now now) {
    enum wrn_reason reason = store(claim, WRN_RECORD_CREATE, false);
    if (reason != WRN_REASON_NONE) {
        wait(claim, now, reason);
        return;
    }
    claim->due = wrn_mono_add(now.mono, WRN_S(ANSWER_S));
}

static void on_created(struct wrn_claim *claim, struct wrn_now now,
                       const struct wrn_dht_answer *answer) {
    if (answer->reason == WRN_REASON_NONE) {
        hold(claim, now);
        return;
    }
    if (answer->reason == WRN_REASON_KEY_TAKEN) {
        struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_TAKEN, WRN_REASON_KEY_TAKEN);
        struct wrn_record theirs;
        if (!read_winner(claim, answer->record, &theirs)) {
            wait(claim, now, WRN_REASON_MALFORMED);
            return;
        }
        event.has_holder = true;
        memcpy(event.holder, theirs.owner, sizeof event.holder);
        event.holder_since_s = theirs.claimed_s;
        event.taken = ++claim->taken;
        claim->port.event(claim->port.ctx, &event);
    } else if (is_for_candidate(answer->reason)) {
        claim->refused++;
    } else if (answer->reason == WRN_REASON_EXPIRED && !claim->is_behind) {
        claim->is_behind = true;
        try_again(claim, now);
        return;
    } else {
        wait(claim, now, answer->reason);
        return;
    }
    claim->waiting_for = WRN_REASON_NONE;
    claim->index++;
    try_candidate(claim, now);
}

/* ---- holding ---- */

static void hold(struct wrn_claim *claim, struct wrn_now now) {
    struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_HELD, WRN_REASON_NONE);
    set_state(claim, WRN_CLAIM_HELD);
    claim->rounds = claim->failures = 0;
    claim->waiting_for = WRN_REASON_NONE;
    claim->wants_refresh = false;
    claim->port.event(claim->port.ctx, &event);
    claim->previous_size = 0;
    claim->has_holder = false;
    refresh(claim, now); /* to be kept */
}

/* Stores the held key again. */
static void refresh(struct wrn_claim *claim, struct wrn_now now) {
    claim->wants_refresh = false;
    claim->refresh_from = wrn_mono_add(now.mono, WRN_S(REFRESH_S));
    if (store(claim, WRN_RECORD_CREATE, true) == WRN_REASON_NONE) {
        claim->due = wrn_mono_add(now.mono, WRN_S(ANSWER_S));
        return;
    }
    /* It is not even on its way, and so is not kept: what is held only for now would be lost. */
    claim->wants_refresh = true;
    uint32_t retry_s = back_off_s(claim, RETRY_MIN_S, RETRY_MAX_S, claim->failures++);
    claim->due = wrn_mono_add(now.mono, WRN_S(retry_s));
}

static void on_refreshed(struct wrn_claim *claim, struct wrn_now now,
                         const struct wrn_dht_answer *answer) {
    claim->due = WRN_MONO_NEVER;
    if (answer->reason == WRN_REASON_NONE) {
        claim->failures = 0;
        if (claim->wants_refresh) {
            claim->due =
                wrn_mono_before(claim->refresh_from, now.mono) ? now.mono : claim->refresh_from;
        }
    } else if (answer->reason == WRN_REASON_KEY_TAKEN) {
        lose(claim, now, answer->record, WRN_REASON_KEY_TAKEN);
    } else {
        refresh_later(claim, now); /* what is refused for good, the DHT says by itself */
    }
}

static void refresh_later(struct wrn_claim *claim, struct wrn_now now) {
    claim->wants_refresh = true;
    uint32_t retry_s = back_off_s(claim, REFRESH_S, REFUSED_MAX_S, claim->failures++);
    claim->due = wrn_mono_add(now.mono, WRN_S(retry_s));
}

/* Gives the key up. If nobody else has it, it is tried again first. */
static void lose(struct wrn_claim *claim, struct wrn_now now, wrn_span winner,
                 enum wrn_reason reason) {
    struct wrn_record theirs;
    claim->has_holder = reason == WRN_REASON_KEY_TAKEN && read_winner(claim, winner, &theirs);
    if (claim->has_holder) {
        memcpy(claim->holder, theirs.owner, sizeof claim->holder);
        claim->holder_since_s = theirs.claimed_s;
    }
    claim->previous_size = claim->key_size;
    memcpy(claim->previous, claim->key, claim->key_size);
    struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_LOST, reason);
    set_state(claim, WRN_CLAIM_TRYING);
    claim->wants_refresh = false;
    claim->port.event(claim->port.ctx, &event);
    if (reason == WRN_REASON_KEY_TAKEN || is_for_candidate(reason)) {
        begin_round(claim, now);
    } else if (is_for_rights(reason) && reason != WRN_REASON_EXPIRED) {
        wait(claim, now, reason);
    } else { /* it was not renewed in time: nobody else need have it */
        claim->failures = 0;
        claim->claimed_s = now.wall.s;
        try_again(claim, now);
    }
}

/* ---- waiting, leaving ---- */

static void wait(struct wrn_claim *claim, struct wrn_now now, enum wrn_reason reason) {
    bool is_right = is_for_rights(reason);
    uint32_t retry_s = back_off_s(claim, is_right ? REFUSED_MIN_S : RETRY_MIN_S,
                                  is_right ? REFUSED_MAX_S : RETRY_MAX_S, claim->failures++);
    struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_WAITING, reason);
    event.retry_s = retry_s;
    set_state(claim, WRN_CLAIM_WAITING);
    claim->due = wrn_mono_add(now.mono, WRN_S(retry_s));
    if (claim->waiting_for != reason) {
        claim->waiting_for = reason;
        claim->port.event(claim->port.ctx, &event);
    }
}

static void leave(struct wrn_claim *claim, struct wrn_now now) {
    claim->tag = 0;
    if (claim->failures++ == LEAVE_TRIES_MAX) {
        end(claim, WRN_REASON_TIMEOUT);
        return;
    }
    (void)store(claim, WRN_RECORD_DELETE, false); /* else once more */
    claim->due = wrn_mono_add(now.mono, WRN_S(LEAVE_RETRY_S));
}

static void end(struct wrn_claim *claim, enum wrn_reason reason) {
    struct wrn_claim_event event = event_of(claim, WRN_CLAIM_EVENT_RELEASED, reason);
    set_state(claim, WRN_CLAIM_OFF);
    claim->due = WRN_MONO_NEVER;
    claim->port.event(claim->port.ctx, &event);
}

/* ---- what all need ---- */

static void set_state(struct wrn_claim *claim, enum wrn_claim_state state) {
    static const uint8_t allowed[WRN_CLAIM_STATES] = {
        [WRN_CLAIM_OFF] = 1 << WRN_CLAIM_OFF | 1 << WRN_CLAIM_TRYING | 1 << WRN_CLAIM_FULL,
        [WRN_CLAIM_TRYING] = 0x3f,
        [WRN_CLAIM_WAITING] = 1 << WRN_CLAIM_TRYING | 1 << WRN_CLAIM_FULL | 1 << WRN_CLAIM_OFF |
                              1 << WRN_CLAIM_LEAVING | 1 << WRN_CLAIM_WAITING,
        [WRN_CLAIM_FULL] = 1 << WRN_CLAIM_TRYING | 1 << WRN_CLAIM_FULL | 1 << WRN_CLAIM_OFF,
        [WRN_CLAIM_HELD] = 1 << WRN_CLAIM_TRYING | 1 << WRN_CLAIM_OFF | 1 << WRN_CLAIM_LEAVING,
        [WRN_CLAIM_LEAVING] = 1 << WRN_CLAIM_OFF | 1 << WRN_CLAIM_TRYING | 1 << WRN_CLAIM_FULL,
    };
    WRN_ASSERT((allowed[claim->state] >> state & 1) != 0);
    claim->state = state;
}

static enum wrn_reason store(struct wrn_claim *claim, enum wrn_record_kind kind, bool keep) {
    uint8_t value[WRN_CLAIM_VALUE_MAX];
    bool is_trial = kind == WRN_RECORD_CREATE && !keep && !claim->is_behind;
    struct wrn_claim_request request = {
        .kind = kind,
        .keep = keep,
        .key = {(const uint8_t *)claim->key, claim->key_size},
        .ttl_s = is_trial ? WRN_CLAIM_TRIAL_S : WRN_CLAIM_TTL_S,
        .claimed_s = kind == WRN_RECORD_CREATE ? claim->claimed_s : 0,
    };
    if (kind == WRN_RECORD_CREATE) {
        request.value = (wrn_span){value, claim->port.value(claim->port.ctx, request.key, value)};
    }
    claim->serial = (claim->serial + 1) % 0xffff;
    request.tag = claim->tag_top | (claim->serial + 1);
    enum wrn_reason reason = claim->port.store(claim->port.ctx, &request);
    claim->tag = reason == WRN_REASON_NONE ? request.tag : 0;
    return reason;
}

/* Reads the record that has our key. False if it is not another's of this key. */
static bool read_winner(const struct wrn_claim *claim, wrn_span winner,
                        struct wrn_record *ret_record) {
    return wrn_record_read(winner, claim->primitives, ret_record) == WRN_REASON_NONE &&
           ret_record->kind == WRN_RECORD_CREATE && ret_record->key.size == claim->key_size &&
           memcmp(ret_record->key.data, claim->key, claim->key_size) == 0 &&
           memcmp(ret_record->owner, claim->own, sizeof claim->own) != 0;
}

static struct wrn_claim_event event_of(const struct wrn_claim *claim,
                                       enum wrn_claim_event_kind kind, enum wrn_reason reason) {
    bool is_about_previous = kind == WRN_CLAIM_EVENT_HELD || kind == WRN_CLAIM_EVENT_LOST;
    struct wrn_claim_event event = {
        .kind = kind,
        .reason = reason,
        .key = {(const uint8_t *)claim->key, claim->key_size},
        .previous = {(const uint8_t *)claim->previous, claim->previous_size},
        .has_holder = is_about_previous && claim->has_holder,
        .taken = claim->taken,
        .refused = claim->refused,
    };
    if (event.has_holder) {
        memcpy(event.holder, claim->holder, sizeof event.holder);
        event.holder_since_s = claim->holder_since_s;
    }
    return event;
}

/* Twice as long each time, a quarter more or less, so that nodes do not come back together. */
static uint32_t back_off_s(struct wrn_claim *claim, uint32_t least_s, uint32_t most_s,
                           uint32_t times) {
    uint32_t s = least_s;
    for (uint32_t i = 0; i < times && s < most_s; i++) {
        s *= 2;
    }
    s = s < most_s ? s : most_s;
    return s - s / 4 + wrn_rand_below(claim->rand, s / 2 + 1);
}

/* Another candidate may do. */
static bool is_for_candidate(enum wrn_reason reason) {
    return reason == WRN_REASON_RULE || reason == WRN_REASON_NOT_OWNER;
}

/* No candidate would do, as long as our certificates, or the clock, are what they are. */
static bool is_for_rights(enum wrn_reason reason) {
    return reason == WRN_REASON_NOT_ADMITTED || reason == WRN_REASON_EXCLUDED ||
           reason == WRN_REASON_EXPIRED || reason == WRN_REASON_NOT_YET ||
           reason == WRN_REASON_BAD_SIGNATURE;
}
