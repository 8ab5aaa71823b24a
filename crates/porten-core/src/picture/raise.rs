//! The conditions that hold now and are worth a notice if they last.

use super::climb::{CLUSTER_STALE, RESTART_EXO, SIGN_IN, START_ENGINE, refusal};
use super::{Facts, is_ready};
use crate::notice::{Code, Raised};
use crate::snapshot::{ClusterView, EngineView, Freshness, LinkView, ModelState, ModelView, ReachView};

pub(super) fn raise(
    facts: &Facts<'_>,
    link: &LinkView,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
) -> Vec<Raised> {
    if !facts.online || facts.draining {
        return Vec::new();
    }
    let mut raised: Vec<Raised> = hub(facts, link).into_iter().collect();
    if let ReachView::Down { why, .. } = &engine.reach {
        raised.push(one(Code::EngineDown, "", "The engine does not answer", why, START_ENGINE));
    }
    if let Some(ClusterView { freshness: Freshness::Stale { .. }, .. }) = cluster {
        let text = format!("{CLUSTER_STALE}: it has lost its leader, or hangs");
        raised.push(one(Code::ClusterStale, "", "exo stands still", &text, RESTART_EXO));
    }
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
    raised.extend(models.iter().filter_map(|row| model(row, linked, cluster.is_some())));
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

fn model(model: &ModelView, linked: bool, placing: bool) -> Option<Raised> {
    match &model.state {
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
        state if linked && is_ready(state) => {
            let (why, remedy) = refusal(model.standing?)?;
            let text = format!("{} {why}.", model.id);
            Some(one(Code::NotOffered, &model.id, &format!("No requests for {}", model.id), &text, remedy))
        }
        _ => None,
    }
}
