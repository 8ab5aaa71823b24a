//! Holds `docs/faults.md` against the tests that it is made from.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::path::Path;

use porten_tests::faults::{draw, shown};

#[test]
fn every_fault_has_a_test_or_says_why_not_and_the_table_is_what_the_tests_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let list = std::fs::read_to_string(root.join("tests/faults.toml")).expect("the list");
    let table = draw(&list, &shown(root).expect("the sources")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let page = root.join("docs/faults.md");
    if std::env::var_os("PORTEN_WRITE_FAULTS").is_some() {
        std::fs::write(&page, &table).expect("the page is written");
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(written == table, "docs/faults.md is not what the tests say: make faults");
}
