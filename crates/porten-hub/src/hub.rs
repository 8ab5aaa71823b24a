//! What every part of a running Hub shares.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use porten_link::Beat;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::body_budget::BodyBudget;
use crate::capacity::Capacity;
use crate::catalog::Catalog;
use crate::client_address::TrustedProxies;
use crate::clock;
use crate::guesses::Guesses;
use crate::keys_in_use::KeysInUse;
use crate::nodes::Nodes;
use crate::oauth::OAuthError;
use crate::oauth::pending::Pending;
use crate::origin::Origin;
use crate::passphrase::Checker;
use crate::quota::Quotas;
use crate::store::{Store, StoreError};
use crate::strangers::Strangers;
use crate::visits::Visits;

/// How long things take; tests lower them.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The least time between two polls for a sign-in.
    pub device_interval: Duration,
    /// How long the codes of a sign-in are good.
    pub device_lifetime: Duration,
    /// How long an access token is good.
    pub access_lifetime: Duration,
    /// How long a new connection may take to send the whole head of its first request.
    pub first_head: Duration,
    /// How long after the upgrade a node may take to say hello, and then to begin HTTP/2.
    pub hello_patience: Duration,
    /// How long nodes may take to begin a streamed answer. Longer than the agent's own 10 minutes, so that the agent's
    /// better worded error comes first.
    pub stream_patience: Duration,
    /// How long nodes may take to begin an answer that is not streamed: it begins when it is whole.
    pub document_patience: Duration,
    /// How long a client may leave an answer unread.
    pub reader_patience: Duration,
    /// How often it is looked whether there is news about a node's traffic that no message of the node brought.
    pub retell: Duration,
    /// The pings on a tunnel.
    pub beat: Beat,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            device_interval: Duration::from_secs(5),
            device_lifetime: Duration::from_secs(600),
            access_lifetime: Duration::from_secs(3600),
            first_head: Duration::from_secs(10),
            hello_patience: Duration::from_secs(10),
            stream_patience: Duration::from_secs(660),
            document_patience: Duration::from_secs(3600),
            reader_patience: Duration::from_secs(60),
            retell: Duration::from_secs(30),
            beat: Beat::default(),
        }
    }
}

/// A running Hub's shared parts.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) origin: Origin,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) timing: Timing,
    pub(crate) store: Store,
    pub(crate) catalog: watch::Sender<Arc<Catalog>>,
    pub(crate) nodes: Arc<Nodes>,
    /// Sign-ins that wait for a person.
    pub(crate) pending: Pending,
    pub(crate) visits: Visits,
    pub(crate) guesses: Guesses,
    pub(crate) passphrases: Checker,
    /// Room for request bodies that wait for a node.
    pub(crate) bodies: Arc<BodyBudget>,
    /// The keys of running requests.
    pub(crate) keys: Arc<KeysInUse>,
    /// Connections that have not shown a key or token.
    pub(crate) strangers: Arc<Strangers>,
    /// Each account's share.
    pub(crate) quotas: Arc<Quotas>,
    /// One task for each tunnel.
    pub(crate) tunnels: TaskTracker,
}

impl Hub {
    pub(crate) fn new(
        origin: Origin,
        trusted_proxies: TrustedProxies,
        timing: Timing,
        capacity: &Capacity,
        store: Store,
        catalog: Catalog,
    ) -> Self {
        Self {
            origin,
            trusted_proxies,
            timing,
            store,
            catalog: watch::Sender::new(Arc::new(catalog)),
            nodes: Arc::new(Nodes::new(capacity.nodes)),
            pending: Pending::new(clock::millis(timing.device_interval)),
            visits: Visits::new(),
            guesses: Guesses::new(),
            passphrases: Checker::new(),
            bodies: Arc::default(),
            keys: Arc::default(),
            strangers: Arc::new(Strangers::new(capacity)),
            quotas: Arc::new(Quotas::new(capacity.of_account)),
            tunnels: TaskTracker::new(),
        }
    }

    /// Notes that the state file failed, and gives the words for an agent.
    pub(crate) fn broken(&self, error: &StoreError) -> OAuthError {
        tracing::error!(error = error as &dyn std::error::Error, "the state file failed");
        OAuthError::broken()
    }

    /// The approval page's cookie of a request.
    pub(crate) fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.origin.cookie_name()).map(|(_, value)| value)
    }
}
