// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! The generated code, and the server's services.

use std::pin::Pin;
use std::time::Duration;

use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::messages::{self, Payload, REPLIES, Reply};

pub mod unary {
    include!(concat!(env!("OUT_DIR"), "/bench.Unary.rs"));
}
pub mod upload {
    include!(concat!(env!("OUT_DIR"), "/bench.Upload.rs"));
}
pub mod streaming {
    include!(concat!(env!("OUT_DIR"), "/bench.Streaming.rs"));
}
pub mod pingpong {
    include!(concat!(env!("OUT_DIR"), "/bench.PingPong.rs"));
}
pub mod echo {
    include!(concat!(env!("OUT_DIR"), "/bench.Echo.rs"));
}

type Replies = Pin<Box<dyn Stream<Item = Result<Reply, Status>> + Send>>;

pub struct Greeter;

#[tonic::async_trait]
impl unary::unary_server::Unary for Greeter {
    async fn say_hello(
        &self,
        request: Request<messages::Request>,
    ) -> Result<Response<Reply>, Status> {
        let request = request.into_inner();
        if let Ok(wait @ 1..) = u64::try_from(request.sleep_millisecond) {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        Ok(Response::new(Reply::to(&request)))
    }
}

/// Wants the entries of the metadata scenarios, and sends them back.
pub struct WithMetadata;

#[tonic::async_trait]
impl unary::unary_server::Unary for WithMetadata {
    async fn say_hello(
        &self,
        request: Request<messages::Request>,
    ) -> Result<Response<Reply>, Status> {
        if !messages::complete(request.metadata()) {
            return Err(Status::invalid_argument("metadata is missing"));
        }
        let mut response = Response::new(Reply::to(request.get_ref()));
        *response.metadata_mut() = messages::entries();
        Ok(response)
    }
}

#[tonic::async_trait]
impl upload::upload_server::Upload for Greeter {
    async fn say_hello(
        &self,
        requests: Request<Streaming<messages::Request>>,
    ) -> Result<Response<Reply>, Status> {
        let mut requests = requests.into_inner();
        let mut read = 0;
        while requests.message().await?.is_some() {
            read += 1;
        }
        Ok(Response::new(Reply::to_all(read)))
    }
}

#[tonic::async_trait]
impl streaming::streaming_server::Streaming for Greeter {
    type SayHelloStream = Replies;

    async fn say_hello(
        &self,
        request: Request<messages::Request>,
    ) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let replies = (0..REPLIES).map(move |_| Ok(Reply::to(&request)));
        Ok(Response::new(Box::pin(tokio_stream::iter(replies))))
    }
}

#[tonic::async_trait]
impl pingpong::ping_pong_server::PingPong for Greeter {
    type SayHelloStream = Replies;

    async fn say_hello(
        &self,
        requests: Request<Streaming<messages::Request>>,
    ) -> Result<Response<Replies>, Status> {
        let replies = requests
            .into_inner()
            .map(|request| request.map(|request| Reply::to(&request)));
        Ok(Response::new(Box::pin(replies)))
    }
}

#[tonic::async_trait]
impl echo::echo_server::Echo for Greeter {
    async fn repeat(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}
