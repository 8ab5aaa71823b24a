//! What the loop sets going: sessions, questions to the engine, the keychain and the disk; each reports back as `Done`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use porten_core::command::{Answered, Command, Declined, DeclinedCode, Revocation};
use porten_core::config::{Config, EngineKind};
use porten_core::engine::{self, Listing, Proof, ProofFailure, Reach};
use porten_core::exo::{self, Answer as ExoAnswer, InstanceId, Preview};
use porten_core::route::Route;
use porten_core::snapshot::AccountView;
use porten_core::tunnel::{self, ConnId, Effect};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::client::Asked;
use crate::credentials::SignedIn;
use crate::engine::{PROOF_DEADLINE, probe, prove};
use crate::session::{self, Way};
use crate::setup::SetupError;
use crate::vault::VaultTrouble;
use crate::wishes::{Wishes, WishesError};

/// Where a command's answer goes.
pub(super) type Answer = oneshot::Sender<Result<Answered, Declined>>;

/// What a task has done.
pub(super) enum Done {
    Probed(Result<Listing, String>),
    Proved(String, Result<Proof, ProofFailure>),
    Reloaded(Result<Option<SignedIn>, VaultTrouble>, Option<Answer>),
    Dropped(Result<Option<SignedIn>, VaultTrouble>),
    Forgotten(Result<Revocation, VaultTrouble>, Answer),
    Kept(Wishes, Result<(), WishesError>, Command, Answer),
    Told(u64, ExoAnswer),
    Offered(String, Result<Vec<Preview>, String>),
    Ordered(String, Result<(), String>),
    Deleted(InstanceId),
    Wired(Option<u64>),
    Settings(Box<Result<Config, SetupError>>, Answer),
    Rested(Result<Duration, String>),
    Nothing,
}

/// The connections that are dialled or up; one, except for a moment while another is being dropped.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) running: JoinSet<()>,
    live: BTreeMap<ConnId, Live>,
}

/// One of them, and how it is spoken to.
struct Live {
    task: AbortHandle,
    drain: CancellationToken,
    probe: Arc<Notify>,
}

impl Sessions {
    fn dial(&mut self, way: &Way, conn: ConnId, leaving: bool) {
        let drain = CancellationToken::new();
        if leaving {
            drain.cancel();
        }
        let probe = Arc::new(Notify::new());
        let way = Way { drain: drain.clone(), probe: Arc::clone(&probe), ..way.clone() };
        let task = self.running.spawn(session::run(way, conn));
        self.live.insert(conn, Live { task, drain, probe });
    }

    fn hang_up(&mut self, conn: ConnId) {
        if let Some(live) = self.live.remove(&conn) {
            live.task.abort();
        }
    }

    fn probe(&self, conn: ConnId) {
        if let Some(live) = self.live.get(&conn) {
            live.probe.notify_one();
        }
    }

    /// Asks every link to finish what it carries and take nothing new.
    pub(super) fn drain(&self) {
        self.live.values().for_each(|live| live.drain.cancel());
    }

    fn forget_ended(&mut self) {
        self.live.retain(|_, live| !live.task.is_finished());
    }
}

impl World {
    pub(super) fn step_tunnel(&mut self, input: tunnel::Input) {
        let now = self.hands.clock.now().mono;
        self.sessions.forget_ended();
        for effect in self.tunnel.on(input, now, rand::random()) {
            match effect {
                Effect::Dial(conn) => self.sessions.dial(&self.hands.way, conn, self.leaving.is_some()),
                Effect::Hangup(conn) => self.sessions.hang_up(conn),
                Effect::Probe(conn) => self.sessions.probe(conn),
                Effect::ForgetCredential => {
                    self.account = None;
                    let credentials = self.hands.credentials.clone();
                    self.tasks.spawn(async move { Done::Dropped(credentials.drop_refused().await) });
                }
            }
        }
    }

    pub(super) fn step_health(&mut self, input: engine::Input) {
        match self.health.on(input, self.hands.clock.now()) {
            Some(engine::Effect::Probe) => {
                let (engine, chosen) = (self.hands.engine.clone(), self.chosen.clone());
                let last = self.listing().cloned();
                self.tasks.spawn(async move { Done::Probed(probe(&engine, &chosen, last.as_ref()).await) });
            }
            Some(engine::Effect::Prove(id)) => self.prove(id),
            None => {}
        }
    }

