/* SPDX-License-Identifier: Apache-2.0 */
/* Programs run one after the other, from a list of jobs. A note says which records resolvconf has
 * of ours before it gets them: it keeps them when we are gone, and they would lead nowhere. */
#define _GNU_SOURCE /* renameat, O_CLOEXEC */
#include "daemon/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/debts.h"
#include "daemon/spawn.h"
#include "io/cleanup.h"
#include "io/clock.h"

enum {
    ENTRIES_MAX = 64,
    JOB_TIMEOUT_MS = 15000, /* resolvconf waits up to 10 s for its lock */
    END_TIMEOUT_MS = 1000,  /* of one program, at the end */
    END_ALL_MS = 3000,
    OUTPUT_MAX = 1024,
    DOMAINS_SIZE = 2048,
    REVERSE_MAX = 16, /* zones of a range; one with more is left to who asks us directly */
    RECORD_SIZE = 48,
    INPUT_SIZE = 128,
    HEAD_SIZE = 4096, /* of resolv.conf, that is looked at */
    NIBBLES = 32,
};

static const char note_name[] = "resolver", note_new_name[] = "resolver.new";
static const char stub_line[] = "\nnameserver 127.0.0.53";

const struct wrn_resolver_places wrn_resolver_places = {
    .resolved_socket = "/run/systemd/resolve/io.systemd.Resolve",
    .resolvectl = "resolvectl",
    .resolvconf = "resolvconf",
    .resolv_conf = "/etc/resolv.conf",
};

struct slot {
    bool is_used;
    enum wrn_resolver_kind kind; /* who is told */
    struct wrn_resolver_entry entry;
    unsigned jobs; /* that are not done */
    char trouble[256];
};

struct job {
    struct job *next;
    char interface[16]; /* whose it is; "": nobody's */
    size_t count;
    const char *args[WRN_SPAWN_ARGS_MAX + 1]; /* into 'text' */
    size_t used;
    char text[DOMAINS_SIZE + 256];
    char input[INPUT_SIZE];
};

struct wrn_resolver {
    uv_loop_t *loop;
    struct wrn_log *log;
    int folder_fd;
    bool may_tell;
    struct wrn_resolver_places places;
    struct wrn_spawn *running;
    struct job *first; /* the one that runs, if one does */
    struct slot slots[ENTRIES_MAX];
};

static struct slot *find(const struct wrn_resolver *resolver, const char *interface);
static void tell_resolved(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry);
static void tell_resolvconf(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry);
static struct job *add_job(struct wrn_resolver *resolver, const char *interface,
                           const char *program);
static void add_word(struct job *job, const char *text);
static void add_words(struct job *job, const char *text);
static void run_next(struct wrn_resolver *resolver);
static void on_job_end(void *ctx, int status, wrn_span output);
static void finish_job(struct wrn_resolver *resolver, int status, wrn_span output);
static void note_trouble(struct wrn_resolver *resolver, const struct job *job, int status,
                         wrn_span output);
static void record_name(const char *interface, char ret_name[RECORD_SIZE]);
static void write_note(const struct wrn_resolver *resolver);
static void remove_noted(struct wrn_resolver *resolver);
static void untell_now(struct wrn_resolver *resolver, const struct slot *slot);
static size_t read_head(const char *path, char ret_text[HEAD_SIZE]);
static void print_address(const struct wrn_ip *ip, char ret_text[INET6_ADDRSTRLEN]);
static size_t add_reverse(const struct wrn_prefix *range, const char *prefix, char *text,
                          size_t size, size_t used);
static size_t append(char *text, size_t size, size_t used, const char *prefix, const char *name);

int wrn_resolver_create(uv_loop_t *loop, struct wrn_log *log, int folder_fd,
                        const struct wrn_resolver_places *places, bool may_tell,
                        struct wrn_resolver **ret_resolver) {
    struct wrn_resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return -ENOMEM;
    }
    resolver->loop = loop;
    resolver->log = log;
    resolver->folder_fd = folder_fd;
    resolver->places = *places;
    resolver->may_tell = may_tell;
    remove_noted(resolver);
    run_next(resolver);
    *ret_resolver = resolver;
    return 0;
}

