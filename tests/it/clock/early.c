/*
 * Stands in front of libfaketime in a program that brings its own allocator, as the gateway does.
 *
 * libfaketime looks its functions up before `main`, the failure of a look-up allocates, and the allocator's first steps are to read the
 * monotonic clock and to make a condition variable: both are libfaketime's by then, which is not ready yet and looks its functions up.
 * So these two are answered here. What the test sets is the clock on the wall; that one is passed on.
 *
 * Of the environment a service inherits little but the names of libraries, so what libfaketime asks it is answered here as well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* OFFSET_FILE: where the test writes how far the clock is from the machine's. */
static const char *const answers[][2] = {
    {"FAKETIME_TIMESTAMP_FILE", OFFSET_FILE},
    {"FAKETIME_NO_CACHE", "1"},
    {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
    {"NO_FAKE_STAT", "1"},
};

char *getenv(const char *name) {
  size_t length = strlen(name);
  for (size_t n = 0; n < sizeof answers / sizeof *answers; n++)
    if (strcmp(name, answers[n][0]) == 0) return (char *)answers[n][1];
  for (char **entry = environ; entry && *entry; entry++)
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  return NULL;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*next)(clockid_t, struct timespec *);
  if (clock != CLOCK_REALTIME) return (int)syscall(SYS_clock_gettime, clock, time);
  if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return next(clock, time);
}

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes) {
  static const pthread_cond_t plain = PTHREAD_COND_INITIALIZER;
  static int (*next)(pthread_cond_t *, const pthread_condattr_t *);
  if (!attributes) {
    *condition = plain;
    return 0;
  }
  if (!next) next = (int (*)(pthread_cond_t *, const pthread_condattr_t *))dlsym(RTLD_NEXT, "pthread_cond_init");
  return next(condition, attributes);
}
