//! The credential's owner: renewed once, kept before it is used, never lost to a store that fails or a person in haste.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use porten_agent::clock::Clock;
use porten_agent::credentials::{self, Credentials};
use porten_agent::hub_http::HubHttp;
use porten_agent::vault::{Store, Vault, VaultError, VaultTrouble};
use porten_core::command::Revocation;
use porten_core::config::HubUrl;
use porten_core::secret::Secret;
use porten_core::signin::Credential;
use porten_core::tunnel::{Failure, Lost, Refused};

use crate::support::hub::{Hub, pair};
use crate::support::soon;

const TOKEN: &str = "POST /oauth/token";

/// A store in memory that can fail and hang, and remembers what was kept.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    secret: Option<String>,
    kept: Vec<String>,
    refuses_to_keep: bool,
    hangs: bool,
    calls: usize,
}

impl Memory {
    fn with(credential: &Credential) -> Self {
        let memory = Self::default();
        memory.set(|state| state.secret = Some(serde_json::to_string(credential).unwrap()));
        memory
    }

    fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let told = change(&mut self.0.state.lock().unwrap());
        self.0.changed.notify_all();
        told
    }

    /// The refresh token that is stored.
    fn refresh(&self) -> Option<String> {
        let secret = self.set(|state| state.secret.clone())?;
        Some(serde_json::from_str::<Credential>(&secret).unwrap().refresh.expose().to_owned())
    }

    fn call<T>(&self, call: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock().unwrap();
        state.calls += 1;
        let mut state = self.0.changed.wait_while(state, |state| state.hangs).unwrap();
        call(&mut state)
    }
}

impl Store for Memory {
    fn words(&self) -> String {
        "this test".into()
    }

    fn store(&self, secret: &str) -> Result<(), VaultError> {
        self.call(|state| {
            if state.refuses_to_keep {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(VaultError::File { path: "/disk".into(), source });
            }
            state.secret = Some(secret.to_owned());
            state.kept.push(secret.to_owned());
            Ok(())
        })
    }

    fn fetch(&self) -> Result<Option<String>, VaultError> {
        self.call(|state| Ok(state.secret.clone()))
    }

    fn forget(&self) -> Result<(), VaultError> {
        self.call(|state| state.secret = None);
        Ok(())
    }
}

/// A sign-in at this Hub whose access token lasts so long (seconds).
fn credential(hub: &Hub, n: u32, lasts: i64) -> Credential {
    let issued_at = jiff::Timestamp::now();
    Credential {
        hub: hub.url.replace("ws:", "http:"),
        access: Secret::new(format!("access-{n}")),
        refresh: Secret::new(format!("refresh-{n}")),
        issued_at,
        expires_at: issued_at + jiff::SignedDuration::from_secs(lasts),
        account: Some("jane".into()),
        signed_in_at: Some(issued_at),
    }
}

fn owner(hub: &Hub, memory: &Memory) -> Credentials {
    porten_agent::install_crypto();
    let http = HubHttp::new(porten_agent::tls().unwrap(), porten_agent::tcp());
    let url = HubUrl::read(&hub.url).unwrap();
    Credentials::spawn_patient(Vault::of(memory.clone()), http, url, Clock::start(), Duration::from_millis(200))
}

async fn access(owner: &Credentials, stale: Option<&str>) -> Result<String, Failure> {
    let stale = stale.map(|stale| Secret::new(stale.into()));
    soon("a token", owner.access(stale)).await.map(|token| token.expose().to_owned())
}

fn is_keychain(failure: &Failure) -> bool {
    matches!(failure, Failure::Lost(Lost::Keychain(_)))
}

#[tokio::test]
async fn a_good_token_is_handed_out_without_asking_the_hub() {
    let hub = Hub::start().await;
    let owner = owner(&hub, &Memory::with(&credential(&hub, 1, 900)));
    assert_eq!(access(&owner, None).await.unwrap(), "access-1");
    assert_eq!(owner.reload().await.unwrap().unwrap().account.as_deref(), Some("jane"));
    assert_eq!(access(&owner, Some("another")).await.unwrap(), "access-1", "this one was not refused");
    assert!(hub.seen(TOKEN).is_empty());
}

