//! What is said of a condition wherever it is shown: the same words in the ladder, the headline and the notice.

use super::Facts;
use crate::config::EngineKind;
use crate::memory::{BudgetOrigin, Memory};
use crate::remedy::Remedy;
use crate::snapshot::{ClusterView, EngineView, ModelState, ModelView};
use crate::wire::{self, Standing};

pub(super) const SIGNED_OUT: &str = "Signed out";
pub(super) const REJECTED: &str = "The Hub rejected the connection";
pub(super) const EXO_STALE: &str = "exo isn't responding";
pub(super) const EXO_REPLAYS: &str = "exo is replaying its history";
pub(super) const NOTHING_TO_SERVE: &str = "Nothing to serve";
/// The port that is exo's own.
const EXO_PORT: &str = ":52415";

/// Of an engine that does not answer.
pub(super) fn unreachable(facts: &Facts<'_>, engine: &EngineView) -> &'static str {
    let is_exo = facts.config.engine.as_ref().is_some_and(|kind| kind.value == EngineKind::Exo)
        || engine.url.as_ref().is_some_and(|url| url.trim_end_matches('/').ends_with(EXO_PORT));
    if is_exo { "Can't reach exo" } else { "Can't reach the engine" }
}

pub(super) fn stopped(mac: &str) -> String {
    format!("{mac} stopped responding")
}

/// How far a wanted model has come that cannot be asked yet; `None` for any other state.
pub(super) fn coming(model: &ModelView) -> Option<String> {
    let id = &model.id;
    Some(match &model.state {
        ModelState::Waiting { why } => format!("{id} waits for {why}"),
        ModelState::Placing => format!("Loading {id}"),
        ModelState::Downloading { percent, .. } => format!("Downloading {id} {percent}%"),
        ModelState::Loading { layers, of } => match percent(*layers, *of) {
            Some(percent) => format!("Loading {id} {percent}%"),
            None => format!("Loading {id}"),
        },
        ModelState::Warming => format!("Warming up {id}"),
        _ => return None,
    })
}

fn percent(part: u32, of: u32) -> Option<u64> {
    (u64::from(part) * 100).checked_div(u64::from(of)).map(|percent| percent.min(100))
}

/// Why a wanted model cannot answer, and what to do; `None` where it can, is coming, or only its engine is away.
pub(super) fn failing(facts: &Facts<'_>, cluster: Option<&ClusterView>, model: &ModelView) -> Option<(String, Remedy)> {
    let id = || model.id.clone();
    Some(match &model.state {
        ModelState::Unmatched { .. } => {
            (format!("No model called \u{201c}{}\u{201d}", model.id), Remedy::MatchModel { model: id() })
        }
        ModelState::Broken { .. } => (format!("{} can't run", model.id), broken(cluster, model)),
        ModelState::Stalled { .. } => (format!("{} is stuck loading", model.id), Remedy::RestartLoad { model: id() }),
        ModelState::Unfit { .. } => (unfit(facts, cluster, model, "does not fit"), Remedy::MakeRoom { model: id() }),
        ModelState::Failed { .. } if cluster.is_some() && model.placed.is_none() => {
            (unfit(facts, cluster, model, "isn't loaded"), Remedy::TryAgain { model: id() })
        }
        ModelState::Failed { .. } => (format!("{} doesn't generate", model.id), Remedy::LoadInEngine { model: id() }),
        ModelState::Off
        | ModelState::OffElsewhere
        | ModelState::Withdrawn
        | ModelState::Waiting { .. }
        | ModelState::Placing
        | ModelState::Downloading { .. }
        | ModelState::Loading { .. }
        | ModelState::Warming
        | ModelState::Loaded
        | ModelState::Proving
        | ModelState::Ready { .. }
        | ModelState::Serving { .. }
        | ModelState::Finishing { .. }
        | ModelState::Cold { .. } => return None,
    })
}

/// The Mac that a broken model lost, if it is known by name.
fn broken(cluster: Option<&ClusterView>, model: &ModelView) -> Remedy {
    let away = |name: &str| {
        cluster.is_some_and(|cluster| !cluster.members.iter().any(|mac| mac.name == name && mac.state.is_heard()))
    };
    match model.parts.iter().find(|part| away(&part.on)) {
        Some(part) => Remedy::CheckMac { mac: part.on.clone() },
        None => Remedy::RestartExo,
    }
}

/// The sum, where it is one of the model alone and what there is; else that it is so.
fn unfit(facts: &Facts<'_>, cluster: Option<&ClusterView>, model: &ModelView, otherwise: &str) -> String {
    let holds = facts.memory.schedulable_mib.or(facts.memory.usable_mib);
    match (model.size_mib, holds) {
        (Some(size), Some(holds)) if size > holds => {
            let place =
                if cluster.is_some_and(|cluster| cluster.members.len() > 1) { "this cluster" } else { "this Mac" };
            format!("{} needs {} GB, {place} holds {}", model.id, size.div_ceil(1024), holds / 1024)
        }
        _ => format!("{} {otherwise}", model.id),
    }
}

/// Why the Hub places nothing on a model that could answer.
pub(super) struct Refusal {
    pub(super) title: String,
    pub(super) text: &'static str,
    pub(super) fix: Remedy,
}

/// `None` where the Hub does place, or has not said why it does not.
pub(super) fn refusal(
    model: &ModelView,
    told: Option<&wire::ModelTraffic>,
    memory: &Memory,
    has_macs: bool,
) -> Option<Refusal> {
    let id = &model.id;
    let said = |title: String, text, fix| Some(Refusal { title, text, fix });
    match model.standing? {
        Standing::Eligible | Standing::Unknown => None,
        Standing::NotOffered => said(
            format!("{id} is not offered by the Hub"),
            "The Hub's catalog does not list it, so no requests come.",
            Remedy::AskHub { model: id.clone() },
        ),
        Standing::NeedsMemory => {
            let has = memory.advertised_mib / 1024;
            let place = match memory.schedulable_mib {
                Some(can) if can > memory.advertised_mib => "this node offers",
                _ if has_macs => "this cluster holds",
                _ => "this Mac holds",
            };
            let title = match told.and_then(|told| told.needs_mib) {
                Some(needs) => format!("{id} needs {} GB, {place} {has}", needs.div_ceil(1024)),
                None => format!("{id} needs more memory for the Hub"),
            };
            said(title, "The Hub sends its requests to nodes that have more.", more_memory(memory, has_macs))
        }
        Standing::NoRoute => said(
            format!("The Hub offers {id} on other routes"),
            "It is offered only on routes that this engine does not answer.",
            Remedy::OtherEngine,
        ),
        Standing::Draining => {
            said(format!("{id} gets no requests"), "This node is finishing what runs.", Remedy::GoOnline)
        }
        Standing::HubDrains => {
            said(format!("{id} gets no requests"), "The Hub has this node finish what runs.", Remedy::AwaitHub)
        }
        Standing::StaleProof => said(
            format!("The Hub awaits a new test of {id}"),
            "The Hub last heard too long ago that it generates.",
            Remedy::ProveAgain,
        ),
        Standing::Resting => {
            said(format!("{id} failed several times in a row"), "The Hub asks other nodes first.", Remedy::AwaitRetry)
        }
    }
}

/// Where the memory of a node can come from that is too small for the Hub.
fn more_memory(memory: &Memory, has_macs: bool) -> Remedy {
    let is_set_low =
        memory.origin == BudgetOrigin::Set && memory.schedulable_mib.is_some_and(|can| can > memory.advertised_mib);
    if is_set_low || !has_macs { Remedy::SetBudget } else { Remedy::AddMemory }
}
