/*
 * guest-agent: what the lab asks a guest, and what the guest does on request.
 *
 * One connection is one request line of words and one JSON answer line
 * (README.md of the role lists them). Requests are served one after the other:
 * there is one asker, and an answer of `pattern verify` must not be disturbed.
 *
 *   guest-agent serve [PATTERN_BYTES_PER_SECOND]
 *   guest-agent rewrite BYTES    a stressor of its own, see rewriter.c
 *   guest-agent self-test        shows that the pattern's check can fail
 */
#include "agent.h"
#include "pattern.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 7300, MOST_WORDS = 6, REQUEST_BYTES = 256, PATIENCE_SECONDS = 10 };

/* 8 MiB/s is under a tenth of a 1 Gb/s link (119 MiB/s): it rewrites 32 MiB
 * about every 4 s, several times in a migration that takes any time at all,
 * and adds less to the dirty rate than the article's smallest stressed case
 * (256 MiB rewritten about once a second). */
static const uint64_t DEFAULT_RATE = 8 << 20;
static const uint64_t MOST_BYTES = UINT64_C(1) << 40;
static const uint64_t MOST_THREADS = 128;

static uint64_t default_rate;

static void answer_status(FILE *out)
{
    uint64_t total = meminfo_bytes("MemTotal");

    fprintf(out,
            "{\"ok\":true,\"uptime_seconds\":%.3f,\"memory_total_bytes\":%llu,"
            "\"memory_available_bytes\":%llu,\"resident_bytes\":%llu,\"stressor\":",
            clock_seconds(CLOCK_BOOTTIME), (unsigned long long)total,
            (unsigned long long)meminfo_bytes("MemAvailable"),
            (unsigned long long)(total - meminfo_bytes("MemFree")));
    stressor_print(out);
    fputs(",\"pattern\":", out);
    writer_print(out);
    fputs(",\"kernel_log_errors\":", out);
    kernel_log_print(out, true);
    fputc('}', out);
}

static const char *start_stressor(char **words)
{
    uint64_t threads, bytes;

    if (strcmp(words[2], "stress") != 0 && strcmp(words[2], "stress-ng") != 0
        && strcmp(words[2], "rewrite") != 0) {
        return "stressor start: NAME must be stress, stress-ng or rewrite";
    }
    if (!parse_count(words[3], MOST_THREADS, &threads)) {
        return "stressor start: THREADS must be a whole number from 1 to 128";
    }
    if (!parse_count(words[4], MOST_BYTES, &bytes) || bytes < PATTERN_PAGE_BYTES) {
        return "stressor start: BYTES_PER_THREAD must be a whole number from 4096";
    }
    return stressor_start(words[2], threads, bytes);
}

static const char *start_pattern(char **words, int count)
{
    uint64_t bytes, rate = default_rate;

    if (!parse_count(words[2], MOST_BYTES, &bytes) || bytes < PATTERN_PAGE_BYTES) {
        return "pattern start: BYTES must be a whole number from 4096";
    }
    if (count == 4 && !parse_count(words[3], MOST_BYTES, &rate)) {
        return "pattern start: BYTES_PER_SECOND must be a whole number from 1";
    }
    return writer_start(bytes, rate);
}

/* Returns an error, or NULL: the answer is then in `out`, or empty for a bare
 * {"ok":true}. */
static const char *answer(char **words, int count, FILE *out)
{
    const char *first = count > 0 ? words[0] : "";
    const char *second = count > 1 ? words[1] : "";

    if (strcmp(first, "status") == 0 && count == 1) {
        answer_status(out);
        return NULL;
    }
    if (strcmp(first, "progress") == 0 && count == 1) {
        fputs("{\"ok\":true,\"samples\":", out);
        progress_print(out);
        fputc('}', out);
        return NULL;
    }
    if (strcmp(first, "kernel-log") == 0 && count == 1) {
        fputs("{\"ok\":true,\"lines\":", out);
        kernel_log_print(out, false);
        fputc('}', out);
        return NULL;
    }
    if (strcmp(first, "stressor") == 0 && strcmp(second, "start") == 0 && count == 5) {
        return start_stressor(words);
    }
    if (strcmp(first, "stressor") == 0 && strcmp(second, "stop") == 0 && count == 2) {
        return stressor_stop();
    }
    if (strcmp(first, "pattern") == 0 && strcmp(second, "start") == 0
        && (count == 3 || count == 4)) {
        return start_pattern(words, count);
    }
    if (strcmp(first, "pattern") == 0 && strcmp(second, "verify") == 0 && count == 2) {
        return writer_verify(out);
    }
    if (strcmp(first, "pattern") == 0 && strcmp(second, "stop") == 0 && count == 2) {
        return writer_stop();
    }
    return "unknown request; known: status, progress, kernel-log,"
           " stressor start NAME THREADS BYTES_PER_THREAD, stressor stop,"
           " pattern start BYTES [BYTES_PER_SECOND], pattern verify, pattern stop";
}

static void serve_request(char *request, FILE *reply)
{
    char *words[MOST_WORDS], *rest = NULL, *text = NULL;
    size_t length = 0;
    int count = 0;
    FILE *out = open_memstream(&text, &length);
    const char *error;

    for (char *word = strtok_r(request, " \t\r\n", &rest);
         word != NULL && count < MOST_WORDS; word = strtok_r(NULL, " \t\r\n", &rest)) {
        words[count++] = word;
    }
    error = answer(words, count, out);
    fclose(out);
    if (error != NULL) {
        fputs("{\"ok\":false,\"error\":", reply);
        json_string(reply, error);
        fputs("}\n", reply);
    } else {
        fprintf(reply, "%s\n", length > 0 ? text : "{\"ok\":true}");
    }
    free(text);
}

static void serve_connection(int connection)
{
    /* An asker whose migration went wrong must not block the next one. */
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    char request[REQUEST_BYTES + 1];
    size_t length = 0;
    ssize_t got = 0;
    FILE *reply;

    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    do {
        length += (size_t)got;
        request[length] = '\0';
        got = strchr(request, '\n') != NULL
                  ? 0
                  : read(connection, request + length, REQUEST_BYTES - length);
    } while (got > 0);
    reply = fdopen(connection, "w");
    if (reply == NULL) {
        close(connection);
        return;
    }
    serve_request(request, reply);
    fclose(reply);
}

static int listen_on_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0
        || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
        || bind(listener, (struct sockaddr *)&address, sizeof address) != 0
        || listen(listener, 16) != 0) {
        perror("guest-agent: TCP port 7300");
        return -1;
    }
    return listener;
}

static int serve(void)
{
    int listener = listen_on_port();

    if (listener < 0) {
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    kernel_log_start();
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (connection >= 0) {
            serve_connection(connection);
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t bytes;

    default_rate = DEFAULT_RATE;
    if (argc == 2 && strcmp(argv[1], "self-test") == 0) {
        const char *error = pattern_self_test();

        puts(error != NULL ? error : "the pattern's check finds every kind of damage");
        return error != NULL;
    }
    if (argc == 3 && strcmp(argv[1], "rewrite") == 0
        && parse_count(argv[2], MOST_BYTES, &bytes) && bytes >= PATTERN_PAGE_BYTES) {
        return rewrite_forever(bytes);
    }
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "serve") == 0
        && (argc == 2 || parse_count(argv[2], MOST_BYTES, &default_rate))) {
        return serve();
    }
    fputs("usage: guest-agent serve [PATTERN_BYTES_PER_SECOND] | rewrite BYTES"
          " | self-test\n", stderr);
    return 2;
}
