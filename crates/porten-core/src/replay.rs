//! Reads saved states of exo and draws what the agent would have shown: the same readers, the same picture, no network.
//!
//! A saved state tells nothing of the Hub, and nobody can ask it for a token: the Hub is taken as connected, and a model whose
//! parts are ready as proven.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::config::{Config, EngineKind, EngineUrl};
use crate::desk::Desk;
use crate::engine::{self, Health, Listing, Proof};
use crate::exo::{self, Document, Telling};
use crate::idle::Idle;
use crate::ids::{EngineId, Matched, ModelId, Pair, match_wanted};
use crate::limits::Limits;
use crate::lingering::Lingering;
use crate::memory::budget;
use crate::notice::{Book, Code, Notice};
use crate::picture::{self, Facts};
use crate::pool::{self, Wired};
use crate::reply::Reply;
use crate::route::Route;
use crate::seat::Host;
use crate::snapshot::{
    AccountView, AwakeView, ClusterView, Freshness, HostView, MemoryView, ModelView, Snapshot, TrafficView,
};
use crate::time::{Moment, Now};
use crate::tunnel::{ConnId, State};
use crate::wire::{ModelTraffic, Standing};

/// What the agent would have shown at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Seconds, as the file counts them.
    pub t: f64,
    /// The same by the cluster's own clock.
    pub at: Timestamp,
    /// The Macs.
    pub cluster: ClusterView,
    /// Their memory.
    pub memory: MemoryView,
    /// The models that were placed.
    pub models: Vec<ModelView>,
    /// What to know or do.
    pub notices: Vec<Notice>,
}

/// States of one cluster, one after the other.
#[derive(Debug)]
pub struct Replay {
    config: Config,
    limits: Limits,
    telling: Telling,
    health: Health,
    book: Book,
    /// The models that were ever placed, in the order they came.
    placed: Vec<Pair>,
    now: Now,
    begun: bool,
}

impl Replay {
    /// `moments`: states that follow each other in time; else one state, of which nobody knows for how long it held.
    #[must_use]
    pub fn new(config: Config, moments: bool) -> Self {
        let mut limits = Limits::default();
        limits.settle(config.wired_limits.iter().map(|(name, mib)| (name, *mib)));
        Self {
            config,
            limits,
            telling: Telling::default(),
            health: Health::default(),
            book: if moments { Book::default() } else { Book::impatient() },
            placed: Vec::new(),
            now: Now::new(Moment::START, Timestamp::UNIX_EPOCH),
            begun: false,
        }
    }

    /// Takes the state of a moment (seconds since the first; time does not go back) and draws it.
    pub fn step(&mut self, t: f64, state: &Value) -> Step {
        if !self.begun {
            self.begun = true;
            self.now.wall = newest(state).unwrap_or(Timestamp::UNIX_EPOCH);
        }
        let at = Duration::try_from_secs_f64(t).unwrap_or_default();
        self.now += at.saturating_sub(self.now.mono.since_start());
        self.tell(state);
        let snapshot = self.draw();
        let empty = || ClusterView { freshness: Freshness::Fresh, members: Vec::new(), absent: Vec::new() };
        Step {
            t: if t.is_finite() { t } else { 0.0 },
            at: self.now.wall,
            cluster: snapshot.cluster.unwrap_or_else(empty),
            memory: snapshot.memory,
            models: snapshot.models,
            // No Hub is known that could offer anything.
            notices: snapshot.notices.into_iter().filter(|notice| notice.code != Code::NothingToServe).collect(),
        }
    }

    /// Hands out the documents one by one, as exo does when it is asked. The one with prompts is not among them.
    fn tell(&mut self, state: &Value) {
        for document in Document::ALL {
            let Some(body) = document.path().strip_prefix("/state/").and_then(|key| state.get(key)) else { continue };
            self.telling.on(exo::Input::Told(document, Reply::answer(200, body.to_string())), self.now);
        }
        for (instance, _) in self.telling.instances() {
            if self.placed.iter().any(|pair| pair.engine.as_str() == instance.model) {
                continue;
            }
            if let (Ok(hub), Ok(engine)) = (ModelId::read(&instance.model), EngineId::read(&instance.model)) {
                self.placed.push(Pair { hub, engine });
            }
        }
        let members = self.telling.cluster().members.iter();
        for (name, id) in members.filter_map(|member| Some((member.name.as_ref()?, &member.id))) {
            self.limits.seen(name, id);
        }
    }

