/* SPDX-License-Identifier: Apache-2.0 */
/* libcap-ng for capabilities, libseccomp for system calls. Keeps no state but the kernel's. */
#define _GNU_SOURCE /* getresuid */
#include "io/privileges.h"

#include <cap-ng.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/runtime.h"
#include "io/syscalls.h"

#define ID_MAX (UINT32_MAX - 1) /* the last one is nobody's */

enum { ENTRY_BUFFER = 16384, MODE_FILTER = 2, BASE = 10 };

static int complain(int error, char why[WRN_PRIVILEGES_WHY_SIZE], const char *format, ...)
    WRN_PRINTF(3, 4);
static bool find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid);
static int become(const struct wrn_privileges *who, gid_t group);
static int keep_capabilities(const unsigned *needed, size_t count);
static int allow_calls(scmp_filter_ctx filter);
static int allow_restricted(scmp_filter_ctx filter);

int wrn_privileges_find(const char *user, struct wrn_privileges *ret_who,
                        char reterr_why[WRN_PRIVILEGES_WHY_SIZE]) {
    bool is_named = user[0] != '\0';
    struct wrn_privileges who = {.is_root = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
    uid_t uid = who.uid;
    gid_t gid = who.gid;
    bool is_there = find_user(is_named ? user : WRN_PRIVILEGES_USER, &uid, &gid);
    if (is_named && !is_there) {
        return complain(-ENOENT, reterr_why,
                        "there is no user %s: make one with `useradd --system --user-group %s`, or "
                        "say --user root",
                        user, user);
    }
    if (is_named && !who.is_root && uid != who.uid) {
        return complain(-EPERM, reterr_why, "only root can become user %s: start it as root", user);
    }
    who.is_missing = !is_there;
    if (who.is_root && is_there) {
        who.uid = uid;
        who.gid = gid;
    }
    *ret_who = who;
    return 0;
}

int wrn_privileges_drop(const struct wrn_privileges *who, gid_t group, const unsigned *needed,
                        size_t count, char reterr_why[WRN_PRIVILEGES_WHY_SIZE]) {
    int error = prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 ? 0 : -errno;
    error = error == 0 && who->is_root ? become(who, group) : error;
    if (error != 0) {
        return complain(
            error, reterr_why,
            "cannot become user %u: %s; it takes the capabilities SETUID and SETGID, or "
            "say --user root",
            (unsigned)who->uid, strerror(-error));
    }
    error = keep_capabilities(needed, count);
    if (error != 0) {
        return complain(error, reterr_why, "cannot give up capabilities: %s", strerror(-error));
    }
    (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return complain(-errno, reterr_why, "cannot renounce new privileges: %s", strerror(errno));
    }
    return 0;
}

void wrn_privileges_give_up_thread(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {0};
    long failed = syscall(SYS_capget, &header, kept);
    for (size_t i = 0; i < WRN_COUNT(kept); i++) {
        uint32_t mask = i == CAP_TO_INDEX(CAP_IPC_LOCK) ? CAP_TO_MASK(CAP_IPC_LOCK) : 0;
        kept[i].effective &= mask;
        kept[i].permitted &= mask;
        kept[i].inheritable &= mask;
    }
    failed = failed != 0 ? failed : syscall(SYS_capset, &header, kept);
    WRN_ASSERT(failed == 0); /* fewer are always allowed */
}

int wrn_privileges_filter(void) {
    if (WRN_HAS_RUNTIME) {
        return -EOPNOTSUPP;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        return -ENOMEM;
    }
    int error =
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* threads that are there, too */
    error = error != 0 ? error : allow_calls(filter);
    error = error != 0 ? error : allow_restricted(filter);
    error = error != 0 ? error : seccomp_load(filter);
    seccomp_release(filter);
    return error == -EINVAL || error == -ENOSYS ? -EOPNOTSUPP : error;
}

void wrn_privileges_look(struct wrn_privileges_state *ret_state) {
    *ret_state = (struct wrn_privileges_state){
        .uid = geteuid(),
        .gains_none = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
        .is_filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == MODE_FILTER,
    };
    (void)capng_get_caps_process();
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if (capng_have_capability(CAPNG_EFFECTIVE, i) != 0) {
            ret_state->capabilities |= UINT64_C(1) << i;
        }
    }
}

