/* SPDX-License-Identifier: Apache-2.0 */
/* The layouts of the DHT's messages. Checks that every field is in its range; knows no state. */
#include "overlay/dht_internal.h"

static bool is_routed(enum wrn_dht_message type);
static void read_question(struct wrn_reader *reader, struct wrn_dht_fields *fields);
static void write_question(struct wrn_writer *writer, const struct wrn_dht_fields *fields);
static void read_asker(struct wrn_reader *reader, struct wrn_dht_fields *fields);
static void write_asker(struct wrn_writer *writer, const struct wrn_dht_fields *fields);
static int64_t read_time(struct wrn_reader *reader);
static void read_direct(struct wrn_reader *reader, struct wrn_dht_fields *fields);
static void write_direct(struct wrn_writer *writer, const struct wrn_dht_fields *fields);
static bool is_in_range(const struct wrn_dht_fields *fields);
static bool are_records(const struct wrn_dht_fields *fields);

bool wrn_dht_message_read(wrn_span message, struct wrn_dht_fields *ret_fields) {
    struct wrn_reader reader = wrn_reader(message);
    struct wrn_dht_fields fields = {.type = (enum wrn_dht_message)wrn_read_u8(&reader)};
    switch (fields.type) {
    case WRN_DHT_MESSAGE_GET:
        read_question(&reader, &fields);
        break;
    case WRN_DHT_MESSAGE_ANSWER:
        fields.nonce = wrn_read_u64(&reader);
        fields.reason = (enum wrn_reason)wrn_read_u8(&reader);
        fields.token = wrn_read_u64(&reader);
        fields.count = wrn_read_u8(&reader);
        fields.items = wrn_read_rest(&reader);
        break;
    case WRN_DHT_MESSAGE_STORE:
        fields.nonce = wrn_read_u64(&reader);
        fields.flags = wrn_read_u8(&reader);
        fields.record = wrn_read_rest(&reader);
        break;
    case WRN_DHT_MESSAGE_STORED:
        fields.nonce = wrn_read_u64(&reader);
        fields.reason = (enum wrn_reason)wrn_read_u8(&reader);
        fields.copies = wrn_read_u8(&reader);
        fields.record = wrn_read_rest(&reader);
        break;
    case WRN_DHT_MESSAGE_LOSS:
        fields.record = wrn_read_rest(&reader);
        break;
    default:
        read_direct(&reader, &fields);
        break;
    }
    *ret_fields = fields;
    return wrn_reader_is_done(&reader) && is_in_range(&fields);
}

wrn_span wrn_dht_message_write(const struct wrn_dht_fields *fields, uint8_t *out) {
    bool routed = is_routed(fields->type);
    struct wrn_writer writer = wrn_writer(out, routed ? WRN_PAYLOAD_MAX : WRN_MESSAGE_MAX);
    wrn_write_u8(&writer, routed ? WRN_PAYLOAD_DHT : WRN_MESSAGE_DHT);
    wrn_write_u8(&writer, (uint8_t)fields->type);
    switch (fields->type) {
    case WRN_DHT_MESSAGE_GET:
        write_question(&writer, fields);
        break;
    case WRN_DHT_MESSAGE_ANSWER:
        wrn_write_u64(&writer, fields->nonce);
        wrn_write_u8(&writer, (uint8_t)fields->reason);
        wrn_write_u64(&writer, fields->token);
        wrn_write_u8(&writer, fields->count);
        wrn_write_span(&writer, fields->items);
        break;
    case WRN_DHT_MESSAGE_STORE:
        wrn_write_u64(&writer, fields->nonce);
        wrn_write_u8(&writer, fields->flags);
        wrn_write_span(&writer, fields->record);
        break;
    case WRN_DHT_MESSAGE_STORED:
        wrn_write_u64(&writer, fields->nonce);
        wrn_write_u8(&writer, (uint8_t)fields->reason);
        wrn_write_u8(&writer, fields->copies);
        wrn_write_span(&writer, fields->record);
        break;
    case WRN_DHT_MESSAGE_LOSS:
        wrn_write_span(&writer, fields->record);
        break;
    default:
        write_direct(&writer, fields);
        break;
    }
    WRN_ASSERT(!writer.failed);
    return wrn_written(&writer);
}

