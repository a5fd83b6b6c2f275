/* SPDX-License-Identifier: Apache-2.0 */
/* Shakes hands with a WireGuard program at a steady rate, as many initiators, so that the caller
 * can measure what a handshake costs the responder. Bounded in time and number. It is for private
 * namespaces only.
 *
 *     wg_handshakes keys COUNT                              their public keys, in hexadecimal
 *     wg_handshakes run ADDRESS PORT PUBLIC_KEY COUNT RATE  a handshake each, RATE a second
 *
 * The initiators' keys follow from their numbers: they protect nothing. All initiations are made
 * before the first is sent. 'run' reads each response to its end and prints a line of JSON. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "wg/cookie.h"
#include "wg/noise.h"

enum { COUNT_MAX = 10000, RATE_MAX = 100000, LINGER_MS = 1000 };

#define S_NS INT64_C(1000000000)

struct initiator {
    struct wrn_noise_identity identity;
    struct wrn_noise_pending pending;
    uint8_t initiation[WRN_WG_INITIATION_SIZE];
    bool answered;
};

struct load {
    struct wrn_crypto *crypto;
    struct initiator *initiators;
    size_t count;
    uint64_t rate;
    int fd;
    size_t responses, cookies, refused;
};

static int print_keys(struct wrn_crypto *crypto, size_t count);
static int run(struct load *load, char **argv);
static void make_identity(struct wrn_crypto *crypto, uint32_t number,
                          struct wrn_noise_identity *ret_identity);
static void prepare(struct load *load, const uint8_t responder[WRN_KEY_SIZE]);
static void send_all(struct load *load);
static void take_answers(struct load *load);
static void take_answer(struct load *load, const uint8_t *message, size_t size);
static int connect_to(const char *address, const char *port);
static uint64_t number(const char *text, uint64_t most);
static int64_t now_ns(void);
static void fail(const char *what);

int main(int argc, char **argv) {
    struct load load = {0};
    bool keys = argc == 3 && strcmp(argv[1], "keys") == 0;
    if (!keys && (argc != 7 || strcmp(argv[1], "run") != 0)) {
        fprintf(stderr, "usage: wg_handshakes keys COUNT\n"
                        "       wg_handshakes run ADDRESS PORT PUBLIC_KEY COUNT RATE\n");
        return 2;
    }
    errno = -wrn_crypto_create(WRN_CRYPTO_AUTO, &load.crypto);
    if (errno != 0) {
        fail("use libcrypto");
    }
    load.count = number(argv[keys ? 2 : 5], COUNT_MAX);
    int status = keys ? print_keys(load.crypto, load.count) : run(&load, argv);
    wrn_crypto_destroy(load.crypto);
    return status;
}

static int print_keys(struct wrn_crypto *crypto, size_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_noise_identity identity;
        make_identity(crypto, i, &identity);
        for (size_t k = 0; k < WRN_KEY_SIZE; k++) {
            printf("%02x", identity.public_key[k]);
        }
        printf("\n");
    }
    return 0;
}

static int run(struct load *load, char **argv) {
    uint8_t responder[WRN_KEY_SIZE];
    for (size_t i = 0; i < WRN_KEY_SIZE; i++) {
        char digits[3] = {0};
        char *end = digits;
        if (strlen(argv[4]) == sizeof responder * 2) {
            memcpy(digits, argv[4] + 2 * i, 2);
            responder[i] = (uint8_t)strtoul(digits, &end, 16);
        }
        if (end != digits + 2) {
            fprintf(stderr, "wg_handshakes: a public key has 64 hexadecimal digits\n");
            return 2;
        }
    }
    load->rate = number(argv[6], RATE_MAX);
    load->fd = connect_to(argv[2], argv[3]);
    load->initiators = calloc(load->count, sizeof load->initiators[0]);
    if (load->initiators == NULL) {
        fail("allocate the initiators");
    }
    prepare(load, responder);
    int64_t start = now_ns();
    send_all(load);
    double seconds = (double)(now_ns() - start) / (double)S_NS;
    printf("{\"sent\":%zu,\"responses\":%zu,\"cookies\":%zu,\"refused\":%zu,\"seconds\":%.4f}\n",
           load->count, load->responses, load->cookies, load->refused, seconds);
    free(load->initiators);
    close(load->fd);
    return 0;
}

static void make_identity(struct wrn_crypto *crypto, uint32_t number,
                          struct wrn_noise_identity *ret_identity) {
    struct wrn_prng prng;
    wrn_prng_init(&prng, 0x68616e64, number);
    wrn_rand_fill(wrn_prng_rand(&prng), ret_identity->private_key, WRN_KEY_SIZE);
    wrn_x25519_clamp(ret_identity->private_key);
    if (!wrn_x25519_public(crypto, ret_identity->private_key, ret_identity->public_key)) {
        fail("derive a public key");
    }
}

/* Makes all initiations. Initiator n gives its session the index n. */
static void prepare(struct load *load, const uint8_t responder[WRN_KEY_SIZE]) {
    struct timespec wall;
    struct wrn_prng prng;
    uint8_t stamp[WRN_WG_TIMESTAMP_SIZE];
    clock_gettime(CLOCK_REALTIME, &wall);
    wrn_noise_timestamp((wrn_wall){wall.tv_sec, (uint32_t)wall.tv_nsec}, stamp);
    wrn_prng_init(&prng, (uint64_t)wall.tv_sec, (uint64_t)wall.tv_nsec);
    for (uint32_t i = 0; i < load->count; i++) {
        struct initiator *initiator = &load->initiators[i];
        struct wrn_cookie_jar jar = {0};
        uint8_t shared[WRN_KEY_SIZE];
        uint8_t ephemeral[WRN_KEY_SIZE];
        make_identity(load->crypto, i, &initiator->identity);
        wrn_rand_fill(wrn_prng_rand(&prng), ephemeral, sizeof ephemeral);
        wrn_x25519_clamp(ephemeral);
        if (!wrn_x25519(load->crypto, initiator->identity.private_key, responder, shared) ||
            !wrn_noise_write_initiation(load->crypto, WRN_CIPHER_CHACHA20_POLY1305,
                                        &initiator->identity, responder, shared, ephemeral, stamp,
                                        i, initiator->initiation, &initiator->pending)) {
            fail("make an initiation: is the public key right?");
        }
        wrn_cookie_add_macs(load->crypto, &jar, (wrn_mono){0}, responder, initiator->initiation,
                            WRN_WG_INITIATION_SIZE);
    }
}

