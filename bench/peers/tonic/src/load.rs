// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::messages::{
    GREETING, LARGEST, Payload, REPLIES, Reply, Request, WIDE_WINDOW, complete, entries,
};
use crate::services::{echo, pingpong, streaming, unary, upload};
use crate::window::{Spent, Window};
use crate::{Failure, NotYet, VERSIONS};

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
    let channel = if options.load == "flood" {
        let endpoint = endpoint(&options.target)?;
        endpoint
            .initial_connection_window_size(WIDE_WINDOW)
            .connect()
            .await?
    } else {
        connect(&options.target).await?
    };
    let tally = Rc::new(Tally::default());
    let mut workers = JoinSet::new();
    for _ in 0..options.concurrency {
        let (channel, tally) = (channel.clone(), tally.clone());
        match options.load.as_str() {
            "unary" | "latency" => workers.spawn_local(call(channel, tally)),
            "intercepted" => workers.spawn_local(call_intercepted(channel, tally)),
            "metadata" => workers.spawn_local(call_with_metadata(channel, tally)),
            "upload" => workers.spawn_local(upload(channel, tally)),
            "flood" => workers.spawn_local(flood(channel, tally)),
            "streaming" => workers.spawn_local(read(channel, tally)),
            "pingpong" => workers.spawn_local(exchange(channel, tally)),
            "echo" => workers.spawn_local(repeat(channel, tally, options.size)),
            other => return Err(NotYet(format!("tonic has no {other} here")).into()),
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
    report(count, spent, took, "");
    Ok(())
}

pub async fn connect(target: &str) -> Result<Channel, Failure> {
    Ok(endpoint(target)?.connect().await?)
}

fn endpoint(target: &str) -> Result<Endpoint, Failure> {
    Ok(Endpoint::from_shared(format!("http://{target}"))?.tcp_nodelay(true))
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

async fn call_intercepted(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = unary::unary_client::UnaryClient::with_interceptor(channel, Ok);
    while !tally.stopped.get() {
        let since = Instant::now();
        let reply = stub.say_hello(Request::you()).await?;
        tally.record(reply.get_ref(), since)?;
    }
    Ok(())
}

async fn call_with_metadata(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = unary::unary_client::UnaryClient::new(channel);
    while !tally.stopped.get() {
        let since = Instant::now();
        let mut request = tonic::Request::new(Request::you());
        *request.metadata_mut() = entries();
        let reply = stub.say_hello(request).await?;
        if !complete(reply.metadata()) {
            return Err("metadata is missing".into());
        }
        tally.record(reply.get_ref(), since)?;
    }
    Ok(())
}

async fn upload(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = upload::upload_client::UploadClient::new(channel);
    while !tally.stopped.get() {
        let requests = (0..REPLIES).map(|_| Request::you());
        let reply = stub.say_hello(tokio_stream::iter(requests)).await?;
        if *reply.get_ref() != Reply::to_all(REPLIES) {
            return Err(format!("the server replied {:?}", reply.get_ref()).into());
        }
        tally.count.set(tally.count.get() + REPLIES as u64);
    }
    Ok(())
}

/// The requests of a flood: a batch for each credit, until there are no more.
struct Flood {
    credit: mpsc::UnboundedReceiver<()>,
    left: usize, // of the batch
}

const BATCH: usize = 100;
const BATCHES_AHEAD: usize = 10; // without a reply yet

impl Stream for Flood {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Request>> {
        if self.left == 0 {
            if ready!(self.credit.poll_recv(context)).is_none() {
                return Poll::Ready(None);
            }
            self.left = BATCH;
        }
        self.left -= 1;
        Poll::Ready(Some(Request::you()))
    }
}

/// Writes ahead of the replies, and reads what comes.
async fn flood(channel: Channel, tally: Rc<Tally>) -> Result<(), Failure> {
    let mut stub = pingpong::ping_pong_client::PingPongClient::new(channel);
    let (grant, credit) = mpsc::unbounded_channel();
    for _ in 0..BATCHES_AHEAD {
        grant.send(())?;
    }
    let mut grant = Some(grant);
    let mut owed = BATCHES_AHEAD * BATCH;
    let since = Instant::now();
    let requests = Flood { credit, left: 0 };
    let mut replies = stub.say_hello(requests).await?.into_inner();
    let mut read = 0;
    while let Some(reply) = replies.message().await? {
        tally.record(&reply, since)?;
        read += 1;
        if read % BATCH != 0 {
            continue;
        }
        if tally.stopped.get() {
            grant = None;
        } else if let Some(grant) = &grant {
            grant.send(())?;
            owed += BATCH;
        }
    }
    if grant.is_some() || read != owed {
        return Err(format!("{read} replies to {owed} requests").into());
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
        if read != REPLIES {
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

/// Prints the result; `more` are further members of its object, each with a comma.
pub fn report(count: u64, spent: Spent, mut took: Vec<Duration>, more: &str) {
    took.sort_unstable();
    let percentile = |part: f64| {
        took.get((took.len() as f64 * part / 100.0) as usize)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"count": {count}, "seconds": {}, "cpu_seconds": {}, "context_switches": {}, "p50_us": {}, "p99_us": {}, "p999_us": {}, {more}"versions": {VERSIONS}}}"#,
        spent.seconds,
        spent.cpu_seconds,
        spent.context_switches,
        percentile(50.0),
        percentile(99.0),
        percentile(99.9),
    );
}
