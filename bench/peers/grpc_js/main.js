// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

// A peer of the benchmark: grpc-js. The harness starts it as it starts every
// peer (see peers/program.py):
//
//   node main.js serve --service KIND ...
//   node main.js client --load KIND --target HOST:PORT ...
//
// It prints lines of JSON.
'use strict';

const { load } = require('./load');
const { serve } = require('./serve');
const { emit } = require('./window');
const { NotYet } = require('./bench');

const NOT_YET = 3;

async function main([role, ...rest]) {
  const flags = {};
  for (let i = 0; i + 1 < rest.length; i += 2) flags[rest[i].slice(2)] = rest[i + 1];
  if (role === 'serve') return serve(flags);
  if (role === 'client') return load(flags);
  throw new Error(`no role ${role}`);
}

main(process.argv.slice(2)).then(
  () => process.exit(0), // a client's channel would keep it up
  (error) => {
    if (error instanceof NotYet) {
      emit({ not_yet: error.message });
      process.exit(NOT_YET);
    }
    console.error(error);
    process.exit(1);
  },
);