    fn listing(&self) -> Option<&Listing> {
        match self.health.reach() {
            Reach::Up { listing, .. } => Some(listing),
            Reach::Unknown | Reach::Down { .. } => None,
        }
    }

    fn prove(&mut self, id: String) {
        let Some(listing) = self.listing() else { return };
        let routes: Vec<Route> = match (self.health.standing(&id), listing.kind) {
            // What it answered before is asked again; a route it never had costs nothing more.
            (engine::Standing::Proven { routes, .. }, _) => routes.clone(),
            // exo answers 405 to /v1/completions (measured on 0.3.70).
            (_, EngineKind::Exo) => vec![Route::ChatCompletions],
            (_, EngineKind::Openai) => Route::ALL.to_vec(),
        };
        let (engine, at) = (self.hands.engine.clone(), listing.url.clone());
        self.tasks.spawn(async move {
            let proof = prove(&engine, &at, &id, &routes, PROOF_DEADLINE).await;
            Done::Proved(id, proof)
        });
    }

    pub(super) fn reload_credential(&mut self) {
        self.reload(None);
    }

    fn reload(&mut self, answer: Option<Answer>) {
        let credentials = self.hands.credentials.clone();
        self.tasks.spawn(async move { Done::Reloaded(credentials.reload().await, answer) });
    }

    /// Takes a command; wishes wait their turn for the disk.
    pub(super) fn ask(&mut self, asked: Asked) {
        match asked.command {
            Command::CredentialChanged => self.reload(Some(asked.answer)),
            Command::SignOut => {
                self.account = None;
                self.step_tunnel(tunnel::Input::SignedIn(false));
                let (credentials, answer) = (self.hands.credentials.clone(), asked.answer);
                self.tasks.spawn(async move { Done::Forgotten(credentials.forget().await, answer) });
            }
            Command::Nudge => {
                self.step_tunnel(tunnel::Input::Nudge);
                self.step_health(engine::Input::Nudge);
                self.following.desk.nudge();
                self.look_at_limit();
                self.step_telling(exo::Input::Nudge);
                // The front end may be gone already.
                let _ = asked.answer.send(Ok(Answered::default()));
            }
            Command::TellLimit { mac, mib } => {
                // The front end may be gone already.
                let _ = asked.answer.send(self.tell_limit(&mac, mib).map(|()| Answered::default()));
            }
            Command::Reload => self.read_settings(asked.answer),
            Command::Yield { to } => {
                // The front end may be gone already.
                let _ = asked.answer.send(self.give_way(to).map(|()| Answered::default()));
            }
            Command::SetOnline { .. } | Command::Drain { .. } | Command::SetModel { .. } | Command::Pause { .. } => {
                self.waiting.push_back(asked);
                self.store_next();
            }
        }
    }

    fn store_next(&mut self) {
        while !self.storing
            && let Some(Asked { command, answer }) = self.waiting.pop_front()
        {
            let mut wishes = self.wishes.clone();
            match &command {
                Command::SetOnline { online } => wishes.go(*online),
                Command::Pause { pause } => wishes.pause = *pause,
                Command::Drain { .. } => wishes.online = false,
                Command::SetModel { id, on, how, keep } => {
                    let known = self.matched.pairs.iter().map(|pair| &pair.hub);
                    let known = known.chain(self.matched.unmatched.iter().map(porten_core::ids::Unmatched::hub));
                    if !known.into_iter().any(|known| known == id) {
                        let text = format!("There is no model {id} here; `porten models` lists them.");
                        let _ = answer.send(Err(Declined { code: DeclinedCode::UnknownModel, text }));
                        continue;
                    }
                    wishes.turn(id.clone(), *on, *how, *keep);
                }
                Command::CredentialChanged
                | Command::SignOut
                | Command::Nudge
                | Command::TellLimit { .. }
                | Command::Yield { .. }
                | Command::Reload => {}
            }
            self.storing = true;
            let state = self.hands.places.state.clone();
            self.tasks.spawn_blocking(move || {
                let kept = wishes.store(&state);
                Done::Kept(wishes, kept, command, answer)
            });
        }
    }

