//! Keeps the sign-ins that wait for a person's answer, in memory: what strangers ask for costs no write to the disk.
//!
//! Each address has a share, so a flood pushes out its own requests only: those first that nobody polls, the oldest of
//! them first. Where all of them together fill the room, what nobody polls goes before anything that somebody polls. An agent whose request was pushed out brings it back with its next poll ([`device_code`]).
//!
//! [`device_code`]: super::device_code

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use porten_core::secret::Secret;

use super::device_code::{Request, Sealer, Unreadable};
use super::poll::{self, Answer, Reply};
use crate::client_address::ClientAddress;
use crate::clock::Millis;
use crate::secret::{self, Digest};

/// The most requests that wait at a time; each takes a kilobyte.
const MAX_WAITING: usize = 8192;
/// The most of them from one address.
const MAX_FROM_ONE: usize = 2048;
/// The answers of one account that are remembered until their codes end; beyond it the oldest go.
const MAX_ANSWERS: usize = 64;

/// All sign-ins under way.
#[derive(Debug)]
pub(crate) struct Pending {
    sealer: Sealer,
    /// The least time between two polls.
    interval: Millis,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    waiting: HashMap<Digest, Waiting>,
    by_user_code: HashMap<String, Digest>,
    by_address: HashMap<ClientAddress, Share>,
    /// When each ends.
    ends: BTreeSet<(Millis, Digest)>,
    /// The addresses; the last has to give one up where there is no room.
    crowds: BTreeSet<(Crowd, ClientAddress)>,
    /// Answered, and not long ago.
    answered: HashMap<Digest, Answered>,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    from: ClientAddress,
    polled: Option<Millis>,
    interval: Millis,
}

/// The less, the sooner it goes: what was never polled before what was, then the one that was silent longest.
type Rank = (bool, Millis, Digest);

/// What waits from one address.
#[derive(Debug, Default)]
struct Share {
    /// The first goes first.
    ranks: BTreeSet<Rank>,
    /// Those that were never polled.
    unpolled: usize,
}

/// The more, the sooner one of theirs goes: first where most wait that nobody polls, then where the first to go is.
type Crowd = (usize, Reverse<Option<Rank>>);

impl Share {
    fn crowd(&self) -> Crowd {
        (self.unpolled, Reverse(self.ranks.first().copied()))
    }
}

impl Waiting {
    fn rank(&self, hash: Digest) -> Rank {
        (self.polled.is_some(), self.polled.unwrap_or(self.request.asked), hash)
    }
}

#[derive(Debug)]
struct Answered {
    request: Request,
    account: i64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Connect, said in this epoch of the account.
    Connect {
        epoch: i64,
    },
    Refuse,
    /// The tokens were collected.
    Collected,
}

/// A person's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Who answers.
    pub(crate) account: i64,
    /// In which epoch of the account.
    pub(crate) epoch: i64,
    /// Yes or no.
    pub(crate) connect: bool,
}

/// What a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// Where the machine asked from.
    pub(crate) from: ClientAddress,
}

/// A person's yes that was collected just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Yes {
    hash: Digest,
    pub(crate) account: i64,
    /// The account's epoch in which it was said.
    pub(crate) epoch: i64,
    pub(crate) node: String,
    pub(crate) name: String,
}

impl Pending {
    /// Requests may be polled this far apart.
    pub(crate) fn new(interval: Millis) -> Self {
        Self { sealer: Sealer::new(), interval, inside: Mutex::default() }
    }

    /// Keeps a new request; its device code, or none if its user code is taken.
    pub(crate) fn begin(&self, request: Request, from: ClientAddress, now: Millis) -> Option<Secret> {
        let code = self.sealer.seal(&request);
        let waiting = Waiting { request, from, polled: None, interval: self.interval };
        self.lock().add(secret::digest(code.expose()), waiting, now).then_some(code)
    }

    /// Who asks under a user code that still waits for its answer.
    pub(crate) fn asked(&self, user_code: &str, now: Millis) -> Option<Asked> {
        let inside = self.lock();
        let waiting = inside.waiting.get(inside.by_user_code.get(user_code)?)?;
        let Waiting { request, from, .. } = waiting;
        (request.expires > now).then(|| Asked { request: request.clone(), from: *from })
    }

    /// Keeps the person's answer. False if the code is not waiting any more: an answer stands.
    pub(crate) fn answer(&self, user_code: &str, decision: Decision, now: Millis) -> bool {
        let mut inside = self.lock();
        inside.drop_expired(now);
        let Some(hash) = inside.by_user_code.get(user_code).copied() else { return false };
        let Some(waiting) = inside.remove(&hash) else { return false };
        let Decision { account, epoch, connect } = decision;
        let what = if connect { What::Connect { epoch } } else { What::Refuse };
        inside.keep_answer(hash, Answered { request: waiting.request, account, what }, now);
        true
    }

