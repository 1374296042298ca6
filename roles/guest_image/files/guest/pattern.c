#include "pattern.h"

#include <stdlib.h>
#include <string.h>

/* Header words of a page; the content follows. */
enum { WORD_MAGIC, WORD_PAGE, WORD_GENERATION, WORD_CHECKSUM, WORD_CONTENT };

static const uint64_t MAGIC = UINT64_C(0x706f7374636f7079); /* "postcopy" */

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", OOPSLA 2014): every input bit reaches every
 * output bit, so neighbouring pages and generations share no word. */
static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* Depends on the position of each word, so that words which changed places are
 * found as well. */
static uint64_t checksum(const uint64_t *words)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < PATTERN_WORDS; i++) {
        if (i != WORD_CHECKSUM) {
            sum = mix(sum ^ words[i]);
        }
    }
    return sum;
}

void pattern_make_page(uint64_t *words, uint64_t page, uint64_t generation)
{
    uint64_t seed = mix(page ^ mix(generation));

    words[WORD_MAGIC] = MAGIC;
    words[WORD_PAGE] = page;
    words[WORD_GENERATION] = generation;
    for (size_t i = WORD_CONTENT; i < PATTERN_WORDS; i++) {
        words[i] = seed + i * UINT64_C(0x9e3779b97f4a7c15);
    }
    words[WORD_CHECKSUM] = checksum(words);
}

void pattern_fill(struct pattern *pattern)
{
    for (uint64_t page = 0; page < pattern->pages; page++) {
        pattern_make_page(pattern->memory + page * PATTERN_WORDS, page, 1);
    }
    pattern->generation = 1;
    pattern->next_page = 0;
}

void pattern_write_next(struct pattern *pattern)
{
    pattern_make_page(pattern->memory + pattern->next_page * PATTERN_WORDS,
                      pattern->next_page, pattern->generation + 1);
    pattern->next_page++;
    if (pattern->next_page == pattern->pages) {
        pattern->generation++;
        pattern->next_page = 0;
    }
}

uint64_t pattern_expected_generation(const struct pattern *pattern, uint64_t page)
{
    return pattern->generation + (page < pattern->next_page ? 1 : 0);
}

static int page_equals(const uint64_t *words, uint64_t page, uint64_t generation)
{
    uint64_t wanted[PATTERN_WORDS];

    pattern_make_page(wanted, page, generation);
    return memcmp(words, wanted, sizeof wanted) == 0;
}

/* A torn page: each of its words is the right one of some generation that this
 * page has held. A lost write leaves recent generations behind, so only the
 * last ones are tried; a word older than that makes the page bad, not intact. */
static int page_is_mixture(const uint64_t *words, uint64_t page, uint64_t newest)
{
    enum { TRIED_GENERATIONS = 8 };
    uint64_t candidates[TRIED_GENERATIONS][PATTERN_WORDS];
    uint64_t tried = newest < TRIED_GENERATIONS ? newest : TRIED_GENERATIONS;

    for (uint64_t i = 0; i < tried; i++) {
        pattern_make_page(candidates[i], page, newest - i);
    }
    for (size_t word = 0; word < PATTERN_WORDS; word++) {
        uint64_t i = 0;

        while (i < tried && candidates[i][word] != words[word]) {
            i++;
        }
        if (i == tried) {
            return 0;
        }
    }
    return 1;
}

enum page_state { PAGE_INTACT, PAGE_STALE, PAGE_TORN, PAGE_BAD };

static enum page_state judge_page(const uint64_t *words, uint64_t page,
                                  uint64_t expected)
{
    uint64_t held = words[WORD_GENERATION];

    if (page_equals(words, page, expected)) {
        return PAGE_INTACT;
    }
    if (words[WORD_CHECKSUM] == checksum(words) && held >= 1 && held < expected
        && page_equals(words, page, held)) {
        return PAGE_STALE;
    }
    return page_is_mixture(words, page, expected) ? PAGE_TORN : PAGE_BAD;
}

struct pattern_verdict pattern_verify(const struct pattern *pattern)
{
    struct pattern_verdict verdict = { .pages = pattern->pages };
    int damaged = 0;

    for (uint64_t page = 0; page < pattern->pages; page++) {
        enum page_state state =
            judge_page(pattern->memory + page * PATTERN_WORDS, page,
                       pattern_expected_generation(pattern, page));

        verdict.intact += state == PAGE_INTACT;
        verdict.stale += state == PAGE_STALE;
        verdict.torn += state == PAGE_TORN;
        verdict.bad += state == PAGE_BAD;
        if (state != PAGE_INTACT && !damaged) {
            verdict.first_damaged_page = page;
            damaged = 1;
        }
    }
    return verdict;
}

