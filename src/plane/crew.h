/* SPDX-License-Identifier: Apache-2.0 */
/* The packet plane of one UDP port: workers, sockets, offloads, and the machines behind the port,
 * each with a TUN device of its own. Parks the workers for every change, so that changes and
 * packets never meet. Control thread only; knows machines only by name, and performs nothing for
 * them: plane/settle.h does. */
#pragma once
#include "plane/worker.h"

struct wrn_crew;

enum {
    WRN_CREW_WORKERS_MAX = WRN_TUN_QUEUES_MAX,
    WRN_CREW_MACHINES_MAX = WRN_PUMP_MACHINES_MAX,
};

struct wrn_crew_options {
    /* 0: one machine has the port to itself. Else several share it, each with a tag of so many bits
     * (wg/wg.h), and frames of the ring are reported. */
    uint32_t tag_bits;
    enum wrn_crypto_provider provider;
    bool tells_refusals; /* see struct wrn_worker_options */
};

/* Makes a crew of one worker without machines, sockets and offloads. Returns 0 or -errno. */
WRN_NODISCARD int wrn_crew_create(const struct wrn_crew_options *options,
                                  struct wrn_crew **ret_crew);

/* Ends the workers, closes queues and sockets. Comes before the end of the machines. NULL is fine.
 * */
void wrn_crew_destroy(struct wrn_crew *crew);

/* Adds a machine, made with 'tag' and the crew's bits, around 'tun', which the crew owns from here
 * on, also if this fails. 'sw' is the switch of a layer-2 network, whose machine is_bridged and
 * whose device is a TAP device; NULL: a routed one. 'wg' and 'sw' must outlive its stay. Packets of
 * others go on before and after, but not during the call. Sets 'ret_machine', its name in reports.
 * Returns 0, -EEXIST (the tag is taken), WRN_ERR_FULL (WRN_CREW_MACHINES_MAX, or one without tag
 * bits), -EOPNOTSUPP (the device has a single queue, and there are several workers), or another
 * -errno. */
WRN_NODISCARD int wrn_crew_add(struct wrn_crew *crew, struct wrn_wg *wg, uint32_t tag,
                               struct wrn_switch *sw, struct wrn_tun tun, wrn_handle *ret_machine);

/* Removes a machine and closes its device. What still comes for it is a stray; reports about it may
 * still be in the rings. No lane is in the machine any more when this returns. One that is not
 * there is fine. Only with tag bits. */
void wrn_crew_remove(struct wrn_crew *crew, wrn_handle machine);

/* Returns the machine of a report, NULL if it is not there any more, and the first queue of its
 * device, of which only the descriptor and 'multi_queue' may be looked at. */
struct wrn_wg *wrn_crew_machine(const struct wrn_crew *crew, wrn_handle machine);
const struct wrn_tun *wrn_crew_tun(const struct wrn_crew *crew, wrn_handle machine);

/* Takes a machine whose interface was deleted, once each: WRN_HANDLE_NONE if there is none. To be
 * asked when WRN_FACT_DELETED was stated. It stays until wrn_crew_remove. */
wrn_handle wrn_crew_next_deleted(struct wrn_crew *crew);

/* Opens datagrams that came to the control thread on another way than the port (a relay brought
 * them), 1..WRN_WG_BATCH_MAX of one machine, as wrn_wg_on_datagrams does, and hands the host what
 * was in them. 'batch' says what became of each; what it led to stands in 'out'. Returns 0,
 * WRN_ERR_NOT_FOUND (no such machine), -ENOMEM, or -ENODEV once the interface was deleted. */
WRN_NODISCARD int wrn_crew_inject(struct wrn_crew *crew, struct wrn_now now, wrn_handle machine,
                                  struct wrn_wg_datagram *batch, size_t count,
                                  struct wrn_wg_out *out);

