//! Recognises an event that differs from an earlier one of its answer only inside one text, as token after token does, so
//! that most of an answer need not be read as JSON again.
//!
//! `before` + text + `after` was read once, and `out_before` + text + `out_after` was sent for it. JSON has no context: what
//! stands between the same two halves, and is one whole JSON string with its quotes, can mean nothing else than another text.

use serde_json::value::RawValue;

/// Events that may be unlike the one before them before no more is learned: an answer that is different each time (an
/// engine that stamps every event) pays a copy for each, and gets nothing for it.
const TRIES: u8 = 16;
/// The longest event that is remembered (bytes): four copies of its halves at most, in each of hundreds of answers.
const LONGEST: usize = 4 * 1024;

/// How the last event that was read looked, around its text.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// The engine's event up to the text, its opening quote included. Empty: nothing was learned.
    before: Vec<u8>,
    /// From the closing quote on.
    after: Vec<u8>,
    out_before: Vec<u8>,
    out_after: Vec<u8>,
    tries: u8,
}

impl Alike {
    /// Writes what an event comes to if only its text is new; whether that was so.
    pub(super) fn again(&mut self, event: &[u8], out: &mut Vec<u8>) -> bool {
        if self.before.is_empty() || event.len() < self.before.len() + self.after.len() {
            return false;
        }
        let Some(rest) = event.strip_prefix(&self.before[..]) else { return false };
        let Some(text) = rest.strip_suffix(&self.after[..]) else { return false };
        // With the quotes around it: the text's own end must not stand inside it. Plain text says so by itself.
        let quoted = &event[self.before.len() - 1..=self.before.len() + text.len()];
        if !text.iter().all(is_plain) && serde_json::from_slice::<&RawValue>(quoted).is_err() {
            return false;
        }
        out.extend_from_slice(&self.out_before);
        out.extend_from_slice(text);
        out.extend_from_slice(&self.out_after);
        self.tries = 0;
        true
    }

    /// Whether an event that is read is still learned from.
    pub(super) const fn learns(&self) -> bool {
        self.tries < TRIES
    }

    /// Learns from an event that was read: `text` is the inside of a JSON string in it that nobody looks at, and stands as
    /// it is at `at` in what was `sent` for it.
    pub(super) fn learn(&mut self, event: &[u8], text: &str, sent: &[u8], at: usize) {
        self.before.clear();
        let Some(start) = text.as_ptr().addr().checked_sub(event.as_ptr().addr()) else { return };
        let halves = |of: &[u8], start: usize| {
            let (before, rest) = of.split_at_checked(start)?;
            let after = rest.strip_prefix(text.as_bytes())?;
            (before.ends_with(b"\"") && after.starts_with(b"\"")).then(|| (before.to_vec(), after.to_vec()))
        };
        if self.learns()
            && event.len() <= LONGEST
            && let (Some(event), Some(sent)) = (halves(event, start), halves(sent, at))
        {
            (self.before, self.after) = event;
            (self.out_before, self.out_after) = sent;
            self.tries += 1;
        }
    }
}

/// A character that is one byte, and that a JSON string holds as it is.
const fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text comes to: the event's text between other halves.
    fn learned(event: &str, text: &str) -> Alike {
        let mut alike = Alike::default();
        let at = event.find(text).unwrap();
        alike.learn(event.as_bytes(), &event[at..at + text.len()], format!("<\"{text}\">").as_bytes(), 2);
        alike
    }

    fn again(alike: &mut Alike, event: &str) -> Option<String> {
        let mut out = Vec::new();
        alike.again(event.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_a_text_between_the_same_halves_is_another_text() {
        let mut alike = learned(r#"{"a":"one","b":0}"#, "one");
        for (text, is_text) in [
            ("two", true),
            ("", true),
            (r#"\"é\u00e9\\"#, true),
            (r#"","a":"three"#, false),
            ("a\nb", false),
            (r"\", false),
            (r"\x", false),
            (r"\u12", false),
        ] {
            let sent = again(&mut alike, &format!(r#"{{"a":"{text}","b":0}}"#));
            assert_eq!(sent, is_text.then(|| format!("<\"{text}\">")), "{text:?}");
        }
        for other in [r#"{"a":"one","b":1}"#, r#"{"A":"one","b":0}"#, r#"{"a":"","b":0"#, r#"{"a":","b":0}"#, ""] {
            assert_eq!(again(&mut alike, other), None, "{other}");
        }
        let mut torn = Vec::new();
        assert!(!alike.again(b"{\"a\":\"\xff\",\"b\":0}", &mut torn) && torn.is_empty(), "no UTF-8");
    }

    #[test]
    fn an_answer_that_is_never_alike_is_no_longer_learned_from() {
        let mut alike = Alike::default();
        for (stamp, is_kept) in (0..=TRIES).zip([true; TRIES as usize].into_iter().chain([false])) {
            let event = format!(r#"{{"t":{stamp},"a":"one"}}"#);
            alike.learn(event.as_bytes(), &event[event.len() - 5..event.len() - 2], b"\"one\"", 1);
            assert_eq!(!alike.before.is_empty(), is_kept, "{stamp}");
        }
    }

    #[test]
    fn a_long_event_is_not_kept() {
        let long = format!(r#"{{"x":"{}","a":"one"}}"#, "x".repeat(LONGEST));
        assert_eq!(again(&mut learned(&long, "one"), &long), None);
    }
}
