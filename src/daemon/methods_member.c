/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about the members of a network and what they may do. */
#include <stdio.h>

#include "daemon/methods_internal.h"
#include "daemon/methods_limits.h"
#include "io/clock.h"
#include "node/authority.h"
#include "node/state.h"

enum {
    ELEMENT_MAX = 600,
    RIGHTS_MAX = 8,
    LIST_PATIENCE_S = 30,
    LIST_AGAIN_MS = 200,
    CHANGE_PATIENCE_S = 30
};

struct list_job {
    struct wrn_job job;
    uint32_t asked; /* the tag, for 'job' has forgotten it at its end */
    json_t *members;
};

struct change_job {
    struct wrn_whom_job whom;
    uint8_t element[ELEMENT_MAX]; /* promote */
    struct wrn_sexp sexp;
    bool may_delegate;
    int64_t until_s;
    enum wrn_node_revoke_what what; /* demote, revoke */
    size_t chain_size;
    uint8_t chain[WRN_CREDENTIAL_MAX]; /* as his record shows it */
};

static json_t *own_json(struct wrn_methods *methods, wrn_handle network);
static void ask_around(struct wrn_job *base);
static void on_member(struct wrn_job *job, const struct wrn_node_answer *answer);
static void on_list_late(struct wrn_job *job);
static void on_list_end(struct wrn_job *job);
static void reply_list(struct wrn_job *base, bool is_whole, enum wrn_reason reason);
static bool write_rights(struct wrn_rpc_call *call, struct change_job *job);
static void promote(struct wrn_whom_job *whom);
static void take_back(struct wrn_methods *methods, struct wrn_rpc_call *call,
                      enum wrn_node_revoke_what what);
static void ask_for_chain(struct wrn_whom_job *whom);
static void on_record(struct wrn_job *base, const struct wrn_node_answer *answer);
static void revoke(struct change_job *job);
static void on_change_late(struct wrn_job *job);
static json_int_t open_invitations(const struct wrn_job *job);
static json_t *whom_json(const struct wrn_whom *whom);

void wrn_method_member_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    struct list_job *job =
        wrn_job_begin(methods, call, sizeof *job, network,
                      wrn_rpc_number(call, "timeout_s", LIST_PATIENCE_S), on_list_late);
    if (job == NULL) {
        return;
    }
    job->job.on_end = on_list_end;
    job->job.only_looks = true;
    job->members = json_array();
    (void)json_array_append_new(job->members, own_json(methods, network));
    ask_around(&job->job);
}

void wrn_method_member_promote(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const char *text = wrn_rpc_text(call, "member");
    wrn_handle network;
    if (!wrn_find_network_of(methods, call, text, &network)) {
        return;
    }
    struct change_job *job =
        wrn_job_begin(methods, call, sizeof *job, network,
                      wrn_rpc_number(call, "timeout_s", CHANGE_PATIENCE_S), on_change_late);
    if (job == NULL || !write_rights(call, job)) {
        return;
    }
    job->may_delegate = wrn_rpc_flag(call, "may_delegate");
    job->until_s = wrn_rpc_number(call, "until_s", WRN_RECORD_TIME_MAX_S);
    if (job->until_s <= wrn_clock_read().wall.s) {
        wrn_job_fail(&job->whom.job, WRN_RPC_PARAMS, NULL, "\"until_s\" lies in the past");
        return;
    }
    job->whom.wants_key = true;
    job->whom.found = promote;
    wrn_find_whom(&job->whom, text);
}

void wrn_method_member_demote(void *ctx, struct wrn_rpc_call *call) {
    take_back(ctx, call, WRN_NODE_REVOKE_EXTRA);
}

void wrn_method_member_revoke(void *ctx, struct wrn_rpc_call *call) {
    take_back(ctx, call, WRN_NODE_REVOKE_MEMBER);
}

static json_t *own_json(struct wrn_methods *methods, wrn_handle network) {
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_node_network_info info;
    if (!wrn_node_network_info(node, network, &info)) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "hit",
                     wrn_json_hit(wrn_node_hit(node)), "name",
                     info.label[0] != '\0' ? json_string(info.label) : json_null(), "public_key",
                     wrn_json_hex(wrn_node_public_key(node), WRN_SIGN_PUBLIC_SIZE), "ipv4",
                     wrn_json_ip(&info.ipv4), "rights", wrn_json_rights(info.rights), "until_s",
                     wrn_json_time(info.until_s), "proven", true, "self", true);
}

static void ask_around(struct wrn_job *base) {
    struct list_job *job = WRN_CONTAINER(base, struct list_job, job);
    struct wrn_daemon *daemon = base->methods->daemon;
    struct wrn_now now;
    if (!wrn_job_tag(base, on_member)) {
        return;
    }
    job->asked = base->tag;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_members(wrn_daemon_node(daemon), now, base->network, job->asked, out);
    wrn_daemon_perform(daemon);
}

