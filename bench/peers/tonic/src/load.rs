// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::messages::{GREETING, LARGEST, Payload, Reply, Request};
use crate::services::{echo, pingpong, streaming, unary};
use crate::window::{Spent, Window};
use crate::{Failure, VERSIONS};

pub struct Options {
    pub load: String,
    pub target: String,
    pub concurrency: usize,
    pub size: usize, // of an echo
    pub seconds: Duration,
    pub warmup: Duration,
}

/// Calls, or messages of streams, that the workers have finished.
#[derive(Default)]
struct Tally {
    count: Cell<u64>,
    took: RefCell<Vec<Duration>>,
    stopped: Cell<bool>,
}

impl Tally {
    fn record(&self, reply: &Reply, since: Instant) -> Result<(), Failure> {
        if reply.message != GREETING {
            return Err(format!("the server replied {:?}", reply.message).into());
        }
        self.count(since);
        Ok(())
    }

    fn count(&self, since: Instant) {
        self.count.set(self.count.get() + 1);
        self.took.borrow_mut().push(since.elapsed());
    }
}

/// Puts a load on a server for a while, after a warm-up, and prints what was
/// done. Every reply is compared.
pub async fn load(options: Options) -> Result<(), Failure> {
    LocalSet::new().run_until(measure(options)).await
}

async fn measure(options: Options) -> Result<(), Failure> {
    let channel = Endpoint::from_shared(format!("http://{}", options.target))?
        .tcp_nodelay(true)
        .connect()
        .await?;
    let tally = Rc::new(Tally::default());
    let mut workers = JoinSet::new();
    for _ in 0..options.concurrency {
        let (channel, tally) = (channel.clone(), tally.clone());
        match options.load.as_str() {
            "unary" | "latency" => workers.spawn_local(call(channel, tally)),
            "streaming" => workers.spawn_local(read(channel, tally)),
            "pingpong" => workers.spawn_local(exchange(channel, tally)),
            "echo" => workers.spawn_local(repeat(channel, tally, options.size)),
            other => return Err(format!("no load {other:?}").into()),
        };
    }
    wait(&mut workers, options.warmup).await?;
    let before = tally.count.get();
    tally.took.borrow_mut().clear();
    let window = Window::open();
    wait(&mut workers, options.seconds).await?;
    let spent = window.close();
    let count = tally.count.get() - before;
    let took = std::mem::take(&mut *tally.took.borrow_mut());
    tally.stopped.set(true);
    while let Some(done) = workers.join_next().await {
        done??;
    }
    report(count, spent, took);
    Ok(())
}

/// Waits a while; a worker that ends meanwhile has failed.
async fn wait(workers: &mut JoinSet<Result<(), Failure>>, time: Duration) -> Result<(), Failure> {
    match tokio::time::timeout(time, workers.join_next()).await {
        Err(_elapsed) => Ok(()),
        Ok(Some(done)) => done?.and(Err("a worker ended before its time".into())),
        Ok(None) => Err("no worker was started".into()),
    }
}

async fn call(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = unary::unary_client::UnaryClient::new(channel);
    while !tally.stopped.get() {
        let since = Instant::now();
        let reply = stub.say_hello(Request::you()).await?;
        tally.record(reply.get_ref(), since)?;
    }
    Ok(())
}

async fn read(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = streaming::streaming_client::StreamingClient::new(channel);
    while !tally.stopped.get() {
        let since = Instant::now();
        let mut replies = stub.say_hello(Request::you()).await?.into_inner();
        let mut read = 0;
        while let Some(reply) = replies.message().await? {
            tally.record(&reply, since)?;
            read += 1;
        }
        if read != crate::messages::REPLIES {
            return Err(format!("a stream had {read} replies").into());
        }
    }
    Ok(())
}

async fn exchange(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = pingpong::ping_pong_client::PingPongClient::new(channel);
    let (requests, stream) = mpsc::channel(1);
    // Before the call: a server may send its headers with its first reply.
    let mut since = Instant::now();
    requests.send(Request::you()).await?;
    let mut replies = stub
        .say_hello(ReceiverStream::new(stream))
        .await?
        .into_inner();
    loop {
        let reply = replies.message().await?.ok_or("a stream ended early")?;
        tally.record(&reply, since)?;
        if tally.stopped.get() {
            break;
        }
        since = Instant::now();
        requests.send(Request::you()).await?;
    }
    drop(requests);
    match replies.message().await? {
        None => Ok(()),
        Some(_) => Err("a reply to no request".into()),
    }
}

async fn repeat(channel: Channel, tally: Rc<Tally>, size: usize) -> Result<(), Failure> {
    let mut stub = echo::echo_client::EchoClient::new(channel).max_decoding_message_size(LARGEST);
    let payload = Payload::of(size);
    while !tally.stopped.get() {
        let since = Instant::now();
        let reply = stub.repeat(payload.clone()).await?;
        if *reply.get_ref() != payload {
            return Err("the server replied something else".into());
        }
        tally.count(since);
    }
    Ok(())
}

fn report(count: u64, spent: Spent, mut took: Vec<Duration>) {
    took.sort_unstable();
    let percentile = |part: usize| {
        took.get(took.len() * part / 100)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"count": {count}, "seconds": {}, "cpu_seconds": {}, "context_switches": {}, "p50_us": {}, "p99_us": {}, "versions": {VERSIONS}}}"#,
        spent.seconds,
        spent.cpu_seconds,
        spent.context_switches,
        percentile(50),
        percentile(99),
    );
}
