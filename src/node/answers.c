/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller asks of a network, and the answers: who has a name, paths to nodes, who is on the
 * ring, records of the table. Each question has an end. */
#include <stdio.h>

#include "node/network_internal.h"

enum {
    RESOLVE_S = 25,
    CONNECT_S = 30,
    PROBE_S = 3,
    WALK_S = 60,     /* around the ring */
    INFO_S = 3,      /* for answers, once it was walked */
    INFO_PER_S = 32, /* that we answer */
    CALLER_TAG_MAX = 0xffffff,
};

static const char info_label[] = "warren member 1";

static struct wrn_network_question *free_question(struct wrn_network *network);
static void answer_now(struct wrn_network *network, uint32_t tag, enum wrn_reason reason);
static bool answer_probe(struct wrn_network *network, uint64_t nonce);
static void end_walk(struct wrn_network *network);
static size_t write_info(const struct wrn_network *network, uint64_t nonce,
                         uint8_t out[WRN_PAYLOAD_MAX - 1]);
static void hash_info(const struct wrn_network *network, uint64_t nonce, const uint8_t ipv4[4],
                      wrn_span label, wrn_span chain, uint8_t ret_hash[WRN_SHA256_SIZE]);
static void keep_what_may_be(const struct wrn_network *network, const struct wrn_rights *rights,
                             struct wrn_node_answer *said);
static void answer_info(struct wrn_network *network, const uint8_t *public_key, wrn_span chain,
                        const char *label, const struct wrn_ip *ipv4);
static bool names_same(const struct wrn_names_question *a, const struct wrn_names_question *b);

struct wrn_node_answer *wrn_network_answer(struct wrn_network *network, uint32_t tag) {
    struct wrn_node_answer *answer = &wrn_network_emit(network, WRN_NODE_ANSWER)->answer;
    answer->tag = tag;
    return answer;
}

/* ---- names ---- */

void wrn_node_resolve(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                      const struct wrn_names_question *question, uint32_t tag,
                      struct wrn_names_answer *ret_answer, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    struct wrn_names_question asked = *question;
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_UNKNOWN};
    if (!network) {
        return;
    }
    if (asked.kind == WRN_NAMES_REVERSE && wrn_network_is_hit(&asked.ip)) {
        /* the table has the address that is made of it */
        (void)wrn_lease_ipv6(&network->descriptor.ipv6, question->ip.bytes, &asked.ip);
    }
    wrn_network_begin(network, now, out);
    struct wrn_network_question *mine = free_question(network);
    if (!mine || network->is_gone) {
        ret_answer->found = mine ? WRN_NAMES_UNKNOWN : WRN_NAMES_BUSY;
    } else {
        wrn_names_ask(network->names, now, &asked, ret_answer);
    }
    if (mine && ret_answer->found == WRN_NAMES_PENDING) {
        *mine = (struct wrn_network_question){.kind = WRN_NETWORK_QUESTION_RESOLVE,
                                              .tag = tag,
                                              .due = wrn_mono_add(now.mono, WRN_S(RESOLVE_S)),
                                              .name = asked};
    }
    wrn_network_end(network);
}

void wrn_network_questions_on_resolved(struct wrn_network *network,
                                       const struct wrn_names_question *question,
                                       const struct wrn_names_answer *answer) {
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        struct wrn_network_question *mine = &network->questions[i];
        if (mine->kind != WRN_NETWORK_QUESTION_RESOLVE || !names_same(&mine->name, question)) {
            continue;
        }
        mine->kind = WRN_NETWORK_QUESTION_NONE;
        struct wrn_node_answer *said = wrn_network_answer(network, mine->tag);
        said->is_last = true;
        said->reason = answer->found == WRN_NAMES_FOUND    ? WRN_REASON_NONE
                       : answer->found == WRN_NAMES_ABSENT ? WRN_REASON_NOT_FOUND
                                                           : WRN_REASON_TIMEOUT;
        said->found = answer->found;
        said->name = *answer;
        memcpy(said->hit, answer->hit, sizeof(said->hit));
    }
}