static void on_member(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct list_job *job = WRN_CONTAINER(base, struct list_job, job);
    static const uint8_t nobody[WRN_HIT_SIZE];
    bool is_somebody = memcmp(answer->hit, nobody, sizeof nobody) != 0 &&
                       memcmp(answer->hit, wrn_node_hit(wrn_daemon_node(base->methods->daemon)),
                              WRN_HIT_SIZE) != 0;
    if (is_somebody && answer->reason == WRN_REASON_NONE) {
        (void)json_array_append_new(
            job->members,
            json_pack(
                "{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "hit", wrn_json_hit(answer->hit),
                "name", answer->label[0] != '\0' ? wrn_rpc_json_text(answer->label) : json_null(),
                "public_key", wrn_json_hex(answer->public_key, sizeof answer->public_key), "ipv4",
                wrn_json_ip(&answer->ipv4), "rights", wrn_json_rights(answer->rights), "until_s",
                wrn_json_time(answer->until_s), "proven", (int)answer->is_proven, "self", false));
    }
    bool has_to_wait = answer->reason == WRN_REASON_FULL && json_array_size(job->members) == 1;
    if (answer->is_last && has_to_wait) {
        wrn_job_again(base, LIST_AGAIN_MS, ask_around); /* somebody else is asking around */
    } else if (answer->is_last) {
        reply_list(base, answer->reason == WRN_REASON_NONE, answer->reason);
    }
}

static void on_list_late(struct wrn_job *base) {
    reply_list(base, false, WRN_REASON_TIMEOUT);
}

/* Who could be asked is told even if others could not. */
static void reply_list(struct wrn_job *base, bool is_whole, enum wrn_reason reason) {
    struct list_job *job = WRN_CONTAINER(base, struct list_job, job);
    wrn_job_reply(base,
                  json_pack("{s:O, s:b, s:o}", "members", job->members, "complete", is_whole, "why",
                            is_whole ? json_null() : json_string(wrn_reason_text(reason))));
}

static void on_list_end(struct wrn_job *base) {
    struct list_job *job = WRN_CONTAINER(base, struct list_job, job);
    json_decref(job->members);
    job->members = NULL;
    wrn_node_members_stop(wrn_daemon_node(base->methods->daemon), base->network, job->asked);
}

/* Writes (* set right...). False, and the job has failed. */
static bool write_rights(struct wrn_rpc_call *call, struct change_job *job) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(job->element, sizeof job->element);
    const char *texts[RIGHTS_MAX] = {0};
    char why[WRN_LIMITS_WHY_SIZE];
    const struct wrn_descriptor *descriptor =
        wrn_node_descriptor(wrn_daemon_node(job->whom.job.methods->daemon), job->whom.job.network);
    static const char address[] = "address:";
    size_t count = wrn_rpc_texts(call, "rights", texts, WRN_COUNT(texts));
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    for (size_t i = 0; i < count; i++) {
        bool is_address = strncmp(texts[i], address, strlen(address)) == 0;
        if (is_address && !wrn_limits_meets(texts[i] + strlen(address), &descriptor->ipv4)) {
            char range[WRN_PREFIX_TEXT_SIZE];
            (void)wrn_prefix_print(&descriptor->ipv4, range);
            wrn_job_fail(&job->whom.job, WRN_RPC_PARAMS, NULL,
                         "\"rights\": \"%.48s\" is not of the network's range, %s: nobody could "
                         "have such an address there",
                         texts[i], range);
            return false;
        }
        if (!wrn_limits_put(&writer, texts[i], why)) {
            wrn_job_fail(&job->whom.job, WRN_RPC_PARAMS, NULL, "\"rights\": %s", why);
            return false;
        }
    }
    wrn_sexp_close(&writer);
    if (wrn_sexp_finish(&writer, &job->sexp) != 0) {
        wrn_job_fail(&job->whom.job, WRN_RPC_PARAMS, NULL,
                     "these rights are too many for one certificate: write ranges, or grant them "
                     "in two steps");
        return false;
    }
    return true;
}

