/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files, or over all files of folders, without libFuzzer. A folder that is
 * missing or empty is an error: the seeds belong to the target. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as large as the file, so that ASan sees what reads behind it. */
static bool replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (f)
            fclose(f);
        return false;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    bool whole = data && fread(data, 1, size, f) == size;
    fclose(f);
    if (whole)
        LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: not read whole\n", path);
    free(data);
    return whole;
}

/* Returns how many files were run; -1: something could not be read. */
static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return replay_file(path) ? 1 : -1;
    DIR *d = opendir(path);
    if (!d) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    int count = 0;
    for (struct dirent *e; count >= 0 && (e = readdir(d));) {
        char file[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        count = replay_file(file) ? count + 1 : -1;
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count <= 0) {
            fprintf(stderr, "%s: no seeds were run\n", argv[i]);
            return 1;
        }
        printf("%s: %d\n", argv[i], count);
    }
    return argc > 1 ? 0 : 1;
}
