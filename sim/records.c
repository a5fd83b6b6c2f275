/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are looked after. */
#include "sim/records.h"

#include <stdio.h>

#include "sim/ask.h"
#include "sim/memory.h"
#include "sim/share.h"

enum { KEY_SIZE = 32, VALUE_SIZE = 48, NAMED_MAX = 8 };
enum { BUSY_MS = 250, BUSY_MAX = 40 };
enum { TAG_STORE = 0x40000000, TAG_GET = 0x20000000, TAG_MASK = 0x1fffffff };

static wrn_span key_of(uint32_t record, char text[KEY_SIZE]);
static enum wrn_reason ask_to_store(struct sim_records *records, uint32_t record, uint32_t ttl_s,
                                    bool keep);
static wrn_span value_of(const struct sim_stored *stored, uint32_t record, char text[VALUE_SIZE]);
static bool number_of_key(wrn_span key, uint32_t *ret_record);
static void on_get(struct sim_records *records, const struct wrn_dht_answer *answer,
                   uint32_t number, wrn_span bytes);
static void on_store(struct sim_records *records, const struct wrn_dht_answer *answer,
                     uint32_t record);
static bool on_lost(struct sim_records *records, const struct sim_node *node, wrn_span bytes);

void sim_records_init(struct sim_records *records, struct sim_nodes *nodes) {
    *records = (struct sim_records){
        .nodes = nodes,
        .rand = sim_rand(nodes->run->world, SIM_STREAM_WORLD, 2001),
    };
}

uint32_t sim_records_store(struct sim_records *records, struct sim_node *owner,
                           enum wrn_record_kind kind, uint32_t ttl_s, bool keep) {
    records->all = sim_grow(records->all, records->count, &records->capacity, sizeof *records->all);
    uint32_t record = records->count++;
    records->all[record] =
        (struct sim_stored){.owner = owner, .forgot = owner->forgot, .kind = kind};
    (void)ask_to_store(records, record, ttl_s, keep);
    return record;
}

void sim_records_store_many(struct sim_records *records, uint32_t group, uint32_t count,
                            enum wrn_record_kind kind, uint32_t ttl_s, bool keep, uint64_t gap_ns) {
    for (uint32_t i = 0; i < count; i++) {
        struct sim_node *owner = sim_draw_live(records->nodes, group, records->rand);
        if (owner != NULL) {
            uint32_t record = sim_records_store(records, owner, kind, ttl_s, keep);
            /* Its own node stores few at a time and says so; among few nodes one is drawn often. */
            enum wrn_reason reason = records->all[record].reason;
            for (uint32_t wait = 0; reason == WRN_REASON_FULL && wait < BUSY_MAX; wait++) {
                sim_pass(records->nodes, WRN_MS(BUSY_MS));
                records->refused--;
                reason = ask_to_store(records, record, ttl_s, keep);
            }
        }
        sim_pass(records->nodes, gap_ns);
    }
    sim_pass(records->nodes, WRN_S(10));
}

void sim_records_expect_stored(struct sim_records *records) {
    struct sim_report *report = &records->nodes->run->report;
    sim_report_expect(report, records->stored == records->count, "%llu of %u records were stored",
                      (unsigned long long)records->stored, records->count);
    uint32_t named = 0;
    for (uint32_t i = 0; i < records->count && named < NAMED_MAX; i++) {
        const struct sim_stored *stored = &records->all[i];
        if (!stored->is_stored) {
            sim_report_line(
                report, "record %u of node %u is not stored: %s", i, stored->owner->number,
                stored->reason == WRN_REASON_NONE ? "no answer" : wrn_reason_text(stored->reason));
            named++;
        }
    }
}

wrn_id sim_records_place(const struct sim_records *records, uint32_t number) {
    char key[KEY_SIZE];
    return wrn_record_place(key_of(number, key), &records->nodes->primitives);
}

void sim_records_get(struct sim_records *records, struct sim_node *from, uint32_t record) {
    char key[KEY_SIZE];
    records->gets =
        sim_grow(records->gets, records->get_count, &records->get_capacity, sizeof *records->gets);
    records->gets[records->get_count] = (struct sim_get){
        .from = from,
        .life = from->life,
        .record = record,
        .asked = sim_now(records->nodes->run->world).mono,
    };
    uint32_t number = records->get_count++;
    enum wrn_reason reason = sim_ask_get(from, TAG_GET | number, key_of(record, key));
    if (reason != WRN_REASON_NONE) {
        records->gets[number].is_done = true;
        records->gets[number].reason = reason;
    }
}

