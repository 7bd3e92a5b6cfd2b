/* Runs a compiled model once in a new process: `probe START` prints the microseconds from START, the monotonic clock in
 * nanoseconds before the process began, to the first answer; then the peak of its memory in KiB; then the answer. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

static float input[DCZ_IN_SIZE], output[DCZ_OUT_SIZE];
static _Alignas(DCZ_ARENA_ALIGNMENT) unsigned char arena[DCZ_ARENA_SIZE];

int main(int argc, char **argv) {
    struct timespec now;
    char line[128];
    long peak = 0;
    for (int i = 0; i < DCZ_IN_SIZE; i++)
        input[i] = (float)(i % 7) - 3;
    if (argc != 2 || dcz_run(input, output, arena) != DCZ_DONE)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double spent = (double)now.tv_sec * 1e9 + (double)now.tv_nsec - atof(argv[1]);
    FILE *status = fopen("/proc/self/status", "r"); /* getrusage would count the process before exec */
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "VmHWM:", 6))
            peak = atol(line + 6);
    printf("%.1f\n%ld\n", spent / 1e3, peak);
    for (int i = 0; i < DCZ_OUT_SIZE; i++)
        printf("%.9g\n", output[i]);
    return 0;
}
