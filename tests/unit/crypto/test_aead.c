/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packets are sealed as RFC 8439 and NIST SP 800-38D say, by each implementation, and nothing
 * that was altered is opened. Method: published vectors, vectors of a second implementation, all
 * sizes, every flipped bit. */
#include <stdalign.h>

#include <openssl/err.h>

#include "base/rand.h"
#include "unit/crypto/implementations.h"
#include "vectors/crypto.h"
#include "vectors/gcm.h"

enum { SIZE_MAX_TESTED = 65535 };

static uint8_t plain[SIZE_MAX_TESTED];
static uint8_t sealed[SIZE_MAX_TESTED + WRN_TAG_SIZE];
static uint8_t other[SIZE_MAX_TESTED + WRN_TAG_SIZE];

/* Returns what a job needs to be given for AES-256-GCM; good until the next call. */
static const void *expand(struct wrn_crypto *crypto, const uint8_t *key) {
    static alignas(WRN_AEAD_EXPANDED_ALIGNMENT) uint8_t expanded[WRN_AEAD_EXPANDED_MAX];
    wrn_aead_expand(crypto, WRN_CIPHER_AES_256_GCM, key, expanded);
    return wrn_aead_expanded_size(crypto, WRN_CIPHER_AES_256_GCM) > 0 ? expanded : NULL;
}

/* RFC 8439, section 2.8.2. Its nonce is not of the form that jobs have. */
static void seals_as_the_rfc(struct wrn_crypto *crypto) {
    static const char text[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    uint8_t key[WRN_KEY_SIZE];
    uint8_t nonces[1][WRN_NONCE_STRIDE];
    uint8_t aad[12];
    uint8_t expected[sizeof(text) - 1 + WRN_TAG_SIZE];
    uint8_t out[sizeof(expected)];
    check_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, sizeof(key));
    check_hex("070000004041424344454647", nonces[0], WRN_NONCE_SIZE);
    check_hex("50515253c0c1c2c3c4c5c6c7", aad, sizeof(aad));
    check_hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fa"
              "fb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4"
              "fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecb"
              "d0600691",
              expected, sizeof(expected));
    struct wrn_aead_job job = {.key = key,
                               .aad = {aad, sizeof(aad)},
                               .in = (const uint8_t *)text,
                               .out = out,
                               .size = sizeof(text) - 1};
    wrn_crypto_seal_jobs(crypto, &job, nonces, 1);
    assert_memory_equal(out, expected, sizeof(expected));
    job.in = out;
    wrn_crypto_open_jobs(crypto, &job, nonces, 1);
    assert_true(job.ok);
    assert_memory_equal(out, text, sizeof(text) - 1);
}

/* RFC 8439, appendix A.5. */
static void opens_as_the_rfc(struct wrn_crypto *crypto) {
    static const char text[] =
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
        "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
        "Internet-Drafts as reference material or to cite them other than as /\xe2\x80\x9cwork in "
        "progress./\xe2\x80\x9d";
    uint8_t key[WRN_KEY_SIZE];
    uint8_t aad[12];
    uint8_t packet[sizeof(text) - 1 + WRN_TAG_SIZE];
    check_hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", key, sizeof(key));
    check_hex("f33388860000000000004e91", aad, sizeof(aad));
    check_hex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09e"
              "e94e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e"
              "008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c8"
              "67e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa115"
              "5b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb"
              "4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d"
              "6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
              packet, sizeof(packet));
    struct wrn_aead_job job = {.key = key,
                               .counter = 0x0807060504030201u, /* nonce 00000000 0102…08 */
                               .aad = {aad, sizeof(aad)},
                               .in = packet,
                               .out = packet,
                               .size = sizeof(text) - 1};
    wrn_aead_open_batch(crypto, &job, 1);
    assert_true(job.ok);
    assert_memory_equal(packet, text, sizeof(text) - 1);
}

