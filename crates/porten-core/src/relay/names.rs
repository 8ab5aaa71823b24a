//! Keeps the engine's id of a model, and every path of this machine, inside this machine.

use std::borrow::Cow;
use std::sync::Arc;

use super::fields::quoted;
use crate::display_text::sanitize;

/// The longest message of an engine that is passed on (characters).
pub const MAX_MESSAGE: usize = 500;
/// Only so much of a message is looked at (bytes).
const MAX_LOOKED_AT: usize = 8 * 1024;
/// What stands in for a path.
const HIDDEN: &str = "…";
/// How absolute paths begin where engines run.
const ROOTS: [&str; 19] = [
    "/Users/",
    "/home/",
    "/private/",
    "/var/",
    "/root/",
    "/tmp/",
    "/opt/",
    "/Volumes/",
    "/Library/",
    "/Applications/",
    "/System/",
    "/etc/",
    "/usr/",
    "/mnt/",
    "/media/",
    "/srv/",
    "/data/",
    "/nix/",
    "~/",
];

/// The two names of one served model; clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Arc<Both>);

#[derive(Debug, PartialEq, Eq)]
struct Both {
    hub_id: String,
    hub_json: String,
    /// Every form in which engines write their id; empty when both names are the same.
    forms: Vec<String>,
    /// Whether the forms can only stand inside JSON strings: no other JSON token has a slash.
    only_in_strings: bool,
}

impl Names {
    /// Both names of a model.
    #[must_use]
    pub fn new(hub_id: &str, engine_id: &str) -> Self {
        let mut forms = Vec::new();
        if hub_id != engine_id && !engine_id.is_empty() {
            let escaped = inside(&quoted(engine_id)).to_owned();
            // Python escapes all but ASCII; PHP and some C++ writers escape slashes.
            let ascii = escape_non_ascii(&escaped);
            for form in [engine_id.to_owned(), escaped.replace('/', "\\/"), ascii.replace('/', "\\/"), escaped, ascii] {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        Self(Arc::new(Both {
            hub_id: hub_id.to_owned(),
            hub_json: quoted(hub_id),
            forms,
            only_in_strings: engine_id.contains(['/', '\\']),
        }))
    }

    /// What the Hub calls the model.
    #[must_use]
    pub fn hub_id(&self) -> &str {
        &self.0.hub_id
    }

    /// The same as a JSON string, with its quotes.
    pub(super) fn hub_json(&self) -> &str {
        &self.0.hub_json
    }

    /// A text with the engine's id replaced by the Hub's. An id without a slash is no secret, and may be an ordinary
    /// word, so it is replaced only where it stands alone.
    pub(super) fn rename<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut renamed = Cow::Borrowed(text);
        for form in self.0.forms.iter().filter(|form| text.contains(form.as_str())) {
            let hub_id = inside(&self.0.hub_json);
            renamed = Cow::Owned(if self.0.only_in_strings {
                renamed.replace(form, hub_id)
            } else {
                replace_words(&renamed, form, hub_id)
            });
        }
        renamed
    }

    /// A JSON value with the engine's id replaced by the Hub's, if that cannot harm anything but strings.
    pub(super) fn rename_json<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if self.0.only_in_strings { self.rename(json) } else { Cow::Borrowed(json) }
    }

    /// A text without the engine's id and without paths of this machine.
    pub(super) fn veil<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.rename(text) {
            Cow::Borrowed(text) => hide_paths(text),
            Cow::Owned(text) => Cow::Owned(hide_paths(&text).into_owned()),
        }
    }

    /// An engine's words made fit to be told: one line of at most [`MAX_MESSAGE`] characters, without the engine's id
    /// and without paths of this machine.
    #[must_use]
    pub fn scrub(&self, message: &str) -> String {
        let end = message.floor_char_boundary(MAX_LOOKED_AT);
        sanitize(&self.veil(message.get(..end).unwrap_or_default()), MAX_MESSAGE)
    }
}

fn replace_words(text: &str, word: &str, with: &str) -> String {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let mut replaced = String::with_capacity(text.len());
    let mut kept = 0;
    for (at, found) in text.match_indices(word) {
        let (before, after) = (text.get(..at), text.get(at + found.len()..));
        if joins(before.and_then(|before| before.chars().next_back()))
            || joins(after.and_then(|after| after.chars().next()))
        {
            continue;
        }
        replaced.push_str(text.get(kept..at).unwrap_or_default());
        replaced.push_str(with);
        kept = at + found.len();
    }
    replaced.push_str(text.get(kept..).unwrap_or_default());
    replaced
}

