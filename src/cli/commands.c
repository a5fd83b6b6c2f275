/* SPDX-License-Identifier: Apache-2.0 */
/* The list of commands, in the order of the help. Does nothing itself. */
#include "cli/commands.h"

#include "cli/cert.h"
#include "cli/id.h"
#include "cli/remote.h"

#ifndef WRN_VERSION
#define WRN_VERSION "0.1.0"
#endif

static const struct wrn_command *const commands[] = {
    &wrn_up,
    &wrn_down,
    &wrn_status,
    &wrn_peers,
    &wrn_invite,
    &wrn_join,
    &wrn_attach_command,
    &wrn_detach_command,
    &wrn_ping,
    &wrn_resolve,
    &wrn_trace,
    &wrn_wait,
    &wrn_netcheck,
    &wrn_doctor,
    &wrn_top_command,
    &wrn_events,
    &wrn_complete,
    &wrn_audit_command,
    &wrn_log_level,
    &wrn_network_create,
    &wrn_network_list,
    &wrn_network_show,
    &wrn_network_meet,
    &wrn_network_leave,
    &wrn_network_delete,
    &wrn_invitation_list,
    &wrn_invitation_show,
    &wrn_invitation_revoke,
    &wrn_member_list,
    &wrn_member_promote,
    &wrn_member_demote,
    &wrn_member_revoke,
    &wrn_bridge_show,
    &wrn_bridge_set,
    &wrn_site_apply,
    &wrn_route_list,
    &wrn_route_add,
    &wrn_route_remove,
    &wrn_route_accept,
    &wrn_route_ignore,
    &wrn_dht_get,
    &wrn_dht_list,
    &wrn_dht_put,
    &wrn_dht_create,
    &wrn_dht_delete,
    &wrn_id_new,
    &wrn_id_show,
    &wrn_cert_issue,
    &wrn_cert_show,
    &wrn_cert_verify,
    &wrn_cert_reduce,
    &wrn_cert_revoke,
};

static const struct wrn_command_group groups[] = {
    {"network", "Networks that this machine is in"},
    {"invitation", "Invitations that it has made"},
    {"member", "Who else is in a network, and what they may do"},
    {"bridge", "Networks of layer 2: their switches"},
    {"site", "Gateways as files describe them"},
    {"route", "Ways to addresses behind members"},
    {"dht", "Records of a network's table"},
    {"id", "Who you are: a key pair, its HIT and fingerprint"},
    {"cert", "Who may do what: certificates, offline"},
};

const struct wrn_command_table wrn_commands = {
    .commands = commands,
    .command_count = WRN_COUNT(commands),
    .groups = groups,
    .group_count = WRN_COUNT(groups),
    .singles = "Every day",
    .about = "a private network that runs itself",
    .version = WRN_VERSION,
};
