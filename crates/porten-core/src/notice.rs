//! What a person should know or do: shown only once it has lasted, and not while its cause is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::remedy::Remedy;
use crate::time::{Moment, Now};

/// What a notice is about. Front ends switch on it; the words are for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Nobody is signed in, or the Hub no longer knows this machine.
    SignIn,
    /// The Hub refuses for a reason that only a person can mend.
    HubRefused,
    /// The Hub cannot be reached.
    HubUnreachable,
    /// The engine does not answer.
    EngineDown,
    /// What the engine tells of its Macs does not move any more.
    ClusterStale,
    /// exo goes through its history and is not believed meanwhile.
    ClusterReplaying,
    /// A Mac of the cluster is not heard of.
    MemberLost,
    /// exo lists a Mac as it was before it started anew there.
    Ghost,
    /// A model's parts talk over less than their Macs have, or have had.
    SlowLink,
    /// A Mac could do RDMA, and it is off there.
    RdmaOff,
    /// A Mac can never do RDMA.
    Thunderbolt4,
    /// Thunderbolt bridges form a loop.
    BridgeLoop,
    /// The Macs do not run the same macOS.
    BuildsDiffer,
    /// A Mac has little memory left, or moved much of it to its disk.
    MemoryPressure,
    /// What GPUs may hold is assumed.
    LimitAssumed,
    /// What was told of a Mac's limit does not count any more.
    LimitForgotten,
    /// A disk has no room for a download.
    DiskShort,
    /// The budget that was set is above what the GPUs can use.
    BudgetHigh,
    /// A loaded model has lost a Mac.
    ModelBroken,
    /// A model that is being loaded does not come on.
    LoadStalled,
    /// No place has room for a wanted model.
    ModelUnfit,
    /// A wanted model cannot be loaded.
    ModelUnplaced,
    /// A wanted id cannot be matched to one the engine serves.
    ModelUnmatched,
    /// The engine lists a model but cannot generate with it.
    ModelUnproven,
    /// The engine computes on though its client has left.
    StillBusy,
    /// The Hub does not offer an advertised id.
    NotOffered,
    /// Nothing is configured or found to serve.
    NothingToServe,
    /// The machine is to be kept awake and is not: it runs on its battery, or the system refuses.
    MaySleep,
    /// The app's icon cannot be seen in the menu bar.
    IconHidden,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing is wrong.
    Note,
    /// Works, but not as it should.
    Degraded,
    /// Only a person can mend it.
    NeedsYou,
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Notice {
    /// What it is about.
    pub code: Code,
    /// Whose, where there can be several: a model's Hub id, else empty.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// Who and what, a few words.
    pub title: String,
    /// One sentence or two, with their full stops.
    pub text: String,
    /// What to do, one sentence without a full stop.
    pub remedy: String,
    /// The same as data, which each front end has its own words for.
    pub fix: Option<Remedy>,
    /// Since when.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub since: Timestamp,
}

/// A condition that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// What it is about.
    pub code: Code,
    /// Whose; may be empty.
    pub subject: String,
    /// A few words.
    pub title: String,
    /// One sentence or two, with their full stops.
    pub text: String,
    /// What to do.
    pub fix: Remedy,
}

impl Code {
    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::SignIn
            | Self::HubRefused
            | Self::EngineDown
            | Self::ModelUnmatched
            | Self::ModelBroken
            | Self::LoadStalled
            | Self::ModelUnfit
            | Self::DiskShort
            | Self::ModelUnplaced
            | Self::NothingToServe => Severity::NeedsYou,
            Self::HubUnreachable
            | Self::ClusterStale
            | Self::ClusterReplaying
            | Self::MemberLost
            | Self::Ghost
            | Self::SlowLink
            | Self::RdmaOff
            | Self::BridgeLoop
            | Self::BuildsDiffer
            | Self::MemoryPressure
            | Self::LimitForgotten
            | Self::ModelUnproven
            | Self::NotOffered
            | Self::MaySleep
            | Self::IconHidden => Severity::Degraded,
            Self::Thunderbolt4 | Self::LimitAssumed | Self::BudgetHigh | Self::StillBusy => Severity::Note,
        }
    }

    /// How long it must have lasted to be worth a word.
    #[must_use]
    pub const fn patience(self) -> Duration {
        match self {
            // A Mac is missing, a load stalls, a limit is forgotten or an engine lingers only after a time of its own.
            Self::SignIn
            | Self::HubRefused
            | Self::ModelUnplaced
            | Self::ModelUnfit
            | Self::ModelBroken
            | Self::MemberLost
            | Self::ClusterStale
            | Self::LoadStalled
            | Self::StillBusy
            | Self::LimitForgotten
            | Self::IconHidden => Duration::ZERO,
            Self::NotOffered => Duration::from_secs(2),
            Self::EngineDown | Self::ModelUnmatched | Self::NothingToServe | Self::MaySleep => Duration::from_secs(5),
            Self::HubUnreachable | Self::ModelUnproven | Self::SlowLink | Self::DiskShort | Self::BudgetHigh => {
                Duration::from_secs(10)
            }
            Self::MemoryPressure | Self::BridgeLoop | Self::BuildsDiffer => Duration::from_secs(20),
            // Documents of a Mac that joins arrive one by one.
            Self::RdmaOff | Self::Thunderbolt4 | Self::LimitAssumed | Self::ClusterReplaying => Duration::from_secs(30),
            // exo forgets one within 36 s (measured).
            Self::Ghost => Duration::from_secs(45),
        }
    }

    /// What explains it: while one of these is shown, this one is not.
    #[must_use]
    pub const fn causes(self) -> &'static [Self] {
        match self {
            Self::ClusterStale | Self::ModelUnmatched | Self::NothingToServe => &[Self::EngineDown],
            Self::ClusterReplaying => &[Self::EngineDown],
            Self::MemberLost
            | Self::Ghost
            | Self::SlowLink
            | Self::RdmaOff
            | Self::Thunderbolt4
            | Self::BridgeLoop
            | Self::BuildsDiffer
            | Self::MemoryPressure
            | Self::LimitAssumed
            | Self::LimitForgotten
            | Self::DiskShort
            | Self::BudgetHigh
            | Self::LoadStalled
            | Self::ModelUnfit => &[Self::EngineDown, Self::ClusterStale],
            Self::StillBusy => &[Self::EngineDown, Self::ClusterStale, Self::MemberLost, Self::ModelBroken],
            Self::ModelBroken => &[Self::EngineDown, Self::ClusterStale, Self::MemberLost],
            Self::ModelUnplaced | Self::ModelUnproven => &[Self::EngineDown, Self::ClusterStale, Self::MemberLost],
            Self::NotOffered => &[Self::HubUnreachable, Self::HubRefused, Self::SignIn],
            Self::SignIn
            | Self::HubRefused
            | Self::HubUnreachable
            | Self::EngineDown
            | Self::MaySleep
            | Self::IconHidden => &[],
        }
    }
}

