/* SPDX-License-Identifier: Apache-2.0 */
/* Issues certificates by the rights that this node has, and sees to it that what is issued gives
 * what was meant: it is judged before anybody gets it. */
#include <stdarg.h>
#include <stdio.h>

#include "node/authority_state.h"

enum {
    ELEMENT_MAX = 640,
    BURST = 16, /* chains that are looked at in a row, and then so many milliseconds for each */
    BURST_MS = 250,
};

static enum wrn_reason issue_by(struct wrn_authority *authority,
                                const struct wrn_authority_wish *wish, wrn_span chain, uint8_t *out,
                                size_t capacity, size_t *ret_size, uint8_t *ret_hash, char *why);
static enum wrn_reason judge(struct wrn_authority *authority, const struct wrn_authority_wish *wish,
                             wrn_span chain, char *why);
static uint32_t certs_of(const struct wrn_rights *rights, uint32_t grant,
                         const struct wrn_certs *certs);
static bool is_named_one_of(struct wrn_sexp sexp, const char *const *names);
static bool put_parts(struct wrn_sexp_writer *writer, struct wrn_sexp element,
                      const char *const *without);

void wrn_authority_say(char why[WRN_JUDGE_WHY_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WRN_JUDGE_WHY_SIZE, format, args);
    va_end(args);
}

enum wrn_reason wrn_authority_issue(struct wrn_authority *authority,
                                    const struct wrn_authority_wish *wish, uint8_t *out,
                                    size_t capacity, size_t *ret_size,
                                    uint8_t ret_hash[WRN_SHA256_SIZE],
                                    char ret_why[WRN_JUDGE_WHY_SIZE]) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    enum wrn_reason reason = WRN_REASON_NOT_ADMITTED;
    struct wrn_certs certs;
    uint8_t way[WRN_CREDENTIAL_MAX];
    size_t size = 0;
    *ret_size = 0;
    if (network->standing != WRN_REASON_NONE) {
        wrn_authority_say(ret_why, "This node has no rights in this network: %s", network->why);
        return WRN_REASON_NOT_ADMITTED;
    }
    if ((network->rights.flags & WRN_RIGHT_OWNER) != 0) {
        return issue_by(authority, wish, (wrn_span){NULL, 0}, out, capacity, ret_size, ret_hash,
                        ret_why);
    }
    wrn_authority_say(ret_why, "This node's certificates give it no rights that it may pass on.");
    if (!wrn_certs_read(&frame, (wrn_span){network->chain, network->chain_size}, &certs)) {
        return WRN_REASON_NOT_ADMITTED;
    }
    for (uint32_t i = 0; i < network->rights.grant_count; i++) {
        uint32_t which = certs_of(&network->rights, i, &certs);
        if (which == 0 || wrn_certs_pick(&frame, &certs, which, way, sizeof way, &size) != 0) {
            continue; /* one of them may not be passed on */
        }
        reason = issue_by(authority, wish, (wrn_span){way, size}, out, capacity, ret_size, ret_hash,
                          ret_why);
        if (reason == WRN_REASON_NONE) {
            return reason;
        }
    }
    return reason;
}

bool wrn_authority_pay(struct wrn_authority *authority) {
    wrn_mono now = authority->network->now.mono;
    uint64_t window = WRN_MS((uint64_t)BURST * BURST_MS);
    wrn_mono earliest = {now.ns > window ? now.ns - window : 0};
    wrn_mono from = wrn_mono_before(authority->paid, earliest) ? earliest : authority->paid;
    if (wrn_mono_before(now, from)) {
        return false;
    }
    authority->paid = wrn_mono_add(from, WRN_MS(BURST_MS));
    return true;
}

bool wrn_authority_is_invitation(struct wrn_sexp element) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp part;
    bool found = wrn_rights_is_counted(element);
    if (wrn_sexp_enter_named(element, "*", &cursor) && wrn_sexp_take_word(&cursor, "set")) {
        while (wrn_sexp_take_any(&cursor, &part)) {
            found = found || wrn_sexp_is_named(part, WRN_AUTHORITY_INVITATION);
        }
    }
    return found;
}

bool wrn_authority_write_set(const char *const *words, struct wrn_sexp element,
                             const char *const *without, uint8_t *out, size_t capacity,
                             struct wrn_sexp *ret_sexp) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        wrn_sexp_open(&writer, words[i]);
        wrn_sexp_close(&writer);
    }
    bool is_flat = put_parts(&writer, element, without);
    wrn_sexp_close(&writer);
    return is_flat && wrn_sexp_finish(&writer, ret_sexp) == 0 &&
           ret_sexp->bytes.size <= ELEMENT_MAX;
}

