/* SPDX-License-Identifier: Apache-2.0 */
/* The file "ports" in a network's folder:
 *
 *     (warren-ports (version 1)
 *       (port (interface NAME) (vlan 12)? (forced)? (was-down)?)*
 *       (vtep "127.0.0.1:4789,remote=…,vni=…")*)
 *
 * in canonical order: all ports, then all VTEPs. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/attach_internal.h"
#include "io/file.h"
#include "sexp/sexp.h"

#define FILE_NAME "ports"

enum { ROOM = WRN_ATTACH_TEXT_MAX, COLUMNS = 96, PATH_SIZE = 128, DIGITS_SIZE = 12 };

static void write_entry(struct wrn_sexp_writer *writer, const struct wrn_attach_entry *entry);
static const char *read_port(struct wrn_attach *attach, wrn_handle network,
                             struct wrn_sexp_cursor *list);
static const char *read_vtep(struct wrn_attach *attach, wrn_handle network,
                             struct wrn_sexp_cursor *list);
static bool make_path(const struct wrn_attach *attach, wrn_handle network,
                      char ret_path[PATH_SIZE]);

int wrn_attach_save(const struct wrn_attach *attach, wrn_handle network) {
    char path[PATH_SIZE];
    size_t size = 0;
    char *text = malloc(WRN_ATTACH_TEXT_MAX);
    int error = text == NULL ? -ENOMEM : 0;
    if (error == 0 && !make_path(attach, network, path)) {
        error = -ENOENT;
    }
    error = error != 0 ? error : wrn_attach_write(attach, network, text, &size);
    if (error == 0) {
        error = wrn_file_write(wrn_daemon_folder(attach->daemon), path, 0600,
                               (wrn_span){(const uint8_t *)text, size});
    }
    free(text);
    return error;
}

int wrn_attach_write(const struct wrn_attach *attach, wrn_handle network,
                     char ret_text[WRN_ATTACH_TEXT_MAX], size_t *ret_size) {
    struct wrn_sexp sexp;
    uint8_t *canonical = malloc(ROOM);
    int error = canonical == NULL ? -ENOMEM : 0;
    if (error == 0) {
        struct wrn_sexp_writer writer = wrn_sexp_writer(canonical, ROOM);
        wrn_sexp_open(&writer, "warren-ports");
        wrn_sexp_open(&writer, "version");
        wrn_sexp_put_word(&writer, "1");
        wrn_sexp_close(&writer);
        for (int vteps = 0; vteps < 2; vteps++) {
            for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
                const struct wrn_attach_entry *entry = &attach->entries[i];
                if (entry->is_used && wrn_handle_equal(entry->port.network, network) &&
                    entry->port.is_vtep == (vteps == 1)) {
                    write_entry(&writer, entry);
                }
            }
        }
        wrn_sexp_close(&writer);
        error = wrn_sexp_finish(&writer, &sexp);
    }
    if (error == 0) {
        size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, COLUMNS, ret_text, ROOM - 1);
        WRN_ASSERT(size < ROOM);
        ret_text[size] = '\n';
        *ret_size = size + 1;
    }
    free(canonical);
    return error;
}

void wrn_attach_load(struct wrn_attach *attach, wrn_handle network) {
    char path[PATH_SIZE];
    uint8_t *text = malloc(ROOM);
    size_t size = 0;
    const char *problem = NULL;
    if (text == NULL || !make_path(attach, network, path)) {
        free(text);
        return;
    }
    int error = wrn_file_read(wrn_daemon_folder(attach->daemon), path, text, ROOM, &size);
    if (error == 0) {
        problem = wrn_attach_read(attach, network, (wrn_span){text, size});
    }
    if ((error != 0 && error != -ENOENT) || problem != NULL) {
        wrn_log_write(
            wrn_daemon_log(attach->daemon), WRN_LOG_ERROR,
            "cannot use all of %s/%s: %s; attach again what is missing: warren bridge show",
            wrn_daemon_options(attach->daemon)->state, path,
            problem != NULL ? problem : strerror(-error));
    }
    free(text);
}

static void write_entry(struct wrn_sexp_writer *writer, const struct wrn_attach_entry *entry) {
    const struct wrn_attach_port *port = &entry->port;
    char digits[DIGITS_SIZE];
    char vtep[WRN_VTEP_TEXT_SIZE];
    wrn_sexp_open(writer, port->is_vtep ? "vtep" : "port");
    if (port->is_vtep) {
        wrn_vtep_print(&port->vtep, vtep);
        wrn_sexp_put_word(writer, vtep);
        wrn_sexp_close(writer);
        return;
    }
    wrn_sexp_open(writer, "interface");
    wrn_sexp_put_word(writer, port->interface);
    wrn_sexp_close(writer);
    if (port->vlan != 0) {
        (void)snprintf(digits, sizeof digits, "%u", port->vlan);
        wrn_sexp_open(writer, "vlan");
        wrn_sexp_put_word(writer, digits);
        wrn_sexp_close(writer);
    }
    if (port->is_forced) {
        wrn_sexp_open(writer, "forced");
        wrn_sexp_close(writer);
    }
    if (entry->was_down) {
        wrn_sexp_open(writer, "was-down");
        wrn_sexp_close(writer);
    }
    wrn_sexp_close(writer);
}

const char *wrn_attach_read(struct wrn_attach *attach, wrn_handle network, wrn_span text) {
    static const char damaged[] = "it is damaged";
    struct wrn_sexp sexp;
    struct wrn_sexp_cursor list;
    struct wrn_sexp_cursor part;
    uint32_t version = 0;
    const char *problem = NULL;
    size_t capacity = wrn_sexp_capacity(text.size);
    uint8_t *canonical = malloc(capacity);
    if (canonical == NULL) {
        return "no memory is left";
    }
    if (wrn_sexp_read(WRN_SEXP_ANY, text, canonical, capacity, &sexp, NULL, NULL) != 0 ||
        !wrn_sexp_enter_named(sexp, "warren-ports", &list) ||
        !wrn_sexp_take_number(&list, "version", UINT32_MAX, &version)) {
        problem = damaged;
    } else if (version != 1) {
        problem = "a later version has written it";
    }
    while (problem == NULL && wrn_sexp_take_named(&list, "port", &part)) {
        problem = read_port(attach, network, &part);
    }
    while (problem == NULL && wrn_sexp_take_named(&list, "vtep", &part)) {
        problem = read_vtep(attach, network, &part);
    }
    if (problem == NULL && !wrn_sexp_at_end(&list)) {
        problem = damaged;
    }
    free(canonical);
    return problem;
}

static const char *read_port(struct wrn_attach *attach, wrn_handle network,
                             struct wrn_sexp_cursor *list) {
    struct wrn_sexp_cursor flag;
    wrn_span name;
    uint32_t vlan = 0;
    struct wrn_attach_entry entry = {.is_used = true, .port = {.network = network}};
    if (!wrn_sexp_take_field(list, "interface", &name) || name.size == 0 ||
        name.size >= sizeof entry.port.interface || memchr(name.data, '\0', name.size) != NULL) {
        return "a port has no interface";
    }
    memcpy(entry.port.interface, name.data, name.size);
    (void)wrn_sexp_take_number(list, "vlan", WRN_ATTACH_VLAN_MAX, &vlan);
    entry.port.vlan = (uint16_t)vlan;
    entry.port.is_forced = wrn_sexp_take_named(list, "forced", &flag);
    entry.was_down = wrn_sexp_take_named(list, "was-down", &flag);
    if (!wrn_sexp_at_end(list)) {
        return "something of a port is not known here";
    }
    struct wrn_attach_entry *place = wrn_attach_free_entry(attach);
    if (place == NULL) {
        return "there are too many ports";
    }
    *place = entry;
    return NULL;
}

static const char *read_vtep(struct wrn_attach *attach, wrn_handle network,
                             struct wrn_sexp_cursor *list) {
    wrn_span text;
    struct wrn_attach_entry entry = {.is_used = true,
                                     .port = {.network = network, .is_vtep = true}};
    if (!wrn_sexp_take_atom(list, &text) || !wrn_sexp_at_end(list)) {
        return "a VTEP has no addresses";
    }
    const char *problem = wrn_vtep_parse(text, 0, &entry.port.vtep);
    struct wrn_attach_entry *place = wrn_attach_free_entry(attach);
    if (problem == NULL && place == NULL) {
        problem = "there are too many ports";
    }
    if (problem == NULL) {
        *place = entry;
    }
    return problem;
}

static bool make_path(const struct wrn_attach *attach, wrn_handle network,
                      char ret_path[PATH_SIZE]) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    bool is_there = wrn_attach_id(attach, network, id);
    (void)snprintf(ret_path, PATH_SIZE, "networks/%s/" FILE_NAME, is_there ? id : "");
    return is_there;
}
