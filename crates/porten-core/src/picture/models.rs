//! One row per model: what is wanted, what is, and what the Hub says of it.

use super::Facts;
use crate::desk::Stand;
use crate::engine::{Reach, Standing};
use crate::exo::{Instance, Phase, Told};
use crate::ids::{Pair, Unmatched};
use crate::snapshot::{ClusterView, ModelState, ModelView, Placed};

pub(super) fn draw(facts: &Facts<'_>, cluster: Option<&ClusterView>) -> Vec<ModelView> {
    let paired = facts.matched.pairs.iter().map(|pair| row(facts, cluster, pair));
    let unmatched = facts.matched.unmatched.iter().map(|why| unmatched(facts, why));
    let mut rows: Vec<ModelView> = paired.chain(unmatched).collect();
    let configured = facts.config.models.as_ref().map_or(&[][..], |models| &models.value);
    let order = |id: &str| configured.iter().position(|wanted| wanted.hub.as_str() == id);
    rows.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)).then_with(|| a.id.cmp(&b.id)));
    rows
}

fn row(facts: &Facts<'_>, cluster: Option<&ClusterView>, pair: &Pair) -> ModelView {
    let (id, engine) = (pair.hub.as_str(), pair.engine.as_str());
    let wanted = !facts.off.contains(&pair.hub);
    let traffic = facts.by_model.get(id).copied().unwrap_or_default();
    let state = state(facts, pair, wanted, traffic.in_flight);
    let routes = match facts.health.standing(engine) {
        Standing::Proven { routes, .. } => routes.clone(),
        Standing::Unproven | Standing::Failed(_) => Vec::new(),
    };
    // The furthest one, where somebody placed the same model twice.
    let placed = facts.telling.instances().filter(|(instance, _)| instance.model == engine);
    let placed = placed.max_by_key(|(_, phase)| *phase == Phase::Ready).map(|(instance, _)| instance);
    let ours = |id: &String| if facts.desk.ours().contains(id) { Placed::Here } else { Placed::Elsewhere };
    let name = |node: &String| {
        let member = cluster.and_then(|cluster| cluster.members.iter().find(|member| member.id == *node));
        member.map(|member| member.name.clone())
    };
    ModelView {
        id: id.to_owned(),
        engine_id: Some(engine.to_owned()),
        wanted,
        size_mib: placed.map(Instance::mib).or_else(|| listed_size(facts, engine)),
        placed: placed.map(|instance| ours(&instance.id)),
        on: placed.map(|instance| instance.nodes().filter_map(name).collect()).unwrap_or_default(),
        standing: super::is_ready(&state).then(|| facts.standings.get(id).copied()).flatten(),
        state,
        routes,
        tokens_per_s: traffic.tokens_per_s,
    }
}

fn state(facts: &Facts<'_>, pair: &Pair, wanted: bool, requests: u32) -> ModelState {
    let engine = pair.engine.as_str();
    if !wanted {
        return match requests {
            0 if facts.desk.is_elsewhere(engine) => ModelState::OffElsewhere,
            0 => ModelState::Off,
            requests => ModelState::Finishing { requests },
        };
    }
    let Reach::Up { listing, .. } = facts.health.reach() else { return ModelState::Withdrawn };
    if listing.kind == crate::config::EngineKind::Exo
        && let Some(state) = loading(facts, engine)
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
fn loading(facts: &Facts<'_>, engine: &str) -> Option<ModelState> {
    match facts.telling.told() {
        Told::Nothing => return None,
        Told::NotYet => return Some(ModelState::Waiting { why: "exo's state".into() }),
        Told::Cluster if facts.telling.is_ready(engine) => return None,
        Told::Cluster => {}
    }
    let placed = facts.telling.instances().find(|(instance, _)| instance.model == engine);
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
            // Not wanted then; until the next look it only waits.
            Stand::Elsewhere => ModelState::Waiting { why: "its turn".into() },
        },
    })
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
        on: Vec::new(),
        state,
        routes: Vec::new(),
        standing: None,
        tokens_per_s: None,
    }
}
