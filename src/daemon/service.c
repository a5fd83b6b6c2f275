/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and ends the services in order, and passes on to them what happens. */
#include "daemon/service.h"

#include <stdlib.h>

#include "daemon/attach.h"
#include "daemon/audit.h"
#include "daemon/doctor.h"
#include "daemon/hooks.h"
#include "daemon/methods.h"
#include "daemon/metrics.h"
#include "daemon/netcheck.h"
#include "daemon/portmap.h"
#include "daemon/service_names.h"
#include "daemon/spawn.h"
#include "io/clock.h"
#include "overlay/nat_class.h"

enum { RULESET_MAX = 4 << 20, RULESET_TIMEOUT_MS = 5000, LOCAL_MAX = 32 };

/* Somebody who waits for the doctor. */
struct patient {
    struct patient *next;
    struct wrn_service *service;
    struct wrn_spawn *spawn; /* reads the firewall's rules */
    wrn_service_report_fn on_report;
    void *ctx;
};

struct wrn_service {
    struct wrn_daemon *daemon;
    struct wrn_daemon_listener listener;
    struct wrn_service_names *names;
    struct wrn_attach *attach;
    struct wrn_portmap *portmap; /* NULL: switched off */
    struct wrn_hooks *hooks;     /* NULL: there is no folder for them */
    struct wrn_metrics *metrics; /* NULL: switched off */
    struct wrn_audit *audit;
    struct patient *patients;
    uint16_t port; /* and addresses of this host, as the router was asked for them last */
    size_t local_count;
    struct wrn_endpoint local[LOCAL_MAX];
};

static int start(struct wrn_service *service);
static void on_network(void *ctx, wrn_handle network, bool is_there);
static void on_prefix(void *ctx, wrn_handle network, const struct wrn_prefix *prefix, bool is_route,
                      bool is_there);
static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event);
static void on_local(void *ctx);
static bool has_moved(struct wrn_service *service, bool *ret_is_public);
static void on_mapped(void *ctx, const struct wrn_endpoint *external);
static void on_ruleset(void *ctx, int status, wrn_span output);
static void examine(struct patient *patient, const json_t *ruleset);

int wrn_service_create(struct wrn_daemon *daemon, struct wrn_service **ret_service) {
    struct wrn_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return -ENOMEM;
    }
    service->daemon = daemon;
    service->listener = (struct wrn_daemon_listener){.ctx = service,
                                                     .on_event = on_event,
                                                     .on_network = on_network,
                                                     .on_prefix = on_prefix,
                                                     .on_local = on_local};
    wrn_daemon_listen(daemon, &service->listener);
    int error = start(service);
    if (error != 0) {
        wrn_service_destroy(service);
        return error;
    }
    *ret_service = service;
    return 0;
}

static int start(struct wrn_service *service) {
    const struct wrn_daemon_options *options = wrn_daemon_options(service->daemon);
    uv_loop_t *loop = wrn_daemon_loop(service->daemon);
    struct wrn_log *log = wrn_daemon_log(service->daemon);
    int error = wrn_service_names_create(service->daemon, &service->names);
    error = error != 0 ? error : wrn_attach_create(service->daemon, &service->attach);
    if (error == 0 && options->hooks[0] != '\0') {
        error = wrn_hooks_create(loop, log, options->hooks, 0, &service->hooks);
    }
    error = error != 0 ? error : wrn_audit_create(service->daemon, &service->audit);
    if (error == 0 && options->metrics[0] != '\0') {
        error = wrn_metrics_create(service->daemon, options->metrics, &service->metrics);
    }
    bool is_public = false;
    (void)has_moved(service, &is_public);
    if (error == 0 && options->maps_ports) {
        struct wrn_portmap_options mapping = {.loop = loop,
                                              .log = log,
                                              .rand = wrn_daemon_rand(service->daemon),
                                              .port = service->port,
                                              .is_needed = !is_public,
                                              .ctx = service,
                                              .on_change = on_mapped};
        error = wrn_portmap_create(&mapping, &service->portmap);
    }
    return error;
}

void wrn_service_destroy(struct wrn_service *service) {
    if (service == NULL) {
        return;
    }
    wrn_daemon_unlisten(service->daemon, &service->listener);
    while (service->patients != NULL) {
        struct patient *patient = service->patients;
        service->patients = patient->next;
        wrn_spawn_cancel(patient->spawn);
        patient->on_report(patient->ctx, NULL);
        free(patient);
    }
    wrn_metrics_destroy(service->metrics);
    wrn_audit_destroy(service->audit);
    wrn_hooks_destroy(service->hooks);
    wrn_portmap_destroy(service->portmap);
    wrn_attach_destroy(service->attach);
    wrn_service_names_destroy(service->names);
    free(service);
}

void wrn_service_netcheck(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    on_report(ctx, wrn_netcheck(service->daemon, service->portmap));
}

