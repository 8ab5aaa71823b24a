//! What the person who runs a Hub does to its state, also while it runs: accounts, keys and nodes.

use jiff::Timestamp;
use porten_core::secret::Secret;

use crate::clock::{self, Millis};
use crate::passphrase::{self, PassphraseError};
use crate::secret::{self, Kind};
use crate::store::{EndedGrant, RemovedAccount, Store, StoreError, is_lapsed};

/// The longest account name or key label (bytes).
const MAX_NAME: usize = 64;

/// A command that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The name is taken.
    #[error("there is an account {0:?} already")]
    AccountTaken(String),
    /// No such account.
    #[error("there is no account {0:?}: `porten-hub account list` shows which there are")]
    NoAccount(String),
    /// No such key.
    #[error("there is no key number {0}: `porten-hub key list` shows which there are")]
    NoKey(i64),
    /// No such grant.
    #[error("there is no sign-in number {0}: `porten-hub node list` shows which there are")]
    NoGrant(i64),
    /// Not a name.
    #[error("{0:?} is no name: use 1 to {MAX_NAME} of the characters A-Z a-z 0-9 . _ @ -")]
    Name(String),
    /// The state file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// argon2 refused.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
}

impl CommandError {
    /// Whether the one who asked was wrong, and not the machine.
    #[must_use]
    pub const fn is_askers(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::Passphrase(_))
    }
}

/// Adds an account; its passphrase, which is told this once.
///
/// # Errors
/// The name is taken or no name, or the state file cannot be written.
pub async fn add_account(store: &Store, name: &str) -> Result<Secret, CommandError> {
    check_name(name)?;
    let (passphrase, hash) = new_passphrase().await?;
    let added = store.add_account(name, hash, clock::now()).await?;
    if added { Ok(passphrase) } else { Err(CommandError::AccountTaken(name.to_owned())) }
}

/// Gives an account a new passphrase, which is told this once. Who is signed in on the page under the old one is not any
/// more, and what they answered there and no node has collected yet is void.
///
/// # Errors
/// There is no such account, or the state file cannot be written.
pub async fn renew_passphrase(store: &Store, account: &str) -> Result<Secret, CommandError> {
    let (passphrase, hash) = new_passphrase().await?;
    let changed = store.set_passphrase(account, hash).await?;
    if changed { Ok(passphrase) } else { Err(CommandError::NoAccount(account.to_owned())) }
}

/// Removes an account, its keys and its sign-ins; its nodes are disconnected. One sentence that says what ended with it.
///
/// # Errors
/// There is no such account, or the state file cannot be written.
pub async fn remove_account(store: &Store, account: &str) -> Result<String, CommandError> {
    let removed = store.remove_account(account).await?.ok_or_else(|| CommandError::NoAccount(account.to_owned()))?;
    let RemovedAccount { keys, grants } = removed;
    let (keys, grants) = (counted(keys, "API key"), counted(grants, "node sign-in"));
    Ok(format!("Ended with it: {keys}, {grants}, and who is signed in on the page as {account}."))
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// The names of all accounts, one a line.
///
/// # Errors
/// The state file cannot be read.
pub async fn list_accounts(store: &Store) -> Result<Vec<String>, CommandError> {
    Ok(store.account_names().await?)
}

/// Adds a key to an account: its number, and the key itself, which is told this once.
///
/// # Errors
/// There is no such account, the label is no name, or the state file cannot be written.
pub async fn add_key(store: &Store, account: &str, label: &str) -> Result<(i64, Secret), CommandError> {
    check_name(label)?;
    let owner = store.account(account).await?.ok_or_else(|| CommandError::NoAccount(account.to_owned()))?;
    let key = secret::make(Kind::ApiKey);
    let number = store.add_key(owner.id, secret::digest(key.expose()), label, clock::now()).await?;
    Ok((number, key))
}

/// Ends a key: a running Hub that knows it takes it for a second more.
///
/// # Errors
/// There is no key of this number, or the state file cannot be written.
pub async fn revoke_key(store: &Store, number: i64) -> Result<(), CommandError> {
    if store.remove_key(number).await? { Ok(()) } else { Err(CommandError::NoKey(number)) }
}

/// All keys, one a line: number, account, label, since when.
///
/// # Errors
/// The state file cannot be read.
pub async fn list_keys(store: &Store) -> Result<Vec<String>, CommandError> {
    let keys = store.keys().await?;
    Ok(keys.iter().map(|key| format!("{}\t{}\t{}\t{}", key.id, key.account, key.label, day(key.made))).collect())
}

/// Signs a node out; a running Hub disconnects it within two seconds. Who is signed in on the page in its account's name
/// is not any more. One sentence that says so.
///
/// # Errors
/// There is no sign-in of this number, or the state file cannot be written.
pub async fn revoke_node(store: &Store, number: i64) -> Result<String, CommandError> {
    let EndedGrant { account, name } = store.end_grant(number).await?.ok_or(CommandError::NoGrant(number))?;
    Ok(format!(
        "Sign-in number {number} has ended: the tokens of {name} are refused, and it is disconnected. Who was signed in on \
         the page as {account} is not any more."
    ))
}

/// Places nothing more on a node, or places on it again; a running Hub does so within a second. What runs is finished,
/// and the node stays connected.
///
/// # Errors
/// There is no sign-in of this number, or the state file cannot be written.
pub async fn drain_node(store: &Store, number: i64, drained: bool) -> Result<(), CommandError> {
    if store.set_drained(number, drained).await? { Ok(()) } else { Err(CommandError::NoGrant(number)) }
}

/// All sign-ins of nodes, one a line: number, account, node id, name, since when, last connected, and whether it is
/// drained, or has lapsed.
///
/// # Errors
/// The state file cannot be read.
pub async fn list_nodes(store: &Store) -> Result<Vec<String>, CommandError> {
    let nodes = store.nodes().await?;
    let now = clock::now();
    let line = |node: &crate::store::NodeLine| {
        let connected = node.connected.map_or_else(|| "never".to_owned(), day);
        let drained = if node.drained { "\tdrained" } else { "" };
        let (name, made) = (&node.name, day(node.made));
        let lapsed = if is_lapsed(node.seen, now) { "\tlapsed" } else { "" };
        format!("{}\t{}\t{}\t{name}\t{made}\t{connected}{drained}{lapsed}", node.id, node.account, node.node)
    };
    Ok(nodes.iter().map(line).collect())
}

async fn new_passphrase() -> Result<(Secret, String), PassphraseError> {
    let passphrase = secret::passphrase();
    let hashed = passphrase.clone();
    let hash = tokio::task::spawn_blocking(move || passphrase::hash(&hashed)).await;
    Ok((passphrase, hash.map_err(|_| PassphraseError::Interrupted)??))
}

fn check_name(name: &str) -> Result<(), CommandError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain);
    if fits { Ok(()) } else { Err(CommandError::Name(name.to_owned())) }
}

