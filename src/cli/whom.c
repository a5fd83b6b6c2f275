/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the key that a person means. Guesses nothing: two candidates are an error. */
#include "cli/whom.h"

#include <unistd.h>

#include "cli/key_file.h"

enum { HEX_SIZE = 64, BASE64_SIZE = 44 };

/* On the way through an expression, from key to key. */
struct key_walk {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX + 1];
    size_t depth;
    struct wrn_sexp next;
    bool has_next;
};

static int read_expression(struct wrn_cli *cli, const char *what, const char *text,
                           enum wrn_spki_mode mode, struct wrn_sexp *ret_subject);
static int find_hit(struct wrn_cli *cli, const char *what, const char *text,
                    const uint8_t hit[WRN_HIT_SIZE], const struct wrn_keyring *ring,
                    struct wrn_sexp *ret_subject);
static bool read_raw_key(struct wrn_cli *cli, const char *text,
                         uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]);
static struct wrn_sexp key_sexp(struct wrn_cli *cli, const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);
static void add_once(struct wrn_cli *cli, struct wrn_objects *found, struct wrn_sexp subject);
static void begin_walk(struct key_walk *walk, struct wrn_sexp sexp);
static bool next_key(struct key_walk *walk, struct wrn_sexp *ret_key,
                     const uint8_t **ret_public_key);
static void add_candidates(struct wrn_cli *cli, struct wrn_sexp object, struct wrn_objects *keys,
                           struct wrn_objects *subjects);
static bool is_fingerprint_text(const char *text);

void wrn_keyring_add(struct wrn_cli *cli, struct wrn_keyring *ring,
                     const struct wrn_objects *objects) {
    for (size_t i = 0; i < objects->count; i++) {
        wrn_objects_add(cli, &ring->objects, objects->list[i]);
    }
}

int wrn_keyring_read(struct wrn_cli *cli, const char *const *paths, size_t count,
                     struct wrn_keyring *ring) {
    for (size_t i = 0; i < count; i++) {
        struct wrn_objects objects = {0};
        int code = wrn_files_read(cli, paths[i], &objects);
        if (code != WRN_CLI_DONE) {
            return code;
        }
        wrn_keyring_add(cli, ring, &objects);
    }
    return WRN_CLI_DONE;
}

int wrn_whom_read(struct wrn_cli *cli, const char *what, const char *text,
                  const struct wrn_keyring *ring, enum wrn_spki_mode mode,
                  struct wrn_sexp *ret_subject) {
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    if (*text == '(' || *text == '{') {
        return read_expression(cli, what, text, mode, ret_subject);
    }
    int error = wrn_hit_read(text, hit);
    if (error == 0) {
        return find_hit(cli, what, text, hit, ring, ret_subject);
    }
    if (error == -EAFNOSUPPORT) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s: the address %s is no HIT of a key of ours (2001:20::/28, suite 5)",
                            what, text);
    }
    if (is_fingerprint_text(text)) {
        error = wrn_fingerprint_read(text, hit);
        return error == 0 ? find_hit(cli, what, text, hit, ring, ret_subject)
                          : wrn_cli_fail(cli, WRN_CLI_REFUSED,
                                         "%s: the check digits of the fingerprint do not fit: a "
                                         "digit was misheard or mistyped; have it read again",
                                         what);
    }
    error = wrn_identity_uri_read(text, key);
    if (error == -EBADMSG || error == -EKEYREJECTED) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s: the text of the QR code is damaged: %s; scan it again", what,
                            error == -EBADMSG ? "fingerprint and key do not belong together"
                                              : "it holds no sound key");
    }
    if (error == 0) {
        *ret_subject = key_sexp(cli, key);
        return WRN_CLI_DONE;
    }
    if (!read_raw_key(cli, text, key)) {
        return wrn_whom_of_file(cli, text, ret_subject);
    }
    if (!wrn_sign_public_is_sound(key)) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s: these 32 bytes are no sound Ed25519 public key: no signature of "
                            "it would be accepted",
                            what);
    }
    *ret_subject = key_sexp(cli, key);
    return WRN_CLI_DONE;
}