void wrn_privileges_print(const struct wrn_privileges_state *state,
                          char ret_text[WRN_PRIVILEGES_TEXT_SIZE]) {
    char buffer[ENTRY_BUFFER];
    struct passwd entry, *found = NULL;
    bool has_name =
        getpwuid_r(state->uid, &entry, buffer, sizeof buffer, &found) == 0 && found != NULL;
    int used = has_name
                   ? snprintf(ret_text, WRN_PRIVILEGES_TEXT_SIZE, "user %.32s", entry.pw_name)
                   : snprintf(ret_text, WRN_PRIVILEGES_TEXT_SIZE, "user %u", (unsigned)state->uid);
    size_t at = (size_t)used;
    const char *between = ", capabilities ";
    for (unsigned i = 0; i <= CAP_LAST_CAP && at < WRN_PRIVILEGES_TEXT_SIZE; i++) {
        const char *name = (state->capabilities >> i & 1) != 0 ? capng_capability_to_name(i) : NULL;
        if (name != NULL) {
            at += (size_t)snprintf(ret_text + at, WRN_PRIVILEGES_TEXT_SIZE - at, "%s%s", between,
                                   name);
            between = " ";
        }
    }
    if (at < WRN_PRIVILEGES_TEXT_SIZE) {
        (void)snprintf(ret_text + at, WRN_PRIVILEGES_TEXT_SIZE - at, "%s, %s",
                       state->gains_none ? "" : ", may gain more",
                       state->is_filtered ? "system calls filtered" : "system calls not filtered");
    }
}

static int complain(int error, char why[WRN_PRIVILEGES_WHY_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WRN_PRIVILEGES_WHY_SIZE, format, args);
    va_end(args);
    return error;
}

/* By name, or by number: then the group has the same number, if the user has no entry. */
static bool find_user(const char *user, uid_t *ret_uid, gid_t *ret_gid) {
    char buffer[ENTRY_BUFFER];
    char *end = NULL;
    struct passwd entry, *found = NULL;
    if (getpwnam_r(user, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL) {
        errno = 0;
        unsigned long number = strtoul(user, &end, BASE);
        if (user[0] < '0' || user[0] > '9' || *end != '\0' || errno != 0 || number > ID_MAX) {
            return false;
        }
        if (getpwuid_r((uid_t)number, &entry, buffer, sizeof buffer, &found) != 0 ||
            found == NULL) {
            entry.pw_uid = (uid_t)number;
            entry.pw_gid = (gid_t)number;
        }
    }
    *ret_uid = entry.pw_uid;
    *ret_gid = entry.pw_gid;
    return true;
}

static int become(const struct wrn_privileges *who, gid_t group) {
    size_t count = group == (gid_t)-1 ? 0 : 1;
    if (setgroups(count, &group) != 0 || setresgid(who->gid, who->gid, who->gid) != 0 ||
        setresuid(who->uid, who->uid, who->uid) != 0) {
        return -errno;
    }
    return 0;
}

/* In all sets; what was not there cannot be kept. The bounding set can only be changed with a
 * capability that is given up here. */
static int keep_capabilities(const unsigned *needed, size_t count) {
    const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;
    bool has[CAP_LAST_CAP + 1] = {false};
    if (capng_get_caps_process() != 0) {
        return -EPERM;
    }
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        has[i] = capng_have_capability(CAPNG_PERMITTED, i) != 0;
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < count; i++) {
        if (has[needed[i]] && capng_update(CAPNG_ADD, sets, needed[i]) != 0) {
            return -EINVAL;
        }
    }
    if (has[CAP_SETPCAP]) { /* for the bounding set it has to be effective */
        (void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SETPCAP);
        if (capng_apply(CAPNG_SELECT_CAPS) != 0 || capng_apply(CAPNG_SELECT_BOUNDS) != 0) {
            return -EPERM;
        }
        (void)capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SETPCAP);
    }
    return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

static int allow_calls(scmp_filter_ctx filter) {
#define ALLOW(name) SCMP_SYS(name),
    static const int calls[] = {WRN_SYSCALL_LIST(ALLOW)};
#undef ALLOW
    for (size_t i = 0; i < WRN_COUNT(calls); i++) {
        int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (error != 0 && calls[i] >= 0) { /* below 0: this processor has no such call */
            return error;
        }
    }
    return 0;
}

/* Sockets of the network's families alone; new threads, no processes; no typing into terminals; no
 * prctl but naming threads and memory and asking. */
static int allow_restricted(scmp_filter_ctx filter) {
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    static const uint64_t wishes[] = {PR_SET_NAME,     PR_GET_NAME,     PR_SET_VMA,
                                      PR_GET_SECCOMP,  PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS,
                                      PR_CAPBSET_READ, PR_CAP_AMBIENT,  PR_SET_TIMERSLACK};
    /* A tracer that skips a call makes it this one, which the kernel does not have. */
    int error = seccomp_attr_set(filter, SCMP_FLTATR_API_TSKIP, 1);
    error = error != 0 ? error : seccomp_rule_add(filter, SCMP_ACT_ALLOW, -1, 0);
    for (size_t i = 0; i < WRN_COUNT(families) && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 SCMP_A0(SCMP_CMP_EQ, families[i], 0));
    }
    for (size_t i = 0; i < WRN_COUNT(wishes) && error == 0; i++) {
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                 SCMP_A0(SCMP_CMP_EQ, wishes[i], 0));
    }
    error = error != 0 ? error
                       : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    /* Its flags lie in memory, where no filter can look: libc takes the old one then. */
    error =
        error != 0 ? error : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error != 0 ? error
                      : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                         SCMP_A1(SCMP_CMP_NE, TIOCSTI, 0));
}
