/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that ask the daemon. */
#pragma once
#include "cli/call.h"

/* up.c */
extern const struct wrn_command wrn_up, wrn_down;
/* events.c */
extern const struct wrn_command wrn_events;
/* status.c */
extern const struct wrn_command wrn_status, wrn_peers;
/* network.c */
extern const struct wrn_command wrn_network_create, wrn_network_list, wrn_network_show,
    wrn_network_meet, wrn_network_leave, wrn_network_delete, wrn_join;
/* invite.c */
extern const struct wrn_command wrn_invite, wrn_invitation_list, wrn_invitation_show,
    wrn_invitation_revoke;
/* member.c */
extern const struct wrn_command wrn_member_list, wrn_member_promote, wrn_member_demote,
    wrn_member_revoke;
/* reach.c */
extern const struct wrn_command wrn_ping, wrn_resolve, wrn_trace, wrn_wait;
/* table.c */
extern const struct wrn_command wrn_dht_get, wrn_dht_list, wrn_dht_put, wrn_dht_create,
    wrn_dht_delete, wrn_route_list, wrn_route_add, wrn_route_remove, wrn_route_accept,
    wrn_route_ignore;
/* site_hosts.c */
extern const struct wrn_command wrn_site_apply;
/* bridge.c */
extern const struct wrn_command wrn_attach_command, wrn_detach_command, wrn_bridge_show,
    wrn_bridge_set;
/* audit.c */
extern const struct wrn_command wrn_audit_command;
/* top.c */
extern const struct wrn_command wrn_top_command;
/* complete.c */
extern const struct wrn_command wrn_complete;
/* report.c */
extern const struct wrn_command wrn_netcheck, wrn_doctor, wrn_log_level;

/* Prints a network as `warren status` does, without its peers. */
void wrn_status_print_network(struct wrn_cli *cli, const json_t *network);

/* Prints the networks of a result of `status` that are on the disk and could not be started; false
 * if there are any. */
bool wrn_status_print_unserved(struct wrn_cli *cli, const json_t *status);

/* Reads "SETTING=VALUE" of a bridge into the parameters of bridge.set. Returns WRN_CLI_DONE or what
 * wrn_cli_fail returned. */
WRN_NODISCARD int wrn_bridge_read_setting(struct wrn_cli *cli, const char *text, json_t *params);

/* glance.c: prints a line for each network of a result of `status`: whether it is connected, to how
 * many and how, or why not and what to do. */
void wrn_status_print_glance(struct wrn_cli *cli, const json_t *status);

/* The line about one network; 'now_s' is the daemon's clock, 0: it is not looked at. */
const char *wrn_status_glance(struct wrn_cli *cli, const json_t *network, json_int_t now_s);

/* How a peer is reached, in a few words: "direct 192.0.2.7:41000", "relayed by bob (why)". */
const char *wrn_status_path(struct wrn_cli *cli, const json_t *peer);

/* A peer's or member's name, else its HIT. */
const char *wrn_status_who(struct wrn_cli *cli, const json_t *peer);
