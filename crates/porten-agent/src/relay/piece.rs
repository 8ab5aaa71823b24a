//! Answers that the engine gives in one piece: its refusals, and the documents of one that ignores `stream`.

use std::pin::pin;
use std::time::{Duration, Instant};

use porten_core::relay::answer::MAX_ENGINE_DOCUMENT;
use porten_core::relay::engine_error::{self, Failure, MAX_ERROR_BODY};
use porten_core::relay::headers;

use super::ask::Way;
use super::receive::Job;
use crate::engine::EngineAnswer;
use crate::ledger::Outcome;

/// For the body of an engine's refusal: it was decided already, and its words are few.
const ERROR_PATIENCE: Duration = Duration::from_secs(10);

/// The engine said no: its words in one shape, its status kept.
pub(super) async fn fail(mut way: Box<Way>, job: &Job, mut response: EngineAnswer) -> Outcome {
    let status = response.status().as_u16();
    let head = response.headers().clone();
    let patience = way.limits.silence.min(ERROR_PATIENCE);
    let body = tokio::select! {
        () = way.left() => return way.gone().await,
        body = read_up_to(&mut response, MAX_ERROR_BODY, patience) => body.unwrap_or_else(|partial| partial),
    };
    let retry_after = headers::retry_after(&head);
    let failure = Failure { status, media_type: headers::essence(&head), body: &body, retry_after };
    way.refuse(engine_error::read(&failure, &job.names), true).await
}

/// An engine that ignores `stream` sent a whole document.
pub(super) async fn document(mut way: Box<Way>, mut response: EngineAnswer) -> Outcome {
    let since = Instant::now();
    let silence = way.limits.silence;
    let read = read_up_to(&mut response, MAX_ENGINE_DOCUMENT, silence);
    let Ok(body) = way.wait(pin!(read), std::future::pending()).await else { return way.gone().await };
    // What is cut or too long does not read as a document, and is answered as such.
    let body = body.and_then(Result::ok).unwrap_or_default();
    let mut out = Vec::new();
    let Some(answer) = way.answer.take() else { return Outcome::Cancelled };
    let end = answer.take_document(&body, &mut out);
    way.close(end, out, since, true).await
}

/// The body up to a limit; what was read so far if it is longer or was cut.
async fn read_up_to(response: &mut EngineAnswer, limit: usize, patience: Duration) -> Result<Vec<u8>, Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match tokio::time::timeout(patience, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= limit => body.extend_from_slice(chunk),
            Ok(Ok(None)) => return Ok(body),
            Ok(Ok(Some(_)) | Err(_)) | Err(_) => return Err(body),
        }
    }
}
