//! Decides when to ask the engine what, one thing at a time.
//!
//! ```text
//!            probe answered                       due, nothing running
//!   Down ────────────────────► Up: unproven ────────────────────────────► proving ──► proven ──┐
//!    ▲  every 2 s               ▲                                            │           ▲      │ 2…30 min,
//!    │                          └─────────────── failed (2…60 s) ◄───────────┘           └──────┘ or a doubt
//!    └── probe failed, or a request could not reach it: probed at once
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::proof::{Owed, Proof, ProofFailure, Standing};
use crate::config::{EngineKind, EngineUrl};
use crate::ids::EngineId;
use crate::time::{Moment, Now};

/// Between probes of an engine that does not answer: a refused connection costs nothing.
pub const DOWN_PROBE_GAP: Duration = Duration::from_secs(2);
/// Between probes of one that does.
pub const UP_PROBE_GAP: Duration = Duration::from_secs(15);
/// Between probes of exo: it builds a list of 123 model cards (60 kB) for each, and its heartbeat is watched besides: that
/// tells at once when it is gone.
const EXO_PROBE_GAP: Duration = Duration::from_secs(5 * 60);

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What it is.
    pub kind: EngineKind,
    /// Where it answered.
    pub url: EngineUrl,
    /// The ids it lists.
    pub models: Vec<EngineId>,
    /// The weights of those it tells the size of (MiB), by id.
    pub sizes: BTreeMap<String, u64>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time passed; see [`Health::deadline`].
    Tick,
    /// A wake, a network change, a person: look again.
    Nudge,
    /// The answer to [`Effect::Probe`]: what it lists, or one sentence that says why not.
    Probed(Result<Listing, String>),
    /// Another question to the engine got no answer: probe it now.
    Doubted,
    /// The engine ids that are wanted of it, replacing the last.
    Wanted(Vec<String>),
    /// The answer to [`Effect::Prove`].
    Proved(String, Result<Proof, ProofFailure>),
    /// What this engine id runs on is not as it was: other machines, another link.
    Changed(String),
    /// A request for this engine id was answered to its end.
    Served(String),
    /// A request for this engine id failed on the engine's account.
    Failed(String),
    /// Whether requests are running.
    Busy(bool),
}

/// What the host must do; exactly one of these is under way at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask for the list of models, and answer with [`Input::Probed`].
    Probe,
    /// Ask this engine id for one token, and answer with [`Input::Proved`].
    Prove(String),
}

/// Whether the engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Not asked yet.
    Unknown,
    /// Answers since.
    Up {
        /// What it lists now.
        listing: Listing,
        /// Since when.
        since: Timestamp,
    },
    /// Does not.
    Down {
        /// One sentence.
        why: String,
        /// Since when.
        since: Timestamp,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Health {
    reach: Reach,
    models: BTreeMap<String, Owed>,
    asking: Option<Effect>,
    probe_due: Moment,
    busy: bool,
    /// A request failed on the engine's account since it last answered a probe.
    doubted: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            reach: Reach::Unknown,
            models: BTreeMap::new(),
            asking: None,
            probe_due: Moment::START,
            busy: false,
            doubted: false,
        }
    }
}

impl Health {
    /// Whether the engine answers.
    #[must_use]
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// What is known of one engine id.
    #[must_use]
    pub fn standing(&self, engine_id: &str) -> &Standing {
        self.models.get(engine_id).map_or(&Standing::Unproven, |owed| &owed.standing)
    }

    /// How long ago this engine id last generated, as far as is known.
    #[must_use]
    pub fn proof_age(&self, engine_id: &str, now: Moment) -> Option<Duration> {
        Some(now.since(self.models.get(engine_id)?.generated?))
    }

    /// Whether this engine id is being proven now.
    #[must_use]
    pub fn proving(&self, engine_id: &str) -> bool {
        matches!(&self.asking, Some(Effect::Prove(id)) if id == engine_id)
    }

