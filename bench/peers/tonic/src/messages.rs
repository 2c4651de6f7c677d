// Copyright 2026 The uvgrpc Authors
// SPDX-License-Identifier: Apache-2.0

//! The messages of bench.proto, as prost would generate them.

use tonic::metadata::{AsciiMetadataKey, MetadataMap};

pub const GREETING: &str = "Hello, you!";
pub const REPLIES: usize = 1000; // of a streaming call; requests of an upload
/// Of a connection that is to carry many small messages: h2 closes one whose
/// unread small frames are too many for its window.
pub const WIDE_WINDOW: u32 = 64 << 20;
pub const LARGEST: usize = 16 << 20; // bytes of a message

/// What the metadata scenarios send each way.
pub fn entries() -> MetadataMap {
    let mut entries = MetadataMap::new();
    for number in 0..20 {
        let key: AsciiMetadataKey = format!("x-entry-{number}").parse().expect("a key");
        entries.insert(key, format!("value-{number}").parse().expect("a value"));
    }
    entries
}

/// Whether all of them are there.
pub fn complete(metadata: &MetadataMap) -> bool {
    (0..20).all(|number| {
        metadata
            .get(format!("x-entry-{number}"))
            .is_some_and(|value| value.as_bytes() == format!("value-{number}").as_bytes())
    })
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub sleep_millisecond: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Reply {
    #[prost(string, tag = "1")]
    pub message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

impl Payload {
    /// What an echo sends: no two neighbouring pieces are the same.
    pub fn of(size: usize) -> Self {
        let data = (0..size).map(|i| (i % 251) as u8).collect();
        Self { data }
    }
}

impl Request {
    /// What every load sends.
    pub fn you() -> Self {
        Self {
            name: "you".into(),
            sleep_millisecond: 0,
        }
    }
}

impl Reply {
    /// To an upload.
    pub fn to_all(requests: usize) -> Self {
        Self {
            message: format!("Hello, {requests}!"),
        }
    }

    pub fn to(request: &Request) -> Self {
        Self {
            message: format!("Hello, {}!", request.name),
        }
    }
}
