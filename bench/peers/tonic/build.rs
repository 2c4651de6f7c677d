// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! The clients and server traits of bench.proto, by tonic's own generator.
//! It is told the services here instead of reading the file, which would take
//! a protoc.

use tonic_build::manual::{Builder, Method, Service};

fn service(name: &str) -> Service {
    let method = Method::builder().codec_path("tonic_prost::ProstCodec");
    let mut method = if name == "Echo" {
        method
            .name("repeat")
            .route_name("Repeat")
            .input_type("crate::messages::Payload")
            .output_type("crate::messages::Payload")
    } else {
        method
            .name("say_hello")
            .route_name("SayHello")
            .input_type("crate::messages::Request")
            .output_type("crate::messages::Reply")
    };
    if matches!(name, "Streaming" | "PingPong") {
        method = method.server_streaming();
    }
    if matches!(name, "PingPong" | "Upload") {
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
    Builder::new().compile(&["Unary", "Streaming", "PingPong", "Upload", "Echo"].map(service));
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
