/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and ends the services in order. */
#include "daemon/service.h"

#include <stdlib.h>

struct wrn_service {
    struct wrn_daemon *daemon;
};

int wrn_service_create(struct wrn_daemon *daemon, struct wrn_service **ret_service) {
    struct wrn_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return -ENOMEM;
    }
    service->daemon = daemon;
    *ret_service = service;
    return 0;
}

void wrn_service_destroy(struct wrn_service *service) {
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
    (void)service;
    (void)network;
    return json_object();
}
