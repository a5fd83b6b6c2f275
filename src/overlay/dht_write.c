/* SPDX-License-Identifier: Apache-2.0 */
/* Stores for writers: this node keeps the record, copies it to the other holders, and tells the
 * writer how many have it. */
#include "overlay/dht_internal.h"

enum {
    COPY_MS = 400, /* after which a copy is sent again */
    COPY_TRIES = 4,
};

static bool pass_on(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                    const struct wrn_dht_fields *store, wrn_id place);
static bool pass_elsewhere(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                           const struct wrn_dht_fields *store, wrn_id place);
static bool pass_to(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                    const struct wrn_dht_fields *store, const struct wrn_dht_neighbour *other);
static void reply(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_writer *writer,
                  enum wrn_reason reason, uint32_t copies, wrn_span record);
static void reply_refused(struct wrn_dht *dht, struct wrn_now now,
                          const struct wrn_dht_writer *writer, enum wrn_reason reason,
                          uint32_t against);
static struct wrn_dht_write *find_free(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                                       uint64_t version, bool *ret_is_running);
static void choose_holders(const struct wrn_dht *dht, const struct wrn_dht_entry *entry,
                           struct wrn_dht_write *write);
static const struct wrn_dht_entry *entry_of(const struct wrn_dht *dht,
                                            const struct wrn_dht_write *write);
static void send_copies(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_write *write);
static void take_answer(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write,
                        uint32_t index, const struct wrn_dht_fields *copied);
static enum wrn_reason take_other(struct wrn_dht *dht, struct wrn_now now,
                                  const struct wrn_dht_write *write, uint32_t index,
                                  const struct wrn_dht_fields *copied);
static void end_if_enough(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write);
static void end(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write);

void wrn_dht_write_begin(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                         const struct wrn_dht_writer *writer, const struct wrn_dht_fields *store) {
    struct wrn_dht_candidate candidate;
    enum wrn_reason reason = wrn_dht_candidate_read(&candidate, store->record, dht->primitives);
    if (reason != WRN_REASON_NONE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        reply(dht, now, writer, reason, 0, (wrn_span){0});
        return;
    }
    if (pass_on(dht, writer, store, candidate.place)) {
        return;
    }
    bool is_running = false;
    struct wrn_dht_write *write = find_free(dht, writer, candidate.version, &is_running);
    if (is_running) {
        return; /* the writer repeats itself; its answer follows */
    }
    /* Anew, or another value of a claim that we vouch for: that is weighed like any other. */
    bool is_strict = candidate.record.kind == WRN_RECORD_CREATE &&
                     (store->flags & WRN_DHT_AGAIN) == 0 &&
                     wrn_dht_claim_held(dht, candidate.place, candidate.record.owner) == NULL;
    uint32_t index;
    candidate.claim_s = now.wall.s; /* whatever it says itself */
    reason = wrn_dht_admit(dht, now, from, &candidate, WRN_DHT_COPIES, true, &index);
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (reason == WRN_REASON_FULL && pass_elsewhere(dht, writer, store, candidate.place)) {
        return;
    }
    if (reason != WRN_REASON_NONE || entry == NULL) {
        reply_refused(dht, now, writer, reason, index);
        return;
    }
    uint32_t known = wrn_dht_copies_known(dht, entry);
    if (known > 0) {
        reply(dht, now, writer, WRN_REASON_NONE, 1 + known, (wrn_span){0});
        return;
    }
    if (write == NULL) { /* it is stored, but nobody would watch the copies: once more, later */
        wrn_dht_copies_soon(dht, now.mono);
        reply(dht, now, writer, WRN_REASON_RATE, 0, (wrn_span){0});
        return;
    }
    *write = (struct wrn_dht_write){.writer = *writer,
                                    .version = candidate.version,
                                    .entry = index,
                                    .number = ++dht->last_number,
                                    .copies = 1,
                                    .is_strict = is_strict};
    write->number += write->number == 0;
    choose_holders(dht, entry, write);
    if (write->count == 0) {
        end(dht, now, write);
        return;
    }
    send_copies(dht, now.mono, write);
}

bool wrn_dht_write_on_copied(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                             const struct wrn_dht_fields *copied) {
    for (uint32_t i = 0; i < WRN_DHT_WRITES; i++) {
        struct wrn_dht_write *write = &dht->writes[i];
        for (uint32_t j = 0; write->number != 0 && j < write->count; j++) {
            if (write->number == copied->number && wrn_handle_equal(write->peers[j], peer)) {
                if ((write->done & 1u << j) == 0) {
                    take_answer(dht, now, write, j, copied);
                }
                return true;
            }
        }
    }
    return false;
}

