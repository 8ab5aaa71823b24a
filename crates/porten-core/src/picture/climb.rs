//! The ladder, drawn from the rows above it in the picture.

use super::tell::{self, EXO_REPLAYS, EXO_STALE, NOTHING_TO_SERVE};
use super::{Facts, is_offered, is_ready};
use crate::ladder::{Rung, RungState, Step};
use crate::remedy::Remedy;
use crate::snapshot::{
    ClusterView, EngineView, Freshness, LinkView, MemberState, ModelState, ModelView, Names, ReachView,
};

pub(super) fn climb(
    facts: &Facts<'_>,
    link: &LinkView,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
    names: &Names<'_>,
) -> Vec<Rung> {
    let hub = hub(facts, link, names);
    let offered = offered(facts, link, cluster, models);
    let serving = match (&offered.state, facts.traffic.in_flight) {
        (RungState::Reached, 0) => Rung::reached(Step::Serving, "ready, no requests"),
        (RungState::Reached, n) => Rung::reached(Step::Serving, requests(n)),
        _ => Rung::unknown(Step::Serving),
    };
    let mut ladder = vec![signed_in(facts, link, names), hub, answers(engine, names)];
    if let Some(cluster) = cluster {
        ladder.extend([complete(cluster), loaded(models)]);
    }
    ladder.extend([proven(facts, engine, cluster, models), offered, serving]);
    ladder
}

pub(super) fn requests(n: u32) -> String {
    if n == 1 { "1 request".into() } else { format!("{n} requests") }
}

fn signed_in(facts: &Facts<'_>, link: &LinkView, names: &Names<'_>) -> Rung {
    let step = Step::SignedIn;
    match (facts.account, link) {
        (_, LinkView::SignedOut { why: Some(why) }) => {
            Rung::failed(step, names.capital(why), Remedy::SignIn { again: true })
        }
        (None, _) if !facts.read => Rung::pending(step, "Looking for the sign-in"),
        (None, _) => Rung::failed(step, "Nobody is signed in", Remedy::SignIn { again: false }),
        (Some(account), _) => Rung::reached(step, account.name.clone().unwrap_or_default()),
    }
}

fn hub(facts: &Facts<'_>, link: &LinkView, names: &Names<'_>) -> Rung {
    let step = Step::HubConnected;
    match link {
        LinkView::Off if facts.pause.as_ref().is_some_and(|pause| pause.rests) => {
            Rung::failed(step, "Paused, as you asked", Remedy::Resume)
        }
        LinkView::Off => Rung::failed(step, "Offline, as you asked", Remedy::GoOnline),
        LinkView::SignedOut { .. } => Rung::unknown(step),
        LinkView::Connecting => Rung::pending(step, "Connecting to the Hub"),
        LinkView::Online { .. } => Rung::reached(step, "connected"),
        LinkView::Waiting { why, .. } => Rung::pending(step, names.capital(why)),
        LinkView::Refused { why, fix, .. } => {
            Rung::failed(step, names.capital(why), fix.clone().unwrap_or(Remedy::CheckHubAddress))
        }
    }
}

fn answers(engine: &EngineView, names: &Names<'_>) -> Rung {
    let step = Step::EngineAnswers;
    match &engine.reach {
        ReachView::Unknown => Rung::pending(step, "Looking for the engine"),
        ReachView::Up { .. } => Rung::reached(step, engine.url.clone().unwrap_or_default()),
        ReachView::Down { why, .. } => Rung::failed(step, names.capital(why), Remedy::StartEngine),
    }
}

