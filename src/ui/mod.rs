//! The console: pages for the people who own the box. One file a page, its template beside it. A page asks the API's routes
//! in its reader's name and shows the replies; its forms name routes of the API. It has no rules and no SQL of its own.

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