    /// Takes what a task has done.
    pub(super) fn finish(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Probed(result)) => {
                self.step_health(engine::Input::Probed(result));
                self.match_models();
            }
            Ok(Done::Proved(id, result)) => {
                if let Err(why) = &result {
                    tracing::info!(model = ?id, why = ?why.to_string(), "no proof");
                }
                self.step_health(engine::Input::Proved(id, result));
            }
            Ok(Done::Reloaded(result, answer)) => {
                let told = self.reloaded(result);
                reply(answer, told);
            }
            // Somebody signed in anew while the Hub ended the last sign-in.
            Ok(Done::Dropped(result @ Ok(Some(_)))) => drop(self.reloaded(result)),
            Ok(Done::Dropped(Ok(None))) => self.read = true,
            Ok(Done::Dropped(Err(trouble))) => tracing::warn!(%trouble, "the refused sign-in may still be stored"),
            Ok(Done::Forgotten(result, answer)) => {
                let told = result.map(|revocation| Answered { revocation: Some(revocation) });
                // The front end may be gone already.
                let _ = answer.send(told.map_err(|trouble| credential(&trouble)));
            }
            Ok(Done::Kept(wishes, result, command, answer)) => self.kept(wishes, result, &command, answer),
            Ok(Done::Told(turn, answer)) => self.told(turn, answer),
            Ok(Done::Offered(model, places)) => self.offered(&model, places),
            Ok(Done::Ordered(model, result)) => self.ordered(&model, result),
            Ok(Done::Deleted(instance)) => self.deleted(&instance),
            Ok(Done::Wired(mib)) => self.wired_mib = mib,
            Ok(Done::Settings(result, answer)) => {
                let told = self.take_settings(*result);
                reply(Some(answer), told);
            }
            Ok(Done::Rested(rested)) => self.rested(rested),
            Ok(Done::Nothing) => {}
            // Tasks are never aborted one by one, and panics are forbidden by lint; what is left is shutdown.
            Err(error) => tracing::error!(%error, "a task of the loop ended unfinished"),
        }
    }

    fn reloaded(&mut self, result: Result<Option<SignedIn>, VaultTrouble>) -> Result<(), Declined> {
        match result {
            Ok(signed_in) => {
                self.read = true;
                let kept_in = self.kept_in.clone();
                self.account =
                    signed_in.map(|signed_in| AccountView { name: signed_in.account, kept_in, since: signed_in.since });
                // A new sign-in replaces the link of the last one.
                self.step_tunnel(tunnel::Input::SignedIn(false));
                self.step_tunnel(tunnel::Input::SignedIn(self.account.is_some()));
                Ok(())
            }
            Err(trouble @ VaultTrouble::Unreadable) => {
                tracing::warn!(%trouble, "the credential store");
                self.read = true;
                self.account = None;
                self.step_tunnel(tunnel::Input::SignedIn(false));
                Err(credential(&trouble))
            }
            Err(trouble) => {
                tracing::warn!(%trouble, "the credential store");
                // It may open later: each attempt asks it again, and says why it ended.
                self.step_tunnel(tunnel::Input::SignedIn(true));
                Err(credential(&trouble))
            }
        }
    }

    fn kept(&mut self, wishes: Wishes, result: Result<(), WishesError>, command: &Command, answer: Answer) {
        self.storing = false;
        let told = match result {
            Ok(()) => {
                let rests = wishes.pause != self.wishes.pause;
                self.wishes = wishes;
                if rests {
                    self.take_pause();
                }
                if let Command::SetModel { id, on, .. } = command {
                    self.said(id, *on);
                }
                let within = match command {
                    Command::Drain { within_s } => Some(Duration::from_secs(*within_s)),
                    _ => None,
                };
                self.settle_wish(within);
                Ok(())
            }
            Err(error) => Err(Declined { code: DeclinedCode::NotKept, text: error.to_string() }),
        };
        reply(Some(answer), told);
        self.store_next();
    }
}

fn credential(trouble: &VaultTrouble) -> Declined {
    Declined { code: DeclinedCode::Credential, text: trouble.to_string() }
}

fn reply(answer: Option<Answer>, told: Result<(), Declined>) {
    if let Some(answer) = answer {
        // The front end may be gone already.
        let _ = answer.send(told.map(|()| Answered::default()));
    }
}
