//! The states a person can see, each made from facts.

use std::time::Duration;

use super::*;
use crate::config;
use crate::engine::{Input, Listing, Proof, ProofFailure};
use crate::idle::Idle;
use crate::ids::{EngineId, Wanted};
use crate::ladder::{RungState, Step};
use crate::limits::Limits;
use crate::lingering::{Lingering, Seen};
use crate::memory::budget;
use crate::notice::Code;
use crate::pool::{self, Wired};
use crate::route::Route;
use crate::seat::Host;
use crate::snapshot::{AwakeView, PauseView, ProxyOrigin, ProxyView, WhyView};
use crate::tunnel::{ConnId, Lost, Refused};

/// A picture in which all is well, for the tests of whoever shows one.
pub(crate) fn example() -> Snapshot {
    Scene::well().draw_later()
}

const HUB_ID: &str = "deepseek-v4-flash";

fn told(standing: wire::Standing) -> (String, wire::ModelTraffic) {
    (HUB_ID.to_owned(), wire::ModelTraffic::new(HUB_ID, standing))
}

const ENGINE_ID: &str = "mlx-community/DeepSeek-V4-Flash";

/// Everything well: connected, proven, offered. Tests change what they are about.
struct Scene {
    host: HostView,
    config: Config,
    read: bool,
    account: Option<AccountView>,
    tunnel: State,
    proxy: Option<ProxyView>,
    health: Health,
    telling: Telling,
    desk: Desk,
    lingering: Lingering,
    matched: Matched,
    off: BTreeSet<ModelId>,
    standings: BTreeMap<String, wire::ModelTraffic>,
    hub_drains: Option<&'static str>,
    pause: Option<PauseView>,
    awake: AwakeView,
    traffic: TrafficView,
    by_model: BTreeMap<String, ModelTraffic>,
    online: bool,
    draining: bool,
    book: Book,
    now: Now,
}

impl Scene {
    fn well() -> Self {
        let env = [("PORTEN_ENGINE_MODELS", HUB_ID), ("PORTEN_ENGINE_URL", "http://localhost:8000")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);
        let mut scene = Self {
            host: HostView {
                kind: Host::Run,
                pid: 1,
                version: "0.1.0".into(),
                name: "studio-1".into(),
                node: "n".into(),
                since: now.wall,
            },
            config: config::read(&env, None).unwrap(),
            read: true,
            account: Some(AccountView { name: Some("anna".into()), kept_in: "the Keychain".into(), since: None }),
            proxy: None,
            tunnel: State::Up { conn: ConnId(1), since: Moment::START },
            health: Health::default(),
            telling: Telling::default(),
            desk: Desk::default(),
            lingering: Lingering::default(),
            matched: crate::ids::match_wanted(&[Wanted::read(HUB_ID).unwrap()], &[EngineId::read(ENGINE_ID).unwrap()]),
            off: BTreeSet::new(),
            standings: BTreeMap::from([told(wire::Standing::Eligible)]),
            hub_drains: None,
            pause: None,
            awake: AwakeView::NotWanted,
            traffic: TrafficView::default(),
            by_model: BTreeMap::new(),
            online: true,
            draining: false,
            book: Book::default(),
            now,
        };
        scene.engine_is_up();
        let proof = Proof { routes: vec![Route::ChatCompletions], took: Duration::ZERO };
        scene.health.on(Input::Proved(ENGINE_ID.into(), Ok(proof)), now);
        scene
    }

    fn engine_is_up(&mut self) {
        let url = config::EngineUrl::localhost(8000).unwrap();
        let models = vec![EngineId::read(ENGINE_ID).unwrap()];
        let listing = Listing { kind: config::EngineKind::Openai, url, models, sizes: BTreeMap::new() };
        self.health = Health::default();
        self.health.on(Input::Tick, self.now);
        self.health.on(Input::Probed(Ok(listing)), self.now);
        self.health.on(Input::Wanted(vec![ENGINE_ID.into()]), self.now);
    }

