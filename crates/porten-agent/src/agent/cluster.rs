//! How the loop follows exo: what it is asked, what of its answers is wanted, and what may be believed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use porten_core::config::{Config, EngineKind, EngineUrl};
use porten_core::desk::Desk;
use porten_core::engine::{self, Reach};
use porten_core::exo::{self, Document, NodeId, Pace, Phase, Telling, Told};
use porten_core::idle::Idle;
use porten_core::ids::ModelId;
use porten_core::limits::Limits;
use porten_core::lingering::Lingering;
use porten_core::memory::{budget, meant};
use porten_core::models::{self, Said};
use porten_core::pool;
use porten_core::reply::Reply;
use porten_core::snapshot::{Freshness, LinkKind};
use porten_core::time::Moment;

use super::effects::Done;
use super::world::World;
use super::{limits, loading};
use crate::engine::exo as ask;
use crate::kept;

/// What is known of exo's cluster, and what is being placed there.
pub(super) struct Following {
    pub(super) telling: Telling,
    pub(super) desk: Desk,
    /// Which models gave their memory back for want of requests.
    pub(super) idle: Idle,
    /// Which models compute though their client has left.
    pub(super) lingering: Lingering,
    /// What a person told of each Mac's wired limit.
    pub(super) limits: Limits,
    /// The paired models that are not wanted.
    pub(super) unwanted: BTreeSet<ModelId>,
    /// Front ends that look.
    pub(super) lookers: u32,
    /// Counts the engines, so that what an earlier one still says is not believed.
    turn: u64,
    pub(super) at: Option<EngineUrl>,
    proving: Vec<String>,
    /// What each loaded model ran on when it was last looked at: the Macs of the cluster, and its slowest link.
    ground: BTreeMap<String, (BTreeSet<NodeId>, Option<LinkKind>)>,
}

impl Following {
    /// Follows nothing yet; remembers what was placed from here before.
    pub(super) fn begin(state: &Path, config: &Config) -> Self {
        let mut limits: Limits = kept::fetch(&limits::file(state));
        limits.settle(config.wired_limits.iter().map(|(name, mib)| (name, *mib)));
        Self {
            limits,
            telling: Telling::default(),
            idle: Idle::default(),
            lingering: Lingering::default(),
            desk: Desk::remembering(kept::fetch(&loading::placed(state))),
            unwanted: BTreeSet::new(),
            lookers: 0,
            turn: 0,
            at: None,
            proving: Vec::new(),
            ground: BTreeMap::new(),
        }
    }
}

/// The Macs that are there, by name: their ids change each time exo starts.
pub(super) fn macs(telling: &Telling) -> BTreeSet<NodeId> {
    let name = |member: &exo::Member| member.name.clone().unwrap_or_else(|| member.id.clone());
    telling.cluster().members.iter().map(name).collect()
}

impl World {
    /// Brings everything about the cluster up to date with what was just heard.
    pub(super) fn follow(&mut self) {
        let at = self.exo_url();
        if at != self.following.at {
            self.following.telling = Telling::default();
            self.following.turn += 1;
            self.following.at = at;
        }
        self.rest();
        self.want();
        self.doubt_what_changed();
        if self.following.at.is_some() {
            let wanted = self.wanted();
            self.step_telling(exo::Input::Pace(self.pace(&wanted)));
            self.tend_desk(&wanted);
        }
        self.look_who_lingers();
        if self.bind_limits() {
            self.keep_limits();
        }
        let set = self.config.budget_mib.as_ref().map(|set| set.value);
        let rooms = if self.following.telling.has_told_memory() {
            pool::rooms(&self.following.telling, self.wired(), self.hands.clock.now())
        } else {
            pool::alone(self.installed_mib, self.wired_mib)
        };
        // What one machine has says nothing of a pool that its engine does not tell of.
        let pooled = self.following.telling.has_told_memory();
        let set = if pooled { meant(&rooms, set, self.config.force_budget.value) } else { set };
        self.memory = budget(&rooms, set);
    }

    /// Sees whether exo rests where a client left.
    fn look_who_lingers(&mut self) {
        let now = self.hands.clock.now().mono;
        let Following { lingering, telling, at, .. } = &mut self.following;
        let runs = |engine: &str| {
            let pairs = self.matched.pairs.iter().filter(|pair| pair.engine.as_str() == engine);
            pairs.filter_map(|pair| self.reading.by_model.get(pair.hub.as_str())).any(|model| model.in_flight > 0)
        };
        if lingering.look(|engine| at.as_ref().and_then(|_| telling.at_work(engine)), runs, now) {
            telling.hasten_runners();
            self.step_telling(exo::Input::Tick);
        }
    }

    fn exo_url(&self) -> Option<EngineUrl> {
        match self.health.reach() {
            Reach::Up { listing, .. } if listing.kind == EngineKind::Exo => Some(listing.url.clone()),
            _ => None,
        }
    }

