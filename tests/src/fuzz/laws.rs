//! The readers of single documents and heads.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use porten_core::api_error::ApiError;
use porten_core::config::{self, HubUrl, SettingsFile};
use porten_core::display_text::{is_disguise, is_visible, sanitize, terminal_safe};
use porten_core::exo::{Answer, Document, Input, Telling, read_previews};
use porten_core::http1::{self, Body};
use porten_core::machine_name::{MAX_CHARS, sanitize_machine_name};
use porten_core::models_list;
use porten_core::nearest::nearest;
use porten_core::relay::{AnswerShape, RequestId, headers as relay_headers};
use porten_core::replay::Replay;
use porten_core::reply::Reply;
use porten_core::signin::device::{Effect, Input as SignIn};
use porten_core::signin::{Device, metadata};
use porten_core::time::{Moment, Now};
use porten_core::wire::{self, FromHub, MAX_CATALOG_MODELS, MAX_TEXT};

use super::cuts;

/// A long text (bytes), and the time for one: a millisecond is usual, in a build for tests ten times that.
const LONG: usize = 32 * 1024;
const LONG_PATIENCE: Duration = Duration::from_secs(2);

/// Headers that belong to one connection or one side.
const NEVER_SENT: [&str; 13] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "authorization",
    "cookie",
    "set-cookie",
    "server",
];

/// Whatever a text is, what is shown of it is one short visible line, a terminal gets nothing to obey, and a long one
/// costs no more than a time in proportion to its length.
pub(super) fn display_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for max in [0, 1, 7, 300] {
        assert_plain(&sanitize(&text, max), max);
    }
    let safe = terminal_safe(&text);
    assert!(safe.chars().all(|c| matches!(c, '\n' | '\t') || !is_disguise(c)), "{safe:?}");
    let name = sanitize_machine_name(&text);
    assert_plain(&name, MAX_CHARS);
    assert_eq!(sanitize_machine_name(&name), name);
    let long = text.repeat(LONG / text.len().max(1));
    let begun = Instant::now();
    let _ = (sanitize(&long, 300), terminal_safe(&long), nearest(&long, [&*long, &*text]));
    assert!(begun.elapsed() < LONG_PATIENCE, "{:?} for {} bytes", begun.elapsed(), long.len());
}

fn assert_plain(line: &str, max: usize) {
    let plain = line.chars().all(|c| c == ' ' || is_visible(c));
    assert!(plain && line.chars().count() <= max, "{line:?}");
}

/// A message that reads is written and read back as the same, and what a person may read of it is plain.
pub(super) fn control(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Some(said)) = wire::read_from_hub(&text) {
        assert_eq!(wire::read_from_hub(&wire::write(&said)).expect("our own"), Some(said.clone()));
        match said {
            FromHub::Welcome(welcome) => {
                assert_plain(&welcome.account, MAX_TEXT);
                assert!(welcome.catalog.len() <= MAX_CATALOG_MODELS);
            }
            FromHub::Drain(drain) => assert_plain(&drain.reason, MAX_TEXT),
            FromHub::Goodbye(goodbye) => assert_plain(&goodbye.text, MAX_TEXT),
            FromHub::Catalog(catalog) => assert!(catalog.models.len() <= MAX_CATALOG_MODELS),
            FromHub::Traffic(_) | FromHub::Wake(_) | FromHub::Drained(_) => {}
        }
    }
    if let Ok(Some(said)) = wire::read_from_agent(&text) {
        assert_eq!(wire::read_from_agent(&wire::write(&said)).expect("our own"), Some(said));
    }
}

/// Heads out of lines `name: value`; what is no header is left out, as any HTTP library does.
pub(super) fn header_map(bytes: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}

