//! The others' load: small requests at a steady rate, each timed from when it was due, however late the one before is.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::net;
use super::verdict::Phase;
use crate::order::Target;
use crate::stats::percentile;

/// Requests a second: gentle, and enough of them for a p99.
pub(crate) const RATE: u32 = 25;
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks [`RATE`] times a second for so long; waits for all answers.
pub(crate) async fn steady<F, A>(time: Duration, mut ask: F) -> Phase
where
    F: FnMut(u32) -> A,
    A: Future<Output = Result<(), String>> + Send + 'static,
{
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..RATE.saturating_mul(u32::try_from(time.as_secs()).unwrap_or(u32::MAX)).max(1) {
        let due = begun + Duration::from_secs(1) / RATE * number;
        tokio::time::sleep_until(due).await;
        let asking = tokio::time::timeout(PATIENCE, ask(number));
        running.spawn(async move {
            let answered = asking.await.map_err(|_| "no whole answer in time".to_owned()).and_then(|answer| answer);
            (due.elapsed(), answered)
        });
    }
    let (mut micros, mut failed) = (Vec::new(), 0);
    while let Some(done) = running.join_next().await {
        match done {
            Ok((took, Ok(()))) => micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            Ok((took, Err(why))) => {
                // The first one is told: of hundreds the rest says the same.
                if failed == 0 {
                    crate::runner::tell(&format!("  a request failed after {} ms: {why}", took.as_millis()));
                }
                failed += 1;
            }
            Err(_) => failed += 1,
        }
    }
    let asked = micros.len() as u64 + failed;
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 µs")]
    let ms = |value: Option<u64>| value.unwrap_or_default() as f64 / 1000.0;
    Phase { p50_ms: ms(percentile(&mut micros, 50)), p99_ms: ms(percentile(&mut micros, 99)), asked, failed }
}

/// A client of a Hub: every other request goes over a connection of its own, the rest over some that are kept.
pub(crate) struct Asker {
    target: Target,
    kept: std::sync::Arc<std::sync::Mutex<Vec<net::Sender>>>,
}

impl Asker {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, kept: std::sync::Arc::default() }
    }

    /// One small chat.
    pub(crate) fn ask(&self, number: u32) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let (target, kept) = (self.target.clone(), std::sync::Arc::clone(&self.kept));
        let is_kept = number.is_multiple_of(2);
        async move {
            let free = is_kept.then(|| kept.lock().ok().and_then(|mut kept| kept.pop())).flatten();
            // A kept connection may have been closed since.
            let free = free.filter(|sender| !sender.is_closed());
            let mut sender = match free {
                Some(sender) => sender,
                None => net::connect(net::address(&target.url)?, net::OTHERS).await?,
            };
            sender.ready().await.map_err(|error| error.to_string())?;
            let body = net::chat(&target.model, false);
            let request = net::post("/v1/chat/completions", "application/json")
                .header("authorization", format!("Bearer {}", target.key))
                .body(Full::new(Bytes::from(body)));
            let answer = sender.send_request(request.map_err(|error| error.to_string())?).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            if status != 200 || !body.windows(15).any(|window| window == b"\"finish_reason\"") {
                return Err(format!("status {status}: {}", String::from_utf8_lossy(body.get(..200).unwrap_or(&body))));
            }
            if is_kept && let Ok(mut kept) = kept.lock() {
                kept.push(sender);
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_neither_delays_the_next_question_nor_hides_its_wait() {
        let phase = steady(Duration::from_secs(4), |number| async move {
            tokio::time::sleep(Duration::from_millis(if number % 10 == 0 { 900 } else { 10 })).await;
            if number == 7 { Err("no".to_owned()) } else { Ok(()) }
        })
        .await;
        assert_eq!((phase.asked, phase.failed), (100, 1));
        assert!((phase.p50_ms - 10.0).abs() < 2.0 && (phase.p99_ms - 900.0).abs() < 2.0, "{phase:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_a_failure() {
        let phase = steady(Duration::from_secs(1), |_| std::future::pending()).await;
        assert_eq!((phase.asked, phase.failed), (25, 25));
    }
}
