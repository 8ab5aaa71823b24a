//! How models come into exo and leave it again: the desk's effects, a person's switches, rest and waking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use porten_core::capacity;
use porten_core::desk::{self, View};
use porten_core::exo::{self, InstanceId, Phase};
use porten_core::fitting::Fitting;
use porten_core::idle;
use porten_core::ids::{ModelId, Pair};
use porten_core::pool::Wired;
use porten_core::relay::Bounds;

use super::cluster::{Following, macs};
use super::effects::Done;
use super::world::World;
use crate::engine::exo as ask;
use crate::kept;

/// The instances that were placed from here: those alone are ever deleted.
pub(super) fn placed(state: &Path) -> PathBuf {
    state.join("placed.json")
}

impl World {
    pub(super) fn tend_desk(&mut self, wanted: &[String]) {
        let now = self.hands.clock.now();
        let Following { telling, desk, .. } = &mut self.following;
        let in_flight: BTreeMap<String, u32> = (self.matched.pairs.iter())
            .filter_map(|pair| {
                let traffic = self.reading.by_model.get(pair.hub.as_str())?;
                Some((pair.engine.as_str().to_owned(), traffic.in_flight))
            })
            .collect();
        let how = |pair: &Pair| Some((pair.engine.as_str().to_owned(), *self.wishes.how.get(&pair.hub)?));
        let how = self.matched.pairs.iter().filter_map(how).collect();
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

    /// How much the engine does at a time.
    pub(super) fn bounds(&self) -> Bounds {
        let telling = &self.following.telling;
        let fitting = Fitting { telling, wired: self.wired(), now: self.hands.clock.now() };
        capacity::bounds(&self.config, &self.matched.pairs, &fitting)
    }

    /// Models that nobody asked for in their time give their memory back.
    pub(super) fn rest(&mut self) {
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
            free_after: (self.config.free_after(pair.hub.as_str()))
                .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
        });
        idle.look(uses, now);
    }

    /// Somebody asks for a model that is cold.
    pub(super) fn wake(&mut self, id: &str) {
        let Ok(id) = ModelId::read(id) else { return };
        if self.following.idle.wake(&id) {
            tracing::info!(model = ?id.as_str(), "somebody asks for it: it is loaded again");
            self.said(&id, true);
        }
    }

    pub(super) fn ordered(&mut self, model: &str, result: Result<(), String>) {
        if let Err(why) = &result {
            tracing::warn!(?model, ?why, "not placed");
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
}
