//! How the loop follows exo: what it is asked, what is placed there, and what of that is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use porten_core::command::{Declined, DeclinedCode};
use porten_core::config::{Config, EngineKind, EngineUrl};
use porten_core::desk::{self, Desk, View};
use porten_core::engine::{self, Reach};
use porten_core::exo::{self, Document, InstanceId, NodeId, Pace, Phase, Telling, Told};
use porten_core::fitting::Fitting;
use porten_core::idle::{self, Idle};
use porten_core::ids::{ModelId, Pair};
use porten_core::limits::Limits;
use porten_core::memory::budget;
use porten_core::models::{self, Said};
use porten_core::pool::{self, Wired};
use porten_core::reply::Reply;
use porten_core::snapshot::{Freshness, LinkKind};
use porten_core::time::Moment;

use super::effects::Done;
use super::world::World;
use crate::engine::exo as ask;
use crate::kept;
use crate::node::wired_limit_mib;

/// What is known of exo's cluster, and what is being placed there.
pub(super) struct Following {
    pub(super) telling: Telling,
    pub(super) desk: Desk,
    /// Which models gave their memory back for want of requests.
    pub(super) idle: Idle,
    /// What a person told of each Mac's wired limit.
    pub(super) limits: Limits,
    /// The paired models that are not wanted.
    pub(super) unwanted: BTreeSet<ModelId>,
    /// Front ends that look.
    pub(super) lookers: u32,
    /// Counts the engines, so that what an earlier one still says is not believed.
    turn: u64,
    at: Option<EngineUrl>,
    proving: Vec<String>,
    /// What each loaded model ran on when it was last looked at: the Macs of the cluster, and its slowest link.
    ground: BTreeMap<String, (BTreeSet<NodeId>, Option<LinkKind>)>,
}

impl Following {
    /// Follows nothing yet; remembers what was placed from here before.
    pub(super) fn begin(state: &Path, config: &Config) -> Self {
        let mut limits: Limits = kept::fetch(&limits_file(state));
        limits.settle(config.wired_limits.iter().map(|(name, mib)| (name, *mib)));
        Self {
            limits,
            telling: Telling::default(),
            idle: Idle::default(),
            desk: Desk::remembering(kept::fetch(&placed(state))),
            unwanted: BTreeSet::new(),
            lookers: 0,
            turn: 0,
            at: None,
            proving: Vec::new(),
            ground: BTreeMap::new(),
        }
    }
}

/// What was told of each Mac's wired limit, and for which start of its exo.
fn limits_file(state: &Path) -> PathBuf {
    state.join("wired-limits.json")
}

/// The instances that were placed from here: those alone are ever deleted.
fn placed(state: &Path) -> PathBuf {
    state.join("placed.json")
}

