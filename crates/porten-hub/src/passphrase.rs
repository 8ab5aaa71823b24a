//! Hashes and checks passphrases with argon2id, a few at a time, off the async threads.
//!
//! Before a check there is a queue of a bounded length, of which an address and a browser have a share each: a flood
//! waits for itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use porten_core::secret::Secret;
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::client_address::ClientAddress;
use crate::limit::Shares;
use crate::secret::Digest;

/// Checks that run at a time: each takes 19 MiB and some 20 ms of a core, so a flood of guesses must queue.
const AT_A_TIME: usize = 2;
/// How long a check waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Checks that wait or run at a time.
const MAX_GENERAL: usize = 64;
/// So many more for those whose account signed in from their address before: a flood of others does not keep them out.
const MAX_RESERVED: usize = 16;
/// Of one address.
const MAX_FROM_ONE: usize = 16;
/// Of one browser: a second press of the button while the first is looked at.
const MAX_OF_BROWSER: usize = 2;
/// The hash that is checked when there is no such account, so that the time taken tells nothing. It was made of random
/// letters that nobody kept.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$vkO3V15DAShLJhFGCBOq4A$+ZodTY1EqRFt060GD2MHnARFdTDVmO6NxqQZjD9eRR4";
/// The longest passphrase that is looked at (bytes).
pub(crate) const MAX_PASSPHRASE: usize = 200;

/// A passphrase could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Too many people sign in at this moment.
    #[error("too many sign-ins at a time")]
    Busy,
    /// argon2 refused, or the stored hash is none.
    #[error("the passphrase could not be processed")]
    Argon2(#[from] argon2::password_hash::Error),
    /// The stored hash is none.
    #[error("the stored passphrase hash does not read")]
    Stored(#[from] argon2::password_hash::phc::Error),
    /// The thread that did it ended.
    #[error("the passphrase check was interrupted")]
    Interrupted,
}

/// The hash to store for a passphrase (PHC string). Takes a while: not for an async thread.
///
/// # Errors
/// argon2 refused.
pub(crate) fn hash(passphrase: &Secret) -> Result<String, PassphraseError> {
    Ok(Argon2::default().hash_password(passphrase.expose().as_bytes())?.to_string())
}

/// A check, for one of the threads, in the thread's memory.
type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The one place where passphrases are checked.
#[derive(Debug)]
pub(crate) struct Checker {
    threads: mpsc::Sender<Job>,
    turns: Arc<Semaphore>,
    places: Arc<Mutex<Places>>,
}

/// Who waits or is checked.
#[derive(Debug)]
struct Places {
    general: usize,
    reserved: usize,
    by_address: Shares<ClientAddress>,
    by_browser: Shares<Digest>,
}

/// Who wants a passphrase checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) from: ClientAddress,
    /// The digest of the cookie that guards the form.
    pub(crate) browser: Digest,
    /// The account signed in from there before.
    pub(crate) is_known: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    General,
    /// For those who are known there.
    Reserved,
}

/// A place in the queue; it is free again when this is dropped.
#[derive(Debug)]
struct Place {
    kind: Kind,
    asker: Asker,
    places: Arc<Mutex<Places>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.places).give_back(self.kind, &self.asker);
    }
}

/// The turn to have one passphrase checked.
#[derive(Debug)]
pub(crate) struct Turn {
    threads: mpsc::Sender<Job>,
    // In this order: who waits for a turn finds the place free as well.
    _place: Place,
    _permit: OwnedSemaphorePermit,
}

