//! Tools of others check the API document.

use crate::support::script;

#[test]
#[ignore = "needs Python, and its package index"]
fn a_validator_finds_the_document_sound() {
    script("tests/openapi/validate.sh");
}

#[test]
#[ignore = "takes five minutes; needs Python, and its package index"]
fn the_daemon_keeps_to_its_document_whatever_schemathesis_sends() {
    script("tests/openapi/schemathesis.sh");
}
