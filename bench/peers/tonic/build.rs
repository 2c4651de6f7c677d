// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! The clients and server traits of bench.proto, by tonic's own generator.
//! It is told the services here instead of reading the file, which would take
//! a protoc.

use tonic_build::manual::{Builder, Method, Service};

fn service(name: &str) -> Service {
    let mut method = Method::builder()
        .name("say_hello")
        .route_name("SayHello")
        .input_type("crate::messages::Request")
        .output_type("crate::messages::Reply")
        .codec_path("tonic_prost::ProstCodec");
    if name != "Unary" {
        method = method.server_streaming();
    }
    if name == "PingPong" {
        method = method.client_streaming();
    }
    Service::builder()
        .package("bench")
        .name(name)
        .method(method.build())
        .build()
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    Builder::new().compile(&["Unary", "Streaming", "PingPong"].map(service));
    let version = lock_version("tonic");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=TONIC_VERSION={version}");
}

/// The version of a package that Cargo.lock pins, for the report.
fn lock_version(package: &str) -> String {
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock is readable");
    let entry = format!("name = \"{package}\"\nversion = \"");
    let start = lock.find(&entry).expect("Cargo.lock names the package") + entry.len();
    lock[start..].split('"').next().unwrap_or("").to_owned()
}