/// Whatever headers came, none of one side's reaches the other, and nothing that is sent breaks a line.
pub(super) fn headers(bytes: &[u8]) {
    let received = header_map(bytes);
    let Some(id) = RequestId::of(&received).or_else(|| RequestId::read("req-1")) else { return };
    let _ = AnswerShape::read(200, &received);
    let mut error = ApiError::unavailable(503, "busy", "x");
    error.retry_after = relay_headers::retry_after(&received);
    let sent = [
        relay_headers::for_engine(&id),
        relay_headers::for_answer(true, &id),
        relay_headers::for_answer(false, &id),
        relay_headers::for_error(&error, true, &id),
    ];
    for (name, value) in sent.iter().flatten() {
        assert!(!NEVER_SENT.contains(&name.as_str()), "{name}");
        assert!(value.as_bytes().iter().all(|byte| (b' '..0x7f).contains(byte)), "{value:?}");
    }
}

/// A mistake is one short sentence without control characters; no Hub elsewhere is called without TLS, and no engine
/// elsewhere is taken that nobody allowed.
pub(super) fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let file = SettingsFile { text: &text, path: "config.toml" };
    let value = text.lines().next().unwrap_or_default().to_owned();
    let environments = ["PORTEN_HUB_URL", "PORTEN_ENGINE_URL", "PORTEN_ENGINE_MODELS", "PORTEN_VRAM_BUDGET_MB"]
        .map(|name| BTreeMap::from([(name.to_owned(), value.clone())]));
    let read = environments.iter().map(|environment| config::read(environment, None));
    for outcome in read.chain([config::read(&BTreeMap::new(), Some(file))]) {
        match outcome {
            Ok(config) => {
                let hub = config.hub.value.tunnel();
                let host = hub.host_str().unwrap_or_default();
                let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
                assert!(hub.scheme() == "wss" || is_here, "{hub}");
                assert!(hub.username().is_empty() && hub.password().is_none());
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(!sentence.contains(char::is_control) && sentence.chars().count() < 600, "{sentence:?}");
            }
        }
    }
}