/* Sends a frame past the switch of a layer-2 machine, or what the owner of a routed one says
 * (wrn_wg_seal_own, 'is_whole'; lost where there is no session): to its host if 'to_host', and to
 * 'count' of its peers, in pieces where needed, as packets that wait do; or 'is_whole', at once, in
 * one datagram that nobody may fragment, to those to whom there is a session and a direct path
 * (lost to others, with whom a session begins, and where it is too large for the way: nothing is
 * counted).
 * What it led to stands in 'out', which should be empty before, as after any other input of the
 * machine (wrn_settle_run). Returns 0, WRN_ERR_NOT_FOUND (no such machine, or a routed one and not
 * 'is_whole'), -EMSGSIZE (no frame has that size), -ENOMEM, or -ENODEV once the interface was
 * deleted. */
WRN_NODISCARD int wrn_crew_send_frame(struct wrn_crew *crew, struct wrn_now now, wrn_handle machine,
                                      bool to_host, bool is_whole, const wrn_handle *peers,
                                      uint32_t count, wrn_span frame, struct wrn_wg_out *out);

/* Writes what became of a layer-2 machine's frames that came in pieces: NONE counts those that were
 * put together. All 0 for others. */
void wrn_crew_frame_counts(const struct wrn_crew *crew, wrn_handle machine,
                           uint64_t ret_counts[WRN_PIECES_REFUSAL_COUNT]);

/* Changes the number of workers, 1..WRN_CREW_WORKERS_MAX. No flow is reordered by that where bpf(2)
 * is allowed (io/steering.h), unless it comes in faster than WRN_WORKER_DRAIN_MS can empty what it
 * leaves. Workers that are no longer needed stay until wrn_crew_dismiss. Returns 0, or -EOPNOTSUPP
 * (a TUN device has a single queue, and more than one worker was asked for), or -errno; the number
 * is as it was then. */
WRN_NODISCARD int wrn_crew_set_workers(struct wrn_crew *crew, uint32_t count);
uint32_t wrn_crew_workers(const struct wrn_crew *crew);

/* Ends workers that serve nothing any more and whose reports were all read. To be called after
 * reading, whenever wrn_crew_event_fd was readable. */
void wrn_crew_dismiss(struct wrn_crew *crew);

/* Switches offloads (WRN_UAPI_OFFLOAD_*) on, as far as the kernel has them, and all others off.
 * Those that were lost are tried again. */
void wrn_crew_set_offloads(struct wrn_crew *crew, uint32_t wanted);

/* Returns which are in use, by all devices that there are. */
uint32_t wrn_crew_offloads(const struct wrn_crew *crew);

/* Notes what a worker has reported as refused by the kernel: no worker uses it from now on, until
 * wrn_crew_set_offloads. Returns what of it was in use until now. */
uint32_t wrn_crew_lose_offloads(struct wrn_crew *crew, uint32_t lost);

/* Opens sockets on 'port' (0: any) for all pairs and only then closes those that were in use, after
 * what they hold has been carried on. Without tag bits the machine has to be there. Returns 0 or
 * the -errno of wrn_udp_open, then nothing changed; or, where the sockets could not be served,
 * another -errno and none is left. */
WRN_NODISCARD int wrn_crew_open_sockets(struct wrn_crew *crew, uint16_t port, uint32_t mark);

/* Closes them. */
void wrn_crew_close_sockets(struct wrn_crew *crew);

/* Changes the mark of open sockets. Returns 0 or -EPERM. */
WRN_NODISCARD int wrn_crew_set_mark(struct wrn_crew *crew, uint32_t mark);

/* Returns the first pair of sockets (they may be closed). The workers use it: only the descriptors
 * and the port may be looked at. */
const struct wrn_udp *wrn_crew_sockets(const struct wrn_crew *crew);

/* Returns the descriptor (an eventfd) that is readable when there may be reports, and the reports
 * of the worker 'index', NULL behind the last one. With layer-2 machines the last ones are our own,
 * about what was injected. */
int wrn_crew_event_fd(const struct wrn_crew *crew);
struct wrn_reports *wrn_crew_reports(const struct wrn_crew *crew, uint32_t index);

/* Writes the counts of datagrams that belonged to no machine, of all workers since the start. */
void wrn_crew_strays(const struct wrn_crew *crew, uint64_t ret_counts[WRN_STRAY_COUNT]);
