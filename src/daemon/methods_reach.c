/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that find a node, reach it, and say what passes between it and us. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/methods_internal.h"
#include "io/clock.h"

enum {
    PING_PATIENCE_S = 20,
    RESOLVE_PATIENCE_S = 20,
    AGAIN_MS = 100, /* after a probe that could not be sent, or was not answered */
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_ICMP = 1,
    PROTOCOL_ICMPV6 = 58,
    ECHO_REQUEST = 8,
    ECHO_REQUEST_V6 = 128,
    PROTOCOL_MOST = 255,
};

struct reach_job {
    struct wrn_whom_job whom;
    double connect_ms, probe_ms; /* when the path was there; when the probe was sent */
    bool inbound, is_ipv6, has_port, is_connected;
    int64_t protocol; /* -1: icmp of the family */
    uint16_t port, source_port;
};

static struct reach_job *begin(struct wrn_methods *methods, struct wrn_rpc_call *call,
                               const char *whom, int64_t patience_s,
                               void (*on_late)(struct wrn_job *job));
static void connect_to(struct wrn_whom_job *whom);
static void on_connected(struct wrn_job *base, const struct wrn_node_answer *answer);
static void probe(struct wrn_job *base);
static void on_probed(struct wrn_job *base, const struct wrn_node_answer *answer);
static void on_ping_late(struct wrn_job *base);
static void answer_resolve(struct wrn_whom_job *whom);
static void on_resolve_late(struct wrn_job *base);
static bool read_protocol(struct wrn_rpc_call *call, struct reach_job *job);
static void answer_trace(struct wrn_whom_job *whom);
static void on_trace_connected(struct wrn_job *base, const struct wrn_node_answer *answer);
static bool make_question(const struct reach_job *job, struct wrn_policy_question *ret_question);
static json_t *trace_json(const struct wrn_node_trace *trace);
static json_t *cert_json(const struct wrn_rights_cert *cert);

void wrn_method_ping(void *ctx, struct wrn_rpc_call *call) {
    const char *text = wrn_rpc_text(call, "to");
    struct reach_job *job = begin(ctx, call, text, PING_PATIENCE_S, on_ping_late);
    if (job != NULL) {
        job->whom.found = connect_to;
        wrn_find_whom(&job->whom, text);
    }
}

void wrn_method_resolve(void *ctx, struct wrn_rpc_call *call) {
    const char *text = wrn_rpc_text(call, "name");
    struct reach_job *job = begin(ctx, call, text, RESOLVE_PATIENCE_S, on_resolve_late);
    if (job != NULL) {
        job->whom.found = answer_resolve;
        wrn_find_whom(&job->whom, text);
    }
}

void wrn_method_trace(void *ctx, struct wrn_rpc_call *call) {
    const char *text = wrn_rpc_text(call, "to");
    struct reach_job *job = begin(ctx, call, text, PING_PATIENCE_S, on_ping_late);
    if (job == NULL || !read_protocol(call, job)) {
        return;
    }
    job->inbound = wrn_rpc_flag(call, "inbound");
    job->is_ipv6 = wrn_rpc_flag(call, "ipv6") || strchr(text, ':') != NULL;
    job->has_port = wrn_rpc_has(call, "port");
    job->port = (uint16_t)wrn_rpc_number(call, "port", 0);
    job->source_port = (uint16_t)wrn_rpc_number(call, "source_port", 0);
    job->whom.found = answer_trace;
    wrn_find_whom(&job->whom, text);
}

static struct reach_job *begin(struct wrn_methods *methods, struct wrn_rpc_call *call,
                               const char *whom, int64_t patience_s,
                               void (*on_late)(struct wrn_job *job)) {
    wrn_handle network;
    if (!wrn_find_network_of(methods, call, whom, &network)) {
        return NULL;
    }
    struct reach_job *job = wrn_job_begin(methods, call, sizeof *job, network,
                                          wrn_rpc_number(call, "timeout_s", patience_s), on_late);
    if (job != NULL) {
        job->whom.job.only_looks = true;
    }
    return job;
}