void wrn_resolver_destroy(struct wrn_resolver *resolver) {
    if (resolver == NULL) {
        return;
    }
    wrn_spawn_cancel(resolver->running);
    while (resolver->first != NULL) {
        struct job *job = resolver->first;
        resolver->first = job->next;
        free(job);
    }
    wrn_mono end = wrn_mono_add(wrn_clock_read().mono, WRN_MS(END_ALL_MS));
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct slot *slot = &resolver->slots[i];
        if (slot->is_used && !wrn_mono_reached(wrn_clock_read().mono, end)) {
            untell_now(resolver, slot);
            slot->is_used = false;
        }
    }
    write_note(resolver); /* what there was no time for is removed at the next start */
    free(resolver);
}

void wrn_resolver_tell(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry) {
    struct slot *slot = find(resolver, entry->interface);
    enum wrn_resolver_kind kind = wrn_resolver_find(&resolver->places);
    if (!resolver->may_tell || kind == WRN_RESOLVER_NONE ||
        entry->zone.resolver.family == WRN_FAMILY_NONE) {
        return;
    }
    for (size_t i = 0; slot == NULL && i < ENTRIES_MAX; i++) {
        slot = resolver->slots[i].is_used ? NULL : &resolver->slots[i];
    }
    if (slot == NULL) {
        return; /* no node is in more networks */
    }
    *slot = (struct slot){.is_used = true, .kind = kind, .entry = *entry, .jobs = slot->jobs};
    if (kind == WRN_RESOLVER_RESOLVED) {
        tell_resolved(resolver, entry);
    } else {
        write_note(resolver);
        tell_resolvconf(resolver, entry);
    }
    run_next(resolver);
}

void wrn_resolver_untell(struct wrn_resolver *resolver, const char *interface) {
    char record[RECORD_SIZE];
    struct slot *slot = find(resolver, interface);
    if (slot == NULL) {
        return;
    }
    bool is_resolved = slot->kind == WRN_RESOLVER_RESOLVED;
    slot->is_used = false;
    /* systemd-resolved forgets what it was told of an interface together with it. */
    if (!is_resolved || if_nametoindex(interface) != 0) {
        const struct wrn_resolver_places *places = &resolver->places;
        struct job *job =
            add_job(resolver, "", is_resolved ? places->resolvectl : places->resolvconf);
        record_name(interface, record);
        add_word(job, is_resolved ? "revert" : "-d");
        add_word(job, is_resolved ? interface : record);
    }
    write_note(resolver);
    run_next(resolver);
}

enum wrn_resolver_kind wrn_resolver_find(const struct wrn_resolver_places *places) {
    char head[HEAD_SIZE];
    if (access(places->resolved_socket, F_OK) == 0 && wrn_spawn_exists(places->resolvectl)) {
        return WRN_RESOLVER_RESOLVED;
    }
    /* It must be resolvconf's file already, with other servers in it: else it would become so, and
     * lead to nobody but us. */
    if (wrn_spawn_exists(places->resolvconf) && read_head(places->resolv_conf, head) > 0 &&
        strcasestr(head, "generated by resolvconf") != NULL &&
        strstr(head, "\nnameserver ") != NULL) {
        return WRN_RESOLVER_RESOLVCONF;
    }
    return WRN_RESOLVER_NONE;
}

bool wrn_resolver_describe(const struct wrn_resolver *resolver,
                           const struct wrn_resolver_entry *entry,
                           char ret_text[WRN_RESOLVER_TEXT_SIZE]) {
    char address[INET6_ADDRSTRLEN], head[HEAD_SIZE];
    const struct slot *slot = find(resolver, entry->interface);
    const char *network = entry->zone.network;
    print_address(&entry->zone.resolver, address);
    if (slot == NULL) {
        (void)snprintf(
            ret_text, WRN_RESOLVER_TEXT_SIZE,
            "nobody on this host is told of %s.warren (%s); its names are answered at %s port 53: "
            "have your DNS server ask there (dnsmasq: server=/%s.warren/%s), or see "
            "docs/names-on-this-host.md",
            network,
            resolver->may_tell ? "neither systemd-resolved nor resolvconf is in charge here"
                               : "warrend was told not to",
            address, network, address);
        return false;
    }
    const char *who = slot->kind == WRN_RESOLVER_RESOLVED ? "systemd-resolved" : "resolvconf";
    if (slot->jobs > 0 || slot->trouble[0] != '\0') {
        (void)snprintf(ret_text, WRN_RESOLVER_TEXT_SIZE, "%s %s", who,
                       slot->jobs > 0 ? "is being told" : slot->trouble);
        return false;
    }
    bool leads_there =
        slot->kind == WRN_RESOLVER_RESOLVCONF ||
        (read_head(resolver->places.resolv_conf, head) > 0 && strstr(head, stub_line) != NULL);
    (void)snprintf(ret_text, WRN_RESOLVER_TEXT_SIZE, "%s was told to ask %s for %s.warren%s", who,
                   address, network,
                   leads_there ? ""
                               : "; but /etc/resolv.conf does not lead to systemd-resolved: "
                                 "programs find these names only if they use nss-resolve, or when "
                                 "it is a link to /run/systemd/resolve/stub-resolv.conf");
    return leads_there;
}

