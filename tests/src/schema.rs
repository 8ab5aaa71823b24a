//! Holds documents against docs/json.schema.json: as much of JSON Schema as stands in it, and nothing that does not.

use serde_json::{Map, Value};

/// The schema of what `porten … --json` answers.
#[derive(Debug)]
pub struct Schema(Value);

impl Schema {
    /// As it stands in docs.
    ///
    /// # Panics
    /// It is missing, or no JSON.
    #[must_use]
    pub fn of_porten() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.schema.json");
        let text = std::fs::read_to_string(path).expect("docs/json.schema.json");
        Self(serde_json::from_str(&text).expect("a schema is JSON"))
    }

    /// What is wrong with a document as one of this name; nothing if nothing is.
    #[must_use]
    pub fn wrong(&self, name: &str, document: &Value) -> Option<String> {
        let Some(schema) = self.0["$defs"].get(name) else { return Some(format!("there is no {name}")) };
        self.check(schema, document, name).err()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let rules = schema.as_object().ok_or_else(|| format!("{at}: its schema is no object"))?;
        for (rule, with) in rules {
            let good = match rule.as_str() {
                "description" => true,
                "$ref" => {
                    let name = with.as_str().and_then(|path| path.strip_prefix("#/$defs/")).unwrap_or_default();
                    let named = self.0["$defs"].get(name).ok_or_else(|| format!("{at}: there is no {name}"))?;
                    self.check(named, value, at)?;
                    true
                }
                "const" => with == value,
                "enum" => with.as_array().is_some_and(|all| all.contains(value)),
                "anyOf" => {
                    let all = with.as_array().into_iter().flatten();
                    let tried: Vec<_> = all.map(|one| self.check(one, value, at)).collect();
                    if !tried.iter().any(Result::is_ok) {
                        let wrong: Vec<_> = tried.into_iter().filter_map(Result::err).collect();
                        return Err(wrong.join("; or "));
                    }
                    true
                }
                "type" => is_of(with.as_str().unwrap_or_default(), value),
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(with, item, &format!("{at}[{n}]"))?;
                    }
                    true
                }
                "properties" => {
                    let (Some(known), Some(object)) = (with.as_object(), value.as_object()) else { continue };
                    self.properties(known, object, at)?;
                    true
                }
                "required" => {
                    let names = with.as_array().into_iter().flatten().filter_map(Value::as_str);
                    let missing = names.into_iter().find(|name| value.get(*name).is_none());
                    if let Some(name) = missing {
                        return Err(format!("{at}.{name} is missing"));
                    }
                    true
                }
                // Held with the properties.
                "additionalProperties" => *with == Value::Bool(false),
                other => return Err(format!("{at}: nobody here knows the rule {other}")),
            };
            if !good {
                return Err(format!("{at} is {value}, against {rule} {with}"));
            }
        }
        Ok(())
    }

    fn properties(&self, known: &Map<String, Value>, object: &Map<String, Value>, at: &str) -> Result<(), String> {
        for (name, value) in object {
            let schema = known.get(name).ok_or_else(|| format!("{at}.{name} is in no schema"))?;
            self.check(schema, value, &format!("{at}.{name}"))?;
        }
        Ok(())
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_that_is_another_is_told_with_the_place() {
        let schema = Schema::of_porten();
        let good = json!({ "online": true, "agent": "running", "hub": null });
        assert_eq!(schema.wrong("SetOnline", &good), None);
        for (bad, place) in [
            (json!({ "online": "true", "agent": "running", "hub": null }), "SetOnline.online"),
            (json!({ "online": true, "agent": "gone", "hub": null }), "SetOnline.agent"),
            (json!({ "online": true, "agent": "running" }), "SetOnline.hub is missing"),
            (json!({ "online": true, "agent": "running", "hub": null, "more": 1 }), "SetOnline.more is in no schema"),
            (json!({ "online": null, "agent": "running", "hub": 3 }), "SetOnline.hub"),
        ] {
            let told = schema.wrong("SetOnline", &bad).unwrap_or_default();
            assert!(told.contains(place), "{told}");
        }
        assert!(schema.wrong("Nothing", &good).is_some());
    }
}
