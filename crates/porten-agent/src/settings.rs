//! The settings as people see and change them: a change goes into the settings file, checked as a whole before it is
//! written, and an agent that runs takes it up with [`porten_core::command::Command::Reload`].

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use porten_core::bridge::{KeptView, SettingView};
use porten_core::config::{
    ChangeError, Changed, ConfigError, SettingsFile, change as changed, persist as persisted, shown,
};

use crate::node::known_id;
use crate::places::{Places, replace};
use crate::setup::{Setup, SetupError, settings_file};

/// A setting was not changed; the file is as it was. Its `Display` is one sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting, not with this value, or the environment says it.
    #[error(transparent)]
    Wrong(#[from] ChangeError),
    /// The settings file cannot be read.
    #[error(transparent)]
    Read(#[from] SetupError),
    /// It cannot be written.
    #[error("{} cannot be written ({source}); the setting is as it was", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Every setting, in the order of docs/configuration.md, as the setup was read: after a change see [`Setup::again`].
#[must_use]
pub fn view(setup: &Setup) -> Vec<SettingView> {
    shown(&setup.config, &setup.places.config.display().to_string())
}

/// Sets a setting in the file, or takes it out with `None`; also in a file that is wrong elsewhere. Returns what is wrong
/// there still.
///
/// # Errors
/// See [`SettingError`].
pub fn change(
    places: &Places,
    environment: &BTreeMap<String, String>,
    key: &str,
    value: Option<&str>,
) -> Result<Option<ConfigError>, SettingError> {
    let path = &places.config;
    let before = settings_file(path)?.unwrap_or_default();
    let file = SettingsFile { text: &before, path: &path.display().to_string() };
    let Changed { text: after, still_wrong } = changed(environment, file, key, value)?;
    if after != before {
        write(path, &after).map_err(|source| SettingError::Write { path: path.clone(), source })?;
    }
    Ok(still_wrong)
}

/// Writes into the file what the environment says, and says whether that changed anything.
///
/// # Errors
/// See [`SettingError`].
pub fn persist(setup: &Setup) -> Result<bool, SettingError> {
    let path = &setup.places.config;
    let (before, after) = persisted_file(setup)?;
    if after == before {
        return Ok(false);
    }
    write(path, &after).map_err(|source| SettingError::Write { path: path.clone(), source })?;
    Ok(true)
}

/// Whether [`persist`] would change anything.
///
/// # Errors
/// See [`SettingError`].
pub fn would_persist(setup: &Setup) -> Result<bool, SettingError> {
    let (before, after) = persisted_file(setup)?;
    Ok(after != before)
}

/// The file's text before and after.
fn persisted_file(setup: &Setup) -> Result<(String, String), SettingError> {
    let before = settings_file(&setup.places.config)?.unwrap_or_default();
    let file = SettingsFile { text: &before, path: &setup.places.config.display().to_string() };
    let after = persisted(&setup.environment, file)?;
    Ok((before, after))
}

/// Whoever keeps this file elsewhere and links to it finds the change there.
fn write(path: &std::path::Path, text: &str) -> io::Result<()> {
    let path = match path.canonicalize() {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            path.to_owned()
        }
        Err(error) => return Err(error),
    };
    replace(&path, text)
}

/// What is kept where; nothing is written. Asks whether there is a keyring, which may take a moment.
#[must_use]
pub fn kept(setup: &Setup) -> Vec<KeptView> {
    let view = |what: &str, place: String| KeptView { what: what.to_owned(), place };
    let places = &setup.places;
    vec![
        view("Sign-in", setup.vault(&known_id(&places.state).unwrap_or_default()).words()),
        view("Settings", places.config.display().to_string()),
        view("Wishes and what was placed", places.state.display().to_string()),
        view("Lock and socket", places.run.display().to_string()),
        view("Log", format!("Standard error of the program; of the background service {}", places.logs.display())),
    ]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use porten_core::config::Origin;

    use super::*;

    fn setup(home: &Path) -> Setup {
        let places = Places::find(Some(home)).unwrap();
        let environment = BTreeMap::from([("PORTEN_KEYCHAIN".to_owned(), "file".to_owned())]);
        let config = porten_core::config::read(&environment, None).unwrap();
        Setup { config, places, environment }.again().unwrap()
    }

    fn holds(setup: &Setup, key: &str) -> (Option<String>, Origin) {
        let views = view(&setup.again().unwrap());
        let found = views.into_iter().find(|view| view.key == key).unwrap();
        (found.value, found.origin)
    }

    #[test]
    fn a_change_is_in_the_file_at_once_and_taken_out_again() {
        let home = tempfile::tempdir().unwrap();
        // As on a new account: not even the folder is there.
        let setup = setup(&home.path().join("new"));
        change(&setup.places, &setup.environment, "power.keep_awake", Some("true")).unwrap();
        let file = Origin::File(setup.places.config.display().to_string());
        assert_eq!(holds(&setup, "power.keep_awake"), (Some("true".to_owned()), file));
        let mode = std::fs::metadata(&setup.places.config).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        change(&setup.places, &setup.environment, "power.keep_awake", None).unwrap();
        assert_eq!(holds(&setup, "power.keep_awake"), (Some("false".to_owned()), Origin::Default));
    }

    #[test]
    fn a_linked_file_is_changed_where_it_is() {
        let home = tempfile::tempdir().unwrap();
        let setup = setup(home.path());
        let there = home.path().join("dotfiles.toml");
        std::fs::write(&there, "# mine\n[log]\nlevel = \"warn\"\n").unwrap();
        symlink(&there, &setup.places.config).unwrap();
        change(&setup.places, &setup.environment, "log.level", Some("debug")).unwrap();
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "# mine\n[log]\nlevel = \"debug\"\n");
        assert!(std::fs::symlink_metadata(&setup.places.config).unwrap().is_symlink());
    }

    /// Fault F3: a change that cannot be made leaves the settings file as it was, and says why in one sentence.
    #[test]
    fn what_cannot_be_changed_leaves_the_file_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let setup = setup(home.path());
        let text = "# mine\n[log]\nlevel = \"warn\"\n";
        std::fs::write(&setup.places.config, text).unwrap();
        let said = |key, value| change(&setup.places, &setup.environment, key, Some(value)).unwrap_err().to_string();
        assert!(said("log.level", "loud").starts_with("log.level is \"loud\""));
        assert!(said("keychain.store", "auto").starts_with("keychain.store is set by PORTEN_KEYCHAIN"));
        std::fs::create_dir(setup.places.config.with_extension("new")).unwrap();
        let told = said("log.level", "debug");
        assert!(told.contains("cannot be written") && told.lines().count() == 1, "{told}");
        assert_eq!(std::fs::read_to_string(&setup.places.config).unwrap(), text);
    }
}