void sim_records_get_drawn(struct sim_records *records, uint32_t group) {
    struct sim_node *from = sim_draw_live(records->nodes, group, records->rand);
    uint32_t record = records->count > 0 ? wrn_rand_below(records->rand, records->count) : 0;
    if (from != NULL && records->count > 0 && records->all[record].is_stored &&
        !records->all[record].is_lost &&
        wrn_overlay_state(from->overlay) == WRN_RING_STATE_CONNECTED) {
        sim_records_get(records, from, record);
    }
}

void sim_records_get_all(struct sim_records *records, uint32_t group, bool only_copied,
                         uint64_t gap_ns) {
    for (uint32_t i = 0; i < records->count; i++) {
        const struct sim_stored *stored = &records->all[i];
        struct sim_node *from = sim_draw_live(records->nodes, group, records->rand);
        if (from != NULL && stored->is_stored && (stored->was_copied || !only_copied) &&
            (only_copied || stored->forgot == stored->owner->forgot)) {
            sim_records_get(records, from, i);
            sim_pass(records->nodes, gap_ns);
        }
    }
    sim_pass(records->nodes, WRN_S(SIM_GET_TIMEOUT_S));
    sim_records_judge(records);
}

bool sim_records_on_event(struct sim_records *records, struct sim_node *node,
                          const struct wrn_overlay_action *action) {
    if (action->kind == WRN_OVERLAY_RECORD_LOST) {
        return on_lost(records, node, action->bytes);
    }
    if (action->kind != WRN_OVERLAY_ANSWER) {
        return false;
    }
    uint32_t tag = action->answer.tag;
    if ((tag & ~(uint32_t)TAG_MASK) == TAG_GET && (tag & TAG_MASK) < records->get_count) {
        on_get(records, &action->answer, tag & TAG_MASK, action->bytes);
        return true;
    }
    if ((tag & ~(uint32_t)TAG_MASK) == TAG_STORE && (tag & TAG_MASK) < records->count) {
        on_store(records, &action->answer, tag & TAG_MASK);
        return true;
    }
    return false;
}

uint32_t sim_records_find_copies(struct sim_records *records) {
    const struct sim_nodes *nodes = records->nodes;
    uint32_t copied = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        records->all[i].was_copied = false;
    }
    for (uint32_t i = 0; i < nodes->count; i++) {
        uint32_t cursor = 0;
        wrn_span held = {0};
        while (sim_node_is_live(nodes->all[i]) &&
               (held = wrn_dht_next_held(wrn_overlay_dht(nodes->all[i]->overlay), &cursor)).size >
                   0) {
            struct wrn_record record;
            uint32_t number;
            if (wrn_record_read(held, &nodes->primitives, &record) == WRN_REASON_NONE &&
                record.kind != WRN_RECORD_DELETE && number_of_key(record.key, &number) &&
                number < records->count) {
                records->all[number].was_copied = true;
            }
        }
    }
    for (uint32_t i = 0; i < records->count; i++) {
        copied += records->all[i].was_copied;
    }
    return copied;
}

void sim_records_judge(struct sim_records *records) {
    wrn_mono now = sim_now(records->nodes->run->world).mono;
    for (; records->first < records->get_count; records->first++) {
        const struct sim_get *get = &records->gets[records->first];
        if (wrn_mono_since(now, get->asked) < WRN_S(SIM_GET_TIMEOUT_S)) {
            break;
        }
        if (!get->is_done) { /* whoever asked may be gone, or asleep */
            bool is_gone = get->from->life != get->life || !sim_node_is_live(get->from);
            records->interrupted += is_gone;
            records->unanswered += !is_gone;
        } else if (get->is_wrong) {
            records->wrong++;
        } else if (get->is_right) {
            records->right++;
        } else {
            records->missed += get->reason == WRN_REASON_NOT_FOUND;
            records->timeouts += get->reason != WRN_REASON_NOT_FOUND;
        }
    }
}

void sim_records_reset(struct sim_records *records) {
    records->first = records->get_count;
    records->right = records->wrong = records->missed = records->timeouts = 0;
    records->unanswered = records->interrupted = 0;
    records->took_ms.count = 0;
}