/// Remembers since when each condition holds.
#[derive(Debug, Default)]
pub struct Book {
    since: BTreeMap<(Code, String), Now>,
    impatient: bool,
}

impl Book {
    /// One that shows everything at once: of a state that was saved nobody knows for how long it held.
    #[must_use]
    pub fn impatient() -> Self {
        Self { impatient: true, ..Self::default() }
    }

    /// The notices to show for the conditions that hold now, worst first.
    pub fn draw(&mut self, raised: Vec<Raised>, now: Now) -> Vec<Notice> {
        self.since.retain(|key, _| raised.iter().any(|one| (one.code, &one.subject) == (key.0, &key.1)));
        let mut due: Vec<Notice> = Vec::new();
        for one in raised {
            let since = *self.since.entry((one.code, one.subject.clone())).or_insert(now);
            if self.impatient || now.mono.since(since.mono) >= one.code.patience() {
                due.push(Notice {
                    code: one.code,
                    subject: one.subject,
                    severity: one.code.severity(),
                    title: one.title,
                    text: one.text,
                    remedy: one.fix.advice(),
                    fix: Some(one.fix),
                    since: since.wall,
                });
            }
        }
        let shown: Vec<Code> = due.iter().map(|notice| notice.code).collect();
        due.retain(|notice| !notice.code.causes().iter().any(|cause| shown.contains(cause)));
        due.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)).then(a.code.cmp(&b.code)));
        due
    }

    /// When a condition becomes worth a word, if one still has to last.
    #[must_use]
    pub fn deadline(&self, now: Moment) -> Option<Moment> {
        self.since.iter().map(|((code, _), since)| since.mono + code.patience()).filter(|due| *due > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(code: Code) -> Raised {
        Raised { code, subject: String::new(), title: "t".into(), text: "x".into(), fix: Remedy::Nothing }
    }

    fn at(seconds: u64) -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH) + Duration::from_secs(seconds)
    }

    fn codes(notices: &[Notice]) -> Vec<Code> {
        notices.iter().map(|notice| notice.code).collect()
    }

    #[test]
    fn a_condition_is_shown_only_once_it_has_lasted_and_a_blink_starts_it_anew() {
        let mut book = Book::default();
        assert!(book.draw(vec![raised(Code::EngineDown)], at(0)).is_empty());
        assert_eq!(book.deadline(at(0).mono), Some(at(5).mono));
        assert_eq!(codes(&book.draw(vec![raised(Code::EngineDown)], at(5))), [Code::EngineDown]);
        assert!(book.draw(vec![], at(6)).is_empty());
        assert!(book.draw(vec![raised(Code::EngineDown)], at(7)).is_empty());
    }

    #[test]
    fn a_consequence_is_hidden_while_its_cause_is_shown() {
        let mut book = Book::default();
        let both = || vec![raised(Code::ModelUnproven), raised(Code::EngineDown)];
        book.draw(both(), at(0));
        assert_eq!(codes(&book.draw(both(), at(60))), [Code::EngineDown]);
        assert_eq!(codes(&book.draw(vec![raised(Code::ModelUnproven)], at(61))), [Code::ModelUnproven]);
    }

    #[test]
    fn what_needs_a_person_comes_first() {
        let mut book = Book::default();
        let both = || vec![raised(Code::HubUnreachable), raised(Code::EngineDown)];
        book.draw(both(), at(0));
        assert_eq!(codes(&book.draw(both(), at(60))), [Code::EngineDown, Code::HubUnreachable]);
    }
}
