/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: all implementations do the same with any packets, touch nothing else, and leave no secret
 * behind. Method: each is compared with libcrypto on random batches, on every size, and between
 * pages that nobody may touch; then the stack and all that was allocated are searched. */
#include <sys/mman.h>

#include <stdalign.h>

#include <openssl/crypto.h>

#include "base/rand.h"
#include "unit/crypto/implementations.h"

enum {
    BATCH_MAX = 128,
    AAD_MAX = 64,
    SIZE_MAX_RANDOM = 2100,
    KEYS = 5,
    GUARD = 80, /* bytes before and behind a packet that must stay as they are */
    GUARD_VALUE = 0xa5,
    ROOM = GUARD + 64 + SIZE_MAX_RANDOM + WRN_TAG_SIZE + GUARD,
};

/* A job, where its bytes are, and what has to come out. */
struct item {
    uint8_t in[ROOM], out[ROOM], expected[ROOM];
    uint8_t aad[AAD_MAX + 1];
    uint8_t *text, *to; /* in 'in', and there or in 'out' */
    bool corrupt;
};

struct key {
    uint8_t bytes[WRN_KEY_SIZE + 1]; /* the key starts at the second */
    alignas(WRN_AEAD_EXPANDED_ALIGNMENT) uint8_t expanded[WRN_CIPHERS][WRN_AEAD_EXPANDED_MAX];
};

static struct wrn_crypto *libcrypto;
static struct item items[BATCH_MAX];
static struct wrn_aead_job jobs[BATCH_MAX];
static struct key keys[KEYS];
static struct wrn_prng prng;
static struct wrn_rand rand_source;

static size_t below(uint32_t limit) {
    return wrn_rand_below(rand_source, limit);
}

static void make_keys(struct wrn_crypto *crypto) {
    wrn_prng_init(&prng, check_seed(), 0);
    rand_source = wrn_prng_rand(&prng);
    for (size_t i = 0; i < KEYS; i++) {
        wrn_rand_fill(rand_source, keys[i].bytes, sizeof(keys[i].bytes));
        for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
            wrn_aead_expand(crypto, cipher, keys[i].bytes + 1, keys[i].expanded[cipher]);
        }
    }
}

static uint64_t pick_counter(void) {
    static const uint64_t extremes[] = {
        0, 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 63,
    };
    uint64_t any;
    wrn_rand_fill(rand_source, &any, sizeof(any));
    return below(2) == 0 ? any : extremes[below(WRN_COUNT(extremes))];
}

static size_t pick_size(void) {
    size_t kind = below(4);
    return kind == 0 ? below(81) : kind == 1 ? 1420 - below(100) : below(SIZE_MAX_RANDOM + 1);
}

/* Fills item and job with a packet for sealing at an odd place. */
static void make_item(struct wrn_crypto *crypto, struct item *item, struct wrn_aead_job *job) {
    struct key *key = &keys[below(KEYS)];
    enum wrn_cipher cipher = below(2) == 0 ? WRN_CIPHER_CHACHA20_POLY1305 : WRN_CIPHER_AES_256_GCM;
    bool is_expanded = wrn_aead_expanded_size(crypto, cipher) > 0 && below(4) > 0;
    memset(item->in, GUARD_VALUE, sizeof(item->in));
    memset(item->out, GUARD_VALUE, sizeof(item->out));
    wrn_rand_fill(rand_source, item->aad, sizeof(item->aad));
    item->text = item->in + GUARD + below(64);
    item->to = below(2) == 0 ? item->text : item->out + GUARD + below(64);
    *job = (struct wrn_aead_job){.key = key->bytes + 1,
                                 .expanded = is_expanded ? key->expanded[cipher] : NULL,
                                 .cipher = cipher,
                                 .counter = pick_counter(),
                                 .aad = {item->aad + below(2), below(AAD_MAX + 1)},
                                 .in = item->text,
                                 .out = item->to,
                                 .size = pick_size()};
    wrn_rand_fill(rand_source, item->text, job->size);
}

static void check_guards(const struct item *item, size_t index, size_t written) {
    const uint8_t *start =
        item->to < item->in + ROOM && item->to >= item->in ? item->in : item->out;
    const uint8_t *end = item->to + written;
    CHECK(check_filled(start, (size_t)(item->to - start), GUARD_VALUE), "packet %zu: ", index);
    CHECK(check_filled(end, (size_t)(start + ROOM - end), GUARD_VALUE), "packet %zu: ", index);
}

