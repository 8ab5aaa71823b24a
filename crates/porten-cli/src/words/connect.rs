//! How a client gets to the models that are served: where, which, with what, and a line to try it.

use porten_core::snapshot::{ModelState, Overall, Snapshot};

/// Where an API key comes from. Nobody but the Hub can make one.
const KEYS: &str =
    "from whoever runs the Hub; your own Hub makes one with: porten-hub key add ACCOUNT. At porten.ai: in its portal";

/// What is told while requests may come: name and value of each line. Nothing while they may not.
pub(crate) fn lines(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    if !matches!(snapshot.overall, Overall::Ready { .. } | Overall::Serving { .. }) {
        return Vec::new();
    }
    let served = |state: &ModelState| matches!(state, ModelState::Ready { .. } | ModelState::Serving { .. });
    let served: Vec<&str> =
        (snapshot.models.iter()).filter(|model| served(&model.state)).map(|model| model.id.as_str()).collect();
    let Some(first) = served.first() else { return Vec::new() };
    client(&snapshot.hub.endpoint, first, &served.join(", "))
}

/// The same for a model that is to be served.
pub(crate) fn client(endpoint: &str, model: &str, all: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Endpoint", format!("{endpoint} · the base URL of any OpenAI client · model {all}")),
        ("API key", KEYS.to_owned()),
        ("Try it", curl(endpoint, model)),
    ]
}

fn curl(endpoint: &str, model: &str) -> String {
    // Within quotes of the shell and of JSON: an id has neither.
    let model: String = model.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#);
    format!(
        "curl {endpoint}/chat/completions -H \"Authorization: Bearer $API_KEY\" -H 'Content-Type: application/json' -d '{body}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_try_it_is_one_that_a_shell_takes() {
        let lines = client("http://127.0.0.1:8787/v1", "tiny", "tiny");
        assert!(lines[0].1.starts_with("http://127.0.0.1:8787/v1 ·"));
        let line = &lines[2].1;
        assert!(line.starts_with("curl http://127.0.0.1:8787/v1/chat/completions "), "{line}");
        let body = line.split("-d '").nth(1).and_then(|rest| rest.strip_suffix('\'')).unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["model"], "tiny");
    }
}
