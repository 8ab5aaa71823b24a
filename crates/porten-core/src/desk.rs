//! Brings what is wanted and what exo has loaded together: asks for places, takes one, waits, and gives memory back.
//!
//! ```text
//!              wanted, nothing there          chosen            it is there
//!   at rest ─────────────────────► asking ─────────► ordered ─────────────► loading … ready
//!      ▲                             │ no place          │ nothing came of it   │ gone, others deleted it
//!      │  1 min, or a person         ▼                   ▼                      ▼
//!      └─────────────────────────  failed ◄──────────────┘           left alone until a person says on
//! ```
//!
//! A place that exo offers is taken only if it fits ([`crate::fitting`]), or if a person wants it anyway. Only what was placed
//! from here is ever deleted, and only after its last request.

mod pick;
mod sheet;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::exo::{How, Instance, InstanceId, NodeId, Phase, Preview};
use crate::time::Moment;
use pick::{Picked, pick};
use sheet::{Order, Sheet};

/// How long exo's state must have been moving before a model is placed that nobody asked for just now: after a restart or
/// a lost leader exo repeats its history, and shows instances that are gone, or none that are there.
pub const SETTLED: Duration = Duration::from_secs(30);
/// From an order to the instance's appearance; 0.4 s is usual (measured).
const APPEARS: Duration = Duration::from_secs(20);
/// What does not fit is looked at again after this time, or when Macs came or went: memory may have become free.
const UNFIT_REST: Duration = Duration::from_secs(5 * 60);
/// An instance that exo still shows so long after it was asked to delete it is asked for again.
const DELETED: Duration = Duration::from_secs(10);
/// A model that was turned off keeps its memory at most this long for requests that still run.
const LAST_REQUESTS: Duration = Duration::from_secs(10 * 60);

/// What the desk looks at.
#[derive(Debug)]
pub struct View<'a> {
    /// The engine ids that are wanted on, the most wanted first.
    pub wanted: &'a [String],
    /// What is placed.
    pub instances: &'a [(&'a Instance, Phase)],
    /// The Macs that are there, by name: their ids change each time exo starts.
    pub nodes: &'a BTreeSet<NodeId>,
    /// For how long exo's state has been moving; `None`: it does not, so nothing is believed.
    pub moving_for: Option<Duration>,
    /// Requests that run, by engine id.
    pub in_flight: &'a BTreeMap<String, u32>,
    /// How a person wants them placed, by engine id.
    pub how: &'a BTreeMap<String, How>,
    /// The engine ids that stay loaded though they are not wanted.
    pub kept: &'a BTreeSet<String>,
}

impl View<'_> {
    fn how(&self, model: &str) -> How {
        self.how.get(model).copied().unwrap_or_default()
    }
}

/// What the host must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask for the places of this model, and answer with [`Desk::offered`].
    AskPlaces(String),
    /// Remember that this instance is ours ([`Desk::ours`]), then post it, and answer with [`Desk::ordered`].
    Order(String, Preview),
    /// Delete this instance of ours; answer with [`Desk::deleted`].
    Delete(InstanceId),
}

/// Where a model stands that exo does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// Wanted; for what it waits.
    Waiting(String),
    /// Being ordered.
    Placing,
    /// One sentence.
    Failed(String),
    /// No place has room for it; one sentence with the sum.
    Unfit(String),
    /// Turned off in exo.
    Elsewhere,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Desk {
    sheets: BTreeMap<String, Sheet>,
    ours: BTreeSet<InstanceId>,
    /// Since when exo has been asked to delete each; `None` while it is being asked.
    deleting: BTreeMap<InstanceId, Option<Moment>>,
    /// Since when an instance waits for its last requests.
    emptying: BTreeMap<InstanceId, Moment>,
    settles: Option<Moment>,
}

impl Desk {
    /// A desk that remembers what was placed from here before.
    #[must_use]
    pub fn remembering(ours: BTreeSet<InstanceId>) -> Self {
        Self { ours, ..Self::default() }
    }

    /// The instances that were placed from here.
    #[must_use]
    pub const fn ours(&self) -> &BTreeSet<InstanceId> {
        &self.ours
    }

