//! The ladder, drawn from the rows above it in the picture.

use super::{Facts, is_ready};
use crate::ladder::{Rung, Step};
use crate::snapshot::{ClusterView, EngineView, Freshness, LinkView, MemberState, ModelState, ModelView, ReachView};
use crate::wire::Standing;

pub(super) fn climb(
    facts: &Facts<'_>,
    link: &LinkView,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
) -> Vec<Rung> {
    let hub = hub(link);
    let offered = offered(link, models);
    let serving = match (&offered.state, facts.traffic.in_flight) {
        (crate::ladder::RungState::Reached, 0) => Rung::reached(Step::Serving, "ready, no requests"),
        (crate::ladder::RungState::Reached, n) => Rung::reached(Step::Serving, requests(n)),
        _ => Rung::unknown(Step::Serving),
    };
    let mut ladder = vec![signed_in(facts, link), hub, answers(engine)];
    if let Some(cluster) = cluster {
        ladder.extend([complete(cluster), loaded(models)]);
    }
    ladder.extend([proven(engine, models), offered, serving]);
    ladder
}

pub(super) fn requests(n: u32) -> String {
    if n == 1 { "1 request".into() } else { format!("{n} requests") }
}

fn signed_in(facts: &Facts<'_>, link: &LinkView) -> Rung {
    match (facts.account, link) {
        (_, LinkView::SignedOut { why: Some(why) }) => Rung::failed(Step::SignedIn, why.clone(), SIGN_IN),
        (None, _) if !facts.read => Rung::pending(Step::SignedIn, "looking for the sign-in"),
        (None, _) => Rung::failed(Step::SignedIn, "nobody is signed in", SIGN_IN),
        (Some(account), _) => Rung::reached(Step::SignedIn, account.name.clone().unwrap_or_default()),
    }
}

pub(super) const SIGN_IN: &str = "Sign in: porten login";

fn hub(link: &LinkView) -> Rung {
    let step = Step::HubConnected;
    match link {
        LinkView::Off => Rung::failed(step, "offline, as you asked", "Go online: porten online"),
        LinkView::SignedOut { .. } => Rung::unknown(step),
        LinkView::Connecting => Rung::pending(step, "dialling the Hub"),
        LinkView::Online { .. } => Rung::reached(step, "connected"),
        LinkView::Waiting { why, .. } => Rung::pending(step, why.clone()),
        LinkView::Refused { why, remedy } => Rung::failed(step, why.clone(), remedy.clone()),
    }
}

fn answers(engine: &EngineView) -> Rung {
    let step = Step::EngineAnswers;
    match &engine.reach {
        ReachView::Unknown => Rung::pending(step, "asking"),
        ReachView::Up { .. } => Rung::reached(step, engine.url.clone().unwrap_or_default()),
        ReachView::Down { why, .. } => Rung::failed(step, why.clone(), START_ENGINE),
    }
}

/// The sentence before it says what to start or to set.
pub(super) const START_ENGINE: &str = "Porten notices by itself when one answers";

fn complete(cluster: &ClusterView) -> Rung {
    let step = Step::ClusterComplete;
    match cluster.freshness {
        Freshness::Stale { .. } => return Rung::failed(step, CLUSTER_STALE, RESTART_EXO),
        Freshness::Replaying => return Rung::pending(step, "exo goes through its history"),
        Freshness::Fresh => {}
    }
    let late = cluster.members.iter().filter(|member| matches!(member.state, MemberState::Late { .. }));
    let left = cluster.absent.iter().filter(|gone| gone.since.is_some());
    let missing: Vec<&str> = late.map(|mac| mac.name.as_str()).chain(left.map(|gone| gone.name.as_str())).collect();
    if let [one, ..] = missing.as_slice() {
        let reason = match missing.len() {
            1 => format!("{one} is not heard of"),
            n => format!("{one} and {} more are not heard of", n - 1),
        };
        return Rung::failed(step, reason, LOOK_AFTER);
    }
    match cluster.members.iter().find(|member| member.state == MemberState::Joining) {
        Some(joining) => Rung::pending(step, format!("{} is joining", joining.name)),
        None if cluster.members.len() == 1 => Rung::reached(step, "1 Mac"),
        None => Rung::reached(step, format!("{} Macs", cluster.members.len())),
    }
}

/// Of a Mac that is not heard of.
pub(super) const LOOK_AFTER: &str = "See that it is awake, and that exo runs there";
pub(super) const CLUSTER_STALE: &str = "what exo tells of its Macs has stopped moving";
pub(super) const RESTART_EXO: &str = "Quit exo on each Mac and start it again";

