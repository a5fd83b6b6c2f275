/* SPDX-License-Identifier: Apache-2.0 */
/* A command is a row of words, each of them literal or of a kind. */
#include "daemon/errands.h"

#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kinds of words; all others are literal. Domains may be several, or none, at the end. */
#define INTERFACE "<interface>"
#define RECORD    "<record>"
#define ADDRESS   "<address>"
#define DOMAINS   "<domains>"

enum { WORDS_MAX = 6, RECORD_MAX = 47, DOMAIN_MAX = 255 };

static const char record_head[] = "tun0.", record_tail[] = ".warren";
static const char server_head[] = "nameserver ";

static const struct errand {
    const char *words[WORDS_MAX];
    bool has_server; /* its input is a line that names a server; else it is empty */
} errands[] = {
    {{"nft", "-j", "list", "ruleset"}, false},
    {{"resolvectl", "domain", INTERFACE, DOMAINS}, false},
    {{"resolvectl", "default-route", INTERFACE, "no"}, false},
    {{"resolvectl", "dnssec", INTERFACE, "no"}, false},
    {{"resolvectl", "llmnr", INTERFACE, "no"}, false},
    {{"resolvectl", "mdns", INTERFACE, "no"}, false},
    {{"resolvectl", "dns", INTERFACE, ADDRESS}, false},
    {{"resolvectl", "revert", INTERFACE}, false},
    {{"resolvconf", "-a", RECORD}, true},
    {{"resolvconf", "-d", RECORD}, false},
};

static bool matches(const struct errand *errand, const char *const *args);
static bool fits(const char *kind, const char *word);
static bool is_interface(const char *word, size_t size);
static bool is_domain(const char *word);
static bool is_address(const char *word, size_t size);
static bool is_server(wrn_span input);
static bool is_hook(const char *folder, const char *path);

enum wrn_steward_verdict wrn_errands_judge(void *ctx, const char *const *args, wrn_span input) {
    for (size_t i = 0; i < WRN_COUNT(errands); i++) {
        if (matches(&errands[i], args)) {
            bool is_good = errands[i].has_server ? is_server(input) : input.size == 0;
            return is_good ? WRN_STEWARD_AS_ROOT : WRN_STEWARD_REFUSED;
        }
    }
    bool is_it = args[0] != NULL && args[1] == NULL && is_hook(ctx, args[0]);
    return is_it ? WRN_STEWARD_AS_USER : WRN_STEWARD_REFUSED;
}

bool wrn_errands_is_trusted(const char *path, bool is_folder) {
    struct stat info;
    return stat(path, &info) == 0 && (is_folder ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode)) &&
           (info.st_uid == 0 || info.st_uid == geteuid()) &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool wrn_errands_is_hook_name(const char *name) {
    static const char *const left_behind[] = {"~", ".dpkg-old", ".dpkg-dist"};
    size_t size = strlen(name);
    bool is_good = size > 0 && name[0] != '.';
    for (size_t i = 0; i < size && is_good; i++) {
        char c = name[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
    }
    for (size_t i = 0; i < WRN_COUNT(left_behind) && is_good; i++) {
        size_t tail = strlen(left_behind[i]);
        is_good = size <= tail || strcmp(name + size - tail, left_behind[i]) != 0;
    }
    return is_good;
}

static bool matches(const struct errand *errand, const char *const *args) {
    size_t at = 0;
    for (; at < WORDS_MAX && errand->words[at] != NULL; at++) {
        if (strcmp(errand->words[at], DOMAINS) == 0) {
            for (; args[at] != NULL; at++) {
                if (!is_domain(args[at])) {
                    return false;
                }
            }
            return true;
        }
        if (args[at] == NULL || !fits(errand->words[at], args[at])) {
            return false;
        }
    }
    return args[at] == NULL;
}

static bool fits(const char *kind, const char *word) {
    size_t size = strlen(word);
    size_t head = sizeof record_head - 1, tail = sizeof record_tail - 1;
    if (strcmp(kind, INTERFACE) == 0) {
        return is_interface(word, size);
    }
    if (strcmp(kind, ADDRESS) == 0) {
        return is_address(word, size);
    }
    if (strcmp(kind, RECORD) == 0) {
        return size > head + tail && size <= RECORD_MAX && strncmp(word, record_head, head) == 0 &&
               strcmp(word + size - tail, record_tail) == 0 &&
               is_interface(word + head, size - head - tail);
    }
    return strcmp(kind, word) == 0;
}

static bool is_interface(const char *word, size_t size) {
    bool is_good = size > 0 && size < IF_NAMESIZE && word[0] != '-' && word[0] != '.';
    for (size_t i = 0; i < size && is_good; i++) {
        char c = word[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  (c != '\0' && strchr("-_.+=", c) != NULL);
    }
    return is_good;
}

/* "~lab.warren": a domain that is routed to a server. */
static bool is_domain(const char *word) {
    size_t size = strlen(word);
    bool is_good = size > 1 && size <= DOMAIN_MAX && word[0] == '~';
    for (size_t i = 1; i < size && is_good; i++) {
        char c = word[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    }
    return is_good;
}

static bool is_address(const char *word, size_t size) {
    char text[INET6_ADDRSTRLEN];
    uint8_t address[sizeof(struct in6_addr)];
    if (size >= sizeof text) {
        return false;
    }
    memcpy(text, word, size);
    text[size] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_server(wrn_span input) {
    size_t head = sizeof server_head - 1;
    return input.size > head + 1 && input.data[input.size - 1] == '\n' &&
           memcmp(input.data, server_head, head) == 0 &&
           memchr(input.data, '\0', input.size) == NULL &&
           is_address((const char *)input.data + head, input.size - head - 1);
}

/* FOLDER/<event>.d/<name>, all of which only the host's owner can have put there. */
static bool is_hook(const char *folder, const char *path) {
    char within[PATH_MAX];
    size_t above = strlen(folder), size = strlen(path);
    if (above == 0 || size >= sizeof within || strncmp(path, folder, above) != 0 ||
        path[above] != '/') {
        return false;
    }
    memcpy(within, path, size + 1);
    char *slash = strchr(within + above + 1, '/');
    if (slash == NULL || slash - (within + above + 1) <= 2 || memcmp(slash - 2, ".d", 2) != 0) {
        return false;
    }
    *slash = '\0';
    return wrn_errands_is_hook_name(within + above + 1) && wrn_errands_is_hook_name(slash + 1) &&
           wrn_errands_is_trusted(folder, true) && wrn_errands_is_trusted(within, true) &&
           wrn_errands_is_trusted(path, false);
}