static void seal_and_compare(struct wrn_crypto *crypto, size_t count) {
    for (size_t i = 0; i < count; i++) {
        make_item(crypto, &items[i], &jobs[i]);
        struct wrn_aead_job job = jobs[i];
        job.expanded = NULL;
        job.out = items[i].expected;
        wrn_aead_seal_batch(libcrypto, &job, 1);
    }
    wrn_aead_seal_batch(crypto, jobs, count);
    for (size_t i = 0; i < count; i++) {
        size_t size = jobs[i].size + WRN_TAG_SIZE;
        CHECK(memcmp(items[i].to, items[i].expected, size) == 0, "packet %zu: ", i);
        check_guards(&items[i], i, size);
    }
}

/* Goes on with what was sealed: it is opened in place, after a tenth of it was damaged. */
static void open_and_compare(struct wrn_crypto *crypto, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        size_t size = jobs[i].size;
        struct wrn_aead_job job = jobs[i];
        job.expanded = NULL;
        job.in = item->expected;
        job.out = item->expected;
        wrn_aead_open_batch(libcrypto, &job, 1);
        CHECK(job.ok, "packet %zu: ", i);
        item->corrupt = below(10) == 0;
        if (item->corrupt) {
            item->to[below((uint32_t)(size + WRN_TAG_SIZE))] ^= (uint8_t)(1u << below(8));
            memset(item->expected, 0, size);
        }
        jobs[i].in = item->to;
        jobs[i].ok = item->corrupt;
    }
    wrn_aead_open_batch(crypto, jobs, count);
    for (size_t i = 0; i < count; i++) {
        CHECK(jobs[i].ok == !items[i].corrupt, "packet %zu: ", i);
        CHECK(memcmp(items[i].to, items[i].expected, jobs[i].size) == 0, "packet %zu: ", i);
        check_guards(&items[i], i, jobs[i].size + WRN_TAG_SIZE);
    }
}

static void agrees_on_random_batches(struct wrn_crypto *crypto) {
    enum { ROUNDS = 60 };
    make_keys(crypto);
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t count = round < 3 ? (size_t[]){1, 2, BATCH_MAX}[round] : 1 + below(BATCH_MAX);
        seal_and_compare(crypto, count);
        open_and_compare(crypto, count);
    }
}

/* More than a provider takes at once, of two keys in turns. */
static void takes_long_batches(struct wrn_crypto *crypto) {
    enum { COUNT = 2 * WRN_AEAD_GROUP + 5, SIZE = 40 };
    static uint8_t packets[COUNT][SIZE + WRN_TAG_SIZE];
    static struct wrn_aead_job many[COUNT];
    make_keys(crypto);
    for (size_t i = 0; i < COUNT; i++) {
        memset(packets[i], (int)(uint8_t)i, SIZE);
        many[i] = (struct wrn_aead_job){.key = keys[i % 2].bytes + 1,
                                        .cipher = i % 3 == 0 ? WRN_CIPHER_AES_256_GCM
                                                             : WRN_CIPHER_CHACHA20_POLY1305,
                                        .counter = i,
                                        .in = packets[i],
                                        .out = packets[i],
                                        .size = SIZE};
    }
    wrn_aead_seal_batch(crypto, many, COUNT);
    wrn_aead_open_batch(libcrypto, many, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(many[i].ok && check_filled(packets[i], SIZE, (uint8_t)i), "packet %zu: ", i);
    }
    wrn_aead_seal_batch(libcrypto, many, COUNT);
    wrn_aead_open_batch(crypto, many, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(many[i].ok && check_filled(packets[i], SIZE, (uint8_t)i), "packet %zu: ", i);
    }
}

