/* SPDX-License-Identifier: Apache-2.0 */
/* Bearing a name is a claim (claim.c); questions are entries of a table, each with a deadline. */
#include "network/names.h"

#include <stdio.h>

enum { PREFIX = 5, LABEL_MAX = WRN_LABEL_SIZE - 1 };

static const char prefix[PREFIX + 1] = "name/";

/* What is known of one name or address, or asked. */
struct entry {
    uint8_t kind;  /* enum wrn_names_kind, of the question; NOT_OURS: free */
    uint8_t found; /* enum wrn_names_found */
    bool has_record;
    bool is_checking; /* REVERSE: its owner is known, and asked is whether he has that name */
    bool is_named;    /* ... and he has */
    uint32_t tag;     /* of the question under way; 0: none */
    wrn_mono deadline;
    int64_t claimed_s, end_s; /* of the record */
    uint8_t hash[WRN_HASH_SIZE];
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE], hit[WRN_HIT_SIZE];
    char label[WRN_LABEL_SIZE];
    struct wrn_ip ip; /* IPv4 */
};

struct wrn_names {
    struct wrn_claim claim;
    struct wrn_names_port port;
    struct wrn_prefix ipv4, ipv6;
    struct wrn_rights rights;
    bool has_rights;
    struct wrn_ip own_ip;
    uint8_t own[WRN_SIGN_PUBLIC_SIZE], own_hit[WRN_HIT_SIZE];
    char host[WRN_LABEL_SIZE]; /* as we would like to be called */
    char label[WRN_LABEL_SIZE];
    uint32_t serial, tag_top;
    uint32_t entries_max, asking; /* entries under way */
    wrn_mono asking_due;
    struct entry *entries;
};

static bool answer_own(const struct wrn_names *names, const struct wrn_names_question *question,
                       struct wrn_names_answer *ret_answer);
static bool answer_ipv6(const struct wrn_names *names, struct wrn_now now,
                        const struct wrn_names_question *question,
                        struct wrn_names_answer *ret_answer);
static struct entry *find(struct wrn_names *names, const struct wrn_names_question *question);
static struct entry *make_room(struct wrn_names *names);
static void ask(struct wrn_names *names, struct wrn_now now, struct entry *entry);
static void take_record(struct wrn_names *names, struct entry *entry, wrn_span bytes);
static void settle(struct wrn_names *names, struct wrn_now now, struct entry *entry,
                   enum wrn_reason reason);
static void conclude(struct wrn_names *names, struct wrn_now now, struct entry *entry,
                     enum wrn_names_found found, uint32_t ttl_s);
static void answer_of(const struct wrn_names *names, struct wrn_now now, const struct entry *entry,
                      struct wrn_names_answer *ret_answer);
static void update_due(struct wrn_names *names);
static void set_rights(struct wrn_names *names, const struct wrn_rights *rights);
static bool is_permitted(const struct wrn_names *names, const char *label);
static size_t key_of(const char *label, char ret_key[WRN_RECORD_KEY_MAX]);
static bool label_of(wrn_span key, char ret_label[WRN_LABEL_SIZE]);
static size_t candidate(void *ctx, uint32_t index, char *ret_key);
static void new_round(void *ctx);
static size_t value(void *ctx, wrn_span key, uint8_t *ret_value);
static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request);
static void tell(void *ctx, const struct wrn_claim_event *claimed);
static void explain(const struct wrn_names *names, struct wrn_names_event *event);

struct wrn_names *wrn_names_init(struct wrn_arena *arena, const struct wrn_names_options *options,
                                 const struct wrn_names_port *port,
                                 const struct wrn_primitives *primitives, struct wrn_rand rand) {
    struct wrn_names *names = wrn_arena_take(arena, 1, sizeof *names);
    struct entry *entries = wrn_arena_take(arena, options->entries_max, sizeof *entries);
    struct wrn_claim_port claim_port = {.ctx = names,
                                        .candidate = candidate,
                                        .round = new_round,
                                        .value = value,
                                        .store = store,
                                        .event = tell};
    if (names == NULL) {
        return NULL;
    }
    names->port = *port;
    names->ipv4 = options->ipv4;
    names->ipv6 = options->ipv6;
    names->entries = entries;
    names->entries_max = options->entries_max;
    names->asking_due = WRN_MONO_NEVER;
    names->tag_top = ((uint32_t)options->tag_top + 1) << 16;
    memcpy(names->own, options->own, sizeof names->own);
    primitives->hit(primitives->ctx, names->own, names->own_hit);
    wrn_names_label(options->host, names->own_hit, names->host);
    set_rights(names, options->rights);
    wrn_claim_init(&names->claim, &claim_port, primitives, rand, options->own, options->tag_top);
    return names;
}

