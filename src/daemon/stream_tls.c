/* SPDX-License-Identifier: Apache-2.0 */
/* TLS by libssl. No name, no session that is kept, nothing that is verified. */
#include "daemon/stream_tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { VALID_DAYS = 3650, DAY_S = 86400 };

struct wrn_tls_maker {
    SSL_CTX *client, *server;
};

struct wrn_tls {
    SSL *ssl;
};

static SSL_CTX *make_context(const SSL_METHOD *method);
static bool make_certificate(SSL_CTX *context);
static bool fill_in(X509 *certificate, EVP_PKEY *key);
static int judge(const struct wrn_tls *tls, int result, bool *ret_wants_write);

int wrn_tls_maker_create(struct wrn_tls_maker **ret_maker) {
    struct wrn_tls_maker *maker = calloc(1, sizeof *maker);
    if (maker == NULL) {
        return -ENOMEM;
    }
    maker->client = make_context(TLS_client_method());
    maker->server = make_context(TLS_server_method());
    if (maker->client == NULL || maker->server == NULL || !make_certificate(maker->server)) {
        ERR_clear_error();
        wrn_tls_maker_destroy(maker);
        return -ENOMEM;
    }
    *ret_maker = maker;
    return 0;
}

void wrn_tls_maker_destroy(struct wrn_tls_maker *maker) {
    if (maker != NULL) {
        SSL_CTX_free(maker->client);
        SSL_CTX_free(maker->server);
        free(maker);
    }
}

int wrn_tls_create(struct wrn_tls_maker *maker, int fd, bool is_server, struct wrn_tls **ret_tls) {
    struct wrn_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return -ENOMEM;
    }
    tls->ssl = SSL_new(is_server ? maker->server : maker->client);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        ERR_clear_error();
        wrn_tls_destroy(tls);
        return -ENOMEM;
    }
    if (is_server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
    }
    *ret_tls = tls;
    return 0;
}

void wrn_tls_destroy(struct wrn_tls *tls) {
    if (tls != NULL) {
        if (tls->ssl != NULL && SSL_is_init_finished(tls->ssl)) {
            (void)SSL_shutdown(tls->ssl);
        }
        ERR_clear_error();
        SSL_free(tls->ssl);
        free(tls);
    }
}

int wrn_tls_shake(struct wrn_tls *tls, bool *ret_wants_write) {
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    return result == 1 ? 0 : judge(tls, result, ret_wants_write);
}

int wrn_tls_read(struct wrn_tls *tls, uint8_t *out, size_t capacity, bool *ret_wants_write) {
    ERR_clear_error();
    int result = SSL_read(tls->ssl, out, (int)capacity);
    return result > 0 ? result : judge(tls, result, ret_wants_write);
}

int wrn_tls_write(struct wrn_tls *tls, const uint8_t *bytes, size_t size, bool *ret_wants_write) {
    ERR_clear_error();
    int result = SSL_write(tls->ssl, bytes, (int)size);
    return result > 0 ? result : judge(tls, result, ret_wants_write);
}

/* As browsers do: what is offered, and which protocol is said to be inside. */
static SSL_CTX *make_context(const SSL_METHOD *method) {
    static const unsigned char inside[] = "\x08http/1.1";
    SSL_CTX *context = SSL_CTX_new(method);
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(context, inside, sizeof inside - 1) != 0) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(context,
                              SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    return context;
}

static bool make_certificate(SSL_CTX *context) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool is_made = key != NULL && certificate != NULL && fill_in(certificate, key) &&
                   SSL_CTX_use_certificate(context, certificate) == 1 &&
                   SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_made;
}

static bool fill_in(X509 *certificate, EVP_PKEY *key) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -(long)DAY_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), (long)VALID_DAYS * DAY_S) != NULL &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int judge(const struct wrn_tls *tls, int result, bool *ret_wants_write) {
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_wants_write = false;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_wants_write = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
    case SSL_ERROR_SYSCALL:
        return -EPIPE;
    default:
        return -EPROTO;
    }
}
