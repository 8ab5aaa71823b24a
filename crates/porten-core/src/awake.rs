//! Decides whether the machine is kept from sleeping by itself: only while a person wants it, something is to be served, and
//! the machine does not live on its battery.

use std::time::Duration;

use crate::snapshot::AwakeView;
use crate::time::Moment;

/// How often a host looks at what the machine runs on, while it matters.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A system that refused is asked again no sooner than this.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// What speaks for it and against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// `power.keep_awake`.
    pub set: bool,
    /// The person wants to be online.
    pub online: bool,
    /// Somebody is signed in.
    pub signed_in: bool,
    /// It leaves, or rests because a person paused it.
    pub rests: bool,
}

impl Wish {
    /// Whether the machine is to be kept awake, if it is on mains: only then that matters.
    #[must_use]
    pub const fn wants(self) -> bool {
        self.set && self.serves()
    }

    const fn serves(self) -> bool {
        self.online && self.signed_in && !self.rests
    }
}

/// What the host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Ask the system, then tell [`Awake::answered`].
    Hold,
    /// Let go.
    Release,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Awake {
    wish: Wish,
    mains: bool,
    held: bool,
    /// The last refusal, and when the system may be asked again.
    refused: Option<(String, Moment)>,
}

impl Awake {
    /// Looks at the wish and at what the machine runs on (which counts only while [`Wish::wants`]).
    pub fn look(&mut self, wish: Wish, mains: bool, now: Moment) -> Option<Effect> {
        (self.wish, self.mains) = (wish, mains);
        let hold = wish.wants() && mains;
        let may_ask = self.refused.as_ref().is_none_or(|(_, again)| now.reached(*again));
        match (hold, self.held) {
            (true, false) if may_ask => Some(Effect::Hold),
            (false, true) => {
                self.held = false;
                Some(Effect::Release)
            }
            _ => None,
        }
    }

    /// What the system said when it was asked; a refusal in one sentence.
    pub fn answered(&mut self, answer: Result<(), String>, now: Moment) {
        self.held = answer.is_ok();
        self.refused = answer.err().map(|why| (why, now + ASK_AGAIN));
    }

    /// For people.
    #[must_use]
    pub fn view(&self) -> AwakeView {
        match &self.refused {
            _ if !self.wish.set => AwakeView::NotWanted,
            _ if !self.wish.serves() => AwakeView::Idle,
            _ if !self.mains => AwakeView::OnBattery,
            _ if self.held => AwakeView::Held,
            Some((why, _)) => AwakeView::Refused { why: why.clone() },
            // Just being asked.
            None => AwakeView::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVES: Wish = Wish { set: true, online: true, signed_in: true, rests: false };

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn held() -> Awake {
        let mut awake = Awake::default();
        assert_eq!(awake.look(SERVES, true, at(0)), Some(Effect::Hold));
        awake.answered(Ok(()), at(0));
        awake
    }

    #[test]
    fn a_machine_that_serves_on_mains_is_held_once() {
        let mut awake = held();
        assert_eq!(awake.view(), AwakeView::Held);
        assert_eq!(awake.look(SERVES, true, at(30)), None);
        assert_eq!(awake.view(), AwakeView::Held);
    }

    #[test]
    fn whatever_speaks_against_it_lets_go_at_once_and_is_named() {
        for (wish, mains, view) in [
            (Wish { set: false, ..SERVES }, true, AwakeView::NotWanted),
            (Wish { online: false, ..SERVES }, true, AwakeView::Idle),
            (Wish { signed_in: false, ..SERVES }, true, AwakeView::Idle),
            (Wish { rests: true, ..SERVES }, true, AwakeView::Idle),
            (SERVES, false, AwakeView::OnBattery),
        ] {
            let mut never = Awake::default();
            assert_eq!(never.look(wish, mains, at(0)), None, "{wish:?} {mains}");
            assert_eq!(never.view(), view);
            let mut awake = held();
            assert_eq!(awake.look(wish, mains, at(1)), Some(Effect::Release), "{wish:?} {mains}");
            assert_eq!(awake.view(), view);
            assert_eq!(awake.look(wish, mains, at(2)), None, "let go once");
            assert_eq!(awake.look(SERVES, true, at(3)), Some(Effect::Hold), "and held again");
        }
    }

    #[test]
    fn a_system_that_refused_is_asked_again_after_a_minute_and_no_sooner() {
        let refused = AwakeView::Refused { why: "no".into() };
        let mut awake = Awake::default();
        assert_eq!(awake.look(SERVES, true, at(0)), Some(Effect::Hold));
        awake.answered(Err("no".into()), at(5));
        assert_eq!(awake.view(), refused);
        assert_eq!(awake.look(Wish { online: false, ..SERVES }, true, at(20)), None);
        assert_eq!(awake.view(), AwakeView::Idle, "nothing is wanted, so nothing is refused");
        assert_eq!(awake.look(SERVES, true, at(64)), None);
        assert_eq!(awake.view(), refused);
        assert_eq!(awake.look(SERVES, true, at(65)), Some(Effect::Hold));
        assert_eq!(awake.view(), refused, "until it answers otherwise");
        awake.answered(Ok(()), at(66));
        assert_eq!(awake.view(), AwakeView::Held);
    }

    #[test]
    fn what_the_machine_runs_on_matters_only_to_one_that_serves_and_is_to_be_kept_awake() {
        assert!(SERVES.wants());
        assert!(!Wish { set: false, ..SERVES }.wants() && !Wish { rests: true, ..SERVES }.wants());
        assert!(!Wish::default().wants());
    }
}
