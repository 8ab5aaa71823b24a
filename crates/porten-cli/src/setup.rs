//! Reads the settings from where they are kept, and makes what several commands need.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::PathBuf;

use porten_agent::clock::Clock;
use porten_agent::credentials::Credentials;
use porten_agent::hub_http::HubHttp;
use porten_agent::node::{NodeIdError, node_id};
use porten_agent::places::{Places, PlacesError};
use porten_agent::vault::Vault;
use porten_core::config::{self, Config, ConfigError, HOME, MAX_FILE, SettingsFile};

use crate::exit::Exit;

/// Settings and places.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) places: Places,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Places(#[from] PlacesError),
    #[error("the environment variable {0} is not text; set it again")]
    NotText(String),
    #[error("{} cannot be read ({source}); mend or remove it", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl SetupError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::NotText(_) | Self::File { .. } => Exit::Wrong,
            Self::Places(_) => Exit::Broken,
        }
    }
}

impl Setup {
    /// Reads environment and settings file.
    pub(crate) fn read() -> Result<Self, SetupError> {
        let environment = environment()?;
        let home = environment.get(HOME).map(String::as_str).map(str::trim).filter(|home| !home.is_empty());
        let places = Places::find(home.map(PathBuf::from).as_deref())?;
        let path = places.config.display().to_string();
        let text = settings_file(&places.config)?;
        let file = text.as_deref().map(|text| SettingsFile { text, path: &path });
        Ok(Self { config: config::read(&environment, file)?, places })
    }

    /// This node's id, made if need be.
    pub(crate) fn node(&self) -> Result<String, NodeIdError> {
        node_id(&self.places.state)
    }

    /// Where this node's credential for the configured Hub is kept.
    pub(crate) fn vault(&self, node: &str) -> Vault {
        Vault::open(self.config.keychain.value, &self.places.state, node, self.config.hub.value.origin())
    }

    /// The owner of this node's credential, for as long as no agent runs.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        let vault = self.vault(&self.node()?);
        Ok(Credentials::spawn(vault, Self::hub_http()?, self.config.hub.value.clone(), Clock::start()))
    }

    /// The client for sign-in.
    pub(crate) fn hub_http() -> anyhow::Result<HubHttp> {
        Ok(HubHttp::new(&*porten_agent::tls()?)?)
    }
}

/// Only our own variables; others may hold anything.
fn environment() -> Result<BTreeMap<String, String>, SetupError> {
    let ours = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    ours.filter(|(name, _)| name.starts_with("PORTEN_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SetupError::NotText(name)),
        })
        .collect()
}

fn settings_file(path: &std::path::Path) -> Result<Option<String>, SetupError> {
    let fail = |source| SetupError::File { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mut text = String::new();
    // One byte more than is taken, so that core can say that it is too long.
    file.take(MAX_FILE as u64 + 1).read_to_string(&mut text).map_err(fail)?;
    Ok(Some(text))
}
