#include "agent.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_PROCESSES = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t group;        /* 0: none was started */
static bool running;       /* the stressor's first process is there */
static char name[16];
static uint64_t workers_started;

struct process {
    pid_t pid, parent;
    bool alive; /* neither a zombie nor dead */
    double cpu_seconds;
    uint64_t resident_bytes;
};

struct usage {
    uint64_t workers_alive, resident_bytes;
    uint64_t peak_resident_bytes; /* the most that each living worker ever held */
    double cpu_seconds;
};

/* /proc/PID/stat, counted from behind the name, which may hold blanks
 * (proc(5): 3 state, 4 ppid, 5 pgrp, 14 utime, 15 stime, 16 cutime,
 * 17 cstime, 24 rss). */
static bool read_process(const char *pid, struct process *process)
{
    char path[64], text[1024], *field;
    char state;
    int parent, its_group;
    unsigned long ticks[4], total = 0;
    long resident_pages;
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    field = strrchr(text, ')');
    if (field == NULL
        || sscanf(field + 1,
                  " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu"
                  " %*d %*d %*d %*d %*u %*u %ld",
                  &state, &parent, &its_group, &ticks[0], &ticks[1], &ticks[2],
                  &ticks[3], &resident_pages) != 8
        || its_group != group) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        total += ticks[i];
    }
    *process = (struct process){
        .pid = (pid_t)atoi(pid),
        .parent = parent,
        .alive = state != 'Z' && state != 'X',
        .cpu_seconds = (double)total / (double)sysconf(_SC_CLK_TCK),
        .resident_bytes = (uint64_t)resident_pages * (uint64_t)sysconf(_SC_PAGESIZE),
    };
    return true;
}

/* VmHWM of /proc/PID/status, in bytes; 0 if the process is gone. */
static uint64_t peak_of(pid_t pid)
{
    char path[64], line[128];
    unsigned long long kib = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL
           && sscanf(line, "VmHWM: %llu", &kib) != 1) {
    }
    fclose(file);
    return kib * 1024;
}

static size_t read_group(struct process *found)
{
    DIR *proc = group != 0 ? opendir("/proc") : NULL;
    struct dirent *entry;
    size_t count = 0;

    if (proc == NULL) {
        return 0;
    }
    while (count < MOST_PROCESSES && (entry = readdir(proc)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])
            && read_process(entry->d_name, &found[count])) {
            count++;
        }
    }
    closedir(proc);
    return count;
}

/* A worker is a process of the group without living children, the first
 * process excepted: stress forks one for each worker, stress-ng a watcher and
 * below it the worker. */
static struct usage measure(void)
{
    static struct process found[MOST_PROCESSES];
    struct usage usage = { 0 };
    size_t count = read_group(found);

    for (size_t i = 0; i < count; i++) {
        bool has_child = false;

        for (size_t j = 0; j < count; j++) {
            has_child = has_child || (found[j].alive && found[j].parent == found[i].pid);
        }
        usage.cpu_seconds += found[i].cpu_seconds;
        if (found[i].alive) {
            usage.resident_bytes += found[i].resident_bytes;
            if (!has_child && found[i].pid != group) {
                usage.workers_alive++;
                usage.peak_resident_bytes += peak_of(found[i].pid);
            }
        }
    }
    return usage;
}

static void reap(void)
{
    if (running && waitpid(group, NULL, WNOHANG) == group) {
        running = false;
    }
}

static void execute_rewriters(uint64_t threads, uint64_t bytes)
{
    char byte_text[24];

    snprintf(byte_text, sizeof byte_text, "%llu", (unsigned long long)bytes);
    for (uint64_t i = 0; i < threads; i++) {
        if (fork() == 0) {
            execl("/bin/guest-agent", "guest-agent", "rewrite", byte_text, (char *)NULL);
            _exit(127);
        }
    }
    while (wait(NULL) > 0) {
    }
    _exit(0);
}

static void execute(const char *program, uint64_t threads, uint64_t bytes)
{
    char thread_text[24], byte_text[24];
    int null = open("/dev/null", O_RDWR);
    int console = open("/dev/console", O_WRONLY);

    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    /* Its last words belong on the console, where the run keeps them. */
    dup2(console >= 0 ? console : null, STDOUT_FILENO);
    dup2(console >= 0 ? console : null, STDERR_FILENO);
    /* The asker's connection among them. closefrom() came with glibc 2.34 only. */
    for (int file = STDERR_FILENO + 1; file < getdtablesize(); file++) {
        close(file);
    }
    if (strcmp(program, "rewrite") == 0) {
        execute_rewriters(threads, bytes);
    }
    snprintf(thread_text, sizeof thread_text, "%llu", (unsigned long long)threads);
    /* stress takes the bytes of one worker, stress-ng those of all of them.
     * stress 1.0.7 refuses a size without a unit. */
    if (strcmp(program, "stress-ng") == 0) {
        bytes *= threads;
    }
    snprintf(byte_text, sizeof byte_text, "%lluk", (unsigned long long)(bytes / 1024));
    if (strcmp(program, "stress-ng") == 0) {
        /* A named method: the default walks through some 70 of them, many of
         * which mostly read, and the rate of dirtied pages with them. */
        execl("/usr/bin/stress-ng", "stress-ng", "--vm", thread_text, "--vm-bytes",
              byte_text, "--vm-method", "write64", "--vm-keep", "--temp-path", "/tmp",
              (char *)NULL);
    } else {
        execl("/usr/bin/stress", "stress", "--vm", thread_text, "--vm-bytes", byte_text,
              (char *)NULL);
    }
    _exit(127);
}

const char *stressor_start(const char *program, uint64_t threads, uint64_t bytes)
{
    const char *error = NULL;
    pid_t child;

    pthread_mutex_lock(&lock);
    reap();
    if (running) {
        error = "a stressor is already running";
    } else if ((child = fork()) < 0) {
        error = "no process for the stressor (fork failed)";
    } else if (child == 0) {
        execute(program, threads, bytes);
    } else {
        setpgid(child, child); /* in both: whoever comes first */
        group = child;
        running = true;
        workers_started = threads;
        snprintf(name, sizeof name, "%s", program);
    }
    pthread_mutex_unlock(&lock);
    return error;
}

const char *stressor_stop(void)
{
    pthread_mutex_lock(&lock);
    if (group != 0) {
        kill(-group, SIGKILL);
        waitpid(group, NULL, 0);
    }
    group = 0;
    running = false;
    workers_started = 0;
    pthread_mutex_unlock(&lock);
    return NULL;
}

double stressor_cpu_seconds(void)
{
    double seconds;

    pthread_mutex_lock(&lock);
    seconds = measure().cpu_seconds;
    pthread_mutex_unlock(&lock);
    return seconds;
}

void stressor_print(FILE *out)
{
    struct usage usage;

    pthread_mutex_lock(&lock);
    reap();
    usage = measure();
    fputs("{\"name\":", out);
    if (group != 0) {
        json_string(out, name);
    } else {
        fputs("null", out);
    }
    fprintf(out,
            ",\"running\":%s,\"workers_alive\":%llu,\"workers_started\":%llu,"
            "\"resident_bytes\":%llu,\"peak_resident_bytes\":%llu,\"cpu_seconds\":%.2f}",
            running ? "true" : "false", (unsigned long long)usage.workers_alive,
            (unsigned long long)workers_started,
            (unsigned long long)usage.resident_bytes,
            (unsigned long long)usage.peak_resident_bytes, usage.cpu_seconds);
    pthread_mutex_unlock(&lock);
}