static void connect_to(struct wrn_whom_job *whom) {
    struct wrn_daemon *daemon = whom->job.methods->daemon;
    struct wrn_now now;
    if (whom->whom.is_self) {
        wrn_job_fail(&whom->job, WRN_RPC_REFUSED, "SELF", "%s is this machine itself", whom->text);
        return;
    }
    if (!wrn_job_tag(&whom->job, on_connected)) {
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_connect(wrn_daemon_node(daemon), now, whom->job.network, whom->whom.hit, whom->job.tag,
                     out);
    wrn_daemon_perform(daemon);
}

static void on_connected(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct reach_job *job = WRN_CONTAINER(whom, struct reach_job, whom);
    if (!answer->is_last) {
        return;
    }
    if (answer->reason != WRN_REASON_NONE) {
        wrn_job_fail(base, WRN_RPC_REFUSED, wrn_reason_name(answer->reason),
                     "%s cannot be reached: %s; what this machine's own network does: warren "
                     "netcheck",
                     whom->text, wrn_reason_text(answer->reason));
        return;
    }
    job->connect_ms = wrn_job_ms(base);
    probe(base);
}

/* A path is there. What the ring measures on it is smoothed, and says how it was: this says how it
 * is now. */
static void probe(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct reach_job *job = WRN_CONTAINER(whom, struct reach_job, whom);
    struct wrn_daemon *daemon = base->methods->daemon;
    struct wrn_now now;
    if (!wrn_job_tag(base, on_probed)) {
        return;
    }
    job->probe_ms = wrn_job_ms(base);
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_probe(wrn_daemon_node(daemon), now, base->network, whom->whom.hit, base->tag, out);
    wrn_daemon_perform(daemon);
}

static void on_probed(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct reach_job *job = WRN_CONTAINER(whom, struct reach_job, whom);
    struct wrn_node_peer_info info;
    double took_ms = wrn_job_ms(base) - job->probe_ms;
    if (!answer->is_last) {
        return;
    }
    if (answer->reason != WRN_REASON_NONE ||
        !wrn_find_peer(base->methods, base->network, whom->whom.hit, &info)) {
        wrn_job_again(base, AGAIN_MS, probe);
        return;
    }
    json_t *json = wrn_json_peer(&info);
    wrn_json_set(json, "connect_ms", json_real(job->connect_ms));
    wrn_json_set(json, "probe_ms", json_real(took_ms));
    wrn_job_reply(base, json);
}

static void on_ping_late(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    wrn_job_fail(base, WRN_RPC_TIMEOUT, NULL,
                 "%s did not answer in time; is it on? who is there: warren member list",
                 whom->text);
}

static void answer_resolve(struct wrn_whom_job *whom) {
    const struct wrn_whom *found = &whom->whom;
    wrn_job_reply(
        &whom->job,
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "hit", wrn_json_hit(found->hit), "name",
                  found->label[0] != '\0' ? wrn_rpc_json_text(found->label) : json_null(), "ipv4",
                  wrn_json_ip(&found->ipv4), "ipv6", wrn_json_ip(&found->ipv6), "public_key",
                  found->has_key ? wrn_json_hex(found->public_key, sizeof found->public_key)
                                 : json_null(),
                  "self", found->is_self));
}

static void on_resolve_late(struct wrn_job *base) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    wrn_job_fail(base, WRN_RPC_TIMEOUT, NULL,
                 "the network did not answer in time who \"%s\" is; is this machine connected? "
                 "warren status",
                 whom->text);
}

static bool read_protocol(struct wrn_rpc_call *call, struct reach_job *job) {
    static const struct {
        const char *name;
        int64_t number;
    } names[] = {{"tcp", PROTOCOL_TCP}, {"udp", PROTOCOL_UDP}, {"icmp", -1}};
    const char *text = wrn_rpc_text(call, "protocol");
    job->protocol = -1;
    for (size_t i = 0; text != NULL && i < WRN_COUNT(names); i++) {
        if (strcmp(text, names[i].name) == 0) {
            job->protocol = names[i].number;
            text = NULL;
        }
    }
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number > PROTOCOL_MOST) {
        wrn_job_fail(&job->whom.job, WRN_RPC_PARAMS, NULL,
                     "\"protocol\" is tcp, udp, icmp or a number to 255");
        return false;
    }
    job->protocol = (int64_t)number;
    return true;
}

