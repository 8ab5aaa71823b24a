//! Writes into the settings file what the environment says, for a process that will not see this environment.

use std::collections::BTreeMap;

use toml_edit::DocumentMut;

use super::change::{ChangeError, asked_wrongly, put, value};
use super::file::syntax;
use super::source::variable;
use super::{SettingsFile, keys, read};

/// The file's text with every setting that a variable says; its comments stay. Without any the text is as it was.
///
/// # Errors
/// What came out would not read as settings, or the file does not read already.
pub fn persist(environment: &BTreeMap<String, String>, file: SettingsFile<'_>) -> Result<String, ChangeError> {
    let said = keys::ALL.into_iter().filter_map(|key| Some((key, variable(key, environment)?.1)));
    let mut document: DocumentMut = file
        .text
        .parse()
        .map_err(|error: toml_edit::TomlError| ChangeError::Wrong(syntax(&file, error.span(), error.message())))?;
    for (key, text) in said {
        let wrong = |problem| ChangeError::Wrong(asked_wrongly(&key.dotted(), problem));
        let value = value(key.kind, text.trim()).map_err(wrong)?;
        put(&mut document, &[key.table, key.key], value).map_err(wrong)?;
    }
    let text = document.to_string();
    // All at once: some settings hold only together with others.
    read(&BTreeMap::new(), Some(SettingsFile { text: &text, ..file })).map_err(ChangeError::Wrong)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, shown};

    fn persisted(environment: &[(&str, &str)], text: &str) -> Result<String, ChangeError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        persist(&environment, SettingsFile { text, path: "~/c.toml" })
    }

    #[test]
    fn what_the_environment_says_holds_without_it() {
        let environment = [
            ("PORTEN_HUB_URL", "wss://hub.example"),
            ("PORTEN_ENGINE", "OpenAI"),
            ("PORTEN_ENGINE_URL", "http://10.0.0.7:8000"),
            ("PORTEN_ENGINE_ALLOW_REMOTE", "yes"),
            ("PORTEN_ENGINE_MODELS", "a, b=x/B"),
            ("PORTEN_ENGINE_MAX_CONCURRENT", " 8 "),
            ("PORTEN_VRAM_BUDGET_MB", "262144"),
            ("PORTEN_LOG", "warn"),
            ("PORTEN_KEYCHAIN", "file"),
            ("PORTEN_HOME", "/elsewhere"),
        ];
        let text = persisted(&environment, "# mine\n[hub]\nurl = \"wss://old.example\" # old\n").unwrap();
        assert!(text.starts_with("# mine\n[hub]\nurl = \"wss://hub.example\" # old\n"), "{text}");
        let all = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (with, alone) = (read(&all, None).unwrap(), SettingsFile { text: &text, path: "~/c.toml" });
        let alone = read(&BTreeMap::new(), Some(alone)).unwrap();
        let values = |config| shown(config, "").into_iter().map(|view| (view.key, view.value)).collect::<Vec<_>>();
        assert_eq!(values(&with), values(&alone));
        let chosen = shown(&alone, "").into_iter().filter(|view| matches!(view.origin, Origin::File(_))).count();
        assert_eq!(chosen, 9, "each that a variable may say: {text}");
        assert_eq!(persisted(&environment, &text).unwrap(), text, "a second time changes nothing");
    }

    #[test]
    fn nothing_said_nothing_changed_and_a_blank_says_nothing() {
        let text = "# mine\n[log]\nlevel   =  'warn'\n";
        assert_eq!(persisted(&[("PORTEN_LOG", " "), ("PORTEN_OTHER", "x")], text).unwrap(), text);
        assert_eq!(persisted(&[], "").unwrap(), "");
    }

    #[test]
    fn what_does_not_read_is_told_and_not_written() {
        let said = |environment: &[(&str, &str)], text| persisted(environment, text).unwrap_err().to_string();
        assert!(said(&[("PORTEN_LOG", "loud")], "").contains("log.level"), "{}", said(&[("PORTEN_LOG", "loud")], ""));
        assert!(said(&[("PORTEN_LOG", "warn")], "[hub").contains("~/c.toml"));
    }
}