static bool is_routed(enum wrn_dht_message type) {
    return type < WRN_DHT_MESSAGE_ASK;
}

static void read_question(struct wrn_reader *reader, struct wrn_dht_fields *fields) {
    fields->nonce = wrn_read_u64(reader);
    fields->flags = wrn_read_u8(reader);
    fields->token = wrn_read_u64(reader);
    fields->key = wrn_read_rest(reader);
}

static void write_question(struct wrn_writer *writer, const struct wrn_dht_fields *fields) {
    wrn_write_u64(writer, fields->nonce);
    wrn_write_u8(writer, fields->flags);
    wrn_write_u64(writer, fields->token);
    wrn_write_span(writer, fields->key);
}

/* Who is to be answered, in a message that was passed on. */
static void read_asker(struct wrn_reader *reader, struct wrn_dht_fields *fields) {
    fields->source = wrn_read_id(reader);
    uint8_t via = wrn_read_u8(reader);
    fields->via = wrn_read_id(reader);
    reader->failed |= via > 1;
    fields->has_via = via == 1;
}

static void write_asker(struct wrn_writer *writer, const struct wrn_dht_fields *fields) {
    wrn_write_id(writer, fields->source);
    wrn_write_u8(writer, fields->has_via);
    wrn_write_id(writer, fields->via);
}

/* A second that a record could name. */
static int64_t read_time(struct wrn_reader *reader) {
    uint64_t time_s = wrn_read_u64(reader);
    reader->failed |= time_s > WRN_RECORD_TIME_MAX_S;
    return (int64_t)time_s;
}

static void read_direct(struct wrn_reader *reader, struct wrn_dht_fields *fields) {
    switch (fields->type) {
    case WRN_DHT_MESSAGE_ASK:
        read_asker(reader, fields);
        read_question(reader, fields);
        return;
    case WRN_DHT_MESSAGE_PASS:
        read_asker(reader, fields);
        fields->nonce = wrn_read_u64(reader);
        fields->flags = wrn_read_u8(reader);
        fields->record = wrn_read_rest(reader);
        return;
    case WRN_DHT_MESSAGE_COPY:
        fields->number = wrn_read_u32(reader);
        fields->flags = wrn_read_u8(reader);
        fields->claim_s = read_time(reader);
        fields->record = wrn_read_rest(reader);
        return;
    case WRN_DHT_MESSAGE_COPIED:
        fields->number = wrn_read_u32(reader);
        fields->reason = (enum wrn_reason)wrn_read_u8(reader);
        fields->claim_s = read_time(reader);
        fields->record = wrn_read_rest(reader);
        return;
    case WRN_DHT_MESSAGE_DIGEST:
        fields->number = wrn_read_u32(reader);
        fields->flags = wrn_read_u8(reader);
        fields->place = wrn_read_u64(reader);
        fields->count = wrn_read_u8(reader);
        fields->items = wrn_read_rest(reader);
        return;
    case WRN_DHT_MESSAGE_WANT:
        fields->number = wrn_read_u32(reader);
        fields->have = wrn_read_u32(reader);
        fields->want = wrn_read_u32(reader);
        return;
    case WRN_DHT_MESSAGE_WEIGH:
        fields->number = wrn_read_u32(reader);
        fields->at = wrn_read_id(reader);
        wrn_read_bytes(reader, fields->owners[0], sizeof(fields->owners[0]));
        wrn_read_bytes(reader, fields->owners[1], sizeof(fields->owners[1]));
        return;
    case WRN_DHT_MESSAGE_WEIGHED:
        fields->number = wrn_read_u32(reader);
        fields->words_s[0] = read_time(reader);
        fields->words_s[1] = read_time(reader);
        return;
    default:
        reader->failed = true;
        return;
    }
}