static void answer_trace(struct wrn_whom_job *whom) {
    struct reach_job *job = WRN_CONTAINER(whom, struct reach_job, whom);
    struct wrn_daemon *daemon = whom->job.methods->daemon;
    struct wrn_node *node = wrn_daemon_node(daemon);
    struct wrn_policy_question question = {0};
    struct wrn_node_peer_info info;
    struct wrn_node_trace trace = {0};
    struct wrn_now now = wrn_clock_read();
    if (whom->whom.is_self) {
        wrn_job_fail(&whom->job, WRN_RPC_REFUSED, "SELF",
                     "%s is this machine itself: nothing of the network lies between", whom->text);
        return;
    }
    if (wrn_find_peer(whom->job.methods, whom->job.network, whom->whom.hit, &info)) {
        whom->whom.ipv4 = info.ipv4;
        whom->whom.ipv6 = info.ipv6;
    }
    if (make_question(job, &question) &&
        wrn_node_trace(node, now, whom->job.network, &question, &trace)) {
        wrn_job_reply(&whom->job, trace_json(&trace));
        return;
    }
    if (job->is_connected) {
        wrn_job_fail(&whom->job, WRN_RPC_NOT_FOUND, "NO_ADDRESS",
                     "between this machine and %s no %s packet can pass: one of both has no such "
                     "address; see warren peers, or ask for the other family (--ipv6)",
                     whom->text, job->is_ipv6 ? "IPv6" : "IPv4");
        return;
    }
    if (wrn_job_tag(&whom->job, on_trace_connected)) {
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        wrn_node_connect(node, now, whom->job.network, whom->whom.hit, whom->job.tag, out);
        wrn_daemon_perform(daemon);
    }
}

/* Only of a peer the rights are known. */
static void on_trace_connected(struct wrn_job *base, const struct wrn_node_answer *answer) {
    struct wrn_whom_job *whom = WRN_CONTAINER(base, struct wrn_whom_job, job);
    struct reach_job *job = WRN_CONTAINER(whom, struct reach_job, whom);
    if (!answer->is_last) {
        return;
    }
    if (answer->reason != WRN_REASON_NONE) {
        wrn_job_fail(base, WRN_RPC_REFUSED, wrn_reason_name(answer->reason),
                     "no packet gets to %s: it cannot be reached: %s", whom->text,
                     wrn_reason_text(answer->reason));
        return;
    }
    job->is_connected = true;
    answer_trace(whom);
}

static bool make_question(const struct reach_job *job, struct wrn_policy_question *ret_question) {
    const struct wrn_whom *whom = &job->whom.whom;
    struct wrn_node_network_info own;
    if (!wrn_node_network_info(wrn_daemon_node(job->whom.job.methods->daemon),
                               job->whom.job.network, &own)) {
        return false;
    }
    const struct wrn_ip *ours = job->is_ipv6 ? &own.ipv6 : &own.ipv4;
    const struct wrn_ip *theirs = job->is_ipv6 ? &whom->ipv6 : &whom->ipv4;
    uint16_t echo = job->is_ipv6 ? ECHO_REQUEST_V6 : ECHO_REQUEST;
    int64_t icmp = job->is_ipv6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP;
    bool is_icmp = job->protocol < 0 || job->protocol == icmp;
    *ret_question = (struct wrn_policy_question){
        .source = job->inbound ? *theirs : *ours,
        .destination = job->inbound ? *ours : *theirs,
        .protocol = (uint8_t)(job->protocol < 0 ? icmp : job->protocol),
        .source_port = job->source_port,
        .destination_port = job->has_port || !is_icmp ? job->port : echo,
    };
    return ours->family != WRN_FAMILY_NONE && theirs->family != WRN_FAMILY_NONE;
}

static json_t *trace_json(const struct wrn_node_trace *trace) {
    bool passes = trace->verdict.refusal == WRN_POLICY_NONE;
    return json_pack("{s:b, s:s, s:s, s:s, s:o, s:o, s:o}", "passes", passes, "direction",
                     trace->direction == WRN_POLICY_OUT ? "out" : "in", "why",
                     passes
                         ? wrn_policy_ground_name((enum wrn_policy_ground)trace->verdict.ground)
                         : wrn_policy_refusal_name((enum wrn_policy_refusal)trace->verdict.refusal),
                     "rule_of", trace->verdict.whose == WRN_POLICY_OUT ? "self" : "peer", "hit",
                     wrn_json_hit(trace->hit), "certificate", cert_json(&trace->cert), "text",
                     wrn_rpc_json_text(trace->text));
}

static json_t *cert_json(const struct wrn_rights_cert *cert) {
    static const uint8_t none[WRN_SHA256_SIZE];
    uint8_t issuer[WRN_HIT_SIZE];
    uint8_t subject[WRN_HIT_SIZE];
    if (memcmp(cert->hash, none, sizeof none) == 0) {
        return json_null();
    }
    wrn_hit(cert->issuer, issuer);
    wrn_hit(cert->subject, subject);
    return json_pack("{s:o, s:o, s:o}", "hash", wrn_json_hex(cert->hash, sizeof cert->hash),
                     "issuer", wrn_json_hit(issuer), "subject", wrn_json_hit(subject));
}
