/* SPDX-License-Identifier: Apache-2.0 */
/* Which network and who is meant by what somebody wrote. */
#include <stdio.h>

#include "base/bytes.h"
#include "daemon/methods_internal.h"

enum {
    KEY_DIGITS = 2 * WRN_SIGN_PUBLIC_SIZE,
    LIST_SIZE = 512,
    RESOLVE_TRIES = 6, /* that nobody answered is remembered for WRN_NAMES_UNKNOWN_S: three asked */
    RETRY_MS = 1000,
};

static void fail_without_network(struct wrn_methods *methods, struct wrn_rpc_call *call);
static void list_networks(struct wrn_node *node, char ret_list[LIST_SIZE]);
static bool is_of_network(const char *whom, const struct wrn_descriptor *descriptor);
static bool is_within(const struct wrn_prefix *range, const struct wrn_ip *ip);
static bool read_key(const char *text, uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]);
static bool read_ip(const char *text, struct wrn_ip *ret_ip);
static bool read_name(struct wrn_whom_job *job, const char *text);
static bool match_self(struct wrn_whom_job *job, const struct wrn_ip *ip, const char *label);
static bool match_peer(struct wrn_whom_job *job, const struct wrn_ip *ip, const char *label);
static void take_peer(struct wrn_whom_job *job, const struct wrn_node_peer_info *info);
static void by_key(struct wrn_whom_job *job, const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);
static void by_hit(struct wrn_whom_job *job, const uint8_t hit[WRN_HIT_SIZE]);
static void resolve(struct wrn_whom_job *job);
static void on_resolved(struct wrn_job *job, const struct wrn_node_answer *answer);
static void take_answer(struct wrn_whom_job *job, const struct wrn_names_answer *answer);
static void resolve_again(struct wrn_job *job);
static void ask_for_key(struct wrn_whom_job *job);
static void on_record(struct wrn_job *job, const struct wrn_node_answer *answer);
static void is_self(struct wrn_whom_job *job);

bool wrn_find_network(struct wrn_methods *methods, struct wrn_rpc_call *call,
                      wrn_handle *ret_network) {
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    const char *text = wrn_rpc_text(call, "network");
    char list[LIST_SIZE];
    uint32_t cursor = 0;
    bool is_many = false;
    list_networks(node, list);
    wrn_handle found = wrn_node_next(node, &cursor);
    if (found.generation == 0) {
        fail_without_network(methods, call);
        return false;
    }
    if (text == NULL) {
        is_many = wrn_node_next(node, &cursor).generation != 0;
    } else {
        found = wrn_node_find(node, (wrn_span){(const uint8_t *)text, strlen(text)}, &is_many);
    }
    if (is_many) {
        wrn_rpc_fail(call, WRN_RPC_AMBIGUOUS, NULL,
                     "%s: say which one, by name or by the digits of its id: %s",
                     text == NULL ? "this machine is in several networks"
                                  : "several networks are called so",
                     list);
        return false;
    }
    if (found.generation == 0) {
        wrn_rpc_fail(call, WRN_RPC_NOT_FOUND, NULL,
                     "this machine is in no network of this name or id; it is in: %s", list);
        return false;
    }
    *ret_network = found;
    return true;
}

bool wrn_find_network_of(struct wrn_methods *methods, struct wrn_rpc_call *call, const char *whom,
                         wrn_handle *ret_network) {
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    wrn_handle found = WRN_HANDLE_NONE;
    wrn_handle network;
    uint32_t cursor = 0;
    size_t count = 0;
    while (!wrn_rpc_has(call, "network") &&
           (network = wrn_node_next(node, &cursor)).generation != 0) {
        if (is_of_network(whom, wrn_node_descriptor(node, network))) {
            found = network;
            count++;
        }
    }
    if (count != 1) {
        return wrn_find_network(methods, call, ret_network);
    }
    *ret_network = found;
    return true;
}