static bool names_same(const struct wrn_names_question *a, const struct wrn_names_question *b) {
    return a->kind == b->kind && (a->kind == WRN_NAMES_HOST ? strcmp(a->label, b->label) == 0
                                                            : wrn_ip_equal(&a->ip, &b->ip));
}

/* ---- paths ---- */

void wrn_node_connect(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                      const uint8_t hit[WRN_HIT_SIZE], uint32_t tag, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return;
    }
    wrn_id id = wrn_id_of_hit(hit);
    wrn_network_begin(network, now, out);
    struct wrn_network_question *mine = free_question(network);
    if (network->is_gone) {
        answer_now(network, tag, WRN_REASON_LEAVING);
    } else if (memcmp(hit, node->hit, WRN_HIT_SIZE) == 0) {
        answer_now(network, tag, WRN_REASON_SELF);
    } else if (!mine) {
        answer_now(network, tag, WRN_REASON_FULL);
    } else {
        *mine = (struct wrn_network_question){.kind = WRN_NETWORK_QUESTION_CONNECT,
                                              .tag = tag,
                                              .due = wrn_mono_add(now.mono, WRN_S(CONNECT_S)),
                                              .id = id};
        wrn_network_connect(network, id);
    }
    wrn_network_end(network);
}

void wrn_network_questions_on_connected(struct wrn_network *network, wrn_id id,
                                        enum wrn_reason reason) {
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        struct wrn_network_question *mine = &network->questions[i];
        if (mine->kind == WRN_NETWORK_QUESTION_CONNECT && wrn_id_equal(mine->id, id)) {
            mine->kind = WRN_NETWORK_QUESTION_NONE;
            struct wrn_node_answer *said = wrn_network_answer(network, mine->tag);
            said->is_last = true;
            said->reason = reason;
            wrn_id_hit(id, said->hit);
        }
    }
}

/* ---- signs of life ---- */

/* The same question as "who are you", since every node answers that; only the one that got its
 * nonce can. */
void wrn_node_probe(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                    const uint8_t hit[WRN_HIT_SIZE], uint32_t tag, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    uint8_t message[1 + sizeof(uint64_t)];
    if (!network) {
        return;
    }
    wrn_network_begin(network, now, out);
    struct wrn_network_question *mine = free_question(network);
    enum wrn_reason reason = network->is_gone ? WRN_REASON_LEAVING
                             : !mine          ? WRN_REASON_FULL
                                              : WRN_REASON_NONE;
    if (reason == WRN_REASON_NONE) {
        struct wrn_writer writer = wrn_writer(message, sizeof(message));
        *mine = (struct wrn_network_question){.kind = WRN_NETWORK_QUESTION_PROBE,
                                              .tag = tag,
                                              .due = wrn_mono_add(now.mono, WRN_S(PROBE_S)),
                                              .id = wrn_id_of_hit(hit)};
        wrn_rand_fill(node->options.rand, &mine->nonce, sizeof(mine->nonce));
        wrn_write_u8(&writer, WRN_NETWORK_INFO_ASK);
        wrn_write_u64(&writer, mine->nonce);
        reason = wrn_network_route(network, mine->id, wrn_written(&writer));
        mine->kind = reason == WRN_REASON_NONE ? mine->kind : WRN_NETWORK_QUESTION_NONE;
    }
    if (reason != WRN_REASON_NONE) {
        answer_now(network, tag, reason);
    }
    wrn_network_end(network);
}

static bool answer_probe(struct wrn_network *network, uint64_t nonce) {
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        struct wrn_network_question *mine = &network->questions[i];
        if (mine->kind == WRN_NETWORK_QUESTION_PROBE && mine->nonce == nonce) {
            mine->kind = WRN_NETWORK_QUESTION_NONE;
            answer_now(network, mine->tag, WRN_REASON_NONE);
            return true;
        }
    }
    return false;
}