static void write_direct(struct wrn_writer *writer, const struct wrn_dht_fields *fields) {
    switch (fields->type) {
    case WRN_DHT_MESSAGE_ASK:
        write_asker(writer, fields);
        write_question(writer, fields);
        return;
    case WRN_DHT_MESSAGE_PASS:
        write_asker(writer, fields);
        wrn_write_u64(writer, fields->nonce);
        wrn_write_u8(writer, fields->flags);
        wrn_write_span(writer, fields->record);
        return;
    case WRN_DHT_MESSAGE_COPY:
        wrn_write_u32(writer, fields->number);
        wrn_write_u8(writer, fields->flags);
        wrn_write_u64(writer, (uint64_t)fields->claim_s);
        wrn_write_span(writer, fields->record);
        return;
    case WRN_DHT_MESSAGE_COPIED:
        wrn_write_u32(writer, fields->number);
        wrn_write_u8(writer, (uint8_t)fields->reason);
        wrn_write_u64(writer, (uint64_t)fields->claim_s);
        wrn_write_span(writer, fields->record);
        return;
    case WRN_DHT_MESSAGE_DIGEST:
        wrn_write_u32(writer, fields->number);
        wrn_write_u8(writer, fields->flags);
        wrn_write_u64(writer, fields->place);
        wrn_write_u8(writer, fields->count);
        wrn_write_span(writer, fields->items);
        return;
    case WRN_DHT_MESSAGE_WANT:
        wrn_write_u32(writer, fields->number);
        wrn_write_u32(writer, fields->have);
        wrn_write_u32(writer, fields->want);
        return;
    case WRN_DHT_MESSAGE_WEIGH:
        wrn_write_u32(writer, fields->number);
        wrn_write_id(writer, fields->at);
        wrn_write_bytes(writer, fields->owners[0], sizeof(fields->owners[0]));
        wrn_write_bytes(writer, fields->owners[1], sizeof(fields->owners[1]));
        return;
    case WRN_DHT_MESSAGE_WEIGHED:
        wrn_write_u32(writer, fields->number);
        wrn_write_u64(writer, (uint64_t)fields->words_s[0]);
        wrn_write_u64(writer, (uint64_t)fields->words_s[1]);
        return;
    default:
        WRN_ASSERT(false);
    }
}

static bool is_in_range(const struct wrn_dht_fields *fields) {
    bool is_question = fields->type == WRN_DHT_MESSAGE_GET || fields->type == WRN_DHT_MESSAGE_ASK;
    bool is_store = fields->type == WRN_DHT_MESSAGE_STORE || fields->type == WRN_DHT_MESSAGE_PASS;
    bool needs_record =
        is_store || fields->type == WRN_DHT_MESSAGE_LOSS || fields->type == WRN_DHT_MESSAGE_COPY;
    if (fields->flags > (is_store ? 3 : 1) || (uint32_t)fields->reason >= WRN_REASON_COUNT ||
        fields->record.size > WRN_RECORD_MAX || (needs_record && fields->record.size == 0) ||
        fields->key.size > WRN_RECORD_KEY_MAX || (is_question && fields->key.size == 0) ||
        (fields->have & fields->want) != 0) {
        return false;
    }
    if (fields->type == WRN_DHT_MESSAGE_DIGEST) {
        return fields->count <= WRN_DHT_BATCH && fields->items.size == (size_t)16 * fields->count;
    }
    return fields->type != WRN_DHT_MESSAGE_ANSWER || are_records(fields);
}

/* The list of an answer ends where the message ends, and no record is empty or too large. */
static bool are_records(const struct wrn_dht_fields *fields) {
    struct wrn_reader reader = wrn_reader(fields->items);
    for (uint32_t i = 0; i < fields->count; i++) {
        uint16_t size = wrn_read_u16(&reader);
        (void)wrn_read_span(&reader, size);
        if (size == 0 || size > WRN_RECORD_MAX) {
            return false;
        }
    }
    return wrn_reader_is_done(&reader);
}
