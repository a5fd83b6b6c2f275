/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that warrend and warren-wg make once they run: their own, and those of libc,
 * libuv, libnl, OpenSSL and the resolver that they call. Whatever is missing here ends the process
 * at once. Absent, on purpose: execve, fork, ptrace, mount, setns, unshare, chroot, set*id, keyctl,
 * io_uring, userfaultfd, perf_event_open, open_by_handle_at, init_module, reboot.
 * Restricted in privileges.c: socket, clone, ioctl, prctl. */
#pragma once

/* clang-format off */
#define WRN_SYSCALL_LIST(X)                                                                     \
    /* memory */                                                                                \
    X(brk) X(mmap) X(munmap) X(mremap) X(mprotect) X(madvise) X(mlock) X(mlock2)                \
    X(munlock) X(mlockall) X(munlockall) X(membarrier) X(get_mempolicy) X(mincore)              \
    /* files: the state folder, logs, resolv.conf, /proc, /sys */                               \
    X(read) X(write) X(readv) X(writev) X(pread64) X(pwrite64) X(lseek) X(close)                \
    X(close_range) X(open) X(openat) X(openat2) X(creat) X(stat) X(fstat) X(lstat)              \
    X(newfstatat) X(statx) X(statfs) X(fstatfs) X(access) X(faccessat) X(faccessat2)            \
    X(readlink) X(readlinkat) X(getdents64) X(getcwd) X(mkdir) X(mkdirat) X(rmdir)              \
    X(unlink) X(unlinkat) X(rename) X(renameat) X(renameat2) X(fsync) X(fdatasync)              \
    X(ftruncate) X(fallocate) X(flock) X(fcntl) X(dup) X(dup2) X(dup3) X(chmod) X(fchmod)       \
    X(fchmodat) X(chown) X(fchown) X(fchownat) X(umask) X(fadvise64) X(memfd_create)            \
    X(sendfile) X(copy_file_range) X(inotify_init1) X(inotify_add_watch)                        \
    X(inotify_rm_watch)                                                                         \
    /* sockets; socket(2) itself is restricted */                                               \
    X(socketpair) X(bind) X(listen) X(accept) X(accept4) X(connect) X(shutdown)                 \
    X(getsockname) X(getpeername) X(getsockopt) X(setsockopt) X(sendto) X(sendmsg)              \
    X(sendmmsg) X(recvfrom) X(recvmsg) X(recvmmsg) X(pipe) X(pipe2)                             \
    /* waiting, time, threads, signals */                                                       \
    X(poll) X(ppoll) X(select) X(pselect6) X(epoll_create1) X(epoll_ctl) X(epoll_wait)          \
    X(epoll_pwait) X(epoll_pwait2) X(eventfd2) X(timerfd_create) X(timerfd_settime)             \
    X(timerfd_gettime) X(clock_gettime) X(clock_getres) X(clock_nanosleep) X(nanosleep)         \
    X(gettimeofday) X(time) X(adjtimex) X(clock_adjtime) X(futex) X(futex_waitv)                \
    X(set_robust_list) X(get_robust_list) X(rseq) X(set_tid_address) X(sched_yield)             \
    X(sched_getaffinity) X(sched_setaffinity) X(sched_getparam) X(sched_getscheduler)           \
    X(getcpu) X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigpending)                \
    X(rt_sigtimedwait) X(rt_sigsuspend) X(sigaltstack) X(restart_syscall) X(tgkill)             \
    X(tkill) X(kill) X(exit) X(exit_group) X(wait4) X(waitid) X(alarm) X(setitimer)             \
    /* who and where we are; limits; fewer rights */                                            \
    X(getpid) X(getppid) X(gettid) X(getpgrp) X(getpgid) X(getsid) X(getuid) X(geteuid)         \
    X(getgid) X(getegid) X(getgroups) X(getresuid) X(getresgid) X(capget) X(capset)             \
    X(uname) X(sysinfo) X(times) X(getrusage) X(getrlimit) X(setrlimit) X(prlimit64)            \
    X(getrandom) X(getpriority) X(seccomp) X(arch_prctl) X(chdir)                               \
    /* flows are led to queues and sockets by programs in the kernel: io/steering.c */          \
    X(bpf)
/* clang-format on */
