#include "agent.h"
#include "pattern.h"

#include <sys/mman.h>
#include <time.h>

/* Every page about once a second: rarely enough that a lost write is still
 * there to be seen, and is not healed by the next one, when the guest resumes. */
static const double ROUND_SECONDS = 1.0;

/* Waits without asking the kernel for anything. Sleeping would switch to another
 * process, and with it empty the emulated TLB, whose stale entries are what this
 * is here to show. The coarse clock is read from memory that the kernel keeps
 * up to date. */
static void spin_until(double monotonic_seconds)
{
    while (clock_seconds(CLOCK_MONOTONIC_COARSE) < monotonic_seconds) {
    }
}

int rewrite_forever(uint64_t bytes)
{
    size_t pages = bytes / PATTERN_PAGE_BYTES;
    volatile uint64_t *memory =
        mmap(NULL, pages * PATTERN_PAGE_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    double due = clock_seconds(CLOCK_MONOTONIC_COARSE);

    if (memory == MAP_FAILED) {
        perror("guest-agent rewrite");
        return 1;
    }
    /* What each page must hold is known from the round, so nothing has to be
     * remembered in memory that may itself be damaged. */
    for (uint64_t round = 1;; round++) {
        for (size_t page = 0; page < pages; page++) {
            uint64_t held = memory[page * PATTERN_WORDS];

            if (held != round - 1) {
                printf("guest-agent: corrupted page %zu: holds %llu, %llu was written\n",
                       page, (unsigned long long)held, (unsigned long long)round - 1);
                fflush(stdout);
            }
            memory[page * PATTERN_WORDS] = round;
            due += ROUND_SECONDS / (double)pages;
            spin_until(due);
        }
    }
}
