//! The border for what exo and its Macs call things: each string is bounded and made plain where it is read, once.
//!
//! What is shown is made plain ([`text`]). What only names something ([`id`]) is never altered, since two names would
//! become one: it counts as not there.

use serde_json::Value;

use crate::display_text::sanitize;

/// The longest name, chip, model or version (characters). macOS allows 63 bytes for a computer's name.
const MAX_TEXT: usize = 64;
/// The longest reason that is shown (characters).
const MAX_REASON: usize = 200;
/// The longest id of a node, runner or instance (bytes). exo's are 32 or 36 digits, libp2p's 52.
const MAX_ID: usize = 128;

/// An id, as it was said: visible ASCII. Anything else is none.
pub(super) fn id(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && (1..=MAX_ID).contains(&text.len())).then_some(text)
}

/// A name as it is shown; `None` where there is nothing to see.
pub(super) fn text(value: &Value) -> Option<String> {
    Some(sanitize(value.as_str()?, MAX_TEXT)).filter(|text| !text.is_empty())
}

/// The first line of what may be a whole traceback.
pub(super) fn first_line(text: &str) -> Option<String> {
    text.lines().map(|line| sanitize(line, MAX_REASON)).find(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_as_it_is_or_not_at_all() {
        assert_eq!(id("a1b2-c3"), Some("a1b2-c3"));
        for bad in ["", "a b", "a\u{1b}[2J", "ä", "a\u{202e}b", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_one_short_plain_line() {
        assert_eq!(text(&"Anna’s Mac\u{1b}[2J\r\nOnline\u{202e}".into()).unwrap(), "Anna’s Mac[2J Online");
        assert_eq!(text(&"x".repeat(1_000_000).into()).unwrap().chars().count(), 64);
        assert_eq!((text(&"\u{200b}\n".into()), text(&7.into())), (None, None));
        assert_eq!(first_line("\n \u{1b}\nfailed:\u{7} out of memory\nat line 7").unwrap(), "failed: out of memory");
    }
}