    /// What the settings list, as far as this cluster has it; else whatever was placed.
    fn matched(&self) -> Matched {
        let placed = || self.placed.iter().cloned();
        let Some(wanted) = &self.config.models else {
            return Matched { pairs: placed().collect(), ..Matched::default() };
        };
        let listed: Vec<EngineId> = placed().map(|pair| pair.engine).collect();
        match_wanted(&wanted.value, &listed)
    }

    fn draw(&mut self) -> Snapshot {
        let matched = self.matched();
        self.prove(&matched);
        let there = |pair: &Pair| self.telling.instances().any(|(one, _)| one.model == pair.engine.as_str());
        let gone = matched.pairs.iter().filter(|pair| self.config.models.is_none() && !there(pair));
        let off: BTreeSet<ModelId> = gone.map(|pair| pair.hub.clone()).collect();
        let eligible = |id: &str| (id.to_owned(), ModelTraffic::new(id, Standing::Eligible));
        let standings = matched.pairs.iter().map(|pair| eligible(pair.hub.as_str())).collect();
        let wired = Wired { read_mib: None, limits: &self.limits };
        let set = self.config.budget_mib.as_ref().map(|set| set.value);
        let facts = Facts {
            host: &nobody(self.now.wall),
            config: &self.config,
            online: true,
            draining: false,
            read: true,
            account: Some(&AccountView { name: None, kept_in: String::new(), since: None }),
            tunnel: &State::Up { conn: ConnId(1), since: Moment::START },
            link_since: Some(self.now.wall),
            proxy: None,
            rtt_ms: None,
            health: &self.health,
            telling: &self.telling,
            desk: &Desk::default(),
            idle: &Idle::default(),
            lingering: &Lingering::default(),
            catalog: &[],
            matched: &matched,
            off: &off,
            standings: &standings,
            said: None,
            hub_drains: None,
            memory: budget(&pool::rooms(&self.telling, wired, self.now), set),
            wired,
            pause: None,
            awake: &AwakeView::NotWanted,
            traffic: TrafficView::default(),
            by_model: &BTreeMap::new(),
        };
        picture::draw(&facts, &mut self.book, self.now)
    }

    /// Takes exo as answering, and what is ready as proven.
    fn prove(&mut self, matched: &Matched) {
        let Some(url) = EngineUrl::localhost(52415) else { return };
        let models = matched.pairs.iter().map(|pair| pair.engine.clone()).collect();
        let listing = Listing { kind: EngineKind::Exo, url, models, sizes: BTreeMap::new() };
        self.health.on(engine::Input::Probed(Ok(listing)), self.now);
        let engines = matched.pairs.iter().map(|pair| pair.engine.as_str());
        let ready: Vec<String> =
            engines.filter(|engine| self.telling.is_ready(engine, self.now)).map(str::to_owned).collect();
        self.health.on(engine::Input::Wanted(ready.clone()), self.now);
        for engine in ready {
            let proof = Proof { routes: vec![Route::ChatCompletions], took: Duration::ZERO };
            self.health.on(engine::Input::Proved(engine, Ok(proof)), self.now);
        }
    }
}

/// The clock of the cluster when the file begins.
fn newest(state: &Value) -> Option<Timestamp> {
    let stamps = state["lastSeen"].as_object()?.values();
    stamps.filter_map(|stamp| stamp.as_str()?.parse().ok()).max()
}

fn nobody(since: Timestamp) -> HostView {
    let (version, name, node) = (String::new(), String::new(), String::new());
    HostView { kind: Host::Run, pid: 0, version, name, node, since }
}

#[cfg(test)]
mod tests;
