//! Decides what stands in the menu bar: a face that says the state by its shape, and a word for those who cannot see it.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::Scene;
use crate::notice::Severity;
use crate::snapshot::{Overall, Snapshot};
use crate::time::Moment;

/// A face changes only when the state has lasted this long: nothing flickers in the menu bar.
const CALM: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);

/// The five faces; they differ by shape, so that they can be told apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// The person wants it off.
    Off,
    /// On its way.
    Connecting,
    /// Requests may come, or run.
    Serving,
    /// It works, but not as it should.
    Attention,
    /// Only a person can mend it.
    NeedsYou,
}

/// The face of what there is to see.
#[must_use]
pub fn face(scene: &Scene) -> Face {
    match (&scene.trouble, &scene.snapshot) {
        (Some(_), _) => Face::NeedsYou,
        (None, None) => Face::Connecting,
        (None, Some(snapshot)) => of_state(snapshot),
    }
}

fn of_state(snapshot: &Snapshot) -> Face {
    let degraded = snapshot.notices.iter().any(|notice| notice.severity == Severity::Degraded);
    match snapshot.overall {
        Overall::Off | Overall::Paused { .. } => Face::Off,
        Overall::NeedsYou => Face::NeedsYou,
        Overall::Connecting | Overall::Waiting { .. } if !degraded => Face::Connecting,
        Overall::Serving { .. } | Overall::Ready { .. } | Overall::Finishing { .. } if !degraded => Face::Serving,
        Overall::Connecting
        | Overall::Waiting { .. }
        | Overall::Serving { .. }
        | Overall::Ready { .. }
        | Overall::Finishing { .. } => Face::Attention,
    }
}

/// The state word. A countdown would be wrong a second later, so the next try is named by the word alone.
#[must_use]
pub fn words(scene: &Scene, now: Timestamp) -> String {
    match (&scene.trouble, scene.snapshot.as_ref().map(|snapshot| &snapshot.overall)) {
        (Some(_), _) => Overall::NeedsYou.words(now),
        (None, None) => Overall::Connecting.words(now),
        (None, Some(Overall::Waiting { .. })) => "Trying again…".to_owned(),
        (None, Some(overall)) => overall.words(now),
    }
}

/// How long an app that is leaving may still take, in words that stay true for a while, and for how long they do.
#[must_use]
pub fn leaving(left: Duration) -> (String, Duration) {
    let (step, unit) = if left > MINUTE { (MINUTE, "min") } else { (Duration::from_secs(10), "s") };
    let steps = left.as_millis().div_ceil(step.as_millis());
    let number = if unit == "min" { steps } else { steps * 10 };
    if number == 0 {
        return ("ending now".to_owned(), Duration::MAX);
    }
    let before = step.saturating_mul(u32::try_from(steps - 1).unwrap_or(u32::MAX));
    (format!("at most {number} {unit}"), left.saturating_sub(before))
}

/// Holds a face back until it has lasted.
#[derive(Debug)]
pub struct Calm {
    shown: Face,
    coming: Option<(Face, Moment)>,
}

impl Calm {
    /// Begins with this face.
    #[must_use]
    pub const fn new(shown: Face) -> Self {
        Self { shown, coming: None }
    }

    /// The face to show now, given the face of now.
    pub fn on(&mut self, face: Face, now: Moment) -> Face {
        match self.coming {
            _ if face == self.shown => self.coming = None,
            Some((coming, since)) if coming == face => {
                if now.reached(since + CALM) {
                    self.shown = face;
                    self.coming = None;
                }
            }
            _ => self.coming = Some((face, now)),
        }
        self.shown
    }

