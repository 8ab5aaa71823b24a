//! Reads what people set: environment variables, then the settings file, then what holds by itself.
//!
//! An empty variable (or one of white space) counts as not set, so that `PORTEN_ENGINE_URL= porten run` takes a
//! setting away. A `PORTEN_…` variable that is one slip away from a known one is an error; others are left alone. No
//! setting is a secret: those live in the keychain.

mod address;
mod aside;
mod change;
mod engine_url;
mod error;
mod file;
mod hub_url;
mod keys;
mod origin;
mod persist;
mod shown;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use change::{ChangeError, Changed, change};
pub use engine_url::{EngineUrl, EngineUrlError};
pub use error::{ConfigError, Place, Problem, Quoted};
pub use hub_url::{DEFAULT_HUB, HubUrl, HubUrlError};
pub use origin::{Origin, Setting};
pub use persist::persist;
pub use shown::{shown, typed};

use crate::ids::{Wanted, WantedError};
use crate::wire::MAX_STREAMS;
use keys::Key;
use source::{Sources, Value};

/// The settings file is refused above this size (bytes); a host need not read more than one byte beyond it.
pub const MAX_FILE: usize = 64 * 1024;
/// The largest memory budget (MiB): 2 PiB, more than any cluster and far below what JavaScript counts exactly.
pub const MAX_BUDGET_MIB: u64 = 1 << 31;
/// The longest context that may be asked for (tokens): more than any model has.
pub const MAX_CONTEXT: u64 = 100_000_000;
/// The longest wait before a model's memory is given back (minutes): a year.
pub const MAX_MINUTES: u64 = 366 * 24 * 60;
/// The variable that names the folder for everything Porten keeps, instead of the platform's folders. The host reads
/// it itself: it must know the folder before there is a file to read.
pub const HOME: &str = "PORTEN_HOME";

/// The settings file as the host found it.
#[derive(Debug, Clone, Copy)]
pub struct SettingsFile<'a> {
    /// Its whole text.
    pub text: &'a str,
    /// Its path, as a person would write it.
    pub path: &'a str,
}

/// All settings, each with its origin. `None` is "nobody said": then Porten looks for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `PORTEN_HUB_URL`, `hub.url`; default [`DEFAULT_HUB`].
    pub hub: Setting<HubUrl>,
    /// `PORTEN_ENGINE`, `engine.kind`; else the shape of its answers tells.
    pub engine: Option<Setting<EngineKind>>,
    /// `PORTEN_ENGINE_URL`, `engine.url`; else looked for on this machine (see [`crate::detect`]).
    pub engine_url: Option<Setting<EngineUrl>>,
    /// `PORTEN_ENGINE_ALLOW_REMOTE`, `engine.allow_remote`; default no. Whether `engine_url` may be another machine.
    pub engine_allow_remote: Setting<bool>,
    /// `PORTEN_ENGINE_MODELS`, `engine.models`; never empty. Else the Hub's catalog, as far as it is served.
    pub models: Option<Setting<Vec<Wanted>>>,
    /// `PORTEN_ENGINE_MAX_CONCURRENT`, `engine.max_concurrent` (1 to [`MAX_STREAMS`]): the most answers of all models at a
    /// time; else no bound but the tunnel's.
    pub at_once: Option<Setting<u32>>,
    /// `engine.free_after_minutes`: the same as `free_after` for the models that have none of their own.
    pub free_after_all: Option<Setting<u64>>,
    /// `PORTEN_VRAM_BUDGET_MB`, `memory.budget_mb` (MiB, 1 to [`MAX_BUDGET_MIB`]); else what the machine has.
    pub budget_mib: Option<Setting<u64>>,
    /// `PORTEN_FORCE_BUDGET`, `memory.force`, default no: whether a budget is taken that is more than what is installed.
    pub force_budget: Setting<bool>,
    /// `mac."NAME".wired_limit_mb`: what the GPU of that Mac may hold (MiB), by the Mac's name.
    pub wired_limits: BTreeMap<String, u64>,
    /// `model."ID".context_tokens`: how long one request's context must be able to grow (tokens), by the Hub's id.
    pub contexts: BTreeMap<String, u64>,
    /// `model."ID".max_concurrent` (1 to [`MAX_STREAMS`]): the most of its answers at a time, by the Hub's id.
    pub models_at_once: BTreeMap<String, u32>,
    /// `model."ID".free_after_minutes`: its memory is given back after so many minutes without a request; else never.
    pub free_after: BTreeMap<String, u64>,
    /// `power.keep_awake`, default no: whether this machine is kept awake while it serves.
    pub keep_awake: Setting<bool>,
    /// `notify.…`: what the app tells with a notification.
    pub notify: Notify,
    /// `PORTEN_LOG`, `log.level`; default [`LogLevel::Info`].
    pub log: Setting<LogLevel>,
    /// `PORTEN_KEYCHAIN`, `keychain.store`; default [`Keychain::Auto`].
    pub keychain: Setting<Keychain>,
}

