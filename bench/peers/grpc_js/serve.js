// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const { REPLIES, SERVICES, VERSIONS, complete, entries, find } = require('./bench');
const { emit } = require('./window');

const answer = (request) => ({ message: `Hello, ${request.name}!` });

function unary(call, callback) {
  const wait = call.request.sleep_millisecond;
  const reply = answer(call.request);
  if (wait) setTimeout(callback, wait, null, reply);
  else callback(null, reply);
}

function metadata(call, callback) {
  if (!complete(call.metadata)) {
    callback({ code: grpc.status.INVALID_ARGUMENT, details: 'metadata is missing' });
    return;
  }
  call.sendMetadata(entries());
  callback(null, answer(call.request));
}

function streaming(call) {
  for (let i = 0; i < REPLIES; i++) call.write(answer(call.request));
  call.end();
}

function pingpong(call) {
  call.on('data', (request) => call.write(answer(request)));
  call.on('end', () => call.end());
  call.on('error', () => {}); // the client has gone
}

function upload(call, callback) {
  let count = 0;
  call.on('data', () => count++);
  call.on('end', () => callback(null, { message: `Hello, ${count}!` }));
  call.on('error', () => {}); // the client has gone
}

const HANDLERS = { unary, sleeping: unary, metadata, intercepted: unary, streaming, pingpong, upload };

function credentials(flags) {
  if (!flags.certificate) return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: fs.readFileSync(flags.certificate), private_key: fs.readFileSync(flags.key) };
  return grpc.ServerCredentials.createSsl(null, [pair], false);
}

/** Prints its port, serves until SIGTERM, prints that nothing is left. */
async function serve(flags) {
  const pass = (_method, call) => new grpc.ServerInterceptingCall(call);
  const server = new grpc.Server(flags.service === 'intercepted' ? { interceptors: [pass] } : {});
  const SayHello = find(HANDLERS, flags.service);
  server.addService(SERVICES[flags.service].service, { SayHello });
  const stopped = new Promise((resolve) => process.once('SIGTERM', resolve));
  const port = await new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials(flags), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  emit({ port, versions: VERSIONS });
  await stopped;
  server.forceShutdown();
  emit({});
}

module.exports = { serve };
