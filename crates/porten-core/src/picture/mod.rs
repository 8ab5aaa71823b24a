//! Draws the one picture from the facts: pure, so that every state a person can see can be made in a test.

mod climb;
mod cluster;
mod models;
mod raise;
mod why;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::config::{Config, Origin, Setting};
use crate::desk::Desk;
use crate::engine::{Health, Reach};
use crate::exo::Telling;
use crate::idle::Idle;
use crate::ids::{Matched, ModelId};
use crate::lingering::Lingering;
use crate::memory::Memory;
use crate::notice::Book;
use crate::pause::Pause;
use crate::pool::Wired;
use crate::snapshot::{
    AccountView, ActivityView, AwakeView, EngineView, HostView, HubView, LinkView, MemoryView, ModelState, ModelView,
    Overall, PauseView, ProxyView, ReachView, Snapshot, TrafficView,
};
use crate::time::{Moment, Now};
use crate::tunnel::State;
use crate::wire;

/// What one model's requests come to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ModelTraffic {
    /// Running now.
    pub in_flight: u32,
    /// Tokens per second of the last answer.
    pub tokens_per_s: Option<f64>,
}

/// All that the loop knows.
#[derive(Debug)]
pub struct Facts<'a> {
    /// This process.
    pub host: &'a HostView,
    /// The settings.
    pub config: &'a Config,
    /// Whether the person wants to be online.
    pub online: bool,
    /// Whether the agent is finishing its requests before it goes.
    pub draining: bool,
    /// Whether the credential store was read; before that nobody can say who is signed in.
    pub read: bool,
    /// Who is signed in.
    pub account: Option<&'a AccountView>,
    /// The link.
    pub tunnel: &'a State,
    /// Since when the link is up, for people.
    pub link_since: Option<Timestamp>,
    /// The proxy on the way to the Hub, if there is one.
    pub proxy: Option<&'a ProxyView>,
    /// Round trip (milliseconds).
    pub rtt_ms: Option<u32>,
    /// The engine.
    pub health: &'a Health,
    /// What exo has told, if it is exo.
    pub telling: &'a Telling,
    /// What is being placed there.
    pub desk: &'a Desk,
    /// Which models are cold.
    pub idle: &'a Idle,
    /// Which of them compute for a client that has left.
    pub lingering: &'a Lingering,
    /// For ids that the Hub does not offer: one that it does and that is near.
    pub nearest: &'a BTreeMap<String, String>,
    /// Wanted and listed, paired.
    pub matched: &'a Matched,
    /// The ids that are not wanted.
    pub off: &'a BTreeSet<ModelId>,
    /// What the Hub says of each advertised id.
    pub standings: &'a BTreeMap<String, wire::ModelTraffic>,
    /// When it said so.
    pub said: Option<Timestamp>,
    /// It asked this node to finish what runs, and why.
    pub hub_drains: Option<&'a str>,
    /// The budget.
    pub memory: Memory,
    /// What is known of how much the GPUs may hold.
    pub wired: Wired<'a>,
    /// A rest that a person asked for.
    pub pause: Option<PauseView>,
    /// Whether the machine is kept awake.
    pub awake: &'a AwakeView,
    /// Requests in all.
    pub traffic: TrafficView,
    /// Requests by Hub id.
    pub by_model: &'a BTreeMap<String, ModelTraffic>,
}

/// Draws. `book` remembers since when each condition holds; `seq` is the caller's to set.
#[must_use]
pub fn draw(facts: &Facts<'_>, book: &mut Book, now: Now) -> Snapshot {
    let link = link(facts, now);
    let engine = engine(facts);
    let cluster = cluster::draw(facts, now);
    let models = models::draw(facts, now);
    let ladder = climb::climb(facts, &link, &engine, cluster.as_ref(), &models);
    let notices = book.draw(raise::raise(facts, &link, &engine, cluster.as_ref(), &models, now), now);
    let snapshot = Snapshot {
        seq: 0,
        overall: overall(facts, &link, &models, !notices.is_empty() && needs_you(&notices)),
        host: facts.host.clone(),
        account: facts.account.cloned(),
        hub: HubView {
            url: facts.config.hub.value.as_str().to_owned(),
            endpoint: facts.config.hub.value.endpoint(),
            origin: facts.config.hub.origin.clone(),
            proxy: facts.proxy.filter(|_| !matches!(link, LinkView::Off | LinkView::SignedOut { .. })).cloned(),
            link,
            rtt_ms: facts.rtt_ms,
            said: facts.said,
            drains: facts.hub_drains.map(str::to_owned),
        },
        engine,
        cluster,
        memory: MemoryView { memory: facts.memory, set_by: origin(facts.config.budget_mib.as_ref(), Origin::Default) },
        models,
        traffic: facts.traffic,
        activity: ActivityView::default(),
        pause: facts.pause.clone(),
        awake: facts.awake.clone(),
        ladder,
        notices,
        left_out: None,
    };
    snapshot.bounded()
}

