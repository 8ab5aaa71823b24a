//! Walks one JSON object or array without copying its values: what is not looked at stays the bytes it was.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Gives each field of a JSON object to `take`, in order, duplicates included.
///
/// # Errors
/// Not exactly one JSON object.
pub(super) fn each_field<'a>(
    json: &'a str,
    take: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Fields(take))?;
    reader.end()
}

/// Gives each item of a JSON array to `take`, in order.
///
/// # Errors
/// Not exactly one JSON array of such items; the items before the wrong one were given.
pub(super) fn each_item<'a, T: Deserialize<'a>>(json: &'a str, take: impl FnMut(T)) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_seq(Items(take, PhantomData))?;
    reader.end()
}

/// The inside of a raw JSON string, still escaped. Insides may be joined: together they are one string's inside.
pub(super) fn string_inside(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// Writes `"key":` as JSON.
pub(super) fn write_key(key: &str, out: &mut Vec<u8>) {
    if key.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(key.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(quoted(key).as_bytes());
    }
    out.push(b':');
}

/// A text as a JSON string, with its quotes.
pub(super) fn quoted(text: &str) -> String {
    // A string always serialises.
    serde_json::to_string(text).unwrap_or_default()
}

struct Fields<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Fields<F> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            (self.0)(key, map.next_value()?);
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

struct Items<F, T>(F, PhantomData<T>);

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Items<F, T> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_as_the_bytes_they_were() {
        let mut seen = Vec::new();
        let json = r#" {"b": 1.50 ,"a\u0062":[ {"x":"\ud83d"} ],"b":null} "#;
        each_field(json, |key, value| seen.push((key.into_owned(), value.get().to_owned()))).unwrap();
        let expected = [("b", "1.50"), ("ab", r#"[ {"x":"\ud83d"} ]"#), ("b", "null")];
        assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn anything_but_one_object_or_one_array_is_an_error() {
        for wrong in ["", "[]", "1", "{} {}", "{\"a\":}", "{\"a\":1", "null", "{a:1}", "{\"\\ud800\":1}"] {
            assert!(each_field(wrong, |_, _| ()).is_err(), "{wrong}");
        }
        for wrong in ["", "{}", "[1,]", "[1] 2", "null"] {
            assert!(each_item(wrong, |_: &RawValue| ()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_written_as_json_again() {
        let mut out = Vec::new();
        each_field(r#"{"plain":1,"qu\"ote\n":2}"#, |key, _| write_key(&key, &mut out)).unwrap();
        assert_eq!(out, br#""plain":"qu\"ote\n":"#);
    }
}
