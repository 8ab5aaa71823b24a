//! Decides what a person is notified of: what needs them, and what befell Macs and models; each once, and never that all
//! is well again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::notice::{Code, Notice, Severity};
use crate::snapshot::full_stop;
use crate::time::Moment;

/// What comes within this time of a first is told with it. What has ended by then is not told at all.
const TOGETHER: Duration = Duration::from_secs(10);
/// What is there so soon after the first picture was there before anybody looked; it is told only if it needs a person.
const BEGINNING: Duration = Duration::from_secs(10);

/// The kinds that a person can switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only a person can mend it (`notify.needs_you`).
    NeedsYou,
    /// A Mac is lost, a link slow (`notify.cluster`).
    Cluster,
    /// A model is withdrawn, broken or does not fit (`notify.models`).
    Models,
}

/// Which of them are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// `notify.needs_you`.
    pub needs_you: bool,
    /// `notify.cluster`.
    pub cluster: bool,
    /// `notify.models`.
    pub models: bool,
}

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tell {
    /// What the worst of it is about.
    pub code: Code,
    /// Whose.
    pub subject: String,
    /// Who and what, a few words.
    pub title: String,
    /// A sentence or two, and what else there is.
    pub text: String,
}

/// The kind of a notice; `None`: nobody is notified of it.
#[must_use]
pub const fn kind(code: Code) -> Option<Kind> {
    match code {
        Code::SignIn
        | Code::HubRefused
        | Code::EngineDown
        | Code::ModelUnmatched
        | Code::DiskShort
        | Code::NothingToServe => Some(Kind::NeedsYou),
        Code::MemberLost | Code::ClusterStale | Code::SlowLink | Code::BridgeLoop | Code::MemoryPressure => {
            Some(Kind::Cluster)
        }
        Code::ModelBroken | Code::LoadStalled | Code::ModelUnfit | Code::ModelUnplaced | Code::ModelUnproven => {
            Some(Kind::Models)
        }
        Code::HubUnreachable
        | Code::ClusterReplaying
        | Code::Ghost
        | Code::RdmaOff
        | Code::Thunderbolt4
        | Code::BuildsDiffer
        | Code::LimitAssumed
        | Code::LimitForgotten
        | Code::BudgetHigh
        | Code::StillBusy
        | Code::NotOffered
        | Code::MaySleep
        | Code::IconHidden => None,
    }
}

impl Wants {
    const fn has(self, kind: Kind) -> bool {
        match kind {
            Kind::NeedsYou => self.needs_you,
            Kind::Cluster => self.cluster,
            Kind::Models => self.models,
        }
    }
}

/// Remembers what was told while it lasts.
#[derive(Debug, Default)]
pub struct Teller {
    first: Option<Moment>,
    /// What holds now and was told, or is about to be.
    known: BTreeSet<(Code, String)>,
    /// What is to be told, worst first.
    waiting: Vec<Notice>,
    due: Option<Moment>,
}

impl Teller {
    /// Takes the notices of a picture.
    pub fn on(&mut self, notices: &[Notice], now: Moment) {
        let first = *self.first.get_or_insert(now);
        let is_beginning = !now.reached(first + BEGINNING);
        let holds = |code: Code, subject: &str| notices.iter().any(|one| one.code == code && one.subject == subject);
        self.known.retain(|(code, subject)| holds(*code, subject));
        self.waiting.retain(|one| holds(one.code, &one.subject));
        for notice in notices.iter().filter(|notice| kind(notice.code).is_some()) {
            let is_new = self.known.insert((notice.code, notice.subject.clone()));
            if is_new && !(is_beginning && notice.severity < Severity::NeedsYou) {
                self.waiting.push(notice.clone());
            }
        }
        self.waiting.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
        self.due = if self.waiting.is_empty() { None } else { self.due.or(Some(now + TOGETHER)) };
    }

