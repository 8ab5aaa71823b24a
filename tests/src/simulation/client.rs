//! A client of the Hub, as far as a link goes: asks, reads, and says how its answer ended.

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use porten_core::wire::END_TRAILER;
use serde_json::{Value, json};

use super::{chunks, text};

/// How an answer ended: in exactly one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// All of it, and a trailer that says so.
    Whole,
    /// A status, or an event, that says what went wrong, and a trailer.
    Told(u16),
    /// The stream was reset, or the link ended.
    Reset,
}

/// Asks the request of this number, of this route, and reads its answer.
///
/// # Errors
/// What an answer must never be: whole and not all of it, ended without a word, or not what was asked.
pub async fn ask(requests: SendRequest<Bytes>, number: u64, path: &str, stream: bool) -> Result<Fate, String> {
    let request = Request::post(format!("http://node{path}"))
        .header("content-type", "application/json")
        .header("x-request-id", format!("sim-{number}"))
        .body(())
        .map_err(|error| error.to_string())?;
    let body =
        json!({"model": "tiny", "stream": stream, "messages": [{"role": "user", "content": number.to_string()}]});
    let Ok(mut requests) = requests.ready().await else { return Ok(Fate::Reset) };
    let Ok((answer, mut upload)) = requests.send_request(request, false) else { return Ok(Fate::Reset) };
    // A link that ends meanwhile shows in the answer.
    let _ = upload.send_data(Bytes::from(body.to_string()), true);
    let Ok(answer) = answer.await else { return Ok(Fate::Reset) };
    let status = answer.status().as_u16();
    let mut incoming = answer.into_body();
    let mut whole = Vec::new();
    while let Some(piece) = incoming.data().await {
        let Ok(piece) = piece else { return Ok(Fate::Reset) };
        let _ = incoming.flow_control().release_capacity(piece.len());
        whole.extend_from_slice(&piece);
    }
    let Ok(trailers) = incoming.trailers().await else { return Ok(Fate::Reset) };
    let said = String::from_utf8_lossy(&whole).into_owned();
    let end = trailers.as_ref().and_then(|trailers| trailers.get(END_TRAILER)).and_then(|end| end.to_str().ok());
    judge(status, end, &said, number, stream).ok_or_else(|| format!("request {number}: {status} {end:?} {said}"))
}

fn judge(status: u16, end: Option<&str>, said: &str, number: u64, stream: bool) -> Option<Fate> {
    let errors = said.matches("\"error\":{").count();
    let is_done = said.ends_with("data: [DONE]\n\n");
    match (status, end?) {
        (200, "complete") => {
            let is_right = content(said, stream) == text(number, chunks(number)) && errors == 0 && (is_done || !stream);
            is_right.then_some(Fate::Whole)
        }
        // The last event is the error, and what came before it is the beginning of the answer.
        (200, "error") => {
            let begins = text(number, chunks(number)).starts_with(&content(said, stream));
            (stream && errors == 1 && !is_done && begins).then_some(Fate::Told(200))
        }
        (status, "complete") => (errors == 1).then_some(Fate::Told(status)),
        _ => None,
    }
}

fn content(said: &str, stream: bool) -> String {
    let part = |value: &Value| {
        let choice = &value["choices"][0];
        let text = choice["delta"]["content"].as_str().or_else(|| choice["message"]["content"].as_str());
        text.unwrap_or_default().to_owned()
    };
    if !stream {
        return serde_json::from_str(said).map(|document| part(&document)).unwrap_or_default();
    }
    let events = said.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter_map(|event| serde_json::from_str(event).ok()).map(|event| part(&event)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_all_there_is_whole() {
        let stream = format!(
            "data: {}\n\ndata: [DONE]\n\n",
            json!({"choices": [{"index": 0, "delta": {"content": text(9, 1)}, "finish_reason": "stop"}]})
        );
        assert_eq!(judge(200, Some("complete"), &stream, 9, true), Some(Fate::Whole));
        assert_eq!(judge(200, Some("complete"), &stream, 10, true), None, "another's answer");
        assert_eq!(judge(200, None, &stream, 9, true), None, "no word about its end");
        assert_eq!(judge(200, Some("error"), &stream, 9, true), None, "no error in it");
        let error = "data: {\"error\":{\"code\":\"x\"}}\n\n";
        assert_eq!(judge(200, Some("error"), error, 9, true), Some(Fate::Told(200)));
        assert_eq!(judge(503, Some("complete"), "{\"error\":{}}", 9, true), Some(Fate::Told(503)));
    }
}