void wrn_names_start(struct wrn_names *names, struct wrn_now now) {
    wrn_claim_start(&names->claim, now);
}

void wrn_names_stop(struct wrn_names *names, struct wrn_now now, bool release) {
    wrn_claim_stop(&names->claim, now, release);
    names->label[0] = '\0';
}

void wrn_names_set_rights(struct wrn_names *names, struct wrn_now now,
                          const struct wrn_rights *rights) {
    set_rights(names, rights);
    wrn_claim_changed(&names->claim, now,
                      names->label[0] != '\0' && is_permitted(names, names->label));
}

void wrn_names_set_address(struct wrn_names *names, struct wrn_now now, const struct wrn_ip *ip) {
    if (!wrn_ip_equal(&names->own_ip, ip)) {
        names->own_ip = *ip;
        wrn_claim_refresh(&names->claim, now);
    }
}

void wrn_names_refresh(struct wrn_names *names, struct wrn_now now) {
    wrn_claim_refresh(&names->claim, now);
}

void wrn_names_ask(struct wrn_names *names, struct wrn_now now,
                   const struct wrn_names_question *question, struct wrn_names_answer *ret_answer) {
    *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_ABSENT};
    if ((question->kind != WRN_NAMES_HOST && question->kind != WRN_NAMES_REVERSE) ||
        answer_own(names, question, ret_answer) || answer_ipv6(names, now, question, ret_answer)) {
        return;
    }
    struct entry *entry = find(names, question);
    if (entry == NULL || (entry->tag == 0 && wrn_mono_reached(now.mono, entry->deadline))) {
        entry = entry != NULL ? entry : make_room(names);
        if (entry == NULL || names->asking >= names->entries_max / 2) {
            ret_answer->found = WRN_NAMES_BUSY;
            return;
        }
        *entry = (struct entry){.kind = (uint8_t)question->kind};
        if (question->kind == WRN_NAMES_HOST) {
            memcpy(entry->label, question->label, sizeof entry->label);
        } else {
            entry->ip = question->ip;
        }
        ask(names, now, entry);
    }
    answer_of(names, now, entry, ret_answer);
}

void wrn_names_forget(struct wrn_names *names) {
    for (uint32_t i = 0; i < names->entries_max; i++) {
        if (names->entries[i].tag == 0) {
            names->entries[i].kind = WRN_NAMES_NOT_OURS;
        }
    }
}

void wrn_names_on_answer(struct wrn_names *names, struct wrn_now now,
                         const struct wrn_dht_answer *answer) {
    wrn_claim_on_answer(&names->claim, now, answer);
    for (uint32_t i = 0; i < names->entries_max && answer->verb == WRN_DHT_GET; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->tag != 0 && entry->tag == answer->tag) {
            take_record(names, entry, answer->record);
            if (answer->is_last) {
                settle(names, now, entry, answer->reason);
            }
            return;
        }
    }
}

void wrn_names_on_lost(struct wrn_names *names, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason) {
    wrn_claim_on_lost(&names->claim, now, record, winner, reason);
}

void wrn_names_on_connected(struct wrn_names *names, struct wrn_now now) {
    wrn_claim_on_connected(&names->claim, now);
}

void wrn_names_on_time(struct wrn_names *names, struct wrn_now now) {
    wrn_claim_on_time(&names->claim, now);
    if (!wrn_mono_reached(now.mono, names->asking_due)) {
        return;
    }
    for (uint32_t i = 0; i < names->entries_max; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->tag != 0 && wrn_mono_reached(now.mono, entry->deadline)) {
            settle(names, now, entry, WRN_REASON_TIMEOUT);
        }
    }
    update_due(names);
}

wrn_mono wrn_names_due(const struct wrn_names *names) {
    return wrn_mono_min(names->asking_due, wrn_claim_due(&names->claim));
}

const char *wrn_names_own(const struct wrn_names *names) {
    return names->label;
}

enum wrn_claim_state wrn_names_state(const struct wrn_names *names) {
    return names->claim.state;
}

/* ---- the record ---- */

