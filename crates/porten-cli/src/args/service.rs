//! What can be typed after `porten service`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Write the settings in force, those of the environment included, into the settings file, and run the agent now and from
    /// each login on. Needs no root
    Install {
        /// Print what would be written, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop the service and take it away; what runs is finished first, 50 s at most. Settings and sign-in stay
    Uninstall {
        /// Keep its log
        #[arg(long)]
        keep_logs: bool,
    },
    /// Start it, if it does not run
    Start,
    /// Stop it until the next login; what runs is finished first, 50 s at most
    Stop,
    /// Stop and start it; what runs is finished first, 50 s at most
    Restart,
    /// Say whether it is installed and runs, and where its unit and its log are; ends with 0 if it runs and with 1 if not
    Status,
    /// Show the last lines of its log
    Logs {
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
        lines: usize,
        /// Go on with those that come, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
}
