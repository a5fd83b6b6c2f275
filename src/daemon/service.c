/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and ends the services in order, and passes on to them what happens. */
#include "daemon/service.h"

#include <stdlib.h>

#include "daemon/service_names.h"

struct wrn_service {
    struct wrn_daemon *daemon;
    struct wrn_daemon_listener listener;
    struct wrn_service_names *names;
};

static void on_network(void *ctx, wrn_handle network, bool is_there);
static void on_prefix(void *ctx, wrn_handle network, const struct wrn_prefix *prefix, bool is_route,
                      bool is_there);

int wrn_service_create(struct wrn_daemon *daemon, struct wrn_service **ret_service) {
    struct wrn_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return -ENOMEM;
    }
    service->daemon = daemon;
    service->listener = (struct wrn_daemon_listener){
        .ctx = service, .on_network = on_network, .on_prefix = on_prefix};
    int error = wrn_service_names_create(daemon, &service->names);
    if (error != 0) {
        wrn_service_destroy(service);
        return error;
    }
    wrn_daemon_listen(daemon, &service->listener);
    *ret_service = service;
    return 0;
}

void wrn_service_destroy(struct wrn_service *service) {
    if (service == NULL) {
        return;
    }
    wrn_daemon_unlisten(service->daemon, &service->listener);
    wrn_service_names_destroy(service->names);
    free(service);
}

void wrn_service_netcheck(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    (void)service;
    on_report(ctx, json_object());
}

void wrn_service_doctor(struct wrn_service *service, wrn_service_report_fn on_report, void *ctx) {
    (void)service;
    on_report(ctx, json_object());
}

json_t *wrn_service_status(const struct wrn_service *service, wrn_handle network) {
    json_t *dns = wrn_service_names_status(service->names, network);
    return json_pack("{so}", "dns", dns);
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
