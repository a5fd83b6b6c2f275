/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by letters: real ones, of seeds that everybody knows; in study heaps opaque ones. */
#include "unit/spki/heap.h"

#include <stdio.h>

#include "unit/base/check.h"

enum { LETTERS = 26, TEXT_MAX = 1 << 17, KEPT = 4 };

static struct wrn_spki *spki;
static void *memory;
static bool is_study;
static char keys[LETTERS][128];   /* as text_of writes them */
static char hashes[LETTERS][128]; /* sha256 */
static char others[LETTERS][128]; /* md5 */

static void seed_of(char letter, uint8_t seed[WRN_SEED_SIZE]) {
    memset(seed, letter, WRN_SEED_SIZE);
}

static void write_hash(char *out, const char *name, const uint8_t *hash, size_t size) {
    size_t used = (size_t)snprintf(out, 128, "(hash %s #", name);
    for (size_t i = 0; i < size; i++) {
        used += (size_t)snprintf(out + used, 128 - used, "%02x", hash[i]);
    }
    (void)snprintf(out + used, 128 - used, "#)");
}

static void make_keys(void) {
    static enum { NONE, REAL, OPAQUE } made;
    if (made == (is_study ? OPAQUE : REAL)) {
        return;
    }
    made = is_study ? OPAQUE : REAL;
    for (size_t i = 0; i < LETTERS; i++) {
        uint8_t seed[WRN_SEED_SIZE], key[WRN_SIGN_PUBLIC_SIZE], out[WRN_SPKI_KEY_SEXP_SIZE];
        uint8_t hash[WRN_SHA256_SIZE];
        struct wrn_sexp sexp;
        char letter = (char)('A' + i);
        seed_of(letter, seed);
        assert_true(wrn_sign_public(seed, key));
        if (is_study) {
            (void)snprintf(keys[i], sizeof(keys[i]), "(public-key %c)", letter);
            sexp = text_read(keys[i]);
        } else {
            sexp = wrn_spki_key_sexp(key, out);
            (void)snprintf(keys[i], sizeof(keys[i]), "%s", text_of(sexp));
        }
        wrn_spki_hash(sexp, hash);
        write_hash(hashes[i], "sha256", hash, sizeof(hash));
        wrn_md5(sexp.bytes, hash);
        write_hash(others[i], "md5", hash, WRN_MD5_SIZE);
    }
}

struct wrn_spki *heap_begin_with(const struct wrn_spki_limits *limits) {
    text_forget();
    free(memory);
    size_t size = wrn_spki_size(limits);
    memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    spki = wrn_spki_init(memory, limits);
    if (is_study) {
        wrn_spki_assume_signed(spki);
    }
    make_keys();
    return spki;
}

struct wrn_spki *heap_begin(bool is_study_heap) {
    is_study = is_study_heap;
    return heap_begin_with(&(struct wrn_spki_limits){
        .certs_max = 64,
        .keys_max = 64,
        .crls_max = 16,
        .bytes_max = 1 << 20,
        .tuples_max = 4096,
        .seed = {1, 2},
    });
}

struct wrn_spki *heap_current(void) {
    return spki;
}

struct wrn_sexp heap_read(const char *text) {
    static char expanded[TEXT_MAX];
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        bool is_letter = at[1] >= 'A' && at[1] <= 'Z';
        const char *word = *at == '@' && is_letter   ? keys[at[1] - 'A']
                           : *at == '#' && is_letter ? hashes[at[1] - 'A']
                           : *at == '%' && is_letter ? others[at[1] - 'A']
                                                     : NULL;
        if (word) {
            used += (size_t)snprintf(expanded + used, sizeof(expanded) - used, "%s", word);
            at++;
        } else {
            expanded[used++] = *at;
        }
        CHECK(used < sizeof(expanded) - 256, "%s: ", text);
    }
    expanded[used] = '\0';
    return text_read(expanded);
}

void heap_put(struct wrn_sexp object) {
    struct wrn_spki_error error = {WRN_SPKI_OK, {{NULL, 0}}};
    int result = wrn_spki_add(spki, object, &error);
    CHECK(result == 0, "\"%s\": %d, %s: ", heap_letters(text_of(object)), result,
          wrn_spki_fault_text(error.fault));
}

void heap_add(const char *text) {
    heap_put(heap_read(text));
}

struct wrn_sexp heap_signature(char signer, struct wrn_sexp object) {
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_sexp sexp;
    seed_of(signer, seed);
    struct wrn_sexp_writer writer = wrn_sexp_writer(text_room(512), 512);
    assert_true(wrn_spki_sign(&writer, object, seed));
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
    return sexp;
}

/* The same signature, said to be over what has this hash, by this principal. */
static struct wrn_sexp with_hash(const struct wrn_spki_signature *signature, const uint8_t *hash,
                                 struct wrn_sexp signer) {
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(text_room(512), 512);
    wrn_sexp_open(&writer, "signature");
    wrn_sexp_open(&writer, "hash");
    wrn_sexp_put_word(&writer, "sha256");
    wrn_sexp_put_bytes(&writer, (wrn_span){hash, WRN_SHA256_SIZE});
    wrn_sexp_close(&writer);
    wrn_sexp_put(&writer, signer);
    wrn_sexp_open(&writer, "ed25519");
    wrn_sexp_put_bytes(&writer, (wrn_span){signature->value, WRN_SIGNATURE_SIZE});
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
    return sexp;
}

