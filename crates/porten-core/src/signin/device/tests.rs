//! One sign-in after the other, each with its Hub and its clock made up here.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::config::HubUrl;

const CODES: &str = r#"{"device_code":"dev-hunter2","user_code":"BCDF-GHJK","verification_uri":"https://porten.ai/device",
    "verification_uri_complete":"https://porten.ai/device?user_code=BCDF-GHJK","expires_in":600,"interval":5}"#;
const TOKENS: &str = r#"{"access_token":"acc","token_type":"Bearer","expires_in":900,"refresh_token":"ref"}"#;
const PENDING: &str = r#"{"error":"authorization_pending"}"#;
const SLOW_DOWN: &str = r#"{"error":"slow_down"}"#;

/// A sign-in and the seconds since the process's start.
struct Scene {
    device: Device,
    now: u64,
}

impl Scene {
    fn new() -> Self {
        let hub = HubUrl::read("wss://porten.ai").unwrap();
        let body = r#"{"issuer":"https://porten.ai","token_endpoint":"https://porten.ai/t",
            "device_authorization_endpoint":"https://porten.ai/d","porten_protocols":["porten.v1"]}"#;
        let metadata = super::super::metadata::read(&hub, &Reply::answer(200, body)).unwrap();
        Self { device: Device::new(metadata), now: 100 }
    }

    /// As far as the shown code.
    fn waiting(codes: &str) -> Self {
        let mut scene = Self::new();
        let Effect::Post { url, form } = scene.ask() else { panic!("asks for a code first") };
        assert_eq!((url.as_str(), form.body()), ("https://porten.ai/d", "client_id=porten&node=n-1&name=Jane%27s+Mac"));
        let shown = scene.reply(200, codes);
        assert!(matches!(shown.as_slice(), [Effect::Show(_)]), "{shown:?}");
        scene
    }

    fn ask(&mut self) -> Effect {
        let now = self.now();
        self.device.ask("n-1", "Jane's Mac", now)
    }

    fn now(&self) -> Now {
        let wall = Timestamp::from_second(i64::try_from(self.now).unwrap() + 1_000_000).unwrap();
        Now::new(Moment::after_start(Duration::from_secs(self.now)), wall)
    }

    fn on(&mut self, input: Input) -> Vec<Effect> {
        let now = self.now();
        self.device.on(input, now)
    }

    fn reply(&mut self, status: u16, body: &str) -> Vec<Effect> {
        self.on(Input::Reply(Reply::answer(status, body)))
    }

    /// Lets time pass to the deadline and says how long that was.
    fn pass(&mut self) -> (u64, Vec<Effect>) {
        let deadline = self.device.deadline().expect("not ended").since_start().as_secs();
        let waited = deadline.saturating_sub(self.now);
        assert!(waited == 0 || self.on(Input::Due).is_empty(), "a clock that comes early does no harm");
        self.now = self.now.max(deadline);
        (waited, self.on(Input::Due))
    }

    /// Waits for the next poll, answers it, and says how long the wait was.
    fn poll(&mut self, status: u16, body: &str) -> (u64, Vec<Effect>) {
        let (waited, effects) = self.pass();
        assert!(matches!(effects.as_slice(), [Effect::Post { .. }]), "{effects:?}");
        (waited, self.reply(status, body))
    }

    fn failure(effects: &[Effect]) -> &SignInError {
        match effects {
            [Effect::Failed(error)] => error,
            other => panic!("{other:?}"),
        }
    }
}

