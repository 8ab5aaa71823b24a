//! Counts requests where they happen and tells the loop that something changed; numbers only, never content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use porten_core::picture::ModelTraffic;
use porten_core::snapshot::TrafficView;
use tokio::sync::Notify;

/// Shared by the relay's tasks and the loop.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    counts: Mutex<Counts>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    traffic: TrafficView,
    by_model: BTreeMap<String, ModelTraffic>,
    served: BTreeSet<String>,
    failed: BTreeSet<String>,
    left: BTreeSet<String>,
}

/// What the loop takes out; `served`, `failed` and `left` are handed out once.
#[derive(Debug, Default)]
pub struct Reading {
    /// Totals.
    pub traffic: TrafficView,
    /// By Hub id.
    pub by_model: BTreeMap<String, ModelTraffic>,
    /// Engine ids that answered a request to its end since the last reading.
    pub served: BTreeSet<String>,
    /// Engine ids that failed one on the engine's account since the last reading.
    pub failed: BTreeSet<String>,
    /// Engine ids with an answer that its client left since the last reading.
    pub left: BTreeSet<String>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Answered to its end.
    Complete {
        /// Tokens, if the engine counted.
        tokens: Option<u64>,
        /// From the first byte of the answer to the last.
        took: Duration,
    },
    /// The engine refused it, in words: its fault or the client's, but it lives.
    Declined,
    /// The engine failed it.
    Failed,
    /// The client, or the tunnel, left.
    Cancelled,
    /// The same request came again and took its place: that one is counted.
    Superseded,
}

/// One request on its way; if it is dropped before it said how it ended, it was cancelled.
#[derive(Debug)]
pub struct Entry {
    ledger: Ledger,
    hub_id: String,
    engine_id: String,
    ended: bool,
}

impl Ledger {
    /// A request of this model begins.
    #[must_use]
    pub fn begin(&self, hub_id: &str, engine_id: &str) -> Entry {
        self.change(|counts| {
            counts.traffic.in_flight += 1;
            counts.by_model.entry(hub_id.to_owned()).or_default().in_flight += 1;
        });
        Entry { ledger: self.clone(), hub_id: hub_id.to_owned(), engine_id: engine_id.to_owned(), ended: false }
    }

    /// A request was refused before the engine was asked.
    pub fn refuse(&self) {
        self.change(|counts| counts.traffic.refused += 1);
    }

    /// Requests running now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.lock().traffic.in_flight
    }

    /// What there is to know; empties `served`, `failed` and `left`.
    #[must_use]
    pub fn read(&self) -> Reading {
        let mut counts = self.lock();
        Reading {
            traffic: counts.traffic,
            by_model: counts.by_model.clone(),
            served: std::mem::take(&mut counts.served),
            failed: std::mem::take(&mut counts.failed),
            left: std::mem::take(&mut counts.left),
        }
    }

    /// Waits until something changed since the last wait.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
        self.inner.changed.notify_one();
    }

    /// Counting cannot leave half a change behind, so a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The request ended like this.
    pub fn end(mut self, outcome: Outcome) {
        self.book(outcome);
    }

    fn book(&mut self, outcome: Outcome) {
        self.ended = true;
        let (hub_id, engine_id) = (&self.hub_id, &self.engine_id);
        self.ledger.change(|counts| {
            counts.traffic.in_flight -= 1;
            // It is there since the request began.
            let Some(model) = counts.by_model.get_mut(hub_id) else { return };
            model.in_flight -= 1;
            match outcome {
                Outcome::Complete { tokens, took } => {
                    counts.traffic.completed += 1;
                    note(&mut counts.served, engine_id);
                    if let Some(tokens) = tokens {
                        counts.traffic.tokens += tokens;
                        model.tokens_per_s = speed(tokens, took).or(model.tokens_per_s);
                    }
                }
                Outcome::Declined => counts.traffic.failed += 1,
                Outcome::Failed => {
                    counts.traffic.failed += 1;
                    note(&mut counts.failed, engine_id);
                }
                Outcome::Cancelled => {
                    counts.traffic.cancelled += 1;
                    note(&mut counts.left, engine_id);
                }
                Outcome::Superseded => {}
            }
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.ended {
            self.book(Outcome::Cancelled);
        }
    }
}

/// Most often the name stands there already.
fn note(names: &mut BTreeSet<String>, name: &str) {
    if !names.contains(name) {
        names.insert(name.to_owned());
    }
}

/// Tokens per second to a tenth; nothing for answers too short to time.
fn speed(tokens: u64, took: Duration) -> Option<f64> {
    if tokens < 2 || took < Duration::from_millis(10) {
        return None;
    }
    let tokens = f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
    Some((tokens / took.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_ends_exactly_once_also_when_its_task_is_dropped() {
        let ledger = Ledger::default();
        let (a, b, c) = (ledger.begin("m", "e"), ledger.begin("m", "e"), ledger.begin("m", "e"));
        assert_eq!(ledger.in_flight(), 3);
        a.end(Outcome::Complete { tokens: Some(20), took: Duration::from_secs(2) });
        b.end(Outcome::Failed);
        drop(c);
        let reading = ledger.read();
        assert_eq!(
            reading.traffic,
            TrafficView { in_flight: 0, completed: 1, failed: 1, cancelled: 1, refused: 0, tokens: 20 }
        );
        assert_eq!(reading.by_model["m"], ModelTraffic { in_flight: 0, tokens_per_s: Some(10.0) });
        assert_eq!((reading.served.len(), reading.failed.len()), (1, 1));
        assert!(ledger.read().served.is_empty(), "handed out once");
    }
}