void wrn_service_doctor(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    static const char *const args[] = {"nft", "-j", "list", "ruleset", NULL};
    struct patient *patient = calloc(1, sizeof *patient);
    if (patient == NULL) {
        on_report(ctx, NULL);
        return;
    }
    *patient = (struct patient){
        .next = service->patients, .service = service, .on_report = on_report, .ctx = ctx};
    service->patients = patient;
    struct wrn_spawn_options options = {.args = args,
                                        .timeout_ms = RULESET_TIMEOUT_MS,
                                        .output_max = RULESET_MAX,
                                        .ctx = patient,
                                        .on_end = on_ruleset};
    if (wrn_spawn_start(wrn_daemon_loop(service->daemon), &options, &patient->spawn) != 0) {
        examine(patient, NULL);
    }
}

json_t *wrn_service_status(const struct wrn_service *service, wrn_handle network) {
    if (network.generation != 0) {
        return json_pack("{so}", "dns", wrn_service_names_status(service->names, network));
    }
    json_t *mapping = service->portmap != NULL
                          ? wrn_portmap_status(service->portmap)
                          : json_pack("{ssss}", "state", "off", "text",
                                      "warrend was told not to ask routers (map-ports = no)");
    return json_pack(
        "{sososo}", "port_mapping", mapping, "hooks",
        service->hooks != NULL ? wrn_hooks_status(service->hooks) : json_null(), "metrics",
        service->metrics != NULL ? wrn_metrics_describe(service->metrics) : json_null());
}

struct wrn_attach *wrn_service_attach(const struct wrn_service *service) {
    return service->attach;
}

struct wrn_audit *wrn_service_audit(const struct wrn_service *service) {
    return service->audit;
}

static void on_network(void *ctx, wrn_handle network, bool is_there) {
    struct wrn_service *service = ctx;
    (void)network;
    (void)is_there;
    wrn_service_names_look(service->names);
}

static void on_prefix(void *ctx, wrn_handle network, const struct wrn_prefix *prefix, bool is_route,
                      bool is_there) {
    struct wrn_service *service = ctx;
    (void)prefix;
    (void)is_there;
    (void)network;
    if (!is_route) {
        wrn_service_names_look(service->names);
    }
}

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event) {
    struct wrn_service *service = ctx;
    if (service->hooks == NULL) {
        return;
    }
    json_t *json = wrn_methods_event_json(service->daemon, network, event, wrn_clock_read().wall.s);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text != NULL) {
        wrn_hooks_run(service->hooks, wrn_node_event_name(event->kind), text);
    }
    free(text);
    json_decref(json);
}

static void on_local(void *ctx) {
    struct wrn_service *service = ctx;
    bool is_public = false;
    if (has_moved(service, &is_public) && service->portmap != NULL) {
        wrn_portmap_again(service->portmap, service->port, !is_public);
    }
}

/* Tells whether port or addresses differ from last time, and takes note of them. What a router has
 * mapped does not count. */
static bool has_moved(struct wrn_service *service, bool *ret_is_public) {
    struct wrn_endpoint local[LOCAL_MAX];
    size_t count, used = 0;
    uint16_t port = wrn_daemon_port(service->daemon);
    const struct wrn_locator_endpoint *all = wrn_daemon_local(service->daemon, &count);
    *ret_is_public = false;
    for (size_t i = 0; i < count && used < LOCAL_MAX; i++) {
        if (all[i].kind == WRN_ENDPOINT_LOCAL && all[i].at.ip.family == WRN_FAMILY_IPV4) {
            local[used++] = all[i].at;
            *ret_is_public = *ret_is_public || !wrn_nat_is_private(&all[i].at.ip);
        }
    }
    bool has_moved = port != service->port || used != service->local_count;
    for (size_t i = 0; i < used && !has_moved; i++) {
        has_moved = !wrn_endpoint_equal(&local[i], &service->local[i]);
    }
    service->port = port;
    service->local_count = used;
    memcpy(service->local, local, used * sizeof *local);
    return has_moved;
}

static void on_mapped(void *ctx, const struct wrn_endpoint *external) {
    struct wrn_service *service = ctx;
    wrn_daemon_set_mapped(service->daemon, external, external != NULL ? 1 : 0);
}

static void on_ruleset(void *ctx, int status, wrn_span output) {
    struct patient *patient = ctx;
    json_t *ruleset =
        status == 0 ? json_loadb((const char *)output.data, output.size, 0, NULL) : NULL;
    examine(patient, ruleset);
    json_decref(ruleset);
}

static void examine(struct patient *patient, const json_t *ruleset) {
    struct wrn_service *service = patient->service;
    struct patient **at = &service->patients;
    struct wrn_doctor_subject subject = {.daemon = service->daemon,
                                         .portmap = service->portmap,
                                         .names = service->names,
                                         .hooks = service->hooks,
                                         .metrics = service->metrics,
                                         .ruleset = ruleset};
    while (*at != patient) {
        at = &(*at)->next;
    }
    *at = patient->next;
    patient->on_report(patient->ctx, wrn_doctor(&subject));
    free(patient);
}