    fn draw(&mut self) -> Snapshot {
        let mut book = std::mem::take(&mut self.book);
        let limits = Limits::default();
        let facts = Facts {
            host: &self.host,
            config: &self.config,
            online: self.online,
            draining: self.draining,
            read: self.read,
            account: self.account.as_ref(),
            tunnel: &self.tunnel,
            link_since: Some(self.now.wall),
            proxy: self.proxy.as_ref(),
            rtt_ms: None,
            health: &self.health,
            telling: &self.telling,
            desk: &self.desk,
            idle: &Idle::default(),
            lingering: &self.lingering,
            catalog: &[],
            matched: &self.matched,
            off: &self.off,
            standings: &self.standings,
            said: Some(Timestamp::UNIX_EPOCH),
            hub_drains: self.hub_drains,
            memory: budget(&pool::alone(Some(131_072), None), None),
            wired: Wired { read_mib: None, limits: &limits },
            pause: self.pause.clone(),
            awake: &self.awake,
            traffic: self.traffic,
            by_model: &self.by_model,
        };
        let snapshot = draw(&facts, &mut book, self.now);
        self.book = book;
        snapshot
    }

    /// The picture once every condition has lasted.
    fn draw_later(&mut self) -> Snapshot {
        self.draw();
        self.now += Duration::from_secs(60);
        self.draw()
    }
}

fn rung(snapshot: &Snapshot, step: Step) -> RungState {
    snapshot.ladder.iter().find(|rung| rung.step == step).unwrap().state
}

fn codes(snapshot: &Snapshot) -> Vec<Code> {
    snapshot.notices.iter().map(|notice| notice.code).collect()
}

#[test]
fn when_all_is_well_it_is_ready_and_every_rung_is_reached() {
    let snapshot = Scene::well().draw_later();
    assert_eq!(snapshot.overall, Overall::Ready { models: 1, wanted: 1 });
    assert!(snapshot.ladder.iter().all(|rung| rung.state == RungState::Reached), "{:#?}", snapshot.ladder);
    assert!(snapshot.notices.is_empty());
}

#[test]
fn a_running_request_makes_it_serving_and_going_offline_finishing() {
    let mut scene = Scene::well();
    scene.traffic.in_flight = 2;
    scene.by_model.insert(HUB_ID.into(), ModelTraffic { in_flight: 2, tokens_per_s: Some(24.8) });
    let snapshot = scene.draw();
    assert_eq!(snapshot.overall, Overall::Serving { requests: 2 });
    assert_eq!(snapshot.models[0].state, ModelState::Serving { requests: 2 });
    scene.draining = true;
    assert_eq!(scene.draw().overall, Overall::Finishing { requests: 2 });
}

#[test]
fn nothing_is_ready_before_a_model_generated_a_token() {
    let mut scene = Scene::well();
    scene.engine_is_up();
    let snapshot = scene.draw();
    assert_eq!(snapshot.models[0].state, ModelState::Proving);
    assert_eq!(snapshot.overall, Overall::Connecting);
    let refused = ProofFailure::Refused("No instance found".into());
    scene.health.on(Input::Proved(ENGINE_ID.into(), Err(refused)), scene.now);
    let snapshot = scene.draw_later();
    assert_eq!(codes(&snapshot), [Code::ModelUnproven]);
    assert_eq!(rung(&snapshot, Step::ModelProven), RungState::Failed);
    assert_eq!(rung(&snapshot, Step::Offered), RungState::Unknown);
}

#[test]
fn a_dead_engine_is_one_notice_and_its_models_are_withdrawn_not_broken() {
    let mut scene = Scene::well();
    scene.health.on(Input::Nudge, scene.now);
    scene.health.on(Input::Probed(Err("no engine answers at http://localhost:8000".into())), scene.now);
    let snapshot = scene.draw_later();
    assert_eq!(codes(&snapshot), [Code::EngineDown]);
    assert_eq!(snapshot.models[0].state, ModelState::Withdrawn);
    assert_eq!(snapshot.overall, Overall::NeedsYou);
}

