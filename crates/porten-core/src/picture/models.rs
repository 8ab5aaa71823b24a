//! One row per model: what is wanted, what is, and what the Hub says of it.

use std::collections::BTreeMap;

use super::Facts;
use crate::desk::Stand;
use crate::engine::{Reach, Standing};
use crate::exo::{Instance, NodeId, Part, PartState, Phase, Stall, StalledAt, Told};
use crate::ids::{Pair, Unmatched};
use crate::memory::MIB;
use crate::snapshot::{Freshness, ModelState, ModelView, PartStateView, PartView, Placed};
use crate::time::Now;

pub(super) fn draw(facts: &Facts<'_>, now: Now) -> Vec<ModelView> {
    let names = super::cluster::names(facts, now);
    let paired = facts.matched.pairs.iter().map(|pair| row(facts, &names, pair, now));
    let unmatched = facts.matched.unmatched.iter().map(|why| unmatched(facts, why));
    let mut rows: Vec<ModelView> = paired.chain(unmatched).collect();
    let configured = facts.config.models.as_ref().map_or(&[][..], |models| &models.value);
    let order = |id: &str| configured.iter().position(|wanted| wanted.hub.as_str() == id);
    rows.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)).then_with(|| a.id.cmp(&b.id)));
    rows
}

fn row(facts: &Facts<'_>, names: &BTreeMap<NodeId, String>, pair: &Pair, now: Now) -> ModelView {
    let (id, engine) = (pair.hub.as_str(), pair.engine.as_str());
    let wanted = !facts.off.contains(&pair.hub);
    let traffic = facts.by_model.get(id).copied().unwrap_or_default();
    let state = state(facts, pair, wanted, traffic.in_flight, now);
    let routes = match facts.health.standing(engine) {
        Standing::Proven { routes, .. } => routes.clone(),
        Standing::Unproven | Standing::Failed(_) => Vec::new(),
    };
    let placed = furthest(facts, engine).map(|(instance, _)| instance);
    let ours = |id: &String| if facts.desk.ours().contains(id) { Placed::Here } else { Placed::Elsewhere };
    let name = |node: &NodeId| {
        let known = names.get(node).cloned().or_else(|| facts.telling.name(node).map(str::to_owned));
        known.unwrap_or_else(|| node.clone())
    };
    let part = |part: Part| PartView {
        on: name(&part.node),
        weights_mib: part.bytes / MIB,
        layers: part.layers,
        state: part_state(part.state),
    };
    ModelView {
        id: id.to_owned(),
        engine_id: Some(engine.to_owned()),
        wanted,
        size_mib: placed.map(Instance::mib).or_else(|| listed_size(facts, engine)),
        placed: placed.map(|instance| ours(&instance.id)),
        sharding: placed.filter(|placed| placed.nodes().count() > 1).map(Instance::sharding),
        link: placed.and_then(|placed| facts.telling.used_link(placed)),
        parts: placed.map(|placed| facts.telling.parts(placed).into_iter().map(part).collect()).unwrap_or_default(),
        standing: super::is_ready(&state).then(|| facts.standings.get(id).map(|told| told.standing)).flatten(),
        why: super::is_ready(&state).then(|| super::why::why(facts, id, traffic.in_flight)).flatten(),
        state,
        routes,
        tokens_per_s: traffic.tokens_per_s,
    }
}

/// The furthest one, where somebody placed the same model twice.
fn furthest<'a>(facts: &'a Facts<'_>, engine: &str) -> Option<(&'a Instance, Phase)> {
    let placed = facts.telling.instances().filter(|(instance, _)| instance.model == engine);
    placed.max_by_key(|(_, phase)| *phase == Phase::Ready)
}

