//! Decides whether the icon in the menu bar counts as hidden: behind the notch, or because a person said so to the system.

use std::time::Duration;

use crate::notice::{Code, Notice};
use crate::remedy::Remedy;
use crate::time::Now;

/// Icons come late on a busy machine: it is looked this long after the start, and again as long after the first look.
const LOOKS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
/// And then this often, for a person who mends it.
const AGAIN: Duration = Duration::from_secs(30);

/// What is known of the icon. Once it was seen nobody looks again: a full-screen window hides the whole menu bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Not seen yet, in so many looks.
    #[default]
    Unknown,
    /// Not seen once.
    Doubted,
    /// Not seen, and long enough.
    Hidden,
    /// Seen, or the system does not tell.
    Settled,
}

impl Presence {
    /// How long to wait for the next look; `None`: no more looks.
    #[must_use]
    pub const fn wait(self) -> Option<Duration> {
        match self {
            Self::Unknown => Some(LOOKS[0]),
            Self::Doubted => Some(LOOKS[1]),
            Self::Hidden => Some(AGAIN),
            Self::Settled => None,
        }
    }

    /// After a look: whether it was hidden, where the system tells.
    #[must_use]
    pub const fn on(self, hidden: Option<bool>) -> Self {
        match (self, hidden) {
            (Self::Settled, _) | (_, Some(false) | None) => Self::Settled,
            (Self::Unknown, Some(true)) => Self::Doubted,
            (Self::Doubted | Self::Hidden, Some(true)) => Self::Hidden,
        }
    }
}

/// What a person is told of a hidden icon.
#[must_use]
pub fn notice(since: Now) -> Notice {
    Notice {
        code: Code::IconHidden,
        subject: String::new(),
        severity: Code::IconHidden.severity(),
        title: "Porten's icon is hidden".to_owned(),
        text: "macOS does not show it: there is no room beside the notch, or System Settings, Menu Bar, does not allow it."
            .to_owned(),
        remedy: Remedy::ShowIcon.advice(),
        fix: Some(Remedy::ShowIcon),
        since: since.wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_as_hidden_when_two_looks_have_not_seen_it() {
        let mut presence = Presence::default();
        assert_eq!(presence.wait(), Some(Duration::from_secs(5)));
        presence = presence.on(Some(true));
        assert_eq!((presence, presence.wait()), (Presence::Doubted, Some(Duration::from_secs(10))));
        presence = presence.on(Some(true));
        assert_eq!((presence, presence.wait()), (Presence::Hidden, Some(AGAIN)));
        presence = presence.on(Some(false));
        assert_eq!((presence, presence.wait()), (Presence::Settled, None), "a person has mended it");
    }

    #[test]
    fn once_seen_it_is_not_doubted_and_a_system_that_does_not_tell_says_nothing() {
        assert_eq!(Presence::Settled.on(Some(true)), Presence::Settled, "a full-screen window");
        assert_eq!(Presence::Unknown.on(None), Presence::Settled);
        assert_eq!(Presence::Doubted.on(None), Presence::Settled);
        assert_eq!(Presence::Unknown.on(Some(false)), Presence::Settled);
    }
}
