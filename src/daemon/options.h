/* SPDX-License-Identifier: Apache-2.0 */
/* How warrend is to run: what command line and configuration file say, as one table of names. Pure:
 * reads texts, prints nothing. */
#pragma once
#include "crypto/crypto.h"
#include "io/log.h"

#define WRN_DAEMON_STATE_FOLDER "/var/lib/warren"
#define WRN_DAEMON_SOCKET_PATH  "/run/warren/warrend.sock"
#define WRN_DAEMON_HOOKS_FOLDER "/etc/warren/hooks"

enum { WRN_OPTIONS_GROUP_MAX = 64, WRN_OPTIONS_PATH_MAX = 512, WRN_OPTIONS_WHY_SIZE = 512 };

/* Ports of streams that are no numbers: the one of UDP; none. */
enum { WRN_OPTIONS_SAME = 0, WRN_OPTIONS_OFF = -1 };

enum wrn_options_action { WRN_OPTIONS_RUN, WRN_OPTIONS_HELP, WRN_OPTIONS_VERSION };

struct wrn_daemon_options {
    enum wrn_options_action action;
    char config[WRN_OPTIONS_PATH_MAX];  /* the file that was read; "": none */
    char state[WRN_OPTIONS_PATH_MAX];   /* the folder with identity and networks */
    char socket[WRN_OPTIONS_PATH_MAX];  /* for control */
    char log[WRN_OPTIONS_PATH_MAX];     /* where the background's log goes; "": the state folder */
    char hooks[WRN_OPTIONS_PATH_MAX];   /* programs that events run; need not be there */
    char metrics[WRN_OPTIONS_PATH_MAX]; /* where they are served; "": nowhere */
    char admins[WRN_OPTIONS_GROUP_MAX]; /* the group that may change things; "": none */
    char user[WRN_OPTIONS_GROUP_MAX]; /* who it becomes; "": WRN_PRIVILEGES_USER, if there is one */
    uint16_t port;                    /* UDP; 0: any (kept in the state folder) */
    int32_t tcp_port;                 /* WRN_OPTIONS_SAME, _OFF, or 1..65535 */
    int32_t tls_port;                 /* WRN_OPTIONS_OFF, or 1..65535 */
    uint16_t mtu;                     /* of networks' interfaces, bytes; 0: found out */
    uint32_t workers;                 /* 0: as many as pay */
    uint32_t offloads;                /* WRN_UAPI_OFFLOAD_* */
    enum wrn_log_level log_level;
    bool foreground;
    bool speaks_aes;     /* AES-256-GCM with members that do, too, if the processor is fast at it */
    bool streams;        /* connects by TCP where UDP does not get through, and is connected to */
    bool announces;      /* looks for others on the LAN, by multicast */
    bool maps_ports;     /* asks routers for a port (PCP, NAT-PMP, UPnP) */
    bool resolves;       /* answers DNS questions at the networks' resolver addresses */
    bool tells_resolver; /* may tell the host's resolver about ours */
};

/* Fills in what holds where nobody says anything. */
void wrn_options_default(struct wrn_daemon_options *ret_options);

/* Reads a configuration file's text: one `name = value` a line, the names being those of the
 * command line without the dashes; '#' begins a comment. 'path' is for messages. Returns 0, or
 * -EINVAL with a sentence that names file, line and next step. */
WRN_NODISCARD int wrn_options_read(wrn_span text, const char *path,
                                   struct wrn_daemon_options *options,
                                   char reterr_why[WRN_OPTIONS_WHY_SIZE]);

/* Reads a command line over what stands in 'options'. With 'only_config' nothing but --config is
 * taken (the file comes first, the line stands above it). Returns 0, or -EINVAL with a sentence. */
WRN_NODISCARD int wrn_options_parse(int argc, char *const *argv, bool only_config,
                                    struct wrn_daemon_options *options,
                                    char reterr_why[WRN_OPTIONS_WHY_SIZE]);

/* Writes the text of --help. Static. */
const char *wrn_options_usage(void);
