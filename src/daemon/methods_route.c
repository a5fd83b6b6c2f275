/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about addresses behind this node that members reach through it. */
#include "daemon/methods_internal.h"

static void missing(struct wrn_rpc_call *call);

void wrn_method_route_list(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    missing(call);
}

void wrn_method_route_add(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    missing(call);
}

void wrn_method_route_remove(void *ctx, struct wrn_rpc_call *call) {
    (void)ctx;
    missing(call);
}

static void missing(struct wrn_rpc_call *call) {
    wrn_rpc_fail(call, WRN_RPC_MISSING, NULL,
                 "this version cannot offer routes yet: make each machine a member instead");
}
