// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// What server and client share: the services of bench.proto by the harness's
// name for them.
'use strict';

const path = require('path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const { bench } = grpc.loadPackageDefinition(
  protoLoader.loadSync(path.join(__dirname, 'bench.proto'), { keepCase: true }),
);

const SERVICES = {
  unary: bench.Unary,
  sleeping: bench.Unary,
  metadata: bench.Unary,
  intercepted: bench.Unary,
  streaming: bench.Streaming,
  pingpong: bench.PingPong,
  upload: bench.Upload,
};

/** A kind of service or load that this peer lacks. */
class NotYet extends Error {}

function find(table, name) {
  if (!Object.hasOwn(table, name)) throw new NotYet(`grpc-js has no ${name} here`);
  return table[name];
}

/** The entries that the metadata scenarios send each way. */
function entries() {
  const metadata = new grpc.Metadata();
  for (let i = 0; i < 20; i++) metadata.set(`x-entry-${i}`, `value-${i}`);
  return metadata;
}

/** Whether all of them are there. */
function complete(metadata) {
  for (let i = 0; i < 20; i++) {
    if (metadata.get(`x-entry-${i}`)[0] !== `value-${i}`) return false;
  }
  return true;
}

module.exports = {
  NotYet,
  REPLIES: 1000, // of a streaming call, and requests of an upload
  SERVICES,
  VERSIONS: {
    'grpc-js': require('@grpc/grpc-js/package.json').version,
    node: process.versions.node,
  },
  complete,
  entries,
  find,
};
