/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the methods share: the calls that take time, who and which network is meant,
 * and what things look like in JSON. */
#pragma once
#include <jansson.h>
#include <uv.h>

#include "daemon/methods.h"
#include "daemon/service.h"

struct wrn_job;

struct wrn_methods {
    struct wrn_daemon *daemon;
    struct wrn_service *service; /* NULL: there is none */
    struct wrn_control *control;
    struct wrn_daemon_listener listener;
    struct wrn_job *jobs;
};

/* ---- methods_job.c: calls that take time ---- */

enum {
    WRN_JOB_PATIENCE_S = 60, /* if the asker says nothing */
    WRN_JOB_PATIENCE_MAX_S = 3600,
};

/* A call under way. Its functions may end it, by wrn_job_reply or wrn_job_fail, once; whatever is
 * called for it afterwards is not. Memory of it lasts until the loop comes round. */
struct wrn_job {
    struct wrn_methods *methods;
    struct wrn_rpc_call *call; /* NULL: it has ended */
    struct wrn_job *previous, *next;
    uv_timer_t late, again;
    uint32_t open_handles;
    wrn_handle network; /* NONE: of none; its going ends the job */
    uint32_t tag;       /* of the question to the node that is open; 0: none */
    uint64_t began_ns;  /* on the monotonic clock */
    bool only_looks;    /* it is of use to who asked alone: ends when he has gone */
    void (*on_answer)(struct wrn_job *job, const struct wrn_node_answer *answer);
    void (*on_event)(struct wrn_job *job, const struct wrn_node_event *event); /* NULL: none */
    void (*on_again)(struct wrn_job *job);
    void (*on_late)(struct wrn_job *job); /* has to end it */
    void (*on_end)(struct wrn_job *job);  /* frees what it has; may be NULL */
};

/* Begins a job of 'size' bytes, zeroed, of which struct wrn_job is the first member, for a call
 * that has a "timeout_s", or 'patience_s'. NULL, and the call is answered: no memory. */
void *wrn_job_begin(struct wrn_methods *methods, struct wrn_rpc_call *call, size_t size,
                    wrn_handle network, int64_t patience_s, void (*on_late)(struct wrn_job *job));

/* End it. */
void wrn_job_reply(struct wrn_job *job, json_t *result);
void wrn_job_fail(struct wrn_job *job, enum wrn_rpc_code code, const char *reason,
                  const char *format, ...) WRN_PRINTF(4, 5);

/* Makes a tag for a question whose answers go to 'on_answer'; false, and the job has failed: there
 * are too many. One question at a time. */
bool wrn_job_tag(struct wrn_job *job,
                 void (*on_answer)(struct wrn_job *job, const struct wrn_node_answer *answer));

/* Calls 'on_again' after so long, once. */
void wrn_job_again(struct wrn_job *job, uint64_t ms, void (*on_again)(struct wrn_job *job));

/* Ends all jobs, of all networks (NONE) or of one that is going. */
void wrn_job_end_all(struct wrn_methods *methods, wrn_handle network);

/* Ends those that nobody waits for any more and that change nothing. */
void wrn_job_end_unheard(struct wrn_methods *methods);

/* Tells jobs about an event. */
void wrn_job_tell(struct wrn_methods *methods, wrn_handle network,
                  const struct wrn_node_event *event);

/* Performs what a call into the node led to (wrn_daemon_perform). False: some of it could not be
 * written to the disk. */
WRN_NODISCARD bool wrn_job_perform(struct wrn_methods *methods);

/* What to say then. */
#define WRN_JOB_NOT_SAVED                                                                          \
    "it was done, but could not be written to the disk, and is lost when warrend ends: make room " \
    "there (the log says what is wrong), and do it again"

/* Milliseconds since the job began. */
double wrn_job_ms(const struct wrn_job *job);

/* ---- methods_find.c: which network, who ---- */

/* Finds the network that the call's parameter "network" names, or the only one. False, and the call
 * has failed. */
bool wrn_find_network(struct wrn_methods *methods, struct wrn_rpc_call *call,
                      wrn_handle *ret_network);

/* The same; if the call names none and there are several, the one that 'whom', a domain name in one
 * network or an address in the range of one, belongs to. */
bool wrn_find_network_of(struct wrn_methods *methods, struct wrn_rpc_call *call, const char *whom,
                         wrn_handle *ret_network);