static void promote(struct wrn_whom_job *whom) {
    struct change_job *job = WRN_CONTAINER(whom, struct change_job, whom);
    struct wrn_methods *methods = whom->job.methods;
    char why[WRN_JUDGE_WHY_SIZE] = "";
    uint8_t hash[WRN_SHA256_SIZE];
    struct wrn_now now;
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason = wrn_node_grant(
        wrn_daemon_node(methods->daemon), now, whom->job.network, whom->whom.public_key,
        job->sexp.bytes, job->may_delegate, job->until_s, out, hash, why);
    bool is_saved = wrn_job_perform(methods);
    if (reason == WRN_REASON_NONE && is_saved) {
        json_t *json = whom_json(&whom->whom);
        wrn_json_set(json, "certificate", wrn_json_hex(hash, sizeof hash));
        wrn_job_reply(&whom->job, json);
        return;
    }
    if (reason == WRN_REASON_NONE) {
        wrn_job_fail(&whom->job, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
        return;
    }
    wrn_job_fail(&whom->job, WRN_RPC_REFUSED, wrn_reason_name(reason), "%s got no more rights: %s",
                 whom->text, why[0] != '\0' ? why : wrn_reason_text(reason));
}

static void take_back(struct wrn_methods *methods, struct wrn_rpc_call *call,
                      enum wrn_node_revoke_what what) {
    const char *text = wrn_rpc_text(call, "member");
    wrn_handle network;
    if (!wrn_find_network_of(methods, call, text, &network)) {
        return;
    }
    struct change_job *job =
        wrn_job_begin(methods, call, sizeof *job, network,
                      wrn_rpc_number(call, "timeout_s", CHANGE_PATIENCE_S), on_change_late);
    if (job == NULL) {
        return;
    }
    job->what = what;
    job->whom.wants_key = true;
    job->whom.found = ask_for_chain;
    wrn_find_whom(&job->whom, text);
}

/* What he shows to prove that he is a member stands in his record. */
static void ask_for_chain(struct wrn_whom_job *whom) {
    struct wrn_daemon *daemon = whom->job.methods->daemon;
    char hit[WRN_HIT_TEXT_SIZE];
    char key[WRN_RECORD_KEY_MAX];
    struct wrn_now now;
    wrn_hit_print(whom->whom.hit, hit);
    int length = snprintf(key, sizeof key, "node/%s", hit);
    if (!wrn_job_tag(&whom->job, on_record)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_get(wrn_daemon_node(daemon), now, whom->job.network, whom->job.tag,
                 (wrn_span){(const uint8_t *)key, (size_t)length}, out);
    wrn_daemon_perform(daemon);
}

static void on_record(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct change_job *job = WRN_CONTAINER(whom, struct change_job, whom);
    struct wrn_record record;
    if (answer->record.size > 0 &&
        wrn_record_read(answer->record, wrn_daemon_primitives(base->methods->daemon), &record) ==
            WRN_REASON_NONE &&
        memcmp(record.owner, whom->whom.public_key, sizeof record.owner) == 0 &&
        record.proof.size > 0 && record.proof.size <= sizeof job->chain) {
        memcpy(job->chain, record.proof.data, record.proof.size);
        job->chain_size = record.proof.size;
    }
    if (answer->is_last) {
        revoke(job);
    }
}

static void revoke(struct change_job *job) {
    struct wrn_whom_job *whom = &job->whom;
    struct wrn_methods *methods = whom->job.methods;
    char why[WRN_JUDGE_WHY_SIZE] = "";
    uint32_t count = 0;
    struct wrn_now now;
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason = wrn_node_revoke(
        wrn_daemon_node(methods->daemon), now, whom->job.network, job->what, whom->whom.public_key,
        (wrn_span){job->chain, job->chain_size}, out, &count, why);
    bool is_saved = wrn_job_perform(methods);
    if (whom->job.call == NULL) { /* it was ourselves, and the network is gone */
        return;
    }
    if (reason != WRN_REASON_NONE) {
        wrn_job_fail(&whom->job, WRN_RPC_REFUSED, wrn_reason_name(reason),
                     "nothing was taken from %s: %s", whom->text,
                     why[0] != '\0' ? why : wrn_reason_text(reason));
        return;
    }
    if (!is_saved) {
        wrn_job_fail(&whom->job, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
        return;
    }
    json_t *json = whom_json(&whom->whom);
    wrn_json_set(json, "revoked", json_integer(count));
    wrn_json_set(json, "open_invitations", json_integer(open_invitations(&whom->job)));
    wrn_job_reply(&whom->job, json);
}

static void on_change_late(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    wrn_job_fail(base, WRN_RPC_TIMEOUT, NULL,
                 "who %s is was not found out in time, and nothing was changed; is this machine "
                 "connected? warren status",
                 whom->text);
}

/* How many of our invitations somebody who has one can use again, also who was thrown out: one with
 * a single use is revoked with its member. */
static json_int_t open_invitations(const struct wrn_job *job) {
    const struct wrn_state_invitation *made = NULL;
    int64_t now_s = wrn_clock_read().wall.s;
    uint32_t cursor = 0;
    json_int_t count = 0;
    while (wrn_node_next_invitation(wrn_daemon_node(job->methods->daemon), job->network, &cursor,
                                    &made)) {
        count += !made->is_revoked && made->until_s > now_s && made->uses != 1;
    }
    return count;
}

static json_t *whom_json(const struct wrn_whom *whom) {
    return json_pack("{s:o, s:o, s:o}", "hit", wrn_json_hit(whom->hit), "name",
                     whom->label[0] != '\0' ? wrn_rpc_json_text(whom->label) : json_null(),
                     "public_key", wrn_json_hex(whom->public_key, sizeof whom->public_key));
}
