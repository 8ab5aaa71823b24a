//! Finds the rows that a source file's tests name.

/// A test that proves a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The row, like `A3`.
    pub row: String,
    /// What happens, in one sentence.
    pub happens: String,
    /// The file, from the project's folder.
    pub file: String,
    /// The test's name.
    pub test: String,
    /// It is run by `make soak`, not by `make test`.
    pub is_long: bool,
}

/// The tags of a file, and a sentence for each line that looks like one and stands above no test.
#[must_use]
pub fn scan(file: &str, text: &str) -> (Vec<Tag>, Vec<String>) {
    let (mut tags, mut wrong) = (Vec::new(), Vec::new());
    // What was named and has no test yet: row and words.
    let mut named: Vec<(String, String)> = Vec::new();
    let (mut goes_on, mut is_long) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(words) = comment(line) {
            match read(words) {
                Some(tag) => {
                    named.push(tag);
                    goes_on = true;
                }
                None if words.is_empty() => goes_on = false,
                None => {
                    if let (true, Some((_, happens))) = (goes_on, named.last_mut()) {
                        happens.push(' ');
                        happens.push_str(words);
                    }
                }
            }
            continue;
        }
        goes_on = false;
        if named.is_empty() {
            continue;
        }
        is_long |= line.starts_with("#[ignore");
        if let Some(test) = test_name(line) {
            let tag = |(row, happens)| Tag { row, happens, file: file.into(), test: test.clone(), is_long };
            tags.extend(std::mem::take(&mut named).into_iter().map(tag));
            is_long = false;
        } else if line.is_empty() {
            let rows: Vec<_> = std::mem::take(&mut named).into_iter().map(|(row, _)| row).collect();
            wrong.push(format!("{file}:{}: {} stands above no test", number + 1, rows.join(", ")));
            is_long = false;
        }
    }
    (tags, wrong)
}

/// The words of a line that is only a comment.
fn comment(line: &str) -> Option<&str> {
    let words = ["///", "//", "#"].iter().find_map(|mark| line.strip_prefix(mark))?;
    // `#[test]` and `#![…]` are none.
    (words.is_empty() || words.starts_with(' ')).then(|| words.trim())
}

/// `Fault A3: what happens`
fn read(words: &str) -> Option<(String, String)> {
    let (row, happens) = words.strip_prefix("Fault ")?.split_once(": ")?;
    let (letter, number) = row.split_at_checked(1)?;
    let is_row = letter.bytes().all(|byte| byte.is_ascii_uppercase()) && number.parse::<u8>().is_ok();
    is_row.then(|| (row.to_owned(), happens.trim().to_owned()))
}

/// The name of the test that begins here, in each language.
fn test_name(line: &str) -> Option<String> {
    let plain = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    let words = line.trim_start_matches("pub ").trim_start_matches("async ");
    if let Some(rest) = words.strip_prefix("fn ").or_else(|| words.strip_prefix("def ")) {
        return plain(rest);
    }
    let rest = line.strip_prefix("test(").or_else(|| line.strip_prefix("it("))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
    rest[1..].split(quote).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The tags below must not be taken for this file's own.
    fn named(text: &str) -> String {
        text.replace("Row", "Fault")
    }

    #[test]
    fn a_tag_is_read_over_lines_and_attributes_in_each_language() {
        let rust = "    /// About it.\n    /// Row A3: it ends,\n    /// after a while.\n    /// Row B1: it does not.\n    ///\n    /// More.\n    #[tokio::test]\n    #[ignore = \"minutes\"]\n    async fn it_ends() {\n    }\n";
        let (tags, wrong) = scan("a.rs", &named(rust));
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(tags.len(), 2);
        assert_eq!((tags[0].row.as_str(), tags[0].happens.as_str()), ("A3", "it ends, after a while."));
        assert_eq!((tags[1].row.as_str(), tags[1].happens.as_str()), ("B1", "it does not."));
        assert!(tags.iter().all(|tag| tag.test == "it_ends" && tag.is_long && tag.file == "a.rs"));
        let python = "# Row D3: both end.\n@slow\ndef test_both(self):\n    pass\n";
        let (tags, _) = scan("a.py", &named(python));
        assert_eq!((tags[0].row.as_str(), tags[0].test.as_str(), tags[0].is_long), ("D3", "test_both", false));
        let script = "// Row E9: who asks is shown.\ntest('who asks is shown', () => {\n";
        assert_eq!(scan("a.ts", &named(script)).0[0].test, "who asks is shown");
    }

    #[test]
    fn a_tag_above_nothing_is_told_and_other_comments_are_none() {
        let (tags, wrong) = scan("a.rs", &named("// Row A3: it ends.\n\nfn it_ends() {}\n"));
        assert_eq!((tags.len(), wrong.len()), (0, 1), "{wrong:?}");
        let (tags, wrong) =
            scan("a.rs", &named("// Row in A3: x.\n// Rows A3: x.\n// Row AB: x.\n#[test]\nfn a() {}\n"));
        assert!(tags.is_empty() && wrong.is_empty());
    }
}
