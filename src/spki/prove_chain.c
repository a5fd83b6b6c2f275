/* SPDX-License-Identifier: Apache-2.0 */
/* Reduces a chain in the order in which it is given, as a verifier does that trusts nobody's
 * search. Source: RFC 2693, section 6.3.4. */
#include "spki/prove_internal.h"

/* What the chain has given so far. */
struct state {
    struct wrn_prove_node subject;
    struct wrn_prove_right right;
    uint32_t giver;   /* the certificate that gives the right, not only a name */
    uint32_t limiter; /* the one whose list holds, or NONE */
};

static uint32_t index_of(const struct wrn_spki *spki, const struct wrn_spki_cert *cert);
static enum wrn_spki_verdict begin(struct wrn_spki *spki, uint32_t item, struct state *state);
static enum wrn_spki_verdict go_on(struct wrn_spki *spki, uint32_t item, struct state *state,
                                   struct wrn_spki_answer *answer);
static bool continues(const struct wrn_spki *spki, uint32_t item, const struct state *state);
static bool replace_subject(struct wrn_spki *spki, uint32_t item, struct state *state);
static enum wrn_spki_verdict why_not(struct wrn_spki *spki, uint32_t item,
                                     const struct state *state);
static void blame(const struct wrn_spki *spki, struct wrn_spki_answer *answer,
                  enum wrn_spki_verdict verdict, uint32_t item);

int wrn_spki_reduce_chain(struct wrn_spki *spki, const struct wrn_spki_cert *const *chain,
                          size_t count, wrn_spki_date now, struct wrn_sexp_writer *out,
                          struct wrn_spki_answer *ret_answer) {
    struct state state = {.limiter = WRN_PROVE_NONE};
    uint64_t date;
    WRN_ASSERT(count >= 1 && count <= WRN_SPKI_CHAIN_MAX);
    memset(ret_answer, 0, sizeof(*ret_answer));
    ret_answer->chain_count = count;
    for (size_t i = 0; i < count; i++) {
        ret_answer->chain[i] = chain[i];
    }
    if (!wrn_prove_read_date(spki, now, &date)) {
        return WRN_ERR_MALFORMED;
    }
    wrn_prove_tuples_begin(spki, date);
    for (size_t i = 0; i < count && ret_answer->verdict == WRN_SPKI_GRANTED; i++) {
        uint32_t item = index_of(spki, chain[i]);
        enum wrn_spki_verdict verdict =
            i == 0 ? begin(spki, item, &state) : go_on(spki, item, &state, ret_answer);
        if (spki->tuples.is_full) {
            return WRN_ERR_FULL;
        }
        if (verdict != WRN_SPKI_GRANTED && !ret_answer->culprit) {
            blame(spki, ret_answer, verdict, item);
        }
    }
    if (ret_answer->verdict == WRN_SPKI_GRANTED && state.subject.list == WRN_PROVE_THRESHOLD) {
        blame(spki, ret_answer, WRN_SPKI_TOO_FEW, index_of(spki, chain[count - 1]));
        ret_answer->need = spki->thresholds[state.subject.key].k;
    } else if (ret_answer->verdict == WRN_SPKI_GRANTED && state.subject.list != WRN_PROVE_NIL) {
        ret_answer->verdict = WRN_SPKI_NO_ROOT; /* a name that nothing resolves */
    }
    if (ret_answer->verdict != WRN_SPKI_GRANTED) {
        return 0;
    }
    ret_answer->validity = state.right.validity;
    wrn_prove_write_entry(spki, out, state.subject.key, &state.right);
    return out->error ? out->error : 1;
}

static uint32_t index_of(const struct wrn_spki *spki, const struct wrn_spki_cert *cert) {
    WRN_ASSERT(cert >= spki->certs && cert < spki->certs + spki->cert_count);
    return (uint32_t)(cert - spki->certs);
}

static enum wrn_spki_verdict begin(struct wrn_spki *spki, uint32_t item, struct state *state) {
    const struct wrn_sexp everything = {{NULL, 0}};
    uint32_t faults = wrn_prove_reduce_faults(spki, item);
    if (!spki->certs[item].is_acl_entry) {
        return WRN_SPKI_NO_ROOT;
    }
    if (faults) {
        return (enum wrn_spki_verdict)__builtin_ctz(faults);
    }
    state->giver = item;
    state->subject = spki->items[item].subject;
    if (state->subject.key == WRN_PROVE_NONE) {
        return WRN_SPKI_NO_ROOT;
    }
    spki->request = spki->certs[item].tag; /* which permits nothing, should that be refused */
    return wrn_prove_right_of(spki, item, everything, &state->right) ? WRN_SPKI_GRANTED
                                                                     : WRN_SPKI_TAG;
}

