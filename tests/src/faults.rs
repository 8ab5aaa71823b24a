//! Puts the table of faults together: what is injected (`tests/faults.toml`) and what the tests say that then happens.
//!
//! A test that shows a row says so above itself, in a line `Fault A1: what happens.` of its documentation (Rust) or of a
//! comment (Python, TypeScript).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folders in which tests are.
const SOURCES: [&str; 4] = ["crates", "src-tauri", "tests", "ui/src"];
/// Folders that hold what was made or downloaded.
const NOT_OURS: [&str; 4] = ["target", "node_modules", "dist", "recorded"];
/// What a line begins with, behind its comment signs.
const MARK: &str = "Fault ";

/// One test's word on one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Such as `A1`.
    pub row: String,
    /// What happens.
    pub happens: String,
    /// From the top of the repository.
    pub file: PathBuf,
    /// The test's name.
    pub test: String,
    /// Only `make soak` runs it.
    pub is_long: bool,
}

/// Everything that tests say of faults, in the order of the files.
///
/// # Errors
/// A file cannot be read.
pub fn shown(root: &Path) -> io::Result<Vec<Shown>> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let short = file.strip_prefix(root).unwrap_or(&file).to_owned();
        all.extend(read(&text).into_iter().map(|shown| Shown { file: short.clone(), ..shown }));
    }
    Ok(all)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "py" || kind == "ts") {
            files.push(path);
        }
    }
    Ok(())
}

/// What one file says.
fn read(text: &str) -> Vec<Shown> {
    let mut shown = Vec::new();
    let mut waiting: Vec<(String, String)> = Vec::new();
    let mut is_long = false;
    for line in text.lines().map(str::trim) {
        let comment = ["/// ", "// ", "# "].iter().find_map(|sign| line.strip_prefix(sign));
        if let Some((row, happens)) = comment.and_then(|text| text.strip_prefix(MARK)?.split_once(": ")) {
            waiting.push((row.to_owned(), happens.to_owned()));
            continue;
        }
        // A sentence may go on in the next line.
        if let (Some(more), Some((_, happens))) =
            (comment, waiting.last_mut().filter(|(_, happens)| !happens.ends_with('.')))
        {
            happens.push(' ');
            happens.push_str(more);
            continue;
        }
        is_long |= line.starts_with("#[ignore");
        if waiting.is_empty() || line.starts_with("#[") || line.starts_with("///") {
            continue;
        }
        if let Some(test) = name(line) {
            let of = |(row, happens)| Shown { row, happens, file: PathBuf::new(), test: test.clone(), is_long };
            shown.extend(waiting.drain(..).map(of));
            is_long = false;
        }
    }
    shown
}

/// The name of the test that begins in this line.
fn name(line: &str) -> Option<String> {
    let rust = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name);
    let python = line.strip_prefix("def ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
    let script = ["test(\"", "it(\"", "test('", "it('"].iter().find_map(|call| line.strip_prefix(call));
    let script = script.and_then(|rest| rest.split(['"', '\'']).next());
    rust.or(python).or(script).map(str::to_owned)
}

/// One row of the list.
#[derive(Debug)]
struct Row {
    injected: String,
    owner: String,
    /// Why no test shows it.
    open: Option<String>,
}

/// Draws `docs/faults.md`.
///
/// # Errors
/// In words: the list does not read, a test names a row that is not there, a row has no test and does not say why, or has
/// one and says that it is open.
pub fn draw(list: &str, shown: &[Shown]) -> Result<String, String> {
    let list: toml::Table = list.parse().map_err(|error| format!("tests/faults.toml does not read: {error}"))?;
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    let mut text = String::from(HEAD);
    for (section, rows) in &list {
        let rows = rows.as_table().ok_or("a section of tests/faults.toml is no table")?;
        let title = rows.get("title").and_then(toml::Value::as_str).unwrap_or_default();
        let _ = write!(text, "\n## {section}. {title}\n\n{COLUMNS}");
        let rows: BTreeMap<u32, (&String, Row)> =
            rows.iter().filter_map(|(id, row)| Some((number(id)?, (id, row_of(row)?)))).collect();
        for (id, row) in rows.values() {
            known.insert((*id).clone());
            let of_it: Vec<&Shown> = shown.iter().filter(|shown| shown.row == **id).collect();
            match (&row.open, of_it.is_empty()) {
                (None, true) => wrong.push(format!("{id} has no test")),
                (Some(_), false) => wrong.push(format!("{id} has a test and is no longer open")),
                _ => {}
            }
            text += &line(id, row, &of_it);
        }
    }
    wrong.extend(
        shown
            .iter()
            .filter(|shown| !known.contains(&shown.row))
            .map(|shown| format!("{} in {} shows {}, which is no row", shown.test, shown.file.display(), shown.row)),
    );
    if wrong.is_empty() { Ok(text) } else { Err(wrong.join("\n")) }
}