fn inside(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

fn escape_non_ascii(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

/// Replaces what looks like an absolute path by `…`, in one pass.
fn hide_paths(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut kept, mut from) = (0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(['/', '\\', '~'])).map(|at| from + at) {
        let Some(start) = path_start(text, found).filter(|start| *start >= kept) else {
            from = found + 1;
            continue;
        };
        shown.push_str(text.get(kept..start).unwrap_or_default());
        shown.push_str(HIDDEN);
        kept = path_end(text, start);
        from = kept;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(shown)
}

fn path_start(text: &str, found: usize) -> Option<usize> {
    let rest = text.get(found..)?;
    if ROOTS.iter().any(|root| rest.starts_with(root)) {
        return Some(found);
    }
    // `C:\` begins two bytes before its backslash.
    let drive = text.as_bytes().get(found.checked_sub(2)?..found)?;
    (rest.starts_with('\\') && drive.first().is_some_and(u8::is_ascii_alphabetic) && drive.ends_with(b":"))
        .then(|| found - 2)
}

fn path_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let opening = text.as_bytes().get(start.wrapping_sub(1)).filter(|byte| b"'\"`".contains(byte));
    if let Some(quote) = opening {
        // A quoted path may have spaces in it.
        return rest.find(char::from(*quote)).map_or(text.len(), |at| start + at);
    }
    let ends = |c: char| c.is_whitespace() || "\"'`<>|,;)]}".contains(c);
    let mut end = rest.find(ends).unwrap_or(rest.len());
    // `/Volumes/My Disk/models` goes on after its space.
    while let Some(more) = rest.get(end..).and_then(|after| after.strip_prefix(' ')) {
        let word = more.find(ends).unwrap_or(more.len());
        if !more.get(..word).is_some_and(|word| word.contains(['/', '\\'])) {
            break;
        }
        end += 1 + word;
    }
    start + end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_engines_id_is_renamed_in_every_form_it_is_written_in() {
        let names = Names::new("tiny", "/Users/josé/models/tiny \"x\"");
        for said in [
            "no /Users/josé/models/tiny \"x\" here",
            r#"no /Users/josé/models/tiny \"x\" here"#,
            r#"no /Users/jos\u00e9/models/tiny \"x\" here"#,
            r#"no \/Users\/jos\u00e9\/models\/tiny \"x\" here"#,
        ] {
            assert_eq!(names.rename(said), "no tiny here", "{said}");
        }
        let plain = Names::new("tiny", "llama");
        assert_eq!(
            plain.rename("llama: llama-server says \"llama\", not llamas"),
            "tiny: llama-server says \"tiny\", not llamas"
        );
        assert!(matches!(Names::new("same", "same").rename("same"), Cow::Borrowed("same")));
    }

    #[test]
    fn json_is_only_renamed_where_it_cannot_break() {
        assert_eq!(Names::new("tiny", "org/tiny").rename_json(r#"{"m":"org/tiny"}"#), r#"{"m":"tiny"}"#);
        assert_eq!(Names::new("tiny", "1").rename_json(r#"{"n":11}"#), r#"{"n":11}"#);
    }

    #[test]
    fn paths_of_this_machine_are_hidden() {
        let names = Names::new("tiny", "/Users/ada/models/tiny");
        for (said, told) in [
            ("cannot open /Users/ada/models/tiny/config.json", "cannot open tiny/config.json"),
            ("cannot open '/Users/ada/My Models/x': no such file", "cannot open '…': no such file"),
            ("at /Volumes/My Disk/models/x, line 3", "at …, line 3"),
            ("in C:\\Users\\ada\\x.py and file:///private/tmp/y", "in … and file://…"),
            ("(/home/ada/x)~/y /root/z", "(…)…"),
            ("POST /v1/chat/completions and/or 3/4", "POST /v1/chat/completions and/or 3/4"),
            ("two\nlines\0\u{1b}[31m", "two lines[31m"),
            ("", ""),
        ] {
            assert_eq!(names.scrub(said), told);
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let told = Names::new("a", "b").scrub(&"é".repeat(10_000));
        assert_eq!(told.chars().count(), MAX_MESSAGE);
        assert!(told.ends_with('…'));
        let exact = "x".repeat(MAX_MESSAGE);
        assert_eq!(Names::new("a", "b").scrub(&exact), exact);
    }

    proptest! {
        #[test]
        fn no_root_survives_whatever_surrounds_it(
            before in "\\PC{0,20}", root in proptest::sample::select(&ROOTS[..]), after in "\\PC{0,40}", id in "\\PC{0,10}",
        ) {
            let told = Names::new("hub", &id).veil(&format!("{before}{root}{after}")).into_owned();
            for root in ROOTS {
                prop_assert!(!told.contains(root), "{}", told);
            }
        }
    }
}