/* Sends them evenly over the time, and waits a little for the last responses. */
static void send_all(struct load *load) {
    int64_t start = now_ns();
    for (size_t i = 0; i < load->count; i++) {
        int64_t due = start + (int64_t)(i * (uint64_t)S_NS / load->rate);
        struct timespec at = {due / S_NS, due % S_NS};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        }
        if (send(load->fd, load->initiators[i].initiation, WRN_WG_INITIATION_SIZE, 0) < 0 &&
            errno != ECONNREFUSED) {
            fail("send");
        }
        take_answers(load);
    }
    int64_t end = now_ns() + LINGER_MS * (S_NS / 1000);
    while (load->responses + load->cookies + load->refused < load->count && now_ns() < end) {
        struct pollfd readable = {.fd = load->fd, .events = POLLIN};
        (void)poll(&readable, 1, 10);
        take_answers(load);
    }
}

static void take_answers(struct load *load) {
    uint8_t message[2048];
    ssize_t got;
    while ((got = recv(load->fd, message, sizeof message, MSG_DONTWAIT)) >= 0) {
        take_answer(load, message, (size_t)got);
    }
}

static void take_answer(struct load *load, const uint8_t *message, size_t size) {
    static const uint8_t no_psk[WRN_KEY_SIZE];
    struct wrn_noise_keys keys;
    if (size == WRN_WG_COOKIE_SIZE && message[0] == WRN_WG_TYPE_COOKIE) {
        load->cookies++;
        return;
    }
    if (size != WRN_WG_RESPONSE_SIZE || message[0] != WRN_WG_TYPE_RESPONSE) {
        return; /* a keepalive, or nothing that an initiation asks for */
    }
    uint32_t index = wrn_load_le32(message + WRN_WG_RESP_RECEIVER_AT);
    struct initiator *initiator = index < load->count ? &load->initiators[index] : NULL;
    if (initiator == NULL || initiator->answered ||
        wrn_noise_read_response(load->crypto, &initiator->identity, &initiator->pending, no_psk,
                                message, &keys) != WRN_DROP_NONE) {
        load->refused++;
        return;
    }
    initiator->answered = true;
    load->responses++;
}

static int connect_to(const char *address, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_port = htons((uint16_t)number(port, 65535));
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fprintf(stderr, "wg_handshakes: %s is not an IPv4 address\n", address);
        exit(2);
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        fail("connect");
    }
    return fd;
}

static uint64_t number(const char *text, uint64_t most) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 1 || value > most) {
        fprintf(stderr, "wg_handshakes: %s is not a number from 1 to %llu\n", text,
                (unsigned long long)most);
        exit(2);
    }
    return value;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * S_NS + now.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "wg_handshakes: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}
