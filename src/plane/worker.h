/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that moves packets: waits for its pairs' descriptors and runs the packet path on what
 * is ready. Everything in here is called by the control thread. */
#pragma once
#include "plane/pump.h"

struct wrn_worker;

enum { WRN_WORKER_DRAIN_MS = 500 };

struct wrn_worker_options {
    uint32_t tag_bits; /* see wrn_pump_init; 0: there are no frames of a ring either */
    enum wrn_crypto_provider provider;
    struct wrn_pair *pairs; /* all of the port; the worker touches those attached to it */
    int event_fd;           /* see wrn_reports_init */
    bool tells_refusals;    /* also those that only a verbose log wants */
};

/* Starts a worker, parked, without machines and pairs; 'name' is the thread's (at most 15
 * characters). What 'options' point to must outlive it. Returns 0, or -ENOMEM, -EAGAIN (no more
 * threads may be started), -EMFILE or another -errno. */
WRN_NODISCARD int wrn_worker_create(const struct wrn_worker_options *options, const char *name,
                                    struct wrn_worker **ret_worker);

/* Ends a parked worker, whose reports were read. NULL is fine. */
void wrn_worker_destroy(struct wrn_worker *worker);

/* Tells a worker to stand still once the batch in its hands is done. Returns at once. */
void wrn_worker_park(struct wrn_worker *worker);

/* Has a worker that stands still carry on what the descriptors of 'pairs' (a bit each; attached to
 * it) hold at this moment, and stand still again. What comes in faster than it is carried on is
 * given up on after WRN_WORKER_DRAIN_MS. Returns at once. */
void wrn_worker_drain(struct wrn_worker *worker, uint64_t pairs);

/* Waits until it stands still. */
void wrn_worker_wait(struct wrn_worker *worker);

/* Lets one that stands still go on. */
void wrn_worker_resume(struct wrn_worker *worker);

/* A machine for a worker. */
struct wrn_worker_machine {
    struct wrn_wg *wg;
    struct wrn_switch *sw;     /* NULL: a routed one */
    _Atomic uint32_t *next_id; /* see wrn_bridged_create */
    wrn_handle handle;         /* its name in reports */
    uint32_t tag;              /* what its indices begin with */
};

/* Gives a parked worker the machine at 'place' (0..WRN_PUMP_MACHINES_MAX-1), with a lane of its
 * own, or takes it away with that. The machine's queues are attached and detached besides. Returns
 * 0 or -ENOMEM. */
WRN_NODISCARD int wrn_worker_add(struct wrn_worker *worker, uint32_t place,
                                 const struct wrn_worker_machine *machine);
void wrn_worker_remove(struct wrn_worker *worker, uint32_t place);

/* Gives a parked worker a pair to serve, or takes it away; also only its sockets, or the queue of
 * one machine. Sockets and queues that are closed (-1) are passed over. Attaching returns 0 or
 * -errno, then nothing was attached. */
WRN_NODISCARD int wrn_worker_attach(struct wrn_worker *worker, uint32_t pair);
WRN_NODISCARD int wrn_worker_attach_sockets(struct wrn_worker *worker, uint32_t pair);
WRN_NODISCARD int wrn_worker_attach_queue(struct wrn_worker *worker, uint32_t pair, uint32_t place);
void wrn_worker_detach(struct wrn_worker *worker, uint32_t pair);
void wrn_worker_detach_sockets(struct wrn_worker *worker, uint32_t pair);
void wrn_worker_detach_queue(struct wrn_worker *worker, uint32_t pair, uint32_t place);

/* Tells a parked worker what it may join for the host's device of a machine: WRN_COALESCE_*. */
void wrn_worker_set_joinable(struct wrn_worker *worker, uint32_t place, uint32_t joinable);

/* Adds what the worker has counted to 'counts'. */
void wrn_worker_add_strays(const struct wrn_worker *worker, uint64_t counts[WRN_STRAY_COUNT]);

/* Adds what the worker has counted of a layer-2 machine's frames in pieces. */
void wrn_worker_add_frame_counts(const struct wrn_worker *worker, uint32_t place,
                                 uint64_t counts[WRN_PIECES_REFUSAL_COUNT]);

/* Returns the worker's reports; the control thread reads. */
struct wrn_reports *wrn_worker_reports(struct wrn_worker *worker);
