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
/// The most visits at a time.
const MAX_VISITS: usize = 1000;
/// Wrong passphrases for one account name.
const PASSPHRASES: Rule = Rule { times: 10, window: 10 * 60 * 1000 };
/// Wrong user codes by one account: 10 guesses at 20⁸ codes each ten minutes.
const USER_CODES: Rule = Rule { times: 10, window: 10 * 60 * 1000 };
/// The most account names, or accounts, whose mistakes are counted at a time. Beyond it a name's mistakes are not: then the
/// passphrase's 86 random bits and the few checks at a time are what stands in a guesser's way.
const MAX_COUNTED: usize = 10_000;

/// Who is visiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) account: i64,
    pub(crate) name: String,
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
    visitors: HashMap<Digest, (Visitor, Millis)>,
    passphrases: Tallies<String>,
    user_codes: Tallies<i64>,
}

impl Visits {
    pub(crate) fn new() -> Self {
        let inside = Inside {
            visitors: HashMap::new(),
            passphrases: Tallies::new(PASSPHRASES, MAX_COUNTED),
            user_codes: Tallies::new(USER_CODES, MAX_COUNTED),
        };
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
    pub(crate) fn begin(&self, visitor: Visitor, now: Millis) -> Option<Secret> {
        let cookie = secret::make(Kind::Visit);
        let mut inside = self.lock();
        inside.visitors.retain(|_, (_, until)| *until > now);
        if inside.visitors.len() >= MAX_VISITS {
            return None;
        }
        inside.visitors.insert(secret::digest(cookie.expose()), (visitor, now + VISIT));
        Some(cookie)
    }

    /// Who visits with this cookie.
    pub(crate) fn visitor(&self, cookie: &str, now: Millis) -> Option<Visitor> {
        let inside = self.lock();
        let (visitor, until) = inside.visitors.get(&secret::digest(cookie))?;
        (*until > now).then(|| visitor.clone())
    }

    /// Whether another passphrase may be tried for this account name.
    pub(crate) fn may_try_passphrase(&self, account: &str, now: Millis) -> bool {
        self.lock().passphrases.allows(&account.to_lowercase(), now)
    }

    /// Counts a passphrase that was wrong, or forgets the wrong ones after the right one.
    pub(crate) fn tried_passphrase(&self, account: &str, right: bool, now: Millis) {
        let account = account.to_lowercase();
        let mut inside = self.lock();
        if right {
            inside.passphrases.forget(&account);
        } else {
            inside.passphrases.count(account, now);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_ends_after_a_quarter_of_an_hour() {
        let visits = Visits::new();
        let visitor = Visitor { account: 1, name: "dev".into() };
        let cookie = visits.begin(visitor.clone(), 0).unwrap();
        assert_eq!(visits.visitor(cookie.expose(), VISIT - 1), Some(visitor));
        assert_eq!(visits.visitor(cookie.expose(), VISIT), None);
        assert_eq!(visits.visitor("porten_visit_0", 0), None);
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
    fn guessing_ends_after_ten_mistakes_and_only_for_that_account() {
        let visits = Visits::new();
        for _ in 0..10 {
            assert!(visits.may_try_passphrase("Dev", 0) && visits.may_try_code(1, 0));
            visits.tried_passphrase("dev", false, 0);
            visits.tried_wrong_code(1, 0);
        }
        assert!(!visits.may_try_passphrase("DEV", 1) && !visits.may_try_code(1, 1));
        assert!(visits.may_try_passphrase("other", 1) && visits.may_try_code(2, 1));
        assert!(visits.may_try_passphrase("dev", 600_000));
    }
}
