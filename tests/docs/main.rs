//! The documentation is true: every example runs, every link leads somewhere, every table is what the code says.

#[path = "../support/mod.rs"]
mod support;

mod fences;
mod generated;
mod harness;
mod pages;
mod replay;
mod script;

mod an_agent_can_read_the_pages_with_curl_and_a_person_in_a_browser;
mod every_command_in_the_pages_runs;
mod every_doc_url_leads_to_its_anchor;
mod every_link_in_the_pages_resolves;
mod every_request_in_the_pages_is_answered_as_printed;
mod every_route_the_pages_name_exists;
mod hostile_paths_below_docs_are_refused;
mod the_binary_holds_exactly_the_pages_of_the_repository;
mod the_configuration_file_is_what_the_tables_say;
mod the_error_page_is_what_the_codes_say;
mod the_permissions_page_is_what_the_tables_say;
mod the_readme_is_true;
mod the_security_page_is_what_the_tables_say;
