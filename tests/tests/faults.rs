//! The page of faults says what the tests say, and no row that somebody owns already is without a test.
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use porten_tests::faults::{page, root, rows, tags};

#[test]
fn the_page_of_faults_is_the_one_that_the_tests_make() {
    let committed = std::fs::read_to_string(root().join("docs/faults.md")).expect("docs/faults.md");
    let made = page(&rows(), &tags().0);
    let differs = committed.lines().zip(made.lines()).find(|(committed, made)| committed != made);
    assert!(committed == made, "docs/faults.md is not up to date (make faults); first difference: {differs:?}");
}

#[test]
fn each_tag_stands_above_a_test_and_names_a_row_that_is_there() {
    let (tags, wrong) = tags();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: Vec<_> = rows().into_iter().flat_map(|section| section.rows).map(|row| row.id).collect();
    for tag in tags {
        assert!(
            known.contains(&tag.row),
            "{} in {} names {}, which tests/faults.toml has not",
            tag.test,
            tag.file,
            tag.row
        );
        let is_sentence = tag.happens.ends_with('.') && tag.happens.len() < 400;
        assert!(is_sentence, "{} in {} says no sentence: {:?}", tag.test, tag.file, tag.happens);
    }
}

#[test]
fn the_rows_are_all_there_each_once_and_in_order() {
    let counts: Vec<_> = rows().iter().map(|section| (section.letter.clone(), section.rows.len())).collect();
    assert_eq!(
        counts,
        [("A", 12), ("B", 14), ("C", 12), ("D", 16), ("E", 16), ("F", 12)].map(|(l, n)| (l.to_owned(), n))
    );
    for section in rows() {
        for (at, row) in section.rows.iter().enumerate() {
            assert_eq!(row.id, format!("{}{}", section.letter, at + 1));
        }
    }
}

#[test]
fn every_row_whose_owner_is_built_has_a_test() {
    let (tags, _) = tags();
    let is_open = |id: &str| !tags.iter().any(|tag| tag.row == id);
    let all: Vec<_> = rows().into_iter().flat_map(|section| section.rows).collect();
    let missing: Vec<_> = all.iter().filter(|row| row.needs_a_test() && is_open(&row.id)).collect();
    let told: Vec<_> = missing.iter().map(|row| format!("{} ({}): {}", row.id, row.owner, row.injected)).collect();
    assert!(told.is_empty(), "no test names these rows:\n{}", told.join("\n"));
}
