/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one tag permits all that another does. Each pair of elements at the same place is looked
 * at once, so the work is at most the product of their numbers. */
#include "spki/tag_walk.h"

/* What is open: a request's set, of which all must be covered; a tag's set, of which any must
 * cover; two lists, whose elements must be covered one by one. */
enum frame_kind { ALL_OF_REQUEST, ANY_OF_TAG, PAIRS };

struct frame {
    enum frame_kind kind;
    struct wrn_sexp_cursor in_tag, in_request; /* the elements that are left */
    struct wrn_sexp tag, request;              /* the other one, of a set */
};

enum answer { NO, YES, OPEN, TOO_MUCH };

struct walk {
    struct wrn_tag_budget *budget;
    size_t depth;
    struct frame frames[WRN_TAG_FRAMES_MAX];
};

static enum answer look(struct walk *walk, struct wrn_sexp tag, struct wrn_sexp request);
static enum answer push(struct walk *walk, const struct frame *frame);
static enum answer go_on(struct walk *walk, enum answer answer, struct wrn_sexp *tag,
                         struct wrn_sexp *request);
static enum answer next_pair(struct frame *frame, struct wrn_sexp *tag, struct wrn_sexp *request);

int wrn_tag_walk_covers(struct wrn_sexp tag, struct wrn_sexp request,
                        struct wrn_tag_budget *budget) {
    struct walk walk;
    walk.budget = budget;
    walk.depth = 0;
    enum answer answer;
    do {
        answer = look(&walk, tag, request);
        answer = go_on(&walk, answer, &tag, &request);
    } while (answer == OPEN);
    return answer == TOO_MUCH ? -E2BIG : answer == YES;
}

/* Looks at one pair. OPEN: a frame was pushed that has its parts. */
static enum answer look(struct walk *walk, struct wrn_sexp tag, struct wrn_sexp request) {
    struct wrn_tag_node wide, narrow;
    struct wrn_sexp at;
    if (!wrn_tag_spend(walk->budget, tag.bytes.size + request.bytes.size)) {
        return TOO_MUCH;
    }
    if (wrn_tag_node_read(tag, &wide, &at) != WRN_TAG_OK ||
        wrn_tag_node_read(request, &narrow, &at) != WRN_TAG_OK) {
        return NO;
    }
    if (narrow.kind == WRN_TAG_SET) {
        return push(walk, &(struct frame){
                              .kind = ALL_OF_REQUEST, .tag = tag, .in_request = narrow.elements});
    }
    if (wide.kind == WRN_TAG_SET) {
        return push(
            walk, &(struct frame){.kind = ANY_OF_TAG, .request = request, .in_tag = wide.elements});
    }
    if (wide.kind == WRN_TAG_LIST && narrow.kind == WRN_TAG_LIST) {
        return push(
            walk,
            &(struct frame){.kind = PAIRS, .in_tag = wide.elements, .in_request = narrow.elements});
    }
    if (wide.kind == WRN_TAG_CELL && narrow.kind == WRN_TAG_CELL) {
        return wrn_tag_cell_covers(&wide.cell, &narrow.cell) ? YES : NO;
    }
    return wide.kind == WRN_TAG_ANY ? YES : NO;
}

static enum answer push(struct walk *walk, const struct frame *frame) {
    if (walk->depth == WRN_TAG_FRAMES_MAX) {
        return TOO_MUCH;
    }
    walk->frames[walk->depth++] = *frame;
    return OPEN;
}

/* Carries the answer on one pair up to where more must be known; returns OPEN and the next
 * pair, or the answer to all. */
static enum answer go_on(struct walk *walk, enum answer answer, struct wrn_sexp *tag,
                         struct wrn_sexp *request) {
    while (walk->depth > 0 && answer != TOO_MUCH) {
        struct frame *top = &walk->frames[walk->depth - 1];
        enum answer decisive = top->kind == ANY_OF_TAG ? YES : NO;
        if (answer != decisive) {
            answer = next_pair(top, tag, request);
            if (answer == OPEN) {
                return OPEN;
            }
        }
        walk->depth--;
    }
    return answer;
}

/* Takes the next pair of a frame, or tells its answer if there is none. */
static enum answer next_pair(struct frame *frame, struct wrn_sexp *tag, struct wrn_sexp *request) {
    switch (frame->kind) {
    case ALL_OF_REQUEST:
        *tag = frame->tag;
        return wrn_sexp_take_any(&frame->in_request, request) ? OPEN : YES;
    case ANY_OF_TAG:
        *request = frame->request;
        return wrn_sexp_take_any(&frame->in_tag, tag) ? OPEN : NO;
    case PAIRS:
        break;
    }
    if (!wrn_sexp_take_any(&frame->in_tag, tag)) {
        return YES; /* what the tag leaves out is everything */
    }
    return wrn_sexp_take_any(&frame->in_request, request) ? OPEN : NO;
}