static void agree_on_size(struct wrn_crypto *crypto, enum wrn_cipher cipher, size_t size) {
    static uint8_t here[UINT16_MAX + WRN_TAG_SIZE];
    static uint8_t there[UINT16_MAX + WRN_TAG_SIZE];
    struct wrn_aead_job job = {.key = keys[0].bytes,
                               .cipher = cipher,
                               .counter = size,
                               .aad = {keys[1].bytes, size % (WRN_KEY_SIZE + 1)},
                               .in = here,
                               .out = here,
                               .size = size};
    check_pattern(here, size, (unsigned)size);
    memcpy(there, here, size);
    wrn_aead_seal_batch(crypto, &job, 1);
    job.in = job.out = there;
    wrn_aead_seal_batch(libcrypto, &job, 1);
    CHECK(memcmp(here, there, size + WRN_TAG_SIZE) == 0, "size %zu, cipher %d: ", size, cipher);
    wrn_aead_open_batch(libcrypto, &job, 1);
    job.in = job.out = here;
    wrn_aead_open_batch(crypto, &job, 1);
    CHECK(job.ok && memcmp(here, there, size) == 0, "size %zu, cipher %d: ", size, cipher);
}

static void agrees_on_every_size(struct wrn_crypto *crypto) {
    make_keys(crypto);
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        for (size_t size = 0; size <= SIZE_MAX_RANDOM; size++) {
            agree_on_size(crypto, cipher, size);
        }
        agree_on_size(crypto, cipher, 8900);
        agree_on_size(crypto, cipher, UINT16_MAX);
    }
}

/* Returns 'size' bytes that touch the end of readable memory, or its start. */
static uint8_t *fence(size_t slot, size_t size, bool at_end) {
    enum { SLOTS = 4, PAGE = 4096 };
    static uint8_t *memory;
    if (!memory) {
        memory = mmap(NULL, (2 * SLOTS + 1) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(memory != MAP_FAILED);
        for (size_t i = 0; i < SLOTS; i++) {
            assert_int_equal(mprotect(memory + (2 * i + 1) * PAGE, PAGE, PROT_READ | PROT_WRITE),
                             0);
        }
    }
    assert_true(slot < SLOTS && size <= PAGE);
    uint8_t *page = memory + (2 * slot + 1) * PAGE;
    return at_end ? page + PAGE - size : page;
}

/* A read or write outside of key, additional data, input and output ends the program. */
static void stays_within_its_bounds(struct wrn_crypto *crypto) {
    make_keys(crypto);
    for (size_t i = 0; i < (size_t)8 * (SIZE_MAX_RANDOM + 1); i++) {
        size_t size = i / 8;
        bool at_end = i % 2 == 0;
        bool in_place = i / 2 % 2 == 0;
        enum wrn_cipher cipher = (enum wrn_cipher)(i / 4 % 2);
        size_t aad_size = size % (AAD_MAX + 1);
        uint8_t *key = fence(0, WRN_KEY_SIZE, at_end);
        uint8_t *aad = fence(1, aad_size, at_end);
        uint8_t *sealed = fence(2, size + WRN_TAG_SIZE, at_end);
        uint8_t *opened = in_place ? sealed : fence(3, size, at_end);
        memcpy(key, keys[0].bytes, WRN_KEY_SIZE);
        memset(aad, 1, aad_size);
        memset(opened, 2, size);
        struct wrn_aead_job job = {.key = key,
                                   .cipher = cipher,
                                   .counter = i,
                                   .aad = {aad, aad_size},
                                   .in = opened,
                                   .out = sealed,
                                   .size = size};
        wrn_aead_seal_batch(crypto, &job, 1);
        job.in = sealed;
        job.out = opened;
        wrn_aead_open_batch(crypto, &job, 1);
        CHECK(job.ok && check_filled(opened, size, 2), "size %zu, cipher %d: ", size, cipher);
        job.counter++;
        wrn_aead_open_batch(crypto, &job, 1);
        CHECK(!job.ok && check_filled(opened, size, 0), "size %zu, cipher %d: ", size, cipher);
    }
}

static int set_up(void **state) {
    (void)state;
    return wrn_crypto_create(WRN_CRYPTO_OPENSSL, &libcrypto);
}

static int tear_down(void **state) {
    (void)state;
    wrn_crypto_destroy(libcrypto);
    return 0;
}

int main(void) {
    static const struct implementation_list list[] = {
        {"agrees on random batches", agrees_on_random_batches},
        {"takes long batches", takes_long_batches},
        {"agrees on every size", agrees_on_every_size},
        {"stays within its bounds", stays_within_its_bounds},
    };
    static struct CMUnitTest tests[WRN_COUNT(list) * IMPLEMENTATIONS];
    static struct implementation_case cases[WRN_COUNT(tests)];
    implementation_fill(tests, cases, list, WRN_COUNT(list));
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
