//! Changes one setting in the text of the settings file: checked as a whole before, and with its comments as they were.

use std::collections::BTreeMap;

use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Table, Value};

use super::aside::Aside;
use super::error::{ConfigError, Place, Problem};
use super::file::{SECRET_WORDS, syntax};
use super::keys::{self, Key, Kind, Named};
use super::source::{self, unquoted, variable};
use super::{MAX_FILE, SettingsFile, read, read_truth};
use crate::nearest::likely;

/// A change that was not made. Its `Display` is the whole sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The environment says it, and goes before the file.
    #[error("{key} is set by {variable}, which goes before the settings file; take that out of the environment first")]
    Locked {
        /// The setting.
        key: String,
        /// The variable.
        variable: &'static str,
    },
    /// There is no such setting, or not with this value, or the file has a mistake already.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

/// A setting that is to be changed.
enum Asked<'a> {
    Plain(Key),
    Of(Named, &'a str),
}

/// The settings file with one setting changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its whole text.
    pub text: String,
    /// What was wrong with it before and still is, so that nobody can go by it yet.
    pub still_wrong: Option<ConfigError>,
}

/// The file's text with one setting set, or taken out with `None`. A key of a thing that has a name is taken with and
/// without quotes around the name. A list has commas between, a truth is any word that a variable takes.
///
/// A file that was wrong elsewhere before can be changed all the same: what is wrong stays as it is, and is told.
///
/// # Errors
/// See [`ChangeError`]; a change that is wrong itself, or would spoil another setting, is refused.
pub fn change(
    environment: &BTreeMap<String, String>,
    file: SettingsFile<'_>,
    key: &str,
    value: Option<&str>,
) -> Result<Changed, ChangeError> {
    let asked = Asked::read(key)?;
    let name = asked.dotted();
    if let Asked::Plain(key) = asked
        && let Some((variable, _)) = variable(key, environment)
    {
        return Err(ChangeError::Locked { key: name, variable });
    }
    if file.text.len() > MAX_FILE {
        return Err(ChangeError::Wrong(ConfigError {
            place: Place::File { path: file.path.to_owned(), line: None },
            problem: Problem::TooLong,
        }));
    }
    let aside = Aside::of(&file, &asked.path())?;
    let document = Document::parse(aside.text.as_str())
        .map_err(|error| syntax(&file, error.span(), error.message()))
        .map_err(ChangeError::Wrong)?;
    let text = match value {
        Some(value) => {
            let value = asked.value(value.trim()).map_err(|problem| asked_wrongly(&name, problem))?;
            let mut document = document.into_mut();
            put(&mut document, &asked.path(), value).map_err(|problem| asked_wrongly(&name, problem))?;
            document.to_string()
        }
        None => without(document, &asked.path()),
    };
    let text = aside.back(&text);
    let check = |text| read_here(environment, SettingsFile { text, path: file.path });
    match check(&text) {
        Ok(()) => Ok(Changed { text, still_wrong: None }),
        // Its line is one of a text that was never written.
        Err(ConfigError { place: Place::Key { key, .. }, problem }) if key == name && value.is_some() => {
            Err(ChangeError::Wrong(asked_wrongly(&key, problem)))
        }
        // It was wrong before: this change mends a part of it, or leaves it as it was.
        Err(error) if check(file.text).is_err() => Ok(Changed { text, still_wrong: Some(error) }),
        Err(ConfigError { place: Place::Key { key, .. }, problem }) => {
            Err(ChangeError::Wrong(asked_wrongly(&key, problem)))
        }
        Err(error) => Err(ChangeError::Wrong(error)),
    }
}

/// Whether the file reads together with the environment, whose own mistakes are no reason against a change of the file.
fn read_here(environment: &BTreeMap<String, String>, file: SettingsFile<'_>) -> Result<(), ConfigError> {
    match read(environment, Some(file)) {
        Err(ConfigError { place: Place::Variable(_), .. }) => read(&BTreeMap::new(), Some(file)).map(drop),
        other => other.map(drop),
    }
}

pub(super) fn asked_wrongly(key: &str, problem: Problem) -> ConfigError {
    ConfigError { place: Place::Asked(key.to_owned()), problem }
}

