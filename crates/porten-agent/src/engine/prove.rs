//! Asks a model for one token: the only thing that says it can generate.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use porten_core::config::EngineUrl;
use porten_core::engine::{Proof, ProofFailure};
use porten_core::relay::engine_error::{self, Failure, MAX_ERROR_BODY};
use porten_core::relay::{Answer, AnswerShape, End, Ended, Flow, Names, Opening, RequestId, Wants, headers};
use porten_core::route::Route;
use serde_json::Value;
use tokio::time::Instant;

use super::client::{EngineClient, EngineError};
use super::line::EngineAnswer;

/// For one token. A model that is loaded gives it in well under a second; pooled Macs that page take longer.
pub const PROOF_DEADLINE: Duration = Duration::from_secs(30);

/// Asks for one token on each of `routes`, each within `deadline`; the first that answers decides, the others are only
/// left out.
///
/// # Errors
/// No route gave a token: what the engine said on the first.
pub async fn prove(
    engine: &EngineClient,
    at: &EngineUrl,
    engine_id: &str,
    routes: &[Route],
    deadline: Duration,
) -> Result<Proof, ProofFailure> {
    let begun = Instant::now();
    let mut proven = Vec::new();
    let mut refused = None;
    let mut took = Duration::ZERO;
    for route in routes {
        let asked = tokio::time::timeout(deadline, one_token(engine, at, engine_id, *route, deadline)).await;
        match asked.unwrap_or(Err(ProofFailure::Late(deadline))) {
            Ok(()) => {
                if proven.is_empty() {
                    took = begun.elapsed();
                }
                proven.push(*route);
            }
            Err(ProofFailure::Unreachable) => return Err(ProofFailure::Unreachable),
            // A frozen engine answers no other route either.
            Err(late @ ProofFailure::Late(_)) if proven.is_empty() => return Err(late),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    match refused {
        _ if !proven.is_empty() => Ok(Proof { routes: proven, took }),
        Some(failure) => Err(failure),
        None => Err(ProofFailure::Refused("there is no route to ask on".into())),
    }
}

async fn one_token(
    engine: &EngineClient,
    at: &EngineUrl,
    engine_id: &str,
    route: Route,
    deadline: Duration,
) -> Result<(), ProofFailure> {
    let request_id = RequestId::read("proof").ok_or(ProofFailure::Unreachable)?;
    let mut body = serde_json::json!({ "model": engine_id, "max_tokens": 1, "temperature": 0, "stream": true });
    match route {
        Route::ChatCompletions => body["messages"] = serde_json::json!([{ "role": "user", "content": "Hi" }]),
        Route::Completions => body["prompt"] = "Hi".into(),
    }
    let body = Bytes::from(body.to_string());
    let head = headers::for_engine(&request_id);
    let response = engine.post(at, route, head, body, deadline).await.map_err(|error| match error {
        EngineError::Unreachable(_) => ProofFailure::Unreachable,
        EngineError::Unreadable(_) => ProofFailure::Refused("its answer cannot be read".into()),
        EngineError::Late(deadline) => ProofFailure::Late(deadline),
    })?;
    // The last path part is all of a path that a person needs to see.
    let shown = engine_id.rsplit('/').next().unwrap_or(engine_id);
    let opening = Opening {
        dialect: route.dialect(),
        names: Names::new(shown, engine_id),
        wants: Wants { stream: true, include_usage: false, choices: 1 },
        request_id,
        created: Timestamp::now().as_second(),
    };
    read(response, opening).await
}

/// A token came, or why not. The answer itself is thrown away.
async fn read(mut response: EngineAnswer, opening: Opening) -> Result<(), ProofFailure> {
    let status = response.status().as_u16();
    let head = response.headers().clone();
    let names = opening.names.clone();
    let mut answer = Answer::new(opening);
    let mut thrown_away = Vec::new();
    match AnswerShape::read(status, &head) {
        AnswerShape::Stream => {
            while let Ok(Some(chunk)) = response.chunk().await {
                if answer.take(chunk, &mut thrown_away) == Flow::Over {
                    break;
                }
                if generated(&thrown_away) {
                    return Ok(());
                }
                thrown_away.clear();
            }
            judge(answer.finish(Ended::Eof, &mut thrown_away))
        }
        AnswerShape::Document => judge(answer.take_document(&up_to_limit(response).await, &mut thrown_away)),
        AnswerShape::Failure => {
            let body = up_to_limit(response).await;
            let retry_after = headers::retry_after(&head);
            let failure = Failure { status, media_type: headers::essence(&head), body: &body, retry_after };
            Err(ProofFailure::refused(&engine_error::read(&failure, &names).message))
        }
    }
}

/// Whether these events hold something of an answer: text of any kind, or its end. One that only names the role does
/// not: some engines send it before they have computed anything.
fn generated(events: &[u8]) -> bool {
    let events = events.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
    events.filter_map(|event| serde_json::from_slice::<Value>(event).ok()).any(|event| {
        event["choices"].as_array().into_iter().flatten().any(|choice| {
            let delta = choice["delta"].as_object().into_iter().flatten();
            let mut said = delta.filter(|(name, _)| *name != "role").map(|(_, value)| value).chain([&choice["text"]]);
            !choice["finish_reason"].is_null() || said.any(is_something)
        })
    })
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn judge(end: End) -> Result<(), ProofFailure> {
    match end {
        End::Complete(_) => Ok(()),
        End::Error(error) => Err(ProofFailure::refused(&error.message)),
    }
}

/// One token's document and every error fit well; of more, the beginning is enough to say what is wrong.
async fn up_to_limit(mut response: EngineAnswer) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(chunk);
        if body.len() > MAX_ERROR_BODY {
            break;
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_alone_is_no_token_but_text_reasoning_a_tool_call_or_an_end_is() {
        let chunk = |choice: &str| generated(format!("data: {{\"choices\":[{choice}]}}\n\n").as_bytes());
        for nothing in [
            r#"{"delta":{"role":"assistant","content":null},"finish_reason":null}"#,
            r#"{"delta":{"role":"assistant","content":""}}"#,
            r#"{"text":"","finish_reason":null}"#,
            "",
        ] {
            assert!(!chunk(nothing), "{nothing}");
        }
        for token in [
            r#"{"delta":{"content":"a"}}"#,
            r#"{"delta":{"reasoning_content":"a"}}"#,
            r#"{"delta":{"tool_calls":[{}]}}"#,
            r#"{"text":"a"}"#,
            r#"{"text":"","finish_reason":"length"}"#,
        ] {
            assert!(chunk(token), "{token}");
        }
        assert!(!generated(b": keep-alive\n\ndata: [DONE]\n\n"));
    }
}
