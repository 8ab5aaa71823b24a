//! Turns a whole document, from an engine that ignores `stream`, into the one chunk that says the same.
//!
//! So a document goes the same way as a stream: one terminal table, one normaliser, one assembler.

use serde_json::value::RawValue;

use super::fields::{each_field, each_item, write_key};

/// A document that does not read.
#[derive(Debug, thiserror::Error)]
#[error("not a completion document")]
pub(super) struct NotADocument(#[from] serde_json::Error);

/// The chunk: `message` becomes `delta`, and tool calls get the index they have in a stream.
///
/// # Errors
/// Not a completion document.
pub(super) fn as_chunk(document: &str) -> Result<Vec<u8>, NotADocument> {
    let mut chunk = Vec::with_capacity(document.len() + 64);
    rewrite(document, &mut chunk, |key, value, chunk| match key {
        "choices" if value.get() != "null" => Some(write_array("choices", value, chunk, write_choice)),
        _ => None,
    })?;
    Ok(chunk)
}

fn write_choice(choice: &RawValue, _: usize, chunk: &mut Vec<u8>) -> Result<(), NotADocument> {
    rewrite(choice.get(), chunk, |key, message, chunk| {
        (key == "message").then(|| {
            chunk.extend_from_slice(b"\"delta\":");
            write_delta(message, chunk)
        })
    })
}

fn write_delta(message: &RawValue, chunk: &mut Vec<u8>) -> Result<(), NotADocument> {
    rewrite(message.get(), chunk, |key, value, chunk| match key {
        "tool_calls" if value.get() != "null" => Some(write_array("tool_calls", value, chunk, write_call)),
        _ => None,
    })
}

fn write_call(call: &RawValue, at: usize, chunk: &mut Vec<u8>) -> Result<(), NotADocument> {
    let mut numbered = false;
    let start = chunk.len();
    rewrite(call.get(), chunk, |key, _, _| {
        numbered |= key == "index";
        None
    })?;
    if !numbered && chunk.pop().is_some() {
        let comma = if chunk.len() > start + 1 { "," } else { "" };
        chunk.extend_from_slice(format!("{comma}\"index\":{at}}}").as_bytes());
    }
    Ok(())
}

/// Copies an object; `field` writes a field itself, key and all, or leaves it as it is with `None`.
fn rewrite(
    object: &str,
    out: &mut Vec<u8>,
    mut field: impl FnMut(&str, &RawValue, &mut Vec<u8>) -> Option<Result<(), NotADocument>>,
) -> Result<(), NotADocument> {
    let mut wrong = Ok(());
    let mut before = b'{';
    let start = out.len();
    each_field(object, |key, value| {
        out.push(before);
        before = b',';
        match field(&key, value, out) {
            Some(written) if wrong.is_ok() => wrong = written,
            Some(_) => {}
            None => {
                write_key(&key, out);
                out.extend_from_slice(value.get().as_bytes());
            }
        }
    })?;
    wrong?;
    if out.len() == start {
        out.push(before);
    }
    out.push(b'}');
    Ok(())
}

fn write_array(
    name: &str,
    array: &RawValue,
    out: &mut Vec<u8>,
    item: fn(&RawValue, usize, &mut Vec<u8>) -> Result<(), NotADocument>,
) -> Result<(), NotADocument> {
    let mut wrong = Ok(());
    let mut at = 0_usize;
    out.extend_from_slice(format!("\"{name}\":[").as_bytes());
    each_item(array.get(), |value: &RawValue| {
        if at > 0 {
            out.push(b',');
        }
        if wrong.is_ok() {
            wrong = item(value, at, out);
        }
        at += 1;
    })?;
    out.push(b']');
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documents_message_becomes_a_delta() {
        // exo 0.3.70, 22 Nov 2026.
        let document = r#"{"id":"c27b","object":"chat.completion","created":1795374395,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"\n):**"},"finish_reason":"length"}],"usage":{"prompt_tokens":16}}"#;
        let chunk = String::from_utf8(as_chunk(document).unwrap()).unwrap();
        assert_eq!(chunk, document.replace("\"message\"", "\"delta\""));
    }

    #[test]
    fn tool_calls_are_numbered_as_in_a_stream() {
        let document =
            r#"{"choices":[{"message":{"tool_calls":[{"id":"a"},{"index":7,"id":"b"},{}]},"logprobs":null},{}]}"#;
        let chunk = String::from_utf8(as_chunk(document).unwrap()).unwrap();
        assert_eq!(
            chunk,
            r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","index":0},{"index":7,"id":"b"},{"index":2}]},"logprobs":null},{}]}"#
        );
        let text = r#"{"choices":[{"text":"x","finish_reason":"stop"}]}"#;
        assert_eq!(as_chunk(text).unwrap(), text.as_bytes());
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for wrong in [
            "",
            "[]",
            "{",
            r#"{"choices":{}}"#,
            r#"{"choices":[1]}"#,
            r#"{"choices":[{"message":3}]}"#,
            r#"{"choices":[{"message":{"tool_calls":[1]}}]}"#,
        ] {
            assert!(as_chunk(wrong).is_err(), "{wrong}");
        }
    }
}