/// What the app tells with a notification; all of it by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// `notify.needs_you`: what only a person can mend.
    pub needs_you: Setting<bool>,
    /// `notify.cluster`: a Mac that is lost, a slow link.
    pub cluster: Setting<bool>,
    /// `notify.models`: a model that was withdrawn, broke or does not fit.
    pub models: Setting<bool>,
}

/// How the engine is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Any server with OpenAI's routes.
    Openai,
    /// exo, which tells about its cluster too.
    Exo,
}

/// How much the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Only what went wrong.
    Error,
    /// And what may go wrong.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And each step.
    Trace,
}

/// Where the credential is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keychain {
    /// In the system's keychain; on a machine that has none in a file for the owner alone, which is then said.
    Auto,
    /// In a file for the owner alone.
    File,
}

impl Config {
    /// How long a model may rest before its memory is given back (minutes); `None`: for ever.
    #[must_use]
    pub fn free_after(&self, id: &str) -> Option<u64> {
        self.free_after.get(id).copied().or(self.free_after_all.as_ref().map(|all| all.value))
    }

    /// Whether these settings, in the place of `old` ones, need an agent that is started with them: another Hub, another
    /// engine or another place for the credential. All else is taken up by the one that runs.
    #[must_use]
    pub fn need_new_agent(&self, old: &Self) -> bool {
        let value = |config: &Self| {
            let Self { hub, engine, engine_url, engine_allow_remote, keychain, .. } = config.clone();
            let engine = (engine.map(|set| set.value), engine_url.map(|set| set.value), engine_allow_remote.value);
            (hub.value, engine, keychain.value)
        };
        value(self) != value(old)
    }
}

/// Reads all settings.
///
/// # Errors
/// The first setting that cannot be used, as one sentence with its remedy.
pub fn read(environment: &BTreeMap<String, String>, file: Option<SettingsFile<'_>>) -> Result<Config, ConfigError> {
    let sources = Sources::read(environment, file.as_ref())?;
    let hub = match sources.setting(keys::HUB_URL, |value| Ok(HubUrl::read(value.text())?))? {
        Some(hub) => hub,
        None => Setting::default(HubUrl::read(DEFAULT_HUB).map_err(|problem| built_in(keys::HUB_URL, problem))?),
    };
    let truth = |key, otherwise| Ok(sources.setting(key, read_truth)?.unwrap_or(Setting::default(otherwise)));
    let engine_allow_remote = truth(keys::ALLOW_REMOTE, false)?;
    let remote = engine_allow_remote.value;
    Ok(Config {
        hub,
        engine: sources.setting(keys::ENGINE, read_engine)?,
        engine_url: sources.setting(keys::ENGINE_URL, |value| Ok(EngineUrl::read(value.text(), remote)?))?,
        engine_allow_remote,
        models: sources.setting(keys::ENGINE_MODELS, read_models)?,
        at_once: sources.setting(keys::AT_ONCE, read_at_once)?,
        free_after_all: sources.setting(keys::FREE_AFTER_ALL, read_minutes)?,
        budget_mib: sources.setting(keys::BUDGET, read_mib)?,
        force_budget: truth(keys::FORCE, false)?,
        wired_limits: sources.named(keys::WIRED_LIMIT, read_mib)?,
        contexts: sources.named(keys::CONTEXT, |value| read_number(value, 1_024..=MAX_CONTEXT))?,
        models_at_once: sources.named(keys::MODEL_AT_ONCE, read_at_once)?,
        free_after: sources.named(keys::FREE_AFTER, read_minutes)?,
        keep_awake: truth(keys::KEEP_AWAKE, false)?,
        notify: Notify {
            needs_you: truth(keys::NOTIFY_NEEDS_YOU, true)?,
            cluster: truth(keys::NOTIFY_CLUSTER, true)?,
            models: truth(keys::NOTIFY_MODELS, true)?,
        },
        log: sources.setting(keys::LOG, read_level)?.unwrap_or(Setting::default(LogLevel::Info)),
        keychain: sources.setting(keys::KEYCHAIN, read_keychain)?.unwrap_or(Setting::default(Keychain::Auto)),
    })
}

