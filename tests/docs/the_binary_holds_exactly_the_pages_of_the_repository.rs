//! A page in the repository is a page in the binary, and the other way round.

use std::collections::BTreeMap;

use taosd::docs;

use crate::pages;

#[test]
fn the_binary_holds_exactly_the_pages_of_the_repository() {
    let files: BTreeMap<String, String> = pages::all().into_iter().map(|page| (page.name, page.markdown)).collect();
    let shipped: BTreeMap<String, String> =
        docs::PAGES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(files.keys().collect::<Vec<_>>(), shipped.keys().collect::<Vec<_>>());
    assert_eq!(docs::PAGES.len(), shipped.len(), "a page stands twice");
    assert!(files == shipped, "the binary was built from other pages");
}
