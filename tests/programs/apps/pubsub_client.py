# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Pub/Sub's async clients: pubsub_client.py TARGET MESSAGES."""

import backend  # isort: skip

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import grpc
import uvloop
from google.pubsub_v1 import (
    PublisherAsyncClient,
    PubsubMessage,
    StreamingPullRequest,
    SubscriberAsyncClient,
    Subscription,
    Topic,
)
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

CONCURRENCY = 20
TOPIC, SUBSCRIPTION = "projects/p/topics/t", "projects/p/subscriptions/s"
target, messages = sys.argv[1], int(sys.argv[2])


async def main() -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
        await publisher.create_topic(Topic(name=TOPIC))
        await subscriber.create_subscription(
            Subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=60)
        )
        before, numbers = time.process_time(), iter(range(messages))

        async def publish() -> None:
            for number in numbers:
                await publisher.publish(topic=TOPIC, messages=[PubsubMessage(data=b"%d" % number)])

        pulling = asyncio.ensure_future(pull(subscriber))
        await asyncio.gather(*(publish() for _ in range(CONCURRENCY)))
        got = await asyncio.wait_for(pulling, 60)
        assert got == {b"%d" % number for number in range(messages)}
        backend.emit(backend.report(channel, *backend.channels(), since=before))


async def pull(subscriber: SubscriberAsyncClient) -> set[bytes]:
    """All messages, by one stream on which they are acknowledged too."""
    acknowledged: asyncio.Queue[list[str]] = asyncio.Queue()

    async def requests() -> AsyncIterator[StreamingPullRequest]:
        yield StreamingPullRequest(subscription=SUBSCRIPTION, stream_ack_deadline_seconds=60)
        while ids := await acknowledged.get():
            yield StreamingPullRequest(ack_ids=ids)

    got: set[bytes] = set()
    stream = await subscriber.streaming_pull(requests=requests())
    async for response in stream:
        got |= {received.message.data for received in response.received_messages}
        acknowledged.put_nowait([received.ack_id for received in response.received_messages])
        if len(got) == messages:
            break
    stream.cancel()
    return got


uvloop.run(main())
