/* SPDX-License-Identifier: Apache-2.0 */
/* AEADs of packets by intel-ipsec-mb. Allocates only in create; what holds secrets during a call is
 * wiped before it returns. */
#include <stdalign.h>

#include <openssl/crypto.h>

#include <intel-ipsec-mb.h>

#include "crypto/internal.h"

/* The library reads up to 16 bytes behind a ChaCha20 key (1.3, AVX2), and keys may lie anywhere, so
 * it gets copies. */
enum { KEYS_ROOM = WRN_AEAD_GROUP * WRN_KEY_SIZE + 16, ALIGNMENT = 64 };

struct wrn_ipsec_mb {
    alignas(ALIGNMENT) uint8_t expanded[WRN_AEAD_EXPANDED_MAX]; /* of a key that came without */
    alignas(ALIGNMENT) uint8_t keys[KEYS_ROOM]; /* of ChaCha20, in the order of use */
    uint8_t tags[WRN_AEAD_GROUP][WRN_TAG_SIZE]; /* what the packets' should be */
    struct gcm_context_data gcm;
    const char *name;
    void *allocated; /* what to free */
    alignas(ALIGNMENT) IMB_MGR manager;
};

/* The stretch of jobs that a call works on, and what it used. */
struct group {
    struct wrn_aead_job *jobs;
    const uint8_t (*nonces)[WRN_NONCE_STRIDE];
    size_t count;
    IMB_CIPHER_DIRECTION direction;
    const uint8_t *expanded_key; /* whose expansion is in 'expanded' */
    size_t keys;
};

static_assert(sizeof(struct gcm_key_data) <= WRN_AEAD_EXPANDED_MAX, "");
static_assert((int)WRN_AEAD_GROUP <= (int)IMB_MAX_BURST_SIZE, "");

static const struct {
    const char *name;
    IMB_ARCH arch;
    uint64_t needs; /* features of the processor */
    uint64_t flags; /* what the library shall leave alone to become this kind */
} kinds[WRN_IPSEC_MB_KINDS] = {
    [WRN_IPSEC_MB_AVX2] = {"ipsec-mb (avx2)", IMB_ARCH_AVX2, IMB_CPUFLAGS_AVX2, 0},
    [WRN_IPSEC_MB_AVX512] = {"ipsec-mb (avx512)", IMB_ARCH_AVX512, IMB_CPUFLAGS_AVX512,
                             IMB_FLAG_GFNI_OFF},
    [WRN_IPSEC_MB_AVX512_VAES] = {"ipsec-mb (avx512, vaes)", IMB_ARCH_AVX512,
                                  IMB_CPUFLAGS_AVX512_T2, 0},
};

static bool can_work(const struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind);
static struct wrn_ipsec_mb *allocate(void);
static void *align(void *room);
static bool set_functions(struct wrn_ipsec_mb *mb, enum wrn_ipsec_mb_kind kind, void *room);
static void run(struct wrn_ipsec_mb *mb, struct group *group);
static void run_gcm(struct wrn_ipsec_mb *mb, struct group *group, size_t index);
static void run_chacha20_poly1305(struct wrn_ipsec_mb *mb, struct group *group,
                                  const uint8_t *order, size_t count);
static void fill(IMB_JOB *to, struct wrn_ipsec_mb *mb, const struct group *group, size_t index);
static void forget(struct wrn_ipsec_mb *mb, const struct group *group);

int wrn_ipsec_mb_create(const struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind,
                        struct wrn_ipsec_mb **ret_mb) {
    if (!can_work(crypto, kind)) {
        return -ENOTSUP;
    }
    struct wrn_ipsec_mb *mb = allocate();
    void *room = OPENSSL_malloc(imb_get_mb_mgr_size() + ALIGNMENT);
    int error = -ENOMEM;
    if (mb && room) {
        error = set_functions(mb, kind, room) ? 0 : -ENOTSUP;
    }
    OPENSSL_free(room);
    if (error) {
        wrn_ipsec_mb_destroy(mb);
        return error;
    }
    mb->name = kinds[kind].name;
    *ret_mb = mb;
    return 0;
}

void wrn_ipsec_mb_destroy(struct wrn_ipsec_mb *mb) {
    if (mb) {
        OPENSSL_free(mb->allocated); /* nothing to wipe: each call did */
    }
}

