/*
 * A region of memory whose every page can be checked after a migration.
 *
 * A page says which page it is, which generation of the pattern it holds, and
 * carries a checksum over all of its words. The rest is content that follows
 * from (page number, generation) alone, so the right content of any page of any
 * generation can be computed again: a checksum that happens to fit is not
 * enough to pass.
 */
#ifndef GUEST_PATTERN_H
#define GUEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_PAGE_BYTES 4096
#define PATTERN_WORDS (PATTERN_PAGE_BYTES / 8)

struct pattern {
    uint64_t *memory;    /* pages * PATTERN_WORDS words, page aligned */
    uint64_t pages;
    uint64_t generation; /* every page holds this generation or the next one */
    uint64_t next_page;  /* pages below this one already hold the next one */
};

/* Each page is counted in exactly one of intact, bad, stale and torn. */
struct pattern_verdict {
    uint64_t pages;
    uint64_t intact;
    uint64_t stale; /* the whole page is an older generation: a write was lost */
    uint64_t torn;  /* a mixture of generations of this very page */
    uint64_t bad;   /* anything else: foreign, zeroed or newer than it can be */
    uint64_t first_damaged_page; /* only where not all pages are intact */
};

/* Writes generation 1 into every page. */
void pattern_fill(struct pattern *pattern);

/* Rewrites the next page of the running generation, and starts the next
 * generation behind the last page. */
void pattern_write_next(struct pattern *pattern);

/* The one generation that this page must hold now. */
uint64_t pattern_expected_generation(const struct pattern *pattern, uint64_t page);

void pattern_make_page(uint64_t *words, uint64_t page, uint64_t generation);

/* Only valid while nothing writes to the pattern. */
struct pattern_verdict pattern_verify(const struct pattern *pattern);

/* Damages pages on purpose in every way that the check has to tell apart.
 * Returns NULL if each was found and named rightly, else what went wrong. */
const char *pattern_self_test(void);

#endif
