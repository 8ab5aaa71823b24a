//! Decides when the popover is shown, and where: clicks, lost focus and the edges of screens, without a window.

mod spot;

use std::time::Duration;

pub use spot::{Area, Screen, spot};

use crate::time::Moment;

/// A click on the icon takes the focus away first, and the popover hides; the click itself comes up to this much later
/// and must not open it again (measured by others: about 80 ms).
const SAME_CLICK: Duration = Duration::from_millis(250);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The icon was clicked.
    Click,
    /// The popover lost the focus.
    Blur,
    /// Somebody wants to see it: a menu item, a second start.
    Open,
    /// It is to go: Esc, or another window took its place.
    Close,
}

/// What the host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Show it, in front.
    Show,
    /// Hide it.
    Hide,
}

/// Whether it is shown.
#[derive(Debug, Default)]
pub struct Popover {
    shown: bool,
    hidden_by_blur: Option<Moment>,
}

impl Popover {
    /// Goes on.
    pub fn on(&mut self, input: Input, now: Moment) -> Option<Effect> {
        let same_click = self.hidden_by_blur.take().is_some_and(|blur| !now.reached(blur + SAME_CLICK));
        let show = match input {
            Input::Open => true,
            Input::Close | Input::Blur => false,
            Input::Click => !self.shown && !same_click,
        };
        if input == Input::Blur && self.shown {
            self.hidden_by_blur = Some(now);
        }
        let was = std::mem::replace(&mut self.shown, show);
        match (was, show) {
            // Shown again even if it is: it may be behind something.
            (_, true) => Some(Effect::Show),
            (true, false) => Some(Effect::Hide),
            (false, false) => None,
        }
    }

    /// Whether it is shown now.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    #[test]
    fn a_click_opens_and_the_next_closes_though_the_focus_goes_first() {
        let mut popover = Popover::default();
        assert_eq!(popover.on(Input::Click, at(0)), Some(Effect::Show));
        assert_eq!(popover.on(Input::Blur, at(1000)), Some(Effect::Hide));
        assert_eq!(popover.on(Input::Click, at(1080)), None, "the click that took the focus away");
        assert_eq!(popover.on(Input::Click, at(1400)), Some(Effect::Show), "the next one is a new wish");
        assert_eq!(popover.on(Input::Click, at(2000)), Some(Effect::Hide), "where the focus never was");
        assert!(!popover.is_shown());
    }

    #[test]
    fn a_click_long_after_the_focus_went_elsewhere_opens() {
        let mut popover = Popover::default();
        popover.on(Input::Open, at(0));
        popover.on(Input::Blur, at(1000));
        assert_eq!(popover.on(Input::Click, at(1250)), Some(Effect::Show));
    }

    #[test]
    fn a_second_start_brings_it_to_the_front_and_nothing_is_hidden_twice() {
        let mut popover = Popover::default();
        assert_eq!(popover.on(Input::Close, at(0)), None);
        assert_eq!(popover.on(Input::Open, at(1)), Some(Effect::Show));
        assert_eq!(popover.on(Input::Open, at(2)), Some(Effect::Show));
        assert_eq!(popover.on(Input::Close, at(3)), Some(Effect::Hide));
        assert_eq!(popover.on(Input::Blur, at(4)), None);
        assert_eq!(popover.on(Input::Click, at(5)), Some(Effect::Show), "that blur hid nothing");
    }

    /// What happens when, and what the host is told to do: a day with the popover.
    #[test]
    fn traces_of_clicks_lost_focus_and_windows_end_as_a_person_means_them() {
        use Effect::{Hide, Show};
        use Input::{Blur, Click, Close, Open};
        type Trace = &'static [(u64, Input, Option<Effect>)];
        let traces: [(&str, Trace); 7] = [
            ("open, look, click elsewhere", &[(0, Click, Some(Show)), (900, Blur, Some(Hide))]),
            (
                "the second click closes, and so does the fourth",
                &[
                    (0, Click, Some(Show)),
                    (500, Blur, Some(Hide)),
                    (580, Click, None),
                    (1500, Click, Some(Show)),
                    (2000, Blur, Some(Hide)),
                    (2249, Click, None),
                    (2300, Click, Some(Show)),
                ],
            ),
            (
                "where the click comes before the blur",
                &[(0, Click, Some(Show)), (500, Click, Some(Hide)), (501, Blur, None), (900, Click, Some(Show))],
            ),
            (
                "a click while it hides after Esc opens it again",
                &[(0, Open, Some(Show)), (500, Close, Some(Hide)), (510, Blur, None), (520, Click, Some(Show))],
            ),
            (
                "another window takes its place, and the icon brings it back",
                &[(0, Click, Some(Show)), (300, Close, Some(Hide)), (310, Blur, None), (2000, Click, Some(Show))],
            ),
            (
                "on a second screen: the click there closes, the next opens there",
                &[(0, Click, Some(Show)), (700, Blur, Some(Hide)), (780, Click, None), (1400, Click, Some(Show))],
            ),
            (
                "a second start while it hides",
                &[(0, Click, Some(Show)), (700, Blur, Some(Hide)), (750, Open, Some(Show)), (800, Click, Some(Hide))],
            ),
        ];
        for (what, trace) in traces {
            let mut popover = Popover::default();
            for (ms, input, effect) in trace {
                assert_eq!(popover.on(*input, at(*ms)), *effect, "{what}: {input:?} at {ms} ms");
            }
        }
    }
}
