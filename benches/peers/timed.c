// Runs a program and writes what it took to a file: wall seconds, CPU seconds, peak memory in bytes. Ends as the program did.
//
//   timed FILE PROGRAM [ARGUMENT...]
//
// A process's peak memory starts with that of the one it was forked from, so a script can't measure what is smaller than its
// interpreter.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int count, char **words) {
    struct timespec began, ended;
    struct rusage used;
    int status;
    if (count < 3) return 2;
    clock_gettime(CLOCK_MONOTONIC, &began);
    pid_t child = fork();
    if (child == 0) {
        execvp(words[2], words + 2);
        perror(words[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0) return 126;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    FILE *out = fopen(words[1], "w");
    if (!out) return 126;
    fprintf(out, "%.6f %.6f %ld\n", ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9,
            seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss * 1024);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
