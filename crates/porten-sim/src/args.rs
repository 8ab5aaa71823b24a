//! The words that `porten-sim` understands.

use clap::Parser;

/// An exo cluster made of software, for development and tests. It listens on this machine only.
#[derive(Debug, Parser)]
#[command(name = "porten-sim", version, after_help = porten_sim::trouble::help())]
pub(crate) struct Command {
    /// The Macs: a number and GiB each, or names and GiB like studio:512,mbp:128
    #[arg(long, value_name = "MACS", default_value = "3x128")]
    pub(crate) macs: String,
    /// Where to listen on 127.0.0.1; 0 takes a free port
    #[arg(long, value_name = "PORT", default_value_t = 52415)]
    pub(crate) api_port: u16,
    /// Print what was started as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Have this model loaded from the start, like mlx-community/DeepSeek-V4-Flash; may be given several times
    #[arg(long, value_name = "MODEL_ID")]
    pub(crate) loaded: Vec<String>,
    /// How many times faster than real everything goes
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// What shall go wrong, like 'member-dies studio-2 @30'; may be given several times
    #[arg(long = "trouble", value_name = "TROUBLE")]
    pub(crate) troubles: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_consistent() {
        <Command as clap::CommandFactory>::command().debug_assert();
    }
}