/// A document of exo that is spoilt spoils nothing else: the picture is drawn, time goes on, and memory is bounded.
pub(super) fn exo(bytes: &[u8]) {
    let now = |second: u32| {
        let wall = Timestamp::from_second(1_795_000_000 + i64::from(second)).expect("a time");
        Now::new(Moment::after_start(Duration::from_secs(u64::from(second))), wall)
    };
    let first = bytes.first().copied().unwrap_or_default();
    let mut telling = Telling::default();
    for (second, document) in Document::ALL.into_iter().cycle().skip(usize::from(first)).take(3).enumerate() {
        let at = now(u32::try_from(second).unwrap_or_default());
        let _ = telling.on(Input::Told(Answer::read(document, &Reply::answer(200, bytes.to_vec()))), at);
        let _ = telling.on(Input::Tick, at);
        let plain = |text: &Option<String>| text.iter().for_each(|text| assert_plain(text, 64));
        for member in &telling.cluster().members {
            [&member.name, &member.model, &member.chip, &member.os, &member.build].into_iter().for_each(plain);
            assert!(member.id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        let instances: Vec<_> = telling.instances().map(|(instance, _)| instance.clone()).collect();
        for instance in &instances {
            let _ = (telling.parts(instance), telling.is_broken(instance), telling.stall(instance, at));
        }
        let _ = (telling.told(), telling.freshness(at), telling.absent(), telling.deadline(at.mono));
    }
    let _ = read_previews(bytes);
    if let Ok(state) = serde_json::from_slice(bytes) {
        let config = config::read(&BTreeMap::new(), None).expect("the defaults");
        let mut replay = Replay::new(config, true);
        for t in [0.0, 4.0, 60.0] {
            let step = replay.step(t, &state);
            assert!(serde_json::to_string(&step).is_ok_and(|text| text.len() < 64 * 1024 + 64 * bytes.len()));
        }
    }
}

/// Whatever a Hub answers, a person is sent to the Hub itself or nowhere, and is shown a code that is one.
pub(super) fn sign_in(bytes: &[u8]) {
    const METADATA: &str = r#"{"issuer":"https://porten.ai","token_endpoint":"https://porten.ai/t","device_authorization_endpoint":"https://porten.ai/d","porten_protocols":["porten.v1"]}"#;
    let hub = HubUrl::read("wss://porten.ai").expect("a Hub");
    let _ = metadata::read(&hub, &Reply::answer(200, bytes.to_vec()));
    let found = metadata::read(&hub, &Reply::answer(200, METADATA)).expect("our own");
    let mut device = Device::new(found);
    let mut second = 100;
    let now = |second: u64| {
        let wall = Timestamp::from_second(1_795_000_000).expect("a time");
        Now::new(Moment::after_start(Duration::from_secs(second)), wall)
    };
    let _ = device.ask("n-1", "Jane's Mac", now(second));
    let status = if bytes.len().is_multiple_of(3) { 400 } else { 200 };
    let mut effects = device.on(SignIn::Reply(Reply::answer(200, bytes.to_vec())), now(second));
    for _ in 0..4 {
        for effect in effects.drain(..) {
            match effect {
                Effect::Show(prompt) => {
                    for page in [Some(prompt.page), prompt.page_with_code].into_iter().flatten() {
                        assert_eq!(page.origin().ascii_serialization(), "https://porten.ai");
                        assert!(page.username().is_empty() && page.password().is_none());
                    }
                    assert!(prompt.user_code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
                }
                Effect::Post { url, .. } => assert_eq!(url.origin().ascii_serialization(), "https://porten.ai"),
                Effect::Done(credential) => assert_eq!(credential.hub, "https://porten.ai"),
                Effect::Failed(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
                Effect::Slower(every) => assert!(every > Duration::from_secs(5)),
            }
        }
        let Some(deadline) = device.deadline() else { return };
        second = second.max(deadline.since_start().as_secs());
        effects = device.on(SignIn::Due, now(second));
        effects.extend(device.on(SignIn::Reply(Reply::answer(status, bytes.to_vec())), now(second)));
    }
}

/// A list of models that reads is plain: no control character, nothing twice.
pub(super) fn models(bytes: &[u8]) {
    let Ok(list) = models_list::read(bytes) else { return };
    let mut ids: Vec<_> = list.iter().map(|model| model.id.as_str()).collect();
    assert!(ids.iter().all(|id| !id.is_empty() && id.len() <= 1024 && !id.contains(char::is_control)));
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// What a body comes to: its content, whether it is over, and whether it was refused.
fn content<'a>(mut body: Body, parts: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool, bool) {
    let (mut content, mut kept) = (Vec::new(), Vec::new());
    for part in parts {
        kept.extend_from_slice(part);
        match body.unwrap(&mut kept) {
            Ok(found) => {
                assert!(found.content <= found.used && found.used <= kept.len());
                content.extend_from_slice(&kept[..found.content]);
                kept.drain(..found.used);
            }
            Err(_) => return (content, false, true),
        }
    }
    (content, body.is_over(), false)
}

/// Where an answer's head ends, and what its body comes to, does not depend on how the bytes arrive.
pub(super) fn http1(bytes: &[u8]) {
    let whole = http1::head(bytes);
    if let Ok(None) = whole {
        return;
    }
    let first = (0..=bytes.len()).map(|end| http1::head(&bytes[..end])).find(|head| !matches!(head, Ok(None)));
    let (Ok(Some(head)), Some(Ok(Some(first)))) = (whole, first) else { return };
    assert_eq!((head.used, head.body, head.keeps), (first.used, first.body, first.keeps));
    let rest = &bytes[head.used..];
    let (at_once, is_over, refused) = content(head.body, std::iter::once(rest));
    let in_pieces = content(head.body, cuts(rest));
    assert_eq!((is_over, refused), (in_pieces.1, in_pieces.2));
    assert!(refused || at_once == in_pieces.0);
}
