//! Reads one event of an engine's stream: which fields we own, which pass through, and whether a choice finished.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{each_field, each_item, string_inside};

/// What an event says.
pub(super) enum Said<'a> {
    /// `[DONE]`
    Done,
    /// The engine failed: its error value, to be scrubbed.
    Error(&'a RawValue),
    /// A part of the answer.
    Chunk(Chunk<'a>),
}

/// A field that passes through.
pub(super) type Field<'a> = (Cow<'a, str>, &'a RawValue);

/// A part of an answer.
pub(super) struct Chunk<'a> {
    /// The event it came in.
    pub(super) event: &'a [u8],
    pub(super) id: Option<&'a RawValue>,
    pub(super) created: Option<&'a RawValue>,
    pub(super) usage: Option<&'a RawValue>,
    pub(super) choices: Option<&'a RawValue>,
    /// The fields that are not ours, in their order.
    others: Vec<Field<'a>>,
    /// How many of them stand before the choices.
    before_choices: usize,
}

/// One choice in a chunk.
#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

/// Whether a choice is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// Not yet.
    No,
    /// It has its `finish_reason`.
    Yes,
    /// `"error"`: exo's word for an answer that broke.
    Failed,
}

/// An event that is neither a chunk nor an error.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("an event that is not UTF-8")]
    NotText(#[source] std::str::Utf8Error),
    #[error("an event that is not a JSON object")]
    NotAnObject(#[source] serde_json::Error),
    #[error("choices that do not read")]
    Choices(#[source] serde_json::Error),
    #[error("choices given twice")]
    ChoicesTwice,
}

/// Reads an event's data.
pub(super) fn read(event: &[u8]) -> Result<Said<'_>, Unreadable> {
    let data = std::str::from_utf8(event).map_err(Unreadable::NotText)?.trim_ascii();
    if data == "[DONE]" {
        return Ok(Said::Done);
    }
    let mut chunk =
        Chunk { event, id: None, created: None, usage: None, choices: None, others: Vec::new(), before_choices: 0 };
    let mut error = None;
    let mut twice = false;
    each_field(data, |key, value| {
        let present = Some(value).filter(|value| value.get() != "null");
        match key.as_ref() {
            // Ours: written anew for every chunk.
            "object" | "model" => {}
            "id" => chunk.id = present,
            "created" => chunk.created = present,
            "usage" => chunk.usage = present,
            "error" => error = present,
            "choices" => {
                twice |= chunk.choices.is_some();
                chunk.choices = present;
                chunk.before_choices = chunk.others.len();
            }
            _ => chunk.others.push((key, value)),
        }
    })
    .map_err(Unreadable::NotAnObject)?;
    match error {
        Some(error) => Ok(Said::Error(error)),
        None if twice => Err(Unreadable::ChoicesTwice),
        None => Ok(Said::Chunk(chunk)),
    }
}

impl<'a> Chunk<'a> {
    /// Gives each choice to `take`.
    pub(super) fn each_choice(&self, take: impl FnMut(Choice<'a>)) -> Result<(), Unreadable> {
        match self.choices {
            Some(choices) => each_item(choices.get(), take).map_err(Unreadable::Choices),
            None => Ok(()),
        }
    }

    /// The fields that are not ours: those before the choices, and those behind them; without choices there are none behind.
    pub(super) fn others(&self) -> (&[Field<'a>], &[Field<'a>]) {
        let before = if self.choices.is_some() { self.before_choices } else { self.others.len() };
        self.others.split_at(before)
    }

    /// Whether it carries no choice at all.
    pub(super) fn is_empty(&self) -> bool {
        self.choices.is_none_or(|choices| {
            let inside = choices.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            inside.is_some_and(|inside| inside.trim_ascii().is_empty())
        })
    }
}

impl<'a> Choice<'a> {
    /// The text that it adds, as it stands in the event between its quotes; nobody here looks at what it says.
    pub(super) fn text_inside(&self) -> Option<&'a str> {
        let mut said = self.text;
        if let Some(delta) = self.delta {
            // A delta that does not read is passed on as it is.
            let _ = each_field(delta.get(), |key, value| {
                if matches!(key.as_ref(), "content" | "reasoning_content" | "reasoning") {
                    said = Some(value);
                }
            });
        }
        said.and_then(string_inside)
    }

    /// Which choice; the only one when the engine does not say.
    pub(super) fn index(&self) -> u32 {
        self.index.unwrap_or(0)
    }

    /// Whether it is whole.
    pub(super) fn finish(&self) -> Finish {
        match self.finish_reason.map_or("", RawValue::get) {
            "\"error\"" => Finish::Failed,
            reason if reason.len() > 2 && reason.starts_with('"') => Finish::Yes,
            _ => Finish::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finishes(data: &str) -> Vec<(u32, Finish)> {
        let mut seen = Vec::new();
        match read(data.as_bytes()) {
            Ok(Said::Chunk(chunk)) => chunk.each_choice(|choice| seen.push((choice.index(), choice.finish()))).unwrap(),
            _ => panic!("not a chunk"),
        }
        seen
    }

    #[test]
    fn a_choice_is_whole_when_it_has_a_reason() {
        // exo leaves null keys out, mlx_lm writes them; both measured 22 Nov 2026.
        for (choice, finish) in [
            (r#"{"index":0,"delta":{"role":"assistant","content":"cl"}}"#, Finish::No),
            (r#"{"index": 0, "finish_reason": null, "delta": {"role": "assistant", "content": "I"}}"#, Finish::No),
            (r#"{"index": 0, "finish_reason": "length", "delta": {"role": "assistant"}}"#, Finish::Yes),
            (r#"{"finish_reason":"error","delta":{}}"#, Finish::Failed),
            (r#"{"index":0,"finish_reason":""}"#, Finish::No),
            (r#"{"index":0,"finish_reason":false}"#, Finish::No),
        ] {
            assert_eq!(finishes(&format!(r#"{{"id":"x","choices":[{choice}]}}"#)), [(0, finish)], "{choice}");
        }
        assert_eq!(finishes(r#"{"choices":[],"usage":{}}"#), []);
        assert_eq!(finishes(r#"{"choices":null}"#), []);
    }

    #[test]
    fn an_error_is_told_from_a_chunk() {
        let said = read(br#"{"error":{"message":"Runner shutdown"}}"#);
        assert!(matches!(said, Ok(Said::Error(error)) if error.get().contains("Runner")));
        assert!(matches!(read(br#"{"error":null,"choices":[]}"#), Ok(Said::Chunk(_))));
        assert!(matches!(read(b" [DONE] "), Ok(Said::Done)));
    }

    #[test]
    fn what_does_not_read_is_an_error() {
        for wrong in [&b"hello"[..], b"[]", b"{", b"", b"{\"a\":\"\xff\"}", b"null", b"{\"choices\":[],\"choices\":[]}"]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        for wrong in [r#"{"choices":{}}"#, r#"{"choices":[3]}"#, r#"{"choices":[{"index":"0"}]}"#] {
            match read(wrong.as_bytes()) {
                Ok(Said::Chunk(chunk)) => assert!(chunk.each_choice(|_| ()).is_err(), "{wrong}"),
                _ => panic!("{wrong}"),
            }
        }
    }
}
