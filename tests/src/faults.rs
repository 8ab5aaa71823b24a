//! The faults that are tested: the rows of `tests/faults.toml`, the tests that name them, and the page made from both.
//!
//! A test names a row in a line of its doc comment, `/// Fault A3: what happens.` (`# Fault` in Python, `// Fault` in
//! TypeScript). The words may go on in the lines below it.

mod page;
mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use page::page;
pub use scan::{Tag, scan};

/// Folders without sources of our own.
const SKIPPED: [&str; 5] = ["target", "node_modules", "dist", "bindings", ".git"];

/// A group of rows.
#[derive(Debug)]
pub struct Section {
    /// The first letter of its rows.
    pub letter: String,
    /// What they have in common.
    pub title: String,
    /// Its rows, in order.
    pub rows: Vec<Row>,
}

/// One fault.
#[derive(Debug)]
pub struct Row {
    /// Like `A3`.
    pub id: String,
    /// What is done to the product.
    pub injected: String,
    /// The part that has to keep it true.
    pub owner: String,
}

impl Row {
    /// Whether it needs a test: its owner is built.
    #[must_use]
    pub fn needs_a_test(&self) -> bool {
        !matches!(self.owner.as_str(), "app window" | "service" | "updates")
    }
}

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests stand in the project").to_path_buf()
}

/// Every row there is.
///
/// # Panics
/// `tests/faults.toml` does not read.
#[must_use]
pub fn rows() -> Vec<Section> {
    let text = fs::read_to_string(root().join("tests/faults.toml")).expect("tests/faults.toml");
    let whole: Value = toml::from_str(&text).expect("tests/faults.toml is TOML");
    let word =
        |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned();
    let row = |row: &Value| Row { id: word(row, "id"), injected: word(row, "injected"), owner: word(row, "owner") };
    let sections = whole["section"].as_array().expect("sections");
    let section = |one: &Value| Section {
        letter: word(one, "letter"),
        title: word(one, "title"),
        rows: one["rows"].as_array().expect("rows").iter().map(row).collect(),
    };
    sections.iter().map(section).collect()
}

/// What all sources of the project name, by file and line; and the lines that look like a tag and are none.
///
/// # Panics
/// A source cannot be read.
#[must_use]
pub fn tags() -> (Vec<Tag>, Vec<String>) {
    let mut files = Vec::new();
    for folder in ["crates", "src-tauri", "tests", "ui"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    let (mut tags, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a source that reads");
        let name = file.strip_prefix(root()).expect("a file of the project").to_string_lossy().replace('\\', "/");
        let (found, bad) = scan(&name, &text);
        tags.extend(found);
        wrong.extend(bad);
    }
    (tags, wrong)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if ["rs", "py", "ts"].iter().any(|end| path.extension().is_some_and(|is| is == *end)) {
            files.push(path);
        }
    }
}
