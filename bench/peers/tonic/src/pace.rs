// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! Unary calls at a fixed rate. Each has an intended start, and the time it
//! takes is counted from there: a server that stands still for a while makes
//! all calls late that should have started meanwhile, not only the ones that
//! wait for it already (no coordinated omission).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet, yield_now};
use tonic::Code;
use tonic::transport::Channel;

use crate::Failure;
use crate::load::{Options, connect, report};
use crate::messages::{GREETING, Request};
use crate::services::unary::unary_client::UnaryClient;
use crate::window::Window;

/// A server that is so much behind, or that refuses calls, does not hold the rate.
const MOST_BEHIND: Duration = Duration::from_secs(1);

/// What servers with too many calls answer.
const REFUSALS: [Code; 3] = [Code::Cancelled, Code::ResourceExhausted, Code::Unavailable];

#[derive(Default)]
struct Tally {
    done: Cell<usize>,
    refused: Cell<bool>,
    took: RefCell<Vec<Duration>>, // of the calls that were to start in the window
}

pub async fn load(options: Options, rate: f64) -> Result<(), Failure> {
    LocalSet::new().run_until(measure(options, rate)).await
}

async fn measure(options: Options, rate: f64) -> Result<(), Failure> {
    let channel = connect(&options.target).await?;
    let tally = Rc::new(Tally::default());
    let mut calls = JoinSet::new();
    let mut pacer = Pacer {
        channel,
        tally: tally.clone(),
        due: Instant::now(),
        interval: Duration::from_secs_f64(1.0 / rate),
        most: (rate * MOST_BEHIND.as_secs_f64()) as usize,
    };
    let warm = pacer.run(&mut calls, options.warmup, false).await?;
    let before = tally.done.get();
    let window = Window::open();
    let held = warm && pacer.run(&mut calls, options.seconds, true).await?;
    let count = tally.done.get() - before;
    let spent = window.close();
    if held {
        while let Some(done) = calls.join_next().await {
            done??;
        }
    }
    let held = held && !tally.refused.get();
    let took = std::mem::take(&mut *tally.took.borrow_mut());
    report(
        count.max(1) as u64,
        spent,
        took,
        &format!(r#""held": {held}, "#),
    );
    Ok(())
}

struct Pacer {
    channel: Channel,
    tally: Rc<Tally>,
    due: Instant,
    interval: Duration,
    most: usize, // calls under way
}

impl Pacer {
    /// Starts calls for a while; whether the server holds the rate.
    async fn run(
        &mut self,
        calls: &mut JoinSet<Result<(), Failure>>,
        time: Duration,
        measured: bool,
    ) -> Result<bool, Failure> {
        let end = Instant::now() + time;
        while self.due < end {
            // It spins, because timers would make calls late by themselves: the
            // core is the load's own. A yield lets the connection go on.
            while Instant::now() < self.due {
                yield_now().await;
            }
            while let Some(done) = calls.try_join_next() {
                done??;
            }
            if calls.len() > self.most || self.tally.refused.get() {
                return Ok(false);
            }
            let (channel, tally) = (self.channel.clone(), self.tally.clone());
            calls.spawn_local(call(channel, tally, self.due, measured));
            self.due += self.interval;
        }
        Ok(true)
    }
}

async fn call(
    channel: Channel,
    tally: Rc<Tally>,
    due: Instant,
    measured: bool,
) -> Result<(), Failure> {
    let reply = match UnaryClient::new(channel).say_hello(Request::you()).await {
        Ok(reply) => reply.into_inner(),
        Err(status) if REFUSALS.contains(&status.code()) => {
            tally.refused.set(true);
            return Ok(());
        }
        Err(status) => return Err(status.into()),
    };
    if reply.message != GREETING {
        return Err(format!("the server replied {:?}", reply.message).into());
    }
    tally.done.set(tally.done.get() + 1);
    if measured {
        tally.took.borrow_mut().push(due.elapsed());
    }
    Ok(())
}
