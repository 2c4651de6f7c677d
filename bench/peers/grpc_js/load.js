// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0
'use strict';

const grpc = require('@grpc/grpc-js');
const { REPLIES, SERVICES, VERSIONS, complete, entries, find } = require('./bench');
const { Window, emit } = require('./window');

const REQUEST = { name: 'you', sleep_millisecond: 0 };
const GREETING = 'Hello, you!';

/** Calls, or messages of streams, that the workers have finished. */
class Tally {
  count = 0;
  took = [];
  stopped = false;

  record(reply, since) {
    check(reply, GREETING);
    this.count++;
    this.took.push(performance.now() - since);
  }
}

function check(reply, wanted) {
  if (reply.message !== wanted) throw new Error(`the server replied ${reply.message}`);
}

function call(stub, ...before) {
  return new Promise((resolve, reject) => {
    stub.SayHello(REQUEST, ...before, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function unary(stub, tally) {
  while (!tally.stopped) {
    const since = performance.now();
    tally.record(await call(stub), since);
  }
}

async function intercepted(stub, tally) {
  const interceptors = [(options, next) => new grpc.InterceptingCall(next(options))];
  while (!tally.stopped) {
    const since = performance.now();
    tally.record(await call(stub, { interceptors }), since);
  }
}

async function metadata(stub, tally) {
  while (!tally.stopped) {
    const since = performance.now();
    const { reply, initial } = await new Promise((resolve, reject) => {
      let initial;
      const done = (error, reply) => (error ? reject(error) : resolve({ reply, initial }));
      stub.SayHello(REQUEST, entries(), done).on('metadata', (received) => (initial = received));
    });
    if (!complete(initial)) throw new Error('metadata is missing');
    tally.record(reply, since);
  }
}

async function streaming(stub, tally) {
  while (!tally.stopped) {
    const since = performance.now();
    let read = 0;
    await new Promise((resolve, reject) => {
      const stream = stub.SayHello(REQUEST);
      stream.on('data', (reply) => {
        read++;
        tally.record(reply, since);
      });
      stream.on('error', reject);
      stream.on('end', resolve);
    });
    if (read !== REPLIES) throw new Error(`a stream had ${read} replies`);
  }
}

async function upload(stub, tally) {
  while (!tally.stopped) {
    const reply = await new Promise((resolve, reject) => {
      const stream = stub.SayHello((error, reply) => (error ? reject(error) : resolve(reply)));
      for (let i = 0; i < REPLIES; i++) stream.write(REQUEST);
      stream.end();
    });
    check(reply, `Hello, ${REPLIES}!`);
    tally.count += REPLIES;
  }
}

function pingpong(stub, tally) {
  return new Promise((resolve, reject) => {
    const stream = stub.SayHello();
    let since = performance.now();
    stream.on('data', (reply) => {
      tally.record(reply, since);
      if (tally.stopped) {
        stream.end();
        return;
      }
      since = performance.now();
      stream.write(REQUEST);
    });
    stream.on('error', reject);
    stream.on('end', resolve);
    stream.write(REQUEST);
  });
}

const WORKERS = { unary, latency: unary, intercepted, metadata, streaming, pingpong, upload };

/**
 * Puts a load on a server for a while, after a warm-up, and prints what was
 * done. Every reply is compared.
 */
async function load(flags) {
  const worker = find(WORKERS, flags.load);
  const Client = SERVICES[flags.load === 'latency' ? 'unary' : flags.load];
  const stub = new Client(flags.target, grpc.credentials.createInsecure());
  const tally = new Tally();
  const workers = Array.from({ length: Number(flags.concurrency) }, () => worker(stub, tally));
  const failed = Promise.all(workers);
  await elapse(flags.warmup, failed);
  tally.took.length = 0;
  const before = tally.count;
  const window = new Window();
  await elapse(flags.seconds, failed);
  const result = window.close(tally.count - before);
  const took = Float64Array.from(tally.took).sort();
  tally.stopped = true;
  await failed;
  emit({ ...result, ...percentiles(took), versions: VERSIONS });
}

/** Waits a while; workers that end meanwhile have failed. */
async function elapse(seconds, failed) {
  const early = failed.then(() => Promise.reject(new Error('a worker ended before its time')));
  await Promise.race([early, new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1e3))]);
}

/** Of a sorted array of milliseconds. */
function percentiles(took) {
  const at = (part) => (took.length ? took[Math.floor((took.length * part) / 100)] * 1e3 : 0);
  return { p50_us: at(50), p99_us: at(99) };
}

module.exports = { load };
