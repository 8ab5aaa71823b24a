//! How the process ends: a number and, with `--json`, a code that scripts can rely on (docs/json.md lists both).

use std::process::ExitCode;

use porten_agent::local::LocalError;
use porten_agent::login::LoginError;
use porten_agent::places::PlacesError;
use porten_agent::seat::SeatError;
use porten_agent::settings::SettingError;
use porten_agent::setup::SetupError;
use porten_agent::vault::VaultTrouble;
use porten_agent::wishes::WishesError;
use porten_core::command::{Declined, DeclinedCode};
use serde_json::{Value, json};

/// The exit codes of `porten`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: something broke, here or elsewhere.
    Broken,
    /// 2: asked wrongly.
    Wrong,
    /// 3: another agent holds the seat.
    Held,
    /// 4: sign in first.
    SignIn,
}

impl Exit {
    /// What the system is told.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Broken => 1,
            Self::Wrong => 2,
            Self::Held => porten_core::seat::REFUSED,
            Self::SignIn => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// What a command itself found wrong. Its `Display` is the sentence for the person.
#[derive(Debug)]
pub(crate) struct Fail {
    exit: Exit,
    code: &'static str,
    text: String,
}

impl Fail {
    /// A failure with a code of its own.
    pub(crate) fn new(exit: Exit, code: &'static str, text: impl Into<String>) -> Self {
        Self { exit, code, text: text.into() }
    }

    /// What was asked cannot be meant.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Wrong, "usage", text)
    }
}

impl std::fmt::Display for Fail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fail {}

/// A failure as the command line tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) exit: Exit,
    code: String,
    pub(crate) message: String,
}

impl Told {
    /// A failure, with what the process ends with.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let (exit, code) = classify(error);
        Self { exit, code, message: sentence(error) }
    }

    /// A failure that is told beside what a command has to say.
    pub(crate) fn new(exit: Exit, code: &str, message: &str) -> Self {
        Self { exit, code: code.to_owned(), message: message.to_owned() }
    }

    /// The document of a command that failed, as docs/json.md has it.
    pub(crate) fn json(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "exit": self.exit.number() } })
    }
}

/// The error and its causes in one line. A cause that an error has in its own words already is not said again.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

fn classify(error: &anyhow::Error) -> (Exit, String) {
    if let Some(fail) = error.downcast_ref::<Fail>() {
        return (fail.exit, fail.code.to_owned());
    }
    let (exit, code) = match error.downcast_ref::<LocalError>() {
        Some(LocalError::NotRunning) => (Exit::Broken, "not_running"),
        Some(LocalError::Version(_)) => (Exit::Broken, "other_version"),
        Some(LocalError::NoAnswer(_)) => (Exit::Broken, "no_answer"),
        Some(LocalError::Declined(Declined { code, .. })) => {
            let exit = match code {
                DeclinedCode::UnknownModel | DeclinedCode::UnknownMac | DeclinedCode::Settings => Exit::Wrong,
                _ => Exit::Broken,
            };
            let name = serde_json::to_value(code).ok().and_then(|code| Some(code.as_str()?.to_owned()));
            return (exit, name.unwrap_or_default());
        }
        None => match (error.downcast_ref::<SettingError>(), error.downcast_ref::<SetupError>()) {
            (Some(SettingError::Wrong(_)), _) => (Exit::Wrong, "settings"),
            (Some(SettingError::Write { .. }), _) => (Exit::Broken, "not_kept"),
            (Some(SettingError::Read(error)), _) | (_, Some(error)) => of_setup(error),
            _ => match error.downcast_ref::<PlacesError>() {
                Some(error) => of_places(error),
                None if error.is::<SeatError>() => (Exit::Broken, "no_place"),
                None if error.is::<WishesError>() => (Exit::Broken, "not_kept"),
                None if error.is::<LoginError>() => (Exit::Broken, "sign_in_failed"),
                None if error.is::<VaultTrouble>() => (Exit::Broken, "credential"),
                None => (Exit::Broken, "failed"),
            },
        },
    };
    (exit, code.to_owned())
}

/// Settings that cannot be used end with 2, a machine without a place for them with 1.
const fn of_setup(error: &SetupError) -> (Exit, &'static str) {
    match error {
        SetupError::Config(_) | SetupError::NotText(_) | SetupError::File { .. } => (Exit::Wrong, "settings"),
        SetupError::Places(error) => of_places(error),
    }
}

const fn of_places(error: &PlacesError) -> (Exit, &'static str) {
    match error {
        PlacesError::Relative { .. } | PlacesError::TooLong(_) => (Exit::Wrong, "settings"),
        PlacesError::NoHome | PlacesError::Folder { .. } => (Exit::Broken, "no_place"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn no_cause_is_said_twice() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = PlacesError::Folder { path: "/x".into(), source };
        let told = Told::of(&error.into());
        assert_eq!(told.message.matches("permission denied").count(), 1, "{}", told.message);
        assert_eq!((told.exit, told.code.as_str()), (Exit::Broken, "no_place"));
        let error = Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)).context("f.json cannot be read");
        assert_eq!(Told::of(&error.unwrap_err()).message, "f.json cannot be read: entity not found");
    }

    #[test]
    fn each_failure_has_its_code_and_number() {
        let of = |error: anyhow::Error| Told::of(&error).json()["error"].clone();
        let declined = Declined { code: DeclinedCode::UnknownModel, text: "No.".into() };
        let told = of(LocalError::Declined(declined).into());
        assert_eq!(told, json!({ "code": "unknown_model", "message": "No.", "exit": 2 }));
        assert_eq!(of(LocalError::NotRunning.into())["code"], "not_running");
        assert_eq!(of(Fail::usage("What?").into()), json!({ "code": "usage", "message": "What?", "exit": 2 }));
        assert_eq!(of(anyhow::anyhow!("odd"))["exit"], 1);
    }
}