fn needs_you(notices: &[crate::notice::Notice]) -> bool {
    notices.iter().any(|notice| notice.severity == crate::notice::Severity::NeedsYou)
}

fn overall(facts: &Facts<'_>, link: &LinkView, models: &[ModelView], needs_you: bool) -> Overall {
    let requests = facts.traffic.in_flight;
    if facts.draining || (!facts.online && requests > 0) {
        return Overall::Finishing { requests };
    }
    match link {
        LinkView::Off => match &facts.pause {
            Some(PauseView { pause: Pause::Until { until }, rests: true, .. }) => {
                Overall::Paused { until: Some(*until) }
            }
            Some(PauseView { rests: true, .. }) => Overall::Paused { until: None },
            _ => Overall::Off,
        },
        _ if needs_you => Overall::NeedsYou,
        LinkView::SignedOut { .. } | LinkView::Refused { .. } => Overall::NeedsYou,
        LinkView::Connecting => Overall::Connecting,
        LinkView::Waiting { until, .. } => Overall::Waiting { until: *until },
        LinkView::Online { .. } if requests > 0 => Overall::Serving { requests },
        LinkView::Online { .. } => {
            let placed = models.iter().filter(|model| model.standing == Some(wire::Standing::Eligible)).count();
            let wanted = models.iter().filter(|model| model.wanted).count();
            if placed == 0 {
                Overall::Connecting
            } else {
                Overall::Ready { models: count(placed), wanted: count(wanted) }
            }
        }
    }
}

/// No list here comes near four thousand million.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn link(facts: &Facts<'_>, now: Now) -> LinkView {
    match facts.tunnel {
        State::Off | State::SignedOut(None) if facts.online && !facts.read => LinkView::Connecting,
        State::Off => LinkView::Off,
        State::SignedOut(why) => LinkView::SignedOut { why: why.as_ref().map(ToString::to_string) },
        State::Dialling { .. } => LinkView::Connecting,
        State::Up { .. } => LinkView::Online { since: facts.link_since.unwrap_or(now.wall) },
        State::Waiting { until, why } => LinkView::Waiting { until: on_the_wall(*until, now), why: why.to_string() },
        State::Stuck { why, .. } => LinkView::Refused { why: why.to_string(), remedy: why.remedy().to_owned() },
    }
}

/// To whole seconds: a picture that differs by microseconds is the same picture.
fn on_the_wall(moment: Moment, now: Now) -> Timestamp {
    let then = (now + now.mono.until(moment)).wall;
    Timestamp::from_second(then.as_second()).unwrap_or(then)
}

fn engine(facts: &Facts<'_>) -> EngineView {
    let setting = facts.config.engine_url.as_ref();
    let (kind, url, reach) = match facts.health.reach() {
        Reach::Unknown => (None, None, ReachView::Unknown),
        Reach::Up { listing, since } => {
            (Some(listing.kind), Some(listing.url.as_str().to_owned()), ReachView::Up { since: *since })
        }
        Reach::Down { why, since } => (None, None, ReachView::Down { why: why.clone(), since: *since }),
    };
    let url = url.or_else(|| setting.map(|setting| setting.value.as_str().to_owned()));
    EngineView { url, origin: origin(setting, Origin::Found), kind, reach }
}

fn origin<T>(setting: Option<&Setting<T>>, otherwise: Origin) -> Origin {
    setting.map_or(otherwise, |setting| setting.origin.clone())
}

pub(super) fn is_ready(state: &ModelState) -> bool {
    matches!(state, ModelState::Ready { .. } | ModelState::Serving { .. })
}

#[cfg(test)]
pub(crate) use tests::example;
#[cfg(test)]
mod tests;
