//! Lines of a settings file that do not read are put aside while another setting is changed, and put back after it.

use toml_edit::Document;

use super::SettingsFile;
use super::error::ConfigError;
use super::file::syntax;

/// What stands in the place of a line that was put aside, before its number: a key, so that it stays in its table.
const MARK: &str = "porten-put-aside-";
/// The same where no key may stand, as in a list: a comment.
const COMMENT: &str = "# porten-put-aside-";
/// A file with more broken lines than this is not a settings file.
const MOST: usize = 64;

/// A text that reads as TOML, and the lines that had to be put aside for that.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) text: String,
    lines: Vec<String>,
}

impl Aside {
    /// Puts aside what does not read. Lines that set `asked` are dropped instead: they are to be replaced, or taken out.
    pub(super) fn of(file: &SettingsFile<'_>, asked: &[&str]) -> Result<Self, ConfigError> {
        let mut aside = Self { text: file.text.to_owned(), lines: Vec::new() };
        let Err(first) = Document::parse(file.text) else { return Ok(aside) };
        aside.text = without_broken(file.text, asked);
        for _ in 0..2 * MOST {
            let Err(error) = Document::parse(aside.text.as_str()) else { return Ok(aside) };
            let at = error.span().map_or(0, |span| span.start);
            if !aside.put(at) {
                break;
            }
        }
        Err(syntax(file, first.span(), first.message()))
    }

    /// Puts the line at this byte aside, or the last one before it that was not yet; whether there was one.
    fn put(&mut self, at: usize) -> bool {
        let before = self.text.get(..at.min(self.text.len())).unwrap_or_default().matches('\n').count();
        let mut lines: Vec<&str> = self.text.split('\n').collect();
        let may_be_wrong = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let found = (0..=before).rev().find(|n| lines.get(*n).is_some_and(may_be_wrong));
        let Some(line) = found.and_then(|n| lines.get_mut(n)) else { return false };
        let mark = match line.strip_prefix(MARK) {
            Some(number) => format!("{COMMENT}{number}"),
            None => {
                self.lines.push((*line).to_owned());
                format!("{MARK}{} = 0", self.lines.len() - 1)
            }
        };
        *line = &mark;
        self.text = lines.join("\n");
        true
    }

    /// The text with all that was put aside where it was.
    pub(super) fn back(&self, text: &str) -> String {
        let old = |line: &str| {
            let number = line.strip_prefix(MARK).or_else(|| line.strip_prefix(COMMENT))?;
            self.lines.get(number.strip_suffix(" = 0")?.parse::<usize>().ok()?).cloned()
        };
        text.split('\n').map(|line| old(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
    }
}

/// Drops the line that sets this key and does not read by itself, and what belongs to it: up to the next key, table or
/// comment.
fn without_broken(text: &str, asked: &[&str]) -> String {
    let mut table: Vec<String> = Vec::new();
    let (mut kept, mut dropping) = (Vec::new(), false);
    for line in text.split('\n') {
        let bare = line.trim();
        let key = bare.split_once('=').map(|(key, _)| [table.clone(), path(key)].concat());
        if key.as_ref().is_some_and(|key| key.iter().map(String::as_str).eq(asked.iter().copied())) {
            dropping = Document::parse(bare).is_err();
        } else if key.is_some() || bare.is_empty() || bare.starts_with(['[', '#']) {
            dropping = false;
        }
        if let Some(name) = bare.strip_prefix('[').filter(|_| !dropping) {
            table = path(name.split(']').next().unwrap_or_default());
        }
        if !dropping {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// The parts of a key as it is written; what is in quotes is one.
fn path(written: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in written.trim().chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '.') => parts.push(String::new()),
            (None, c) if c.is_whitespace() => {}
            (_, c) => {
                if let Some(part) = parts.last_mut() {
                    part.push(c);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_is_read_in_its_parts() {
        assert_eq!(path(" model.\"a.b\" . context_tokens "), ["model", "a.b", "context_tokens"]);
        assert_eq!(path("url"), ["url"]);
    }

    #[test]
    fn what_is_put_aside_comes_back_where_it_was() {
        let text = "[hub]\nurl = \"wss://por\n\n[log\nlevel = \"info\"\n# end";
        let file = SettingsFile { text, path: "c.toml" };
        let aside = Aside::of(&file, &["power", "keep_awake"]).map_err(|error| error.to_string()).unwrap();
        assert_eq!(
            BTreeSet::from_iter(&aside.lines),
            BTreeSet::from([&"url = \"wss://por".to_owned(), &"[log".to_owned()])
        );
        assert_eq!(aside.back(&aside.text), text);
    }
}
