//! Fills a Hub for development: one account, its passphrase and one API key, new at each start.

use std::time::Duration;

use porten_core::secret::Secret;

use crate::commands::{self, CommandError};
use crate::hub::Timing;
use crate::store::Store;

/// The account of `--dev`.
const ACCOUNT: &str = "dev";
/// How often an agent may poll while somebody develops.
const POLL: Duration = Duration::from_secs(1);
/// Whoever develops wants to see what a request changes.
const RETELL: Duration = Duration::from_secs(5);

/// What a person, or a test, needs to use a Hub of `--dev`.
#[derive(Debug)]
pub struct Seeded {
    /// The account's name.
    pub account: &'static str,
    /// Its passphrase for the approval page.
    pub passphrase: Secret,
    /// An API key of it.
    pub api_key: Secret,
}

/// Adds the account, or gives it a new passphrase if it is there, and adds a key. Keys of earlier starts stay good.
///
/// # Errors
/// The state file cannot be written.
pub async fn seed(store: &Store) -> Result<Seeded, CommandError> {
    let passphrase = match commands::add_account(store, ACCOUNT).await {
        Err(CommandError::AccountTaken(_)) => commands::renew_passphrase(store, ACCOUNT).await?,
        added => added?,
    };
    let (_, api_key) = commands::add_key(store, ACCOUNT, "development").await?;
    Ok(Seeded { account: ACCOUNT, passphrase, api_key })
}

impl Timing {
    /// The timing of `--dev`.
    #[must_use]
    pub fn dev() -> Self {
        Self { device_interval: POLL, retell: RETELL, ..Self::default() }
    }
}