fn day(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewGrant, Pair};

    #[tokio::test]
    async fn a_list_of_nodes_names_those_that_lapsed_and_an_end_says_what_ended() {
        let store = Store::in_memory().unwrap();
        add_account(&store, "anna").await.unwrap();
        let account = store.account("anna").await.unwrap().unwrap();
        let last_year = clock::now() - 365 * 24 * 60 * 60 * 1000;
        for (n, made) in [(1, last_year), (2, clock::now())] {
            let (node, name) = (format!("n{n}"), format!("studio-{n}"));
            let new = NewGrant { account: account.id, epoch: account.epoch, node, name };
            let pair = Pair { access: [n; 32], refresh: [n + 10; 32], expires: made };
            store.issue_grant(new, pair, made).await.unwrap();
        }
        let listed = list_nodes(&store).await.unwrap();
        assert!(listed[0].ends_with("\tnever\tlapsed") && listed[1].ends_with("\tnever"), "{listed:?}");
        let told = revoke_node(&store, 2).await.unwrap();
        assert!(told.contains("studio-2") && told.contains("the page as anna"), "{told}");
        assert!(matches!(revoke_node(&store, 2).await, Err(CommandError::NoGrant(2))));
        let told = remove_account(&store, "anna").await.unwrap();
        assert!(told.contains("no API key, 1 node sign-in,"), "{told}");
    }

    #[tokio::test]
    async fn an_account_a_key_and_their_end() {
        let store = Store::in_memory().unwrap();
        let first = add_account(&store, "anna").await.unwrap();
        assert!(matches!(add_account(&store, "ANNA").await, Err(CommandError::AccountTaken(_))));
        assert_ne!(renew_passphrase(&store, "anna").await.unwrap(), first);
        let (number, key) = add_key(&store, "anna", "laptop").await.unwrap();
        let listed = list_keys(&store).await.unwrap().join("\n");
        assert!(listed.contains("anna\tlaptop") && !listed.contains(key.expose()), "{listed}");
        assert!(store.key_account(secret::digest(key.expose())).await.unwrap().is_some());
        revoke_key(&store, number).await.unwrap();
        assert!(store.key_account(secret::digest(key.expose())).await.unwrap().is_none());
        assert!(matches!(revoke_key(&store, number).await, Err(CommandError::NoKey(_))));
        remove_account(&store, "anna").await.unwrap();
        assert!(matches!(add_key(&store, "anna", "x").await, Err(CommandError::NoAccount(_))));
        assert!(matches!(add_account(&store, "a b").await, Err(CommandError::Name(_))));
    }
}