    /// When to ask again, though nothing changes.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.coming.map(|(_, since)| since + CALM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::SignInView;
    use crate::notice::{Code, Notice};
    use crate::picture;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn scene(overall: Overall, notice: Option<Code>) -> Scene {
        let mut snapshot = picture::example();
        snapshot.overall = overall;
        snapshot.notices = notice
            .map(|code| Notice {
                code,
                subject: String::new(),
                severity: code.severity(),
                title: String::new(),
                text: String::new(),
                remedy: String::new(),
                since: START,
            })
            .into_iter()
            .collect();
        Scene { snapshot: Some(snapshot), sign_in: SignInView::Idle, trouble: None, quitting: false }
    }

    #[test]
    fn every_state_has_a_face_and_a_word() {
        let all = [
            (Overall::Off, Face::Off, Face::Off, "Off"),
            (Overall::Connecting, Face::Connecting, Face::Attention, "Connecting…"),
            (Overall::Waiting { until: START }, Face::Connecting, Face::Attention, "Trying again…"),
            (Overall::Serving { requests: 2 }, Face::Serving, Face::Attention, "Serving 2 requests"),
            (Overall::Ready { models: 1, wanted: 2 }, Face::Serving, Face::Attention, "Ready · 1 of 2 models"),
            (Overall::Finishing { requests: 1 }, Face::Serving, Face::Attention, "Finishing 1 request"),
            (Overall::NeedsYou, Face::NeedsYou, Face::NeedsYou, "Needs you"),
        ];
        for (overall, well, degraded, word) in all {
            assert_eq!(face(&scene(overall.clone(), None)), well, "{overall:?}");
            assert_eq!(face(&scene(overall.clone(), Some(Code::HubUnreachable))), degraded, "{overall:?}");
            assert_eq!(words(&scene(overall, None), START), word);
        }
    }

    #[test]
    fn the_way_out_is_counted_in_minutes_then_in_tens_of_seconds() {
        let said = |ms| leaving(Duration::from_millis(ms));
        let ms = Duration::from_millis;
        assert_eq!(said(600_000), ("at most 10 min".to_owned(), ms(60_000)));
        assert_eq!(said(541_000), ("at most 10 min".to_owned(), ms(1_000)));
        assert_eq!(said(540_000), ("at most 9 min".to_owned(), ms(60_000)));
        assert_eq!(said(60_001), ("at most 2 min".to_owned(), ms(1)));
        assert_eq!(said(60_000), ("at most 60 s".to_owned(), ms(10_000)));
        assert_eq!(said(4_500), ("at most 10 s".to_owned(), ms(4_500)));
        assert_eq!(said(0), ("ending now".to_owned(), Duration::MAX));
    }

    #[test]
    fn without_an_agent_it_is_on_its_way_or_needs_a_person() {
        let mut scene = Scene { snapshot: None, sign_in: SignInView::Idle, trouble: None, quitting: false };
        assert_eq!((face(&scene), words(&scene, START).as_str()), (Face::Connecting, "Connecting…"));
        scene.trouble = Some("The settings cannot be read.".to_owned());
        assert_eq!((face(&scene), words(&scene, START).as_str()), (Face::NeedsYou, "Needs you"));
    }

    #[test]
    fn a_face_must_last_before_it_is_shown_and_a_blink_never_is() {
        let at = |ms: u64| Moment::START + Duration::from_millis(ms);
        let mut calm = Calm::new(Face::Connecting);
        assert_eq!(calm.on(Face::Serving, at(0)), Face::Connecting);
        assert_eq!(calm.deadline(), Some(at(2000)));
        assert_eq!(calm.on(Face::Attention, at(1500)), Face::Connecting, "another face begins anew");
        assert_eq!(calm.on(Face::Attention, at(3499)), Face::Connecting);
        assert_eq!(calm.on(Face::Attention, at(3500)), Face::Attention);
        assert_eq!(calm.deadline(), None);
        assert_eq!(calm.on(Face::Off, at(4000)), Face::Attention);
        assert_eq!(calm.on(Face::Attention, at(4100)), Face::Attention);
        assert_eq!(calm.deadline(), None, "it was a blink");
    }
}
