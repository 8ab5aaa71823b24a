//! What can be typed after `porten`.

mod service;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::commands;
pub(crate) use service::ServiceAction;

/// Connects this machine's inference engine to a Porten Hub.
///
/// Settings come from the environment, then from the settings file, then from defaults:
/// PORTEN_HUB_URL, PORTEN_ENGINE, PORTEN_ENGINE_URL, PORTEN_VRAM_BUDGET_MB, PORTEN_ENGINE_MODELS.
///
/// Exit codes: 0 done, 1 something broke, 2 asked wrongly, 3 another agent has the seat, 4 sign in first.
///
/// Without a command: what is running here, or what is still to be done.
#[derive(Debug, Parser)]
#[command(name = "porten", version)]
pub(crate) struct Args {
    /// Answer with JSON, one object a line; errors too (docs/json.md)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in at the Hub: shows a page and a code, and waits for you to approve
    Login {
        /// Only print the page; do not open a browser
        #[arg(long)]
        no_browser: bool,
        /// Sign in although somebody is signed in already; the new sign-in takes the old one's place
        #[arg(long)]
        again: bool,
    },
    /// Sign out: lets running requests finish, revokes this machine's access at the Hub and forgets it here
    Logout {
        /// How long running requests may take, like 90s, 10m or 1h30m
        #[arg(long, value_name = "TIME", default_value = "10m", allow_hyphen_values = true, value_parser = porten_core::lasting::read)]
        within: Duration,
        /// Cut them now
        #[arg(long, conflicts_with = "within")]
        now: bool,
    },
    /// Run the agent here until Ctrl-C
    Run {
        /// As the background service, which `porten service install` sets up: waits its turn, takes over from the app, and
        /// writes its log into a file
        #[arg(long)]
        service: bool,
    },
    /// Run the agent in the background, from login to logout, and look after that
    Service {
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Show what the running agent does
    Status {
        /// Print again whenever it changes, until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// List the models, or turn one on or off
    Models {
        #[command(subcommand)]
        action: Option<Switch>,
    },
    /// Show the pooled Macs, their links and their memory; or what a saved state of exo says of them
    Cluster {
        /// Read a saved /state of exo, or a file of {"t": SECONDS, "state": …} lines, instead of asking the agent
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(subcommand)]
        action: Option<ClusterAction>,
    },
    /// Show every setting with what holds and who said so, and what is kept where; or change one in the settings file
    Config {
        #[command(subcommand)]
        action: Option<ConfigAction>,
    },
    /// Look at the engine
    Engine {
        #[command(subcommand)]
        action: EngineAction,
    },
    /// Rest, and come back without being told: running requests are finished, no new ones are taken
    Pause {
        /// For so long, like 90m, 2h or 3d
        #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true, value_parser = commands::pause::lasting)]
        lasting: Option<Duration>,
        /// Until a time of day, like 18:00, tomorrow (08:00), or a date like 2026-12-24 or "2026-12-24 18:00"
        #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "lasting")]
        until: Option<String>,
        /// Whenever somebody uses the keyboard or the pointer of this machine, until five minutes after
        #[arg(long, conflicts_with_all = ["lasting", "until"])]
        while_in_use: bool,
    },
    /// End a rest
    Resume,
    /// Go online (the default; the wish survives a restart)
    Online,
    /// Go offline: takes no new requests, and finishes the running ones within ten minutes
    Offline,
    /// Go offline and wait until it is done: takes no new requests, shows how many still run, and cuts what runs when the
    /// time is up, with an error to each client. The node stays offline until `porten online`, which also undoes a drain
    /// under way; Ctrl-C ends the waiting alone
    Drain {
        /// How long running requests may take, like 90s, 10m or 1h30m
        #[arg(long, value_name = "TIME", default_value = "10m", allow_hyphen_values = true, value_parser = porten_core::lasting::read)]
        within: Duration,
        /// Cut them now
        #[arg(long, conflicts_with = "within")]
        now: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Set one in the settings file; an agent that runs takes it up
    Set {
        /// As `porten config` names it, like hub.url or model.deepseek-v4-flash.context_tokens
        key: String,
        /// Its value; a list with commas between
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take one out of the settings file: then holds what holds by itself
    Unset {
        /// As `porten config` names it
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EngineAction {
    /// Say whether an engine answers and which models it lists; nothing is generated and nothing is kept
    Test {
        /// Where; else where the settings say, else where engines usually are
        url: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterAction {
    /// Tell what the GPU of a Mac may hold, as set there with sysctl iogpu.wired_limit_mb; holds until it starts exo anew
    Limit {
        /// The Mac's name
        mac: String,
        /// In MB, or `default` for three quarters of what is installed
        limit: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Switch {
    /// Serve this model; where the engine is exo, have it loaded
    On {
        /// Its id at the Hub
        id: String,
        /// Give each Mac a slice of every layer
        #[arg(long, conflicts_with = "pipeline")]
        tensor: bool,
        /// Give each Mac some of the layers
        #[arg(long)]
        pipeline: bool,
        /// Have its parts talk by RDMA
        #[arg(long, conflicts_with = "ip")]
        rdma: bool,
        /// Have its parts talk by IP
        #[arg(long)]
        ip: bool,
        /// Spread it over so many Macs at least
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        macs: Option<u32>,
        /// Load it even if a Mac would hold more than its GPU may: it may swap, or stop
        #[arg(long)]
        anyway: bool,
        /// Wait until requests may come, and say what it waits for
        #[arg(long)]
        wait: bool,
    },
    /// Stop serving this model; what Porten loaded is unloaded after its last request
    Off {
        /// Its id at the Hub
        id: String,
        /// Leave it loaded
        #[arg(long)]
        keep: bool,
        /// Wait until its memory is given back
        #[arg(long)]
        wait: bool,
    },
}