const char *wrn_ipsec_mb_name(const struct wrn_ipsec_mb *mb) {
    return mb->name;
}

size_t wrn_ipsec_mb_expanded_size(enum wrn_cipher cipher) {
    return cipher == WRN_CIPHER_AES_256_GCM ? (sizeof(struct gcm_key_data) + 63) / 64 * 64 : 0;
}

void wrn_ipsec_mb_expand(struct wrn_ipsec_mb *mb, enum wrn_cipher cipher,
                         const uint8_t key[WRN_KEY_SIZE], void *ret_expanded) {
    if (cipher == WRN_CIPHER_AES_256_GCM) {
        WRN_ASSERT((uintptr_t)ret_expanded % WRN_AEAD_EXPANDED_ALIGNMENT == 0);
        IMB_AES256_GCM_PRE(&mb->manager, key, ret_expanded);
    }
}

void wrn_ipsec_mb_seal_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    struct group group = {jobs, nonces, count, .direction = IMB_DIR_ENCRYPT};
    run(mb, &group);
    forget(mb, &group);
}

void wrn_ipsec_mb_open_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    struct group group = {jobs, nonces, count, .direction = IMB_DIR_DECRYPT};
    run(mb, &group);
    for (size_t i = 0; i < count; i++) {
        jobs[i].ok = wrn_equal_secret(mb->tags[i], jobs[i].in + jobs[i].size, WRN_TAG_SIZE);
        if (!jobs[i].ok) {
            wrn_wipe(jobs[i].out, jobs[i].size);
        }
    }
    forget(mb, &group);
}

/* The library of another version may have another manager, of which this file copies a part. Built
 * without SAFE_DATA it leaves keys in registers and on the stack. */
static bool can_work(const struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind) {
    uint64_t needs = kinds[kind].needs | IMB_FEATURE_SAFE_DATA;
    bool saves_registers = kind < WRN_IPSEC_MB_AVX512 ? crypto->has_avx : crypto->has_avx512;
    return imb_get_version() == IMB_VERSION_NUM && saves_registers &&
           (imb_get_feature_flags() & needs) == needs;
}

static struct wrn_ipsec_mb *allocate(void) {
    void *allocated = OPENSSL_zalloc(sizeof(struct wrn_ipsec_mb) + ALIGNMENT);
    if (!allocated) {
        return NULL;
    }
    struct wrn_ipsec_mb *mb = align(allocated);
    mb->allocated = allocated;
    return mb;
}

static void *align(void *room) {
    uintptr_t beyond = (uintptr_t)room % ALIGNMENT;
    return (uint8_t *)room + (beyond == 0 ? 0 : ALIGNMENT - beyond);
}

/* Lets the library fill in a whole manager and keeps the part that AEADs use: the queues of the
 * other algorithms are 150 KiB. init_mb_mgr_auto would also run self-tests of every algorithm,
 * after which 2 MiB more of the library stay in memory; so this asks for the functions alone, as a
 * second process does that shares a manager with a first. */
static bool set_functions(struct wrn_ipsec_mb *mb, enum wrn_ipsec_mb_kind kind, void *room) {
    IMB_MGR *whole = align(room);
    memset(whole, 0, sizeof(*whole));
    whole->used_arch = (uint32_t)kinds[kind].arch;
    whole->features = imb_get_feature_flags();
    if (imb_set_pointers_mb_mgr(whole, kinds[kind].flags, 0) != whole || whole->imb_errno != 0) {
        return false;
    }
    mb->manager = *whole;
    memset(&mb->manager.aes128_ooo, 0,
           offsetof(IMB_MGR, end_ooo) - offsetof(IMB_MGR, aes128_ooo)); /* they were in 'room' */
    mb->manager.earliest_job = -1;
    mb->manager.next_job = 0;
    return mb->manager.gcm256_pre && mb->manager.gcm256_enc && mb->manager.gcm256_dec &&
           mb->manager.get_next_burst && mb->manager.submit_burst_nocheck;
}

/* AES-GCM packet by packet, ChaCha20-Poly1305 in one burst. */
static void run(struct wrn_ipsec_mb *mb, struct group *group) {
    uint8_t order[WRN_AEAD_GROUP]; /* indices of the ChaCha20-Poly1305 jobs */
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (group->jobs[i].cipher == WRN_CIPHER_AES_256_GCM) {
            run_gcm(mb, group, i);
        } else {
            order[count++] = (uint8_t)i;
        }
    }
    if (count > 0) {
        run_chacha20_poly1305(mb, group, order, count);
    }
}

