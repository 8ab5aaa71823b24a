//! What a command starts from: where things are kept, what this shell's settings say if they can be used, and how it answers.

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::places::{Places, PlacesError};
use porten_agent::setup::{Setup, SetupError};
use porten_core::config::Origin;
use porten_core::snapshot::Snapshot;

use crate::exit::{Exit, Fail};
use crate::printer::{ask, note};

/// What a command starts from. Whoever only asks the running agent needs no settings: a mistake in them keeps nobody from
/// stopping a node.
pub(crate) struct Shell {
    /// Where things are kept.
    pub(crate) places: Places,
    setup: Result<Setup, SetupError>,
    /// Whether to answer with JSON.
    pub(crate) json: bool,
}

impl Shell {
    /// Reads what there is; nothing is written.
    pub(crate) fn read(json: bool) -> Result<Self, PlacesError> {
        Ok(Self { places: Places::here()?, setup: Setup::read(), json })
    }

    /// The settings, for a command that cannot do without.
    pub(crate) fn settings(self) -> Result<Setup, SetupError> {
        self.setup
    }

    /// The settings, if they can be used.
    pub(crate) fn known(&self) -> Option<&Setup> {
        self.setup.as_ref().ok()
    }

    /// The running agent, if there is one.
    pub(crate) fn agent(&self) -> Result<Local, LocalError> {
        Local::at(&self.places.socket())
    }

    /// The Hub that somebody set here, and where; `None` where nobody did, or the running agent goes by the same.
    fn other_hub(&self, running: &Snapshot) -> Option<(String, &Origin)> {
        let hub = &self.known()?.config.hub;
        let other = hub.origin.is_chosen() && hub.value.as_str() != running.hub.url;
        other.then(|| (hub.value.as_str().to_owned(), &hub.origin))
    }

    /// For what connects this node: where somebody set another Hub here than the running agent's, a person is asked, and a
    /// script refused.
    pub(crate) fn same_hub(&self, running: &Snapshot) -> Result<()> {
        let Some((here, origin)) = self.other_hub(running) else { return Ok(()) };
        let there = &running.hub.url;
        let both = format!("the running agent's Hub is {there}, and {} names {here}", place(origin));
        if !self.json && ask(&format!("{}. Go on with {there}?", capital(&both))) == Some(true) {
            return Ok(());
        }
        let text = format!("{both}; {}", way_out(origin));
        Err(Fail::new(Exit::Wrong, "other_hub", text).into())
    }

    /// For what stops this node, which is never refused: says that somebody set another Hub here.
    pub(crate) fn note_other_hub(&self, running: &Snapshot) {
        if let Some((here, origin)) = self.other_hub(running).filter(|_| !self.json) {
            note(&format!(
                "this is about the running agent, whose Hub is {}; {} names {here}",
                running.hub.url,
                place(origin)
            ));
        }
    }
}

fn place(origin: &Origin) -> String {
    match origin {
        Origin::Environment(name) => format!("{name} here"),
        other => other.to_string(),
    }
}

fn way_out(origin: &Origin) -> String {
    match origin {
        Origin::Environment(name) => {
            format!(
                "for the running agent's take {name} out of this shell (unset {name}), for the other stop and start the agent"
            )
        }
        _ => "for the other stop and start the agent, or set hub.url again with `porten config set`, which it takes up"
            .to_owned(),
    }
}

fn capital(text: &str) -> String {
    porten_core::snapshot::sentence(text).trim_end_matches('.').to_owned()
}