impl<'a> Asked<'a> {
    fn read(key: &'a str) -> Result<Self, ConfigError> {
        let key = key.trim();
        if let Some(plain) = keys::ALL.into_iter().find(|known| known.dotted() == key) {
            return Ok(Self::Plain(plain));
        }
        for named in keys::NAMED {
            let name = key.strip_prefix(named.table).and_then(|rest| rest.strip_suffix(named.key));
            let name = name.and_then(|rest| rest.strip_prefix('.')?.strip_suffix('.'));
            let name = name.map(|name| name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name));
            if let Some(name) = name.filter(|name| is_a_name(name)) {
                return Ok(Self::Of(named, name));
            }
        }
        let shown: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
        let shown = if shown.is_empty() { "an empty name".to_owned() } else { shown };
        let plain = key.to_ascii_lowercase();
        let problem = if SECRET_WORDS.iter().any(|word| plain.contains(word)) && !plain.contains("context_token") {
            Problem::Secret
        } else {
            let known = keys::ALL.map(Key::dotted).into_iter();
            let known: Vec<_> = known.chain(keys::NAMED.map(|named| named.dotted("NAME"))).collect();
            let nearest = likely(key, known.iter().map(String::as_str)).map(str::to_owned);
            Problem::Unknown { nearest }
        };
        Err(ConfigError { place: Place::Asked(shown), problem })
    }

    fn dotted(&self) -> String {
        match self {
            Self::Plain(key) => key.dotted(),
            Self::Of(named, name) => named.dotted(name),
        }
    }

    fn path(&self) -> Vec<&str> {
        match self {
            Self::Plain(key) => vec![key.table, key.key],
            Self::Of(named, name) => vec![named.table, name, named.key],
        }
    }

    fn value(&self, text: &str) -> Result<Value, Problem> {
        unquoted(&source::Value::Text(text.to_owned()))?;
        let kind = match self {
            Self::Plain(key) => key.kind,
            Self::Of(..) => Kind::Number,
        };
        value(kind, text)
    }
}

/// What stands in the file for this text of a command line or of a variable.
pub(super) fn value(kind: Kind, text: &str) -> Result<Value, Problem> {
    match kind {
        Kind::Text => Ok(text.into()),
        Kind::Number => {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse::<i64>().ok().filter(|_| digits);
            number.map(Value::from).ok_or(Problem::Kind { wanted: "a whole number, like 65536" })
        }
        Kind::Truth => Ok(read_truth(&source::Value::Text(text.to_owned()))?.into()),
        Kind::List => Ok(Value::Array(text.split(',').map(str::trim).collect::<Array>())),
    }
}

/// What can stand in quotes in the file and in a sentence.
fn is_a_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || c == '"' || c == '\\')
}

/// Puts a value where it belongs, and makes the tables that are missing.
pub(super) fn put(document: &mut DocumentMut, path: &[&str], value: Value) -> Result<(), Problem> {
    let Some((key, tables)) = path.split_last() else { return Ok(()) };
    let mut item = document.as_item_mut();
    for (depth, name) in tables.iter().enumerate() {
        let fresh = if item.is_inline_table() {
            Item::Value(Value::InlineTable(InlineTable::new()))
        } else {
            let mut table = Table::new();
            // Of `[mac."studio-2"]` the table `[mac]` needs no line of its own.
            table.set_implicit(depth + 1 < tables.len());
            Item::Table(table)
        };
        let table = item.as_table_like_mut().ok_or(NOT_A_TABLE)?;
        item = table.entry(name).or_insert(fresh);
    }
    let table = item.as_table_like_mut().ok_or(NOT_A_TABLE)?;
    match table.get_mut(key) {
        // The comment behind it stays.
        Some(Item::Value(there)) => {
            let decor = there.decor().clone();
            *there = value;
            *there.decor_mut() = decor;
        }
        Some(other) => *other = Item::Value(value),
        None => drop(table.insert(key, Item::Value(value))),
    }
    Ok(())
}

const NOT_A_TABLE: Problem = Problem::Kind {
    wanted: "in a table: write the table's name in brackets on a line of its own, and its settings below",
};

/// The text without a setting. Its line goes; comments above and behind it stay.
fn without(document: Document<&str>, path: &[&str]) -> String {
    let text = document.raw();
    let Some((key, tables)) = path.split_last() else { return text.to_owned() };
    let mut item = document.as_item();
    for name in tables {
        let Some(below) = item.as_table_like().and_then(|table| table.get(name)) else { return text.to_owned() };
        item = below;
    }
    if let Some(table) = item.as_table() {
        let spans = table.get_key_value(key).map(|(key, value)| (key.span(), value.span()));
        let Some((Some(key), Some(value))) = spans else { return text.to_owned() };
        let from = text.get(..key.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
        let (before, behind) = (text.get(..from).unwrap_or_default(), text.get(value.end..).unwrap_or_default());
        let comment = behind.trim_start_matches([' ', '\t']);
        let behind =
            if comment.starts_with('#') { comment } else { behind.split_once('\n').map_or("", |(_, behind)| behind) };
        return format!("{before}{behind}");
    }
    let mut document = document.into_mut();
    remove(document.as_item_mut(), tables, key);
    document.to_string()
}

fn remove(item: &mut Item, tables: &[&str], key: &str) {
    let Some(table) = item.as_table_like_mut() else { return };
    match tables.split_first() {
        None => drop(table.remove(key)),
        Some((name, below)) => {
            if let Some(item) = table.get_mut(name) {
                remove(item, below, key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
