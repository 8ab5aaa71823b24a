//! One row per model: what is wanted, what is, and what the Hub says of it.

use super::Facts;
use crate::engine::{Reach, Standing};
use crate::ids::{Pair, Unmatched};
use crate::snapshot::{ModelState, ModelView};

pub(super) fn draw(facts: &Facts<'_>) -> Vec<ModelView> {
    let paired = facts.matched.pairs.iter().map(|pair| row(facts, pair));
    let unmatched = facts.matched.unmatched.iter().map(|why| unmatched(facts, why));
    let mut rows: Vec<ModelView> = paired.chain(unmatched).collect();
    let configured = facts.config.models.as_ref().map_or(&[][..], |models| &models.value);
    let order = |id: &str| configured.iter().position(|wanted| wanted.hub.as_str() == id);
    rows.sort_by(|a, b| order(&a.id).cmp(&order(&b.id)).then_with(|| a.id.cmp(&b.id)));
    rows
}

fn row(facts: &Facts<'_>, pair: &Pair) -> ModelView {
    let id = pair.hub.as_str();
    let wanted = !facts.off.contains(&pair.hub);
    let traffic = facts.by_model.get(id).copied().unwrap_or_default();
    let standing = facts.health.standing(pair.engine.as_str());
    let state = match (wanted, facts.health.reach(), standing) {
        (false, ..) => ModelState::Off,
        (true, Reach::Down { .. } | Reach::Unknown, _) => ModelState::Withdrawn,
        (true, Reach::Up { .. }, Standing::Proven { .. }) if traffic.in_flight > 0 => {
            ModelState::Serving { requests: traffic.in_flight }
        }
        (true, Reach::Up { .. }, Standing::Proven { at, .. }) => ModelState::Ready { proven: *at },
        (true, Reach::Up { .. }, Standing::Unproven) => ModelState::Proving,
        (true, Reach::Up { .. }, Standing::Failed(why)) => ModelState::Failed { why: why.to_string() },
    };
    let routes = match standing {
        Standing::Proven { routes, .. } => routes.clone(),
        Standing::Unproven | Standing::Failed(_) => Vec::new(),
    };
    ModelView {
        id: id.to_owned(),
        engine_id: Some(pair.engine.as_str().to_owned()),
        wanted,
        size_mib: None,
        placed: None,
        on: Vec::new(),
        standing: super::is_ready(&state).then(|| facts.standings.get(id).copied()).flatten(),
        state,
        routes,
        tokens_per_s: traffic.tokens_per_s,
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
        on: Vec::new(),
        state,
        routes: Vec::new(),
        standing: None,
        tokens_per_s: None,
    }
}
