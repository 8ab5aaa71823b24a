//! Reads what the Hub said of a model into why no requests come for it.

use jiff::{SignedDuration, Timestamp};

use super::Facts;
use crate::snapshot::WhyView;
use crate::wire::{ModelTraffic, Standing};

/// `None` while requests run and nothing stands against more, or while the Hub has said nothing.
pub(super) fn why(facts: &Facts<'_>, id: &str, requests: u32) -> Option<WhyView> {
    let told = facts.standings.get(id)?;
    let said = facts.said?;
    Some(match told.standing {
        Standing::Eligible if requests > 0 && !told.at_cap => return None,
        Standing::Eligible if told.at_cap => WhyView::AtCap,
        Standing::Eligible => idle(told, said),
        Standing::NotOffered => WhyView::NotOffered { nearest: facts.nearest.get(id).cloned() },
        Standing::NeedsMemory => {
            WhyView::NeedsMemory { needs_mib: told.needs_mib, has_mib: facts.memory.advertised_mib }
        }
        Standing::NoRoute => WhyView::NoRoute,
        Standing::Draining => WhyView::Draining,
        Standing::HubDrains => WhyView::HubDrains,
        Standing::StaleProof => WhyView::StaleProof,
        Standing::Resting => WhyView::Resting {
            failures: told.failures.unwrap_or_default(),
            until: told.retry_s.and_then(|seconds| moved(said, seconds, 1)),
        },
        Standing::Unknown => WhyView::Unknown,
    })
}

fn idle(told: &ModelTraffic, said: Timestamp) -> WhyView {
    let before = |seconds: Option<u64>| moved(said, seconds?, -1);
    WhyView::Idle { asked: before(told.asked_s), since: before(told.counted_s), nodes: told.nodes }
}

/// Another's number of seconds may be any: one that leads out of the calendar says nothing.
fn moved(from: Timestamp, seconds: u64, direction: i64) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds).ok()?;
    from.checked_add(SignedDuration::from_secs(seconds * direction)).ok()
}