    /// A person turned a model on or off.
    pub fn said(&mut self, model: &str, on: bool) {
        let sheet = self.sheets.entry(model.to_owned()).or_default();
        // What was asked of exo is under way whatever a person says meanwhile.
        let order = sheet.order.take().filter(Order::is_under_way);
        *sheet = Sheet { said: on, moving: on, order, ..Sheet::default() };
    }

    /// A person wants everything tried again.
    pub fn nudge(&mut self) {
        for sheet in self.sheets.values_mut() {
            if matches!(sheet.order, Some(Order::Failed { .. } | Order::Stopped { .. } | Order::Unfit { .. })) {
                sheet.order = None;
                sheet.failures = 0;
                sheet.said = true;
            }
        }
    }

    /// Whether something is under way here, or waits for exo.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.deleting.is_empty()
            || !self.emptying.is_empty()
            || self.sheets.values().any(|sheet| sheet.said || sheet.is_under_way())
    }

    /// Whether others turned it off.
    #[must_use]
    pub fn is_elsewhere(&self, model: &str) -> bool {
        self.sheets.get(model).is_some_and(|sheet| sheet.order == Some(Order::Elsewhere))
    }

    /// Whether it is about to be placed anew, and must get no more requests where it is.
    #[must_use]
    pub fn is_moving(&self, model: &str) -> bool {
        self.sheets.get(model).is_some_and(|sheet| sheet.moving)
    }

    /// When [`Desk::look`] has something to do that no fact announces.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let orders = self.sheets.values().filter_map(|sheet| match sheet.order {
            Some(Order::Ordered { until, .. } | Order::Failed { until, .. } | Order::Unfit { until, .. }) => {
                Some(until)
            }
            _ => None,
        });
        let empty = self.emptying.values().map(|since| *since + LAST_REQUESTS);
        let again = self.deleting.values().filter_map(|asked| Some((*asked)? + DELETED));
        orders.chain(empty).chain(again).chain(self.settles).min()
    }

    /// Looks at what is wanted and what is there.
    pub fn look(&mut self, view: &View<'_>, now: Moment) -> Vec<Effect> {
        self.settles = None;
        let Some(moving_for) = view.moving_for else { return Vec::new() };
        if moving_for < APPEARS {
            // exo's state has had a break: who deleted what during it cannot be told.
            self.sheets.values_mut().for_each(|sheet| sheet.ready_with = None);
        }
        self.forget_gone(view, moving_for);
        self.sheets.retain(|model, sheet| {
            // Exo's answer to a question is always told here; what it owes may never come.
            let owes = match &sheet.order {
                Some(Order::Asking | Order::Posting(_)) => true,
                Some(Order::Ordered { instance, until }) => {
                    !now.reached(*until) && !view.instances.iter().any(|(one, _)| one.id == *instance)
                }
                _ => false,
            };
            sheet.said || owes || view.wanted.contains(model)
        });
        let mut effects = self.give_back(view, now);
        for model in view.wanted {
            let of_model = || view.instances.iter().filter(|(instance, _)| instance.model == *model);
            let going = of_model().any(|(instance, _)| self.deleting.contains_key(&instance.id));
            let there = || of_model().filter(|(instance, _)| !self.deleting.contains_key(&instance.id));
            let phases: Vec<&Phase> = there().map(|(_, phase)| phase).collect();
            let otherwise = there().any(|(instance, _)| self.is_otherwise(instance, view));
            if phases.is_empty() {
                // What is being deleted must be gone first: its memory counts.
                if !going {
                    effects.extend(self.miss(model, view, moving_for, now));
                }
            } else {
                self.find(model, &phases, view.nodes, otherwise);
            }
        }
        effects
    }

    /// Whether an instance of ours is not as a person wants it; what others placed is served as it is.
    fn is_otherwise(&self, instance: &Instance, view: &View<'_>) -> bool {
        self.ours.contains(&instance.id) && !view.how(&instance.model).is(instance)
    }

    /// It is there; `otherwise`: not as it is wanted.
    fn find(&mut self, model: &str, phases: &[&Phase], nodes: &BTreeSet<NodeId>, otherwise: bool) {
        let sheet = self.sheets.entry(model.to_owned()).or_default();
        sheet.order = None;
        sheet.moving &= otherwise;
        if sheet.moving {
            return;
        }
        sheet.said = false;
        if phases.contains(&&Phase::Ready) {
            sheet.ready_with = Some(nodes.clone());
            sheet.arriving = None;
            sheet.failures = 0;
            return;
        }
        let failed = phases.iter().find_map(|phase| match phase {
            Phase::Failed(why) => Some(why.clone()),
            _ => None,
        });
        // exo goes back to loading between its tries: the reason stays.
        if failed.is_some() || sheet.arriving.is_none() {
            sheet.arriving = Some(failed.unwrap_or_default());
        }
    }

    /// It is not there.
    fn miss(&mut self, model: &str, view: &View<'_>, moving_for: Duration, now: Moment) -> Option<Effect> {
        let busy = self.another_is_coming(model, view);
        let sheet = self.sheets.entry(model.to_owned()).or_default();
        match &sheet.order {
            Some(Order::Asking | Order::Posting(_) | Order::Stopped { .. } | Order::Elsewhere) => return None,
            Some(Order::Ordered { until, .. }) if now.reached(*until) => {
                sheet.fail("exo took the order, and nothing came of it".to_owned(), now);
                return None;
            }
            Some(Order::Ordered { .. }) => return None,
            Some(Order::Failed { until, .. }) if !now.reached(*until) => return None,
            Some(Order::Unfit { until, nodes, .. }) if !now.reached(*until) && nodes == view.nodes => return None,
            Some(Order::Failed { .. } | Order::Unfit { .. }) | None => {}
        }
        sheet.moving = false;
        if let Some(why) = sheet.arriving.take() {
            let why = if why.is_empty() { "exo dropped it while it was loading".to_owned() } else { why };
            sheet.fail(why, now);
            return None;
        }
        // The same Macs, and exo's state went on moving: somebody deleted it on purpose. That is not fought.
        if moving_for >= APPEARS && sheet.ready_with.take().is_some_and(|nodes| nodes == *view.nodes) {
            sheet.order = Some(Order::Elsewhere);
            return None;
        }
        if !sheet.said && moving_for < SETTLED {
            self.settles = Some(now + (SETTLED - moving_for));
            return None;
        }
        if busy {
            return None;
        }
        sheet.order = Some(Order::Asking);
        Some(Effect::AskPlaces(model.to_owned()))
    }

    /// One at a time: a second order would count on memory that the first is about to fill.
    fn another_is_coming(&self, model: &str, view: &View<'_>) -> bool {
        let ordering = self.sheets.iter().any(|(other, sheet)| other != model && sheet.is_under_way());
        ordering || view.instances.iter().any(|(_, phase)| !matches!(phase, Phase::Ready | Phase::Failed(_)))
    }

    /// Deletes what is ours and not wanted any more, once nothing runs on it.
    fn give_back(&mut self, view: &View<'_>, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        let surplus = self.surplus(view);
        for (instance, _) in view.instances {
            let wanted = view.wanted.contains(&instance.model);
            let moves = wanted && self.is_moving(&instance.model) && self.is_otherwise(instance, view);
            let unwanted = (!wanted && !view.kept.contains(&instance.model)) || surplus.contains(&instance.id);
            if !(unwanted || moves) || !self.ours.contains(&instance.id) || self.is_deleted(&instance.id, now) {
                self.emptying.remove(&instance.id);
                continue;
            }
            let since = *self.emptying.entry(instance.id.clone()).or_insert(now);
            let running = view.in_flight.get(&instance.model).copied().unwrap_or(0);
            if running == 0 || now.since(since) >= LAST_REQUESTS {
                self.emptying.remove(&instance.id);
                self.deleting.insert(instance.id.clone(), None);
                effects.push(Effect::Delete(instance.id.clone()));
            }
        }
        // What was owed has come, and is given back.
        for sheet in self.sheets.values_mut() {
            if sheet.owed().is_some_and(|owed| self.deleting.contains_key(&owed)) {
                sheet.order = None;
            }
        }
        effects
    }

    /// Instances of ours that hold a model which another one holds as well: of several the furthest stays.
    fn surplus(&self, view: &View<'_>) -> BTreeSet<InstanceId> {
        let mut best: BTreeMap<&str, (bool, &InstanceId)> = BTreeMap::new();
        let staying = || view.instances.iter().filter(|(one, _)| !self.deleting.contains_key(&one.id));
        for (instance, phase) in staying() {
            let rank = (*phase == Phase::Ready, &instance.id);
            let first = best.entry(instance.model.as_str()).or_insert(rank);
            *first = (*first).max(rank);
        }
        let ours = staying().filter(|(one, _)| self.ours.contains(&one.id));
        let stays = |one: &Instance| best.get(one.model.as_str()).is_some_and(|(_, id)| **id == one.id);
        ours.filter(|(one, _)| !stays(one)).map(|(one, _)| one.id.clone()).collect()
    }

    /// Forgets instances of ours that exo has not shown for long enough to be sure.
    fn forget_gone(&mut self, view: &View<'_>, moving_for: Duration) {
        let shown = |id: &InstanceId| view.instances.iter().any(|(instance, _)| instance.id == *id);
        self.emptying.retain(|id, _| shown(id));
        self.deleting.retain(|id, asked| asked.is_none() || shown(id));
        if moving_for >= SETTLED {
            let ordered: BTreeSet<InstanceId> = self.sheets.values().filter_map(Sheet::owed).collect();
            self.ours.retain(|id| shown(id) || ordered.contains(id));
        }
    }

    /// The answer to [`Effect::AskPlaces`]: the places, or one sentence that says why there is none. `judge` says of each
    /// whether it fits, or with one sentence why not.
    pub fn offered(
        &mut self,
        model: &str,
        places: Result<Vec<Preview>, String>,
        (how, nodes, wanted): (How, &BTreeSet<NodeId>, bool),
        judge: impl Fn(&Instance) -> Result<(), String>,
        now: Moment,
    ) -> Option<Effect> {
        let sheet = self.sheets.get_mut(model).filter(|sheet| sheet.order == Some(Order::Asking))?;
        if !wanted {
            sheet.order = None;
            return None;
        }
        match places.and_then(|places| pick(places, how, judge)) {
            Ok(Picked::Place(place)) => {
                sheet.order = Some(Order::Posting(place.instance.id.clone()));
                self.ours.insert(place.instance.id.clone());
                Some(Effect::Order(model.to_owned(), place))
            }
            Ok(Picked::Unfit(why)) => {
                sheet.said = false;
                sheet.order = Some(Order::Unfit { why, nodes: nodes.clone(), until: now + UNFIT_REST });
                None
            }
            Err(why) => {
                sheet.fail(why, now);
                None
            }
        }
    }

    /// The answer to [`Effect::Order`].
    pub fn ordered(&mut self, model: &str, result: Result<(), String>, now: Moment) {
        let Some(sheet) = self.sheets.get_mut(model) else { return };
        let Some(Order::Posting(instance)) = &sheet.order else { return };
        match result {
            Ok(()) => sheet.order = Some(Order::Ordered { instance: instance.clone(), until: now + APPEARS }),
            Err(why) => {
                self.ours.remove(instance);
                sheet.fail(why, now);
            }
        }
    }

    /// The answer to [`Effect::Delete`]; it is asked again after a while if exo still shows it.
    pub fn deleted(&mut self, instance: &InstanceId, now: Moment) {
        self.deleting.insert(instance.clone(), Some(now));
    }

    /// Whether exo is being asked to delete it, or has only just been.
    fn is_deleted(&self, instance: &InstanceId, now: Moment) -> bool {
        self.deleting.get(instance).is_some_and(|asked| asked.is_none_or(|asked| now.since(asked) < DELETED))
    }

    /// Where a wanted model stands that exo does not hold.
    #[must_use]
    pub fn stand(&self, model: &str) -> Stand {
        let Some(sheet) = self.sheets.get(model) else { return Stand::Waiting("exo's state".to_owned()) };
        match &sheet.order {
            Some(Order::Asking | Order::Posting(_) | Order::Ordered { .. }) => Stand::Placing,
            Some(Order::Failed { why, .. } | Order::Stopped { why }) => Stand::Failed(why.clone()),
            Some(Order::Unfit { why, .. }) => Stand::Unfit(why.clone()),
            Some(Order::Elsewhere) => Stand::Elsewhere,
            None => match self.sheets.iter().find(|(other, sheet)| *other != model && sheet.owed().is_some()) {
                Some((other, _)) => Stand::Waiting(other.clone()),
                None if self.settles.is_some() => Stand::Waiting("exo to settle".to_owned()),
                None => Stand::Waiting("its turn".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
