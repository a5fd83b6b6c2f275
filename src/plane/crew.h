/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of a device and what they serve: queues of the TUN device, sockets, offloads. Parks
 * the workers for every change, so that changes and packets never meet. Control thread only; knows
 * the machine only by name. */
#pragma once
#include "plane/worker.h"

struct wrn_crew;

enum { WRN_CREW_WORKERS_MAX = WRN_TUN_QUEUES_MAX };

struct wrn_crew_options {
    struct wrn_wg *wg;
    enum wrn_crypto_provider provider;
    bool tells_refusals; /* see struct wrn_worker_options */
};

/* Makes a crew of one worker around 'tun', which it owns from here on, also if this fails; without
 * sockets and offloads. Returns 0 or -errno. */
WRN_NODISCARD int wrn_crew_create(const struct wrn_crew_options *options, struct wrn_tun tun,
                                  struct wrn_crew **ret_crew);

/* Ends the workers, closes queues and sockets. NULL is fine. */
void wrn_crew_destroy(struct wrn_crew *crew);

/* Changes the number of workers, 1..WRN_CREW_WORKERS_MAX. No flow is reordered by that where bpf(2)
 * is allowed (io/steering.h), unless it comes in faster than WRN_WORKER_DRAIN_MS can empty what it
 * leaves. Workers that are no longer needed stay until wrn_crew_dismiss. Returns 0, or -EOPNOTSUPP
 * (the TUN device has a single queue, and more than one worker was asked for), or -errno; the
 * number is as it was then. */
WRN_NODISCARD int wrn_crew_set_workers(struct wrn_crew *crew, uint32_t count);
uint32_t wrn_crew_workers(const struct wrn_crew *crew);

/* Ends workers that serve nothing any more and whose reports were all read. To be called after
 * reading, whenever wrn_crew_event_fd was readable. */
void wrn_crew_dismiss(struct wrn_crew *crew);

/* Switches offloads (WRN_UAPI_OFFLOAD_*) on, as far as the kernel has them, and all others off.
 * Those that were lost are tried again. */
void wrn_crew_set_offloads(struct wrn_crew *crew, uint32_t wanted);

/* Returns which are in use. */
uint32_t wrn_crew_offloads(const struct wrn_crew *crew);

/* Notes what a worker has reported as refused by the kernel: no worker uses it from now on, until
 * wrn_crew_set_offloads. Returns what of it was in use until now. */
uint32_t wrn_crew_lose_offloads(struct wrn_crew *crew, uint32_t lost);

/* Opens sockets on 'port' (0: any) for all pairs and only then closes those that were in use, after
 * what they hold has been carried on. Returns 0 or the -errno of wrn_udp_open, then nothing
 * changed; or, where the sockets could not be served, another -errno and none is left. */
WRN_NODISCARD int wrn_crew_open_sockets(struct wrn_crew *crew, uint16_t port, uint32_t mark);

/* Closes them. */
void wrn_crew_close_sockets(struct wrn_crew *crew);

/* Changes the mark of open sockets. Returns 0 or -EPERM. */
WRN_NODISCARD int wrn_crew_set_mark(struct wrn_crew *crew, uint32_t mark);

/* Returns the first pair, which is always there (its sockets may be closed). The workers use it:
 * only the descriptors, the port and 'multi_queue' may be looked at. */
const struct wrn_pair *wrn_crew_pair(const struct wrn_crew *crew);

/* Returns the descriptor (an eventfd) that is readable when there may be reports, and the reports
 * of the worker 'index', NULL behind the last one. */
int wrn_crew_event_fd(const struct wrn_crew *crew);
struct wrn_reports *wrn_crew_reports(const struct wrn_crew *crew, uint32_t index);
