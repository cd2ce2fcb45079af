//! The types for routes, requests and replies. This module has no handlers, no sockets and no SQL.

pub(crate) mod action;
pub mod class;
pub mod codes;
pub mod document;
pub mod error;
pub mod field;
pub mod head;
pub mod html;
pub mod input;
pub mod intake;
pub mod json;
pub mod multipart;
pub mod openapi;
pub mod reply;
pub mod route;
pub mod router;
pub mod service;
pub mod stream;
pub mod tags;
pub mod text;
pub mod tool;
