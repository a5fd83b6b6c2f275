/* SPDX-License-Identifier: Apache-2.0 */
/* Answers what others ask of this node's store, with at most two messages for one question. */
#include "overlay/dht_internal.h"

enum {
    ANSWER_RATE = 500, /* a second, so that nobody makes a stranger's line full by us */
    ANSWER_BURST = 1000,
    ANSWER_HEAD = 20, /* bytes of an answer before its records */
};

static bool send_page(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                      const struct wrn_dht_fields *question, wrn_id place, bool tombstones);
static void send_answer(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                        const struct wrn_dht_fields *answer);
static uint32_t next_other(struct wrn_dht *dht);
static bool ask_other(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                      const struct wrn_dht_fields *question, wrn_id place, uint32_t rank,
                      bool is_aside);

void wrn_dht_answer(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_writer *asker,
                    const struct wrn_dht_fields *question, bool is_forwarded) {
    if (asker->is_self) {
        wrn_dht_request_on_own(dht, now, asker->nonce);
        return;
    }
    if (!wrn_dht_take(&dht->answering, now.mono, ANSWER_RATE, ANSWER_BURST)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RATE); /* it is asked again */
        return;
    }
    wrn_dht_add(dht, WRN_DHT_COUNT_ANSWERED);
    dht->counts[WRN_DHT_COUNT_EXPIRED] += wrn_dht_store_expire(&dht->store, now.mono);
    wrn_id place = wrn_record_place(question->key, dht->primitives);
    if (send_page(dht, asker, question, place, false)) {
        wrn_dht_copies_check(dht, now.mono, place);
        return;
    }
    uint32_t rank = wrn_dht_rank(dht, place, dht->links->self);
    bool is_full = rank < WRN_DHT_COPIES && !wrn_dht_copies_has_room(dht, place.high);
    bool is_holder = rank < WRN_DHT_COPIES && !is_full;
    bool is_aside = (question->flags & WRN_DHT_ASIDE) != 0;
    if (is_forwarded && !is_aside) {
        return; /* who passed it on has said itself that it has nothing */
    }
    if (!is_forwarded && rank < WRN_DHT_HOLDERS_MAX && (!is_aside || rank == 0 || !is_holder)) {
        /* We may be new here, so another holder looks, too. Aside, the nearest was asked before:
         * somebody else is to speak. So it is if there was no room for it here. */
        bool is_other = is_aside || !is_holder;
        uint32_t whom = is_full ? next_other(dht) : is_aside && rank > 0 ? 1 : 0;
        if (ask_other(dht, asker, question, place, whom, is_other) && is_other) {
            return;
        }
    }
    if (is_holder) {
        wrn_dht_copies_check(dht, now.mono, place);
        (void)send_page(dht, asker, question, place, true);
        return;
    }
    struct wrn_dht_fields answer = {.type = WRN_DHT_MESSAGE_ANSWER,
                                    .nonce = asker->nonce,
                                    .reason = is_full ? WRN_REASON_FULL : WRN_REASON_NOT_HOLDER};
    send_answer(dht, asker, &answer);
}

/* Sends the records after the question's token. If there are none: false, or, with 'tombstones',
 * that there is nothing, and the tombstones as witnesses. */
static bool send_page(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                      const struct wrn_dht_fields *question, wrn_id place, bool tombstones) {
    uint8_t items[WRN_PAYLOAD_MAX - ANSWER_HEAD];
    struct wrn_writer writer = wrn_writer(items, sizeof(items));
    struct wrn_dht_fields answer = {
        .type = WRN_DHT_MESSAGE_ANSWER,
        .nonce = asker->nonce,
        .reason = tombstones && question->token == 0 ? WRN_REASON_NOT_FOUND : WRN_REASON_NONE};
    uint64_t token = tombstones ? 0 : question->token;
    for (;;) {
        uint32_t index =
            wrn_dht_store_next_of_key(&dht->store, place, question->key, token, tombstones);
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
        if (entry == NULL) {
            break;
        }
        if (writer.capacity - writer.size < 2u + entry->size) {
            answer.token = tombstones ? 0 : token;
            break;
        }
        wrn_write_u16(&writer, entry->size);
        wrn_write_span(&writer, wrn_dht_store_bytes(&dht->store, entry));
        answer.count++;
        token = entry->value_id;
    }
    if (answer.count == 0 && !tombstones) {
        return false;
    }
    answer.items = wrn_written(&writer);
    send_answer(dht, asker, &answer);
    return true;
}

static void send_answer(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                        const struct wrn_dht_fields *answer) {
    struct wrn_route_header header = {.target = asker->source,
                                      .via = asker->via,
                                      .has_via = asker->has_via,
                                      .to_via = asker->has_via,
                                      .mode = WRN_ROUTE_EXACT};
    (void)wrn_dht_route(dht, &header, answer); /* it is asked again if this does not arrive */
}

/* One of the other holders, another one each time: who asks again meets all of them. */
static uint32_t next_other(struct wrn_dht *dht) {
    dht->other_turn = (uint8_t)((dht->other_turn + 1) % (WRN_DHT_COPIES - 1));
    return dht->other_turn;
}

static bool ask_other(struct wrn_dht *dht, const struct wrn_dht_writer *asker,
                      const struct wrn_dht_fields *question, wrn_id place, uint32_t rank,
                      bool is_aside) {
    const struct wrn_dht_neighbour *other = wrn_dht_other(dht, place, rank);
    if (other == NULL || wrn_id_equal(other->id, asker->source)) {
        return false;
    }
    struct wrn_dht_fields ask = *question;
    ask.type = WRN_DHT_MESSAGE_ASK;
    ask.flags = is_aside ? WRN_DHT_ASIDE : 0;
    ask.source = asker->source;
    ask.has_via = asker->has_via;
    ask.via = asker->via;
    wrn_dht_send(dht, other->peer, &ask);
    return true;
}
