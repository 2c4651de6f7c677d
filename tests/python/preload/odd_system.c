// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// To be preloaded: a system without IPv6, and clocks that a program moves by
// itself (ctypes.CDLL(None).odd_jump(clock, seconds)).

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static long long g_jump[16];  // seconds, by clock

void odd_jump(int clock, long long seconds) { g_jump[clock] += seconds; }

int clock_gettime(clockid_t clock, struct timespec* time) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, time);
  if (result == 0 && clock >= 0 && clock < 16) time->tv_sec += g_jump[clock];
  return result;
}

int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) *result = now.tv_sec;
  return now.tv_sec;
}

int socket(int domain, int type, int protocol) {
  static int (*real)(int, int, int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "socket");
  if (domain == AF_INET6 && getenv("ODD_NO_IPV6") != NULL) {
    errno = EAFNOSUPPORT;
    return -1;
  }
  return real(domain, type, protocol);
}
