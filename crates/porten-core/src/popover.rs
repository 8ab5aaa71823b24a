//! Decides when the popover is shown, and where: clicks, lost focus and the edges of screens, without a window.

use std::time::Duration;

use crate::time::Moment;

/// A click on the icon takes the focus away first, and the popover hides; the click itself comes up to this much later
/// and must not open it again (measured by others: about 80 ms).
const SAME_CLICK: Duration = Duration::from_millis(250);
/// Between the menu bar and the popover (points).
const BELOW: f64 = 6.0;
/// To the edges of the screen (points).
const EDGE: f64 = 8.0;

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

/// A rectangle of the desktop, in pixels of one scale; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// The edge of the screen that the bar with the icon is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bar {
    Top,
    Bottom,
    Left,
    Right,
}

/// The nearest edge; an icon that hangs over one lies at it. In a corner the bar lies along the top or the bottom, as almost all do.
fn bar(icon: Area, screen: Area) -> Bar {
    let right = screen.x + screen.width - icon.x - icon.width;
    let bottom = screen.y + screen.height - icon.y - icon.height;
    let edges =
        [(Bar::Top, icon.y - screen.y), (Bar::Bottom, bottom), (Bar::Left, icon.x - screen.x), (Bar::Right, right)];
    // Of two that are as near the first is taken.
    edges.into_iter().min_by(|(_, a), (_, b)| a.max(0.0).total_cmp(&b.max(0.0))).map_or(Bar::Top, |(edge, _)| edge)
}

/// Where the popover's top left corner goes: beside the icon, on the side away from the bar, and centred on it; at the
/// top right where the system does not tell where the icon is; always whole on the screen. All in pixels; `scale` is how
/// many make a point.
#[must_use]
pub fn place(icon: Option<Area>, screen: Area, size: (f64, f64), scale: f64) -> (f64, f64) {
    let (width, height) = size;
    let (edge, below) = (EDGE * scale, BELOW * scale);
    let left = screen.x + edge;
    let right = (screen.x + screen.width - width - edge).max(left);
    let top = screen.y + below;
    let bottom = (screen.y + screen.height - height - edge).max(top);
    let Some(icon) = icon else { return (right, top) };
    let (across, along) = (icon.x + (icon.width - width) / 2.0, icon.y + (icon.height - height) / 2.0);
    let (x, y) = match bar(icon, screen) {
        Bar::Top => (across, icon.y + icon.height + below),
        Bar::Bottom => (across, icon.y - height - below),
        Bar::Left => (icon.x + icon.width + below, along),
        Bar::Right => (icon.x - width - below, along),
    };
    (x.clamp(left, right), y.clamp(top, bottom))
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

    const SCREEN: Area = Area { x: 0.0, y: 0.0, width: 1440.0, height: 900.0 };

    #[test]
    fn it_stands_under_the_icon_centred_and_never_beyond_the_edge() {
        let icon = |x| Some(Area { x, y: 0.0, width: 24.0, height: 24.0 });
        assert_eq!(place(icon(700.0), SCREEN, (320.0, 400.0), 1.0), (552.0, 30.0));
        assert_eq!(place(icon(1420.0), SCREEN, (320.0, 400.0), 1.0), (1112.0, 30.0));
        assert_eq!(place(icon(0.0), SCREEN, (320.0, 400.0), 1.0), (8.0, 30.0));
        let second = Area { x: 1440.0, y: -200.0, ..SCREEN };
        let there = Some(Area { x: 1500.0, y: -200.0, width: 48.0, height: 48.0 });
        assert_eq!(place(there, second, (640.0, 800.0), 2.0), (1456.0, -140.0));
    }

    #[test]
    fn it_stands_beside_the_bar_at_whichever_edge_that_is() {
        let at = |x, y| place(Some(Area { x, y, width: 24.0, height: 24.0 }), SCREEN, (320.0, 400.0), 1.0);
        assert_eq!(at(700.0, 0.0), (552.0, 30.0), "top");
        assert_eq!(at(700.0, 876.0), (552.0, 470.0), "bottom");
        assert_eq!(at(0.0, 500.0), (30.0, 312.0), "left");
        assert_eq!(at(1416.0, 500.0), (1090.0, 312.0), "right");
        assert_eq!(at(1416.0, 850.0), (1090.0, 492.0), "right, low down: whole on the screen");
        assert_eq!(at(0.0, 0.0), (8.0, 30.0), "a corner belongs to the bar at the top");
        assert_eq!(at(1416.0, 876.0), (1112.0, 470.0), "and to the one at the bottom");
    }

    #[test]
    fn an_unknown_icon_has_it_at_the_top_right_and_a_hidden_one_on_the_screen() {
        assert_eq!(place(None, SCREEN, (320.0, 400.0), 1.0), (1112.0, 6.0));
        assert_eq!(place(None, Area { width: 200.0, height: 100.0, ..SCREEN }, (320.0, 400.0), 1.0), (8.0, 6.0));
        // Where macOS puts an icon that has no room: beyond the left edge, or below the screen.
        for (x, y) in [(-3000.0, 0.0), (0.0, 4000.0), (9000.0, -500.0)] {
            let icon = Some(Area { x, y, width: 24.0, height: 24.0 });
            let (x, y) = place(icon, SCREEN, (320.0, 400.0), 1.0);
            assert!((8.0..=1112.0).contains(&x) && (6.0..=492.0).contains(&y), "{x}, {y}");
        }
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
