//! The files that pages load, embedded in the program. The name of each contains its hash, so that a browser can cache
//! it for ever.

use std::sync::OnceLock;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, VARY};
use hyper::http::StatusCode;

use super::packer;
use crate::api::App;
use crate::api::engine::call::Handled;
use crate::rest::codes;
use crate::rest::document::takes_gzip;
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};

/// A file of `assets/`.
struct Asset {
    name: &'static str,
    hashed: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    packed: &'static [u8],
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
/// The path of the files.
const PATH: &str = "/ui/assets/";
/// The fewest bytes of a page that is compressed.
const WORTH: usize = 1024;

/// The address of an asset.
pub(crate) fn url(name: &str) -> String {
    let hashed = ASSETS.iter().find(|asset| asset.name == name).map_or(name, |asset| asset.hashed);
    format!("{PATH}{hashed}")
}

/// The address of the icons.
pub(crate) fn icons() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| url("icons.svg"))
}

/// `GET /ui/assets/{file}`.
pub(crate) fn serve(_: &App, input: Input) -> Handled {
    let asset = ASSETS.iter().find(|asset| asset.hashed == input.param(0)).ok_or(codes::NOT_FOUND)?;
    Ok(reply(asset, &input.head, "public, max-age=31536000, immutable").into())
}

/// `GET /favicon.ico`: browsers ask for it by this name.
pub(crate) fn favicon(_: &App, input: Input) -> Handled {
    let asset = ASSETS.iter().find(|asset| asset.name == "favicon.svg").ok_or(codes::NOT_FOUND)?;
    Ok(reply(asset, &input.head, "public, max-age=86400").into())
}

fn reply(asset: &'static Asset, head: &Head, cache: &str) -> Reply {
    let reply = if takes_gzip(&head.headers) {
        Reply::typed(StatusCode::OK, asset.kind, Bytes::from_static(asset.packed)).with(CONTENT_ENCODING, "gzip")
    } else {
        Reply::typed(StatusCode::OK, asset.kind, Bytes::from_static(asset.plain))
    };
    reply.with(CACHE_CONTROL, cache).with(VARY, "Accept-Encoding")
}

/// Compresses a page if the client accepts gzip. The caller must not pass a page that has a secret next to text of
/// somebody else: the length would reveal information about the secret.
pub(crate) fn packed(reply: Reply, head: &Head) -> Reply {
    let Body::Bytes(bytes) = &reply.body else { return reply };
    if bytes.len() < WORTH || !takes_gzip(&head.headers) {
        return reply;
    }
    let Some(packed) = packer::gzip(bytes) else { return reply };
    let mut reply = reply.with(CONTENT_ENCODING, "gzip").with(VARY, "Accept, Accept-Encoding");
    reply.body = Body::Bytes(packed.into());
    reply
}