static enum wrn_spki_verdict go_on(struct wrn_spki *spki, uint32_t item, struct state *state,
                                   struct wrn_spki_answer *answer) {
    uint32_t faults = wrn_prove_reduce_faults(spki, item);
    bool is_name = spki->items[item].name != WRN_PROVE_NONE;
    if (!continues(spki, item, state)) {
        return WRN_SPKI_NO_ROOT;
    }
    if (faults) {
        return (enum wrn_spki_verdict)__builtin_ctz(faults);
    }
    if (!is_name && state->right.pass == WRN_PROVE_MAY_NOT) {
        bool is_listed = state->limiter != WRN_PROVE_NONE;
        blame(spki, answer, is_listed ? WRN_SPKI_WRONG_DELEGATE : WRN_SPKI_NO_DELEGATION,
              is_listed ? state->limiter : state->giver);
        answer->passed_on = &spki->certs[item];
        return answer->verdict;
    }
    struct wrn_prove_right had = state->right;
    if (!wrn_prove_right_after(spki, &had, item, &state->right)) {
        return why_not(spki, item, state);
    }
    if (!is_name) {
        state->limiter = had.pass == WRN_PROVE_MAY_ONCE ? state->giver : WRN_PROVE_NONE;
        state->giver = item;
    }
    if (!replace_subject(spki, item, state)) {
        return WRN_SPKI_NO_ROOT;
    }
    if (state->subject.list == WRN_PROVE_NIL &&
        !wrn_prove_right_reaches(&spki->tuples, state->subject.key, &state->right)) {
        blame(spki, answer, WRN_SPKI_WRONG_DELEGATE, state->limiter);
        answer->passed_on = &spki->certs[state->giver];
        return answer->verdict;
    }
    return WRN_SPKI_GRANTED;
}

/* Whether it is by the principal, or for the name, that has the right so far. */
static bool continues(const struct wrn_spki *spki, uint32_t index, const struct state *state) {
    const struct wrn_prove_item *item = &spki->items[index];
    struct wrn_prove_node subject = state->subject;
    if (spki->certs[index].is_acl_entry || subject.list == WRN_PROVE_THRESHOLD ||
        item->object.issuer != subject.key) {
        return false;
    }
    if (subject.list == WRN_PROVE_NIL) {
        return item->name == WRN_PROVE_NONE;
    }
    return item->name == spki->cells[subject.list].name;
}

/* A name certificate's subject takes the place of the first name; the others follow it. False if
 * that is nobody: a threshold or an object has no names. */
static bool replace_subject(struct wrn_spki *spki, uint32_t index, struct state *state) {
    const struct wrn_prove_item *item = &spki->items[index];
    uint32_t rest =
        item->name == WRN_PROVE_NONE ? WRN_PROVE_NIL : spki->cells[state->subject.list].rest;
    uint32_t names[WRN_SPKI_NAME_PARTS_MAX];
    size_t count = 0;
    state->subject = item->subject;
    if (item->subject.key == WRN_PROVE_NONE) {
        return false;
    }
    if (rest == WRN_PROVE_NIL) {
        return true;
    }
    if (item->subject.list == WRN_PROVE_THRESHOLD) {
        return false;
    }
    for (uint32_t i = item->subject.list; i != WRN_PROVE_NIL; i = spki->cells[i].rest) {
        names[count++] = spki->cells[i].name;
    }
    while (count-- > 0) {
        if (!wrn_prove_add_cell(spki, names[count], rest, &rest)) {
            spki->tuples.is_full = true;
            return false;
        }
    }
    state->subject.list = rest;
    return true;
}

/* Nothing was left: no time, or no right. */
static enum wrn_spki_verdict why_not(struct wrn_spki *spki, uint32_t item,
                                     const struct state *state) {
    if (spki->items[item].from > state->right.end) {
        return WRN_SPKI_NOT_YET_VALID;
    }
    if (spki->items[item].until < state->right.start) {
        return WRN_SPKI_EXPIRED;
    }
    spki->request = spki->tuples.tags[state->right.tag].sexp;
    return WRN_SPKI_TAG;
}

static void blame(const struct wrn_spki *spki, struct wrn_spki_answer *answer,
                  enum wrn_spki_verdict verdict, uint32_t item) {
    answer->verdict = verdict;
    wrn_prove_fill_culprit(spki, item, answer);
}
