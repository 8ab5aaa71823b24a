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

/// Where the popover's top left corner goes: under the icon and centred on it, above it where the bar is at the
/// bottom, at the top right where the system does not tell where the icon is; always whole on the screen. All in
/// pixels; `scale` is how many make a point.
#[must_use]
pub fn place(icon: Option<Area>, screen: Area, size: (f64, f64), scale: f64) -> (f64, f64) {
    let (width, height) = size;
    let (edge, below) = (EDGE * scale, BELOW * scale);
    let left = screen.x + edge;
    let right = (screen.x + screen.width - width - edge).max(left);
    let top = screen.y + below;
    let bottom = (screen.y + screen.height - height - edge).max(top);
    let Some(icon) = icon else { return (right, top) };
    let x = icon.x + (icon.width - width) / 2.0;
    let is_at_top = icon.y + icon.height / 2.0 < screen.y + screen.height / 2.0;
    let y = if is_at_top { icon.y + icon.height + below } else { icon.y - height - below };
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
    fn a_bar_at_the_bottom_has_it_above_and_an_unknown_icon_at_the_top_right() {
        let icon = Some(Area { x: 700.0, y: 876.0, width: 24.0, height: 24.0 });
        assert_eq!(place(icon, SCREEN, (320.0, 400.0), 1.0), (552.0, 470.0));
        assert_eq!(place(None, SCREEN, (320.0, 400.0), 1.0), (1112.0, 6.0));
        assert_eq!(place(None, Area { width: 200.0, height: 100.0, ..SCREEN }, (320.0, 400.0), 1.0), (8.0, 6.0));
    }
}