    /// One poll, judged; none for what is no device code, or one that was used. A yes is handed out once: see
    /// [`Self::give_back`].
    pub(crate) fn poll(&self, code: &str, from: ClientAddress, now: Millis) -> Option<Reply<Yes>> {
        let hash = secret::digest(code);
        let mut inside = self.lock();
        if let Some(answered) = inside.answered.get_mut(&hash) {
            return answered.poll(hash, now);
        }
        if !inside.waiting.contains_key(&hash) {
            let request = match self.sealer.open(code) {
                Ok(request) => request,
                Err(Unreadable::NotOurs) => return Some(Reply::Expired),
                Err(Unreadable::NoCode) => return None,
            };
            // It was pushed out, and comes back: its agent still asks.
            let back = Waiting { request, from, polled: None, interval: self.interval };
            if back.request.expires <= now || !inside.add(hash, back, now) {
                return Some(Reply::Expired);
            }
        }
        Some(inside.poll_waiting(hash, now))
    }

    /// Takes a yes back that could not be made into a grant: the agent may ask for it again.
    pub(crate) fn give_back(&self, yes: &Yes) {
        if let Some(answered) = self.lock().answered.get_mut(&yes.hash) {
            answered.what = What::Connect { epoch: yes.epoch };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // The tables are changed by whole insertions and removals, in an order that a panic leaves usable.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answered {
    fn poll(&mut self, hash: Digest, now: Millis) -> Option<Reply<Yes>> {
        let Self { request, account, what } = self;
        let answer = match *what {
            What::Connect { epoch } => {
                let Request { node, name, .. } = request.clone();
                Answer::Connect(Yes { hash, account: *account, epoch, node, name })
            }
            What::Refuse => Answer::Refuse,
            What::Collected => return None,
        };
        let reply = poll::Request { expires: request.expires, interval: 0, polled: None, answer }.poll(now);
        if matches!(reply, Reply::Grant(_)) {
            *what = What::Collected;
        }
        Some(reply)
    }
}

impl Inside {
    /// False if the user code is taken.
    fn add(&mut self, hash: Digest, waiting: Waiting, now: Millis) -> bool {
        let from = waiting.from;
        self.drop_expired(now);
        while self.share(from) >= MAX_FROM_ONE {
            self.evict(from);
        }
        while self.waiting.len() >= MAX_WAITING {
            // Never empty where so many wait.
            let Some((_, most)) = self.crowds.last().copied() else { break };
            self.evict(most);
        }
        if self.by_user_code.contains_key(&waiting.request.user_code) {
            return false;
        }
        self.by_user_code.insert(waiting.request.user_code.clone(), hash);
        self.ends.insert((waiting.request.expires, hash));
        self.enlist(from, waiting.rank(hash));
        self.waiting.insert(hash, waiting);
        true
    }

    fn remove(&mut self, hash: &Digest) -> Option<Waiting> {
        let waiting = self.waiting.remove(hash)?;
        self.by_user_code.remove(&waiting.request.user_code);
        self.ends.remove(&(waiting.request.expires, *hash));
        self.strike(waiting.from, &waiting.rank(*hash));
        Some(waiting)
    }

    fn poll_waiting(&mut self, hash: Digest, now: Millis) -> Reply<Yes> {
        let Some(waiting) = self.waiting.get_mut(&hash) else { return Reply::Expired };
        let Waiting { interval, polled, .. } = *waiting;
        let asked = poll::Request { expires: waiting.request.expires, interval, polled, answer: Answer::None };
        let reply = asked.poll(now);
        let (from, before) = (waiting.from, waiting.rank(hash));
        if let Reply::SlowDown(longer) = reply {
            waiting.interval = longer;
        }
        waiting.polled = Some(now);
        let after = waiting.rank(hash);
        self.strike(from, &before);
        self.enlist(from, after);
        reply
    }

    fn keep_answer(&mut self, hash: Digest, answered: Answered, now: Millis) {
        self.answered.retain(|_, other| other.request.expires > now);
        let own = self.answered.iter().filter(|(_, other)| other.account == answered.account);
        let mut own: Vec<(Millis, Digest)> = own.map(|(hash, other)| (other.request.expires, *hash)).collect();
        if own.len() >= MAX_ANSWERS {
            own.sort_unstable();
            self.answered.remove(&own[0].1);
        }
        self.answered.insert(hash, answered);
    }

    fn drop_expired(&mut self, now: Millis) {
        while let Some((_, hash)) = self.ends.first().copied().filter(|(expires, _)| *expires <= now) {
            self.remove(&hash);
        }
    }

    /// Pushes out the one of this address that goes first.
    fn evict(&mut self, from: ClientAddress) {
        let first = self.by_address.get(&from).and_then(|share| share.ranks.first().copied());
        if let Some((_, _, hash)) = first {
            self.remove(&hash);
        }
    }

    fn share(&self, from: ClientAddress) -> usize {
        self.by_address.get(&from).map_or(0, |share| share.ranks.len())
    }

    fn enlist(&mut self, from: ClientAddress, rank: Rank) {
        self.change(from, |share| {
            share.unpolled += usize::from(share.ranks.insert(rank) && !rank.0);
        });
    }

    fn strike(&mut self, from: ClientAddress, rank: &Rank) {
        self.change(from, |share| {
            share.unpolled -= usize::from(share.ranks.remove(rank) && !rank.0);
        });
    }

    fn change(&mut self, from: ClientAddress, change: impl FnOnce(&mut Share)) {
        let share = self.by_address.entry(from).or_default();
        self.crowds.remove(&(share.crowd(), from));
        change(share);
        if share.ranks.is_empty() {
            self.by_address.remove(&from);
        } else {
            self.crowds.insert((share.crowd(), from));
        }
    }
}

#[cfg(test)]
mod tests;
