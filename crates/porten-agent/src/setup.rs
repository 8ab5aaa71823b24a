//! Reads the settings from where they are kept, and makes what every host and command needs.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::PathBuf;

use porten_core::config::{self, Config, ConfigError, MAX_FILE, SettingsFile};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::hub_http::HubHttp;
use crate::node::{NodeIdError, node_id};
use crate::places::{Places, PlacesError};
use crate::vault::Vault;

/// Settings and places.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The settings.
    pub config: Config,
    /// Where things are kept.
    pub places: Places,
    /// The environment's part of the settings, as it was when the process began.
    pub environment: BTreeMap<String, String>,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no folder to keep things in.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// A variable of ours is not UTF-8.
    #[error("the environment variable {0} is not text; set it again")]
    NotText(String),
    /// The settings file cannot be read.
    #[error("{} cannot be read ({source}); mend or remove it", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What sign-in needs is missing on this machine.
#[derive(Debug, thiserror::Error)]
pub enum SignInSetupError {
    /// No node id.
    #[error(transparent)]
    Node(#[from] NodeIdError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] crate::TlsError),
}

impl Setup {
    /// Reads environment and settings file.
    ///
    /// # Errors
    /// A setting cannot be used, or cannot be read.
    pub fn read() -> Result<Self, SetupError> {
        let places = Places::here()?;
        let environment = environment()?;
        Ok(Self { config: read_config(&environment, &places)?, places, environment })
    }

    /// The same with the settings file as it is now.
    ///
    /// # Errors
    /// A setting cannot be used, or cannot be read.
    pub fn again(&self) -> Result<Self, SetupError> {
        Ok(Self { config: read_config(&self.environment, &self.places)?, ..self.clone() })
    }

    /// This node's id, made if need be.
    ///
    /// # Errors
    /// It can neither be read nor made.
    pub fn node(&self) -> Result<String, NodeIdError> {
        node_id(&self.places.state)
    }

    /// Where this node's credential for the configured Hub is kept.
    #[must_use]
    pub fn vault(&self, node: &str) -> Vault {
        Vault::open(self.config.keychain.value, &self.places.state, node, self.config.hub.value.origin())
    }

    /// The owner of this node's credential, for as long as no agent runs.
    ///
    /// # Errors
    /// See [`SignInSetupError`].
    pub fn credentials(&self) -> Result<Credentials, SignInSetupError> {
        let vault = self.vault(&self.node()?);
        Ok(Credentials::spawn(vault, Self::hub_http()?, self.config.hub.value.clone(), Clock::start()))
    }

    /// The client for sign-in.
    ///
    /// # Errors
    /// See [`SignInSetupError`].
    pub fn hub_http() -> Result<HubHttp, SignInSetupError> {
        Ok(HubHttp::new(crate::tls()?, crate::by_settings(watch::Sender::new(None))))
    }
}

/// The settings that this environment and the settings file make.
pub(crate) fn read_config(environment: &BTreeMap<String, String>, places: &Places) -> Result<Config, SetupError> {
    let path = places.config.display().to_string();
    let text = settings_file(&places.config)?;
    let file = text.as_deref().map(|text| SettingsFile { text, path: &path });
    Ok(config::read(environment, file)?)
}

/// The environment's part of the settings. Only our own variables, in whatever case; others may hold anything.
///
/// # Errors
/// One of them is not text.
pub fn environment() -> Result<BTreeMap<String, String>, SetupError> {
    let ours = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    ours.filter(|(name, _)| name.to_ascii_uppercase().starts_with("PORTEN"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SetupError::NotText(name)),
        })
        .collect()
}

pub(crate) fn settings_file(path: &std::path::Path) -> Result<Option<String>, SetupError> {
    let fail = |source| SetupError::File { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        // Whose folder cannot even be there has none; whatever is to be written says why it cannot.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(fail(error)),
    };
    let mut text = String::new();
    // One byte more than is taken, so that core can say that it is too long.
    file.take(MAX_FILE as u64 + 1).read_to_string(&mut text).map_err(fail)?;
    Ok(Some(text))
}