/// A default that is wrong would be our own mistake; it is said like any other.
fn built_in(key: Key, problem: impl Into<Problem>) -> ConfigError {
    ConfigError { place: Place::Asked(key.dotted()), problem: problem.into() }
}

fn read_engine(value: &Value) -> Result<EngineKind, Problem> {
    let table = [("openai", EngineKind::Openai), ("exo", EngineKind::Exo)];
    choose(value, &table, "openai or exo, or leave it out: the engine's answers tell")
}

fn read_level(value: &Value) -> Result<LogLevel, Problem> {
    let table = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    choose(value, &table, "error, warn, info, debug or trace")
}

fn read_keychain(value: &Value) -> Result<Keychain, Problem> {
    choose(value, &[("auto", Keychain::Auto), ("file", Keychain::File)], "auto or file")
}

fn read_truth(value: &Value) -> Result<bool, Problem> {
    let table = [("true", true), ("1", true), ("yes", true), ("on", true)];
    let no = [("false", false), ("0", false), ("no", false), ("off", false)];
    choose(value, &[table, no].concat(), "true or false")
}

fn choose<T: Copy>(value: &Value, table: &[(&str, T)], choices: &'static str) -> Result<T, Problem> {
    let given = value.text();
    let found = table.iter().find(|(word, _)| word.eq_ignore_ascii_case(given));
    found.map(|(_, chosen)| *chosen).ok_or_else(|| Problem::Choice { given: Quoted::new(given), choices })
}

fn read_mib(value: &Value) -> Result<u64, Problem> {
    let given = value.text();
    let digits = !given.is_empty() && given.bytes().all(|b| b.is_ascii_digit());
    let mib = given.parse().ok().filter(|mib| digits && (1..=MAX_BUDGET_MIB).contains(mib));
    mib.ok_or_else(|| Problem::Mib { given: Quoted::new(given) })
}

fn read_number(value: &Value, range: RangeInclusive<u64>) -> Result<u64, Problem> {
    let number = value.text().parse().ok().filter(|number| range.contains(number));
    let (least, most) = (*range.start(), *range.end());
    number.ok_or_else(|| Problem::Number { given: Quoted::new(value.text()), least, most })
}

fn read_minutes(value: &Value) -> Result<u64, Problem> {
    read_number(value, 1..=MAX_MINUTES)
}

fn read_at_once(value: &Value) -> Result<u32, Problem> {
    let most = u64::from(MAX_STREAMS);
    read_number(value, 1..=most).map(|number| u32::try_from(number).unwrap_or(MAX_STREAMS))
}

fn read_models(value: &Value) -> Result<Vec<Wanted>, Problem> {
    let mut models: Vec<Wanted> = Vec::new();
    for entry in value.items() {
        if entry.is_empty() {
            return Err(Problem::EmptyModel);
        }
        let wanted = Wanted::read(entry).map_err(|error| match error {
            WantedError::Hub(_) => Problem::HubId { given: Quoted::new(entry) },
            WantedError::Engine(_) => Problem::EngineId { given: Quoted::new(entry) },
        })?;
        if models.iter().any(|model| model.hub == wanted.hub) {
            return Err(Problem::Twice { id: wanted.hub.to_string() });
        }
        models.push(wanted);
    }
    if models.is_empty() { Err(Problem::NoModel) } else { Ok(models) }
}