#[test]
fn signed_out_says_so_at_once_and_nothing_above_it_is_claimed() {
    let mut scene = Scene::well();
    scene.account = None;
    scene.tunnel = State::SignedOut(Some(Refused::Revoked));
    let snapshot = scene.draw();
    assert_eq!(codes(&snapshot), [Code::SignIn]);
    assert!(snapshot.notices[0].remedy.contains("porten login"));
    assert_eq!(rung(&snapshot, Step::SignedIn), RungState::Failed);
    assert_eq!(rung(&snapshot, Step::HubConnected), RungState::Unknown);
}

#[test]
fn nobody_is_called_signed_out_before_the_credential_store_was_read() {
    let mut scene = Scene::well();
    (scene.read, scene.account, scene.tunnel) = (false, None, State::SignedOut(None));
    let snapshot = scene.draw();
    assert_eq!(snapshot.overall, Overall::Connecting);
    assert_eq!(rung(&snapshot, Step::SignedIn), RungState::Pending);
    assert!(snapshot.notices.is_empty());
}

#[test]
fn the_proxy_is_shown_while_a_link_is_wanted() {
    let view = ProxyView { address: "proxy.test:3128".into(), origin: ProxyOrigin::System };
    let mut scene = Scene { proxy: Some(view.clone()), ..Scene::well() };
    let waiting = State::Waiting { until: scene.now.mono, why: Lost::Cut };
    for (tunnel, shown) in
        [(scene.tunnel.clone(), true), (waiting, true), (State::SignedOut(None), false), (State::Off, false)]
    {
        scene.tunnel = tunnel;
        assert_eq!(scene.draw().hub.proxy, shown.then(|| view.clone()), "{:?}", scene.tunnel);
    }
}

#[test]
fn a_machine_that_was_to_be_kept_awake_and_is_not_is_a_notice() {
    let titles = |awake: AwakeView| {
        let picture = Scene { awake, ..Scene::well() }.draw_later();
        assert_eq!(picture.overall, Scene::well().draw().overall, "it serves");
        picture.notices.into_iter().map(|notice| (notice.severity, notice.title, notice.text)).collect::<Vec<_>>()
    };
    assert_eq!(titles(AwakeView::Held), []);
    assert_eq!(titles(AwakeView::OnBattery)[0].1, "On battery: this machine may sleep");
    let refused = titles(AwakeView::Refused { why: "no logind answers".into() });
    assert_eq!(refused[0].0, crate::notice::Severity::Degraded, "the popover shows it");
    assert_eq!(refused[0].2, "It is not kept awake: no logind answers.");
}

#[test]
fn waiting_names_the_time_of_the_next_try_and_becomes_a_notice_only_if_it_lasts() {
    let mut scene = Scene::well();
    let until = Moment::after_start(Duration::from_secs(12));
    scene.tunnel = State::Waiting { until, why: Lost::Cut };
    let snapshot = scene.draw();
    assert_eq!(snapshot.overall, Overall::Waiting { until: Timestamp::from_second(12).unwrap() });
    assert!(snapshot.notices.is_empty());
    scene.now += Duration::from_secs(60);
    assert_eq!(codes(&scene.draw()), [Code::HubUnreachable]);
}

#[test]
fn an_id_that_the_hub_does_not_offer_is_said_with_a_remedy() {
    let mut scene = Scene::well();
    scene.standings.extend([told(wire::Standing::NotOffered)]);
    let snapshot = scene.draw_later();
    assert_eq!(codes(&snapshot), [Code::NotOffered]);
    assert_eq!(rung(&snapshot, Step::Offered), RungState::Failed);
    assert_eq!(rung(&snapshot, Step::Serving), RungState::Unknown);
}