/* ---- who is there ---- */

void wrn_node_members(struct wrn_node *node, struct wrn_now now, wrn_handle handle, uint32_t tag,
                      struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return;
    }
    struct wrn_network_walk *walk = network->walk;
    wrn_network_begin(network, now, out);
    if (walk->tag != 0 || network->is_gone) {
        answer_now(network, tag, network->is_gone ? WRN_REASON_LEAVING : WRN_REASON_FULL);
        wrn_network_end(network);
        return;
    }
    memset(walk, 0, sizeof(*walk));
    walk->tag = tag;
    wrn_rand_fill(node->options.rand, &walk->nonce, sizeof(walk->nonce));
    walk->due = wrn_mono_add(now.mono, WRN_S(WALK_S));
    enum wrn_reason reason = wrn_overlay_crawl(network->overlay, now, WRN_NETWORK_TAG_CALLER,
                                               WRN_NETWORK_WALKED_MAX, out->overlay);
    if (reason != WRN_REASON_NONE) { /* on no ring there is nobody but us */
        wrn_network_questions_on_found(network, wrn_overlay_id(network->overlay), true, reason);
    }
    wrn_network_end(network);
}

void wrn_node_members_stop(struct wrn_node *node, wrn_handle handle, uint32_t tag) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (network && tag != 0 && network->walk->tag == tag) {
        network->walk->tag = 0;
        wrn_overlay_crawl_stop(network->overlay, WRN_NETWORK_TAG_CALLER);
    }
}

void wrn_network_questions_on_found(struct wrn_network *network, wrn_id id, bool is_last,
                                    enum wrn_reason reason) {
    struct wrn_network_walk *walk = network->walk;
    uint8_t message[1 + sizeof(walk->nonce)];
    if (walk->tag == 0 || walk->is_over) {
        return;
    }
    if (walk->count < WRN_NETWORK_WALKED_MAX) {
        uint32_t at = walk->count++;
        walk->ids[at] = id;
        if (wrn_id_equal(id, wrn_overlay_id(network->overlay))) {
            struct wrn_ip ip = wrn_lease_address(&network->lease);
            walk->has_answered[at] = true;
            walk->answered++;
            answer_info(network, network->node->public_key,
                        (wrn_span){network->chain, network->chain_size},
                        wrn_names_own(network->names), &ip);
        } else {
            struct wrn_writer writer = wrn_writer(message, sizeof(message));
            wrn_write_u8(&writer, WRN_NETWORK_INFO_ASK);
            wrn_write_u64(&writer, walk->nonce);
            (void)wrn_network_route(network, id, wrn_written(&writer));
        }
    }
    if (is_last) {
        walk->is_over = true;
        walk->reason = reason;
        walk->due = wrn_mono_add(network->now.mono, WRN_S(INFO_S));
        if (walk->answered == walk->count) {
            end_walk(network);
        }
    }
}

/* kind(1) nonce(8) */
void wrn_network_on_info_ask(struct wrn_network *network, wrn_id source, wrn_span message) {
    uint8_t answer[WRN_PAYLOAD_MAX - 1];
    struct wrn_reader reader = wrn_reader(message);
    (void)wrn_read_u8(&reader);
    uint64_t nonce = wrn_read_u64(&reader);
    uint64_t second = network->now.mono.ns / WRN_S(1);
    if (network->info_second != second) {
        network->info_second = second;
        network->info_said = 0;
    }
    /* the answer is a hundred times as large, and goes to whoever is said to have asked */
    if (wrn_reader_is_done(&reader) && network->info_said < INFO_PER_S) {
        network->info_said++;
        size_t size = write_info(network, nonce, answer);
        if (size > 0) {
            (void)wrn_network_route(network, source, (wrn_span){answer, size});
        }
    }
}

/* kind(1) nonce(8) public-key(32) IPv4(4, 0: none) label-size(1) label signature(64) chain(rest).
 * Returns 0 for want of memory. */