#[tokio::test]
async fn many_callers_at_once_renew_once_and_the_fresh_pair_is_stored_before_it_is_used() {
    let hub = Hub::start().await;
    hub.manner(|manner| manner.tokens.push_back(pair("access-2", "refresh-2")));
    let memory = Memory::with(&credential(&hub, 1, 0));
    let owner = owner(&hub, &memory);
    let (a, b, c) = tokio::join!(access(&owner, None), access(&owner, None), access(&owner, Some("access-1")));
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["access-2"; 3]);
    let asked = hub.seen(TOKEN);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].body.contains("refresh_token=refresh-1"), "{}", asked[0].body);
    assert_eq!(memory.set(|state| state.kept.len()), 1);
    assert_eq!(memory.refresh().as_deref(), Some("refresh-2"));
}

#[tokio::test]
async fn each_renewal_uses_the_pair_that_was_stored_last() {
    let hub = Hub::start().await;
    hub.manner(|manner| manner.tokens.extend([pair("access-2", "refresh-2"), pair("access-3", "refresh-3")]));
    let owner = owner(&hub, &Memory::with(&credential(&hub, 1, 900)));
    assert_eq!(access(&owner, Some("access-1")).await.unwrap(), "access-2");
    assert_eq!(access(&owner, Some("access-2")).await.unwrap(), "access-3");
    assert!(hub.seen(TOKEN)[1].body.contains("refresh_token=refresh-2"));
}

#[tokio::test]
async fn a_fresh_pair_that_cannot_be_kept_is_held_and_the_used_up_one_never_shown_again() {
    let hub = Hub::start().await;
    hub.manner(|manner| manner.tokens.push_back(pair("access-2", "refresh-2")));
    let memory = Memory::with(&credential(&hub, 1, 0));
    memory.set(|state| state.refuses_to_keep = true);
    let owner = owner(&hub, &memory);
    for _ in 0..3 {
        assert!(is_keychain(&access(&owner, None).await.unwrap_err()), "not used while it is not stored");
    }
    memory.set(|state| state.refuses_to_keep = false);
    assert_eq!(access(&owner, None).await.unwrap(), "access-2");
    assert_eq!(hub.seen(TOKEN).len(), 1, "a refresh token is good once: a second use would end the sign-in");
}

#[tokio::test]
async fn a_vault_that_hangs_is_late_and_costs_no_refresh_and_no_second_question() {
    let hub = Hub::start().await;
    hub.manner(|manner| manner.tokens.push_back(pair("access-2", "refresh-2")));
    let memory = Memory::with(&credential(&hub, 1, 0));
    let owner = owner(&hub, &memory);
    owner.reload().await.unwrap();
    memory.set(|state| (state.hangs, state.calls) = (true, 0));
    assert!(matches!(owner.reload().await, Err(VaultTrouble::Late(_))));
    assert!(is_keychain(&access(&owner, None).await.unwrap_err()));
    assert_eq!((memory.set(|state| state.calls), hub.seen(TOKEN).len()), (1, 0));
    memory.set(|state| state.hangs = false);
    assert_eq!(access(&owner, None).await.unwrap(), "access-2");
}

