// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

use crate::messages::{LARGEST, WIDE_WINDOW};
use crate::services::echo::echo_server::EchoServer;
use crate::services::pingpong::ping_pong_server::PingPongServer;
use crate::services::streaming::streaming_server::StreamingServer;
use crate::services::unary::unary_server::UnaryServer;
use crate::services::upload::upload_server::UploadServer;
use crate::services::{Greeter, WithMetadata};
use crate::{Failure, NotYet, VERSIONS};

pub struct Options {
    pub service: String,
    pub identity: Option<Identity>,
}

/// A thousand clients may connect at once; 128 are Rust's default.
const BACKLOG: u32 = 4096;

/// Prints its port, serves until SIGTERM, prints that nothing is left.
pub async fn serve(options: Options) -> Result<(), Failure> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut builder = Server::builder();
    if options.service == "upload" {
        builder = builder.initial_connection_window_size(WIDE_WINDOW);
    }
    if let Some(identity) = options.identity {
        builder = builder.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let router = match options.service.as_str() {
        "unary" | "sleeping" => builder.add_service(UnaryServer::new(Greeter)),
        "metadata" => builder.add_service(UnaryServer::new(WithMetadata)),
        "intercepted" => builder.add_service(UnaryServer::with_interceptor(Greeter, Ok)),
        "upload" => builder.add_service(UploadServer::new(Greeter)),
        "streaming" => builder.add_service(StreamingServer::new(Greeter)),
        "pingpong" => builder.add_service(PingPongServer::new(Greeter)),
        "echo" => builder.add_service(EchoServer::new(Greeter).max_decoding_message_size(LARGEST)),
        other => return Err(NotYet(format!("tonic has no {other} here")).into()),
    };
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    let port = listener.local_addr()?.port();
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    println!(r#"{{"port": {port}, "versions": {VERSIONS}}}"#);
    // Ends at once, so that a client that stays does not keep it up.
    tokio::select! {
        served = router.serve_with_incoming(incoming) => served?,
        _ = stop.recv() => {}
    }
    println!("{{}}");
    Ok(())
}