size_t wrn_resolver_domains(const struct wrn_dns_zone *zone, const char *prefix, char *ret_text,
                            size_t size) {
    char name[WRN_LABEL_SIZE + 16];
    WRN_ASSERT(size > 0);
    ret_text[0] = '\0';
    (void)snprintf(name, sizeof name, "%s.warren", zone->network);
    size_t used = append(ret_text, size, 0, prefix, name);
    used = add_reverse(&zone->ipv4, prefix, ret_text, size, used);
    return add_reverse(&zone->ipv6, prefix, ret_text, size, used);
}

static struct slot *find(const struct wrn_resolver *resolver, const char *interface) {
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        const struct slot *slot = &resolver->slots[i];
        if (slot->is_used && strcmp(slot->entry.interface, interface) == 0) {
            return (struct slot *)(uintptr_t)slot;
        }
    }
    return NULL;
}

/* The server comes last: with a server and without domains we would be asked for everything. */
static void tell_resolved(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry) {
    static const char *const switches[] = {"default-route", "dnssec", "llmnr", "mdns"};
    char domains[DOMAINS_SIZE], address[INET6_ADDRSTRLEN];
    const char *program = resolver->places.resolvectl, *interface = entry->interface;
    (void)wrn_resolver_domains(&entry->zone, "~", domains, sizeof domains);
    struct job *job = add_job(resolver, interface, program);
    add_word(job, "domain");
    add_word(job, interface);
    add_words(job, domains);
    for (size_t i = 0; i < WRN_COUNT(switches); i++) {
        job = add_job(resolver, interface, program);
        add_word(job, switches[i]);
        add_word(job, interface);
        add_word(job, "no");
    }
    print_address(&entry->zone.resolver, address);
    job = add_job(resolver, interface, program);
    add_word(job, "dns");
    add_word(job, interface);
    add_word(job, address);
}

/* First in the list: resolv.conf knows no domains of servers, and we refuse what is not ours, so
 * that the next one is asked. */
static void tell_resolvconf(struct wrn_resolver *resolver, const struct wrn_resolver_entry *entry) {
    char record[RECORD_SIZE], address[INET6_ADDRSTRLEN];
    struct job *job = add_job(resolver, entry->interface, resolver->places.resolvconf);
    record_name(entry->interface, record);
    print_address(&entry->zone.resolver, address);
    add_word(job, "-a");
    add_word(job, record);
    if (job != NULL) {
        (void)snprintf(job->input, sizeof job->input, "nameserver %s\n", address);
    }
}

/* NULL: no memory; then it is not done, and there are greater troubles. */
static struct job *add_job(struct wrn_resolver *resolver, const char *interface,
                           const char *program) {
    struct job *job = calloc(1, sizeof *job);
    struct job **end = &resolver->first;
    struct slot *slot = find(resolver, interface);
    if (job == NULL) {
        return NULL;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = job;
    (void)snprintf(job->interface, sizeof job->interface, "%s", interface);
    add_word(job, program);
    if (slot != NULL) {
        slot->jobs++;
    }
    return job;
}

static void add_word(struct job *job, const char *text) {
    if (job == NULL) {
        return;
    }
    size_t size = strlen(text) + 1;
    WRN_ASSERT(job->count < WRN_SPAWN_ARGS_MAX && size <= sizeof job->text - job->used);
    memcpy(job->text + job->used, text, size);
    job->args[job->count++] = job->text + job->used;
    job->used += size;
}

static void add_words(struct job *job, const char *text) {
    char word[DOMAINS_SIZE];
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        (void)snprintf(word, sizeof word, "%.*s", (int)size, text);
        add_word(job, word);
        text += size + (text[size] == ' ');
    }
}

