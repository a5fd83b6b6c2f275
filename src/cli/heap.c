/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a heap of certificates. Decides nothing about them. */
#include "cli/heap.h"

#include "io/random.h"

enum {
    CERTS_MAX = 1 << 16,
    KEYS_MAX = 1 << 20,
    TUPLES_MAX = 1 << 18,
    MADE_BYTES = 1 << 28, /* touched only where a reduction makes so much */
};

static int add(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_objects *objects,
               bool is_trusted);
static int refuse(struct wrn_cli *cli, const struct wrn_object *object, int error,
                  const struct wrn_spki_error *why);
static size_t count_both(const struct wrn_heap_parts *parts, const char *name);
static size_t room_for_parts(const struct wrn_heap_parts *parts);

int wrn_heap_make(struct wrn_cli *cli, const struct wrn_heap_parts *parts,
                  struct wrn_spki **ret_heap) {
    struct wrn_random random = {0};
    size_t certs = 1 + count_both(parts, "cert") + count_both(parts, "entry");
    size_t room = certs + room_for_parts(parts);
    size_t keys = 64 + count_both(parts, "public-key") + count_both(parts, "hash");
    size_t lists = count_both(parts, "crl") + count_both(parts, "reval");
    if (certs > CERTS_MAX || keys > KEYS_MAX || lists > CERTS_MAX) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "these files hold %zu certificates, %zu keys and %zu revocation lists: "
                            "more than %d, %d and %d; leave out what does not matter",
                            certs - 1, keys - 64, lists, CERTS_MAX, KEYS_MAX, CERTS_MAX);
    }
    struct wrn_spki_limits limits = {
        .certs_max = (uint32_t)(room < CERTS_MAX ? room : CERTS_MAX),
        .keys_max = (uint32_t)keys,
        .crls_max = (uint32_t)lists,
        .bytes_max = MADE_BYTES,
        .tuples_max = TUPLES_MAX,
    };
    wrn_rand_fill(wrn_random_source(&random), limits.seed, sizeof limits.seed);
    struct wrn_spki *heap = wrn_spki_init(wrn_cli_map(cli, wrn_spki_size(&limits)), &limits);
    if (parts->assume_signed) {
        wrn_spki_assume_signed(heap);
    }
    int code = add(cli, heap, &parts->trusted, true);
    if (code == WRN_CLI_DONE) {
        code = add(cli, heap, &parts->foreign, false);
    }
    *ret_heap = heap;
    return code;
}

size_t wrn_heap_count(const struct wrn_objects *objects, const char *name) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX + 1];
    size_t found = 0;
    for (size_t i = 0; i < objects->count; i++) {
        struct wrn_sexp sexp = objects->list[i].sexp;
        size_t depth = 0;
        bool more = true;
        while (more) {
            found += wrn_sexp_is_named(sexp, name) ? 1 : 0;
            if (wrn_sexp_is_list(sexp) && depth < WRN_COUNT(open)) {
                (void)wrn_sexp_enter(sexp, &open[depth++]);
            }
            more = false;
            while (depth > 0 && !more) {
                more = wrn_sexp_take_any(&open[depth - 1], &sexp);
                depth -= more ? 0 : 1;
            }
        }
    }
    return found;
}

int wrn_heap_read_tag(struct wrn_cli *cli, const char *what, const char *text,
                      struct wrn_sexp *ret_tag) {
    struct wrn_sexp tag;
    struct wrn_sexp at;
    struct wrn_sexp_cursor inner;
    int code = wrn_files_read_argument(cli, what, text, &tag);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (wrn_sexp_enter_named(tag, "tag", &inner) &&
        !(wrn_sexp_take_any(&inner, &tag) && wrn_sexp_at_end(&inner))) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: (tag ...) has exactly one element", what);
    }
    enum wrn_tag_fault fault = wrn_tag_check(tag, &at);
    if (fault != WRN_TAG_OK) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: %s, at %s", what, wrn_tag_fault_text(fault),
                            wrn_files_line(cli, WRN_SEXP_ADVANCED, at));
    }
    *ret_tag = tag;
    return WRN_CLI_DONE;
}

static int add(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_objects *objects,
               bool is_trusted) {
    for (size_t i = 0; i < objects->count; i++) {
        struct wrn_spki_error why = {0};
        struct wrn_sexp sexp = objects->list[i].sexp;
        int error =
            is_trusted ? wrn_spki_add(heap, sexp, &why) : wrn_spki_add_foreign(heap, sexp, &why);
        if (error != 0 && !is_trusted && wrn_sexp_is_named(sexp, "acl")) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                                "%s: an ACL counts only where the verifier names it: --acl %s",
                                objects->list[i].where, wrn_files_name(cli, objects->list[i].file));
        }
        if (error != 0) {
            return refuse(cli, &objects->list[i], error, &why);
        }
    }
    return WRN_CLI_DONE;
}

static int refuse(struct wrn_cli *cli, const struct wrn_object *object, int error,
                  const struct wrn_spki_error *why) {
    enum { SHOWN = 120 };
    if (error == WRN_ERR_FULL) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s: these are too many certificates",
                            object->where);
    }
    if (why->fault == WRN_SPKI_NOT_THIS_OBJECT) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s: this is no ACL, certificate, signature, public key, "
                            "revocation list or sequence of these",
                            object->where);
    }
    const char *at = why->at.bytes.size == 0 ? "" : wrn_files_line(cli, WRN_SEXP_ADVANCED, why->at);
    return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s: %s, at %.*s%s", object->where,
                        wrn_spki_fault_text(why->fault), SHOWN, at,
                        strlen(at) > SHOWN ? "..." : "");
}

static size_t count_both(const struct wrn_heap_parts *parts, const char *name) {
    return wrn_heap_count(&parts->trusted, name) + wrn_heap_count(&parts->foreign, name);
}

/* A heap has room for the names, thresholds and signatures that certificates have as a rule. Few
 * certificates may have more of them: names of WRN_SPKI_NAME_PARTS_MAX words, for one. */
static size_t room_for_parts(const struct wrn_heap_parts *parts) {
    enum { CERTS_A_NAME = 6 };
    return CERTS_A_NAME * count_both(parts, "name") + count_both(parts, "k-of-n") +
           count_both(parts, "signature");
}