size_t wrn_names_value(const struct wrn_ip *ip, uint8_t ret_value[WRN_CLAIM_VALUE_MAX]) {
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(ret_value, WRN_CLAIM_VALUE_MAX);
    wrn_sexp_open(&writer, "host");
    if (ip->family == WRN_FAMILY_IPV4) {
        char text[WRN_RECORD_KEY_MAX];
        size_t size = wrn_lease_key(ip, text);
        wrn_sexp_open(&writer, "address");
        wrn_sexp_put_bytes(&writer, (wrn_span){(const uint8_t *)text + PREFIX, size - PREFIX});
        wrn_sexp_close(&writer);
    }
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, &sexp);
    WRN_ASSERT(error == 0);
    return sexp.bytes.size;
}

bool wrn_names_read(const struct wrn_record *record, char ret_label[WRN_LABEL_SIZE],
                    struct wrn_ip *ret_ip) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_sexp sexp;
    struct wrn_prefix address = {.length_bits = 32};
    char again[WRN_RECORD_KEY_MAX];
    wrn_span text = {NULL, 0};
    if (record->kind != WRN_RECORD_CREATE || !label_of(record->key, ret_label) ||
        wrn_sexp_check(record->value, &sexp, NULL) != 0 ||
        !wrn_sexp_enter_named(sexp, "host", &cursor)) {
        return false;
    }
    if (wrn_sexp_take_named(&cursor, "address", &inner)) {
        if (!wrn_sexp_take_atom(&inner, &text) || !wrn_sexp_at_end(&inner) ||
            wrn_prefix_parse(text, &address) != 0 || address.ip.family != WRN_FAMILY_IPV4 ||
            address.length_bits != 32 || wrn_lease_key(&address.ip, again) != text.size + PREFIX ||
            memcmp(again + PREFIX, text.data, text.size) != 0) {
            return false;
        }
    }
    *ret_ip = address.ip;
    return wrn_sexp_at_end(&cursor);
}

/* ---- answers ---- */

static bool answer_own(const struct wrn_names *names, const struct wrn_names_question *question,
                       struct wrn_names_answer *ret_answer) {
    bool is_own = question->kind == WRN_NAMES_HOST
                      ? names->label[0] != '\0' && strcmp(question->label, names->label) == 0
                      : wrn_ip_equal(&question->ip, &names->own_ip) ||
                            wrn_lease_is_ipv6_of(&names->ipv6, names->own_hit, &question->ip);
    if (is_own) {
        ret_answer->found = WRN_NAMES_FOUND;
        ret_answer->ttl_s = WRN_NAMES_ABSENT_S;
        memcpy(ret_answer->label, names->label, sizeof ret_answer->label);
        memcpy(ret_answer->owner, names->own, sizeof ret_answer->owner);
        memcpy(ret_answer->hit, names->own_hit, sizeof ret_answer->hit);
        ret_answer->ipv4 = names->own_ip;
        (void)wrn_lease_ipv6(&names->ipv6, names->own_hit, &ret_answer->ipv6);
    }
    return is_own;
}

/* A name that is known may answer at once. Of addresses beyond the network's /64 nothing else does:
 * no key of the table is made of them. */
static bool answer_ipv6(const struct wrn_names *names, struct wrn_now now,
                        const struct wrn_names_question *question,
                        struct wrn_names_answer *ret_answer) {
    if (question->kind != WRN_NAMES_REVERSE || question->ip.family != WRN_FAMILY_IPV6) {
        return false;
    }
    for (uint32_t i = 0; i < names->entries_max; i++) {
        const struct entry *entry = &names->entries[i];
        if (entry->kind == WRN_NAMES_HOST && entry->found == WRN_NAMES_FOUND &&
            !wrn_mono_reached(now.mono, entry->deadline) &&
            wrn_lease_is_ipv6_of(&names->ipv6, entry->hit, &question->ip)) {
            answer_of(names, now, entry, ret_answer);
            return true;
        }
    }
    return names->ipv6.ip.family != WRN_FAMILY_IPV6 ||
           memcmp(names->ipv6.ip.bytes, question->ip.bytes, 8) != 0;
}

static struct entry *find(struct wrn_names *names, const struct wrn_names_question *question) {
    for (uint32_t i = 0; i < names->entries_max; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->kind == question->kind &&
            (entry->kind == WRN_NAMES_HOST ? strcmp(entry->label, question->label) == 0
                                           : wrn_ip_equal(&entry->ip, &question->ip))) {
            return entry;
        }
    }
    return NULL;
}

