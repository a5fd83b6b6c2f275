/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics that every exporter has of its process. What cannot be read is left out. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/metrics_collect.h"
#include "io/cleanup.h"

enum { FILE_MAX = 4096, MICRO = 1000000, START_FIELD = 22 };

static bool read_file(const char *path, char bytes[FILE_MAX]);
static bool count_files(uint64_t *ret_count);
static bool find_start(uint64_t *ret_micro);

static void gauge(struct wrn_metrics_text *text, const char *name, const char *help,
                  uint64_t value) {
    wrn_metrics_family(text, name, "gauge", help);
    wrn_metrics_sample(text, name, NULL, value);
}

void wrn_metrics_process(struct wrn_metrics_text *text) {
    char bytes[FILE_MAX];
    uint64_t count = 0;
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        uint64_t s = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
        uint64_t us = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
        wrn_metrics_family(text, "process_cpu_seconds_total", "counter",
                           "CPU time of the process, all of its threads.");
        wrn_metrics_sample_micro(text, "process_cpu_seconds_total", NULL, s * MICRO + us);
    }
    if (read_file("/proc/self/statm", bytes)) {
        char *rest = NULL;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t virtual_pages = strtoull(bytes, &rest, 10);
        gauge(text, "process_virtual_memory_bytes",
              "Address space that is mapped; most of it is never touched.", virtual_pages * page);
        gauge(text, "process_resident_memory_bytes", "Memory that is in use.",
              strtoull(rest, NULL, 10) * page);
    }
    if (count_files(&count)) {
        gauge(text, "process_open_fds", "Descriptors that are open.", count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        gauge(text, "process_max_fds", "Descriptors that may be open.", (uint64_t)limit.rlim_cur);
    }
    if (find_start(&count)) {
        wrn_metrics_family(text, "process_start_time_seconds", "gauge",
                           "When the process began, in Unix time.");
        wrn_metrics_sample_micro(text, "process_start_time_seconds", NULL, count);
    }
}

/* A whole small file as a text. */
static bool read_file(const char *path, char bytes[FILE_MAX]) {
    WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, FILE_MAX - 1);
    if (size <= 0) {
        return false;
    }
    bytes[size] = '\0';
    return true;
}

/* Without the one by which they are counted. */
static bool count_files(uint64_t *ret_count) {
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (folder == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    *ret_count = count > 0 ? count - 1 : 0;
    return true;
}

/* The system says it in ticks since it was booted, which /proc/stat says when was. */
static bool find_start(uint64_t *ret_micro) {
    char bytes[FILE_MAX];
    long ticks_per_s = sysconf(_SC_CLK_TCK);
    if (ticks_per_s <= 0 || !read_file("/proc/self/stat", bytes)) {
        return false;
    }
    const char *at = strrchr(bytes, ')'); /* behind the name, which may hold anything */
    for (int field = 2; at != NULL && field < START_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    uint64_t ticks = at != NULL ? strtoull(at, NULL, 10) : 0;
    FILE *stat = fopen("/proc/stat", "re");
    char line[FILE_MAX];
    uint64_t boot_s = 0;
    while (stat != NULL && boot_s == 0 && fgets(line, sizeof line, stat) != NULL) {
        boot_s = strncmp(line, "btime ", 6) == 0 ? strtoull(line + 6, NULL, 10) : 0;
    }
    if (stat != NULL) {
        (void)fclose(stat);
    }
    *ret_micro = boot_s * MICRO + ticks * MICRO / (uint64_t)ticks_per_s;
    return ticks > 0 && boot_s > 0;
}