struct wrn_sexp heap_hash_signature(char signer, struct wrn_sexp object) {
    struct wrn_spki_signature signature;
    assert_int_equal(wrn_spki_read_signature(heap_signature(signer, object), &signature, NULL), 0);
    return with_hash(&signature, signature.object_hash, heap_read((char[]){'#', signer, '\0'}));
}

void heap_forge(struct wrn_sexp object, struct wrn_sexp signature) {
    size_t capacity = object.bytes.size + 1024;
    struct wrn_sexp sequence;
    struct wrn_sexp_writer writer = wrn_sexp_writer(text_room(capacity), capacity);
    wrn_sexp_open(&writer, "sequence");
    wrn_sexp_put(&writer, object);
    wrn_sexp_put(&writer, signature);
    wrn_sexp_close(&writer);
    assert_int_equal(wrn_sexp_finish(&writer, &sequence), 0);
    heap_put(sequence);
}

void heap_forge_hash(struct wrn_sexp object, struct wrn_sexp sexp) {
    struct wrn_spki_signature signature;
    uint8_t hash[WRN_SHA256_SIZE];
    assert_int_equal(wrn_spki_read_signature(sexp, &signature, NULL), 0);
    wrn_spki_hash(object, hash);
    heap_forge(object, with_hash(&signature, hash, signature.signer.sexp));
}

struct wrn_sexp heap_sign(char signer, const char *text) {
    struct wrn_sexp object = heap_read(text);
    heap_forge(object, heap_signature(signer, object));
    return object;
}

static size_t read_subjects(const char *subjects, struct wrn_sexp *ret) {
    size_t count = strlen(subjects);
    for (size_t i = 0; i < count; i++) {
        ret[i] = heap_read((char[]){'@', subjects[i], '\0'});
    }
    return count;
}

const struct wrn_spki_answer *heap_ask(const char *subjects, const char *request,
                                       const char *date) {
    static struct wrn_spki_answer answer;
    struct wrn_sexp asking[WRN_SPKI_THRESHOLD_MAX];
    struct wrn_spki_query query = {
        .subjects = asking,
        .subject_count = read_subjects(subjects, asking),
        .request = heap_read(request),
    };
    CHECK(wrn_spki_date_read((wrn_span){(const uint8_t *)date, strlen(date)}, &query.now_s),
          "\"%s\": ", date);
    wrn_spki_ask(spki, &query, &answer);
    return &answer;
}

static void call_by_letter(void *context, const struct wrn_spki_principal *principal, char *out,
                           size_t capacity) {
    (void)context;
    (void)snprintf(out, capacity + 1, "%s", heap_letters(text_of(principal->sexp)));
}

const char *heap_explain(const struct wrn_spki_answer *answer) {
    static char out[1024];
    struct wrn_spki_speaker speaker = {.name = call_by_letter};
    size_t size = wrn_spki_explain(answer, &speaker, out, sizeof(out));
    assert_int_equal(strlen(out), size);
    return heap_letters(out);
}

const char *heap_reduce(const char *subjects, const char *request, const char *now) {
    struct wrn_sexp asking[WRN_SPKI_THRESHOLD_MAX], acl;
    struct wrn_sexp empty = {{NULL, 0}};
    size_t count = read_subjects(subjects, asking);
    struct wrn_sexp_writer writer = wrn_sexp_writer(text_room(TEXT_MAX), TEXT_MAX);
    int result = wrn_spki_reduce(spki, asking, count, *request ? heap_read(request) : empty,
                                 (wrn_span){(const uint8_t *)now, strlen(now)}, &writer);
    if (result == WRN_ERR_FULL) {
        return "full";
    }
    if (result) {
        return result == WRN_ERR_MALFORMED ? "malformed" : "another error";
    }
    assert_int_equal(wrn_sexp_finish(&writer, &acl), 0);
    return heap_letters(text_of(acl));
}

const char *heap_letters(const char *text) {
    static char printed[KEPT][TEXT_MAX];
    static size_t next;
    char *out = printed[next++ % KEPT];
    size_t used = 0;
    while (*text) {
        size_t i = 0;
        while (i < LETTERS && strncmp(text, keys[i], strlen(keys[i])) != 0 &&
               strncmp(text, hashes[i], strlen(hashes[i])) != 0) {
            i++;
        }
        if (i < LETTERS) {
            bool is_key = strncmp(text, keys[i], strlen(keys[i])) == 0;
            out[used++] = is_key ? '@' : '#';
            out[used++] = (char)('A' + i);
            text += strlen(is_key ? keys[i] : hashes[i]);
        } else {
            out[used++] = *text++;
        }
        CHECK(used < TEXT_MAX - 4, "a long text: ");
    }
    out[used] = '\0';
    return out;
}