bool wrn_find_peer(struct wrn_methods *methods, wrn_handle network, const uint8_t hit[WRN_HIT_SIZE],
                   struct wrn_node_peer_info *ret_info) {
    uint32_t cursor = 0;
    while (wrn_node_next_peer(wrn_daemon_node(methods->daemon), network, &cursor, ret_info)) {
        if (memcmp(ret_info->hit, hit, WRN_HIT_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

void wrn_find_whom(struct wrn_whom_job *job, const char *text) {
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_ip ip = {.family = WRN_FAMILY_NONE};
    (void)snprintf(job->text, sizeof job->text, "%.64s", text);
    if (read_key(text, key) || wrn_identity_uri_read(text, key) == 0) {
        by_key(job, key);
        return;
    }
    int misread = wrn_fingerprint_read(text, hit);
    if (misread == -EBADMSG) {
        wrn_job_fail(&job->job, WRN_RPC_PARAMS, NULL,
                     "the fingerprint's check digits are wrong: one digit was misheard or "
                     "mistyped");
        return;
    }
    if (misread == 0 || wrn_hit_read(text, hit) == 0) {
        by_hit(job, hit);
        return;
    }
    if (read_ip(text, &ip)) {
        job->question = (struct wrn_names_question){.kind = WRN_NAMES_REVERSE, .ip = ip};
    } else if (!read_name(job, text)) {
        return;
    }
    if (match_self(job, &ip, job->question.label)) {
        is_self(job);
    } else if (match_peer(job, &ip, job->question.label)) {
        job->found(job);
    } else {
        resolve(job);
    }
}

static void fail_without_network(struct wrn_methods *methods, struct wrn_rpc_call *call) {
    const struct wrn_daemon_unserved *unserved = wrn_daemon_unserved(methods->daemon, 0);
    if (unserved != NULL) {
        wrn_rpc_fail(call, WRN_RPC_NOT_READY, "UNSERVED",
                     "this machine's network %.16s is not served: %s", unserved->id, unserved->why);
    } else {
        wrn_rpc_fail(call, WRN_RPC_NOT_FOUND, "NO_NETWORK",
                     "this machine is in no network: make one (warren network create NAME) or "
                     "join one (warren join INVITATION)");
    }
}

/* With as many digits of their ids as a network may be named by: names may be the same. */
static void list_networks(struct wrn_node *node, char ret_list[LIST_SIZE]) {
    static const char more[] = ", ...";
    uint32_t cursor = 0;
    size_t size = 0;
    wrn_handle network;
    ret_list[0] = '\0';
    while ((network = wrn_node_next(node, &cursor)).generation != 0) {
        const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
        if (size + WRN_LABEL_SIZE + sizeof " (01234567)" + sizeof more > LIST_SIZE) {
            (void)snprintf(ret_list + size, LIST_SIZE - size, "%s", more);
            return;
        }
        size +=
            (size_t)snprintf(ret_list + size, LIST_SIZE - size, "%s%s (%08x)", size > 0 ? ", " : "",
                             descriptor->name, wrn_load_be32(descriptor->id));
    }
}

static bool is_of_network(const char *whom, const struct wrn_descriptor *descriptor) {
    struct wrn_names_question question = {.kind = WRN_NAMES_NOT_OURS};
    struct wrn_ip ip;
    if (read_ip(whom, &ip)) {
        return is_within(&descriptor->ipv4, &ip) || is_within(&descriptor->ipv6, &ip);
    }
    wrn_names_parse((wrn_span){(const uint8_t *)whom, strlen(whom)}, descriptor->name,
                    &descriptor->ipv4, &descriptor->ipv6, &question);
    return question.kind == WRN_NAMES_HOST;
}

static bool is_within(const struct wrn_prefix *range, const struct wrn_ip *ip) {
    if (range->ip.family != ip->family || ip->family == WRN_FAMILY_NONE) {
        return false;
    }
    for (unsigned bit = 0; bit < range->length_bits; bit++) {
        if (((range->ip.bytes[bit / 8] ^ ip->bytes[bit / 8]) & 0x80 >> bit % 8) != 0) {
            return false;
        }
    }
    return true;
}

static bool read_key(const char *text, uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != KEY_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < KEY_DIGITS; i++) {
        char c = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
        const char *at = strchr(digits, c);
        if (at == NULL) {
            return false;
        }
        unsigned value = (unsigned)(at - digits);
        ret_key[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : ret_key[i / 2] | value);
    }
    return true;
}

static bool read_ip(const char *text, struct wrn_ip *ret_ip) {
    struct wrn_prefix prefix;
    if (strchr(text, '/') != NULL ||
        wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix) != 0) {
        return false;
    }
    *ret_ip = prefix.ip;
    return true;
}

/* A host's name, alone or in the network's domain. False, and the job has failed. */
static bool read_name(struct wrn_whom_job *job, const char *text) {
    struct wrn_node *node = wrn_daemon_node(job->job.methods->daemon);
    const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, job->job.network);
    char domain[WRN_NAMES_DOMAIN_MAX + 2 * WRN_LABEL_SIZE + 16];
    bool is_whole = strchr(text, '.') != NULL;
    int length = is_whole ? snprintf(domain, sizeof domain, "%s", text)
                          : snprintf(domain, sizeof domain, "%s.%s.warren", text, descriptor->name);
    if (length > 0 && (size_t)length < sizeof domain) {
        wrn_names_parse((wrn_span){(const uint8_t *)domain, (size_t)length}, descriptor->name,
                        &descriptor->ipv4, &descriptor->ipv6, &job->question);
    }
    if (job->question.kind == WRN_NAMES_HOST || job->question.kind == WRN_NAMES_REVERSE) {
        return true;
    }
    wrn_job_fail(&job->job, WRN_RPC_PARAMS, NULL,
                 "nobody in the network %s can be called so; name somebody by his name (NAME or "
                 "NAME.%s.warren), address, HIT or fingerprint",
                 descriptor->name, descriptor->name);
    return false;
}

static bool match_self(struct wrn_whom_job *job, const struct wrn_ip *ip, const char *label) {
    struct wrn_node_network_info info;
    if (!wrn_node_network_info(wrn_daemon_node(job->job.methods->daemon), job->job.network,
                               &info)) {
        return false;
    }
    if (ip->family != WRN_FAMILY_NONE) {
        return wrn_ip_equal(ip, &info.ipv4) || wrn_ip_equal(ip, &info.ipv6);
    }
    return *label != '\0' && strcmp(label, info.label) == 0;
}

static bool match_peer(struct wrn_whom_job *job, const struct wrn_ip *ip, const char *label) {
    struct wrn_node_peer_info info;
    uint32_t cursor = 0;
    while (wrn_node_next_peer(wrn_daemon_node(job->job.methods->daemon), job->job.network, &cursor,
                              &info)) {
        bool is_it = ip->family != WRN_FAMILY_NONE
                         ? wrn_ip_equal(ip, &info.ipv4) || wrn_ip_equal(ip, &info.ipv6)
                         : *label != '\0' && strcmp(label, info.label) == 0;
        if (is_it) {
            take_peer(job, &info);
            return true;
        }
    }
    return false;
}

static void take_peer(struct wrn_whom_job *job, const struct wrn_node_peer_info *info) {
    struct wrn_whom *whom = &job->whom;
    memcpy(whom->hit, info->hit, sizeof whom->hit);
    memcpy(whom->public_key, info->overlay.public_key, sizeof whom->public_key);
    memcpy(whom->label, info->label, sizeof whom->label);
    whom->has_key = true;
    whom->ipv4 = info->ipv4;
    whom->ipv6 = info->ipv6;
}

static void by_key(struct wrn_whom_job *job, const uint8_t key[WRN_SIGN_PUBLIC_SIZE]) {
    memcpy(job->whom.public_key, key, WRN_SIGN_PUBLIC_SIZE);
    job->whom.has_key = true;
    uint8_t hit[WRN_HIT_SIZE];
    wrn_hit(key, hit);
    by_hit(job, hit);
}

static void by_hit(struct wrn_whom_job *job, const uint8_t hit[WRN_HIT_SIZE]) {
    struct wrn_methods *methods = job->job.methods;
    struct wrn_node_peer_info info;
    memcpy(job->whom.hit, hit, WRN_HIT_SIZE);
    if (memcmp(hit, wrn_node_hit(wrn_daemon_node(methods->daemon)), WRN_HIT_SIZE) == 0) {
        is_self(job);
    } else if (wrn_find_peer(methods, job->job.network, hit, &info)) {
        take_peer(job, &info);
        job->found(job);
    } else if (job->wants_key && !job->whom.has_key) {
        ask_for_key(job);
    } else {
        job->found(job);
    }
}

static void is_self(struct wrn_whom_job *job) {
    struct wrn_node *node = wrn_daemon_node(job->job.methods->daemon);
    struct wrn_node_network_info info;
    struct wrn_whom *whom = &job->whom;
    whom->is_self = whom->has_key = true;
    memcpy(whom->hit, wrn_node_hit(node), sizeof whom->hit);
    memcpy(whom->public_key, wrn_node_public_key(node), sizeof whom->public_key);
    if (wrn_node_network_info(node, job->job.network, &info)) {
        (void)snprintf(whom->label, sizeof whom->label, "%s", info.label);
        whom->ipv4 = info.ipv4;
        whom->ipv6 = info.ipv6;
    }
    job->found(job);
}

static void resolve(struct wrn_whom_job *job) {
    struct wrn_daemon *daemon = job->job.methods->daemon;
    struct wrn_names_answer answer = {.found = WRN_NAMES_UNKNOWN};
    struct wrn_now now;
    if (!wrn_job_tag(&job->job, on_resolved)) {
        return;
    }
    uint32_t tag = job->job.tag;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_resolve(wrn_daemon_node(daemon), now, job->job.network, &job->question, tag, &answer,
                     out);
    wrn_daemon_perform(daemon);
    if (job->job.call != NULL && job->job.tag == tag && answer.found != WRN_NAMES_PENDING) {
        wrn_daemon_untag(daemon, tag);
        job->job.tag = 0;
        take_answer(job, &answer);
    }
}

static void on_resolved(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *job = WRN_CONTAINER(base, struct wrn_whom_job, job);
    take_answer(job, &answer->name);
}

static void take_answer(struct wrn_whom_job *job, const struct wrn_names_answer *answer) {
    struct wrn_whom *whom = &job->whom;
    if (answer->found == WRN_NAMES_FOUND) {
        memcpy(whom->hit, answer->hit, sizeof whom->hit);
        memcpy(whom->public_key, answer->owner, sizeof whom->public_key);
        memcpy(whom->label, answer->label, sizeof whom->label);
        whom->has_key = true;
        whom->ipv4 = answer->ipv4;
        whom->ipv6 = answer->ipv6;
        job->found(job);
        return;
    }
    if (job->persists) {
        wrn_job_again(&job->job, RETRY_MS, resolve_again);
        return;
    }
    if (answer->found == WRN_NAMES_ABSENT) {
        wrn_job_fail(&job->job, WRN_RPC_NOT_FOUND, "ABSENT",
                     "nobody in the network %s \"%s\"; who is there: warren member list",
                     job->question.kind == WRN_NAMES_REVERSE ? "has the address" : "is called",
                     job->text);
        return;
    }
    if (++job->tries < RESOLVE_TRIES) {
        wrn_job_again(&job->job, RETRY_MS, resolve_again);
        return;
    }
    wrn_job_fail(&job->job, WRN_RPC_NOT_READY, "UNKNOWN",
                 "the network did not answer who \"%s\" is; is this machine connected? warren "
                 "status",
                 job->text);
}

static void resolve_again(struct wrn_job *base) {
    resolve(WRN_CONTAINER(base, struct wrn_whom_job, job));
}

/* A HIT is no key: its owner's record has it. */
static void ask_for_key(struct wrn_whom_job *job) {
    struct wrn_daemon *daemon = job->job.methods->daemon;
    char hit[WRN_HIT_TEXT_SIZE];
    char key[WRN_RECORD_KEY_MAX];
    struct wrn_now now;
    wrn_hit_print(job->whom.hit, hit);
    int length = snprintf(key, sizeof key, "node/%s", hit);
    if (!wrn_job_tag(&job->job, on_record)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_get(wrn_daemon_node(daemon), now, job->job.network, job->job.tag,
                 (wrn_span){(const uint8_t *)key, (size_t)length}, out);
    wrn_daemon_perform(daemon);
}

static void on_record(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *job = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct wrn_record record;
    if (answer->record.size > 0 &&
        wrn_record_read(answer->record, wrn_daemon_primitives(base->methods->daemon), &record) ==
            WRN_REASON_NONE) {
        uint8_t hit[WRN_HIT_SIZE];
        wrn_hit(record.owner, hit);
        if (memcmp(hit, job->whom.hit, sizeof hit) == 0) {
            memcpy(job->whom.public_key, record.owner, sizeof record.owner);
            job->whom.has_key = true;
        }
    }
    if (!answer->is_last) {
        return;
    }
    if (job->whom.has_key) {
        job->found(job);
        return;
    }
    wrn_job_fail(base, WRN_RPC_NOT_FOUND, wrn_reason_name(answer->reason),
                 "the network knows no key with the HIT %s (%s); name the public key itself, 64 "
                 "digits of warren id show --json",
                 job->text,
                 answer->reason == WRN_REASON_NONE ? "there is no record"
                                                   : wrn_reason_text(answer->reason));
}