static void run_gcm(struct wrn_ipsec_mb *mb, struct group *group, size_t index) {
    const struct wrn_aead_job *job = &group->jobs[index];
    const void *expanded = job->expanded;
    WRN_ASSERT((uintptr_t)expanded % WRN_AEAD_EXPANDED_ALIGNMENT == 0);
    if (!expanded) {
        expanded = mb->expanded;
        if (group->expanded_key != job->key) {
            IMB_AES256_GCM_PRE(&mb->manager, job->key, (struct gcm_key_data *)mb->expanded);
            group->expanded_key = job->key;
        }
    }
    if (group->direction == IMB_DIR_ENCRYPT) {
        IMB_AES256_GCM_ENC(&mb->manager, expanded, &mb->gcm, job->out, job->in, job->size,
                           group->nonces[index], job->aad.data, job->aad.size, job->out + job->size,
                           WRN_TAG_SIZE);
    } else {
        IMB_AES256_GCM_DEC(&mb->manager, expanded, &mb->gcm, job->out, job->in, job->size,
                           group->nonces[index], job->aad.data, job->aad.size, mb->tags[index],
                           WRN_TAG_SIZE);
    }
}

static void run_chacha20_poly1305(struct wrn_ipsec_mb *mb, struct group *group,
                                  const uint8_t *order, size_t count) {
    IMB_JOB *burst[WRN_AEAD_GROUP];
    const uint8_t *last = NULL;
    uint32_t got = IMB_GET_NEXT_BURST(&mb->manager, (uint32_t)count, burst);
    WRN_ASSERT(got == count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *key = group->jobs[order[i]].key;
        if (key != last) { /* pointers suffice, the bytes behind them cannot change now */
            memcpy(mb->keys + WRN_KEY_SIZE * group->keys++, key, WRN_KEY_SIZE);
            last = key;
        }
        fill(burst[i], mb, group, order[i]);
    }
    uint32_t done = IMB_SUBMIT_BURST_NOCHECK(&mb->manager, (uint32_t)count, burst);
    WRN_ASSERT(done == count);
}

/* The library changes nothing but the status in a job, so what is always the same is set once. */
static void fill(IMB_JOB *to, struct wrn_ipsec_mb *mb, const struct group *group, size_t index) {
    const struct wrn_aead_job *job = &group->jobs[index];
    bool encrypts = group->direction == IMB_DIR_ENCRYPT;
    if (to->key_len_in_bytes == 0) {
        to->key_len_in_bytes = WRN_KEY_SIZE;
        to->iv_len_in_bytes = WRN_NONCE_SIZE;
        to->auth_tag_output_len_in_bytes = WRN_TAG_SIZE;
        to->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        to->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    }
    to->cipher_direction = group->direction;
    to->chain_order = encrypts ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    to->enc_keys = to->dec_keys = mb->keys + WRN_KEY_SIZE * (group->keys - 1);
    to->iv = group->nonces[index];
    to->src = job->in;
    to->dst = job->out;
    to->msg_len_to_cipher_in_bytes = to->msg_len_to_hash_in_bytes = job->size;
    to->u.CHACHA20_POLY1305.aad = job->aad.data;
    to->u.CHACHA20_POLY1305.aad_len_in_bytes = job->aad.size;
    to->auth_tag_output = encrypts ? job->out + job->size : mb->tags[index];
}

/* The library clears its stack and the registers itself (SAFE_DATA). The manager keeps pointers and
 * sizes of the last jobs, which are no secrets. The tags are: that of a forged packet is what its
 * sender would like to know. */
static void forget(struct wrn_ipsec_mb *mb, const struct group *group) {
    if (group->expanded_key) {
        wrn_wipe(mb->expanded, sizeof(mb->expanded));
    }
    if (group->keys > 0) {
        wrn_wipe(mb->keys, group->keys * WRN_KEY_SIZE);
    }
    if (group->direction == IMB_DIR_DECRYPT) {
        wrn_wipe(mb->tags, group->count * WRN_TAG_SIZE);
    }
    wrn_wipe(&mb->gcm, sizeof(mb->gcm));
}
