// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! A peer of the benchmark, and the other side of its real connections: tonic
//! on one thread. The harness starts it as it starts every peer (see
//! peers/program.py):
//!
//!   tonic_peer serve --service unary|streaming|pingpong|echo
//!   tonic_peer client --load unary|latency|streaming|pingpong --target HOST:PORT ...
//!   tonic_peer client --load echo --size BYTES --target HOST:PORT ...
//!
//! It prints lines of JSON.

mod load;
mod messages;
mod serve;
mod services;
mod window;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

pub const VERSIONS: &str = concat!(r#"{"tonic": ""#, env!("TONIC_VERSION"), r#""}"#);
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const NOT_YET: u8 = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "soak") {
        println!(r#"{{"not_yet": "load soak is for peers with the API of grpc.aio"}}"#);
        return NOT_YET.into();
    }
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tonic_peer: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Failure> {
    let (role, flags) = arguments.split_first().ok_or("say serve or client")?;
    let flags: HashMap<&str, &str> = flags
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    let flag = |name: &str| {
        flags
            .get(name)
            .copied()
            .ok_or_else(|| format!("{name} is needed"))
    };
    match role.as_str() {
        "serve" => serve::serve(flag("--service")?).await,
        "client" => {
            load::load(load::Options {
                load: flag("--load")?.to_owned(),
                target: flag("--target")?.to_owned(),
                concurrency: flag("--concurrency")?.parse()?,
                seconds: Duration::try_from_secs_f64(flag("--seconds")?.parse()?)?,
                size: flags.get("--size").unwrap_or(&"0").parse()?,
                warmup: Duration::try_from_secs_f64(flag("--warmup")?.parse()?)?,
            })
            .await
        }
        other => Err(format!("no role {other:?}").into()),
    }
}
