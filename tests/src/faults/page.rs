//! Writes `docs/faults.md`.

use std::fmt::Write as _;

use super::{Row, Section, Tag};

const HEAD: &str = "\
# Faults

What is made to go wrong on purpose, what happens then, and the test that shows it. This page is made from `tests/faults.toml`
and from the tests (`make faults`); a test fails where it is not up to date.

*green*: shown by `make test`. *soak*: it takes minutes and is shown by `make soak`. *open*: not shown yet; the owner is to
show it. Below each row's first test stand its others.
";

/// The page.
#[must_use]
pub fn page(sections: &[Section], tags: &[Tag]) -> String {
    let mut page = HEAD.to_owned();
    for section in sections {
        // Writing to a string does not fail.
        let _ = writeln!(page, "\n## {}. {}\n", section.letter, section.title);
        page += "| row | what is injected | what happens | test | owner | state |\n|---|---|---|---|---|---|\n";
        for row in &section.rows {
            page += &lines(row, tags);
        }
    }
    page
}

fn lines(row: &Row, tags: &[Tag]) -> String {
    let mut proofs: Vec<_> = tags.iter().filter(|tag| tag.row == row.id).collect();
    // What each change is held against stands first.
    proofs.sort_by_key(|tag| tag.is_long);
    let state = match proofs.first() {
        None => "open",
        Some(tag) if tag.is_long => "soak",
        Some(_) => "green",
    };
    let first = proofs.first().map_or_else(|| "| | |".to_owned(), |tag| proof(tag, state));
    let mut lines = format!("| {} | {} {first} {} | {state} |\n", row.id, cell(&row.injected), row.owner);
    for tag in proofs.iter().skip(1) {
        let _ = writeln!(lines, "| | {} | |", proof(tag, state));
    }
    lines
}

fn proof(tag: &Tag, state: &str) -> String {
    let long = if tag.is_long && state == "green" { " (soak)" } else { "" };
    format!("| {} | `{}` `{}`{long} |", cell(&tag.happens), tag.file, tag.test)
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(row: &str, test: &str, is_long: bool) -> Tag {
        Tag { row: row.into(), happens: "a | b.".into(), file: "x.rs".into(), test: test.into(), is_long }
    }

    #[test]
    fn each_row_has_its_tests_its_owner_and_its_state() {
        let row = |id: &str| Row { id: id.into(), injected: "x".into(), owner: "link".into() };
        let rows = vec![row("A1"), row("A2"), row("A3")];
        let sections = [Section { letter: "A".into(), title: "T".into(), rows }];
        let page = page(&sections, &[tag("A1", "long", true), tag("A1", "short", false), tag("A2", "long", true)]);
        let table: Vec<_> = page.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
        assert_eq!(
            table,
            [
                r"| A1 | x | a \| b. | `x.rs` `short` | link | green |",
                r"| | | a \| b. | `x.rs` `long` (soak) | | |",
                r"| A2 | x | a \| b. | `x.rs` `long` | link | soak |",
                "| A3 | x | | | link | open |",
            ]
        );
    }
}