/* Seals and opens pattern(size, 11), and compares the tag and the hash of text and tag. */
static void check_row(struct wrn_crypto *crypto, size_t row, struct wrn_aead_job job,
                      const char *tag_digits, const char *hash_digits) {
    uint8_t tag[WRN_TAG_SIZE];
    uint8_t expected[WRN_HASH_SIZE];
    uint8_t hash[WRN_HASH_SIZE];
    check_hex(tag_digits, tag, sizeof(tag));
    check_hex(hash_digits, expected, sizeof(expected));
    job.in = plain;
    job.out = sealed;
    wrn_aead_seal_batch(crypto, &job, 1);
    wrn_blake2s(crypto, (wrn_span){sealed, job.size + WRN_TAG_SIZE}, (wrn_span){0}, hash);
    CHECK(memcmp(sealed + job.size, tag, sizeof(tag)) == 0, "row %zu: ", row);
    CHECK(memcmp(hash, expected, sizeof(hash)) == 0, "row %zu: ", row);
    job.in = job.out = sealed;
    wrn_aead_open_batch(crypto, &job, 1);
    CHECK(job.ok && memcmp(sealed, plain, job.size) == 0, "row %zu: ", row);
}

static void agrees_with_a_second_implementation(struct wrn_crypto *crypto) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t aad[32];
    check_pattern(key, sizeof(key), 9);
    check_pattern(aad, sizeof(aad), 10);
    check_pattern(plain, sizeof(plain), 11);
    for (size_t row = 0; row < WRN_COUNT(vector_aead); row++) {
        struct wrn_aead_job job = {.key = key,
                                   .counter = vector_aead[row].counter,
                                   .aad = {aad, vector_aead[row].aad_size},
                                   .size = vector_aead[row].size};
        check_row(crypto, row, job, vector_aead[row].tag, vector_aead[row].hash);
    }
    for (size_t row = 0; row < WRN_COUNT(vector_gcm); row++) {
        struct wrn_aead_job job = {.key = key,
                                   .expanded = row % 2 == 0 ? NULL : expand(crypto, key),
                                   .cipher = WRN_CIPHER_AES_256_GCM,
                                   .counter = vector_gcm[row].counter,
                                   .aad = {aad, vector_gcm[row].aad_size},
                                   .size = vector_gcm[row].size};
        check_row(crypto, row, job, vector_gcm[row].tag, vector_gcm[row].hash);
    }
}

static void works_in_place(struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    uint8_t key[WRN_KEY_SIZE] = {1};
    check_pattern(plain, sizeof(plain), 20);
    for (size_t i = 0; i <= 301; i++) {
        size_t size = i <= 300 ? i : SIZE_MAX_TESTED;
        struct wrn_aead_job job = {
            .key = key, .cipher = cipher, .counter = i, .in = plain, .out = sealed, .size = size};
        sealed[size + WRN_TAG_SIZE - 1] = 0;
        wrn_aead_seal_batch(crypto, &job, 1);
        memcpy(other, plain, size);
        job.in = job.out = other;
        wrn_aead_seal_batch(crypto, &job, 1);
        CHECK(memcmp(sealed, other, size + WRN_TAG_SIZE) == 0, "size %zu: ", size);
        wrn_aead_open_batch(crypto, &job, 1);
        CHECK(job.ok && memcmp(other, plain, size) == 0, "size %zu: ", size);
        memset(other, 0xa5, size + 1);
        job.in = sealed;
        job.out = other;
        wrn_aead_open_batch(crypto, &job, 1);
        CHECK(job.ok && memcmp(other, plain, size) == 0, "size %zu: ", size);
        CHECK(other[size] == 0xa5, "size %zu: writes behind the text: ", size);
    }
}

static void works_in_place_and_out_of_place(struct wrn_crypto *crypto) {
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        works_in_place(crypto, cipher);
    }
}

static void refuse(struct wrn_crypto *crypto, struct wrn_aead_job job, const char *what,
                   size_t bit) {
    uint8_t out[64];
    uint8_t zeros[64] = {0};
    memset(out, 0xa5, sizeof(out));
    job.out = out;
    job.ok = true;
    wrn_aead_open_batch(crypto, &job, 1);
    CHECK(!job.ok, "%s, bit %zu: ", what, bit);
    CHECK(memcmp(out, zeros, job.size) == 0, "%s, bit %zu: not zeroed: ", what, bit);
    CHECK(out[job.size] == 0xa5, "%s, bit %zu: zeroed too much: ", what, bit);
}

