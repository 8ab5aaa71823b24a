//! The conditions that hold now and are worth a notice if they last.

mod cluster;

use super::climb::{SIGN_IN, START_ENGINE, refusal};
use super::{Facts, is_ready};
use crate::fitting::{Fitting, Load};
use crate::notice::{Code, Raised};
use crate::snapshot::{AwakeView, ClusterView, EngineView, LinkView, ModelState, ModelView, Placed, ReachView};
use crate::time::Now;
use crate::wire::Standing;

pub(super) fn raise(
    facts: &Facts<'_>,
    link: &LinkView,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
    now: Now,
) -> Vec<Raised> {
    if !facts.online || facts.draining {
        return Vec::new();
    }
    let mut raised: Vec<Raised> = hub(facts, link).into_iter().collect();
    raised.extend(sleep(facts.awake));
    if let ReachView::Down { why, .. } = &engine.reach {
        raised.push(one(Code::EngineDown, "", "The engine does not answer", why, START_ENGINE));
    }
    raised.extend(cluster.map(|cluster| cluster::raise(facts, cluster, models, now)).unwrap_or_default());
    let linked = matches!(link, LinkView::Online { .. });
    if linked && models.is_empty() && matches!(engine.reach, ReachView::Up { .. }) {
        raised.push(one(
            Code::NothingToServe,
            "",
            "Nothing to serve",
            "The engine serves nothing that this Hub offers.",
            "Set PORTEN_ENGINE_MODELS to an id that the Hub offers",
        ));
    }
    raised.extend(models.iter().filter_map(|row| model(facts, row, linked, cluster.is_some(), now)));
    raised
}

fn one(code: Code, subject: &str, title: &str, text: &str, remedy: &str) -> Raised {
    Raised { code, subject: subject.into(), title: title.into(), text: text.into(), remedy: remedy.into() }
}

fn hub(facts: &Facts<'_>, link: &LinkView) -> Option<Raised> {
    match link {
        LinkView::SignedOut { why } => {
            let text = why.as_deref().unwrap_or("Nobody is signed in to the Hub on this machine.");
            Some(one(Code::SignIn, "", "Sign in", text, SIGN_IN))
        }
        LinkView::Refused { why, remedy } => Some(one(Code::HubRefused, "", "The Hub refuses", why, remedy)),
        LinkView::Waiting { why, .. } => Some(one(
            Code::HubUnreachable,
            "",
            "No connection to the Hub",
            why,
            &format!("Porten keeps trying; check the network and {}", facts.config.hub.value.as_str()),
        )),
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
            "Plug it in, or switch power.keep_awake off",
        )),
        AwakeView::Refused { why } => Some(one(
            Code::MaySleep,
            "",
            "This machine may sleep",
            &format!("It is not kept awake: {why}."),
            "See that the system allows it, or switch power.keep_awake off",
        )),
    }
}

fn model(facts: &Facts<'_>, model: &ModelView, linked: bool, placing: bool, now: Now) -> Option<Raised> {
    match &model.state {
        ModelState::Broken { why } => {
            let title = format!("{} cannot answer", model.id);
            Some(one(Code::ModelBroken, &model.id, &title, why, &recovery(facts, model, now)))
        }
        ModelState::Stalled { why } => Some(one(
            Code::LoadStalled,
            &model.id,
            &format!("{} does not come on", model.id),
            &format!("{} is not loaded any further: {why}.", model.id),
            "Quit exo on that Mac and start it again, or turn the model off and on",
        )),
        ModelState::Unfit { why } => Some(one(
            Code::ModelUnfit,
            &model.id,
            &format!("{} does not fit", model.id),
            &format!("{} does not fit: {why}.", model.id),
            &format!(
                "Turn another model off, or load it anyway, at a Mac's risk: porten models on {} --anyway",
                model.id
            ),
        )),
        ModelState::Unmatched { why } => Some(one(
            Code::ModelUnmatched,
            &model.id,
            &format!("{} is not matched", model.id),
            why,
            "Set PORTEN_ENGINE_MODELS to hub-id=engine-id",
        )),
        ModelState::Failed { why } if placing && model.placed.is_none() => Some(one(
            Code::ModelUnplaced,
            &model.id,
            &format!("{} is not loaded", model.id),
            why,
            "Free memory on the Macs or turn another model off, then look again",
        )),
        ModelState::Failed { why } => Some(one(
            Code::ModelUnproven,
            &model.id,
            &format!("{} does not generate", model.id),
            why,
            "Load the model in your engine; Porten tries again by itself",
        )),
        _ if model.engine_id.as_deref().is_some_and(|engine| facts.lingering.is_busy(engine)) => Some(one(
            Code::StillBusy,
            &model.id,
            &format!("{} is still busy", model.id),
            &format!(
                "A client left its answer, and {} computes on: for that answer, or for somebody who asks exo directly.",
                model.id
            ),
            "It ends by itself; if it does not, turn the model off and on",
        )),
        state if linked && is_ready(state) => {
            let standing = model.standing?;
            // The Hub's row says it, and it ends by itself.
            if facts.hub_drains.is_some() && matches!(standing, Standing::Draining | Standing::HubDrains) {
                return None;
            }
            let (why, remedy) = refusal(standing)?;
            let text = format!("{} {why}.", model.id);
            let remedy = match facts.nearest.get(&model.id) {
                Some(near) if standing == Standing::NotOffered => format!("{remedy}; the nearest one is {near}"),
                _ => remedy.to_owned(),
            };
            Some(one(Code::NotOffered, &model.id, &format!("No requests for {}", model.id), &text, &remedy))
        }
        _ => None,
    }
}

/// Whether a model that lost a Mac fits on those that are left, and what happens next.
fn recovery(facts: &Facts<'_>, model: &ModelView, now: Now) -> String {
    let engine = model.engine_id.as_deref().unwrap_or_default();
    let placed = facts.telling.instances().find(|(instance, _)| instance.model == engine);
    let Some((instance, _)) = placed else { return super::climb::LOOK_AFTER.to_owned() };
    let context = facts.config.contexts.get(&model.id).copied();
    let load = Load { id: engine, bytes: instance.bytes(), layers: instance.layers(), context };
    match (Fitting { telling: facts.telling, wired: facts.wired, now }).anywhere(&load) {
        // What was only found loaded is not wanted any more once it is gone.
        Ok(()) if facts.config.models.is_none() && model.placed != Some(Placed::Here) => {
            "It fits on the Macs that are left; turn it on to load it there".to_owned()
        }
        Ok(()) => "It fits on the Macs that are left, and is loaded there once exo has let go of it".to_owned(),
        Err(why) => format!("It does not fit on the Macs that are left: {why}"),
    }
}
