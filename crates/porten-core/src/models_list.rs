//! Reads an engine's answer to `GET /v1/models`: a list that is whole and plain, or a probe that failed.
//!
//! Engines answer 200 with nothing, with web pages or with half a list when something is wrong with them, and none of
//! that means "no models": a list is believed only if every part of it reads.

use serde::Deserialize;
use serde_json::Value;

use crate::ids::{EngineId, IdError};

/// Where the list is.
pub const PATH: &str = "/v1/models";
/// A list is read up to this size (bytes). exo's 123 models with all their facts are 60 kB.
pub const MAX_LIST: usize = 2 * 1024 * 1024;
/// A list of more models than this is none.
pub const MAX_MODELS: usize = 2048;

/// One model that an engine lists. That it is listed does not mean that it is loaded: exo lists all it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineModel {
    /// The engine's name for it, perhaps a path.
    pub id: EngineId,
    /// Its weights (MiB), where the engine tells: exo does.
    pub size_mib: Option<u64>,
}

/// A body that is no list of models.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Nothing at all. `mlx_lm.server` does this when its cache folder is missing.
    #[error("the list of models is empty text")]
    Empty,
    /// More than [`MAX_LIST`] bytes.
    #[error("the list of models is too long to be one")]
    TooLong,
    /// A web page, `null`, a list without `data`.
    #[error("it is no list of models as OpenAI's API has it")]
    Unreadable(#[source] serde_json::Error),
    /// `object` says something else than `list`.
    #[error("it is another kind of object than a list of models")]
    NotAList,
    /// More than [`MAX_MODELS`].
    #[error("the list of models has more entries than any engine serves")]
    TooMany,
    /// A model whose id cannot be one.
    #[error("the list of models has an entry whose id is none")]
    Id(#[source] IdError),
    /// The same id again.
    #[error("the list of models names one id twice")]
    Twice,
}

/// Reads the body of a 200.
///
/// # Errors
/// The probe failed: the last good list stays, and ages.
pub fn read(body: &[u8]) -> Result<Vec<EngineModel>, ListError> {
    #[derive(Deserialize)]
    struct List {
        object: Value,
        data: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        #[serde(default)]
        storage_size_megabytes: Value,
    }
    if body.len() > MAX_LIST {
        return Err(ListError::TooLong);
    }
    if body.trim_ascii().is_empty() {
        return Err(ListError::Empty);
    }
    let List { object, data } = serde_json::from_slice(body).map_err(ListError::Unreadable)?;
    if object != "list" {
        return Err(ListError::NotAList);
    }
    if data.len() > MAX_MODELS {
        return Err(ListError::TooMany);
    }
    let mut ids =
        data.iter().map(|entry| EngineId::read(&entry.id)).collect::<Result<Vec<_>, _>>().map_err(ListError::Id)?;
    let sizes = data.iter().map(|entry| entry.storage_size_megabytes.as_u64());
    let models = ids.iter().cloned().zip(sizes).map(|(id, size_mib)| EngineModel { id, size_mib }).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(ListError::Twice);
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(body: &str) -> Vec<String> {
        read(body.as_bytes()).expect(body).into_iter().map(|model| model.id.into()).collect()
    }

    #[test]
    fn the_lists_of_real_engines_are_read_in_their_order() {
        // exo 0.3.70, shortened to one model.
        let exo = r#"{"object":"list","data":[{"id":"mlx-community/gpt-oss-120b-MXFP4-Q8","object":"model","created":1795373874,
            "owned_by":"exo","hugging_face_id":"mlx-community/gpt-oss-120b-MXFP4-Q8","context_length":131072,"tags":[]}]}"#;
        assert_eq!(ids(exo), ["mlx-community/gpt-oss-120b-MXFP4-Q8"]);
        // mlx_lm.server: the id is where the model lies.
        let mlx =
            r#"{"object": "list", "data": [{"id": "/home/jane/my models/smollm2", "object": "model", "created": 1}]}"#;
        assert_eq!(ids(mlx), ["/home/jane/my models/smollm2"]);
        // llama-server adds a list of its own.
        let llama = r#"{"models":[{"name":"x"}],"object":"list","data":[{"id":"b","meta":{"n_ctx":8192}},{"id":"a"}]}"#;
        assert_eq!(ids(llama), ["b", "a"]);
        // GPUStack without a worker.
        assert_eq!(ids(r#"{"data":[],"object":"list"}"#), [""; 0]);
    }

    /// Fault D10: an empty body is a failed probe and never an empty list.
    /// Fault D11: pages, nulls, doubled or unprintable ids and lists that are too long are failed probes.
    #[test]
    fn anything_else_is_a_failed_probe_and_never_an_empty_list() {
        let many = (0..=MAX_MODELS).map(|n| format!("{{\"id\":\"m{n}\"}}")).collect::<Vec<_>>().join(",");
        for bad in [
            "",
            " \r\n",
            "null",
            "[]",
            "{}",
            "<!doctype html><html>It works!</html>",
            r#"{"object":"list","data":null}"#,
            r#"{"object":"list"}"#,
            r#"{"data":[{"id":"a"}]}"#,
            r#"{"object":"error","data":[]}"#,
            r#"{"object":"list","data":[{"id":"a"},{"id":"a"}]}"#,
            r#"{"object":"list","data":[{"id":"a"},{"id":""}]}"#,
            r#"{"object":"list","data":[{"id":"a\u0000"}]}"#,
            r#"{"object":"list","data":[{"id":"a\r\nHost: evil"}]}"#,
            r#"{"object":"list","data":[{"id":"../../etc/passwd"}]}"#,
            r#"{"object":"list","data":[{"id":7}]}"#,
            r#"{"object":"list","data":[{"name":"a"}]}"#,
            r#"{"object":"list","data":["a"]}"#,
            r#"{"object":"list","data":[{"id":"a"}"#,
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
            &format!("{{\"object\":\"list\",\"data\":[{many}]}}"),
            &" ".repeat(MAX_LIST + 1),
            &"[".repeat(100_000),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(80)]);
        }
        assert!(read(b"\xff\xfe{").is_err());
    }

    proptest! {
        #[test]
        fn whatever_reads_has_no_control_character_and_no_double(names in prop::collection::vec("\\PC{0,9}|[\u{0}-\u{20}a]{1,3}", 0..6)) {
            let data: Vec<_> = names.iter().map(|name| serde_json::json!({ "id": name })).collect();
            let body = serde_json::json!({ "object": "list", "data": data }).to_string();
            if let Ok(models) = read(body.as_bytes()) {
                prop_assert_eq!(models.len(), names.len());
                let mut seen: Vec<String> = models.into_iter().map(|model| model.id.into()).collect();
                prop_assert!(seen.iter().all(|id| !id.is_empty() && !id.contains(|c: char| c.is_control())));
                seen.sort();
                seen.dedup();
                prop_assert_eq!(seen.len(), names.len());
            }
        }
    }
}