/// The Macs that are there, by name: their ids change each time exo starts.
fn macs(telling: &Telling) -> BTreeSet<NodeId> {
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
        self.watch_limits();
        let set = self.config.budget_mib.as_ref().map(|set| set.value);
        let rooms = if self.following.telling.has_told_memory() {
            pool::rooms(&self.following.telling, self.wired(), self.hands.clock.now())
        } else {
            pool::alone(self.installed_mib, self.wired_mib)
        };
        self.memory = budget(&rooms, set);
    }

    /// What is known of how much the GPUs may hold.
    pub(super) const fn wired(&self) -> Wired<'_> {
        Wired { read_mib: self.wired_mib, limits: &self.following.limits }
    }

    /// What was told of a Mac holds for one start of its exo: binds it to that, and keeps that.
    fn watch_limits(&mut self) {
        let now = self.hands.clock.now();
        let Following { telling, limits, .. } = &mut self.following;
        let heard = telling.cluster().members.iter().filter(|member| telling.is_heard(&member.id, now));
        let mut changed = false;
        for member in heard {
            if let Some(name) = &member.name {
                changed |= limits.seen(name, &member.id);
            }
        }
        if changed {
            self.keep_limits();
        }
    }

    fn keep_limits(&mut self) {
        let (path, limits) = (limits_file(&self.hands.places.state), self.following.limits.clone());
        self.tasks.spawn_blocking(move || {
            if let Err(error) = kept::store(&path, &limits) {
                tracing::warn!(%error, "what was told of the Macs' limits is not kept");
            }
            Done::Nothing
        });
    }

    /// A person tells what the GPU of a Mac may hold (MiB), or takes it back.
    pub(super) fn tell_limit(&mut self, mac: &str, mib: Option<u64>) -> Result<(), Declined> {
        let known = self.following.telling.cluster().members.iter().filter_map(|member| member.name.as_deref());
        let names: Vec<&str> = known.collect();
        if !names.contains(&mac) {
            let text = match names.as_slice() {
                [] => "The engine tells of no Macs now.".to_owned(),
                names => format!("There is no Mac {mac} in the cluster; there are {}.", names.join(", ")),
            };
            return Err(Declined { code: DeclinedCode::UnknownMac, text });
        }
        self.following.limits.tell(mac, mib);
        self.watch_limits();
        self.keep_limits();
        Ok(())
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

    fn wanted(&self) -> Vec<String> {
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

    fn tend_desk(&mut self, wanted: &[String]) {
        let now = self.hands.clock.now();
        let Following { telling, desk, .. } = &mut self.following;
        let in_flight: BTreeMap<String, u32> = (self.matched.pairs.iter())
            .filter_map(|pair| {
                let traffic = self.reading.by_model.get(pair.hub.as_str())?;
                Some((pair.engine.as_str().to_owned(), traffic.in_flight))
            })
            .collect();
        let said = |pair: &&Pair| self.wishes.how.contains_key(&pair.hub);
        let how = (self.matched.pairs.iter().filter(said))
            .map(|pair| (pair.engine.as_str().to_owned(), self.wishes.how.get(&pair.hub).copied().unwrap_or_default()))
            .collect();
        let kept = (self.matched.pairs.iter().filter(|pair| self.wishes.kept.contains(&pair.hub)))
            .map(|pair| pair.engine.as_str().to_owned())
            .collect();
        let view = View {
            wanted,
            instances: &telling.instances().collect::<Vec<_>>(),
            nodes: &macs(telling),
            moving_for: telling.moving_for(now),
            in_flight: &in_flight,
            how: &how,
            kept: &kept,
        };
        for effect in desk.look(&view, now.mono) {
            self.effect_desk(effect);
        }
    }

    fn effect_desk(&mut self, effect: desk::Effect) {
        let Some(at) = self.following.at.clone() else { return };
        let engine = self.hands.engine.clone();
        match effect {
            desk::Effect::AskPlaces(model) => {
                self.tasks.spawn(async move {
                    let places = ask::fetch_places(&engine, &at, &model).await;
                    Done::Offered(model, places)
                });
            }
            desk::Effect::Order(model, place) => {
                let (path, ours) = (placed(&self.hands.places.state), self.following.desk.ours().clone());
                self.tasks.spawn(async move {
                    // First remembered, then ordered: what a crash leaves behind must be known as ours.
                    let kept = tokio::task::spawn_blocking(move || kept::store(&path, &ours)).await;
                    let result = match kept {
                        Ok(Ok(())) => ask::order(&engine, &at, &place).await,
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err("the order could not be remembered".to_owned()),
                    };
                    Done::Ordered(model, result)
                });
            }
            desk::Effect::Delete(instance) => {
                self.tasks.spawn(async move {
                    ask::delete(&engine, &at, &instance).await;
                    Done::Deleted(instance)
                });
            }
        }
    }

    pub(super) fn offered(&mut self, model: &str, places: Result<Vec<exo::Preview>, String>) {
        let now = self.hands.clock.now();
        let hub = self.matched.pairs.iter().find(|pair| pair.engine.as_str() == model).map(|pair| &pair.hub);
        let how = hub.and_then(|id| self.wishes.how.get(id)).copied().unwrap_or_default();
        let wanted = self.wanted().iter().any(|id| id == model);
        let context = hub.and_then(|id| self.config.contexts.get(id.as_str())).copied();
        let Following { telling, desk, limits, .. } = &mut self.following;
        let fitting = Fitting { telling, wired: Wired { read_mib: self.wired_mib, limits }, now };
        let judge = |place: &exo::Instance| fitting.judge(place, context);
        if let Some(effect) = desk.offered(model, places, (how, &macs(telling), wanted), judge, now.mono) {
            self.effect_desk(effect);
        }
    }

    /// A loaded model whose Macs or link are not as they were owes a new proof.
    fn doubt_what_changed(&mut self) {
        let telling = &self.following.telling;
        let all = macs(telling);
        let loaded = telling.instances().filter(|(one, _)| self.following.proving.contains(&one.model));
        let ground: BTreeMap<String, _> =
            loaded.map(|(one, _)| (one.model.clone(), (all.clone(), telling.used_link(one)))).collect();
        let was = std::mem::replace(&mut self.following.ground, ground.clone());
        for (model, now) in ground {
            if was.get(&model).is_some_and(|was| *was != now) {
                self.step_health(engine::Input::Changed(model));
            }
        }
    }

    /// What the system says of this Mac's limit may have been set since.
    pub(super) fn look_at_limit(&mut self) {
        self.tasks.spawn_blocking(|| Done::Wired(wired_limit_mib()));
    }

    /// Models that nobody asked for in their time give their memory back.
    fn rest(&mut self) {
        let now = self.hands.clock.now();
        let Following { telling, desk, idle, .. } = &mut self.following;
        let ours = |engine: &str| {
            let ready = |(instance, phase): (&exo::Instance, Phase)| instance.model == engine && phase == Phase::Ready;
            telling.instances().any(ready)
                && telling.instances().all(|(one, _)| one.model != engine || desk.ours().contains(&one.id))
        };
        let running = |id: &str| self.reading.by_model.get(id).is_some_and(|model| model.in_flight > 0);
        let wanted = self.matched.pairs.iter().filter(|pair| !self.wishes.off.contains(&pair.hub));
        let uses = wanted.map(|pair| idle::Use {
            id: &pair.hub,
            rests: ours(pair.engine.as_str()) && !running(pair.hub.as_str()),
            free_after: (self.config.free_after.get(pair.hub.as_str()))
                .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
        });
        idle.look(uses, now);
    }

    /// Somebody asks for a model that is cold.
    pub(super) fn wake(&mut self, id: &str) {
        let Ok(id) = ModelId::read(id) else { return };
        if self.following.idle.wake(&id) {
            tracing::info!(model = %id, "somebody asks for it: it is loaded again");
            self.said(&id, true);
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

    pub(super) fn ordered(&mut self, model: &str, result: Result<(), String>) {
        if let Err(why) = &result {
            tracing::warn!(%model, %why, "not placed");
        }
        self.following.desk.ordered(model, result, self.hands.clock.now().mono);
        self.step_telling(exo::Input::Nudge);
    }

    pub(super) fn deleted(&mut self, instance: &InstanceId) {
        self.following.desk.deleted(instance, self.hands.clock.now().mono);
        self.step_telling(exo::Input::Nudge);
    }

    /// A person turned a model on or off.
    pub(super) fn said(&mut self, id: &ModelId, on: bool) {
        self.following.idle.wake(id);
        let pair = self.matched.pairs.iter().find(|pair| pair.hub == *id);
        if let Some(pair) = pair {
            self.following.desk.said(pair.engine.as_str(), on);
        }
        self.step_telling(exo::Input::Nudge);
    }

    /// When time alone changes something here.
    pub(super) fn cluster_deadline(&self, now: Moment) -> Option<Moment> {
        self.following.at.as_ref()?;
        let Following { telling, desk, .. } = &self.following;
        // What is past due and waits for something else (exo stands still) is looked at when that comes.
        let later = |deadline: Option<Moment>| deadline.filter(|deadline| *deadline > now);
        [telling.deadline(now), later(desk.deadline()), later(self.following.idle.deadline())]
            .into_iter()
            .flatten()
            .min()
    }
}