void sim_records_report(struct sim_records *records) {
    struct sim_report *report = &records->nodes->run->report;
    uint64_t all =
        records->right + records->wrong + records->missed + records->timeouts + records->unanswered;
    sim_report_figure(report, "stored_records", records->stored);
    sim_report_figure(report, "gets", all);
    sim_report_figure(report, "gets_right_ppm", sim_ppm(records->right, all));
    sim_report_figure(report, "gets_not_found", records->missed);
    sim_report_figure(report, "gets_wrong", records->wrong);
    sim_report_figure(report, "gets_timed_out", records->timeouts);
    sim_report_figure(report, "gets_unanswered", records->unanswered);
    sim_report_figure(report, "get_p50_ms", sim_sample_percentile(&records->took_ms, 50));
    sim_report_figure(report, "get_p95_ms", sim_sample_percentile(&records->took_ms, 95));
}

void sim_records_finish(struct sim_records *records) {
    free(records->all);
    free(records->gets);
    sim_sample_finish(&records->took_ms);
}

static wrn_span key_of(uint32_t record, char text[KEY_SIZE]) {
    int length = snprintf(text, KEY_SIZE, "test/%u", record);
    return (wrn_span){(const uint8_t *)text, (size_t)length};
}

/* What its own node says at once; the answer of the ring comes later. */
static enum wrn_reason ask_to_store(struct sim_records *records, uint32_t record, uint32_t ttl_s,
                                    bool keep) {
    char key[KEY_SIZE];
    char value[VALUE_SIZE];
    struct sim_stored *stored = &records->all[record];
    enum wrn_reason reason =
        sim_ask_store(stored->owner, TAG_STORE | record, stored->kind, key_of(record, key),
                      value_of(stored, record, value), ttl_s, keep);
    if (reason != WRN_REASON_NONE) {
        stored->reason = reason;
        records->refused++;
    }
    return reason;
}

static wrn_span value_of(const struct sim_stored *stored, uint32_t record, char text[VALUE_SIZE]) {
    int length = snprintf(text, VALUE_SIZE, "record %u version %u", record, stored->version);
    return (wrn_span){(const uint8_t *)text, (size_t)length};
}

static bool number_of_key(wrn_span key, uint32_t *ret_record) {
    if (key.size < 6 || memcmp(key.data, "test/", 5) != 0) {
        return false;
    }
    *ret_record = 0;
    for (size_t i = 5; i < key.size; i++) {
        *ret_record = *ret_record * 10 + key.data[i] - '0';
    }
    return true;
}

static void on_get(struct sim_records *records, const struct wrn_dht_answer *answer,
                   uint32_t number, wrn_span bytes) {
    struct sim_get *get = &records->gets[number];
    struct wrn_record record;
    char text[VALUE_SIZE];
    sim_report_expect(&records->nodes->run->report, !get->is_done,
                      "get %u was answered again after its last answer", number);
    if (answer->reason == WRN_REASON_NONE && bytes.size > 0 &&
        wrn_record_read(bytes, &records->nodes->primitives, &record) == WRN_REASON_NONE) {
        wrn_span value = value_of(&records->all[get->record], get->record, text);
        bool is_right = record.value.size == value.size &&
                        memcmp(record.value.data, value.data, value.size) == 0;
        get->is_right = is_right;
        get->is_wrong = !is_right;
    }
    get->is_done = answer->is_last;
    get->reason = answer->reason;
    if (answer->is_last) {
        uint64_t took_ns = wrn_mono_since(sim_now(records->nodes->run->world).mono, get->asked);
        sim_sample_add(&records->took_ms, took_ns / WRN_MS(1));
    }
}

static void on_store(struct sim_records *records, const struct wrn_dht_answer *answer,
                     uint32_t record) {
    struct sim_stored *stored = &records->all[record];
    bool is_new = !stored->is_stored && answer->reason == WRN_REASON_NONE;
    stored->reason = answer->reason;
    stored->copies = answer->copies;
    stored->is_stored = stored->is_stored || is_new;
    records->stored += is_new;
    records->refused += answer->reason != WRN_REASON_NONE;
}

static bool on_lost(struct sim_records *records, const struct sim_node *node, wrn_span bytes) {
    struct wrn_record record;
    uint32_t number;
    bool is_ours =
        wrn_record_read(bytes, &records->nodes->primitives, &record) == WRN_REASON_NONE &&
        number_of_key(record.key, &number) && number < records->count;
    if (is_ours && records->all[number].owner == node) {
        records->all[number].is_lost = true;
    }
    return is_ours;
}
