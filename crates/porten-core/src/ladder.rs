//! The single status model: every step from "signed in" to "serving", each with a state, a reason and a remedy.

use serde::{Deserialize, Serialize};

use crate::remedy::Remedy;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A credential is there.
    SignedIn,
    /// The Hub said welcome.
    HubConnected,
    /// The engine lists models.
    EngineAnswers,
    /// The engine's Macs are heard of; only where the engine tells about them.
    ClusterComplete,
    /// A wanted model is in memory; only where the engine tells.
    ModelLoaded,
    /// A wanted model generated a token.
    ModelProven,
    /// The Hub places requests for it here.
    Offered,
    /// Requests may come, or run.
    Serving,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum RungState {
    /// So it is.
    Reached,
    /// Under way, nothing to do.
    Pending,
    /// Not so; the reason and the remedy say more.
    Failed,
    /// Cannot be known before a lower step is reached.
    Unknown,
}

/// One step as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Rung {
    /// Which.
    pub step: Step,
    /// How it stands.
    pub state: RungState,
    /// Why, in a few words or one sentence.
    pub reason: String,
    /// What to do, if there is something to do: one sentence without a full stop.
    pub remedy: Option<String>,
    /// The same as data, which each front end has its own words for.
    pub fix: Option<Remedy>,
}

impl Rung {
    /// A step that is reached.
    #[must_use]
    pub fn reached(step: Step, reason: impl Into<String>) -> Self {
        Self { step, state: RungState::Reached, reason: reason.into(), remedy: None, fix: None }
    }

    /// A step under way.
    #[must_use]
    pub fn pending(step: Step, reason: impl Into<String>) -> Self {
        Self { step, state: RungState::Pending, reason: reason.into(), remedy: None, fix: None }
    }

    /// A step that failed, and what to do.
    #[must_use]
    pub fn failed(step: Step, reason: impl Into<String>, fix: Remedy) -> Self {
        Self { state: RungState::Failed, ..Self::pending(step, reason) }.with(fix)
    }

    /// The same with something to do.
    #[must_use]
    pub fn with(self, fix: Remedy) -> Self {
        Self { remedy: Some(fix.advice()), fix: Some(fix), ..self }
    }

    /// A step that waits for a lower one.
    #[must_use]
    pub fn unknown(step: Step) -> Self {
        Self { step, state: RungState::Unknown, reason: String::new(), remedy: None, fix: None }
    }
}

impl Step {
    /// Its name for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SignedIn => "Signed in",
            Self::HubConnected => "Hub connected",
            Self::EngineAnswers => "Engine answers",
            Self::ClusterComplete => "Cluster complete",
            Self::ModelLoaded => "Model loaded",
            Self::ModelProven => "Model proven",
            Self::Offered => "Offered by the Hub",
            Self::Serving => "Serving",
        }
    }
}
