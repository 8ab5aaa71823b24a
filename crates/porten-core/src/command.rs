//! What a front end can ask of the agent.

use serde::{Deserialize, Serialize};

use crate::exo::How;
use crate::ids::ModelId;
use crate::pause::Pause;
use crate::seat::Host;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Be online, or not. Going offline finishes what runs first.
    SetOnline {
        /// The wish.
        online: bool,
    },
    /// Go offline, and cut what still runs after a time; also while that is going on already.
    Drain {
        /// How long running requests may take (seconds); 0 cuts them now.
        within_s: u64,
    },
    /// Rest, though online is wanted; `None` ends the rest. Running requests are finished first.
    Pause {
        /// How long.
        pause: Option<Pause>,
    },
    /// Read the settings file again: it was changed by a front end, or by hand.
    Reload,
    /// Serve a model, or not.
    SetModel {
        /// Which, by its Hub id.
        id: ModelId,
        /// The wish.
        on: bool,
        /// How it is to be placed; `None`: as was said last.
        #[serde(default)]
        how: Option<How>,
        /// Whether what Porten loaded stays loaded although it is off.
        #[serde(default)]
        keep: bool,
    },
    /// Take a person's word for what the GPU of a Mac may hold, until that Mac starts exo anew.
    TellLimit {
        /// The Mac's name.
        mac: String,
        /// Its limit (MiB); `None` takes it back.
        mib: Option<u64>,
    },
    /// The credential store changed (`porten login` in another process): read it again.
    CredentialChanged,
    /// Revoke the credential at the Hub, then forget it.
    SignOut,
    /// Look and try again now.
    Nudge,
    /// Finish what runs, end, and leave this machine to another kind of host; declined by whom the table in
    /// [`crate::seat`] does not have yield.
    Yield {
        /// Who takes over.
        to: Host,
    },
}

/// What came of a command that was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// To [`Command::SignOut`]: what became of the sign-in at the Hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
}

/// What became of a sign-in at the Hub when it was forgotten here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// There was none.
    NobodySignedIn,
    /// The Hub ended it.
    Revoked,
    /// The Hub could not be reached, so there it goes on.
    Unreachable,
    /// The Hub answered, and did not end it.
    NotTaken,
}

impl Command {
    /// Turns a model on or off, placed as was said last.
    #[must_use]
    pub const fn turn(id: ModelId, on: bool) -> Self {
        Self::SetModel { id, on, how: None, keep: false }
    }
}

/// A command that was not taken, told to the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[error("{text}")]
pub struct Declined {
    /// What a front end switches on.
    pub code: DeclinedCode,
    /// What happened and what to do.
    pub text: String,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum DeclinedCode {
    /// No such model is configured.
    UnknownModel,
    /// No Mac of the cluster has this name.
    UnknownMac,
    /// The wish could not be written to disk.
    NotKept,
    /// The settings cannot be used; the old ones hold on.
    Settings,
    /// The credential store failed.
    Credential,
    /// The command does not read.
    NotACommand,
    /// The agent, in another process, does not answer.
    NoAnswer,
    /// The agent is stopping.
    Stopping,
    /// This agent does not yield to who asks.
    DoesNotYield,
}
