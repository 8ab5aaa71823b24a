//! Turns keys between exo's two spellings: `/state` writes camelCase, other places the same in snake_case.

use serde_json::{Map, Value};

/// The document with snake_case keys. Tags (`MlxRingInstance`) and ids stay as they are.
pub(crate) fn snake(value: Value) -> Value {
    respelled(value, &|key: &str| {
        if key.starts_with(|first: char| first.is_ascii_uppercase()) {
            return key.to_owned();
        }
        let mut spelled = String::with_capacity(key.len() + 4);
        for letter in key.chars() {
            if letter.is_ascii_uppercase() {
                spelled.push('_');
            }
            spelled.push(letter.to_ascii_lowercase());
        }
        spelled
    })
}

/// The document with camelCase keys: exo takes either where it writes camelCase.
pub(crate) fn camel(value: Value) -> Value {
    respelled(value, &|key: &str| {
        let mut parts = key.split('_');
        let mut spelled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let mut letters = part.chars();
            spelled.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            spelled.extend(letters);
        }
        spelled
    })
}

fn respelled(value: Value, spell: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Object(object) => {
            let pairs = object.into_iter().map(|(key, value)| (spell(&key), respelled(value, spell)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Value::Array(values) => values.into_iter().map(|value| respelled(value, spell)).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_respelled_at_any_depth_and_tags_and_ids_are_not() {
        let written = json!({"MlxRingInstance": {"nodeToRunner": {"b9b3": "a-1"}, "list": [{"inBytes": 1}]}});
        let spelled = json!({"MlxRingInstance": {"node_to_runner": {"b9b3": "a-1"}, "list": [{"in_bytes": 1}]}});
        assert_eq!(snake(written.clone()), spelled);
        assert_eq!(camel(spelled), written);
    }
}
