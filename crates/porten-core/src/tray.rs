//! Decides what stands in the menu bar: a face that says the state by its shape, and a word for those who cannot see it.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::{Scene, SignInView};
use crate::command::Command;
use crate::ids::ModelId;
use crate::notice::Severity;
use crate::remedy::Remedy;
use crate::snapshot::{LinkView, Overall, Snapshot};
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
    // What needs a person for one model while another serves is worth a look as well.
    let degraded = snapshot.notices.iter().any(|notice| notice.severity > Severity::Note);
    match snapshot.overall {
        Overall::Off | Overall::Paused { .. } | Overall::ModelsOff => Face::Off,
        Overall::Blocked => Face::Attention,
        Overall::NeedsYou => Face::NeedsYou,
        Overall::Connecting | Overall::Pending | Overall::Waiting { .. } if !degraded => Face::Connecting,
        Overall::Serving { .. } | Overall::Ready { .. } | Overall::Finishing { .. } if !degraded => Face::Serving,
        Overall::Connecting
        | Overall::Pending
        | Overall::Waiting { .. }
        | Overall::Serving { .. }
        | Overall::Ready { .. }
        | Overall::Finishing { .. } => Face::Attention,
    }
}

/// What stands first: what blocks or is awaited, else the state's word. A countdown would be wrong a second later, so the
/// next try is named by the word alone.
#[must_use]
pub fn words(scene: &Scene, now: Timestamp) -> String {
    match (&scene.trouble, &scene.snapshot) {
        (Some(_), _) => TROUBLE.to_owned(),
        (None, None) => "Starting…".to_owned(),
        (None, Some(Snapshot { headline: Some(headline), .. })) => headline.text.clone(),
        (None, Some(Snapshot { overall: Overall::Waiting { .. }, .. })) => "Trying again…".to_owned(),
        (None, Some(snapshot)) => snapshot.overall.words(now),
    }
}

/// Of a host whose agent does not run.
const TROUBLE: &str = "Porten can't start";

/// What the menu offers; the popover offers the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// What stands first in it, and is no button.
    pub word: String,
    /// What the next step is called, and what it does.
    pub step: (String, Deed),
    /// Whether the person wants it online; `None`: that cannot be changed now.
    pub online: Option<bool>,
    /// Whether a pause can be begun.
    pub pause: bool,
    /// Whether there is one to end.
    pub resume: bool,
    /// What it offers of a sign-in.
    pub sign_in: Signing,
    /// Whether there is an endpoint to copy.
    pub copy: bool,
    /// Somebody has quit already: once more ends it at once.
    pub quitting: bool,
}

/// What the next step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Nothing now.
    None,
    /// This is asked of the agent.
    Send(Command),
    /// The settings are opened.
    Settings,
}

/// What is offered of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Nothing: somebody is signed in, or there is no agent.
    No,
    /// To begin one.
    Begin,
    /// One is in its window, and may go on in the browser.
    Browser,
}

/// The menu of what there is to see.
#[must_use]
pub fn menu(scene: &Scene, now: Timestamp) -> Menu {
    let snapshot = scene.snapshot.as_ref();
    let signed_out = snapshot.is_some_and(|snapshot| matches!(snapshot.hub.link, LinkView::SignedOut { .. }));
    let online = snapshot.filter(|_| !signed_out).map(|snapshot| snapshot.online);
    let rests = snapshot.is_some_and(|snapshot| snapshot.pause.is_some());
    Menu {
        word: words(scene, now),
        step: step(snapshot),
        online,
        pause: online == Some(true) && !rests && !scene.quitting,
        resume: online.is_some() && rests,
        sign_in: match &scene.sign_in {
            SignInView::Window { .. } => Signing::Browser,
            SignInView::Idle | SignInView::Failed { .. } if signed_out => Signing::Begin,
            _ => Signing::No,
        },
        copy: snapshot.is_some(),
        quitting: scene.quitting,
    }
}