static int verdict_is(const struct pattern *pattern, uint64_t stale, uint64_t torn,
                      uint64_t bad)
{
    struct pattern_verdict v = pattern_verify(pattern);

    return v.pages == pattern->pages && v.stale == stale && v.torn == torn
        && v.bad == bad && v.intact == pattern->pages - stale - torn - bad;
}

const char *pattern_self_test(void)
{
    enum { PAGES = 16, WRITES = 3 * PAGES + 5 };
    static uint64_t memory[PAGES * PATTERN_WORDS], saved[PATTERN_WORDS];
    struct pattern pattern = { .memory = memory, .pages = PAGES };
    uint64_t *page_9 = memory + 9 * PATTERN_WORDS;
    uint64_t *page_2 = memory + 2 * PATTERN_WORDS;
    uint64_t now_9, now_2;

    pattern_fill(&pattern);
    if (!verdict_is(&pattern, 0, 0, 0)) {
        return "a fresh pattern is not intact";
    }
    for (int i = 0; i < WRITES; i++) {
        pattern_write_next(&pattern);
        if (!verdict_is(&pattern, 0, 0, 0)) {
            return "a pattern that is being rewritten is not intact";
        }
    }
    now_2 = pattern_expected_generation(&pattern, 2);
    now_9 = pattern_expected_generation(&pattern, 9);
    if (now_2 != now_9 + 1) {
        return "a page behind the writer does not hold the next generation";
    }

    /* One flipped bit in every single word, the header's words included. */
    for (size_t word = 0; word < PATTERN_WORDS; word++) {
        page_9[word] ^= UINT64_C(1) << (word % 64);
        if (!verdict_is(&pattern, 0, 0, 1)) {
            return "a flipped bit is not found";
        }
        page_9[word] ^= UINT64_C(1) << (word % 64);
    }
    /* A flipped bit with a checksum that fits it. */
    page_9[100] ^= 1;
    page_9[WORD_CHECKSUM] = checksum(page_9);
    if (!verdict_is(&pattern, 0, 0, 1)) {
        return "a wrong page with a fitting checksum is not found";
    }
    /* A page of zeros, as a page that never arrived would be. */
    memset(page_9, 0, PATTERN_PAGE_BYTES);
    if (!verdict_is(&pattern, 0, 0, 1)) {
        return "a zeroed page is not found";
    }
    /* Another page's content, right in itself. */
    pattern_make_page(page_9, 8, now_9);
    if (!verdict_is(&pattern, 0, 0, 1)) {
        return "a page in another page's place is not found";
    }
    /* A generation that has not been written yet. */
    pattern_make_page(page_9, 9, now_9 + 1);
    if (!verdict_is(&pattern, 0, 0, 1)) {
        return "a page from the future is not found";
    }
    /* One lost write: the page before the writer, and the one behind it. */
    pattern_make_page(page_9, 9, now_9 - 1);
    if (!verdict_is(&pattern, 1, 0, 0)) {
        return "a stale page is not called stale";
    }
    pattern_make_page(page_2, 2, now_2 - 1);
    if (!verdict_is(&pattern, 2, 0, 0)) {
        return "a stale page behind the writer is not called stale";
    }
    pattern_make_page(page_2, 2, now_2);
    /* Half of the page is one generation old. */
    pattern_make_page(saved, 9, now_9);
    memcpy(page_9 + PATTERN_WORDS / 2, saved + PATTERN_WORDS / 2,
           PATTERN_PAGE_BYTES / 2);
    if (!verdict_is(&pattern, 0, 1, 0)) {
        return "a torn page is not called torn";
    }
    /* A single old word. */
    pattern_make_page(page_9, 9, now_9);
    pattern_make_page(saved, 9, now_9 - 1);
    page_9[200] = saved[200];
    if (!verdict_is(&pattern, 0, 1, 0)) {
        return "a page with one old word is not called torn";
    }
    pattern_make_page(page_9, 9, now_9);
    if (!verdict_is(&pattern, 0, 0, 0)) {
        return "a repaired pattern is not intact";
    }
    /* The writer's own notes going back in time must not pass either. */
    pattern.generation--;
    if (verdict_is(&pattern, 0, 0, 0)) {
        return "a writer that forgot a generation is not found";
    }
    return NULL;
}