static void refuses_flipped_bits(struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    enum { SIZE = 20, AAD_SIZE = 5 };
    uint8_t key[WRN_KEY_SIZE] = {3};
    uint8_t aad[AAD_SIZE] = {4};
    uint8_t packet[SIZE + WRN_TAG_SIZE] = {5};
    struct wrn_aead_job job = {.key = key,
                               .cipher = cipher,
                               .counter = 77,
                               .aad = {aad, sizeof(aad)},
                               .in = packet,
                               .out = packet,
                               .size = SIZE};
    struct {
        const char *what;
        uint8_t *bytes;
        size_t size;
    } parts[] = {
        {"text and tag", packet, sizeof(packet)},
        {"additional data", aad, sizeof(aad)},
        {"key", key, sizeof(key)},
        {"counter", (uint8_t *)&job.counter, sizeof(job.counter)},
    };
    wrn_aead_seal_batch(crypto, &job, 1);
    for (size_t i = 0; i < WRN_COUNT(parts); i++) {
        for (size_t bit = 0; bit < 8 * parts[i].size; bit++) {
            parts[i].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            refuse(crypto, job, parts[i].what, bit);
            parts[i].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    for (size_t size = 0; size < SIZE; size++) { /* truncated */
        job.size = size;
        refuse(crypto, job, "size", size);
    }
    job.size = SIZE;
    job.aad.size--;
    refuse(crypto, job, "size of additional data", job.aad.size);
    job.aad.size++;
    wrn_aead_open_batch(crypto, &job, 1);
    assert_true(job.ok);
    assert_int_equal(packet[0], 5);
    assert_int_equal(ERR_peek_error(), 0); /* a flood of forgeries fills no queue */
}

static void refuses_every_flipped_bit(struct wrn_crypto *crypto) {
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        refuses_flipped_bits(crypto, cipher);
    }
}

/* 128 packets of both ciphers under runs of three keys, random sizes; the 64th is forged. Packets
 * are opened one by one too: sealing and opening must not agree on a wrong key. */
static void isolates_a_bad_packet(struct wrn_crypto *crypto) {
    enum { COUNT = 128, BAD = 63, ROOM = 512 };
    static uint8_t buffers[COUNT][ROOM];
    struct wrn_aead_job jobs[COUNT];
    uint8_t keys[3][WRN_KEY_SIZE] = {{1}, {2}, {3}};
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    check_pattern(plain, ROOM, 30);
    for (size_t i = 0; i < COUNT; i++) {
        jobs[i] = (struct wrn_aead_job){.key = keys[wrn_rand_below(rand, 8) / 3],
                                        .cipher = (enum wrn_cipher)wrn_rand_below(rand, 2),
                                        .counter = i,
                                        .in = plain,
                                        .out = buffers[i],
                                        .size = wrn_rand_below(rand, ROOM - WRN_TAG_SIZE + 1)};
    }
    wrn_aead_seal_batch(crypto, jobs, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct wrn_aead_job single = jobs[i];
        single.in = buffers[i];
        single.out = other;
        wrn_aead_open_batch(crypto, &single, 1);
        CHECK(single.ok, "packet %zu: ", i);
        jobs[i].in = buffers[i];
        jobs[i].ok = i == BAD;
    }
    buffers[BAD][jobs[BAD].size] ^= 1;
    wrn_aead_open_batch(crypto, jobs, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(jobs[i].ok == (i != BAD), "packet %zu: ", i);
        CHECK(i == BAD ? wrn_is_zero_secret(buffers[i], jobs[i].size)
                       : memcmp(buffers[i], plain, jobs[i].size) == 0,
              "packet %zu: ", i);
    }
}

/* The same buffer holds one key in the first call and another in the second, as after a rekey. */
static void sees_a_key_change(struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    uint8_t key[WRN_KEY_SIZE] = {1};
    uint8_t packet[4 + WRN_TAG_SIZE];
    struct wrn_aead_job seal = {
        .key = key, .cipher = cipher, .in = (const uint8_t *)"text", .out = packet, .size = 4};
    struct wrn_aead_job open = {
        .key = key, .cipher = cipher, .in = packet, .out = other, .size = 4};
    wrn_aead_seal_batch(crypto, &seal, 1);
    key[0] = 2;
    wrn_aead_open_batch(crypto, &open, 1);
    assert_false(open.ok);
    wrn_aead_seal_batch(crypto, &seal, 1);
    key[0] = 1;
    wrn_aead_open_batch(crypto, &open, 1);
    assert_false(open.ok);
    key[0] = 2;
    wrn_aead_open_batch(crypto, &open, 1);
    assert_true(open.ok);
    wrn_aead_open_batch(crypto, &open, 0); /* nothing to do */
    wrn_aead_seal_batch(crypto, &seal, 0);
    struct wrn_aead_job last[2] = {open, open};
    last[1].ok = false;
    wrn_aead_open_batch(crypto, &last[1], 1); /* what lies before the first job does not count */
    assert_true(last[1].ok);
}

static void sees_a_key_change_behind_one_pointer(struct wrn_crypto *crypto) {
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        sees_a_key_change(crypto, cipher);
    }
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13 to 16, which
 * NIST's submission has too. */
static void seals_as_the_gcm_paper(struct wrn_crypto *crypto) {
    static const struct {
        const char *key, *nonce, *aad, *text, *sealed;
    } rows[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
         "b094dac5d93471bdec1a502270e3cc6c"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    };
    for (size_t row = 0; row < WRN_COUNT(rows); row++) {
        uint8_t key[WRN_KEY_SIZE];
        uint8_t nonces[1][WRN_NONCE_STRIDE];
        uint8_t aad[32];
        uint8_t text[80];
        uint8_t expected[80 + WRN_TAG_SIZE];
        uint8_t out[80 + WRN_TAG_SIZE];
        check_hex(rows[row].key, key, sizeof(key));
        check_hex(rows[row].nonce, nonces[0], WRN_NONCE_SIZE);
        size_t aad_size = check_hex(rows[row].aad, aad, sizeof(aad));
        size_t size = check_hex(rows[row].text, text, sizeof(text));
        check_hex(rows[row].sealed, expected, sizeof(expected));
        struct wrn_aead_job job = {.key = key,
                                   .cipher = WRN_CIPHER_AES_256_GCM,
                                   .aad = {aad, aad_size},
                                   .in = text,
                                   .out = out,
                                   .size = size};
        wrn_crypto_seal_jobs(crypto, &job, nonces, 1);
        CHECK(memcmp(out, expected, size + WRN_TAG_SIZE) == 0, "row %zu: ", row);
        job.in = out;
        wrn_crypto_open_jobs(crypto, &job, nonces, 1);
        CHECK(job.ok && memcmp(out, text, size) == 0, "row %zu: ", row);
    }
}

/* Each line of tests/vectors/gcm_cavp.txt. */
static void agrees_with_nist(struct wrn_crypto *crypto) {
    enum { FIELD_MAX = 200, FIELDS = 9 };
    char path[1024];
    char fields[FIELDS][FIELD_MAX];
    uint8_t values[FIELDS][FIELD_MAX / 2];
    size_t sizes[FIELDS];
    size_t passed = 0;
    size_t failed = 0;
    const char *root = getenv("WARREN_SOURCE_DIR");
    (void)snprintf(path, sizeof(path), "%s/tests/vectors/gcm_cavp.txt", root ? root : ".");
    FILE *file = fopen(path, "r");
    CHECK(file, "cannot open %s: ", path);
    char line[FIELDS * FIELD_MAX];
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(sscanf(line, "%199s%199s%199s%199s%199s%199s%199s%199s%199s", fields[0],
                                fields[1], fields[2], fields[3], fields[4], fields[5], fields[6],
                                fields[7], fields[8]),
                         FIELDS);
        for (size_t i = 3; i < FIELDS; i++) {
            sizes[i] = fields[i][0] == '-' ? 0 : check_hex(fields[i], values[i], FIELD_MAX / 2);
        }
        bool passes = strcmp(fields[2], "PASS") == 0;
        size_t size = sizes[7];
        uint8_t nonces[1][WRN_NONCE_STRIDE];
        memcpy(nonces[0], values[4], WRN_NONCE_SIZE);
        memcpy(sealed, values[7], size);
        memcpy(sealed + size, values[8], WRN_TAG_SIZE);
        struct wrn_aead_job job = {.key = values[3],
                                   .cipher = WRN_CIPHER_AES_256_GCM,
                                   .aad = {values[5], sizes[5]},
                                   .in = sealed,
                                   .out = other,
                                   .size = size};
        wrn_crypto_open_jobs(crypto, &job, nonces, 1);
        CHECK(job.ok == passes, "%s", line);
        CHECK(!passes || memcmp(other, values[6], size) == 0, "%s", line);
        if (passes) {
            job.in = values[6];
            wrn_crypto_seal_jobs(crypto, &job, nonces, 1);
            CHECK(memcmp(other, sealed, size + WRN_TAG_SIZE) == 0, "%s", line);
        }
        passed += passes;
        failed += !passes;
    }
    (void)fclose(file);
    assert_true(passed > 50 && failed > 20);
}

