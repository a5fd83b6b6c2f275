/* SPDX-License-Identifier: Apache-2.0 */
/* Calls under way: their deadlines, their questions to the node, their end. */
#include "daemon/methods_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/clock.h"

enum { HANDLES = 2, MESSAGE_MAX = 1024, MS_IN_S = 1000 };

static void on_node_answer(void *ctx, const struct wrn_node_answer *answer);
static void on_late_timer(uv_timer_t *handle);
static void on_again_timer(uv_timer_t *handle);
static void end(struct wrn_job *job);
static void on_closed(uv_handle_t *handle);

void *wrn_job_begin(struct wrn_methods *methods, struct wrn_rpc_call *call, size_t size,
                    wrn_handle network, int64_t patience_s, void (*on_late)(struct wrn_job *job)) {
    struct wrn_job *job = calloc(1, size);
    uv_loop_t *loop = wrn_daemon_loop(methods->daemon);
    if (job == NULL) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "MEMORY", "no memory is left: end other programs");
        return NULL;
    }
    *job = (struct wrn_job){
        .methods = methods,
        .call = call,
        .next = methods->jobs,
        .open_handles = HANDLES,
        .network = network,
        .began_ns = wrn_clock_read().mono.ns,
        .on_late = on_late,
    };
    if (methods->jobs != NULL) {
        methods->jobs->previous = job;
    }
    methods->jobs = job;
    int failed = uv_timer_init(loop, &job->late);
    failed = failed != 0 ? failed : uv_timer_init(loop, &job->again);
    WRN_ASSERT(failed == 0); /* neither can */
    job->late.data = job;
    job->again.data = job;
    (void)uv_timer_start(&job->late, on_late_timer, (uint64_t)patience_s * MS_IN_S, 0);
    return job;
}

void wrn_job_reply(struct wrn_job *job, json_t *result) {
    struct wrn_rpc_call *call = job->call;
    WRN_ASSERT(call != NULL);
    end(job);
    wrn_rpc_reply(call, result);
}

void wrn_job_fail(struct wrn_job *job, enum wrn_rpc_code code, const char *reason,
                  const char *format, ...) {
    struct wrn_rpc_call *call = job->call;
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    WRN_ASSERT(call != NULL);
    end(job);
    wrn_rpc_fail(call, code, reason, "%s", message);
}

bool wrn_job_tag(struct wrn_job *job,
                 void (*on_answer)(struct wrn_job *job, const struct wrn_node_answer *answer)) {
    struct wrn_daemon *daemon = job->methods->daemon;
    wrn_daemon_untag(daemon, job->tag);
    job->on_answer = on_answer;
    job->tag = wrn_daemon_tag(daemon, on_node_answer, job);
    if (job->tag == 0) {
        wrn_job_fail(job, WRN_RPC_BUSY, NULL,
                     "too many questions are under way: wait for their answers and ask again");
        return false;
    }
    return true;
}

void wrn_job_again(struct wrn_job *job, uint64_t ms, void (*on_again)(struct wrn_job *job)) {
    job->on_again = on_again;
    (void)uv_timer_start(&job->again, on_again_timer, ms, 0);
}

void wrn_job_end_all(struct wrn_methods *methods, wrn_handle network) {
    struct wrn_job *job = methods->jobs;
    while (job != NULL) {
        struct wrn_job *next = job->next;
        if (network.generation == 0) {
            wrn_job_fail(job, WRN_RPC_REFUSED, "ENDING", "warrend ends; start it: warren up");
        } else if (job->network.index == network.index &&
                   job->network.generation == network.generation) {
            wrn_job_fail(job, WRN_RPC_NOT_FOUND, NULL, "this machine has left the network");
        }
        job = next;
    }
}

void wrn_job_end_unheard(struct wrn_methods *methods) {
    struct wrn_job *job = methods->jobs;
    while (job != NULL) {
        struct wrn_job *next = job->next;
        if (job->only_looks && wrn_rpc_call_session(job->call) == NULL) {
            wrn_job_fail(job, WRN_RPC_REFUSED, "GONE", "who asked has gone");
        }
        job = next;
    }
}

void wrn_job_tell(struct wrn_methods *methods, wrn_handle network,
                  const struct wrn_node_event *event) {
    struct wrn_job *job = methods->jobs;
    while (job != NULL) {
        struct wrn_job *next = job->next;
        if (job->on_event != NULL && job->network.index == network.index &&
            job->network.generation == network.generation) {
            job->on_event(job, event);
        }
        job = next;
    }
}

bool wrn_job_perform(struct wrn_methods *methods) {
    struct wrn_daemon_facts before = {0};
    struct wrn_daemon_facts after = {0};
    wrn_daemon_facts(methods->daemon, &before);
    wrn_daemon_perform(methods->daemon);
    wrn_daemon_facts(methods->daemon, &after);
    return before.failed_saves == after.failed_saves;
}

double wrn_job_ms(const struct wrn_job *job) {
    return (double)(wrn_clock_read().mono.ns - job->began_ns) / 1e6;
}

static void on_node_answer(void *ctx, const struct wrn_node_answer *answer) {
    struct wrn_job *job = ctx;
    if (answer->is_last) {
        job->tag = 0; /* the daemon has given it up */
    }
    if (job->call != NULL) {
        job->on_answer(job, answer);
    }
}

static void on_late_timer(uv_timer_t *handle) {
    struct wrn_job *job = handle->data;
    job->on_late(job);
    WRN_ASSERT(job->call == NULL);
}

static void on_again_timer(uv_timer_t *handle) {
    struct wrn_job *job = handle->data;
    job->on_again(job);
}

static void end(struct wrn_job *job) {
    struct wrn_methods *methods = job->methods;
    if (job->previous != NULL) {
        job->previous->next = job->next;
    } else {
        methods->jobs = job->next;
    }
    if (job->next != NULL) {
        job->next->previous = job->previous;
    }
    wrn_daemon_untag(methods->daemon, job->tag);
    job->tag = 0;
    job->call = NULL;
    if (job->on_end != NULL) {
        job->on_end(job);
    }
    uv_close((uv_handle_t *)&job->late, on_closed);
    uv_close((uv_handle_t *)&job->again, on_closed);
}

static void on_closed(uv_handle_t *handle) {
    struct wrn_job *job = handle->data;
    if (--job->open_handles == 0) {
        free(job);
    }
}