static void run_next(struct wrn_resolver *resolver) {
    while (resolver->running == NULL && resolver->first != NULL) {
        struct job *job = resolver->first;
        struct wrn_spawn_options options = {
            .args = job->args,
            .input = {(const uint8_t *)job->input, strlen(job->input)},
            .timeout_ms = JOB_TIMEOUT_MS,
            .output_max = OUTPUT_MAX,
            .ctx = resolver,
            .on_end = on_job_end};
        if (strcmp(job->args[1], "-a") == 0) {
            wrn_debts_owe_record(job->args[2], true);
        }
        int error = wrn_spawn_start(resolver->loop, &options, &resolver->running);
        if (error != 0) {
            resolver->running = NULL;
            finish_job(resolver, error, (wrn_span){0});
        }
    }
}

static void on_job_end(void *ctx, int status, wrn_span output) {
    struct wrn_resolver *resolver = ctx;
    resolver->running = NULL;
    finish_job(resolver, status, output);
    run_next(resolver);
}

/* The first job is done, well or not. */
static void finish_job(struct wrn_resolver *resolver, int status, wrn_span output) {
    struct job *job = resolver->first;
    struct slot *slot = find(resolver, job->interface);
    resolver->first = job->next;
    if (status != 0) {
        note_trouble(resolver, job, status, output);
    }
    if (slot != NULL && slot->jobs > 0) {
        slot->jobs--;
    }
    if (status == 0 && strcmp(job->args[1], "-d") == 0) {
        wrn_debts_owe_record(job->args[2], false);
    }
    free(job);
    if (resolver->first == NULL) { /* those of a run before are gone by now */
        write_note(resolver);
    }
}

static void note_trouble(struct wrn_resolver *resolver, const struct job *job, int status,
                         wrn_span output) {
    char line[128], cause[64];
    struct slot *slot = find(resolver, job->interface);
    const uint8_t *end = output.size > 0 ? memchr(output.data, '\n', output.size) : NULL;
    int size = end != NULL ? (int)(end - output.data) : (int)output.size;
    (void)snprintf(line, sizeof line, "%.*s", size, (const char *)output.data);
    if (status < 0) {
        (void)snprintf(cause, sizeof cause, "%s", strerror(-status));
    } else {
        (void)snprintf(cause, sizeof cause, "it ended with %d", status);
    }
    wrn_log_write(resolver->log, WRN_LOG_ERROR, "'%s %s %s' failed: %s%s%s", job->args[0],
                  job->args[1], job->args[2], cause, line[0] != '\0' ? ": " : "", line);
    if (slot != NULL) {
        (void)snprintf(slot->trouble, sizeof slot->trouble,
                       "does not take it: '%s %s %s' failed: %s; try that by hand", job->args[0],
                       job->args[1], job->args[2], line[0] != '\0' ? line : cause);
    }
}

/* Debian's resolvconf (tun*) and openresolv (tun[0-9]*, without a metric) put such names before
 * those of the LAN; others come behind, where nobody would ask us. */
static void record_name(const char *interface, char ret_name[RECORD_SIZE]) {
    (void)snprintf(ret_name, RECORD_SIZE, "tun0.%s.warren", interface);
}

/* The records that resolvconf has, or is about to get, one a line; no file if there is none. */
static void write_note(const struct wrn_resolver *resolver) {
    char text[WRN_RESOLVER_NOTE_MAX], record[RECORD_SIZE];
    size_t used = 0;
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        const struct slot *slot = &resolver->slots[i];
        if (slot->is_used && slot->kind == WRN_RESOLVER_RESOLVCONF) {
            record_name(slot->entry.interface, record);
            used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", record);
        }
    }
    if (used == 0) {
        (void)unlinkat(resolver->folder_fd, note_name, 0);
        return;
    }
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(resolver->folder_fd, note_new_name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text, used) != (ssize_t)used ||
        renameat(resolver->folder_fd, note_new_name, resolver->folder_fd, note_name) != 0) {
        wrn_log_write(resolver->log, WRN_LOG_ERROR,
                      "cannot note what resolvconf is told: %s; after a crash call 'resolvconf -d' "
                      "for the records that end in .warren",
                      strerror(errno));
    }
}