static size_t write_info(const struct wrn_network *network, uint64_t nonce,
                         uint8_t out[WRN_PAYLOAD_MAX - 1]) {
    const char *label = wrn_names_own(network->names);
    struct wrn_ip ip = wrn_lease_address(&network->lease);
    wrn_span chain = {network->chain, network->chain_size};
    uint8_t hash[WRN_SHA256_SIZE], signature[WRN_SIGNATURE_SIZE];
    struct wrn_writer writer = wrn_writer(out, WRN_PAYLOAD_MAX - 1);
    wrn_write_u8(&writer, WRN_NETWORK_INFO);
    wrn_write_u64(&writer, nonce);
    wrn_write_bytes(&writer, network->node->public_key, WRN_SIGN_PUBLIC_SIZE);
    wrn_write_bytes(&writer, ip.bytes, 4);
    wrn_write_u8(&writer, (uint8_t)strlen(label));
    wrn_write_bytes(&writer, label, strlen(label));
    hash_info(network, nonce, ip.bytes, (wrn_span){(const uint8_t *)label, strlen(label)}, chain,
              hash);
    if (!wrn_sign(network->node->options.seed, info_label, (wrn_span){hash, sizeof(hash)},
                  signature)) {
        return 0;
    }
    wrn_write_bytes(&writer, signature, sizeof(signature));
    wrn_write_span(&writer, chain);
    return wrn_written(&writer).size;
}

/* What is signed: network, nonce, address, label with its size, chain. */
static void hash_info(const struct wrn_network *network, uint64_t nonce, const uint8_t ipv4[4],
                      wrn_span label, wrn_span chain, uint8_t ret_hash[WRN_SHA256_SIZE]) {
    uint8_t head[WRN_NETWORK_ID_SIZE + 8 + 4 + 1 + WRN_LABEL_SIZE];
    struct wrn_writer writer = wrn_writer(head, sizeof(head));
    wrn_write_bytes(&writer, network->descriptor.id, WRN_NETWORK_ID_SIZE);
    wrn_write_u64(&writer, nonce);
    wrn_write_bytes(&writer, ipv4, 4);
    wrn_write_u8(&writer, (uint8_t)label.size);
    wrn_write_span(&writer, label);
    wrn_sha256(wrn_written(&writer), chain, ret_hash);
}

void wrn_network_on_info(struct wrn_network *network, wrn_id source, wrn_span message) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_network_walk *walk = network->walk;
    struct wrn_ip ip = {.family = WRN_FAMILY_NONE};
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], hit[WRN_HIT_SIZE], hash[WRN_SHA256_SIZE];
    char label[WRN_LABEL_SIZE] = "";
    struct wrn_reader reader = wrn_reader(message);
    (void)source; /* a claim: the key says who it is, as far as anything does */
    (void)wrn_read_u8(&reader);
    uint64_t nonce = wrn_read_u64(&reader);
    wrn_read_bytes(&reader, key, sizeof(key));
    wrn_read_bytes(&reader, ip.bytes, 4);
    wrn_span text = wrn_read_span(&reader, wrn_read_u8(&reader));
    const uint8_t *signature = wrn_read_span(&reader, WRN_SIGNATURE_SIZE).data;
    wrn_span chain = wrn_read_rest(&reader);
    if (!reader.failed && answer_probe(network, nonce)) {
        return;
    }
    if (reader.failed || walk->tag == 0 || nonce != walk->nonce ||
        (text.size > 0 && !wrn_label_is_good(text))) {
        return;
    }
    hash_info(network, nonce, ip.bytes, text, chain, hash);
    ip.family = wrn_load_be32(ip.bytes) == 0 ? WRN_FAMILY_NONE : WRN_FAMILY_IPV4;
    if (text.size > 0) {
        memcpy(label, text.data, text.size);
    }
    primitives->hit(primitives->ctx, key, hit);
    wrn_id id = wrn_id_of_hit(hit);
    for (uint32_t i = 0; i < walk->count; i++) {
        if (wrn_id_equal(walk->ids[i], id) && !walk->has_answered[i] &&
            wrn_sign_verify(key, info_label, (wrn_span){hash, sizeof(hash)}, signature)) {
            walk->has_answered[i] = true;
            walk->answered++;
            answer_info(network, key, chain, label, &ip);
            break;
        }
    }
    if (walk->is_over && walk->answered == walk->count) {
        end_walk(network);
    }
}

