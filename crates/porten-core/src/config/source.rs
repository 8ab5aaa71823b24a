//! Looks one setting up where people write them: the environment first, then the file.

use std::collections::BTreeMap;

use super::error::{ConfigError, Place, Problem};
use super::file::{self, Entry, NamedEntry, Written};
use super::keys::{self, Key, Named};
use super::origin::{Origin, Setting};
use super::{HOME, SettingsFile};
use crate::nearest::{distance, nearest};

/// A variable this near to a known one is a slip of the finger; one that is farther away belongs to somebody else.
const SLIP: usize = 2;

/// What stands somewhere, before it is known what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text, or a number or truth value as text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// The text; of a list nothing, but no reader of text is ever given one.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text.trim(),
            Self::List(_) => "",
        }
    }

    /// The items; a variable's items stand between commas.
    pub(super) fn items(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text.split(',').map(str::trim).collect(),
            Self::List(items) => items.iter().map(|item| item.trim()).collect(),
        }
    }
}

/// Everything that people wrote.
pub(super) struct Sources<'a> {
    environment: &'a BTreeMap<String, String>,
    file: Written,
    path: &'a str,
}

impl<'a> Sources<'a> {
    pub(super) fn read(
        environment: &'a BTreeMap<String, String>,
        file: Option<&SettingsFile<'a>>,
    ) -> Result<Self, ConfigError> {
        for name in environment.keys() {
            refuse_slip(name)?;
        }
        let path = file.map_or("", |file| file.path);
        Ok(Self { environment, file: file.map(file::read).transpose()?.unwrap_or_default(), path })
    }

    /// The setting, if anybody wrote it. What the file says is checked even where a variable overrules it, so that a
    /// mistake in it is not found only on the day the variable is gone.
    pub(super) fn setting<T>(
        &self,
        key: Key,
        read: impl Fn(&Value) -> Result<T, Problem>,
    ) -> Result<Option<Setting<T>>, ConfigError> {
        let from_environment = match variable(key, self.environment) {
            None => None,
            Some((name, text)) => {
                let place = || Place::Variable(name.to_owned());
                let value = Value::Text(text.to_owned());
                let value = unquoted(&value).and_then(|()| read(&value));
                let value = value.map_err(|problem| ConfigError { place: place(), problem })?;
                Some(Setting { value, origin: Origin::Environment(name.to_owned()) })
            }
        };
        let from_file = match self.file.entries.iter().find(|entry| entry.key == key) {
            None => None,
            Some(Entry { value, line, .. }) => {
                let place = || Place::Key { key: key.dotted(), line: *line, path: self.path.to_owned() };
                let value = unquoted(value).and_then(|()| read(value));
                let value = value.map_err(|problem| ConfigError { place: place(), problem })?;
                Some(Setting { value, origin: Origin::File(self.path.to_owned()) })
            }
        };
        Ok(from_environment.or(from_file))
    }

    /// A setting of each thing that has it, by name; only the file has such.
    pub(super) fn named<T>(
        &self,
        key: Named,
        read: impl Fn(&Value) -> Result<T, Problem>,
    ) -> Result<BTreeMap<String, T>, ConfigError> {
        let one = |entry: &NamedEntry| {
            let place = || Place::Key { key: key.dotted(&entry.name), line: entry.line, path: self.path.to_owned() };
            let value = read(&entry.value).map_err(|problem| ConfigError { place: place(), problem })?;
            Ok((entry.name.clone(), value))
        };
        self.file.named.iter().filter(|entry| entry.key == key).map(one).collect()
    }
}

/// The variable that says this setting, and what it says; a blank one says nothing.
pub(super) fn variable(key: Key, environment: &BTreeMap<String, String>) -> Option<(&'static str, &str)> {
    let name = key.variable?;
    environment.get(name).filter(|text| !text.trim().is_empty()).map(|text| (name, text.as_str()))
}

/// Quotes that belong to the value were meant for a shell, which took none away: in a file of variables, or written twice.
pub(super) fn unquoted(value: &Value) -> Result<(), Problem> {
    let in_quotes = |text: &str| {
        let mut chars = text.chars();
        matches!(
            (chars.next(), chars.next_back()),
            (Some('"' | '\'' | '“' | '„' | '‘'), Some('"' | '\'' | '”' | '“' | '’'))
        )
    };
    if value.items().into_iter().any(in_quotes) || in_quotes(value.text()) { Err(Problem::InQuotes) } else { Ok(()) }
}

fn refuse_slip(name: &str) -> Result<(), ConfigError> {
    let known = || keys::ALL.iter().filter_map(|key| key.variable).chain([HOME]);
    if !name.to_ascii_uppercase().starts_with("PORTEN") || known().any(|known| known == name) {
        return Ok(());
    }
    let near = nearest(name, known()).filter(|known| distance(name, known) <= SLIP).map(str::to_owned);
    let shortened = || {
        let all: Vec<&str> = known().filter(|known| is_short_for(name, known)).collect();
        (!all.is_empty()).then(|| all.join(" or "))
    };
    match near.or_else(shortened) {
        None => Ok(()),
        nearest => Err(ConfigError { place: Place::Variable(name.to_owned()), problem: Problem::Unknown { nearest } }),
    }
}

/// Whether a name has some of a known one's words and no others: `PORTEN_BUDGET_MB`, `PORTEN_MODELS`, `PORTEN_HUB`.
fn is_short_for(name: &str, known: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let (Some(words), Some(known)) = (name.strip_prefix("PORTEN_"), known.strip_prefix("PORTEN_")) else {
        return false;
    };
    words.split('_').all(|word| known.split('_').any(|known| known == word))
}
