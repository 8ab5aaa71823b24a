//! The conditions that hold now and are worth a notice if they last.

mod cluster;

use super::{Facts, is_ready, tell};
use crate::fitting::{Elsewhere, Fitting, Load};
use crate::notice::{Code, Raised};
use crate::remedy::Remedy;
use crate::snapshot::{AwakeView, ClusterView, EngineView, LinkView, ModelState, ModelView, Names, Placed, ReachView};
use crate::time::Now;
use crate::wire::Standing;

pub(super) fn raise(
    facts: &Facts<'_>,
    link: &LinkView,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
    names: &Names<'_>,
    now: Now,
) -> Vec<Raised> {
    if !facts.online || facts.draining {
        return Vec::new();
    }
    let mut raised: Vec<Raised> = hub(facts, link, names).into_iter().collect();
    raised.extend(sleep(facts.awake));
    if let ReachView::Down { why, .. } = &engine.reach {
        let title = tell::unreachable(facts, engine);
        raised.push(one(Code::EngineDown, "", title, &names.sentence(why), Remedy::StartEngine));
    }
    raised.extend(cluster.map(|cluster| cluster::raise(facts, cluster, models, now)).unwrap_or_default());
    let linked = matches!(link, LinkView::Online { .. });
    if linked && models.is_empty() && matches!(engine.reach, ReachView::Up { .. }) {
        let text = "The engine serves nothing that this Hub offers.";
        raised.push(one(Code::NothingToServe, "", tell::NOTHING_TO_SERVE, text, Remedy::ChooseModels));
    }
    raised.extend(models.iter().filter_map(|row| model(facts, row, linked, cluster, names, now)));
    raised
}

/// `text` is one sentence or two, with their full stops.
fn one(code: Code, subject: &str, title: &str, text: &str, fix: Remedy) -> Raised {
    Raised { code, subject: subject.into(), title: title.into(), text: text.into(), fix }
}

fn hub(facts: &Facts<'_>, link: &LinkView, names: &Names<'_>) -> Option<Raised> {
    match link {
        LinkView::SignedOut { why } => {
            let text = why.as_deref().unwrap_or("Nobody is signed in to the Hub on this machine.");
            let fix = Remedy::SignIn { again: why.is_some() };
            Some(one(Code::SignIn, "", tell::SIGNED_OUT, &names.sentence(text), fix))
        }
        LinkView::Refused { why, fix, .. } => {
            let fix = fix.clone().unwrap_or(Remedy::CheckHubAddress);
            Some(one(Code::HubRefused, "", tell::REJECTED, &names.sentence(why), fix))
        }
        LinkView::Waiting { why, .. } => {
            let fix = Remedy::CheckNetwork { hub: facts.config.hub.value.as_str().to_owned() };
            Some(one(Code::HubUnreachable, "", "No connection to the Hub", &names.sentence(why), fix))
        }
        LinkView::Off | LinkView::Connecting | LinkView::Online { .. } => None,
    }
}

fn sleep(awake: &AwakeView) -> Option<Raised> {
    match awake {
        AwakeView::NotWanted | AwakeView::Idle | AwakeView::Held => None,
        AwakeView::OnBattery => Some(one(
            Code::MaySleep,
            "",
            "On battery: this machine may sleep",
            "It is kept awake on mains power only, and asleep it serves nothing.",
            Remedy::PlugIn,
        )),
        AwakeView::Refused { why } => Some(one(
            Code::MaySleep,
            "",
            "This machine may sleep",
            &format!("It is not kept awake: {why}."),
            Remedy::AllowAwake,
        )),
    }
}

fn model(
    facts: &Facts<'_>,
    model: &ModelView,
    linked: bool,
    cluster: Option<&ClusterView>,
    names: &Names<'_>,
    now: Now,
) -> Option<Raised> {
    let failing = |code, text: &str| {
        let (title, fix) = tell::failing(facts, cluster, model)?;
        Some(one(code, &model.id, &title, text, fix))
    };
    match &model.state {
        ModelState::Broken { why } => {
            failing(Code::ModelBroken, &format!("{} {}.", names.sentence(why), recovery(facts, model, now)))
        }
        ModelState::Stalled { why } => failing(Code::LoadStalled, &names.sentence(why)),
        ModelState::Unfit { why } => failing(Code::ModelUnfit, &names.sentence(why)),
        ModelState::Unmatched { why } => failing(Code::ModelUnmatched, &names.sentence(why)),
        ModelState::Failed { why } if cluster.is_some() && model.placed.is_none() => {
            failing(Code::ModelUnplaced, &names.sentence(why))
        }
        ModelState::Failed { why } => failing(Code::ModelUnproven, &names.sentence(why)),
        _ if model.engine_id.as_deref().is_some_and(|engine| facts.lingering.is_busy(engine)) => Some(one(
            Code::StillBusy,
            &model.id,
            &format!("{} is still busy", model.id),
            &format!(
                "A client left its answer, and {} computes on: for that answer, or for somebody who asks exo directly.",
                model.id
            ),
            Remedy::AwaitModel { model: model.id.clone() },
        )),
        state if linked && is_ready(state) => {
            let standing = model.standing?;
            // The Hub's row says it, and it ends by itself.
            if facts.hub_drains.is_some() && matches!(standing, Standing::Draining | Standing::HubDrains) {
                return None;
            }
            let refusal = tell::refusal(model, facts.standings.get(&model.id), &facts.memory, cluster.is_some())?;
            Some(one(Code::NotOffered, &model.id, &refusal.title, refusal.text, refusal.fix))
        }
        _ => None,
    }
}

/// Whether a model that lost a Mac fits on those that are left, and what happens next.
fn recovery(facts: &Facts<'_>, model: &ModelView, now: Now) -> String {
    let engine = model.engine_id.as_deref().unwrap_or_default();
    let placed = facts.telling.instances().find(|(instance, _)| instance.model == engine);
    let Some((instance, _)) = placed else { return "Porten loads it again once exo can place it".to_owned() };
    let context = facts.config.contexts.get(&model.id).copied();
    let load = Load { id: engine, bytes: instance.bytes(), layers: instance.layers(), context };
    match (Fitting { telling: facts.telling, wired: facts.wired, now }).elsewhere(&load) {
        // What was only found loaded is not wanted any more once it is gone.
        Elsewhere::Fits if facts.config.models.is_none() && model.placed != Some(Placed::Here) => {
            "It fits on the Macs that are left; turn it on to load it there".to_owned()
        }
        Elsewhere::Fits => {
            "It fits on the Macs that are left, and Porten loads it there when exo releases it".to_owned()
        }
        Elsewhere::Unknown => {
            "Whether it fits on the Macs that are left is not known; Porten tries when exo releases it".to_owned()
        }
        Elsewhere::Not(why) => format!("It does not fit on the Macs that are left: {why}"),
    }
}
