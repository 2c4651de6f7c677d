// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! A peer of the benchmark, and the other side of its real connections: tonic
//! on one thread. The harness starts it as it starts every peer (see
//! peers/program.py):
//!
//!   tonic_peer serve --service KIND ...
//!   tonic_peer client --load KIND --target HOST:PORT ...
//!
//! It prints lines of JSON. As the other side it has loads that the other peers
//! lack: flood, of streams that are written and read as fast as they let it,
//! and paced, of calls that start at fixed times (see pace.rs).

mod load;
mod messages;
mod pace;
mod serve;
mod services;
mod window;

use std::collections::HashMap;
use std::fs::read;
use std::process::ExitCode;
use std::time::Duration;

use tonic::transport::Identity;

pub const VERSIONS: &str = concat!(r#"{"tonic": ""#, env!("TONIC_VERSION"), r#""}"#);
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const NOT_YET: u8 = 3;

/// A kind of service or load that this peer lacks.
#[derive(Debug)]
pub struct NotYet(pub String);

impl std::fmt::Display for NotYet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for NotYet {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is::<NotYet>() => {
            println!(r#"{{"not_yet": "{failure}"}}"#);
            NOT_YET.into()
        }
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
        "serve" => {
            let identity = match flag("--certificate") {
                Ok(file) => Some(Identity::from_pem(read(file)?, read(flag("--key")?)?)),
                Err(_) => None,
            };
            serve::serve(serve::Options {
                service: flag("--service")?.to_owned(),
                identity,
            })
            .await
        }
        "client" => {
            let options = load::Options {
                load: flag("--load")?.to_owned(),
                target: flag("--target")?.to_owned(),
                concurrency: flag("--concurrency")?.parse()?,
                seconds: Duration::try_from_secs_f64(flag("--seconds")?.parse()?)?,
                size: flags.get("--size").unwrap_or(&"0").parse()?,
                warmup: Duration::try_from_secs_f64(flag("--warmup")?.parse()?)?,
            };
            if options.load == "paced" {
                return pace::load(options, flag("--rate")?.parse()?).await;
            }
            load::load(options).await
        }
        other => Err(format!("no role {other:?}").into()),
    }
}