fn complete(cluster: &ClusterView) -> Rung {
    let step = Step::ClusterComplete;
    match cluster.freshness {
        Freshness::Stale { .. } => return Rung::failed(step, EXO_STALE, Remedy::RestartExo),
        Freshness::Replaying => return Rung::pending(step, EXO_REPLAYS).with(Remedy::AwaitReplay),
        Freshness::Fresh => {}
    }
    let late = cluster.members.iter().filter(|member| matches!(member.state, MemberState::Late { .. }));
    let left = cluster.absent.iter().filter(|gone| gone.since.is_some());
    let missing: Vec<&str> = late.map(|mac| mac.name.as_str()).chain(left.map(|gone| gone.name.as_str())).collect();
    if let [first, ..] = missing.as_slice() {
        let reason = match missing.len() {
            1 => tell::stopped(first),
            n => tell::stopped(&format!("{first} and {} more", n - 1)),
        };
        return Rung::failed(step, reason, Remedy::CheckMac { mac: (*first).to_owned() });
    }
    match cluster.members.iter().find(|member| member.state == MemberState::Joining) {
        Some(joining) => Rung::pending(step, format!("{} is joining", joining.name)),
        None if cluster.members.len() == 1 => Rung::reached(step, "1 Mac"),
        None => Rung::reached(step, format!("{} Macs", cluster.members.len())),
    }
}

fn ids(models: &[ModelView], which: impl Fn(&ModelView) -> bool) -> Vec<&str> {
    models.iter().filter(|model| which(model)).map(|model| model.id.as_str()).collect()
}

fn is_cold(model: &ModelView) -> bool {
    matches!(model.state, ModelState::Cold { .. })
}

fn loaded(models: &[ModelView]) -> Rung {
    let step = Step::ModelLoaded;
    let loaded = ids(models, |model| is_ready(&model.state) || model.state == ModelState::Proving);
    if !loaded.is_empty() {
        return Rung::reached(step, loaded.join(", "));
    }
    if let Some(why) = models.iter().find_map(tell::coming) {
        return Rung::pending(step, why);
    }
    match ids(models, is_cold).as_slice() {
        [] => Rung::unknown(step),
        cold => Rung::reached(step, format!("{}, on the first request", cold.join(", "))),
    }
}

fn proven(facts: &Facts<'_>, engine: &EngineView, cluster: Option<&ClusterView>, models: &[ModelView]) -> Rung {
    let step = Step::ModelProven;
    if !matches!(engine.reach, ReachView::Up { .. }) {
        return Rung::unknown(step);
    }
    let ready = ids(models, |model| is_ready(&model.state) || is_cold(model));
    if !ready.is_empty() {
        return Rung::reached(step, ready.join(", "));
    }
    if let Some(model) = models.iter().find(|model| model.state == ModelState::Proving) {
        return Rung::pending(step, format!("Testing {}", model.id));
    }
    if models.iter().any(|model| tell::coming(model).is_some()) {
        return Rung::unknown(step);
    }
    if let Some((why, fix)) = models.iter().find_map(|model| tell::failing(facts, cluster, model)) {
        return Rung::failed(step, why, fix);
    }
    match models {
        [] => Rung::failed(step, NOTHING_TO_SERVE, Remedy::ChooseModels),
        models if super::all_off(models) => Rung::failed(step, "Every model is off", turn_on(models)),
        _ => Rung::unknown(step),
    }
}

/// One model is named; of several a person chooses.
fn turn_on(models: &[ModelView]) -> Remedy {
    Remedy::TurnOn { model: if let [one] = models { Some(one.id.clone()) } else { None } }
}

fn offered(facts: &Facts<'_>, link: &LinkView, cluster: Option<&ClusterView>, models: &[ModelView]) -> Rung {
    let step = Step::Offered;
    let ready: Vec<&ModelView> = models.iter().filter(|model| is_ready(&model.state) || is_cold(model)).collect();
    if !matches!(link, LinkView::Online { .. }) || ready.is_empty() {
        return Rung::unknown(step);
    }
    let offered = ids(models, is_offered);
    if !offered.is_empty() {
        return Rung::reached(step, offered.join(", "));
    }
    let refusal =
        |model: &&ModelView| tell::refusal(model, facts.standings.get(&model.id), &facts.memory, cluster.is_some());
    match ready.iter().find_map(refusal) {
        Some(refusal) => Rung::failed(step, refusal.title, refusal.fix),
        None => Rung::pending(step, "Waiting for the Hub's word"),
    }
}
