/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a fuzz target an ordinary program: runs it once on each file, or each file of each folder,
 * that it is given. Finds nothing new; proves that what was found stays fixed, with any
 * compiler. */
#include "fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { INPUT_MAX_BYTES = 1 << 20 };

static int replay_folder(const char *path);
static int is_input(const struct dirent *entry);
static int replay_file(const char *path);

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) {
            perror(argv[i]);
            return 1;
        }
        int replayed = S_ISDIR(info.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
        if (replayed < 0) {
            return 1;
        }
        count += replayed;
    }
    printf("%d inputs\n", count);
    if (count == 0) {
        fprintf(stderr, "usage: %s FILE|FOLDER ... with at least one input in them\n", argv[0]);
        return 1;
    }
    return 0;
}

/* Returns the number of files replayed, or -1. They go by their names: the order in which a file
 * system keeps them is another on each machine. */
static int replay_folder(const char *path) {
    struct dirent **entries = NULL;
    int found = scandir(path, &entries, is_input, alphasort);
    if (found < 0) {
        perror(path);
        return -1;
    }
    int count = 0;
    for (int i = 0; i < found; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        count = count < 0 || replay_file(name) < 0 ? -1 : count + 1;
    }
    free(entries);
    return count;
}

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* Returns 1, or -1. The name is printed first: if the target crashes, it is the last line. */
static int replay_file(const char *path) {
    printf("%s\n", path);
    fflush(stdout);
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *bytes = malloc(INPUT_MAX_BYTES);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, INPUT_MAX_BYTES, stream);
    fclose(stream);
    uint8_t *exact = malloc(size > 0 ? size : 1); /* so that a read past the end is seen */
    if (bytes == NULL || exact == NULL) {
        free(bytes);
        free(exact);
        fprintf(stderr, "out of memory\n");
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        exact[i] = bytes[i];
    }
    free(bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}
