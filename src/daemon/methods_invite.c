/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that make, show and take back invitations. */
#include <stdio.h>

#include "base/hex.h"
#include "daemon/methods_internal.h"
#include "daemon/methods_limits.h"
#include "io/clock.h"
#include "node/authority.h"
#include "node/state.h"

enum { ELEMENT_MAX = 600, DAY_S = 86400, ITEMS_MAX = 32, ID_DIGITS_LEAST = 4 };

static bool write_limits(struct wrn_rpc_call *call, const struct wrn_descriptor *descriptor,
                         uint8_t element[ELEMENT_MAX], wrn_span *ret_element);
static json_t *invitation_json(const struct wrn_node *node, wrn_handle network,
                               const struct wrn_invitation *invitation, int64_t until_s,
                               int64_t uses);
static bool find_invitation(struct wrn_methods *methods, struct wrn_rpc_call *call,
                            wrn_handle *ret_network,
                            const struct wrn_state_invitation **ret_invitation);
static void hex_of(const uint8_t hash[WRN_SHA256_SIZE], char ret_text[2 * WRN_SHA256_SIZE + 1]);

void wrn_method_invite(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    uint8_t element[ELEMENT_MAX];
    char why[WRN_JUDGE_WHY_SIZE] = "";
    struct wrn_invitation invitation = {0};
    struct wrn_now now = wrn_clock_read();
    struct wrn_node_invite_options options = {
        .uses = (uint32_t)wrn_rpc_number(call, "uses", 1),
        .until_s = wrn_rpc_number(call, "until_s", now.wall.s + DAY_S),
        .members_may_invite = wrn_rpc_flag(call, "may_invite"),
    };
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network) ||
        !write_limits(call, wrn_node_descriptor(node, network), element, &options.element)) {
        return;
    }
    if (options.until_s <= now.wall.s) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "\"until_s\" lies in the past: nobody could join by this invitation");
        return;
    }
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason = wrn_node_invite(node, now, network, &options, out, &invitation, why);
    bool is_saved = wrn_job_perform(methods);
    if (reason != WRN_REASON_NONE) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason), "no invitation was made: %s",
                     why[0] != '\0' ? why : wrn_reason_text(reason));
    } else if (!is_saved) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
    } else {
        wrn_rpc_reply(call,
                      invitation_json(node, network, &invitation, options.until_s, options.uses));
    }
    wrn_invitation_finish(&invitation);
}

void wrn_method_invitation_list(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_state_invitation *made = NULL;
    uint32_t cursor = 0;
    wrn_handle network;
    if (!wrn_find_network(methods, call, &network)) {
        return;
    }
    json_t *list = json_array();
    while (wrn_node_next_invitation(wrn_daemon_node(methods->daemon), network, &cursor, &made)) {
        (void)json_array_append_new(
            list,
            json_pack("{s:o, s:I, s:o, s:I, s:I, s:b, s:b}", "id",
                      wrn_json_hex(made->cert_hash, sizeof made->cert_hash), "made_s",
                      (json_int_t)made->made_s, "until_s", wrn_json_time(made->until_s), "uses",
                      (json_int_t)made->uses, "used", (json_int_t)made->used, "revoked",
                      made->is_revoked, "expired", made->until_s <= wrn_clock_read().wall.s));
    }
    wrn_rpc_reply(call, json_pack("{s:o}", "invitations", list));
}

void wrn_method_invitation_show(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_state_invitation *made = NULL;
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_invitation invitation = {0};
    wrn_handle network;
    if (!find_invitation(methods, call, &network, &made)) {
        return;
    }
    if (made->is_revoked || made->until_s <= wrn_clock_read().wall.s) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, made->is_revoked ? "REVOKED" : "EXPIRED",
                     "this invitation %s; make another one: warren invite",
                     made->is_revoked ? "was taken back" : "is over");
        return;
    }
    enum wrn_reason reason =
        wrn_node_show_invitation(node, wrn_clock_read(), network, made->cert_hash, &invitation);
    if (reason == WRN_REASON_NONE) {
        wrn_rpc_reply(call, invitation_json(node, network, &invitation, made->until_s, made->uses));
    } else {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason),
                     "this invitation cannot be shown again: %s; make another one: warren invite",
                     wrn_reason_text(reason));
    }
    wrn_invitation_finish(&invitation);
}

void wrn_method_invitation_revoke(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_state_invitation *made = NULL;
    uint8_t hash[WRN_SHA256_SIZE];
    char why[WRN_JUDGE_WHY_SIZE] = "";
    uint32_t count = 0;
    struct wrn_now now;
    wrn_handle network;
    if (!find_invitation(methods, call, &network, &made)) {
        return;
    }
    memcpy(hash, made->cert_hash, sizeof hash);
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    enum wrn_reason reason =
        wrn_node_revoke(wrn_daemon_node(methods->daemon), now, network, WRN_NODE_REVOKE_CERT, hash,
                        (wrn_span){NULL, 0}, out, &count, why);
    bool is_saved = wrn_job_perform(methods);
    if (reason != WRN_REASON_NONE) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, wrn_reason_name(reason),
                     "the invitation was not taken back: %s",
                     why[0] != '\0' ? why : wrn_reason_text(reason));
        return;
    }
    if (!is_saved) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
        return;
    }
    wrn_rpc_reply(call, json_pack("{s:i}", "revoked", (int)count));
}

/* Writes (* set (address ...)... (allow ...)...); empty if there are no limits. False, and the call
 * has failed. */