uint8_t wrn_authority_flags_of(struct wrn_authority *authority, struct wrn_sexp element,
                               bool *ret_has_route) {
    const struct wrn_rights_grant grant = {.element = element};
    enum wrn_rights_fault fault = wrn_rights_compile(&grant, 1, &authority->rights);
    if (ret_has_route != NULL) {
        *ret_has_route = authority->rights.any_route || authority->rights.route_count > 0;
    }
    return fault < WRN_RIGHTS_MANY_ADDRESSES ? authority->rights.flags : 0;
}

/* ---- Parts */

static enum wrn_reason issue_by(struct wrn_authority *authority,
                                const struct wrn_authority_wish *wish, wrn_span chain, uint8_t *out,
                                size_t capacity, size_t *ret_size, uint8_t *ret_hash, char *why) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    int64_t from_s = network->now.wall.s - WRN_CLOCK_TOLERANCE_S;
    const struct wrn_certs_issue issue = {
        .seed = network->node->options.seed,
        .chain = chain,
        .subject = wish->subject,
        .element = wish->element,
        .may_pass_on = wish->may_pass_on,
        .from_s = from_s > 0 ? from_s : 0,
        .until_s = wish->until_s < WRN_RECORD_TIME_MAX_S ? wish->until_s : WRN_RECORD_TIME_MAX_S,
    };
    int error = wrn_certs_issue(&frame, &issue, out, capacity, ret_size, ret_hash);
    if (error == -ENOBUFS) {
        wrn_authority_say(why, "The chain of certificates would be too long: let somebody nearer "
                               "to the network's owner do it.");
        return WRN_REASON_TOO_LARGE;
    }
    if (error != 0) {
        wrn_authority_say(why, "The certificate cannot be made: its time is over before it begins, "
                               "or there is no memory.");
        return WRN_REASON_MALFORMED;
    }
    return judge(authority, wish, (wrn_span){out, *ret_size}, why);
}

static enum wrn_reason judge(struct wrn_authority *authority, const struct wrn_authority_wish *wish,
                             wrn_span chain, char *why) {
    const struct wrn_network *network = authority->network;
    const struct wrn_judge_question question = {
        .chain = chain,
        .public_key = wish->subject,
        .now_s = network->now.wall.s,
        .cancelled = wrn_revoked_cancelled(network->revoked),
    };
    struct wrn_judge_verdict verdict;
    wrn_judge(network->judge, &question, &authority->rights, &verdict);
    if (verdict.reason != WRN_REASON_NONE) {
        wrn_authority_say(why, "This node may not give that: %s", verdict.why);
        return WRN_REASON_NOT_ADMITTED;
    }
    if ((authority->rights.flags & wish->flags) != wish->flags) {
        uint8_t lacks = wish->flags & (uint8_t)~authority->rights.flags;
        const char *what = (lacks & WRN_RIGHT_MEMBER) != 0   ? "membership"
                           : (lacks & WRN_RIGHT_INVITE) != 0 ? "the right to invite"
                           : (lacks & WRN_RIGHT_ADMIN) != 0  ? "the right to administer"
                                                             : "all of these rights";
        wrn_authority_say(why,
                          "This node may not pass on %s: its own certificates do not give that, or "
                          "not to be passed on. Ask the network's owner, or an administrator.",
                          what);
        return WRN_REASON_NOT_ADMITTED;
    }
    return WRN_REASON_NONE;
}

/* The certificates of one way from the owner to us, as bits of 'certs'; 0 if one of them may not be
 * passed on. */
static uint32_t certs_of(const struct wrn_rights *rights, uint32_t grant,
                         const struct wrn_certs *certs) {
    uint32_t which = 0;
    for (uint32_t i = 0; i < rights->cert_count; i++) {
        if ((rights->grants[grant] >> i & 1) == 0) {
            continue;
        }
        for (uint32_t j = 0; j < certs->count; j++) {
            if (memcmp(certs->certs[j].hash, rights->certs[i].hash, WRN_SHA256_SIZE) == 0) {
                if (!certs->certs[j].may_pass_on) {
                    return 0;
                }
                which |= UINT32_C(1) << j;
            }
        }
    }
    return which;
}

/* The parts of a set, or the element itself. False for sets within sets, which nobody needs. */
static bool put_parts(struct wrn_sexp_writer *writer, struct wrn_sexp element,
                      const char *const *without) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp part;
    if (element.bytes.size == 0) {
        return true;
    }
    if (!wrn_sexp_enter_named(element, "*", &cursor)) {
        if (!is_named_one_of(element, without)) {
            wrn_sexp_put(writer, element);
        }
        return true;
    }
    if (!wrn_sexp_take_word(&cursor, "set")) {
        return false; /* (*), or another form */
    }
    while (wrn_sexp_take_any(&cursor, &part)) {
        if (wrn_sexp_is_named(part, "*")) {
            return false;
        }
        if (!is_named_one_of(part, without)) {
            wrn_sexp_put(writer, part);
        }
    }
    return true;
}

static bool is_named_one_of(struct wrn_sexp sexp, const char *const *names) {
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (wrn_sexp_is_named(sexp, names[i])) {
            return true;
        }
    }
    return false;
}