    /// Which models are wanted, and which of them can be asked for a token.
    fn want(&mut self) {
        let said = Said { listed: self.config.models.is_some(), on: &self.wishes.on, off: &self.wishes.off };
        let now = self.hands.clock.now();
        let Following { telling, desk, .. } = &self.following;
        let unwanted = models::unwanted(&self.matched, said, &self.health, telling, desk);
        let proving: Vec<String> = (self.matched.pairs.iter())
            .filter(|pair| !unwanted.contains(&pair.hub) && self.following.idle.cold_since(&pair.hub).is_none())
            .filter(|pair| self.following.at.is_none() || !desk.is_moving(pair.engine.as_str()))
            .filter(|pair| models::is_loaded(pair.engine.as_str(), &self.health, telling, now))
            .map(|pair| pair.engine.as_str().to_owned())
            .collect();
        self.following.unwanted = unwanted;
        if proving != self.following.proving {
            self.following.proving.clone_from(&proving);
            self.step_health(engine::Input::Wanted(proving));
        }
    }

    pub(super) fn wanted(&self) -> Vec<String> {
        let Following { unwanted, idle, .. } = &self.following;
        let wanted = (self.matched.pairs.iter())
            .filter(|pair| !unwanted.contains(&pair.hub) && idle.cold_since(&pair.hub).is_none());
        wanted.map(|pair| pair.engine.as_str().to_owned()).collect()
    }

    fn pace(&self, wanted: &[String]) -> Pace {
        let now = self.hands.clock.now();
        let Following { telling, desk, lookers, .. } = &self.following;
        let comes =
            |(instance, phase): (&exo::Instance, Phase)| phase != Phase::Ready && wanted.contains(&instance.model);
        if desk.is_busy() || telling.instances().any(comes) {
            Pace::Loading
        } else if *lookers > 0
            || self.reading.traffic.in_flight > 0
            || wanted.iter().any(|id| !telling.is_ready(id, now))
        {
            Pace::Lively
        } else {
            Pace::Calm
        }
    }

    pub(super) fn step_telling(&mut self, input: exo::Input) {
        let Some(at) = self.following.at.clone() else { return };
        let now = self.hands.clock.now();
        let Some(document) = self.following.telling.on(input, now) else { return };
        let (engine, turn) = (self.hands.engine.clone(), self.following.turn);
        self.tasks.spawn(async move { Done::Told(turn, document, ask::fetch(&engine, &at, document).await) });
    }

    /// exo answered, or did not.
    pub(super) fn told(&mut self, turn: u64, document: Document, reply: Reply) {
        if turn != self.following.turn {
            return;
        }
        if reply == Reply::Lost && document == Document::LastSeen {
            self.step_health(engine::Input::Doubted);
        }
        self.step_telling(exo::Input::Told(document, reply));
        if document == Document::Instances {
            // Of several builds of a model the loaded one is meant.
            self.match_models();
        }
    }

    /// A loaded model whose Macs or link are not as they were owes a new proof.
    fn doubt_what_changed(&mut self) {
        let telling = &self.following.telling;
        let all = macs(telling);
        let loaded = telling.instances().filter(|(one, _)| self.following.proving.contains(&one.model));
        let ground: BTreeMap<String, _> =
            loaded.map(|(one, _)| (one.model.clone(), (all.clone(), telling.used_link(one)))).collect();
        let was = &self.following.ground;
        let changed = ground.iter().filter(|(model, now)| was.get(*model).is_some_and(|was| was != *now));
        let changed: Vec<String> = changed.map(|(model, _)| model.clone()).collect();
        self.following.ground = ground;
        for model in changed {
            self.step_health(engine::Input::Changed(model));
        }
    }

    /// The engine ids of models that cannot answer any more: each of its instances has lost a Mac, or there is none, or exo
    /// stands still. exo goes on with keep-alives for all of these.
    pub(super) fn broken(&self) -> BTreeSet<String> {
        let telling = &self.following.telling;
        if self.following.at.is_none() || telling.told() != Told::Cluster {
            return BTreeSet::new();
        }
        let stale = matches!(telling.freshness(self.hands.clock.now()), Freshness::Stale { .. });
        let lost = |engine: &str| telling.instances().all(|(one, _)| one.model != engine || telling.is_broken(one));
        let engines = self.matched.pairs.iter().map(|pair| pair.engine.as_str());
        engines.filter(|engine| stale || lost(engine)).map(str::to_owned).collect()
    }

    /// When time alone changes something here.
    pub(super) fn cluster_deadline(&self, now: Moment) -> Option<Moment> {
        self.following.at.as_ref()?;
        let Following { telling, desk, .. } = &self.following;
        // What is past due and waits for something else (exo stands still) is looked at when that comes.
        let later = |deadline: Option<Moment>| deadline.filter(|deadline| *deadline > now);
        let Following { idle, lingering, .. } = &self.following;
        [telling.deadline(now), later(desk.deadline()), later(idle.deadline()), later(lingering.deadline())]
            .into_iter()
            .flatten()
            .min()
    }
}