fn part_state(state: PartState) -> PartStateView {
    match state {
        PartState::Waiting => PartStateView::Waiting,
        PartState::Downloading { done, total, per_s } => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` saturates, which is right"
            )]
            let whole = |number: f64| number.round() as u64;
            #[expect(clippy::cast_precision_loss, reason = "seconds to go need no more digits")]
            let left = per_s.filter(|per_s| *per_s >= 1.0).map(|per_s| total.saturating_sub(done) as f64 / per_s);
            PartStateView::Downloading {
                done_mib: done / MIB,
                total_mib: total / MIB,
                mib_per_s: per_s.map(|per_s| whole(per_s / 1_048_576.0)),
                // More than a month is no estimate: exo's first second is wild.
                left_s: left.map(whole).filter(|left| *left < 32 * 86_400),
            }
        }
        PartState::Loading { layers, of } => PartStateView::Loading { layers, of },
        PartState::Warming => PartStateView::Warming,
        PartState::Ready => PartStateView::Ready,
        PartState::Failed(why) => PartStateView::Failed { why },
    }
}

fn state(facts: &Facts<'_>, pair: &Pair, wanted: bool, requests: u32, now: Now) -> ModelState {
    let engine = pair.engine.as_str();
    if !wanted {
        return match requests {
            0 if facts.desk.is_elsewhere(engine) => ModelState::OffElsewhere,
            0 => ModelState::Off,
            requests => ModelState::Finishing { requests },
        };
    }
    let Reach::Up { listing, .. } = facts.health.reach() else { return ModelState::Withdrawn };
    if let Some(since) = facts.idle.cold_since(&pair.hub) {
        return ModelState::Cold { since };
    }
    if listing.kind == crate::config::EngineKind::Exo
        && let Some(state) = loading(facts, engine, now)
    {
        return state;
    }
    match facts.health.standing(engine) {
        Standing::Proven { .. } if requests > 0 => ModelState::Serving { requests },
        Standing::Proven { at, .. } => ModelState::Ready { proven: *at },
        Standing::Unproven => ModelState::Proving,
        Standing::Failed(why) => ModelState::Failed { why: why.to_string() },
    }
}

fn listed_size(facts: &Facts<'_>, engine: &str) -> Option<u64> {
    let Reach::Up { listing, .. } = facts.health.reach() else { return None };
    listing.sizes.get(engine).copied()
}

/// How far exo has come with it; `None` once it can be asked.
fn loading(facts: &Facts<'_>, engine: &str, now: Now) -> Option<ModelState> {
    match facts.telling.told() {
        Told::Nothing => return None,
        Told::NotYet => return Some(ModelState::Waiting { why: "exo's state".into() }),
        Told::Cluster if facts.telling.is_ready(engine, now) => return None,
        Told::Cluster => {}
    }
    match facts.telling.freshness(now) {
        Freshness::Stale { .. } => return Some(ModelState::Withdrawn),
        Freshness::Replaying => return Some(ModelState::Waiting { why: "exo".into() }),
        Freshness::Fresh => {}
    }
    let placed = furthest(facts, engine);
    if let Some(lost) = placed.as_ref().and_then(|(instance, _)| facts.telling.unheard(instance, now)) {
        let name = facts.telling.name(lost).unwrap_or(lost);
        return Some(ModelState::Broken { why: format!("{name}, which holds a part of it, stopped responding") });
    }
    let stall = placed.as_ref().and_then(|(instance, _)| facts.telling.stall(instance, now));
    if let Some(stall) = stall {
        return Some(ModelState::Stalled { why: stalled(facts, &stall) });
    }
    Some(match placed.map(|(_, phase)| phase) {
        Some(Phase::Placed) => ModelState::Placing,
        Some(Phase::Downloading { percent, mib_per_s }) => ModelState::Downloading { percent, mib_per_s },
        Some(Phase::Loading { layers, of }) => ModelState::Loading { layers, of },
        Some(Phase::Warming | Phase::Ready) => ModelState::Warming,
        Some(Phase::Failed(why)) => ModelState::Failed { why },
        None => match facts.desk.stand(engine) {
            Stand::Placing => ModelState::Placing,
            Stand::Waiting(why) => ModelState::Waiting { why },
            Stand::Failed(why) => ModelState::Failed { why },
            Stand::Unfit(why) => ModelState::Unfit { why },
            // Not wanted then; until the next look it only waits.
            Stand::Elsewhere => ModelState::Waiting { why: "its turn".into() },
        },
    })
}

fn stalled(facts: &Facts<'_>, stall: &Stall) -> String {
    let mac = facts.telling.name(&stall.node).unwrap_or(&stall.node);
    let seconds = stall.patience.as_secs();
    match stall.at {
        StalledAt::Downloading => format!("no byte for {seconds} s on {mac}"),
        StalledAt::Starting => format!("{mac} has not begun for {seconds} s"),
        StalledAt::Loading => format!("no layer for {seconds} s on {mac}"),
        StalledAt::Warming => format!("no first token for {seconds} s on {mac}"),
    }
}

fn unmatched(facts: &Facts<'_>, why: &Unmatched) -> ModelView {
    let hub = why.hub();
    let wanted = !facts.off.contains(hub);
    // While the engine is away nothing can be matched: that is not the id's fault.
    let state = match (wanted, facts.health.reach()) {
        (false, _) => ModelState::Off,
        (true, Reach::Up { .. }) => ModelState::Unmatched { why: why.to_string() },
        (true, Reach::Down { .. } | Reach::Unknown) => ModelState::Withdrawn,
    };
    ModelView {
        id: hub.as_str().to_owned(),
        engine_id: None,
        wanted,
        size_mib: None,
        placed: None,
        sharding: None,
        link: None,
        parts: Vec::new(),
        state,
        routes: Vec::new(),
        standing: None,
        why: None,
        tokens_per_s: None,
    }
}
