/* SPDX-License-Identifier: Apache-2.0 */
/* Causes and cures, as a table. Keeps no state. */
#include "device/explain.h"

#include <stdio.h>

struct explanation {
    enum wrn_start_step step;
    int error;        /* 0: any other */
    const char *text; /* %s is the interface's name */
};

static const char *find(enum wrn_start_step step, int error);

static const struct explanation explanations[] = {
    {WRN_START_TUN_CREATE, -ENOENT,
     "cannot make interface %s: there is no /dev/net/tun; load the driver with `modprobe tun`, or "
     "give "
     "the container the device"},
    {WRN_START_TUN_CREATE, -ENODEV,
     "cannot make interface %s: /dev/net/tun has no driver behind it; load it with `modprobe tun`"},
    {WRN_START_TUN_CREATE, -ENXIO,
     "cannot make interface %s: /dev/net/tun has no driver behind it; load it with `modprobe tun`"},
    {WRN_START_TUN_CREATE, -EPERM,
     "cannot make interface %s: that needs CAP_NET_ADMIN; run it as root"},
    {WRN_START_TUN_CREATE, -EACCES,
     "cannot make interface %s: /dev/net/tun may not be opened; run it as root"},
    {WRN_START_TUN_CREATE, -EBUSY,
     "cannot make interface %s: another program runs an interface of that name; take another name, "
     "or "
     "end that program (`ip link del` does it)"},
    {WRN_START_TUN_CREATE, -EEXIST,
     "cannot make interface %s: an interface of another kind has that name; take another name, or "
     "remove that one with `ip link del`"},
    {WRN_START_TUN_CREATE, -EINVAL,
     "cannot make interface %s: the kernel refuses the name; take another one"},
    {WRN_START_TUN_ADOPT, -EBADF,
     "cannot use WG_TUN_FD for %s: it is not the descriptor of a TUN device; open /dev/net/tun and "
     "attach it with TUNSETIFF first"},
    {WRN_START_TUN_ADOPT, -EPROTOTYPE,
     "cannot use WG_TUN_FD for %s: the device must be made with IFF_TUN and IFF_NO_PI"},
    {WRN_START_SOCKET_OPEN, -EADDRINUSE,
     "interface %s is already served by another process, which may live in another network "
     "namespace: "
     "take another name, or end that process"},
    {WRN_START_SOCKET_OPEN, -EACCES,
     "cannot make the socket of %s in /var/run/wireguard: no permission; run it as root"},
    {WRN_START_SOCKET_OPEN, -EPERM,
     "cannot make the socket of %s in /var/run/wireguard: no permission; run it as root"},
    {WRN_START_SOCKET_OPEN, -ENOSPC,
     "cannot make the socket of %s in /var/run/wireguard: the file system is full; make room"},
    {WRN_START_SOCKET_OPEN, -EROFS,
     "cannot make the socket of %s: /var/run/wireguard is read-only; mount a writable /run"},
    {WRN_START_SOCKET_OPEN, -ENOENT,
     "cannot make the socket of %s: there is no /var/run; make it, or mount a tmpfs on /run"},
    {WRN_START_SOCKET_OPEN, -ENOTDIR,
     "cannot make the socket of %s: /var/run/wireguard is not a folder; remove what is there"},
    {WRN_START_SOCKET_ADOPT, 0,
     "cannot use WG_UAPI_FD for %s: it is not the descriptor of a listening Unix socket"},
    {WRN_START_AEAD, -ENOTSUP,
     "cannot start %s: the AEAD library that was asked for does not work on this processor; start "
     "with `--aead auto`"},
    {WRN_START_ENGINE, -EAGAIN,
     "cannot start %s: no more threads may be started; raise `ulimit -u`, or use fewer workers"},
    {WRN_START_ENGINE, -EMFILE,
     "cannot start %s: no descriptor is left; raise `ulimit -n`, or use fewer workers"},
    {WRN_START_ENGINE, -E2BIG,
     "cannot start %s: the kernel gives the device no more queues; use fewer workers"},
    {WRN_START_ENGINE, -ENOMEM,
     "cannot start %s: not enough memory; raise `ulimit -v`, or allow overcommitting where it is "
     "forbidden (vm.overcommit_memory=2)"},
    {WRN_START_ENGINE, -ENOTSUP,
     "cannot start %s: libcrypto lacks X25519, BLAKE2s or ChaCha20-Poly1305 (FIPS mode?); use its "
     "default provider"},
    {WRN_START_ENGINE, -ENODEV,
     "cannot start %s: the interface was deleted meanwhile; start again"},
    {WRN_START_WATCH, -EMFILE,
     "cannot watch the socket of %s: no descriptor or inotify instance is left; raise `ulimit -n` "
     "or fs.inotify.max_user_instances"},
    {WRN_START_WATCH, -ENOSPC,
     "cannot watch the socket of %s: no inotify watch is left; raise fs.inotify.max_user_watches"},
    {WRN_START_WATCH, -ENOENT,
     "cannot watch the socket of %s: its file was removed meanwhile; start again"},
};

void wrn_explain_start(enum wrn_start_step step, int error, const char *interface,
                       char ret_text[WRN_EXPLAIN_SIZE]) {
    static const char *const steps[] = {
        [WRN_START_TUN_CREATE] = "making the interface",
        [WRN_START_TUN_ADOPT] = "using WG_TUN_FD",
        [WRN_START_SOCKET_OPEN] = "making the socket in /var/run/wireguard",
        [WRN_START_SOCKET_ADOPT] = "using WG_UAPI_FD",
        [WRN_START_AEAD] = "starting the engine",
        [WRN_START_ENGINE] = "starting the engine",
        [WRN_START_WATCH] = "watching the socket",
    };
    const char *text = find(step, error);
    if (text == NULL) {
        (void)snprintf(ret_text, WRN_EXPLAIN_SIZE, "%s failed for interface %s: %s", steps[step],
                       interface, strerror(-error));
        return;
    }
    const char *name = strstr(text, "%s");
    WRN_ASSERT(name != NULL);
    (void)snprintf(ret_text, WRN_EXPLAIN_SIZE, "%.*s%s%s", (int)(name - text), text, interface,
                   name + 2);
}

static const char *find(enum wrn_start_step step, int error) {
    for (size_t i = 0; i < WRN_COUNT(explanations); i++) {
        if (explanations[i].step == step &&
            (explanations[i].error == error || explanations[i].error == 0)) {
            return explanations[i].text;
        }
    }
    return NULL;
}