fn loaded(models: &[ModelView]) -> Rung {
    let step = Step::ModelLoaded;
    let is_loaded = |model: &&ModelView| is_ready(&model.state) || model.state == ModelState::Proving;
    let loaded: Vec<&str> = models.iter().filter(is_loaded).map(|model| model.id.as_str()).collect();
    if !loaded.is_empty() {
        return Rung::reached(step, loaded.join(", "));
    }
    let coming = models.iter().find_map(|model| Some(format!("{}: {}", model.id, coming(&model.state)?)));
    match coming {
        Some(why) => Rung::pending(step, why),
        None => Rung::unknown(step),
    }
}

/// How far a wanted model has come that is not in memory yet; `None` for any other state.
fn coming(state: &ModelState) -> Option<String> {
    Some(match state {
        ModelState::Waiting { why } => format!("waiting for {why}"),
        ModelState::Placing => "being placed".to_owned(),
        ModelState::Downloading { percent, .. } => format!("downloading {percent} %"),
        ModelState::Loading { layers, of } => format!("loading {layers}/{of} layers"),
        ModelState::Warming => "warming up".to_owned(),
        _ => return None,
    })
}

fn proven(engine: &EngineView, models: &[ModelView]) -> Rung {
    let step = Step::ModelProven;
    if !matches!(engine.reach, ReachView::Up { .. }) {
        return Rung::unknown(step);
    }
    let ready: Vec<&str> =
        models.iter().filter(|model| is_ready(&model.state)).map(|model| model.id.as_str()).collect();
    if !ready.is_empty() {
        return Rung::reached(step, ready.join(", "));
    }
    if models.iter().any(|model| model.state == ModelState::Proving) {
        return Rung::pending(step, "asking for one token");
    }
    if models.iter().any(|model| coming(&model.state).is_some()) {
        return Rung::unknown(step);
    }
    for model in models {
        match &model.state {
            ModelState::Unmatched { why } => return Rung::failed(step, why.clone(), "Set PORTEN_ENGINE_MODELS"),
            ModelState::Broken { why } => {
                return Rung::failed(step, format!("{}: {why}", model.id), LOOK_AFTER);
            }
            ModelState::Failed { why } => {
                return Rung::failed(step, format!("{}: {why}", model.id), "Load the model in your engine");
            }
            _ => {}
        }
    }
    if models.is_empty() {
        return Rung::failed(step, "no model to serve", "Set PORTEN_ENGINE_MODELS to an id that the Hub offers");
    }
    Rung::failed(step, "every model is turned off", "Turn one on: porten models on ID")
}

fn offered(link: &LinkView, models: &[ModelView]) -> Rung {
    let step = Step::Offered;
    let ready: Vec<&ModelView> = models.iter().filter(|model| is_ready(&model.state)).collect();
    if !matches!(link, LinkView::Online { .. }) || ready.is_empty() {
        return Rung::unknown(step);
    }
    let eligible: Vec<&str> = ready
        .iter()
        .filter(|model| model.standing == Some(Standing::Eligible))
        .map(|model| model.id.as_str())
        .collect();
    if !eligible.is_empty() {
        return Rung::reached(step, eligible.join(", "));
    }
    match ready.iter().find_map(|model| Some((&model.id, refusal(model.standing?)?))) {
        Some((id, (why, remedy))) => Rung::failed(step, format!("{id} {why}"), remedy),
        None => Rung::pending(step, "waiting for the Hub's word"),
    }
}

/// Why the Hub places nothing, and what to do; `None` where it does, or has not said.
pub(super) const fn refusal(standing: Standing) -> Option<(&'static str, &'static str)> {
    match standing {
        Standing::Eligible | Standing::Unknown => None,
        Standing::NotOffered => {
            Some(("is not in the Hub's catalog", "Use an id that the Hub offers in PORTEN_ENGINE_MODELS"))
        }
        Standing::NeedsMemory => Some((
            "needs more memory than this node advertises",
            "Set PORTEN_VRAM_BUDGET_MB to the pooled total of your Macs",
        )),
        Standing::NoRoute => Some(("is offered only on routes that this engine does not answer", "Use another engine")),
        Standing::Draining => Some(("gets no requests while this node drains", "Wait, or go online: porten online")),
        Standing::HubDrains => Some((
            "gets no requests since the Hub asked this node to finish",
            "Wait: the Hub says when it goes on, or ask whoever runs it",
        )),
        Standing::StaleProof => Some((
            "was not proven for too long by what the Hub knows",
            "Look again: Porten asks the engine for a token and tells the Hub",
        )),
        Standing::Resting => Some((
            "failed several times in a row here, so other nodes are asked first",
            "See what the engine says of it; the Hub tries it here again by itself",
        )),
    }
}
