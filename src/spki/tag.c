/* SPDX-License-Identifier: Apache-2.0 */
/* Tags: checking, and the public face of the walks over them. */
#include "spki/tag.h"
#include "spki/tag_walk.h"

static bool next_refused(struct wrn_sexp *tag, struct wrn_sexp *request, uint8_t *scratch,
                         size_t scratch_size);

const char *wrn_tag_fault_text(enum wrn_tag_fault fault) {
    static const char *const texts[] = {
        [WRN_TAG_OK] = "it is a tag",
        [WRN_TAG_BAD_STAR] = "after the star stands none of \"set\", \"prefix\" and \"range\"",
        [WRN_TAG_BAD_PREFIX] = "a prefix is exactly one string, without a display hint",
        [WRN_TAG_BAD_ORDERING] =
            "a range begins with none of \"alpha\", \"numeric\", \"time\", \"binary\" and \"date\"",
        [WRN_TAG_BAD_LIMIT] =
            "a limit is (g|ge|l|le VALUE), one a side, with a value of the range's ordering",
        [WRN_TAG_TOO_LARGE] = "it is larger than 16,384 bytes",
    };
    return texts[fault];
}

enum wrn_tag_fault wrn_tag_check(struct wrn_sexp tag, struct wrn_sexp *ret_at) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX];
    size_t depth = 0;
    struct wrn_sexp at = tag;
    enum wrn_tag_fault fault = WRN_TAG_OK;
    if (tag.bytes.size > WRN_TAG_SIZE_MAX) {
        fault = WRN_TAG_TOO_LARGE;
    }
    bool is_more = true;
    while (fault == WRN_TAG_OK && is_more) {
        struct wrn_tag_node node;
        fault = wrn_tag_node_read(tag, &node, &at);
        if (node.kind == WRN_TAG_SET || node.kind == WRN_TAG_LIST) {
            WRN_ASSERT(depth < WRN_SEXP_DEPTH_MAX); /* no expression is deeper */
            open[depth++] = node.elements;
        }
        while (depth > 0 && !wrn_sexp_take_any(&open[depth - 1], &tag)) {
            depth--;
        }
        is_more = depth > 0;
    }
    if (fault != WRN_TAG_OK && ret_at != NULL) {
        *ret_at = at;
    }
    return fault;
}

int wrn_tag_intersect(struct wrn_sexp a, struct wrn_sexp b, struct wrn_sexp_writer *out) {
    if (a.bytes.size > WRN_TAG_SIZE_MAX || b.bytes.size > WRN_TAG_SIZE_MAX) {
        return -E2BIG;
    }
    struct wrn_tag_work work;
    work.size = 0;
    work.is_full = false;
    struct wrn_tag_budget budget = {WRN_TAG_STEPS_MAX};
    int result = wrn_tag_walk_intersect(a, b, &budget, &work);
    if (result != 1) {
        return result;
    }
    /* A set of lists can become a list in a set, which is one deeper than either was. */
    struct wrn_sexp both;
    if (work.size > WRN_TAG_SIZE_MAX ||
        wrn_sexp_check((wrn_span){work.bytes, work.size}, &both, NULL) != 0) {
        return -E2BIG;
    }
    struct wrn_sexp_mark mark = wrn_sexp_mark(out);
    wrn_sexp_put(out, both);
    if (out->error != 0) {
        wrn_sexp_rewind(out, mark);
        return -ENOBUFS;
    }
    return 1;
}

int wrn_tag_normalise(struct wrn_sexp tag, struct wrn_sexp_writer *out) {
    return wrn_tag_intersect(tag, wrn_tag_any(), out);
}

int wrn_tag_covers(struct wrn_sexp tag, struct wrn_sexp request, uint8_t *scratch,
                   size_t scratch_size) {
    if (tag.bytes.size > WRN_TAG_SIZE_MAX) {
        return -E2BIG;
    }
    struct wrn_sexp_writer writer = wrn_sexp_writer(scratch, scratch_size);
    int result = wrn_tag_normalise(request, &writer);
    struct wrn_sexp normal;
    if (result != 1) {
        return result;
    }
    result = wrn_sexp_finish(&writer, &normal);
    if (result != 0) {
        return result;
    }
    struct wrn_tag_budget budget = {WRN_TAG_STEPS_MAX};
    return wrn_tag_walk_covers(tag, normal, &budget);
}

bool wrn_tag_find_refused(struct wrn_sexp tag, struct wrn_sexp request, uint8_t *scratch,
                          size_t scratch_size, struct wrn_sexp *ret_wanted,
                          struct wrn_sexp *ret_permitted) {
    if (wrn_tag_covers(tag, request, scratch, scratch_size) == 1) {
        return false;
    }
    while (next_refused(&tag, &request, scratch, scratch_size)) {
    }
    *ret_wanted = request;
    *ret_permitted = tag;
    return true;
}

/* Goes from a tag and a request that it does not cover to the first parts of them for which this
 * holds; false if it lies in the whole of them. */
static bool next_refused(struct wrn_sexp *tag, struct wrn_sexp *request, uint8_t *scratch,
                         size_t scratch_size) {
    struct wrn_tag_node wide, narrow;
    struct wrn_sexp at, of_tag = *tag, of_request;
    if (wrn_tag_node_read(*tag, &wide, &at) != WRN_TAG_OK ||
        wrn_tag_node_read(*request, &narrow, &at) != WRN_TAG_OK) {
        return false;
    }
    bool is_set = narrow.kind == WRN_TAG_SET;
    if (!is_set && (narrow.kind != WRN_TAG_LIST || wide.kind != WRN_TAG_LIST)) {
        return false;
    }
    while ((is_set || wrn_sexp_take_any(&wide.elements, &of_tag)) &&
           wrn_sexp_take_any(&narrow.elements, &of_request)) {
        if (wrn_tag_covers(of_tag, of_request, scratch, scratch_size) != 1) {
            *tag = of_tag;
            *request = of_request;
            return true;
        }
    }
    return false; /* the tag has more elements, the set none */
}