void wrn_dht_write_on_time(struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < WRN_DHT_WRITES; i++) {
        struct wrn_dht_write *write = &dht->writes[i];
        if (write->number == 0 || !wrn_mono_reached(now.mono, write->due)) {
            continue;
        }
        if (write->tries >= COPY_TRIES || entry_of(dht, write) == NULL) {
            end(dht, now, write);
        } else {
            send_copies(dht, now.mono, write);
            end_if_enough(dht, now, write);
        }
    }
}

wrn_mono wrn_dht_write_due(const struct wrn_dht *dht) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_DHT_WRITES; i++) {
        if (dht->writes[i].number != 0) {
            due = wrn_mono_min(due, dht->writes[i].due);
        }
    }
    return due;
}

/* A holder is to store it. Aside, not the nearest one: it was asked before. */
static bool pass_on(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                    const struct wrn_dht_fields *store, wrn_id place) {
    uint32_t rank = wrn_dht_rank(dht, place, dht->links->self);
    bool is_aside = (store->flags & WRN_DHT_ASIDE) != 0;
    if (store->type != WRN_DHT_MESSAGE_STORE || rank >= WRN_DHT_HOLDERS_MAX ||
        (rank < WRN_DHT_COPIES && !(is_aside && rank == 0))) {
        return false;
    }
    const struct wrn_dht_neighbour *other = wrn_dht_other(dht, place, is_aside && rank > 0 ? 1 : 0);
    return other != NULL && !writer->is_self && pass_to(dht, writer, store, other);
}

/* We have no room for it; any of the other holders may have. */
static bool pass_elsewhere(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                           const struct wrn_dht_fields *store, wrn_id place) {
    uint32_t rank = wrn_rand_below(dht->rand, WRN_DHT_COPIES - 1);
    const struct wrn_dht_neighbour *other = wrn_dht_other(dht, place, rank);
    return store->type == WRN_DHT_MESSAGE_STORE && other != NULL && !writer->is_self &&
           pass_to(dht, writer, store, other);
}

/* Always true. */
static bool pass_to(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                    const struct wrn_dht_fields *store, const struct wrn_dht_neighbour *other) {
    struct wrn_dht_fields pass = *store;
    pass.type = WRN_DHT_MESSAGE_PASS;
    pass.source = writer->source;
    pass.has_via = writer->has_via;
    pass.via = writer->via;
    wrn_dht_send(dht, other->peer, &pass);
    return true;
}

/* The last thing that is done for a write: what borrows from a request may be gone afterwards. */
static void reply(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_writer *writer,
                  enum wrn_reason reason, uint32_t copies, wrn_span record) {
    struct wrn_dht_fields fields = {.type = WRN_DHT_MESSAGE_STORED,
                                    .nonce = writer->nonce,
                                    .reason = reason,
                                    .copies = (uint8_t)copies,
                                    .record = record};
    if (writer->is_self) {
        wrn_dht_request_on_stored(dht, now, dht->links->self, &fields);
        return;
    }
    struct wrn_route_header header = {.target = writer->source,
                                      .via = writer->via,
                                      .has_via = writer->has_via,
                                      .to_via = writer->has_via,
                                      .mode = WRN_ROUTE_EXACT};
    (void)wrn_dht_route(dht, &header, &fields); /* the writer asks again if this is lost */
}

static void reply_refused(struct wrn_dht *dht, struct wrn_now now,
                          const struct wrn_dht_writer *writer, enum wrn_reason reason,
                          uint32_t against) {
    uint8_t copy[WRN_RECORD_MAX]; /* what the answer leads to may change the store */
    wrn_span record = {0};
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, against);
    if (entry != NULL && (reason == WRN_REASON_KEY_TAKEN || reason == WRN_REASON_STALE)) {
        memcpy(copy, wrn_dht_store_bytes(&dht->store, entry).data, entry->size);
        record = (wrn_span){copy, entry->size};
    }
    reply(dht, now, writer, reason, 0, record);
}

static struct wrn_dht_write *find_free(struct wrn_dht *dht, const struct wrn_dht_writer *writer,
                                       uint64_t version, bool *ret_is_running) {
    struct wrn_dht_write *found = NULL;
    for (uint32_t i = 0; i < WRN_DHT_WRITES; i++) {
        struct wrn_dht_write *write = &dht->writes[i];
        if (write->number == 0 || (found == NULL && write->is_told)) {
            found = write;
        } else if (write->version == version && !write->is_told &&
                   wrn_id_equal(write->writer.source, writer->source)) {
            *ret_is_running = true;
        }
    }
    return found;
}