/// Fault E6: a grant that the Hub ended signs this machine out; a Hub in trouble does not.
#[tokio::test]
async fn only_invalid_grant_signs_out_and_a_hub_in_trouble_is_tried_again() {
    let hub = Hub::start().await;
    let owner = owner(&hub, &Memory::with(&credential(&hub, 1, 0)));
    assert!(matches!(access(&owner, None).await, Err(Failure::Lost(Lost::SignInUnreachable(_)))));
    hub.manner(|manner| manner.tokens.push_back((200, "<html>login to this Wi-Fi</html>".into())));
    assert!(matches!(access(&owner, None).await, Err(Failure::Lost(Lost::SignInUnreachable(_)))));
    hub.manner(|manner| manner.tokens.push_back((400, r#"{"error":"invalid_grant"}"#.into())));
    assert_eq!(access(&owner, None).await, Err(Failure::Refused(Refused::SignIn)));
    drop(hub);
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_lost() {
    let hub = Hub::start().await;
    let owner = owner(&hub, &Memory::with(&credential(&hub, 1, 0)));
    drop(hub);
    assert!(matches!(access(&owner, None).await, Err(Failure::Lost(Lost::SignInUnreachable(_)))));
}

#[tokio::test]
async fn another_hubs_credential_is_never_shown_to_this_one() {
    let hub = Hub::start().await;
    let other = Credential { hub: "https://porten.ai".into(), ..credential(&hub, 1, 0) };
    let memory = Memory::with(&other);
    let owner = owner(&hub, &memory);
    assert_eq!(owner.reload().await.unwrap(), None);
    assert_eq!(access(&owner, None).await, Err(Failure::Refused(Refused::SignIn)));
    assert_eq!(owner.drop_refused().await.unwrap(), None);
    assert_eq!(memory.refresh().as_deref(), Some("refresh-1"), "nor deleted");
    owner.forget().await.unwrap();
    assert!(hub.seen(TOKEN).is_empty() && hub.seen("POST /oauth/revoke").is_empty());
}

#[tokio::test]
async fn a_refused_sign_in_is_dropped_but_not_one_that_a_person_just_made() {
    let hub = Hub::start().await;
    let memory = Memory::with(&credential(&hub, 1, 900));
    let owner = owner(&hub, &memory);
    assert_eq!(access(&owner, None).await.unwrap(), "access-1");
    credentials::store(&Vault::of(memory.clone()), &credential(&hub, 7, 900)).await.unwrap();
    assert!(owner.drop_refused().await.unwrap().is_some(), "the new sign-in holds");
    assert_eq!(access(&owner, None).await.unwrap(), "access-7");
    assert_eq!(owner.drop_refused().await.unwrap(), None);
    assert_eq!(memory.refresh(), None);
}

#[tokio::test]
async fn a_sign_in_that_a_person_just_made_is_used_instead_of_a_renewal() {
    let hub = Hub::start().await;
    let memory = Memory::with(&credential(&hub, 1, 900));
    let owner = owner(&hub, &memory);
    assert_eq!(access(&owner, None).await.unwrap(), "access-1");
    credentials::store(&Vault::of(memory.clone()), &credential(&hub, 7, 900)).await.unwrap();
    assert_eq!(access(&owner, Some("access-1")).await.unwrap(), "access-7");
    assert!(hub.seen(TOKEN).is_empty());
}

#[tokio::test]
async fn signing_out_tells_the_hub_and_forgets_here_also_when_the_hub_is_away() {
    let hub = Hub::start().await;
    let memory = Memory::with(&credential(&hub, 1, 900));
    assert_eq!(owner(&hub, &memory).forget().await.unwrap(), Revocation::Revoked);
    let revoked = hub.seen("POST /oauth/revoke");
    assert_eq!(revoked.len(), 1);
    assert!(revoked[0].body.contains("token=refresh-1"), "{}", revoked[0].body);
    assert_eq!(memory.refresh(), None);
    let memory = Memory::with(&credential(&hub, 2, 900));
    let owner = owner(&hub, &memory);
    drop(hub);
    assert_eq!(owner.forget().await.unwrap(), Revocation::Unreachable);
    assert_eq!(memory.refresh(), None);
    assert_eq!(owner.forget().await.unwrap(), Revocation::NobodySignedIn);
}

/// Fault F3: a credential that does not read is told and not thrown away.
#[tokio::test]
async fn what_does_not_read_is_told_and_not_thrown_away() {
    let hub = Hub::start().await;
    let memory = Memory::default();
    memory.set(|state| state.secret = Some("{\"hub\":".into()));
    let owner = owner(&hub, &memory);
    let told = owner.reload().await.unwrap_err();
    assert_eq!(told.to_string(), "what is stored for this Hub does not read; sign in again: porten login");
    assert!(memory.set(|state| state.secret.is_some()));
}
