//! What can be typed after `porten`.

use clap::{Parser, Subcommand};

/// Connects this machine's inference engine to a Porten Hub.
///
/// Settings come from the environment, then from the settings file, then from defaults:
/// PORTEN_HUB_URL, PORTEN_ENGINE, PORTEN_ENGINE_URL, PORTEN_VRAM_BUDGET_MB, PORTEN_ENGINE_MODELS.
///
/// Exit codes: 0 done, 1 something broke, 2 asked wrongly, 3 another agent has the seat, 4 sign in first.
#[derive(Debug, Parser)]
#[command(name = "porten", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in at the Hub: shows a page and a code, and waits for you to approve
    Login {
        /// Only print the page; do not open a browser
        #[arg(long)]
        no_browser: bool,
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Sign out: revokes this machine's access at the Hub and forgets it here
    Logout,
    /// Run the agent here until Ctrl-C
    Run,
    /// Show what the running agent does
    Status {
        /// Print the whole picture as JSON
        #[arg(long)]
        json: bool,
        /// Print again whenever it changes, until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// List the models, or turn one on or off
    Models {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(subcommand)]
        action: Option<Switch>,
    },
    /// Go online (the default; the wish survives a restart)
    Online,
    /// Go offline: finishes the running requests and takes no new ones
    Offline,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Switch {
    /// Serve this model
    On {
        /// Its id at the Hub
        id: String,
    },
    /// Stop serving this model
    Off {
        /// Its id at the Hub
        id: String,
    },
}
