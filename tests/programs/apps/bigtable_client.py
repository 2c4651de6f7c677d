# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Bigtable's async data client: bigtable_client.py ROWS; BIGTABLE_EMULATOR_HOST names the emulator."""

import backend  # isort: skip

import asyncio
import os
import sys
import time
import warnings

import grpc
import uvloop
from google.cloud.bigtable.data import BigtableDataClientAsync, ReadRowsQuery, SetCell
from google.cloud.bigtable_admin_v2 import BigtableTableAdminAsyncClient, ColumnFamily, Table
from google.cloud.bigtable_admin_v2.services.bigtable_table_admin.transports import (
    BigtableTableAdminGrpcAsyncIOTransport,
)

warnings.filterwarnings("ignore", message="Connecting to Bigtable emulator")
CONCURRENCY = 20
PARENT = "projects/p/instances/i"
rows = int(sys.argv[1])


async def main() -> None:
    channel = grpc.aio.insecure_channel(os.environ["BIGTABLE_EMULATOR_HOST"])
    admin = BigtableTableAdminAsyncClient(transport=BigtableTableAdminGrpcAsyncIOTransport(channel=channel))
    await admin.create_table(
        parent=PARENT, table_id="t", table=Table(column_families={"f": ColumnFamily()}), timeout=20
    )
    async with BigtableDataClientAsync(project="p") as client, client.get_table("i", "t") as table:
        before, numbers = time.process_time(), iter(range(rows))

        async def put_and_get() -> None:
            for number in numbers:
                key = b"row/%06d" % number
                await table.mutate_row(key, SetCell("f", b"q", b"%d" % number))
                found = await table.read_row(key)
                assert found is not None
                assert found.cells[0].value == b"%d" % number

        await asyncio.gather(*(put_and_get() for _ in range(CONCURRENCY)))
        assert len(await table.read_rows(ReadRowsQuery())) == rows
        backend.emit(backend.report(channel, *backend.channels(), since=before))
    await channel.close()


uvloop.run(main())
