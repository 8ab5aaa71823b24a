//! Remembers who signed in on the approval page, for a quarter of an hour and in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use porten_core::secret::Secret;
use subtle::ConstantTimeEq as _;

use crate::clock::Millis;
use crate::limit::{Rule, Tallies};
use crate::secret::{self, Digest, Kind};

/// How long a person stays signed in on the page (milliseconds).
const VISIT: Millis = 15 * 60 * 1000;
/// The most visits at a time; beyond it the oldest goes.
const MAX_VISITS: usize = 1000;
/// The most visits of one account; beyond it its oldest goes.
const MAX_VISITS_OF_ONE: usize = 16;
/// Wrong user codes by one account: 10 guesses at 20⁸ codes each ten minutes.
const USER_CODES: Rule = Rule { times: 10, window: 10 * 60 * 1000 };
/// The most accounts whose mistakes are counted at a time.
const MAX_COUNTED: usize = 10_000;

/// A visit of the page: in whose name, as long as the account's epoch stays what it was. Whether it did, the state file
/// says at every use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) account: i64,
    /// The account's epoch when the passphrase was found right.
    pub(crate) epoch: i64,
    /// When the person signed in.
    pub(crate) begun: Millis,
}

/// All visits of the approval page.
#[derive(Debug)]
pub(crate) struct Visits {
    /// Makes form tokens that no other process can; a restart ends all visits.
    key: [u8; 32],
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    visits: HashMap<Digest, Visit>,
    user_codes: Tallies<i64>,
}

impl Visits {
    pub(crate) fn new() -> Self {
        let inside = Inside { visits: HashMap::new(), user_codes: Tallies::new(USER_CODES, MAX_COUNTED) };
        Self { key: rand::random(), inside: Mutex::new(inside) }
    }

    /// The token that a form shown under this cookie carries.
    pub(crate) fn csrf(&self, cookie: &str) -> String {
        secret::hex(&secret::digest_of(&[b"form", &self.key, cookie.as_bytes()]))
    }

    /// Whether a form came from a page that was shown under this cookie.
    pub(crate) fn is_own_form(&self, cookie: &str, token: &str) -> bool {
        self.csrf(cookie).as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// Begins a visit; the cookie is new, so that one planted before the sign-in is worth nothing.
    pub(crate) fn begin(&self, visit: Visit) -> Secret {
        let cookie = secret::make(Kind::Visit);
        let mut inside = self.lock();
        inside.visits.retain(|_, old| old.lasts(visit.begun));
        inside.make_room(MAX_VISITS_OF_ONE, |old| old.account == visit.account);
        inside.make_room(MAX_VISITS, |_| true);
        inside.visits.insert(secret::digest(cookie.expose()), visit);
        cookie
    }

    /// The visit of this cookie, if its time is not over.
    pub(crate) fn find(&self, cookie: &str, now: Millis) -> Option<Visit> {
        self.lock().visits.get(&secret::digest(cookie)).copied().filter(|visit| visit.lasts(now))
    }

    /// Whether this account may try another user code.
    pub(crate) fn may_try_code(&self, account: i64, now: Millis) -> bool {
        self.lock().user_codes.allows(&account, now)
    }

    /// Counts a user code that was wrong.
    pub(crate) fn tried_wrong_code(&self, account: i64, now: Millis) {
        self.lock().user_codes.count(account, now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        // Nothing in here leaves the tables half changed when it panics.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    /// A clock that was set back before its begin ends it too.
    const fn lasts(self, now: Millis) -> bool {
        self.begun <= now && now - self.begun < VISIT
    }
}

impl Inside {
    /// Lets the oldest of those that match go, so that there are fewer than `most` of them.
    fn make_room(&mut self, most: usize, matches: impl Fn(&Visit) -> bool) {
        let mut matching: Vec<(Millis, Digest)> =
            self.visits.iter().filter(|(_, old)| matches(old)).map(|(cookie, old)| (old.begun, *cookie)).collect();
        matching.sort_unstable();
        let over = (matching.len() + 1).saturating_sub(most);
        for (_, cookie) in matching.into_iter().take(over) {
            self.visits.remove(&cookie);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(account: i64, begun: Millis) -> Visit {
        Visit { account, epoch: 0, begun }
    }

    #[test]
    fn a_visit_ends_after_a_quarter_of_an_hour() {
        let visits = Visits::new();
        let cookie = visits.begin(visit(1, 0));
        assert_eq!(visits.find(cookie.expose(), VISIT - 1), Some(visit(1, 0)));
        assert_eq!(visits.find(cookie.expose(), VISIT), None);
        assert_eq!(visits.find("porten_visit_0", 0), None);
    }

    #[test]
    fn an_account_has_16_visits_and_the_oldest_goes() {
        let visits = Visits::new();
        let other = visits.begin(visit(2, 0));
        let cookies: Vec<Secret> = (0..20).map(|begun| visits.begin(visit(1, begun))).collect();
        let lasting = cookies.iter().map(|cookie| visits.find(cookie.expose(), 20).is_some());
        assert_eq!(lasting.collect::<Vec<_>>(), (0..20).map(|n| n >= 4).collect::<Vec<_>>());
        assert!(visits.find(other.expose(), 20).is_some(), "another account's stay");
    }

    #[test]
    fn with_a_thousand_visits_the_next_is_begun_all_the_same() {
        let visits = Visits::new();
        for account in 0..2000 {
            let cookie = visits.begin(visit(account, account));
            assert!(visits.find(cookie.expose(), account).is_some());
        }
        assert_eq!(visits.lock().visits.len(), MAX_VISITS);
    }

    #[test]
    fn a_form_token_is_good_for_its_cookie_and_its_hub_only() {
        let (visits, other) = (Visits::new(), Visits::new());
        let token = visits.csrf("cookie");
        assert!(visits.is_own_form("cookie", &token));
        assert!(!visits.is_own_form("another", &token));
        assert!(!other.is_own_form("cookie", &token));
        assert!(!visits.is_own_form("cookie", ""));
    }

    #[test]
    fn guessing_codes_ends_after_ten_mistakes_and_only_for_that_account() {
        let visits = Visits::new();
        for _ in 0..10 {
            assert!(visits.may_try_code(1, 0));
            visits.tried_wrong_code(1, 0);
        }
        assert!(!visits.may_try_code(1, 1) && visits.may_try_code(2, 1));
        assert!(visits.may_try_code(1, 600_000));
    }
}
