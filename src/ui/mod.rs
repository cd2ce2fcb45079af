//! The console: pages for the people who own the box. Each page is one file with a template of the same name. A page
//! calls the API's routes with its reader's credential and shows the replies. Its forms name routes of the API. The
//! console has no rules and no SQL of its own.

mod agent;
mod agents;
mod audit;
pub(crate) mod core;
mod docs;
mod find;
mod inbox;
mod knowledge;
mod login;
mod message;
mod needs;
mod now;
mod operations;
mod people;
mod program;
mod records;
mod requests;
mod spaces;
mod table;
mod the_box;

pub(crate) use core::serve::refusal as refusal_page;
pub(crate) use docs::page as doc_page;
pub(crate) use program::page as framed_page;
pub use table::routes;
