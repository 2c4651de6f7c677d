// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

use std::time::{Duration, Instant};

/// Time, CPU of all threads and context switches of this process since it was
/// opened. Both ends are told to the harness, which looks at the other side.
pub struct Window {
    clock: Instant,
    usage: libc::rusage,
}

pub struct Spent {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub context_switches: i64,
}

impl Window {
    pub fn open() -> Self {
        println!(r#"{{"window": "open"}}"#);
        Self {
            clock: Instant::now(),
            usage: usage(),
        }
    }

    pub fn close(self) -> Spent {
        let seconds = self.clock.elapsed().as_secs_f64();
        let usage = usage();
        println!(r#"{{"window": "closed"}}"#);
        Spent {
            seconds,
            cpu_seconds: (cpu(&usage) - cpu(&self.usage)).as_secs_f64(),
            context_switches: switches(&usage) - switches(&self.usage),
        }
    }
}

fn usage() -> libc::rusage {
    // SAFETY: an rusage of zeros is one, and getrusage() only writes to it.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}

fn cpu(usage: &libc::rusage) -> Duration {
    let part = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    part(usage.ru_utime) + part(usage.ru_stime)
}

fn switches(usage: &libc::rusage) -> i64 {
    usage.ru_nvcsw + usage.ru_nivcsw
}