/* Returns an entry that is free, else the one that ends first of those that are not under way. */
static struct entry *make_room(struct wrn_names *names) {
    struct entry *first = NULL;
    for (uint32_t i = 0; i < names->entries_max; i++) {
        struct entry *entry = &names->entries[i];
        if (entry->kind == WRN_NAMES_NOT_OURS) {
            return entry;
        }
        if (entry->tag == 0 &&
            (first == NULL || wrn_mono_before(entry->deadline, first->deadline))) {
            first = entry;
        }
    }
    return first;
}

/* ---- questions ---- */

/* Asks for the name or address of an entry, or, if its owner is known, for his name. */
static void ask(struct wrn_names *names, struct wrn_now now, struct entry *entry) {
    char key[WRN_RECORD_KEY_MAX];
    bool is_name = entry->kind == WRN_NAMES_HOST || entry->is_checking;
    size_t size = is_name ? key_of(entry->label, key) : wrn_lease_key(&entry->ip, key);
    names->serial = (names->serial + 1) % 0xffff;
    entry->tag = names->tag_top | (names->serial + 1);
    entry->found = WRN_NAMES_PENDING;
    entry->deadline = wrn_mono_add(now.mono, WRN_S(WRN_NAMES_ASKING_S));
    enum wrn_reason reason =
        names->port.get(names->port.ctx, entry->tag, (wrn_span){(const uint8_t *)key, size});
    if (reason == WRN_REASON_NONE) {
        update_due(names);
        return;
    }
    entry->tag = 0;
    entry->found = entry->is_checking ? WRN_NAMES_FOUND : WRN_NAMES_UNKNOWN;
    entry->deadline = wrn_mono_add(now.mono, WRN_S(WRN_NAMES_UNKNOWN_S));
}