int wrn_whom_of_file(struct wrn_cli *cli, const char *path, struct wrn_sexp *ret_subject) {
    struct wrn_objects objects = {0};
    struct wrn_objects keys = {0};
    struct wrn_objects subjects = {0};
    if (strcmp(path, "-") != 0 && access(path, F_OK) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "%s is no key, HIT or fingerprint, nor a file: %s",
                            wrn_cli_quote(cli, path), strerror(errno));
    }
    int code = wrn_files_read(cli, path, &objects);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    for (size_t i = 0; i < objects.count; i++) {
        add_candidates(cli, objects.list[i].sexp, &keys, &subjects);
    }
    const struct wrn_objects *found = subjects.count > 0 ? &subjects : &keys;
    if (found->count != 1) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            found->count == 0 ? "%s holds neither a key nor a certificate"
                                              : "%s holds several keys; name the one you mean",
                            wrn_cli_quote(cli, path));
    }
    *ret_subject = found->list[0].sexp;
    return WRN_CLI_DONE;
}

bool wrn_whom_is_key(const struct wrn_spki_principal *principal,
                     const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE];
    uint8_t hash[WRN_SHA256_SIZE];
    struct wrn_sexp_cursor cursor;
    wrn_span bytes;
    if (principal->ed25519 != NULL) {
        return memcmp(principal->ed25519, public_key, WRN_SIGN_PUBLIC_SIZE) == 0;
    }
    wrn_spki_hash(wrn_spki_key_sexp(public_key, key), hash);
    return wrn_sexp_enter_named(principal->sexp, "hash", &cursor) &&
           wrn_sexp_take_word(&cursor, "sha256") && wrn_sexp_take_atom(&cursor, &bytes) &&
           bytes.size == sizeof hash && memcmp(bytes.data, hash, sizeof hash) == 0;
}

static int read_expression(struct wrn_cli *cli, const char *what, const char *text,
                           enum wrn_spki_mode mode, struct wrn_sexp *ret_subject) {
    struct wrn_sexp sexp;
    struct wrn_sexp_cursor inner;
    struct wrn_spki_subject subject;
    struct wrn_spki_error why = {0};
    int code = wrn_files_read_argument(cli, what, text, &sexp);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (wrn_sexp_enter_named(sexp, "subject", &inner) &&
        !(wrn_sexp_take_any(&inner, &sexp) && wrn_sexp_at_end(&inner))) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: (subject ...) has exactly one element", what);
    }
    if (wrn_spki_read_subject(sexp, mode, &subject, &why) != 0) {
        return wrn_cli_fail(
            cli, WRN_CLI_REFUSED, "%s: %s, at %s; a key is (public-key (ed25519 BYTES))", what,
            wrn_spki_fault_text(why.fault), wrn_files_line(cli, WRN_SEXP_ADVANCED, why.at));
    }
    *ret_subject = sexp;
    return WRN_CLI_DONE;
}

/* Looks for the key with a HIT among the known ones. */
static int find_hit(struct wrn_cli *cli, const char *what, const char *text,
                    const uint8_t hit[WRN_HIT_SIZE], const struct wrn_keyring *ring,
                    struct wrn_sexp *ret_subject) {
    struct key_walk walk;
    struct wrn_sexp key;
    struct wrn_spki_principal principal;
    const uint8_t *public_key = NULL;
    size_t count = 0;
    for (size_t i = 0; i < ring->objects.count; i++) {
        begin_walk(&walk, ring->objects.list[i].sexp);
        while (next_key(&walk, &key, &public_key)) {
            uint8_t its[WRN_HIT_SIZE];
            wrn_hit(public_key, its);
            if (memcmp(its, hit, sizeof its) == 0 &&
                wrn_spki_read_principal(key, WRN_SPKI_STRICT, &principal, NULL) == 0) {
                *ret_subject = key;
                return WRN_CLI_DONE;
            }
            count++;
        }
    }
    return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                        "%s: %s has %s; a HIT or fingerprint only finds a key: name a file that "
                        "has it with --known FILE",
                        what, count == 0 ? "no key is known, so none" : "none of the known keys",
                        wrn_cli_quote(cli, text));
}

/* 32 bytes as 64 hex digits, or as base64 with or without its padding. */
static bool read_raw_key(struct wrn_cli *cli, const char *text,
                         uint8_t ret_key[WRN_SIGN_PUBLIC_SIZE]) {
    size_t size = strlen(text);
    bool is_hex = size == HEX_SIZE && strspn(text, "0123456789abcdefABCDEF") == size;
    bool is_base64 = (size == BASE64_SIZE && text[size - 1] == '=') || size == BASE64_SIZE - 1;
    if (!is_hex && !is_base64) {
        return false;
    }
    const char *mark = is_hex ? "#" : "|";
    const char *atom = wrn_cli_text(cli, "%s%s%s", mark, text, mark);
    uint8_t bytes[HEX_SIZE * 4];
    struct wrn_sexp sexp;
    wrn_span whole = {(const uint8_t *)atom, strlen(atom)};
    if (wrn_sexp_read(WRN_SEXP_ADVANCED, whole, bytes, sizeof bytes, &sexp, NULL, NULL) != 0 ||
        wrn_sexp_is_list(sexp) || wrn_sexp_atom(sexp).size != WRN_SIGN_PUBLIC_SIZE) {
        return false;
    }
    memcpy(ret_key, wrn_sexp_atom(sexp).data, WRN_SIGN_PUBLIC_SIZE);
    return true;
}

