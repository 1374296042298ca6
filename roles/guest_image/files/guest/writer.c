#include "agent.h"
#include "pattern.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* 10 samples a second for 10 minutes: longer than any run's limit. */
enum { KEPT_SAMPLES = 6000 };
/* One wake-up for writing and sampling. Each switches to this process and so
 * empties a TLB, and stale entries of an emulated TLB are one way to damage a
 * migrated guest: woken 100 times a second, this thread hid that damage instead
 * of showing it (docs/guest-integrity.md). */
static const double TICK_SECONDS = 0.1;

struct sample {
    double monotonic, epoch, stressor_cpu;
    uint64_t bytes_written;
};

/* One lock for the pattern and what is known about it. The writer holds it for
 * a tick's share of pages at most, so an answer is never far. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pattern pattern;
static bool writing;
static pthread_t thread;
static uint64_t bytes_written, rate;
static struct sample samples[KEPT_SAMPLES];
static uint64_t sample_count;

/* Called with the lock held. What a pause of the guest left undone is not caught
 * up with: a burst after the switch would be load that nobody asked for. */
static void write_share(double seconds)
{
    uint64_t due = (uint64_t)((double)rate * (seconds < 2 * TICK_SECONDS ? seconds
                                                                        : 2 * TICK_SECONDS));

    for (uint64_t done = 0; done + PATTERN_PAGE_BYTES <= due; done += PATTERN_PAGE_BYTES) {
        pattern_write_next(&pattern);
        bytes_written += PATTERN_PAGE_BYTES;
    }
}

/* The guest's kernel takes a pause of the guest for time that the running thread
 * has used, and lets the others catch up. After a long one this thread, with the
 * lock held, would wait behind a busy stressor for as long as the pause was, and
 * so would every answer. Time counts least at the highest priority, which Linux
 * gives to a thread: setpriority(2). */
static void take_the_highest_priority(void)
{
    setpriority(PRIO_PROCESS, 0, -20);
}

/* Sampling goes on while the pattern is verified and afterwards: the stressor's
 * progress is judged by the samples as well. */
static void *write_and_sample(void *unused)
{
    double last = clock_seconds(CLOCK_MONOTONIC);

    (void)unused;
    take_the_highest_priority();
    for (;;) {
        struct sample now = {
            .monotonic = clock_seconds(CLOCK_MONOTONIC),
            .epoch = clock_seconds(CLOCK_REALTIME),
            .stressor_cpu = stressor_cpu_seconds(),
        };
        bool stop;

        pthread_mutex_lock(&lock);
        stop = pattern.memory == NULL;
        if (writing) {
            write_share(now.monotonic - last);
        }
        last = now.monotonic;
        now.bytes_written = bytes_written;
        samples[sample_count++ % KEPT_SAMPLES] = now;
        pthread_mutex_unlock(&lock);
        if (stop) {
            return NULL;
        }
        sleep_seconds(TICK_SECONDS);
    }
}

/* Nothing writes to the pattern any more when this returns. */
static void halt_writing(void)
{
    pthread_mutex_lock(&lock);
    writing = false;
    pthread_mutex_unlock(&lock);
}

const char *writer_start(uint64_t bytes, uint64_t bytes_per_second)
{
    uint64_t size = bytes / PATTERN_PAGE_BYTES * PATTERN_PAGE_BYTES;
    void *memory;

    if (pattern.memory != NULL) {
        return "a pattern is already there";
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        return "no memory for the pattern";
    }
    pattern = (struct pattern){ .memory = memory, .pages = size / PATTERN_PAGE_BYTES };
    pattern_fill(&pattern);
    bytes_written = 0;
    sample_count = 0;
    rate = bytes_per_second;
    writing = true;
    pthread_create(&thread, NULL, write_and_sample, NULL);
    return NULL;
}

const char *writer_stop(void)
{
    uint64_t *memory;

    halt_writing();
    pthread_mutex_lock(&lock);
    memory = pattern.memory;
    pattern.memory = NULL;
    pthread_mutex_unlock(&lock);
    if (memory != NULL) {
        pthread_join(thread, NULL);
        munmap(memory, pattern.pages * PATTERN_PAGE_BYTES);
    }
    pattern = (struct pattern){ 0 };
    return NULL;
}

const char *writer_verify(FILE *out)
{
    struct pattern_verdict verdict;
    double started = clock_seconds(CLOCK_MONOTONIC);

    if (pattern.memory == NULL) {
        return "no pattern to verify";
    }
    halt_writing();
    verdict = pattern_verify(&pattern);
    fprintf(out,
            "{\"ok\":true,\"pages\":%llu,\"intact_pages\":%llu,\"bad_pages\":%llu,"
            "\"stale_pages\":%llu,\"torn_pages\":%llu,\"first_damaged_page\":",
            (unsigned long long)verdict.pages, (unsigned long long)verdict.intact,
            (unsigned long long)verdict.bad, (unsigned long long)verdict.stale,
            (unsigned long long)verdict.torn);
    if (verdict.intact == verdict.pages) {
        fputs("null", out);
    } else {
        fprintf(out, "%llu", (unsigned long long)verdict.first_damaged_page);
    }
    fprintf(out, ",\"generation\":%llu,\"verify_seconds\":%.3f}",
            (unsigned long long)pattern.generation,
            clock_seconds(CLOCK_MONOTONIC) - started);
    return NULL;
}

void writer_print(FILE *out)
{
    pthread_mutex_lock(&lock);
    fprintf(out,
            "{\"running\":%s,\"bytes\":%llu,\"generation\":%llu,\"bytes_written\":%llu,"
            "\"bytes_per_second\":%llu}",
            writing ? "true" : "false",
            (unsigned long long)(pattern.pages * PATTERN_PAGE_BYTES),
            (unsigned long long)pattern.generation, (unsigned long long)bytes_written,
            (unsigned long long)rate);
    pthread_mutex_unlock(&lock);
}

void progress_print(FILE *out)
{
    uint64_t first;

    pthread_mutex_lock(&lock);
    first = sample_count < KEPT_SAMPLES ? 0 : sample_count - KEPT_SAMPLES;
    fputc('[', out);
    for (uint64_t i = first; i < sample_count; i++) {
        const struct sample *sample = &samples[i % KEPT_SAMPLES];

        fprintf(out,
                "%s{\"guest_monotonic_seconds\":%.6f,\"guest_epoch_seconds\":%.6f,"
                "\"pattern_bytes_written\":%llu,\"stressor_cpu_seconds\":%.2f}",
                i == first ? "" : ",", sample->monotonic, sample->epoch,
                (unsigned long long)sample->bytes_written, sample->stressor_cpu);
    }
    fputc(']', out);
    pthread_mutex_unlock(&lock);
}