static void answer_info(struct wrn_network *network, const uint8_t *public_key, wrn_span chain,
                        const char *label, const struct wrn_ip *ipv4) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_members_answer judged =
        wrn_members_judge(network->members, network->now.wall, public_key, chain);
    struct wrn_node_answer *said = wrn_network_answer(network, network->walk->tag);
    primitives->hit(primitives->ctx, public_key, said->hit);
    memcpy(said->public_key, public_key, sizeof(said->public_key));
    (void)snprintf(said->label, sizeof(said->label), "%s", label);
    said->ipv4 = *ipv4;
    said->reason = judged.reason;
    if (judged.reason == WRN_REASON_NONE) {
        said->rights = judged.rights->flags;
        said->until_s = judged.rights->until_s;
        keep_what_may_be(network, judged.rights, said);
    }
    said->record = wrn_network_keep(network, chain);
}

/* A name or an address that its chain does not permit it nobody has to hear of. Of others it is
 * known whether the table says so, too: of this host, and of peers whose lease was looked up. */
static void keep_what_may_be(const struct wrn_network *network, const struct wrn_rights *rights,
                             struct wrn_node_answer *said) {
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, said->public_key);
    bool is_own = memcmp(said->public_key, network->node->public_key, WRN_SIGN_PUBLIC_SIZE) == 0;
    wrn_span label = {(const uint8_t *)said->label, strlen(said->label)};
    if (label.size > 0 && !wrn_rights_has_name(rights, label)) {
        said->label[0] = '\0';
    }
    if (!wrn_members_is_lease(network->members, &said->ipv4) ||
        !wrn_rights_has_address(rights, &said->ipv4)) {
        said->ipv4 = (struct wrn_ip){.family = WRN_FAMILY_NONE};
    }
    said->is_proven = is_own || (peer && peer->ipv4_proven.family != WRN_FAMILY_NONE &&
                                 wrn_ip_equal(&peer->ipv4_proven, &said->ipv4));
}

/* Those that are there and said nothing are named, too. */
static void end_walk(struct wrn_network *network) {
    struct wrn_network_walk *walk = network->walk;
    if (!walk->is_over) { /* what it found yet would be taken for the next one's */
        wrn_overlay_crawl_stop(network->overlay, WRN_NETWORK_TAG_CALLER);
    }
    for (uint32_t i = 0; i < walk->count; i++) {
        if (!walk->has_answered[i]) {
            struct wrn_node_answer *said = wrn_network_answer(network, walk->tag);
            said->reason = WRN_REASON_TIMEOUT;
            wrn_id_hit(walk->ids[i], said->hit);
        }
    }
    struct wrn_node_answer *last = wrn_network_answer(network, walk->tag);
    last->is_last = true;
    last->reason = walk->reason;
    walk->tag = 0;
}

/* ---- the table ---- */

void wrn_node_get(struct wrn_node *node, struct wrn_now now, wrn_handle handle, uint32_t tag,
                  wrn_span key, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return;
    }
    wrn_network_begin(network, now, out);
    enum wrn_reason reason =
        network->is_gone
            ? WRN_REASON_LEAVING
            : wrn_network_get(network, WRN_NETWORK_TAG_CALLER | (tag & CALLER_TAG_MAX), key);
    if (reason != WRN_REASON_NONE) {
        answer_now(network, tag, reason);
    }
    wrn_network_end(network);
}

