//! Decides where the popover goes: beside the icon that was clicked, whole on that icon's screen.

/// Between the menu bar and the popover (points).
const BELOW: f64 = 6.0;
/// To the edges of the screen (points).
const EDGE: f64 = 8.0;
/// An icon is as high as its bar (points): 22 to 24 in most, 37 beside a notch, up to 48 in a Linux panel.
const ICON: (f64, f64) = (18.0, 48.0);

/// A rectangle of the desktop; y grows downwards.
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

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Screen {
    /// All of it, in pixels of its own scale.
    pub whole: Area,
    /// What menu bar, notch and Dock leave of it, likewise.
    pub free: Area,
    /// How many of its pixels make a point.
    pub scale: f64,
}

impl Area {
    /// The same in points, where so many pixels make one.
    fn points(self, scale: f64) -> Self {
        Self { x: self.x / scale, y: self.y / scale, width: self.width / scale, height: self.height / scale }
    }

    const fn right(self) -> f64 {
        self.x + self.width
    }

    const fn bottom(self) -> f64 {
        self.y + self.height
    }

    fn holds(self, (x, y): (f64, f64)) -> bool {
        (self.x..self.right()).contains(&x) && (self.y..self.bottom()).contains(&y)
    }

    fn middle(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
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
    let edges = [
        (Bar::Top, icon.y - screen.y),
        (Bar::Bottom, screen.bottom() - icon.bottom()),
        (Bar::Left, icon.x - screen.x),
        (Bar::Right, screen.right() - icon.right()),
    ];
    // Of two that are as near the first is taken.
    edges.into_iter().min_by(|(_, a), (_, b)| a.max(0.0).total_cmp(&b.max(0.0))).map_or(Bar::Top, |(edge, _)| edge)
}

/// The screen that the icon is on, and whether it is: else the first.
///
/// Screens lie side by side in points. In pixels, each of its own scale, they overlap where scales differ, and an icon may seem
/// to be on two of them: it is on the one where it is as high as icons are.
fn screen_of(icon: Area, screens: &[Screen]) -> Option<&Screen> {
    let mut on = screens.iter().filter(|screen| screen.whole.holds(icon.middle()));
    let likely = |screen: &&Screen| (ICON.0..=ICON.1).contains(&(icon.height / screen.scale));
    on.clone().find(likely).or_else(|| on.next()).or_else(|| screens.first())
}

/// Where the popover's top left corner goes (points of the desktop), given where the icon is (pixels of its own screen), the
/// screens, of which the first has the menu bar, and the popover's size (points): beside the icon, on the side away from the
/// bar, and centred on it; at the top right where the system does not tell where the icon is; always whole on what is free of
/// the screen. `None` without a screen.
#[must_use]
pub fn spot(icon: Option<Area>, screens: &[Screen], (width, height): (f64, f64)) -> Option<(f64, f64)> {
    let screen = icon.map_or_else(|| screens.first(), |icon| screen_of(icon, screens))?;
    let (whole, free) = (screen.whole.points(screen.scale), screen.free.points(screen.scale));
    let left = free.x + EDGE;
    let right = (free.right() - width - EDGE).max(left);
    let top = free.y + BELOW;
    let bottom = (free.bottom() - height - EDGE).max(top);
    let Some(icon) = icon.map(|icon| icon.points(screen.scale)) else { return Some((right, top)) };
    let (across, along) = (icon.x + (icon.width - width) / 2.0, icon.y + (icon.height - height) / 2.0);
    let (x, y) = match bar(icon, whole) {
        Bar::Top => (across, icon.bottom() + BELOW),
        Bar::Bottom => (across, icon.y - height - BELOW),
        Bar::Left => (icon.right() + BELOW, along),
        Bar::Right => (icon.x - width - BELOW, along),
    };
    Some((x.clamp(left, right), y.clamp(top, bottom)))
}

#[cfg(test)]
mod tests {
    use super::super::{Effect, Input, Popover};
    use super::*;
    use crate::time::Moment;

    const SIZE: (f64, f64) = (320.0, 400.0);

    const fn area(x: f64, y: f64, width: f64, height: f64) -> Area {
        Area { x, y, width, height }
    }

    /// A screen with nothing on it, in pixels.
    const fn bare(whole: Area, scale: f64) -> Screen {
        Screen { whole, free: whole, scale }
    }

    /// A screen at this place (points), with a menu bar and a Dock of such heights (points).
    fn mac(whole: Area, scale: f64, menu: f64, dock: f64) -> Screen {
        let pixels = |area: Area| area.points(1.0 / scale);
        let free = area(whole.x, whole.y + menu, whole.width, whole.height - menu - dock);
        Screen { whole: pixels(whole), free: pixels(free), scale }
    }

    const SCREEN: Screen = bare(area(0.0, 0.0, 1440.0, 900.0), 1.0);

    /// A notch makes the menu bar 37 points high instead of 24.
    fn notched() -> Screen {
        mac(area(0.0, 0.0, 1512.0, 982.0), 2.0, 37.0, 70.0)
    }

    /// An old screen, left of the notched one and a little lower.
    fn left() -> Screen {
        mac(area(-1920.0, 120.0, 1920.0, 1080.0), 1.0, 24.0, 0.0)
    }

    /// The same to the right: in pixels the notched one's right half lies over it.
    fn right() -> Screen {
        mac(area(1512.0, 0.0, 1920.0, 1080.0), 1.0, 24.0, 0.0)
    }

    /// An icon whose middle is so far from the left (points of the desktop), in the menu bar of this screen, in its pixels.
    fn icon(screen: &Screen, middle: f64) -> Area {
        let bar = (screen.free.y - screen.whole.y) / screen.scale;
        area(middle - 15.0, screen.whole.y / screen.scale, 30.0, bar).points(1.0 / screen.scale)
    }

