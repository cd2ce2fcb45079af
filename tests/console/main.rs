//! The console through the real binary: signing in, pages, forms, and hostile texts. `tests/browser` tests what needs a
//! browser.

#[path = "../support/mod.rs"]
mod support;

mod a_file_is_sent_by_a_form;
mod a_form_does_what_its_route_does;
mod a_secret_is_shown_once;
mod commands_on_the_pages_exist;
mod every_page_is_its_readers_alone;
mod hostile_texts_stay_texts;
mod now_says_what_needs_its_reader;
mod only_a_session_opens_a_page;
mod people_see_what_stands_for_them;
mod requests_are_decided_by_their_forms;
mod site;
mod the_assets_are_those_of_the_table;
mod the_database_is_checked_from_its_page;
mod what_the_console_says_is_so;