/* Takes a record that is what was asked for; of several the one that wins. */
static void take_record(struct wrn_names *names, struct entry *entry, wrn_span bytes) {
    const struct wrn_primitives *primitives = names->claim.primitives;
    struct wrn_record record;
    struct wrn_record known = {.claimed_s = entry->claimed_s};
    char label[WRN_LABEL_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_ip ip;
    bool is_name = entry->kind == WRN_NAMES_HOST || entry->is_checking;
    memcpy(known.hash, entry->hash, sizeof known.hash);
    if (wrn_record_read(bytes, primitives, &record) != WRN_REASON_NONE ||
        !(is_name ? wrn_names_read(&record, label, &ip) : wrn_lease_read(&record, &ip, label))) {
        return;
    }
    if (entry->is_checking) {
        entry->is_named =
            entry->is_named || (strcmp(label, entry->label) == 0 &&
                                memcmp(record.owner, entry->owner, sizeof record.owner) == 0);
        return;
    }
    bool is_asked = is_name ? strcmp(label, entry->label) == 0 : wrn_ip_equal(&ip, &entry->ip);
    primitives->hit(primitives->ctx, record.owner, hit);
    if (!is_name && ip.family == WRN_FAMILY_IPV6 && !wrn_lease_is_ipv6_of(&names->ipv6, hit, &ip)) {
        return; /* an IPv6 address is made of its owner's key, whatever a record says */
    }
    if (!is_asked || (entry->has_record && !wrn_record_wins(&record, &known))) {
        return;
    }
    entry->has_record = true;
    entry->claimed_s = record.claimed_s;
    entry->end_s = record.made_s + record.ttl_s;
    memcpy(entry->hash, record.hash, sizeof entry->hash);
    memcpy(entry->owner, record.owner, sizeof entry->owner);
    memcpy(entry->hit, hit, sizeof entry->hit);
    if (is_name) {
        bool is_inside = wrn_lease_is_assignable(&names->ipv4, &ip);
        entry->ip = is_inside ? ip : (struct wrn_ip){.family = WRN_FAMILY_NONE};
    } else {
        memcpy(entry->label, label, sizeof entry->label);
    }
}

/* All answers to a question are here. */
static void settle(struct wrn_names *names, struct wrn_now now, struct entry *entry,
                   enum wrn_reason reason) {
    entry->tag = 0;
    if (!entry->has_record) {
        bool is_certain = reason == WRN_REASON_NOT_FOUND;
        conclude(names, now, entry, is_certain ? WRN_NAMES_ABSENT : WRN_NAMES_UNKNOWN,
                 is_certain ? WRN_NAMES_ABSENT_S : WRN_NAMES_UNKNOWN_S);
        return;
    }
    int64_t left_s = entry->end_s - now.wall.s;
    uint32_t ttl_s = left_s < 1                   ? 1
                     : left_s < WRN_NAMES_FOUND_S ? (uint32_t)left_s
                                                  : (uint32_t)WRN_NAMES_FOUND_S;
    if (entry->kind == WRN_NAMES_REVERSE && !entry->is_checking && entry->label[0] != '\0') {
        entry->is_checking = true; /* he says that he is called so: does he have that name? */
        ask(names, now, entry);
        if (entry->tag != 0) {
            return;
        }
        ttl_s = WRN_NAMES_UNKNOWN_S;
    }
    if (entry->is_checking && !entry->is_named) {
        entry->label[0] = '\0';
        ttl_s = ttl_s < WRN_NAMES_ABSENT_S ? ttl_s : (uint32_t)WRN_NAMES_ABSENT_S;
    }
    conclude(names, now, entry, WRN_NAMES_FOUND, ttl_s);
}

static void conclude(struct wrn_names *names, struct wrn_now now, struct entry *entry,
                     enum wrn_names_found found, uint32_t ttl_s) {
    struct wrn_names_question question = {.kind = entry->kind};
    struct wrn_names_answer answer;
    entry->found = (uint8_t)found;
    entry->deadline = wrn_mono_add(now.mono, WRN_S(ttl_s));
    if (entry->kind == WRN_NAMES_HOST) {
        memcpy(question.label, entry->label, sizeof question.label);
    } else {
        question.ip = entry->ip;
    }
    answer_of(names, now, entry, &answer);
    update_due(names);
    names->port.resolved(names->port.ctx, &question, &answer);
}

static void answer_of(const struct wrn_names *names, struct wrn_now now, const struct entry *entry,
                      struct wrn_names_answer *ret_answer) {
    uint64_t left_ns = wrn_mono_since(entry->deadline, now.mono);
    *ret_answer = (struct wrn_names_answer){.found = entry->found};
    if (entry->found != WRN_NAMES_PENDING) {
        ret_answer->ttl_s = (uint32_t)(left_ns / WRN_S(1));
    }
    if (entry->found == WRN_NAMES_FOUND) {
        memcpy(ret_answer->label, entry->label, sizeof ret_answer->label);
        memcpy(ret_answer->owner, entry->owner, sizeof ret_answer->owner);
        memcpy(ret_answer->hit, entry->hit, sizeof ret_answer->hit);
        if (entry->ip.family == WRN_FAMILY_IPV4) {
            ret_answer->ipv4 = entry->ip;
        }
        (void)wrn_lease_ipv6(&names->ipv6, entry->hit, &ret_answer->ipv6);
    }
}

static void update_due(struct wrn_names *names) {
    names->asking = 0;
    names->asking_due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < names->entries_max; i++) {
        if (names->entries[i].tag != 0) {
            names->asking++;
            names->asking_due = wrn_mono_min(names->asking_due, names->entries[i].deadline);
        }
    }
}

/* ---- the claim's port ---- */

static void set_rights(struct wrn_names *names, const struct wrn_rights *rights) {
    names->has_rights = rights != NULL;
    if (rights != NULL) {
        names->rights = *rights;
    }
}

static bool is_permitted(const struct wrn_names *names, const char *label) {
    wrn_span text = {(const uint8_t *)label, strlen(label)};
    return wrn_label_is_good(text) &&
           (!names->has_rights || wrn_rights_has_name(&names->rights, text));
}

static size_t key_of(const char *label, char ret_key[WRN_RECORD_KEY_MAX]) {
    return (size_t)snprintf(ret_key, WRN_RECORD_KEY_MAX, "%s%s", prefix, label);
}

static bool label_of(wrn_span key, char ret_label[WRN_LABEL_SIZE]) {
    if (key.size <= PREFIX || memcmp(key.data, prefix, PREFIX) != 0 ||
        !wrn_label_is_good((wrn_span){key.data + PREFIX, key.size - PREFIX})) {
        return false;
    }
    memset(ret_label, 0, WRN_LABEL_SIZE);
    memcpy(ret_label, key.data + PREFIX, key.size - PREFIX);
    return true;
}

static void new_round(void *ctx) {
    (void)ctx; /* the list is always the same */
}