    #[test]
    fn it_stands_under_the_icon_centred_and_never_beyond_the_edge() {
        let at = |x| spot(Some(area(x, 0.0, 24.0, 24.0)), &[SCREEN], SIZE);
        assert_eq!(at(700.0), Some((552.0, 30.0)));
        assert_eq!(at(1420.0), Some((1112.0, 30.0)));
        assert_eq!(at(0.0), Some((8.0, 30.0)));
    }

    #[test]
    fn it_stands_beside_the_bar_at_whichever_edge_that_is() {
        let at = |x, y| spot(Some(area(x, y, 24.0, 24.0)), &[SCREEN], SIZE).unwrap();
        assert_eq!(at(700.0, 0.0), (552.0, 30.0), "top");
        assert_eq!(at(700.0, 876.0), (552.0, 470.0), "bottom");
        assert_eq!(at(0.0, 500.0), (30.0, 312.0), "left");
        assert_eq!(at(1416.0, 500.0), (1090.0, 312.0), "right");
        assert_eq!(at(1416.0, 850.0), (1090.0, 492.0), "right, low down: whole on the screen");
        assert_eq!(at(0.0, 0.0), (8.0, 30.0), "a corner belongs to the bar at the top");
        assert_eq!(at(1416.0, 876.0), (1112.0, 470.0), "and to the one at the bottom");
    }

    #[test]
    fn an_unknown_icon_has_it_at_the_top_right_below_the_menu_bar_and_a_hidden_one_on_the_screen() {
        assert_eq!(spot(None, &[SCREEN], SIZE), Some((1112.0, 6.0)));
        assert_eq!(spot(None, &[notched(), left()], SIZE), Some((1184.0, 43.0)), "not under the notch's menu bar");
        assert_eq!(spot(None, &[bare(area(0.0, 0.0, 200.0, 100.0), 1.0)], SIZE), Some((8.0, 6.0)));
        assert_eq!(spot(None, &[], SIZE), None);
        // Where macOS puts an icon that has no room: beyond the left edge, or below the screen.
        for (x, y) in [(-3000.0, 0.0), (0.0, 4000.0), (9000.0, -500.0)] {
            let (x, y) = spot(Some(area(x, y, 24.0, 24.0)), &[SCREEN], SIZE).unwrap();
            assert!((8.0..=1112.0).contains(&x) && (6.0..=492.0).contains(&y), "{x}, {y}");
        }
    }

    #[test]
    fn beside_a_notch_it_hangs_from_the_higher_menu_bar_and_ends_above_the_dock() {
        let screens = [notched()];
        assert_eq!(spot(Some(icon(&notched(), 1100.0)), &screens, SIZE), Some((940.0, 43.0)));
        assert_eq!(spot(Some(icon(&notched(), 1500.0)), &screens, SIZE), Some((1184.0, 43.0)), "whole at the edge");
        // Where the bar hides itself, the screen is free up to its edge; the icon's height tells still.
        let hidden = Screen { free: notched().whole, ..notched() };
        assert_eq!(spot(Some(icon(&notched(), 1100.0)), &[hidden], SIZE), Some((940.0, 43.0)));
        // A popover as high as the screen allows ends above the Dock.
        let (_, y) = spot(Some(icon(&notched(), 1100.0)), &screens, (320.0, 870.0)).unwrap();
        assert_eq!((y, y + 870.0 <= 982.0 - 70.0), (43.0, false), "too high: it keeps its top on the screen");
    }

    /// What is clicked when, and where the popover then is: a day at a desk with two screens.
    #[test]
    fn traces_over_two_screens_of_different_scales_end_under_the_icon_that_was_clicked() {
        use Input::{Blur, Click};
        type Step = (u64, Input, Option<(Screen, f64)>, Option<(f64, f64)>);
        let day = |other: Screen, there: (f64, f64), then: (f64, f64)| -> [Step; 7] {
            [
                (0, Click, Some((notched(), 1100.0)), Some((940.0, 43.0))),
                (900, Blur, None, None),
                (5_000, Click, Some((other, there.0)), Some((there.0 - 160.0, there.1))),
                (6_000, Blur, None, None),
                // The click that took the focus away, on the other screen: it only closes.
                (6_080, Click, Some((notched(), 1100.0)), None),
                (7_000, Click, Some((other, then.0)), Some((then.0 - 160.0, then.1))),
                (8_000, Click, Some((other, then.0)), None),
            ]
        };
        for (other, day) in [
            (left(), day(left(), (-900.0, 150.0), (-1500.0, 150.0))),
            (right(), day(right(), (1900.0, 30.0), (3000.0, 30.0))),
        ] {
            let (mut popover, mut clicked) = (Popover::default(), None);
            for (ms, input, at, expected) in day {
                clicked = at.map(|(screen, middle)| icon(&screen, middle)).or(clicked);
                let effect = popover.on(input, Moment::START + std::time::Duration::from_millis(ms));
                let shown = matches!(effect, Some(Effect::Show));
                let place = shown.then(|| spot(clicked, &[notched(), other], SIZE).unwrap());
                assert_eq!(place, expected, "{input:?} at {ms} ms");
            }
        }
    }

    #[test]
    fn at_the_far_edge_of_the_left_screen_it_stays_on_that_screen() {
        let screens = [notched(), left()];
        assert_eq!(spot(Some(icon(&left(), -1900.0)), &screens, SIZE), Some((-1912.0, 150.0)));
        assert_eq!(spot(Some(icon(&left(), -10.0)), &screens, SIZE), Some((-328.0, 150.0)));
    }
}