/// Fault E7: a yes signs in at the next poll.
#[test]
fn a_person_who_answers_is_signed_in_at_the_next_poll() {
    let mut scene = Scene::waiting(CODES);
    assert_eq!(scene.poll(400, PENDING).0, 5);
    scene.now += 2; // the time the answer took does not count
    assert_eq!(scene.poll(400, PENDING).0, 3 + 2 - 2);
    let (_, effects) = scene.pass();
    let [Effect::Post { url, form }] = effects.as_slice() else { panic!("{effects:?}") };
    let body =
        "client_id=porten&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dev-hunter2";
    assert_eq!((url.as_str(), form.body()), ("https://porten.ai/t", body));
    let effects = scene.reply(200, TOKENS);
    let [Effect::Done(credential)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((credential.hub.as_str(), credential.access.expose()), ("https://porten.ai", "acc"));
    assert_eq!(scene.device.deadline(), None);
}

/// Fault E7: each `slow_down` adds five seconds for good, and the person is told.
#[test]
fn slow_down_adds_five_seconds_for_good_each_time_and_is_said() {
    let mut scene = Scene::waiting(CODES);
    let mut waits = Vec::new();
    let mut said = Vec::new();
    for answer in [SLOW_DOWN, PENDING, SLOW_DOWN, PENDING, PENDING] {
        let (waited, effects) = scene.poll(400, answer);
        waits.push(waited);
        said.extend(effects.iter().map(|effect| match effect {
            Effect::Slower(every) => slower(*every),
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(waits, [5, 10, 10, 15, 15]);
    let sentence = |seconds| format!("The Hub asked to wait longer, so your answer is noticed within {seconds} s.");
    assert_eq!(said, [sentence(10), sentence(15)]);
}

/// Fault E7: a Hub in trouble is asked ever more rarely.
#[test]
fn a_hub_in_trouble_is_asked_ever_more_rarely_until_it_answers() {
    let mut scene = Scene::waiting(CODES);
    let waits = [500, 502, 503, 429, 408, 500].map(|status| scene.poll(status, "").0);
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    let (waited, lost) = scene.pass();
    assert!(waited == 60 && matches!(lost.as_slice(), [Effect::Post { .. }]));
    assert!(scene.on(Input::Reply(Reply::Lost)).is_empty());
    assert_eq!(scene.poll(403, "<html>a proxy").0, 60, "who is no Hub cannot say no");
    assert_eq!(scene.poll(400, PENDING).0, 60);
    assert_eq!(scene.poll(400, PENDING).0, 5, "back to the Hub's own interval");
}

#[test]
fn a_hub_that_names_a_time_is_not_asked_before() {
    let mut scene = Scene::waiting(CODES);
    scene.pass();
    let retry_after = Some(Duration::from_secs(120));
    assert!(scene.on(Input::Reply(Reply::Answer { status: 429, body: Vec::new(), retry_after })).is_empty());
    assert_eq!(scene.pass().0, 120);
}

/// Fault E7: a no ends it.
#[test]
fn a_no_ends_it() {
    let ended = |status, body: &str| {
        let mut scene = Scene::waiting(CODES);
        let (_, effects) = scene.poll(status, body);
        assert_eq!(scene.device.deadline(), None);
        Scene::failure(&effects).to_string()
    };
    let told = [
        ended(400, r#"{"error":"access_denied"}"#),
        ended(400, r#"{"error":"expired_token"}"#),
        ended(400, r#"{"error":"invalid_grant"}"#),
        ended(401, r#"{"error":"invalid_client"}"#),
        ended(200, "<html>"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    the sign-in was refused on the Hub's page; if that was a mistake, sign in again
    the code has run out before anybody answered; try again
    the Hub did not take the sign-in; try again, and if it stays so ask whoever runs the Hub
    the Hub did not take the sign-in; try again, and if it stays so ask whoever runs the Hub
    the Hub granted the sign-in but gave no usable token; try again
    "#);
}

/// Fault E7: a code that runs out ends it.
#[test]
fn a_code_that_runs_out_ends_it_and_a_poll_on_its_way_is_waited_for() {
    let mut scene = Scene::waiting(&CODES.replace("600", "8"));
    scene.poll(400, PENDING);
    let (waited, effects) = scene.pass();
    assert_eq!((waited, scene.now), (3, 108), "not polled once more");
    assert!(matches!(Scene::failure(&effects), SignInError::Expired));

    let mut scene = Scene::waiting(&CODES.replace("600", "6"));
    assert!(matches!(scene.pass().1.as_slice(), [Effect::Post { .. }]));
    scene.now = 120;
    assert!(scene.on(Input::Due).is_empty());
    assert!(matches!(scene.reply(200, TOKENS).as_slice(), [Effect::Done(_)]));

    let mut scene = Scene::waiting(&CODES.replace("600", "6"));
    scene.pass();
    let (_, effects) = scene.pass();
    assert_eq!(scene.now, 105 + 30, "but not for ever");
    assert!(matches!(Scene::failure(&effects), SignInError::Expired));
    assert!(scene.reply(200, TOKENS).is_empty(), "an answer after the end is nobody's");
}

#[test]
fn without_a_code_it_ends_at_once() {
    for (reply, sentence) in [
        (Reply::Lost, "the Hub does not answer"),
        (Reply::answer(503, ""), "the Hub does not answer"),
        (Reply::answer(404, "<html>"), "the Hub's sign-in answered 404"),
        (Reply::answer(401, r#"{"error":"invalid_client"}"#), "the Hub did not take the sign-in"),
        (Reply::answer(200, "null"), "the Hub's answer holds no code"),
    ] {
        let mut scene = Scene::new();
        let _ = scene.ask();
        let effects = scene.on(Input::Reply(reply));
        assert!(Scene::failure(&effects).to_string().starts_with(sentence), "{effects:?}");
    }
    let mut scene = Scene::new();
    let _ = scene.ask();
    let (waited, effects) = scene.pass();
    assert!(waited == 30 && matches!(Scene::failure(&effects), SignInError::Lost));
}

/// Fault E8: a page elsewhere is refused before any window opens.
#[test]
fn a_page_outside_of_the_hub_is_never_shown() {
    for bad in [
        "https://evil.example/device",
        "http://porten.ai/device",
        "javascript:alert(1)",
        "file:///x",
        "https://hub@porten.ai/device",
    ] {
        for part in [
            "\"verification_uri\":\"https://porten.ai/device\"",
            "\"verification_uri_complete\":\"https://porten.ai/device?user_code=BCDF-GHJK\"",
        ] {
            let (field, _) = part.split_once(':').unwrap();
            let mut scene = Scene::new();
            let _ = scene.ask();
            let effects = scene.reply(200, &CODES.replace(part, &format!("{field}:\"{bad}\"")));
            assert!(matches!(Scene::failure(&effects), SignInError::Elsewhere), "{field} {bad}");
        }
    }
}

#[test]
fn codes_that_could_play_tricks_are_refused() {
    for (from, to) in [
        ("BCDF-GHJK\",", "\\u001b[2J\","),
        ("BCDF-GHJK\",", "\","),
        ("BCDF-GHJK\",", "come to evil.example\","),
        ("dev-hunter2", "a\\nb"),
        ("dev-hunter2", ""),
        ("600", "0"),
        ("600", "-1"),
    ] {
        let mut scene = Scene::new();
        let _ = scene.ask();
        let effects = scene.reply(200, &CODES.replacen(from, to, 1));
        assert!(matches!(Scene::failure(&effects), SignInError::Unreadable(_)), "{to}");
    }
}

#[test]
fn strange_times_are_brought_into_bounds() {
    let mut scene = Scene::waiting(&CODES.replace("\"interval\":5", "\"interval\":0"));
    assert_eq!(scene.pass().0, 1, "never faster than once a second");
    let mut scene = Scene::waiting(&CODES.replace(",\"interval\":5", ""));
    assert_eq!(scene.pass().0, 5);
    let mut scene = Scene::waiting(&CODES.replace("\"interval\":5", "\"interval\":18446744073709551615"));
    assert_eq!(scene.pass().0, 600, "only its end can come");
    let mut scene = Scene::waiting(&CODES.replace("600,\"interval\":5", "18446744073709551615,\"interval\":9999"));
    assert_eq!(scene.pass().0, 30 * 60);
}

#[test]
fn no_code_is_printed_with_the_machine() {
    let mut scene = Scene::waiting(CODES);
    let effects = scene.pass().1;
    assert!(!format!("{:?} {effects:?}", scene.device).contains("hunter2"));
}

proptest! {
    /// Fault E7: whatever the Hub answers, it ends, and never polls faster than it may.
    #[test]
    fn it_always_ends_and_never_polls_faster_than_it_may(
        answers in prop::collection::vec((0_usize..6, 0_u64..40), 0..80),
        interval in 0_u64..20,
        lifetime in 1_u64..2000,
    ) {
        let codes = CODES.replace("600", &lifetime.to_string()).replace("\"interval\":5", &format!("\"interval\":{interval}"));
        let mut scene = Scene::waiting(&codes);
        let (mut least, mut last) = (interval.max(1), scene.now);
        for (answer, takes) in answers {
            let (_, effects) = scene.pass();
            match effects.as_slice() {
                [Effect::Post { .. }] => {}
                [Effect::Failed(SignInError::Expired)] => break,
                other => panic!("{other:?}"),
            }
            prop_assert!(scene.now >= last + least);
            scene.now += takes;
            let (status, body) = [(400, PENDING), (400, SLOW_DOWN), (500, ""), (429, ""), (302, ""), (0, "")][answer];
            let input = if status == 0 { Reply::Lost } else { Reply::answer(status, body) };
            let effects = scene.on(Input::Reply(input));
            if answer == 1 {
                least += 5;
                let told = matches!(effects.as_slice(), [Effect::Slower(every)] if every.as_secs() == least);
                prop_assert!(told, "{effects:?}");
            } else {
                prop_assert!(effects.is_empty(), "{effects:?}");
            }
            last = scene.now;
        }
        for _ in 0..=lifetime + 40 {
            if scene.device.deadline().is_none() {
                break;
            }
            let (_, effects) = scene.pass();
            if let [Effect::Post { .. }] = effects.as_slice() {
                let _ = scene.reply(400, PENDING);
            }
        }
        prop_assert_eq!(scene.device.deadline(), None);
    }
}

/// Fault F7: a sign-in keeps its pace and its end by the clock that is never set, whatever is done to the other.
#[test]
fn a_wall_clock_that_is_set_neither_hurries_nor_ends_a_sign_in() {
    let day = Duration::from_secs(86_400);
    let mut scene = Scene::waiting(CODES);
    for ahead in [true, false] {
        let Now { mono, wall } = scene.now();
        let wall = if ahead { wall + day } else { wall - day };
        assert!(scene.device.on(Input::Due, Now::new(mono, wall)).is_empty(), "not before its time");
        let (waited, polled) = scene.pass();
        assert!(waited == 5 && matches!(polled.as_slice(), [Effect::Post { .. }]), "{waited} {polled:?}");
        assert!(scene.reply(400, PENDING).is_empty());
    }
}
