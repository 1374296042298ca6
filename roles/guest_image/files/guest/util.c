#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double clock_seconds(int clock_id)
{
    struct timespec now;

    clock_gettime(clock_id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void sleep_seconds(double seconds)
{
    struct timespec left = {
        .tv_sec = (time_t)seconds,
        .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
    };

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fprintf(out, "\\%c", *c);
        } else if (*c < 0x20 || *c > 0x7e) {
            fprintf(out, "\\u%04x", *c);
        } else {
            fputc(*c, out);
        }
    }
    fputc('"', out);
}

uint64_t meminfo_bytes(const char *key)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    size_t length = strlen(key);
    uint64_t bytes = 0;

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            bytes = strtoull(line + length + 1, NULL, 10) * 1024;
            break;
        }
    }
    fclose(file);
    return bytes;
}

bool parse_count(const char *word, uint64_t limit, uint64_t *value)
{
    char *end;

    if (*word < '0' || *word > '9') {
        return false;
    }
    errno = 0;
    *value = strtoull(word, &end, 10);
    return errno == 0 && *end == '\0' && *value >= 1 && *value <= limit;
}