fn number(id: &str) -> Option<u32> {
    id.get(1..)?.parse().ok()
}

fn row_of(row: &toml::Value) -> Option<Row> {
    let text = |key: &str| row.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    Some(Row { injected: text("injected")?, owner: text("owner")?, open: text("open") })
}

fn line(id: &str, row: &Row, shown: &[&Shown]) -> String {
    let Row { injected, owner, open } = row;
    if let Some(why) = open {
        return format!("| {id} | {injected} | {why} | | {owner} | open |\n");
    }
    let happens: Vec<&str> = shown.iter().map(|shown| shown.happens.as_str()).collect();
    let tests: Vec<String> =
        shown.iter().map(|shown| format!("`{}` {}", shown.file.display(), shown.test.replace('_', " "))).collect();
    let state = match (shown.iter().all(|shown| shown.is_long), shown.iter().any(|shown| shown.is_long)) {
        (true, _) => "soak",
        (false, true) => "green, soak",
        (false, false) => "green",
    };
    format!("| {id} | {injected} | {} | {} | {owner} | {state} |\n", happens.join("<br>"), tests.join("<br>"))
}

const HEAD: &str = "\
# Faults

What goes wrong with tunnels, engines, networks and sign-ins, what then happens, and the test that shows it. This page is made from
`tests/faults.toml` and the lines `Fault A1: …` above the tests: `make faults` writes it, and `make test` fails if it is not so.

*green* is shown by `make test`, *soak* by `make soak` (minutes each), *open* by no test yet; it says whose it will be.
";
const COLUMNS: &str = "| | injected | what happens | shown by | whose | state |\n|---|---|---|---|---|---|\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_a_test_is_its_word_in_each_language() {
        let rust = "/// Says more.\n/// Fault A1: it waits.\n/// Fault A2: it\n/// comes back.\n#[tokio::test]\n#[ignore = \"long\"]\nasync fn a_test() {\n}\n/// Fault A3: short.\n#[test]\nfn another() {}\n";
        let told: Vec<_> = read(rust).into_iter().map(|one| (one.row, one.happens, one.test, one.is_long)).collect();
        let of = |row: &str, happens: &str, test: &str, is_long| {
            (row.to_owned(), happens.to_owned(), test.to_owned(), is_long)
        };
        let expected = [
            of("A1", "it waits.", "a_test", true),
            of("A2", "it comes back.", "a_test", true),
            of("A3", "short.", "another", false),
        ];
        assert_eq!(told, expected);
        assert_eq!(read("# Fault D3: gone.\ndef dies(house):\n")[0].test, "dies");
        assert_eq!(read("// Fault E9: shown.\nit(\"shows the code\", () => {\n")[0].test, "shows the code");
    }

    #[test]
    fn a_row_without_a_test_and_a_test_without_a_row_are_told() {
        let list = "[A]\ntitle = \"T\"\nA1 = { owner = \"o\", injected = \"i\" }\nA2 = { owner = \"o\", injected = \"j\", open = \"later\" }\n";
        let shown = read("/// Fault A2: x.\nfn a() {}\n/// Fault Z9: y.\nfn b() {}\n");
        let wrong = draw(list, &shown).unwrap_err();
        assert_eq!(wrong, "A1 has no test\nA2 has a test and is no longer open\nb in  shows Z9, which is no row");
        let good = draw(list, &read("/// Fault A1: it ends.\nfn it_ends_well() {}\n")).unwrap();
        assert!(good.contains("| A1 | i | it ends. | `` it ends well | o | green |"), "{good}");
        assert!(good.contains("| A2 | j | later | | o | open |"), "{good}");
    }
}