#[test]
fn why_no_requests_come_is_said_for_each_model_that_could_answer() {
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let mut scene = Scene::well();
    let said = |more: fn(&mut wire::ModelTraffic)| {
        let (id, mut said) = told(wire::Standing::Eligible);
        more(&mut said);
        (id, said)
    };
    scene.standings.extend([said(|said| (said.asked_s, said.counted_s, said.nodes) = (Some(60), Some(90), Some(3)))]);
    let idle = WhyView::Idle { asked: Some(at(-60)), since: Some(at(-90)), nodes: Some(3) };
    assert_eq!(scene.draw().models[0].why, Some(idle));
    scene.standings.extend([said(|said| said.at_cap = true)]);
    assert_eq!(scene.draw().models[0].why, Some(WhyView::AtCap));
    scene.standings.extend([said(|said| {
        (said.standing, said.failures, said.retry_s) = (wire::Standing::Resting, Some(3), Some(10));
    })]);
    assert_eq!(scene.draw().models[0].why, Some(WhyView::Resting { failures: 3, until: Some(at(10)) }));
    scene
        .standings
        .extend([said(|said| (said.standing, said.needs_mib) = (wire::Standing::NeedsMemory, Some(999_999)))]);
    let needs = WhyView::NeedsMemory { needs_mib: Some(999_999), has_mib: 98_304 };
    assert_eq!(scene.draw().models[0].why, Some(needs));
    scene.standings.extend([said(|said| said.asked_s = Some(u64::MAX))]);
    assert!(matches!(scene.draw().models[0].why, Some(WhyView::Idle { asked: None, .. })), "no such time");
    scene.traffic.in_flight = 1;
    scene.by_model.insert(HUB_ID.into(), ModelTraffic { in_flight: 1, tokens_per_s: None });
    assert_eq!(scene.draw().models[0].why, None, "they do come");
    scene.health = Health::default();
    assert_eq!(scene.draw().models[0].why, None, "it could not answer");
}

#[test]
fn a_hub_that_drains_is_told_in_its_row_and_not_once_more_for_each_model() {
    let mut scene = Scene::well();
    scene.standings.extend([told(wire::Standing::HubDrains)]);
    scene.hub_drains = Some("It restarts.");
    let snapshot = scene.draw_later();
    assert_eq!((snapshot.hub.drains.as_deref(), codes(&snapshot).len()), (Some("It restarts."), 0));
    scene.hub_drains = None;
    assert_eq!(codes(&scene.draw_later()), [Code::NotOffered]);
}

#[test]
fn an_id_that_matches_nothing_is_unmatched_only_while_the_engine_can_be_asked() {
    let mut scene = Scene::well();
    scene.matched = crate::ids::match_wanted(&[Wanted::read("kimi").unwrap()], &[EngineId::read(ENGINE_ID).unwrap()]);
    let snapshot = scene.draw_later();
    assert!(matches!(snapshot.models[0].state, ModelState::Unmatched { .. }));
    assert_eq!(codes(&snapshot), [Code::ModelUnmatched]);
    scene.health = Health::default();
    assert_eq!(scene.draw().models[0].state, ModelState::Withdrawn);
}

#[test]
fn offline_is_off_without_a_single_complaint() {
    let mut scene = Scene::well();
    scene.online = false;
    scene.tunnel = State::Off;
    scene.account = None;
    scene.health = Health::default();
    let snapshot = scene.draw_later();
    assert_eq!(snapshot.overall, Overall::Off);
    assert!(snapshot.notices.is_empty());
}

#[test]
fn a_picture_survives_the_way_through_the_socket() {
    let mut scene = Scene::well();
    let until = Moment::after_start(Duration::from_secs(12));
    scene.tunnel = State::Waiting { until, why: Lost::Cut };
    let snapshot = scene.draw_later();
    let text = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
}

#[test]
fn a_model_that_computes_for_a_client_who_left_is_said_and_is_no_fault() {
    let mut scene = Scene::well();
    scene.lingering.left(ENGINE_ID, scene.now.mono);
    let later = scene.now.mono + Duration::from_secs(11);
    scene.lingering.look(|_| Some(Seen { computes: true, at: later }), |_| false, later);
    let snapshot = scene.draw();
    assert_eq!(codes(&snapshot), [Code::StillBusy]);
    assert_eq!(snapshot.notices[0].severity, crate::notice::Severity::Note);
    assert!(snapshot.notices[0].text.contains("asks exo directly"), "{:?}", snapshot.notices);
    assert_eq!(snapshot.overall, Scene::well().draw().overall);
}
