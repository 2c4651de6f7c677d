// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What code compiled with a newer glibc's headers, and a newer libstdc++.a,
// want of the C library and glibc 2.28 lacks.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

// libstdc++ counts references without atomic operations as long as this is
// true (glibc 2.32).
char __libc_single_threaded = 0;

// std::random_device's first choice (glibc 2.36).
uint32_t arc4random(void) {
  uint32_t number;
  if (getentropy(&number, sizeof(number)) != 0) abort();
  return number;
}

// glibc 2.29 has these anew, without the ways of SVID that nobody asks for.
#ifdef __x86_64__
#define UVGRPC_FIRST "GLIBC_2.2.5"
#else
#define UVGRPC_FIRST "GLIBC_2.17"
#endif
__asm__(".symver first_pow, pow@" UVGRPC_FIRST);
__asm__(".symver first_log2, log2@" UVGRPC_FIRST);
double first_pow(double, double);
double first_log2(double);

double __wrap_pow(double base, double exponent) {
  return first_pow(base, exponent);
}

double __wrap_log2(double number) { return first_log2(number); }
