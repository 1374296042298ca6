/* What the parts of guest-agent share. */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* util.c */
double clock_seconds(int clock_id);
void sleep_seconds(double seconds);
/* Writes a JSON string with its quotes. Bytes that are not plain ASCII are
 * escaped: a damaged kernel may log anything. */
void json_string(FILE *out, const char *text);
/* A number of the kernel's, e.g. meminfo_bytes("MemTotal"); 0 if unknown. */
uint64_t meminfo_bytes(const char *key);
/* false unless the whole word is a number from 1 to limit. */
bool parse_count(const char *word, uint64_t limit, uint64_t *value);

/* kernel_log.c: follows /dev/kmsg from boot on. */
void kernel_log_start(void);
void kernel_log_print(FILE *out, bool errors_only); /* a JSON array */

/* stressor.c: one stressor at a time. Errors come back as one line. */
const char *stressor_start(const char *name, uint64_t threads, uint64_t bytes);
const char *stressor_stop(void);
double stressor_cpu_seconds(void);
void stressor_print(FILE *out); /* a JSON object */

/* rewriter.c: the stressor "rewrite": few pages, each written and checked about
 * once a second without ever sleeping. Says on stdout where a write was lost. */
int rewrite_forever(uint64_t bytes);

/* writer.c: the thread that keeps rewriting the pattern. */
const char *writer_start(uint64_t bytes, uint64_t bytes_per_second);
const char *writer_stop(void);
/* Stops the writing, checks every page and prints a whole answer. The writing
 * stays stopped: what was checked must not change behind the answer. */
const char *writer_verify(FILE *out);
void writer_print(FILE *out);   /* a JSON object */
void progress_print(FILE *out); /* a JSON array, oldest sample first */

#endif
