//! The shape of a document: which keys are where, of what kind their values are, and how its words are spelled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Keys whose values are words of a fixed list: these are a part of the shape.
const WORDS: [&str; 17] = [
    "address_type",
    "backends",
    "finish_reason",
    "instance_meta",
    "interfaceType",
    "nodeBackends",
    "object",
    "owned_by",
    "role",
    "sharding",
    "status",
    "stop_reason",
    "taskStatus",
    "tasks",
    "type",
    "message",
    "serviceName",
];

/// Types that stand in several places, and are the same wherever they stand.
const TYPES: [&str; 6] =
    ["modelCard", "model_card", "MlxRingInstance", "MlxJacclInstance", "PipelineShardMetadata", "TensorShardMetadata"];

/// Paths, with what was seen there: kinds, and words.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shape {
    kinds: BTreeMap<String, BTreeSet<String>>,
    /// Places that were seen with nothing in them: below them nothing can be said.
    empty: BTreeSet<String>,
}

impl Shape {
    pub(crate) fn of<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut shape = Self::default();
        for document in documents {
            shape.see("", "", document);
        }
        shape
    }

    fn see(&mut self, path: &str, key: &str, value: &Value) {
        let kind = match value {
            Value::Null => "null".into(),
            Value::Bool(_) => "bool".into(),
            Value::Number(_) => "number".into(),
            Value::String(text) if WORDS.contains(&key) => format!("{text:?}"),
            Value::String(_) => "text".into(),
            Value::Array(_) => "list".into(),
            Value::Object(_) => "object".into(),
        };
        self.kinds.entry(path.to_owned()).or_default().insert(kind);
        match value {
            Value::Array(list) => {
                self.note_empty(path, list.is_empty());
                for item in list {
                    self.see(&format!("{path}[]"), key, item);
                }
            }
            Value::Object(object) => {
                self.note_empty(path, object.is_empty());
                for (name, item) in object {
                    let is_free = is_id(name) || path.ends_with("files");
                    if TYPES.contains(&name.as_str()) {
                        // A variant may stand wherever its kind may, but a key must be where it is.
                        if !is_tag(name) {
                            self.kinds.entry(format!("{path}/{name}")).or_default().insert("object".into());
                        }
                        self.see(name, name, item);
                        continue;
                    }
                    // An id is nobody's word, so what is below it belongs to the key above.
                    let (name, key) = if is_free { ("*", key) } else { (name.as_str(), name.as_str()) };
                    self.see(&format!("{path}/{name}"), key, item);
                }
            }
            _ => self.note_empty(path, value.is_null()),
        }
    }

    fn note_empty(&mut self, path: &str, is_empty: bool) {
        if is_empty {
            self.empty.insert(path.to_owned());
        }
    }

    /// Whether something above the path was only ever empty.
    fn is_below_nothing(&self, path: &str) -> bool {
        let is_bare = |above: &String| {
            let is_above = path.starts_with(above.as_str()) && path.len() > above.len();
            let below = |known: &String| known.len() > above.len() && known.starts_with(above.as_str());
            is_above && path[above.len()..].starts_with(['/', '[']) && !self.kinds.keys().any(below)
        };
        self.empty.iter().any(is_bare)
    }

    /// What this one has and the other has not, one sentence each; both must have seen as much as they can.
    pub(crate) fn beyond(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, kinds) in &self.kinds {
            let Some(known) = other.kinds.get(path) else {
                if !other.is_below_nothing(path) {
                    found.push(format!("{path} is not there"));
                }
                continue;
            };
            let is_null = |kind: &&String| *kind == "null";
            let strange = kinds.iter().filter(|kind| !known.contains(*kind) && !is_null(kind));
            // What was only null has no kind.
            found.extend(
                strange
                    .filter(|_| !known.iter().all(|kind| kind == "null"))
                    .map(|kind| format!("{path} is not {kind}")),
            );
        }
        found
    }
}

fn is_tag(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// A node's id, or a UUID.
fn is_id(name: &str) -> bool {
    let is_hex = name.chars().all(|digit| digit.is_ascii_hexdigit() || digit == '-');
    is_hex && matches!(name.len(), 32 | 36)
}