/* Removes the records of a run that did not end in good order. */
static void remove_noted(struct wrn_resolver *resolver) {
    char text[WRN_RESOLVER_NOTE_MAX];
    WRN_CLEANUP(wrn_close_fd)
    int fd = openat(resolver->folder_fd, note_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    text[size > 0 ? size : 0] = '\0';
    for (char *line = text; *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        bool is_last = *end == '\0';
        *end = '\0';
        if (strlen(line) > 0 && strlen(line) < RECORD_SIZE) {
            struct job *job = add_job(resolver, "", resolver->places.resolvconf);
            add_word(job, "-d");
            add_word(job, line);
        }
        line = is_last ? end : end + 1;
    }
}

/* At the end, when the loop turns no more. */
static void untell_now(struct wrn_resolver *resolver, const struct slot *slot) {
    char record[RECORD_SIZE];
    const char *interface = slot->entry.interface;
    const char *args[] = {resolver->places.resolvconf, "-d", record, NULL};
    record_name(interface, record);
    if (slot->kind == WRN_RESOLVER_RESOLVED) {
        args[0] = resolver->places.resolvectl;
        args[1] = "revert";
        args[2] = interface;
        if (if_nametoindex(interface) == 0) {
            return;
        }
    }
    int status = wrn_spawn_wait(args, (wrn_span){0}, END_TIMEOUT_MS);
    if (status != 0) {
        wrn_log_write(resolver->log, WRN_LOG_ERROR, "'%s %s %s' failed (%d); call it by hand",
                      args[0], args[1], args[2], status);
    } else if (slot->kind == WRN_RESOLVER_RESOLVCONF) {
        wrn_debts_owe_record(record, false);
    }
}

static size_t read_head(const char *path, char ret_text[HEAD_SIZE]) {
    WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ret_text[0] = '\n'; /* so that a line can be looked for */
    ssize_t size = fd >= 0 ? read(fd, ret_text + 1, HEAD_SIZE - 2) : -1;
    ret_text[size > 0 ? size + 1 : 0] = '\0';
    return size > 0 ? (size_t)size : 0;
}

static void print_address(const struct wrn_ip *ip, char ret_text[INET6_ADDRSTRLEN]) {
    ret_text[0] = '\0';
    (void)inet_ntop(ip->family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6, ip->bytes, ret_text,
                    INET6_ADDRSTRLEN);
}

/* The zones of a range: if it ends within a label there are several, next to each other. */
static size_t add_reverse(const struct wrn_prefix *range, const char *prefix, char *text,
                          size_t size, size_t used) {
    bool is_ipv4 = range->ip.family == WRN_FAMILY_IPV4;
    unsigned width = is_ipv4 ? 8 : 4;
    unsigned labels = (range->length_bits + width - 1) / width;
    unsigned count = 1u << (labels * width - range->length_bits);
    if (range->ip.family == WRN_FAMILY_NONE || labels == 0 || count > REVERSE_MAX) {
        return used;
    }
    for (unsigned i = 0; i < count; i++) {
        char name[2 * NIBBLES + 16];
        size_t at = 0;
        for (unsigned label = labels; label-- > 0;) {
            unsigned number = is_ipv4 ? range->ip.bytes[label]
                                      : range->ip.bytes[label / 2] >> (label % 2 == 0 ? 4 : 0) & 15;
            number += label == labels - 1 ? i : 0;
            at += (size_t)snprintf(name + at, sizeof name - at, is_ipv4 ? "%u." : "%x.", number);
        }
        (void)snprintf(name + at, sizeof name - at, is_ipv4 ? "in-addr.arpa" : "ip6.arpa");
        used = append(text, size, used, prefix, name);
    }
    return used;
}

static size_t append(char *text, size_t size, size_t used, const char *prefix, const char *name) {
    int more = snprintf(text + used, size - used, "%s%s%s", used > 0 ? " " : "", prefix, name);
    if (more < 0 || (size_t)more >= size - used) {
        text[used] = '\0';
        return used;
    }
    return used + (size_t)more;
}