/* With the key of the call before, all contexts of libcrypto must work under the zero key. */
static void forgets_its_keys(struct wrn_crypto *crypto) {
    const uint8_t zero_key[WRN_KEY_SIZE] = {0};
    const uint8_t nonces[1][WRN_NONCE_STRIDE] = {{0}};
    uint8_t key[WRN_KEY_SIZE] = {1};
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        uint8_t packet[4 + WRN_TAG_SIZE];
        uint8_t expected[4 + WRN_TAG_SIZE];
        struct wrn_aead_job job = {.key = zero_key,
                                   .cipher = cipher,
                                   .in = (const uint8_t *)"text",
                                   .out = expected,
                                   .size = 4};
        wrn_openssl_seal_jobs(crypto, &job, nonces, 1);
        job.key = key;
        job.out = packet;
        wrn_openssl_seal_jobs(crypto, &job, nonces, 1);
        job.in = packet;
        wrn_openssl_open_jobs(crypto, &job, nonces, 1);
        assert_true(job.ok);
        EVP_CIPHER_CTX *contexts[] = {crypto->seal[cipher], crypto->open[cipher]};
        for (size_t i = 0; i < WRN_COUNT(contexts); i++) {
            const uint8_t *in = i == 0 ? (const uint8_t *)"text" : expected;
            int written;
            assert_int_equal(EVP_CipherInit_ex2(contexts[i], NULL, NULL, nonces[0], -1, NULL), 1);
            assert_int_equal(EVP_CipherUpdate(contexts[i], packet, &written, in, 4), 1);
            assert_memory_equal(packet, i == 0 ? expected : (const uint8_t *)"text", 4);
        }
    }
}

int main(void) {
    static const struct implementation_list list[] = {
        {"seals as the RFC", seals_as_the_rfc},
        {"opens as the RFC", opens_as_the_rfc},
        {"seals as the GCM paper", seals_as_the_gcm_paper},
        {"agrees with NIST", agrees_with_nist},
        {"agrees with a second implementation", agrees_with_a_second_implementation},
        {"works in place and out of place", works_in_place_and_out_of_place},
        {"refuses every flipped bit", refuses_every_flipped_bit},
        {"isolates a bad packet", isolates_a_bad_packet},
        {"sees a key change behind one pointer", sees_a_key_change_behind_one_pointer},
        {"forgets its keys", forgets_its_keys},
    };
    static struct CMUnitTest tests[WRN_COUNT(list) * IMPLEMENTATIONS];
    static struct implementation_case cases[WRN_COUNT(tests)];
    implementation_fill(tests, cases, list, WRN_COUNT(list));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
