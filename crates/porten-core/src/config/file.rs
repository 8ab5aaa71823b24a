//! Reads the settings file into text and lists, each with the line it stands on; what they mean is decided elsewhere.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Problem};
use super::keys::{self, Key, Kind, Named};
use super::source::Value;
use super::{MAX_FILE, SettingsFile};
use crate::nearest::likely;

/// Words in a key that tell that somebody wants to keep a secret in it.
pub(super) const SECRET_WORDS: [&str; 8] =
    ["token", "secret", "password", "passphrase", "api_key", "apikey", "credential", "bearer"];

/// One setting that stands in the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// One setting of a thing that has a name.
#[derive(Debug)]
pub(super) struct NamedEntry {
    pub(super) key: Named,
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) line: usize,
}

/// All that stands in the file.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) entries: Vec<Entry>,
    pub(super) named: Vec<NamedEntry>,
}

/// Reads the whole file; every table, key and kind in it must be known.
pub(super) fn read(file: &SettingsFile<'_>) -> Result<Written, ConfigError> {
    if file.text.len() > MAX_FILE {
        return Err(whole(file, None, Problem::TooLong));
    }
    let document = DeTable::parse(file.text).map_err(|error| syntax(file, error.span(), error.message()))?;
    let mut written = Written::default();
    for (table_name, table) in document.get_ref() {
        let name = table_name.get_ref().as_ref();
        let known: Vec<Key> = keys::ALL.into_iter().filter(|key| key.table == name).collect();
        let named: Vec<Named> = keys::NAMED.into_iter().filter(|key| key.table == name).collect();
        if known.is_empty() && named.is_empty() {
            let tables = keys::ALL.iter().map(|key| key.table).chain(keys::NAMED.iter().map(|key| key.table));
            let nearest = likely(name, tables).map(|table| format!("[{table}]"));
            return Err(at(file, name, &table_name.span(), unknown(name, nearest)));
        }
        let DeValue::Table(table) = table.get_ref() else {
            let wanted = "a table: write its name in brackets on a line of its own, and its settings below";
            return Err(at(file, name, &table.span(), Problem::Kind { wanted }));
        };
        if named.is_empty() {
            read_table(file, name, &known, table, &mut written.entries)?;
        } else {
            read_named(file, name, &named, table, &mut written.named)?;
        }
    }
    Ok(written)
}

/// A table of tables: `[mac."studio-2"]`.
fn read_named(
    file: &SettingsFile<'_>,
    table_name: &str,
    known: &[Named],
    table: &DeTable<'_>,
    entries: &mut Vec<NamedEntry>,
) -> Result<(), ConfigError> {
    for (thing, settings) in table {
        let name = thing.get_ref().to_string();
        let dotted = format!("{table_name}.\"{name}\"");
        let DeValue::Table(settings) = settings.get_ref() else {
            let wanted = "a table of its own: write its name in quotes, like [mac.\"studio-2\"]";
            return Err(at(file, &dotted, &settings.span(), Problem::Kind { wanted }));
        };
        for (key_name, value) in settings {
            let dotted = format!("{dotted}.{}", key_name.get_ref());
            let Some(key) = known.iter().find(|key| key.key == key_name.get_ref().as_ref()) else {
                let nearest = likely(key_name.get_ref(), known.iter().map(|key| key.key)).map(str::to_owned);
                return Err(at(file, &dotted, &key_name.span(), unknown(key_name.get_ref(), nearest)));
            };
            let value_read =
                read_value(Kind::Number, value).map_err(|problem| at(file, &dotted, &value.span(), problem))?;
            let line = line_of(file.text, &value.span());
            entries.push(NamedEntry { key: *key, name: name.clone(), value: value_read, line });
        }
    }
    Ok(())
}

fn read_table(
    file: &SettingsFile<'_>,
    table_name: &str,
    known: &[Key],
    table: &DeTable<'_>,
    entries: &mut Vec<Entry>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let dotted = format!("{table_name}.{}", name.get_ref());
        let Some(key) = known.iter().find(|key| key.key == name.get_ref().as_ref()) else {
            let all: Vec<_> = keys::ALL.iter().map(|key| key.dotted()).collect();
            let nearest = likely(&dotted, all.iter().map(String::as_str)).map(str::to_owned);
            return Err(at(file, &dotted, &name.span(), unknown(name.get_ref(), nearest)));
        };
        let read = read_value(key.kind, value).map_err(|problem| at(file, &dotted, &value.span(), problem))?;
        entries.push(Entry { key: *key, value: read, line: line_of(file.text, &value.span()) });
    }
    Ok(())
}

fn read_value(kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<Value, Problem> {
    let wrong = |wanted| Err(Problem::Kind { wanted });
    match (kind, value.get_ref()) {
        (Kind::Text, DeValue::String(text)) => Ok(Value::Text(text.to_string())),
        (Kind::Text, _) => wrong("text in quotes, like \"openai\""),
        (Kind::Number, DeValue::Integer(number)) => {
            // Written in another base it would read as another number; whatever does not fit is out of range anyway.
            let number = u64::from_str_radix(number.as_str(), number.radix());
            Ok(Value::Text(number.map_or_else(|_| value_text(value), |number| number.to_string())))
        }
        (Kind::Number, _) => wrong("a whole number without quotes, like 65536"),
        (Kind::Truth, DeValue::Boolean(truth)) => Ok(Value::Text(truth.to_string())),
        (Kind::Truth, _) => wrong("true or false, without quotes"),
        (Kind::List, DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            match items.iter().map(text).collect() {
                Some(items) => Ok(Value::List(items)),
                None => wrong("a list of texts in quotes, like [\"deepseek-v4-flash\"]"),
            }
        }
        (Kind::List, _) => wrong("a list in brackets, like [\"deepseek-v4-flash\"]"),
    }
}

fn value_text(value: &Spanned<DeValue<'_>>) -> String {
    value.get_ref().as_integer().map(ToString::to_string).unwrap_or_default()
}

/// The file does not read at all.
pub(super) fn syntax(file: &SettingsFile<'_>, span: Option<Range<usize>>, reason: &str) -> ConfigError {
    let line = span.map(|span| line_of(file.text, &span));
    whole(file, line, Problem::Syntax { reason: reason.lines().collect::<Vec<_>>().join(", ") })
}

fn unknown(name: &str, nearest: Option<String>) -> Problem {
    let plain = name.to_ascii_lowercase().replace('-', "_");
    if SECRET_WORDS.iter().any(|word| plain.contains(word)) { Problem::Secret } else { Problem::Unknown { nearest } }
}

fn at(file: &SettingsFile<'_>, key: &str, span: &Range<usize>, problem: Problem) -> ConfigError {
    // A key may be any quoted text, and this one stands in a sentence.
    let key = key.chars().filter(|c| !c.is_control()).take(80).collect();
    ConfigError { place: Place::Key { key, line: line_of(file.text, span), path: file.path.to_owned() }, problem }
}

fn whole(file: &SettingsFile<'_>, line: Option<usize>, problem: Problem) -> ConfigError {
    ConfigError { place: Place::File { path: file.path.to_owned(), line }, problem }
}

/// Counted from 1.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|&b| b == b'\n').count() + 1
}
