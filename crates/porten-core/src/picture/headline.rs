//! The state in one word, and what stands first: what blocks or is awaited, with the next step. What serves comes before
//! what does not.

use super::{Facts, is_offered, is_ready, tell};
use crate::ladder::{Rung, RungState, Step};
use crate::notice::{Notice, Severity};
use crate::pause::Pause;
use crate::remedy::Remedy;
use crate::snapshot::{
    ClusterView, EngineView, Freshness, Headline, LinkView, ModelState, ModelView, Overall, PauseView,
};

pub(super) fn overall(
    facts: &Facts<'_>,
    link: &LinkView,
    cluster: Option<&ClusterView>,
    models: &[ModelView],
    ladder: &[Rung],
    notices: &[Notice],
) -> Overall {
    let requests = facts.traffic.in_flight;
    if facts.draining || (!facts.online && requests > 0) {
        return Overall::Finishing { requests };
    }
    let needs_you = || needs_you(models, notices);
    match link {
        LinkView::Off => match &facts.pause {
            Some(PauseView { pause: Pause::Until { until }, rests: true, .. }) => {
                Overall::Paused { until: Some(*until) }
            }
            Some(PauseView { rests: true, .. }) => Overall::Paused { until: None },
            _ => Overall::Off,
        },
        LinkView::SignedOut { .. } | LinkView::Refused { .. } => Overall::NeedsYou,
        LinkView::Connecting if !needs_you() => Overall::Connecting,
        LinkView::Waiting { until, .. } if !needs_you() => Overall::Waiting { until: *until },
        LinkView::Connecting | LinkView::Waiting { .. } => Overall::NeedsYou,
        LinkView::Online { .. } if requests > 0 => Overall::Serving { requests },
        LinkView::Online { .. } => {
            let placed = models.iter().filter(|model| is_offered(model)).count();
            let wanted = models.iter().filter(|model| model.wanted).count();
            match blocking(cluster, ladder) {
                _ if placed > 0 => Overall::Ready { models: count(placed), wanted: count(wanted) },
                _ if needs_you() => Overall::NeedsYou,
                Some(Rung { fix: Some(Remedy::TurnOn { .. }), .. }) => Overall::ModelsOff,
                Some(Rung { state: RungState::Failed, .. }) => Overall::Blocked,
                _ => Overall::Pending,
            }
        }
    }
}

/// Whether a person must do something before anything can be served: not for one model while another can answer or is on
/// its way without trouble of its own.
fn needs_you(models: &[ModelView], notices: &[Notice]) -> bool {
    let urgent = || notices.iter().filter(|notice| notice.severity == Severity::NeedsYou);
    let is_well = |model: &ModelView| {
        let comes = tell::coming(model).is_some() || model.state == ModelState::Proving;
        is_ready(&model.state) || (comes && !urgent().any(|notice| notice.subject == model.id))
    };
    urgent().next().is_some() && !models.iter().any(is_well)
}

/// The step that keeps it from serving: exo, where nothing that it tells is true now; what a person wants; else the first
/// that is not reached, while a model that is on its way comes before a Mac that it does not need.
fn blocking<'a>(cluster: Option<&ClusterView>, ladder: &'a [Rung]) -> Option<&'a Rung> {
    let is_fresh = cluster.is_none_or(|cluster| cluster.freshness == Freshness::Fresh);
    let exo = ladder.iter().find(|rung| !is_fresh && rung.step == Step::ClusterComplete);
    let wish = ladder.iter().find(|rung| matches!(rung.fix, Some(Remedy::TurnOn { .. })));
    let mut open = ladder.iter().filter(|rung| rung.state != RungState::Reached);
    let first = open.next()?;
    let coming = open.next().filter(|next| first.step == Step::ClusterComplete && next.state == RungState::Pending);
    exo.or(wish).or(coming).or(Some(first))
}

pub(super) fn headline(
    facts: &Facts<'_>,
    overall: &Overall,
    engine: &EngineView,
    cluster: Option<&ClusterView>,
    ladder: &[Rung],
    notices: &[Notice],
) -> Option<Headline> {
    match overall {
        Overall::Off => Some(Headline::new("Off", Some(Remedy::GoOnline))),
        Overall::Paused { .. } => Some(Headline::new("Paused", Some(Remedy::Resume))),
        Overall::NeedsYou => {
            let urgent = notices.iter().find(|notice| notice.severity == Severity::NeedsYou);
            match urgent {
                Some(notice) => Some(Headline::new(notice.title.clone(), notice.fix.clone())),
                None => of_rung(facts, engine, ladder.iter().find(|rung| rung.state == RungState::Failed)?),
            }
        }
        Overall::Pending | Overall::Blocked | Overall::ModelsOff => of_rung(facts, engine, blocking(cluster, ladder)?),
        Overall::Connecting
        | Overall::Waiting { .. }
        | Overall::Serving { .. }
        | Overall::Ready { .. }
        | Overall::Finishing { .. } => None,
    }
}

/// The reason of most steps is a headline; that of some is a whole sentence.
fn of_rung(facts: &Facts<'_>, engine: &EngineView, rung: &Rung) -> Option<Headline> {
    let text = match (rung.step, rung.state) {
        (Step::SignedIn, RungState::Failed) => tell::SIGNED_OUT.to_owned(),
        (Step::HubConnected, RungState::Failed) => tell::REJECTED.to_owned(),
        (Step::EngineAnswers, RungState::Failed) => tell::unreachable(facts, engine).to_owned(),
        _ => rung.reason.clone(),
    };
    (!text.is_empty()).then(|| Headline::new(text, rung.fix.clone()))
}

/// No list here comes near four thousand million.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
