//! How the process ends: a number that scripts can rely on.

use std::process::ExitCode;

use porten_agent::local::LocalError;
use porten_agent::settings::SettingError;
use porten_agent::setup::SetupError;
use porten_core::command::{Declined, DeclinedCode};

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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Broken => 1,
            Exit::Wrong => 2,
            Exit::Held => porten_core::seat::REFUSED,
            Exit::SignIn => 4,
        })
    }
}

/// Settings that cannot be used end with 2, a machine without a place for them with 1.
pub(crate) const fn of_setup(error: &SetupError) -> Exit {
    match error {
        SetupError::Config(_) | SetupError::NotText(_) | SetupError::File { .. } => Exit::Wrong,
        SetupError::Places(_) => Exit::Broken,
    }
}

/// What was asked wrongly ends with 2, everything else with 1.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<LocalError>() {
        Some(LocalError::Declined(Declined {
            code: DeclinedCode::UnknownModel | DeclinedCode::UnknownMac | DeclinedCode::Settings,
            ..
        })) => Exit::Wrong,
        _ => match (error.downcast_ref::<SettingError>(), error.downcast_ref::<SetupError>()) {
            (Some(SettingError::Wrong(_)), _) => Exit::Wrong,
            (Some(SettingError::Read(error)), _) | (_, Some(error)) => of_setup(error),
            _ => Exit::Broken,
        },
    }
}
