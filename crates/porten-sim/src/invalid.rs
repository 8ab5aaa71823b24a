//! What exo says to a request that it cannot read: 422 and a list of what is wrong with it.

use serde::Serialize;
use serde_json::{Value, json};

/// All that is wrong with a request.
#[derive(Debug, Serialize)]
pub(crate) struct Invalid {
    detail: Vec<Detail>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
struct Detail {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where, from the outside in.
    loc: Value,
    msg: String,
    /// What was sent there.
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

impl Invalid {
    fn one(detail: Detail) -> Self {
        Self { detail: vec![detail] }
    }

    /// Something is missing in `input`.
    pub(crate) fn missing(loc: Value, input: &Value) -> Self {
        Self::one(Detail { kind: "missing", loc, msg: "Field required".into(), input: input.clone(), ctx: None })
    }

    /// Not one of the words that may stand there.
    pub(crate) fn literal(loc: Value, words: &[&str], input: &Value) -> Self {
        Self::choice("literal_error", loc, words, input)
    }

    /// Not one of the names that may stand there.
    pub(crate) fn name(loc: Value, names: &[&str], input: &Value) -> Self {
        Self::choice("enum", loc, names, input)
    }

    fn choice(kind: &'static str, loc: Value, words: &[&str], input: &Value) -> Self {
        let expected = listed(words);
        let ctx = Some(json!({"expected": expected}));
        Self::one(Detail { kind, loc, msg: format!("Input should be {expected}"), input: input.clone(), ctx })
    }

    fn wrong(kind: &'static str, what: &str, loc: Value, input: &Value) -> Self {
        Self::one(Detail { kind, loc, msg: format!("Input should be {what}"), input: input.clone(), ctx: None })
    }

    /// A number from a query that is none, or is out of its bounds.
    pub(crate) fn number(loc: Value, what: &str, input: &str) -> Self {
        Self::wrong("float_parsing", what, loc, &json!(input))
    }

    /// Not a whole number.
    pub(crate) fn integer(loc: Value, input: &Value) -> Self {
        Self::wrong("int_parsing", "a valid integer", loc, input)
    }

    /// The body is no JSON.
    pub(crate) fn no_json(place: usize) -> Self {
        let ctx = Some(json!({"error": "Expecting value"}));
        let (loc, msg) = (json!(["body", place]), "JSON decode error".into());
        Self::one(Detail { kind: "json_invalid", loc, msg, input: json!({}), ctx })
    }

    /// The document does not describe what it should; where exactly, only the real one says.
    pub(crate) fn shape(loc: Value, input: &Value) -> Self {
        Self::wrong("model_attributes_type", "a valid dictionary or object to extract fields from", loc, input)
    }
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// A body's fields, and where they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    whole: &'a Value,
    /// What the client sent, if that was spelled otherwise.
    sent: &'a Value,
}

impl<'a> Fields<'a> {
    /// The fields of a body that is an object.
    pub(crate) fn of_body(whole: &'a Value) -> Result<Self, Invalid> {
        if whole.is_object() { Ok(Self { whole, sent: whole }) } else { Err(Invalid::shape(json!(["body"]), whole)) }
    }

    /// The same fields, where errors show another document.
    pub(crate) const fn shown_as(self, sent: &'a Value) -> Self {
        Self { sent, ..self }
    }

    pub(crate) fn any(&self, name: &str) -> Result<&'a Value, Invalid> {
        self.whole.get(name).ok_or_else(|| Invalid::missing(json!(["body", name]), self.sent))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Invalid> {
        let value = self.any(name)?;
        value.as_str().ok_or_else(|| Invalid::wrong("string_type", "a valid string", json!(["body", name]), value))
    }

    pub(crate) fn list(&self, name: &str) -> Result<&'a [Value], Invalid> {
        let value = self.any(name)?;
        let list = value.as_array().map(Vec::as_slice);
        list.ok_or_else(|| Invalid::wrong("list_type", "a valid list", json!(["body", name]), value))
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Invalid> {
        let value = self.any(name)?;
        value.as_u64().ok_or_else(|| Invalid::wrong("int_type", "a valid integer", json!(["body", name]), value))
    }

    /// Both, or all that is wrong with either.
    pub(crate) fn both<A, B>(&self, one: Result<A, Invalid>, other: Result<B, Invalid>) -> Result<(A, B), Invalid> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(mut one), Err(other)) => {
                one.detail.extend(other.detail);
                Err(one)
            }
            (Err(invalid), Ok(_)) | (Ok(_), Err(invalid)) => Err(invalid),
        }
    }
}