static bool write_limits(struct wrn_rpc_call *call, const struct wrn_descriptor *descriptor,
                         uint8_t element[ELEMENT_MAX], wrn_span *ret_element) {
    static const struct {
        const char *param, *word;
    } kinds[] = {{"addresses", "address"}, {"allow", "allow"}};
    struct wrn_sexp_writer writer = wrn_sexp_writer(element, ELEMENT_MAX);
    struct wrn_sexp sexp = {{NULL, 0}};
    char why[WRN_LIMITS_WHY_SIZE];
    size_t total = 0;
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    for (size_t k = 0; k < WRN_COUNT(kinds); k++) {
        const char *texts[ITEMS_MAX] = {0};
        size_t count = wrn_rpc_texts(call, kinds[k].param, texts, WRN_COUNT(texts));
        for (size_t i = 0; i < count; i++) {
            if (k == 0 && !wrn_limits_meets(texts[i], &descriptor->ipv4)) {
                char range[WRN_PREFIX_TEXT_SIZE];
                (void)wrn_prefix_print(&descriptor->ipv4, range);
                wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                             "\"addresses\": \"%.40s\" is not of the network's range, %s: who "
                             "joins could have no address",
                             texts[i], range);
                return false;
            }
            if (!wrn_limits_put_one(&writer, kinds[k].word, texts[i], why)) {
                wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "\"%s\": %s", kinds[k].param, why);
                return false;
            }
        }
        total += count;
    }
    if (wrn_rpc_flag(call, "no_relay")) {
        wrn_sexp_open(&writer, "relay");
        wrn_sexp_put_word(&writer, "-"); /* spoken of, and not given */
        wrn_sexp_close(&writer);
        total++;
    }
    wrn_sexp_close(&writer);
    if (total > 0 && wrn_sexp_finish(&writer, &sexp) != 0) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "these limits are too many for one invitation: write ranges");
        return false;
    }
    *ret_element = sexp.bytes;
    return true;
}

static json_t *invitation_json(const struct wrn_node *node, wrn_handle network,
                               const struct wrn_invitation *invitation, int64_t until_s,
                               int64_t uses) {
    const struct wrn_state_invitation *made = NULL;
    uint32_t cursor = 0;
    json_t *id = NULL;
    while (id == NULL && wrn_node_next_invitation(node, network, &cursor, &made)) {
        if (wrn_equal_secret(made->seed, invitation->seed, sizeof made->seed)) {
            id = wrn_json_hex(made->cert_hash, sizeof made->cert_hash);
        }
    }
    char line[WRN_INVITATION_LINE_MAX];
    char qr[WRN_INVITATION_LINE_MAX];
    char file[WRN_INVITATION_FILE_MAX];
    json_t *ends = json_array();
    size_t line_size = wrn_invitation_print_line(invitation, line, sizeof line);
    size_t qr_size = wrn_invitation_print_qr(invitation, qr, sizeof qr);
    size_t file_size = wrn_invitation_print_file(invitation, file, sizeof file);
    for (uint8_t i = 0; i < invitation->endpoint_count; i++) {
        (void)json_array_append_new(ends, wrn_json_endpoint(&invitation->endpoints[i]));
    }
    json_t *json =
        json_pack("{s:s, s:o, s:I, s:o, s:b}", "network", wrn_node_descriptor(node, network)->name,
                  "until_s", wrn_json_time(until_s), "uses", (json_int_t)uses, "endpoints", ends,
                  "may_invite", invitation->members_may_invite);
    wrn_json_set(json, "id", id != NULL ? id : json_null());
    wrn_json_set(json, "line", json_stringn(line, line_size));
    wrn_json_set(json, "qr", json_stringn(qr, qr_size));
    wrn_json_set(json, "file", json_stringn(file, file_size));
    wrn_wipe(line, sizeof line);
    wrn_wipe(qr, sizeof qr);
    wrn_wipe(file, sizeof file);
    return json;
}

/* By the first digits of its id. False, and the call has failed. */
static bool find_invitation(struct wrn_methods *methods, struct wrn_rpc_call *call,
                            wrn_handle *ret_network,
                            const struct wrn_state_invitation **ret_invitation) {
    const char *id = wrn_rpc_text(call, "id");
    const struct wrn_state_invitation *made = NULL;
    const struct wrn_state_invitation *found = NULL;
    uint32_t cursor = 0;
    size_t count = 0;
    if (!wrn_find_network(methods, call, ret_network)) {
        return false;
    }
    if (strlen(id) < ID_DIGITS_LEAST) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "\"id\" has to be the first %d or more digits of an invitation's: warren "
                     "invitation list",
                     ID_DIGITS_LEAST);
        return false;
    }
    while (
        wrn_node_next_invitation(wrn_daemon_node(methods->daemon), *ret_network, &cursor, &made)) {
        char text[2 * WRN_SHA256_SIZE + 1];
        hex_of(made->cert_hash, text);
        if (strncmp(text, id, strlen(id)) == 0) {
            found = made;
            count++;
        }
    }
    if (count != 1) {
        wrn_rpc_fail(call, count == 0 ? WRN_RPC_NOT_FOUND : WRN_RPC_AMBIGUOUS, NULL,
                     "%s invitation's id begins so; those that this machine has made: warren "
                     "invitation list",
                     count == 0 ? "no" : "more than one");
        return false;
    }
    *ret_invitation = found;
    return true;
}

static void hex_of(const uint8_t hash[WRN_SHA256_SIZE], char ret_text[2 * WRN_SHA256_SIZE + 1]) {
    wrn_hex_write(hash, WRN_SHA256_SIZE, ret_text);
    ret_text[(size_t)2 * WRN_SHA256_SIZE] = '\0';
}