impl Checker {
    pub(crate) fn new() -> Self {
        let places = Places {
            general: 0,
            reserved: 0,
            by_address: Shares::new(MAX_FROM_ONE),
            by_browser: Shares::new(MAX_OF_BROWSER),
        };
        Self {
            threads: start_threads(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Arc::new(Mutex::new(places)),
        }
    }

    /// Waits for a turn; refused at once where too many wait.
    pub(crate) async fn turn(&self, asker: Asker) -> Result<Turn, PassphraseError> {
        let Some(kind) = lock(&self.places).take(asker) else { return Err(PassphraseError::Busy) };
        let place = Place { kind, asker, places: Arc::clone(&self.places) };
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let permit = turn.map_err(|_| PassphraseError::Busy)?.map_err(|_| PassphraseError::Interrupted)?;
        Ok(Turn { threads: self.threads.clone(), _place: place, _permit: permit })
    }
}

impl Turn {
    /// Whether `tried` is the passphrase behind `stored`; never for an account that is not there. The turn ends with the
    /// check, also if nobody waits for that any more: the memory is in use until then.
    pub(crate) async fn check(self, stored: Option<String>, tried: String) -> Result<bool, PassphraseError> {
        if tried.len() > MAX_PASSPHRASE {
            return Ok(false);
        }
        let is_somebody = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let (answer, answered) = oneshot::channel();
        let threads = self.threads.clone();
        let check = move |memory: &mut Vec<Block>| {
            let fits = fits(&stored, tried.as_bytes(), memory);
            drop(self);
            // Nobody may wait for it any more.
            let _ = answer.send(fits);
        };
        threads.send(Box::new(check)).map_err(|_| PassphraseError::Interrupted)?;
        let fits = answered.await.map_err(|_| PassphraseError::Interrupted)??;
        Ok(fits && is_somebody)
    }
}

/// Whether `tried` is the passphrase behind `stored` (PHC string). `memory` is used again by the next: what is given back to
/// the allocator each time it keeps by thread and in pieces, ten times what a hash takes.
fn fits(stored: &str, tried: &[u8], memory: &mut Vec<Block>) -> Result<bool, PassphraseError> {
    let stored = PasswordHash::new(stored)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else { return Ok(false) };
    let version = stored.version.map(Version::try_from).transpose().map_err(argon2::password_hash::Error::from)?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let params = Params::try_from(&stored)?;
    memory.resize(params.block_count(), Block::new());
    let mut output = vec![0; expected.len()];
    Argon2::new(algorithm, version.unwrap_or_default(), params)
        .hash_password_into_with_memory(tried, salt.as_ref(), &mut output, memory)
        .map_err(argon2::password_hash::Error::from)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

/// The threads that hash, each in memory of its own, which it keeps from its first check on. They end with the last sender.
fn start_threads() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..AT_A_TIME {
        let jobs = Arc::clone(&jobs);
        let work = move || {
            let mut memory = Vec::new();
            loop {
                // The lock goes before the job is done.
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                job(&mut memory);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("passphrase".to_owned()).spawn(work) {
            // With none at all each check says that it was interrupted.
            tracing::error!(%error, "no thread for passphrases");
        }
    }
    sender
}

impl Places {
    fn take(&mut self, asker: Asker) -> Option<Kind> {
        if !self.by_browser.has_room(&asker.browser) {
            return None;
        }
        let kind = if self.general < MAX_GENERAL && self.by_address.has_room(&asker.from) {
            self.general += 1;
            self.by_address.take(asker.from);
            Kind::General
        } else if asker.is_known && self.reserved < MAX_RESERVED {
            self.reserved += 1;
            Kind::Reserved
        } else {
            return None;
        };
        self.by_browser.take(asker.browser);
        Some(kind)
    }

    fn give_back(&mut self, kind: Kind, asker: &Asker) {
        match kind {
            Kind::General => {
                self.general = self.general.saturating_sub(1);
                self.by_address.give_back(&asker.from);
            }
            Kind::Reserved => self.reserved = self.reserved.saturating_sub(1),
        }
        self.by_browser.give_back(&asker.browser);
    }
}

fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    // Counters: a panic elsewhere leaves them right.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(from: u32, browser: u8) -> Asker {
        let from = ClientAddress::new(std::net::Ipv4Addr::from_bits(from).into());
        Asker { from, browser: [browser; 32], is_known: false }
    }

    #[tokio::test]
    async fn only_the_right_passphrase_of_an_account_that_is_there_is_right() {
        let checker = Checker::new();
        let passphrase = crate::secret::passphrase();
        let stored = hash(&passphrase).unwrap();
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&stored), cost(NOBODY), "nobody takes as long as somebody");
        let right = passphrase.expose().to_owned();
        let check = async |stored, tried| checker.turn(asker(1, 1)).await.unwrap().check(stored, tried).await.unwrap();
        assert!(check(Some(stored.clone()), right.clone()).await);
        assert!(!check(Some(stored.clone()), format!("{right}x")).await);
        assert!(!check(None, right.clone()).await);
        assert!(!check(Some(stored), right.repeat(100)).await);
        assert_eq!(lock(&checker.places).general, 0);
    }

    #[tokio::test]
    async fn a_check_whose_client_left_holds_its_turn_to_its_end() {
        let checker = Checker::new();
        for browser in 0..u8::try_from(AT_A_TIME).unwrap() {
            let turn = checker.turn(asker(1, browser)).await.unwrap();
            let mut check = std::pin::pin!(turn.check(None, "x".into()));
            // It begins, and then nobody waits for it any more.
            assert!(futures_util::poll!(check.as_mut()).is_pending());
        }
        assert_eq!(checker.turns.available_permits(), 0);
        let next = checker.turn(asker(2, 9)).await.unwrap();
        assert!(checker.turns.available_permits() < AT_A_TIME);
        drop(next);
        tokio::time::timeout(Duration::from_secs(60), async {
            while lock(&checker.places).general > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(checker.turns.available_permits(), AT_A_TIME);
    }

    #[test]
    fn the_queue_is_bounded_and_shared_by_address_and_browser() {
        let checker = Checker::new();
        let take = |asker| lock(&checker.places).take(asker);
        assert!(take(asker(1, 0)).is_some() && take(asker(1, 0)).is_some());
        assert_eq!((take(asker(1, 0)), take(asker(2, 0))), (None, None), "of one browser");
        let more = (1..100).filter(|browser| take(asker(1, *browser)).is_some()).count();
        assert_eq!(more, MAX_FROM_ONE - MAX_OF_BROWSER, "of one address");
        let known = |from, browser| Asker { is_known: true, ..asker(from, browser) };
        assert_eq!(take(known(1, 200)), Some(Kind::Reserved), "known there, beside a flood from there");
        let more = (2..100).filter(|n| take(asker(*n, u8::try_from(*n).unwrap() + 100)).is_some()).count();
        assert_eq!(more, MAX_GENERAL - MAX_FROM_ONE, "of all");
        let more = (2..100).filter(|n| take(known(*n, u8::try_from(*n).unwrap())).is_some()).count();
        assert_eq!(more, MAX_RESERVED - 1, "of all that are known");
    }
}