void wrn_node_store(struct wrn_node *node, struct wrn_now now, wrn_handle handle, uint32_t tag,
                    enum wrn_record_kind kind, wrn_span key, wrn_span value, uint32_t ttl_s,
                    bool keep, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return;
    }
    struct wrn_claim_request request = {.tag = WRN_NETWORK_TAG_CALLER | (tag & CALLER_TAG_MAX),
                                        .kind = kind,
                                        .key = key,
                                        .value = value,
                                        .ttl_s = ttl_s};
    wrn_network_begin(network, now, out);
    enum wrn_reason reason = network->is_gone ? WRN_REASON_LEAVING : WRN_REASON_NONE;
    if (reason == WRN_REASON_NONE && keep) {
        reason = wrn_keeper_ask(network, &request);
    } else if (reason == WRN_REASON_NONE && kind == WRN_RECORD_DELETE) {
        wrn_keeper_end(network, key);
    }
    if (reason == WRN_REASON_NONE) {
        reason = wrn_network_store(network, &request);
    }
    if (reason != WRN_REASON_NONE) {
        wrn_keeper_asked(network, request.tag, reason);
        answer_now(network, tag, reason);
    }
    wrn_network_end(network);
}

void wrn_network_questions_on_answer(struct wrn_network *network,
                                     const struct wrn_dht_answer *answer) {
    wrn_span record = wrn_network_keep(network, answer->record);
    if (answer->is_last && answer->verb == WRN_DHT_STORE) {
        wrn_keeper_asked(network, answer->tag, answer->reason);
    }
    struct wrn_node_answer *said = wrn_network_answer(network, answer->tag & CALLER_TAG_MAX);
    said->is_last = answer->is_last;
    said->reason = answer->reason;
    said->record = record;
    said->copies = answer->copies;
}

/* ---- ends ---- */

void wrn_network_questions_on_time(struct wrn_network *network) {
    struct wrn_network_walk *walk = network->walk;
    wrn_mono now = network->now.mono;
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        struct wrn_network_question *mine = &network->questions[i];
        if (mine->kind != WRN_NETWORK_QUESTION_NONE && wrn_mono_reached(now, mine->due)) {
            mine->kind = WRN_NETWORK_QUESTION_NONE;
            answer_now(network, mine->tag, WRN_REASON_TIMEOUT);
        }
    }
    if (walk->tag != 0 && wrn_mono_reached(now, walk->due)) {
        walk->reason = walk->is_over ? walk->reason : WRN_REASON_TIMEOUT;
        end_walk(network);
    }
}

void wrn_network_questions_end(struct wrn_network *network) {
    struct wrn_network_walk *walk = network->walk;
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        struct wrn_network_question *mine = &network->questions[i];
        if (mine->kind != WRN_NETWORK_QUESTION_NONE) {
            mine->kind = WRN_NETWORK_QUESTION_NONE;
            answer_now(network, mine->tag, WRN_REASON_LEAVING);
        }
    }
    if (walk->tag != 0) {
        walk->reason = WRN_REASON_LEAVING;
        end_walk(network);
    }
}

wrn_mono wrn_network_questions_due(const struct wrn_network *network) {
    wrn_mono due = network->walk->tag != 0 ? network->walk->due : WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        const struct wrn_network_question *mine = &network->questions[i];
        due = mine->kind != WRN_NETWORK_QUESTION_NONE ? wrn_mono_min(due, mine->due) : due;
    }
    return due;
}

static struct wrn_network_question *free_question(struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_NETWORK_QUESTIONS_MAX; i++) {
        if (network->questions[i].kind == WRN_NETWORK_QUESTION_NONE) {
            return &network->questions[i];
        }
    }
    return NULL;
}

static void answer_now(struct wrn_network *network, uint32_t tag, enum wrn_reason reason) {
    struct wrn_node_answer *said = wrn_network_answer(network, tag);
    said->is_last = true;
    said->reason = reason;
    said->found = WRN_NAMES_UNKNOWN;
}
