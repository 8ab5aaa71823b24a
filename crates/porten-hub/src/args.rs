//! The words that `porten-hub` understands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// A small Hub: nodes connect to it, clients ask it.
#[derive(Debug, Parser)]
#[command(name = "porten-hub", version)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Run the Hub
    Serve(Serve),
    /// People
    #[command(subcommand)]
    Account(Account),
    /// API keys of clients
    #[command(subcommand)]
    Key(Key),
    /// Nodes that signed in
    #[command(subcommand)]
    Node(Node),
}

/// The file that holds the Hub's state.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// The file that holds accounts, keys and sign-ins [default: porten-hub.sqlite; with --dev none]
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

impl State {
    /// The file, or the one that is taken if none was named.
    pub(crate) fn file(self) -> PathBuf {
        self.state.unwrap_or_else(|| "porten-hub.sqlite".into())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// The address that people and agents use, if a proxy stands in front, like https://hub.example.net
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// A proxy in front whose X-Forwarded-For is believed: an address, or a network like 10.0.0.0/8; may be repeated
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    pub(crate) trusted_proxies: Vec<porten_hub::TrustedProxy>,
    #[command(flatten)]
    pub(crate) state: State,
    /// The models to offer (TOML) [default: a built-in list]; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Seed an account, a key and the model `tiny`, and print them; without --state nothing is kept
    #[arg(long)]
    pub(crate) dev: bool,
    /// How long running requests may take once the Hub is told to stop, like 90s or 10m [default: 60s; with --dev 2s]
    #[arg(long, value_name = "TIME", value_parser = porten_core::lasting::read)]
    pub(crate) drain_within: Option<Duration>,
    /// Print what was started as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Add an account; prints its passphrase once
    Add {
        name: String,
        #[command(flatten)]
        state: State,
    },
    /// Give an account a new passphrase; prints it once
    Passphrase {
        name: String,
        #[command(flatten)]
        state: State,
    },
    /// Remove an account with its keys and nodes
    Remove {
        name: String,
        #[command(flatten)]
        state: State,
    },
    /// Show all accounts
    List {
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Add a key to an account; prints it once
    Add {
        account: String,
        /// What the key is for
        #[arg(long, default_value = "key")]
        label: String,
        #[command(flatten)]
        state: State,
    },
    /// End a key; a Hub that runs hears of it within a second
    Revoke {
        number: i64,
        #[command(flatten)]
        state: State,
    },
    /// Show all keys (not the keys themselves: they are not kept)
    List {
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// Show all sign-ins of nodes
    List {
        #[command(flatten)]
        state: State,
    },
    /// Sign a node out
    #[command(visible_alias = "remove")]
    Revoke {
        number: i64,
        #[command(flatten)]
        state: State,
    },
    /// Place no more requests on a node; what runs there is finished, and it stays connected
    Drain {
        number: i64,
        #[command(flatten)]
        state: State,
    },
    /// Place requests on a drained node again
    Resume {
        number: i64,
        #[command(flatten)]
        state: State,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_consistent() {
        <Command as clap::CommandFactory>::command().debug_assert();
    }
}