static struct wrn_sexp key_sexp(struct wrn_cli *cli, const uint8_t key[WRN_SIGN_PUBLIC_SIZE]) {
    return wrn_spki_key_sexp(key, wrn_cli_take(cli, 1, WRN_SPKI_KEY_SEXP_SIZE));
}

/* More than two different ones are not told apart: two are too many. */
static void add_once(struct wrn_cli *cli, struct wrn_objects *found, struct wrn_sexp subject) {
    bool is_new = found->count < 2;
    for (size_t i = 0; is_new && i < found->count; i++) {
        is_new = !wrn_sexp_equal(found->list[i].sexp, subject);
    }
    if (is_new) {
        wrn_objects_add(cli, found, (struct wrn_object){.sexp = subject});
    }
}

static void begin_walk(struct key_walk *walk, struct wrn_sexp sexp) {
    walk->depth = 0;
    walk->next = sexp;
    walk->has_next = true;
}

/* Takes the next (public-key (ed25519 …)) at any depth: those of issuers and signers too. Whether
 * it is a sound one is not looked at. */
static bool next_key(struct key_walk *walk, struct wrn_sexp *ret_key,
                     const uint8_t **ret_public_key) {
    struct wrn_sexp_cursor key;
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    while (walk->has_next) {
        struct wrn_sexp sexp = walk->next;
        if (wrn_sexp_is_list(sexp) && walk->depth < WRN_COUNT(walk->open)) {
            (void)wrn_sexp_enter(sexp, &walk->open[walk->depth++]);
        }
        walk->has_next = false;
        while (walk->depth > 0 && !walk->has_next) {
            walk->has_next = wrn_sexp_take_any(&walk->open[walk->depth - 1], &walk->next);
            walk->depth -= walk->has_next ? 0 : 1;
        }
        if (wrn_sexp_enter_named(sexp, "public-key", &key) &&
            wrn_sexp_take_named(&key, "ed25519", &inner) && wrn_sexp_take_atom(&inner, &bytes) &&
            bytes.size == WRN_SIGN_PUBLIC_SIZE) {
            *ret_key = sexp;
            *ret_public_key = bytes.data;
            return true;
        }
    }
    return false;
}

/* Adds the keys that stand for themselves in a file, and the subjects of its certificates. */
static void add_candidates(struct wrn_cli *cli, struct wrn_sexp object, struct wrn_objects *keys,
                           struct wrn_objects *subjects) {
    struct wrn_sexp_cursor sequence;
    struct wrn_sexp element = object;
    struct wrn_spki_cert cert;
    struct wrn_spki_principal principal;
    struct wrn_key_pair pair;
    bool is_sequence = wrn_sexp_enter_named(object, "sequence", &sequence);
    if (wrn_sexp_is_named(object, "warren-identity")) {
        if (wrn_key_pair_read(object, &pair) == NULL) {
            add_once(cli, keys, key_sexp(cli, pair.public_key));
        }
        wrn_wipe(&pair, sizeof pair);
        return;
    }
    do {
        if (wrn_sexp_is_named(element, "public-key")) {
            if (wrn_spki_read_principal(element, WRN_SPKI_STRICT, &principal, NULL) == 0) {
                add_once(cli, keys, element);
            }
        } else if (wrn_spki_read_cert(element, WRN_SPKI_STRICT, &cert, NULL) == 0) {
            add_once(cli, subjects, cert.subject.sexp);
        }
    } while (is_sequence && wrn_sexp_take_any(&sequence, &element));
}

static bool is_fingerprint_text(const char *text) {
    size_t digits = 0;
    for (const char *c = text; *c != '\0'; c++) {
        digits += *c >= '0' && *c <= '9' ? 1 : 0;
    }
    return digits == WRN_FINGERPRINT_DIGITS && strspn(text, "0123456789 -\t") == strlen(text);
}
