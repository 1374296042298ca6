#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_LINES = 1024, LINE_BYTES = 240, KEPT_ERRORS = 64 };

/* Lines that may tell of damage are kept though many others follow. Which of
 * them do tell is decided by the one list of the kit (control/kernel_log.py), so these
 * are words that its lines hold, and few others. */
static const char *const KEPT_WORDS[] = {
    "BUG", "Oops", "[#", "Bad page", "Bad rss", "Bad swap", "orrupt",
    "protection fault", "opcode", "divide error", "double fault", "Internal error",
    "Kernel panic", "nable to handle", "list_del", "list_add", "refcount_t",
    "Hardware Error", "WARNING: ", "segfault", "] trap ", "bad frame", "unread",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[KEPT_LINES][LINE_BYTES];
static uint64_t line_count;
static char errors[KEPT_ERRORS][LINE_BYTES];
static uint64_t error_count;

static bool is_kept(const char *line)
{
    for (size_t i = 0; i < sizeof KEPT_WORDS / sizeof *KEPT_WORDS; i++) {
        if (strstr(line, KEPT_WORDS[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void keep(const char *line)
{
    pthread_mutex_lock(&lock);
    strncpy(lines[line_count++ % KEPT_LINES], line, LINE_BYTES - 1);
    /* The first errors are kept: they are nearest to the cause. */
    if (error_count < KEPT_ERRORS && is_kept(line)) {
        strncpy(errors[error_count++], line, LINE_BYTES - 1);
    }
    pthread_mutex_unlock(&lock);
}

/* A record is "priority,sequence,microseconds,flags;text\n" followed by
 * indented KEY=value lines, which are left out
 * (Documentation/ABI/testing/dev-kmsg in the kernel's source). */
static void keep_record(char *record)
{
    unsigned long long microseconds = 0;
    char line[LINE_BYTES];
    char *text = strchr(record, ';');

    if (text == NULL) {
        return;
    }
    *text++ = '\0';
    text[strcspn(text, "\n")] = '\0';
    sscanf(record, "%*u,%*u,%llu", &microseconds);
    snprintf(line, sizeof line, "[%5llu.%06llu] %s", microseconds / 1000000,
             microseconds % 1000000, text);
    keep(line);
}

static void *follow(void *unused)
{
    char record[8192];
    int device = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);

    (void)unused;
    while (device >= 0) {
        ssize_t length = read(device, record, sizeof record - 1);

        if (length > 0) {
            record[length] = '\0';
            keep_record(record);
        } else if (length < 0 && errno == EPIPE) {
            keep("guest-agent: lines of the kernel's log were overwritten unread");
        } else if (length < 0 && errno != EINTR) {
            break;
        }
    }
    return NULL;
}

void kernel_log_start(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, follow, NULL);
}

void kernel_log_print(FILE *out, bool errors_only)
{
    uint64_t end, first;

    pthread_mutex_lock(&lock);
    end = errors_only ? error_count : line_count;
    first = errors_only || end < KEPT_LINES ? 0 : end - KEPT_LINES;
    fputc('[', out);
    for (uint64_t i = first; i < end; i++) {
        fputs(i == first ? "" : ",", out);
        json_string(out, errors_only ? errors[i] : lines[i % KEPT_LINES]);
    }
    fputc(']', out);
    pthread_mutex_unlock(&lock);
}
