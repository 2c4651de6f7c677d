// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

use tokio::net::TcpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::messages::LARGEST;
use crate::services::{Greeter, echo, pingpong, streaming, unary};
use crate::{Failure, VERSIONS};

/// A thousand clients may connect at once; 128 are Rust's default.
const BACKLOG: u32 = 4096;

/// Prints its port, serves until SIGTERM, prints that nothing is left.
pub async fn serve(service: &str) -> Result<(), Failure> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut builder = Server::builder();
    let router = match service {
        "unary" => builder.add_service(unary::unary_server::UnaryServer::new(Greeter)),
        "streaming" => {
            builder.add_service(streaming::streaming_server::StreamingServer::new(Greeter))
        }
        "pingpong" => builder.add_service(pingpong::ping_pong_server::PingPongServer::new(Greeter)),
        "echo" => builder.add_service(
            echo::echo_server::EchoServer::new(Greeter).max_decoding_message_size(LARGEST),
        ),
        other => return Err(format!("no service {other:?}").into()),
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