    /// When something is to be told.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// What is to be told now, of the kinds that are wanted; asked when it is due.
    pub fn tell(&mut self, wants: Wants, now: Moment) -> Option<Tell> {
        self.due.filter(|due| now.reached(*due))?;
        self.due = None;
        let mut wanted =
            std::mem::take(&mut self.waiting).into_iter().filter(|one| kind(one.code).is_some_and(|of| wants.has(of)));
        let worst = wanted.next()?;
        let others: Vec<String> = wanted.map(|one| one.title).collect();
        let mut text = format!("{} {}", worst.text, full_stop(&worst.remedy)).trim().to_owned();
        if !others.is_empty() {
            text = format!("{text} Also: {}.", others.join("; "));
        }
        Some(Tell { code: worst.code, subject: worst.subject, title: worst.title, text })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const ALL: Wants = Wants { needs_you: true, cluster: true, models: true };

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn notice(code: Code, subject: &str) -> Notice {
        Notice {
            code,
            subject: subject.to_owned(),
            severity: code.severity(),
            title: format!("{code:?} {subject}").trim().to_owned(),
            text: "mbp happened.".to_owned(),
            remedy: "Do this".to_owned(),
            fix: None,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    /// One that has had its first picture, in which all was well, long ago.
    fn teller() -> Teller {
        let mut teller = Teller::default();
        teller.on(&[], at(0));
        teller
    }

    #[test]
    fn each_is_told_once_while_it_lasts_and_again_when_it_comes_again() {
        let mut teller = teller();
        let down = [notice(Code::EngineDown, "")];
        teller.on(&down, at(100));
        assert_eq!((teller.deadline(), teller.tell(ALL, at(109))), (Some(at(110)), None));
        let told = teller.tell(ALL, at(110)).unwrap();
        assert_eq!((told.code, told.text.as_str()), (Code::EngineDown, "mbp happened. Do this."));
        teller.on(&down, at(200));
        assert_eq!(teller.deadline(), None, "it was told");
        teller.on(&[], at(300));
        assert_eq!((teller.deadline(), teller.tell(ALL, at(400))), (None, None), "nobody is told that all is well");
        teller.on(&down, at(500));
        assert_eq!(teller.deadline(), Some(at(510)), "it came again");
    }

    #[test]
    fn what_comes_together_is_one_notification_with_the_worst_first() {
        let mut teller = teller();
        let lost = notice(Code::MemberLost, "mbp");
        let broken = notice(Code::ModelBroken, "qwen");
        teller.on(std::slice::from_ref(&lost), at(100));
        teller.on(&[broken, lost], at(105));
        assert_eq!(teller.deadline(), Some(at(110)), "the first is not made to wait for the second");
        let told = teller.tell(ALL, at(110)).unwrap();
        assert_eq!((told.code, told.subject.as_str()), (Code::ModelBroken, "qwen"));
        assert_eq!(told.text, "mbp happened. Do this. Also: MemberLost mbp.");
        assert_eq!((teller.deadline(), teller.tell(ALL, at(200))), (None, None));
    }

    #[test]
    fn what_has_ended_before_it_was_told_is_not_told() {
        let mut teller = teller();
        teller.on(&[notice(Code::MemberLost, "mbp")], at(100));
        teller.on(&[], at(106));
        assert_eq!((teller.deadline(), teller.tell(ALL, at(110))), (None, None));
    }

    #[test]
    fn what_was_there_at_the_beginning_is_told_only_if_it_needs_a_person() {
        let mut teller = Teller::default();
        let there = [notice(Code::SignIn, ""), notice(Code::SlowLink, "qwen")];
        teller.on(&there, at(0));
        let told = teller.tell(ALL, at(10)).unwrap();
        assert_eq!((told.code, told.text.as_str()), (Code::SignIn, "mbp happened. Do this."));
        teller.on(&there, at(60));
        assert_eq!(teller.deadline(), None, "the slow link was there before");
    }

    #[test]
    fn a_kind_that_is_switched_off_is_not_told_and_not_told_later() {
        let mut teller = teller();
        let all = [notice(Code::SignIn, ""), notice(Code::MemberLost, "mbp"), notice(Code::ModelUnfit, "qwen")];
        teller.on(&all, at(100));
        let told = teller.tell(Wants { needs_you: false, models: false, ..ALL }, at(110)).unwrap();
        assert_eq!((told.code, told.text.contains("Also")), (Code::MemberLost, false));
        teller.on(&all, at(111));
        assert_eq!(teller.deadline(), None);
    }

    #[test]
    fn notes_and_what_mends_itself_are_never_told() {
        let mut teller = teller();
        for code in [Code::BudgetHigh, Code::HubUnreachable, Code::NotOffered, Code::Ghost] {
            teller.on(&[notice(code, "")], at(100));
            assert_eq!(teller.deadline(), None, "{code:?}");
        }
    }
}