/* What is permitted of label, label-2, ..., then the names that certificates give. */
static size_t candidate(void *ctx, uint32_t index, char *ret_key) {
    const struct wrn_names *names = ctx;
    char label[WRN_LABEL_SIZE];
    uint32_t left = index;
    for (uint32_t number = 1; number <= WRN_NAMES_TRIES_MAX; number++) {
        wrn_names_numbered(names->host, number, label);
        if (is_permitted(names, label) && left-- == 0) {
            return key_of(label, ret_key);
        }
    }
    uint32_t count = names->has_rights && !names->rights.any_name ? names->rights.name_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct wrn_rights_name *name = &names->rights.names[i];
        size_t size = strlen(name->text);
        size_t rest = name->is_prefix ? LABEL_MAX - size : 0;
        memset(label, 0, sizeof label);
        memcpy(label, name->text, size);
        memcpy(label + size, names->host, strnlen(names->host, rest));
        if (is_permitted(names, label) && left-- == 0) {
            return key_of(label, ret_key);
        }
    }
    return 0;
}

static size_t value(void *ctx, wrn_span key, uint8_t *ret_value) {
    const struct wrn_names *names = ctx;
    (void)key;
    return wrn_names_value(&names->own_ip, ret_value);
}

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request) {
    struct wrn_names *names = ctx;
    return names->port.store(names->port.ctx, request);
}

static void tell(void *ctx, const struct wrn_claim_event *claimed) {
    struct wrn_names *names = ctx;
    static const uint8_t kinds[] = {
        [WRN_CLAIM_EVENT_HELD] = WRN_NAMES_HELD,
        [WRN_CLAIM_EVENT_TAKEN] = WRN_NAMES_TAKEN,
        [WRN_CLAIM_EVENT_LOST] = WRN_NAMES_LOST,
        [WRN_CLAIM_EVENT_FULL] = WRN_NAMES_FULL,
        [WRN_CLAIM_EVENT_WAITING] = WRN_NAMES_WAITING,
        [WRN_CLAIM_EVENT_RELEASED] = WRN_NAMES_RELEASED,
    };
    struct wrn_names_event event = {
        .kind = kinds[claimed->kind],
        .reason = claimed->reason,
        .has_holder = claimed->has_holder,
        .tried = claimed->taken + claimed->refused,
        .taken = claimed->taken,
        .refused = claimed->refused,
        .retry_s = claimed->retry_s,
    };
    (void)label_of(claimed->key, event.label);
    (void)label_of(claimed->previous, event.previous);
    if (claimed->has_holder) {
        const struct wrn_primitives *primitives = names->claim.primitives;
        primitives->hit(primitives->ctx, claimed->holder, event.holder);
    }
    names->label[0] = '\0';
    if (event.kind == WRN_NAMES_HELD) {
        memcpy(names->label, event.label, sizeof names->label);
    }
    explain(names, &event);
    names->port.event(names->port.ctx, &event);
}

static void explain(const struct wrn_names *names, struct wrn_names_event *event) {
    char holder[WRN_HIT_TEXT_SIZE] = "nobody";
    char *text = event->text;
    if (event->has_holder) {
        wrn_hit_print(event->holder, holder);
    }
    switch (event->kind) {
    case WRN_NAMES_HELD:
        if (strcmp(event->label, names->host) == 0) {
            (void)snprintf(text, sizeof event->text, "the name is %s", event->label);
        } else {
            (void)snprintf(text, sizeof event->text, "the name is %s, as %s is not to be had",
                           event->label, names->host);
        }
        return;
    case WRN_NAMES_TAKEN:
    case WRN_NAMES_LOST:
        if (event->has_holder) {
            (void)snprintf(text, sizeof event->text,
                           "the name %s belongs to %s: another one is being tried", event->label,
                           holder);
        } else {
            (void)snprintf(text, sizeof event->text, "the name %s is lost: %s", event->label,
                           wrn_reason_text(event->reason));
        }
        return;
    case WRN_NAMES_FULL:
        (void)snprintf(
            text, sizeof event->text,
            "no name like %s is to be had: %u were tried, %u are taken, %u refused. Next "
            "try in %u s; else give this host another name",
            names->host, (unsigned)event->tried, (unsigned)event->taken, (unsigned)event->refused,
            (unsigned)event->retry_s);
        return;
    case WRN_NAMES_WAITING:
        (void)snprintf(text, sizeof event->text, "no name can be had now: %s. Next try in %u s",
                       wrn_reason_text(event->reason), (unsigned)event->retry_s);
        return;
    case WRN_NAMES_RELEASED:
        (void)snprintf(text, sizeof event->text, "the name %s has been given back", event->label);
        return;
    }
}