static void choose_holders(const struct wrn_dht *dht, const struct wrn_dht_entry *entry,
                           struct wrn_dht_write *write) {
    for (uint32_t rank = 0; write->count < WRN_DHT_COPIES - 1; rank++) {
        const struct wrn_dht_neighbour *other = wrn_dht_other(dht, entry->place, rank);
        if (other == NULL || wrn_dht_rank(dht, entry->place, other->id) >= WRN_DHT_COPIES) {
            return;
        }
        write->peers[write->count++] = other->peer;
    }
}

static const struct wrn_dht_entry *entry_of(const struct wrn_dht *dht,
                                            const struct wrn_dht_write *write) {
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, write->entry);
    return entry != NULL && entry->version == write->version ? entry : NULL;
}

static void send_copies(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_write *write) {
    const struct wrn_dht_entry *entry = entry_of(dht, write);
    struct wrn_dht_fields copy = {.type = WRN_DHT_MESSAGE_COPY,
                                  .number = write->number,
                                  .flags = write->is_strict ? WRN_DHT_COPY_STRICT : 0,
                                  .claim_s = wrn_dht_claim_of(entry),
                                  .record = wrn_dht_store_bytes(&dht->store, entry)};
    write->tries++;
    write->due = wrn_mono_add(now, WRN_MS(COPY_MS));
    for (uint32_t i = 0; i < write->count; i++) {
        if ((write->done & 1u << i) == 0) {
            wrn_dht_send(dht, write->peers[i], &copy);
        }
    }
}

static void take_answer(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write,
                        uint32_t index, const struct wrn_dht_fields *copied) {
    if (copied->reason == WRN_REASON_RATE) {
        return; /* sent again when it is time */
    }
    write->done |= (uint8_t)(1u << index);
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, write->entry);
    if (entry == NULL || entry->version != write->version) {
        end(dht, now, write); /* something newer came in between */
        return;
    }
    if (copied->reason == WRN_REASON_NONE) {
        write->copies++;
        wrn_dht_copies_note(dht, write->peers[index], entry);
    }
    enum wrn_reason reason = take_other(dht, now, write, index, copied);
    if (reason == WRN_REASON_RATE && write->tries < COPY_TRIES) {
        write->done &= (uint8_t) ~(1u << index); /* the claims are being weighed: once more */
        return;
    }
    if (reason == WRN_REASON_NONE && entry_of(dht, write) == NULL) {
        /* We did not know what another holder knew: what we took has to go. */
        struct wrn_dht_write ended = *write;
        write->number = 0;
        if (!ended.is_told) {
            reply(dht, now, &ended.writer, copied->reason, 0, copied->record);
        }
        return;
    }
    end_if_enough(dht, now, write);
}

/* Takes what another holder has against ours, under the same key. What has just been asked for
 * anew gives way at once, what was stored before only if that one is found to be older. */
static enum wrn_reason take_other(struct wrn_dht *dht, struct wrn_now now,
                                  const struct wrn_dht_write *write, uint32_t index,
                                  const struct wrn_dht_fields *copied) {
    struct wrn_dht_candidate other;
    uint32_t unused;
    const struct wrn_dht_entry *entry = entry_of(dht, write);
    if ((copied->reason != WRN_REASON_KEY_TAKEN && copied->reason != WRN_REASON_STALE) ||
        wrn_dht_candidate_read(&other, copied->record, dht->primitives) != WRN_REASON_NONE ||
        !wrn_id_equal(other.place, entry->place)) {
        return WRN_REASON_MALFORMED;
    }
    if (!write->is_strict) {
        return wrn_dht_admit_copy(dht, now, write->peers[index], &other, copied->claim_s, false,
                                  &unused);
    }
    other.claim_s = now.wall.s;
    return wrn_dht_admit(dht, now, write->peers[index], &other, WRN_DHT_HOLDERS_MAX, false,
                         &unused);
}

/* A key that is asked for anew waits for all holders, but not for those that are slow: one of them
 * may know that it is taken. Copies go on after the writer was told. */
static void end_if_enough(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write) {
    if (write->done == (1u << write->count) - 1) {
        end(dht, now, write);
    } else if (write->copies >= 2 && (!write->is_strict || write->tries > 1) && !write->is_told) {
        struct wrn_dht_writer writer = write->writer;
        write->is_told = true;
        reply(dht, now, &writer, WRN_REASON_NONE, write->copies, (wrn_span){0});
    }
}

static void end(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_write *write) {
    struct wrn_dht_write ended = *write;
    write->number = 0;
    if (ended.copies <= ended.count) {
        wrn_dht_copies_soon(dht, now.mono);
    }
    if (!ended.is_told) {
        reply(dht, now, &ended.writer, WRN_REASON_NONE, ended.copies, (wrn_span){0});
    }
}
