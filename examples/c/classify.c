/* Classify an image with a compiled model: no Python, no library beyond C's own.
 *
 * make MODEL=path/to/model.dcz && ./classify image.pgm
 *
 * The image is a binary PGM (grey) or PPM (RGB) file of the model's size. */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

static const float mean[] = DCZ_PIXEL_MEAN, deviation[] = DCZ_PIXEL_STD;
static float input[DCZ_IN_SIZE], scores[DCZ_OUT_SIZE];
static _Alignas(DCZ_ARENA_ALIGNMENT) unsigned char arena[DCZ_ARENA_SIZE];

static int read_image(FILE *file) {
    int width, height, most;
    char kind;
    if (fscanf(file, "P%c %d %d %d", &kind, &width, &height, &most) != 4 || fgetc(file) == EOF || most != 255)
        return 0;
    const int channels = sizeof mean / sizeof *mean;
    if (kind != (channels == 1 ? '5' : '6') || width < 1 || height < 1 ||
        (long long)width * height * channels != DCZ_IN_SIZE)
        return 0;
    for (int i = 0; i < width * height; i++) /* pixel by pixel in the file, channel by channel in the input */
        for (int c = 0; c < channels; c++) {
            int pixel = fgetc(file);
            if (pixel == EOF)
                return 0;
            input[c * width * height + i] = (pixel * DCZ_PIXEL_SCALE - mean[c]) / deviation[c];
        }
    return 1;
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file || !read_image(file)) {
        fprintf(stderr, "usage: classify IMAGE, a binary %s with %d numbers\n",
                sizeof mean == sizeof *mean ? "PGM" : "PPM", DCZ_IN_SIZE);
        return 2;
    }
    fclose(file);
    if (dcz_run(input, scores, arena) != DCZ_DONE)
        return 1;
    int best = 0;
    for (int i = 1; i < DCZ_OUT_SIZE; i++)
        if (scores[i] > scores[best])
            best = i;
    const char *label = dcz_label(best);
    printf("%s: %d %s (score %.9g)\n", dcz_network(), best, label ? label : "", scores[best]);
    return 0;
}
