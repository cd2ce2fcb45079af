//! The shared parts of all pages: texts and times for people, assets, forms, the frame, and the handler of pages.

pub(crate) mod act;
pub(crate) mod assets;
pub(crate) mod done;
pub(crate) mod filters;
pub(crate) mod form;
pub(crate) mod frame;
mod packer;
pub(crate) mod query;
pub(crate) mod serve;
pub(crate) mod text;
pub(crate) mod upload;
pub(crate) mod view;
pub(crate) mod when;