/// The next step of what stands first. What has an item of its own (sign in, go online, resume) is not offered twice.
fn step(snapshot: Option<&Snapshot>) -> (String, Deed) {
    const CHECK: &str = "Check Again";
    let Some(snapshot) = snapshot else { return (CHECK.to_owned(), Deed::None) };
    let worst = || snapshot.notices.iter().find(|notice| notice.severity > Severity::Note);
    let fix = snapshot.headline.as_ref().and_then(|headline| headline.fix.as_ref());
    match fix.or_else(|| worst().and_then(|notice| notice.fix.as_ref())) {
        Some(Remedy::TurnOn { model: Some(model) }) => match ModelId::read(model) {
            Ok(id) => {
                let command = Command::SetModel { id, on: true, how: None, keep: false };
                (format!("Turn On {model}"), Deed::Send(command))
            }
            Err(_) => (CHECK.to_owned(), Deed::None),
        },
        Some(fix) if fix.is_a_setting() => ("Change in Settings…".to_owned(), Deed::Settings),
        Some(Remedy::SignIn { .. } | Remedy::GoOnline | Remedy::Resume | Remedy::TurnOn { model: None }) | None => {
            (CHECK.to_owned(), Deed::None)
        }
        Some(_) => (CHECK.to_owned(), Deed::Send(Command::Nudge)),
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
    use crate::pause::Pause;
    use crate::picture;
    use crate::snapshot::{Headline, PauseView};

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
                fix: None,
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
            (Overall::Pending, Face::Connecting, Face::Attention, "Getting ready"),
            (Overall::Blocked, Face::Attention, Face::Attention, "Not serving"),
            (Overall::ModelsOff, Face::Off, Face::Off, "Every model is off"),
            (Overall::Waiting { until: START }, Face::Connecting, Face::Attention, "Trying again…"),
            (Overall::Serving { requests: 2 }, Face::Serving, Face::Attention, "Serving 2 requests"),
            (Overall::Ready { models: 1, wanted: 2 }, Face::Serving, Face::Attention, "Ready · 1 of 2 models"),
            (Overall::Finishing { requests: 1 }, Face::Serving, Face::Attention, "Finishing 1 request"),
            (Overall::NeedsYou, Face::NeedsYou, Face::NeedsYou, "Action needed"),
        ];
        for (overall, well, degraded, word) in all {
            assert_eq!(face(&scene(overall.clone(), None)), well, "{overall:?}");
            assert_eq!(face(&scene(overall.clone(), Some(Code::HubUnreachable))), degraded, "{overall:?}");
            assert_eq!(words(&scene(overall, None), START), word);
        }
    }

    #[test]
    fn what_needs_a_person_for_one_model_while_another_serves_is_worth_a_look_and_no_alarm() {
        let serving = scene(Overall::Serving { requests: 1 }, Some(Code::ModelUnfit));
        assert_eq!(face(&serving), Face::Attention);
    }

    #[test]
    fn what_stands_first_is_the_first_item_and_its_step_the_next() {
        let headed = |text: &str, fix: Option<Remedy>| {
            let mut scene = scene(Overall::ModelsOff, None);
            scene.snapshot.as_mut().unwrap().headline = Some(Headline::new(text, fix));
            menu(&scene, START)
        };
        let off = headed("Every model is off", Some(Remedy::TurnOn { model: Some("glm-5".into()) }));
        let on = Command::SetModel { id: ModelId::read("glm-5").unwrap(), on: true, how: None, keep: false };
        assert_eq!((off.word.as_str(), off.step), ("Every model is off", ("Turn On glm-5".to_owned(), Deed::Send(on))));
        let blocked = headed("exo isn't responding", Some(Remedy::RestartExo));
        assert_eq!(blocked.step.1, Deed::Send(Command::Nudge));
        assert_eq!(headed("x", Some(Remedy::LowerBudget)).step.1, Deed::Settings);
        assert_eq!(headed("Off", Some(Remedy::GoOnline)).step.1, Deed::None, "it has an item of its own");
    }

    #[test]
    fn the_menu_offers_what_the_popover_offers() {
        let with = |change: fn(&mut Snapshot)| {
            let mut scene = scene(Overall::Ready { models: 1, wanted: 1 }, None);
            change(scene.snapshot.as_mut().unwrap());
            menu(&scene, START)
        };
        let offers = |menu: &Menu| (menu.online, menu.pause, menu.resume);
        assert_eq!(offers(&with(|_| {})), (Some(true), true, false));
        let signed_out = with(|snapshot| snapshot.hub.link = LinkView::SignedOut { why: None });
        assert_eq!((offers(&signed_out), signed_out.sign_in), ((None, false, false), Signing::Begin));
        let off = with(|snapshot| (snapshot.hub.link, snapshot.online) = (LinkView::Off, false));
        assert_eq!(offers(&off), (Some(false), false, false));
        // At rest the link is off and the wish stays: it can be ended, or online given up.
        let paused = with(|snapshot| {
            snapshot.hub.link = LinkView::Off;
            snapshot.pause = Some(PauseView { pause: Pause::WhileInUse, rests: true, cannot: None });
        });
        assert_eq!(offers(&paused), (Some(true), false, true));
        let refused = with(|snapshot| {
            snapshot.hub.link = LinkView::Refused { why: String::new(), remedy: String::new(), fix: None };
        });
        assert_eq!(offers(&refused), (Some(true), true, false));
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
        assert_eq!((face(&scene), words(&scene, START).as_str()), (Face::Connecting, "Starting…"));
        scene.trouble = Some("The settings cannot be read.".to_owned());
        assert_eq!((face(&scene), words(&scene, START).as_str()), (Face::NeedsYou, "Porten can't start"));
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