/* Somebody. */
struct wrn_whom {
    uint8_t hit[WRN_HIT_SIZE];
    bool has_key, is_self;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    char label[WRN_LABEL_SIZE]; /* "": not known */
    struct wrn_ip ipv4, ipv6;   /* family NONE: not known */
};

/* A job that begins with finding somebody. */
struct wrn_whom_job {
    struct wrn_job job;
    struct wrn_whom whom;
    char text[256]; /* as he was named */
    bool wants_key; /* his record is asked for if only his HIT is known */
    bool persists;  /* if he is not there he is looked for again, until the job is late */
    void (*found)(struct wrn_whom_job *job);
    struct wrn_names_question question;
    uint32_t tries;
};

/* Finds whom 'text' names: a HIT, a fingerprint, a public key of 64 digits, an address, a name in
 * the network or a whole domain name. Calls job->found, now or later, or fails the job. */
void wrn_find_whom(struct wrn_whom_job *job, const char *text);

/* Finds a peer of the network by HIT. */
bool wrn_find_peer(struct wrn_methods *methods, wrn_handle network, const uint8_t hit[WRN_HIT_SIZE],
                   struct wrn_node_peer_info *ret_info);

/* ---- methods_json.c: what things look like. All give NULL for want of memory. ---- */

/* A point in time: Unix seconds, or null for "without end", or none. */
json_t *wrn_json_time(int64_t s);

/* How members of a network are found through an open one; null: they are not. */
json_t *wrn_json_meeting(const struct wrn_node *node, wrn_handle network);

/* Addresses as texts; null: family NONE. */
json_t *wrn_json_ip(const struct wrn_ip *ip);
json_t *wrn_json_prefix(const struct wrn_prefix *prefix);
json_t *wrn_json_endpoint(const struct wrn_endpoint *endpoint);
json_t *wrn_json_hit(const uint8_t hit[WRN_HIT_SIZE]); /* null: zero */
json_t *wrn_json_hex(const uint8_t *bytes, size_t size);
json_t *wrn_json_rights(uint8_t rights); /* names of enum wrn_right bits */
json_t *wrn_json_network(struct wrn_methods *methods, wrn_handle network);
json_t *wrn_json_peer(const struct wrn_node_peer_info *info);
json_t *wrn_json_unserved(const struct wrn_methods *methods); /* networks that did not start */

/* All peers of a network, in a list. */
json_t *wrn_json_peers(struct wrn_methods *methods, wrn_handle network);

/* Sets a member of an object, or of NULL. Gives 'value' up. */
void wrn_json_set(json_t *object, const char *name, json_t *value);

/* ---- the methods, by file ---- */

#define WRN_METHOD(name) void wrn_method_##name(void *ctx, struct wrn_rpc_call *call)
/* methods_status.c */
WRN_METHOD(version);
WRN_METHOD(status);
WRN_METHOD(peers);
WRN_METHOD(subscribe);
WRN_METHOD(unsubscribe);
WRN_METHOD(shutdown);
WRN_METHOD(audit_list);
WRN_METHOD(log);
WRN_METHOD(netcheck);
WRN_METHOD(doctor);
/* methods_network.c */
WRN_METHOD(network_create);
WRN_METHOD(network_list);
WRN_METHOD(network_show);
WRN_METHOD(network_leave);
WRN_METHOD(network_meet);
WRN_METHOD(network_delete);
WRN_METHOD(join);
/* methods_bridge.c */
WRN_METHOD(bridge_attach);
WRN_METHOD(bridge_detach);
WRN_METHOD(bridge_show);
WRN_METHOD(bridge_set);
/* methods_route.c */
WRN_METHOD(route_list);
WRN_METHOD(route_add);
WRN_METHOD(route_remove);
WRN_METHOD(route_accept);
/* methods_invite.c */
WRN_METHOD(invite);
WRN_METHOD(invitation_list);
WRN_METHOD(invitation_show);
WRN_METHOD(invitation_revoke);
/* methods_member.c */
WRN_METHOD(member_list);
WRN_METHOD(member_promote);
WRN_METHOD(member_demote);
WRN_METHOD(member_revoke);
/* methods_reach.c */
WRN_METHOD(ping);
WRN_METHOD(resolve);
WRN_METHOD(trace);
/* methods_wait.c */
WRN_METHOD(wait);
/* methods_table.c */
WRN_METHOD(dht_get);
WRN_METHOD(dht_list);
WRN_METHOD(dht_put);
WRN_METHOD(dht_create);
WRN_METHOD(dht_delete);