    /// When [`Input::Tick`] is due, if nothing is being asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.asking.is_some() {
            return None;
        }
        let proof = self.next_proof().map(|(_, due)| due);
        Some(proof.map_or(self.probe_due, |due| due.min(self.probe_due)))
    }

    /// One step.
    pub fn on(&mut self, input: Input, now: Now) -> Option<Effect> {
        match input {
            Input::Tick => {}
            Input::Nudge => {
                self.probe_due = now.mono;
                self.models.values_mut().for_each(|owed| owed.doubt(now.mono));
            }
            Input::Doubted => self.probe_due = now.mono,
            Input::Probed(result) => self.probed(result, now),
            Input::Wanted(ids) => self.want(ids, now.mono),
            Input::Proved(id, result) => self.proved(&id, result, now),
            Input::Changed(id) => {
                if let Some(owed) = self.models.get_mut(&id) {
                    owed.doubt(now.mono);
                }
            }
            Input::Served(id) => {
                if let Some(owed) = self.models.get_mut(&id) {
                    owed.serve(now);
                }
            }
            Input::Failed(id) => {
                self.probe_due = now.mono;
                self.doubted = true;
                if let Some(owed) = self.models.get_mut(&id) {
                    owed.doubt(now.mono);
                }
            }
            Input::Busy(busy) => self.busy = busy,
        }
        self.ask(now.mono)
    }

    fn probed(&mut self, result: Result<Listing, String>, now: Now) {
        self.asking = None;
        let was_up = match &self.reach {
            Reach::Up { since, .. } => Some(*since),
            _ => None,
        };
        match result {
            Ok(listing) => {
                let gap = if listing.kind == EngineKind::Exo { EXO_PROBE_GAP } else { UP_PROBE_GAP };
                self.probe_due = now.mono + gap;
                self.doubted = false;
                self.reach = Reach::Up { listing, since: was_up.unwrap_or(now.wall) };
            }
            // Late behind work that goes well is unknown, not down: some engines list nothing while they generate.
            Err(_) if self.busy && was_up.is_some() && !self.doubted => self.probe_due = now.mono + DOWN_PROBE_GAP,
            Err(why) => {
                self.probe_due = now.mono + DOWN_PROBE_GAP;
                let since = match &self.reach {
                    Reach::Down { since, .. } => *since,
                    _ => now.wall,
                };
                self.reach = Reach::Down { why, since };
                // What comes back may be another engine: it owes every proof anew.
                self.models.values_mut().for_each(|owed| *owed = Owed::new(now.mono));
            }
        }
    }

    fn want(&mut self, ids: Vec<String>, now: Moment) {
        let mut old = std::mem::take(&mut self.models);
        for id in ids {
            let owed = old.remove(&id).unwrap_or_else(|| Owed::new(now));
            self.models.insert(id, owed);
        }
    }

    fn proved(&mut self, id: &str, result: Result<Proof, ProofFailure>, now: Now) {
        self.asking = None;
        if result == Err(ProofFailure::Unreachable) {
            self.probe_due = now.mono;
        }
        let models = self.models.len();
        if let Some(owed) = self.models.get_mut(id) {
            owed.prove(result, self.busy, models, now);
        }
    }

    fn next_proof(&self) -> Option<(&String, Moment)> {
        if self.busy || !matches!(self.reach, Reach::Up { .. }) {
            return None;
        }
        self.models.iter().map(|(id, owed)| (id, owed.due)).min_by_key(|(_, due)| *due)
    }

    fn ask(&mut self, now: Moment) -> Option<Effect> {
        if self.asking.is_some() {
            return None;
        }
        self.asking = if now.reached(self.probe_due) {
            Some(Effect::Probe)
        } else {
            self.next_proof().filter(|(_, due)| now.reached(*due)).map(|(id, _)| Effect::Prove(id.clone()))
        };
        self.asking.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;

    fn start() -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH)
    }

    fn listing() -> Listing {
        Listing {
            kind: EngineKind::Openai,
            url: EngineUrl::localhost(8000).unwrap(),
            models: vec![EngineId::read("m").unwrap()],
            sizes: BTreeMap::new(),
        }
    }

    fn proof() -> Proof {
        Proof { routes: vec![Route::ChatCompletions], took: Duration::from_millis(40) }
    }

    /// An engine that is up with one wanted model, whose proof is under way.
    fn proving() -> Health {
        let mut health = Health::default();
        assert_eq!(health.on(Input::Tick, start()), Some(Effect::Probe));
        assert_eq!(health.on(Input::Probed(Ok(listing())), start()), None);
        assert_eq!(health.on(Input::Wanted(vec!["m".into()]), start()), Some(Effect::Prove("m".into())));
        health
    }

    fn proven() -> Health {
        let mut health = proving();
        assert_eq!(health.on(Input::Proved("m".into(), Ok(proof())), start()), None);
        assert!(matches!(health.standing("m"), Standing::Proven { .. }));
        health
    }

    /// Fault D2: an engine that lists a model and generates no token is not advertised.
    #[test]
    fn listing_a_model_is_not_health_only_a_token_is() {
        let mut health = proving();
        assert_eq!(*health.standing("m"), Standing::Unproven);
        let refused = ProofFailure::Refused("No instance found".into());
        assert_eq!(health.on(Input::Proved("m".into(), Err(refused.clone())), start()), None);
        assert_eq!(*health.standing("m"), Standing::Failed(refused));
        let soon = start() + Duration::from_secs(2);
        assert_eq!(health.on(Input::Tick, soon), Some(Effect::Prove("m".into())));
    }

    /// Fault D2: a proven model whose engine stands still is withdrawn with its next proof, however promptly the engine lists it.
    #[test]
    fn a_proven_model_whose_next_proof_is_late_is_withdrawn_though_the_engine_still_lists_it() {
        let mut health = proven();
        let mut now = start();
        let mut effect = None;
        while effect != Some(Effect::Prove("m".into())) {
            now += now.mono.until(health.deadline().unwrap());
            effect = health.on(Input::Tick, now);
            if effect == Some(Effect::Probe) {
                effect = health.on(Input::Probed(Ok(listing())), now);
            }
        }
        assert!(now.wall.as_second() <= 150, "idle it is proven anew after two minutes: {now:?}");
        let late = ProofFailure::Late(Duration::from_secs(30));
        health.on(Input::Proved("m".into(), Err(late.clone())), now + Duration::from_secs(30));
        assert_eq!(*health.standing("m"), Standing::Failed(late));
        assert!(matches!(health.reach(), Reach::Up { .. }));
    }

    /// Fault F7: the age of a proof, and when the next is due, go by the clock that is never set.
    #[test]
    fn a_wall_clock_that_is_set_by_a_day_makes_no_proof_old() {
        let mut health = proven();
        let due = health.deadline();
        for day in [-86_400, 86_400] {
            let now = Now::new(Moment::START + Duration::from_secs(5), Timestamp::from_second(day).unwrap());
            assert_eq!(health.on(Input::Tick, now), None);
            assert_eq!(health.proof_age("m", now.mono), Some(Duration::from_secs(5)));
        }
        assert_eq!(health.deadline(), due);
    }

    #[test]
    fn an_idle_day_costs_at_most_sixty_proofs_and_none_is_too_old_for_a_hub() {
        for models in 1..=3 {
            let (proofs, oldest) = idle_day(models);
            assert!((40..=60).contains(&proofs), "{proofs} of {models}");
            assert!(oldest < Duration::from_secs(2 * 60 * 60 - 15 * 60), "{oldest:?} with {models}");
        }
        let (proofs, oldest) = idle_day(40);
        assert!(proofs <= 20 * 40 && oldest < Duration::from_secs(2 * 60 * 60 - 15 * 60), "{proofs}, {oldest:?}");
    }

    /// Proofs in a day without requests, and the age of the oldest one that was ever relied on.
    fn idle_day(models: usize) -> (usize, Duration) {
        let ids: Vec<String> = (0..models).map(|n| format!("m{n}")).collect();
        let (mut health, mut now, mut proofs, mut oldest) = (Health::default(), start(), 0, Duration::ZERO);
        health.on(Input::Tick, now);
        health.on(Input::Probed(Ok(listing())), now);
        let mut effect = health.on(Input::Wanted(ids), now);
        loop {
            while let Some(ask) = effect {
                effect = match ask {
                    Effect::Probe => health.on(Input::Probed(Ok(listing())), now),
                    Effect::Prove(id) => {
                        proofs += 1;
                        oldest = oldest.max(health.proof_age(&id, now.mono).unwrap_or_default());
                        health.on(Input::Proved(id, Ok(proof())), now)
                    }
                };
            }
            if now.wall.as_second() >= 86_400 {
                return (proofs, oldest);
            }
            now += now.mono.until(health.deadline().unwrap());
            effect = health.on(Input::Tick, now);
        }
    }

    #[test]
    fn a_request_that_fails_makes_it_look_at_once_and_a_dead_engine_owes_new_proofs() {
        let mut health = proven();
        let now = start() + Duration::from_secs(1);
        assert_eq!(health.on(Input::Failed("m".into()), now), Some(Effect::Probe));
        assert_eq!(health.on(Input::Probed(Err("nothing answers".into())), now), None);
        assert_eq!(*health.standing("m"), Standing::Unproven, "withdrawn");
        let later = now + DOWN_PROBE_GAP;
        assert_eq!(health.on(Input::Tick, later), Some(Effect::Probe));
        assert_eq!(health.on(Input::Probed(Ok(listing())), later), Some(Effect::Prove("m".into())));
    }

    #[test]
    fn nothing_is_proven_while_requests_run_and_a_late_proof_behind_them_is_no_failure() {
        let mut health = proving();
        health.on(Input::Busy(true), start());
        health.on(Input::Proved("m".into(), Err(ProofFailure::Late(Duration::from_secs(30)))), start());
        assert_eq!(*health.standing("m"), Standing::Unproven);
        let mut busy = proven();
        busy.on(Input::Busy(true), start());
        let later = start() + Duration::from_secs(3600);
        assert_eq!(busy.on(Input::Tick, later), Some(Effect::Probe));
        assert_eq!(busy.on(Input::Probed(Ok(listing())), later), None);
        assert_eq!(busy.on(Input::Busy(false), later), Some(Effect::Prove("m".into())));
    }

    #[test]
    fn an_engine_that_lists_nothing_while_it_serves_is_not_down_until_a_request_fails() {
        let mut health = proven();
        health.on(Input::Busy(true), start());
        let mut now = start() + UP_PROBE_GAP;
        assert_eq!(health.on(Input::Tick, now), Some(Effect::Probe));
        assert_eq!(health.on(Input::Probed(Err("no answer".into())), now), None);
        assert!(matches!(health.reach(), Reach::Up { .. }));
        assert!(matches!(health.standing("m"), Standing::Proven { .. }), "still advertised");
        now += DOWN_PROBE_GAP;
        assert_eq!(health.on(Input::Failed("m".into()), now), Some(Effect::Probe));
        health.on(Input::Probed(Err("no answer".into())), now);
        assert!(matches!(health.reach(), Reach::Down { .. }));
    }

    #[test]
    fn every_served_request_is_a_proof() {
        let mut health = proven();
        let mut now = start();
        for _ in 0..60 {
            now += Duration::from_secs(60);
            health.on(Input::Served("m".into()), now);
            if health.on(Input::Tick, now) == Some(Effect::Probe) {
                assert_eq!(health.on(Input::Probed(Ok(listing())), now), None);
            }
            assert!(!health.proving("m"));
        }
    }
}
