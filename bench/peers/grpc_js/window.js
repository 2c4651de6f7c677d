// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0
'use strict';

/** Prints one line of JSON for the harness. */
function emit(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

/**
 * Time, CPU of all threads and context switches of this process since it was
 * made. Both ends are told to the harness, which looks at the other side.
 */
class Window {
  constructor() {
    emit({ window: 'open' });
    this.usage = process.resourceUsage();
    this.clock = performance.now();
  }

  close(count) {
    const seconds = (performance.now() - this.clock) / 1e3;
    const now = process.resourceUsage();
    emit({ window: 'closed' });
    const since = (...keys) => keys.reduce((sum, key) => sum + now[key] - this.usage[key], 0);
    return {
      count,
      seconds,
      cpu_seconds: since('userCPUTime', 'systemCPUTime') / 1e6,
      context_switches: since('voluntaryContextSwitches', 'involuntaryContextSwitches'),
    };
  }
}

module.exports = { Window, emit };
