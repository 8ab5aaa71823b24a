//! All that the agent knows, and how it changes: each input is taken without waiting, then everything is derived anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use porten_core::activity::Activity;
use porten_core::awake::Wish;
use porten_core::catalog_pace::CatalogPace;
use porten_core::config::Config;
use porten_core::detect::Chosen;
use porten_core::engine::{self, Health, Reach};
use porten_core::exo;
use porten_core::ids::{Matched, Wanted};
use porten_core::leaving::{Leave, Leaving};
use porten_core::memory::{Memory, budget};
use porten_core::models::{self, Shelf};
use porten_core::nearest::nearest_of_each;
use porten_core::notice::Book;
use porten_core::pause::Resting;
use porten_core::picture::{self, Facts};
use porten_core::pool;
use porten_core::snapshot::{AccountView, AwakeView, HostView, ProxyView, Snapshot};
use porten_core::surroundings::Change;
use porten_core::time::Moment;
use porten_core::tunnel::{self, ConnId, Failure, Tunnel};
use porten_core::wire::{self, Advert, FromHub, MAX_STREAMS, Offer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Ended;
use super::cluster::Following;
use super::effects::{Done, Sessions};
use crate::client::Asked;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::engine::EngineClient;
use crate::in_use::InUse;
use crate::ledger::{Ledger, Reading};
use crate::places::Places;
use crate::relay::RelayFacts;
use crate::session::{Told, Way};
use crate::wishes::Wishes;

/// Numbers reach the front ends at most this often.
const NUMBERS_GAP: Duration = Duration::from_millis(250);
/// Requests are counted at most this often: at thousands a second the loop would do nothing else.
const COUNTS_GAP: Duration = Duration::from_millis(20);

/// What the loop touches the world with.
pub(super) struct Hands {
    pub(super) clock: Clock,
    pub(super) places: Places,
    /// The environment's part of the settings.
    pub(super) environment: Arc<BTreeMap<String, String>>,
    pub(super) way: Way,
    pub(super) credentials: Credentials,
    pub(super) engine: EngineClient,
    pub(super) ledger: Ledger,
    pub(super) facts: watch::Sender<Arc<RelayFacts>>,
    pub(super) adverts: watch::Sender<Advert>,
    /// Whether it matters what happens around the machine: somebody wants a link.
    pub(super) caring: watch::Sender<bool>,
    pub(super) settings: watch::Sender<Arc<Config>>,
    pub(super) in_use: InUse,
    /// Which proxy was dialled through last.
    pub(super) proxy: watch::Receiver<Option<ProxyView>>,
    /// Whether the machine is to be kept awake.
    pub(super) awake: watch::Sender<Wish>,
}

/// What the loop hears.
pub(super) struct Inputs {
    pub(super) stirs: mpsc::Receiver<Change>,
    pub(super) told: mpsc::Receiver<(ConnId, Told)>,
    pub(super) asked: mpsc::UnboundedReceiver<Asked>,
    pub(super) leave: mpsc::UnboundedReceiver<Leave>,
    /// Which proxy was dialled through last.
    pub(super) proxy: watch::Receiver<Option<ProxyView>>,
    /// What came of the wish to be kept awake.
    pub(super) awake: watch::Receiver<AwakeView>,
    pub(super) lookers: watch::Receiver<u32>,
}

/// The loop's state.
pub(super) struct World {
    pub(super) config: Config,
    pub(super) chosen: Chosen,
    pub(super) host: HostView,
    pub(super) kept_in: String,
    /// Of this machine (MiB), if the system says.
    pub(super) installed_mib: Option<u64>,
    /// What its GPU may wire (MiB), if the system says.
    pub(super) wired_mib: Option<u64>,
    pub(super) memory: Memory,
    pub(super) following: Following,
    pub(super) wishes: Wishes,
    pub(super) hands: Hands,
    pub(super) tunnel: Tunnel,
    pub(super) sessions: Sessions,
    pub(super) tasks: JoinSet<Done>,
    pub(super) health: Health,
    pub(super) matched: Matched,
    catalog: CatalogPace,
    standings: BTreeMap<String, wire::ModelTraffic>,
    /// For ids that the Hub does not offer: one that it does and that is near.
    nearest: BTreeMap<String, String>,
    /// When the Hub said so.
    said: Option<Timestamp>,
    /// It asked this node to finish what runs: why, and whether the link stays.
    hub_drains: Option<wire::Drain>,
    pub(super) account: Option<AccountView>,
    /// Whether the credential store was read.
    pub(super) read: bool,
    link_since: Option<Timestamp>,
    /// Why the last attempt came to nothing, as the log has it; `None` after a good one.
    logged: Option<Failure>,
    rtt_ms: Option<u32>,
    pub(super) leaving: Option<Leaving>,
    pub(super) resting: Resting,
    awake: AwakeView,
    /// On the way to the Hub.
    proxy: Option<ProxyView>,
    /// What was last made of the wish and the rest.
    pub(super) online: bool,
    /// Its leaving is for an agent with other settings.
    pub(super) anew: bool,
    /// It leaves so that another kind of host takes over.
    pub(super) yielded: bool,
    pub(super) reading: Reading,
    activity: Activity,
    /// When that was read.
    counted: Option<Moment>,
    book: Book,
    /// Commands that wait for the disk, in their order.
    pub(super) waiting: VecDeque<Asked>,
    pub(super) storing: bool,
    drawn: Option<Moment>,
    owes_picture: bool,
}

impl World {
    pub(super) fn new(
        config: Config,
        host: HostView,
        kept_in: String,
        installed_mib: Option<u64>,
        wired_mib: Option<u64>,
        wishes: Wishes,
        hands: Hands,
    ) -> Self {
        let memory = budget(&pool::alone(installed_mib, wired_mib), config.budget_mib.as_ref().map(|set| set.value));
        let following = Following::begin(&hands.places.state, &config);
        let chosen = Chosen { url: config.engine_url.clone(), kind: config.engine.clone() };
        let mut world = Self {
            config,
            chosen,
            host,
            kept_in,
            installed_mib,
            wired_mib,
            memory,
            following,
            wishes,
            hands,
            tunnel: Tunnel::default(),
            sessions: Sessions::default(),
            tasks: JoinSet::new(),
            health: Health::default(),
            matched: Matched::default(),
            catalog: CatalogPace::default(),
            standings: BTreeMap::new(),
            nearest: BTreeMap::new(),
            said: None,
            hub_drains: None,
            account: None,
            read: false,
            link_since: None,
            logged: None,
            rtt_ms: None,
            leaving: None,
            resting: Resting::default(),
            awake: AwakeView::NotWanted,
            proxy: None,
            online: false,
            anew: false,
            yielded: false,
            reading: Reading::default(),
            activity: Activity::default(),
            counted: None,
            book: Book::default(),
            waiting: VecDeque::new(),
            storing: false,
            drawn: None,
            owes_picture: true,
        };
        world.match_models();
        world
    }

    pub(super) const fn first_advert() -> Advert {
        Advert {
            seq: 0,
            memory_mib: 0,
            models: Vec::new(),
            max_streams: MAX_STREAMS,
            engine_up: false,
            cold: Vec::new(),
        }
    }

    pub(super) fn first_picture(&self) -> Snapshot {
        picture::draw(&self.facts(), &mut Book::default(), self.hands.clock.now())
    }

    /// Runs until it was asked to end, or must, and nothing runs any more.
    pub(super) async fn run(mut self, mut inputs: Inputs, snapshots: watch::Sender<Arc<Snapshot>>) -> Ended {
        self.reload_credential();
        self.take_pause();
        self.online = self.is_wanted();
        self.step_tunnel(tunnel::Input::Wanted(self.online));
        self.step_health(engine::Input::Tick);
        self.follow();
        self.derive(&snapshots);
        loop {
            let deadline = self.hands.clock.instant(self.deadline());
            let counting = self.counted.map(|counted| self.hands.clock.instant(counted + COUNTS_GAP));
            let at_once = tokio::select! {
                // A person's wish goes before what flows.
                biased;
                Some(leave) = inputs.leave.recv() => { self.anew &= !leave.quit; self.leave(leave); true }
                Some(asked) = inputs.asked.recv() => { self.ask(asked); true }
                Some(change) = inputs.stirs.recv() => { self.stir(change); true }
                Some((conn, told)) = inputs.told.recv() => self.hear(conn, told),
                Some(done) = self.tasks.join_next() => { self.finish(done); true }
                Some(_) = self.sessions.running.join_next() => true,
                () = tokio::time::sleep_until(deadline) => { self.tick(); true }
                () = changed(&self.hands.ledger, counting) => self.count(),
                Ok(()) = inputs.proxy.changed() => {
                    inputs.proxy.mark_unchanged();
                    self.dialled();
                    true
                }
                Ok(()) = inputs.awake.changed() => { self.awake = inputs.awake.borrow_and_update().clone(); true }
                Ok(()) = inputs.lookers.changed() => {
                    self.following.lookers = *inputs.lookers.borrow_and_update();
                    false
                }
            };
            self.owes_picture = true;
            self.follow();
            self.settle_wish(None);
            let over = self.settle();
            if at_once || self.numbers_are_due() {
                self.derive(&snapshots);
            }
            if over {
                break;
            }
        }
        self.sessions.running.shutdown().await;
        match (self.yielded, self.anew) {
            (true, _) => Ended::Yielded,
            (false, true) => Ended::Anew,
            (false, false) => Ended::Done,
        }
    }

    /// What a session said; numbers are not urgent.
    fn hear(&mut self, conn: ConnId, told: Told) -> bool {
        match told {
            Told::Opened(welcome) => {
                self.step_tunnel(tunnel::Input::Opened(conn));
                if self.is_up(conn) {
                    self.proxy.clone_from(&self.hands.proxy.borrow());
                    self.link_since = Some(self.hands.clock.now().wall);
                    self.logged = None;
                    // The store may have opened only now.
                    self.read = true;
                    let kept_in = self.kept_in.clone();
                    let since = self.account.as_ref().and_then(|account| account.since);
                    let name = Some(welcome.account).filter(|name| !name.is_empty());
                    self.account = Some(AccountView { name, kept_in, since });
                    self.take_catalog(welcome.catalog);
                }
            }
            Told::Ended(failure) => {
                self.log_end(&failure);
                if self.is_up(conn) {
                    self.link_since = None;
                    self.rtt_ms = None;
                    self.standings.clear();
                    self.nearest.clear();
                    (self.said, self.hub_drains) = (None, None);
                }
                self.step_tunnel(tunnel::Input::Ended(conn, failure));
                self.dialled();
            }
            Told::Rtt(rtt) if self.is_up(conn) => {
                self.rtt_ms = Some(u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX));
                return false;
            }
            Told::Said(said) if self.is_up(conn) => self.obey(said),
            Told::Rtt(_) | Told::Said(_) => {}
        }
        true
    }

    /// An attempt that ends as the last one did is no news: without a Hub there are dozens an hour.
    fn log_end(&mut self, failure: &Failure) {
        match failure {
            same if self.logged.as_ref() == Some(same) => tracing::debug!("the Hub is not there still"),
            // Quoted: there are a stranger's words in some.
            Failure::Lost(why) => tracing::info!(why = ?why.to_string(), "link ended"),
            Failure::Refused(why) => tracing::warn!(why = ?why.to_string(), "the Hub refused"),
        }
        self.logged = Some(failure.clone());
    }

    /// A dial goes another way now. A link that is up goes the way that it was made.
    fn dialled(&mut self) {
        if !matches!(self.tunnel.state(), tunnel::State::Up { .. }) {
            self.proxy.clone_from(&self.hands.proxy.borrow());
        }
    }

    /// Something around the machine changed: what stood before may not stand any more, whatever it looks like.
    fn stir(&mut self, change: Change) {
        tracing::info!(what = change.words(), "looking at the link");
        self.step_tunnel(tunnel::Input::Stirred);
        if change == Change::Woke {
            self.step_health(engine::Input::Nudge);
            self.step_telling(exo::Input::Nudge);
        }
    }

    fn is_up(&self, conn: ConnId) -> bool {
        matches!(self.tunnel.state(), tunnel::State::Up { conn: up, .. } if *up == conn)
    }

    fn obey(&mut self, said: FromHub) {
        match said {
            FromHub::Catalog(catalog) => self.take_catalog(catalog.models),
            FromHub::Traffic(traffic) => {
                let places_again = |told: &wire::ModelTraffic| told.standing != wire::Standing::HubDrains;
                if traffic.models.first().is_some_and(places_again) {
                    self.hub_drains.take_if(|drain| drain.stay);
                }
                self.said = Some(self.hands.clock.now().wall);
                self.standings = traffic.models.into_iter().map(|told| (told.id.clone(), told)).collect();
                self.look_for_nearest();
            }
            FromHub::Wake(wake) => self.wake(&wake.model),
            FromHub::Drain(drain) => {
                tracing::info!(reason = ?drain.reason, stay = drain.stay, "the Hub asks to drain");
                if !drain.stay {
                    self.sessions.drain();
                }
                self.hub_drains = Some(drain);
            }
            // A welcome comes once, before this; a goodbye is read where the link ends.
            FromHub::Welcome(_) | FromHub::Goodbye(_) | FromHub::Drained(_) => {}
        }
    }

    fn take_catalog(&mut self, catalog: Vec<Offer>) {
        if self.catalog.offer(catalog, self.hands.clock.now().mono) {
            self.took_catalog();
        }
    }

    fn took_catalog(&mut self) {
        self.match_models();
        self.look_for_nearest();
    }

    /// Which of the Hub's ids a person may have meant by one that it does not offer: once for each of its words.
    fn look_for_nearest(&mut self) {
        let missing = self.standings.values().filter(|told| told.standing == wire::Standing::NotOffered);
        let offered: Vec<&str> = self.catalog.current().iter().map(|offer| offer.id.as_str()).collect();
        self.nearest = nearest_of_each(missing.map(|told| told.id.as_str()), &offered);
    }

    /// Pairs anew what is wanted with what is listed.
    pub(super) fn match_models(&mut self) {
        let (no_ids, no_sizes) = (Vec::new(), BTreeMap::new());
        let (listed, sizes) = match self.health.reach() {
            Reach::Up { listing, .. } => (&listing.models, &listing.sizes),
            Reach::Unknown | Reach::Down { .. } => (&no_ids, &no_sizes),
        };
        let loaded = self.following.telling.instances().map(|(instance, _)| instance.model.clone()).collect();
        self.matched =
            models::plan(self.listed_models(), self.catalog.current(), Shelf { listed, sizes, loaded: &loaded });
    }

    /// The models that the settings list.
    fn listed_models(&self) -> &[Wanted] {
        self.config.models.as_ref().map_or(&[][..], |models| &models.value)
    }

    /// Requests began or ended; numbers are not urgent, a failure is.
    fn count(&mut self) -> bool {
        self.counted = Some(self.hands.clock.now().mono);
        self.reading = self.hands.ledger.read();
        let served = std::mem::take(&mut self.reading.served);
        let failed = std::mem::take(&mut self.reading.failed);
        let has_failed = !failed.is_empty();
        let now = self.hands.clock.now().mono;
        for id in std::mem::take(&mut self.reading.left) {
            self.following.lingering.left(&id, now);
        }
        self.step_health(engine::Input::Busy(self.reading.traffic.in_flight > 0));
        for id in served {
            self.step_health(engine::Input::Served(id));
        }
        for id in failed {
            self.step_health(engine::Input::Failed(id));
        }
        has_failed
    }

    fn tick(&mut self) {
        self.step_tunnel(tunnel::Input::Tick);
        self.step_health(engine::Input::Tick);
        self.step_telling(exo::Input::Tick);
        if self.catalog.tick(self.hands.clock.now().mono) {
            self.took_catalog();
        }
        self.tick_rest();
    }

    /// The next moment at which time alone changes something.
    fn deadline(&self) -> Moment {
        let now = self.hands.clock.now().mono;
        let picture = self.owes_picture.then(|| self.drawn.map_or(now, |drawn| drawn + NUMBERS_GAP));
        let candidates = [
            self.tunnel.deadline(),
            self.health.deadline(),
            self.book.deadline(now),
            self.leaving.map(|leaving| leaving.deadline()),
            self.cluster_deadline(now),
            Some(self.activity.deadline()),
            self.resting.deadline(),
            self.catalog.deadline(),
            picture,
        ];
        candidates.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(3600))
    }

    fn numbers_are_due(&self) -> bool {
        let now = self.hands.clock.now().mono;
        let notice_is_due = |drawn| self.book.deadline(drawn).is_some_and(|due| now.reached(due));
        self.drawn.is_none_or(|drawn| now.since(drawn) >= NUMBERS_GAP || notice_is_due(drawn))
    }

    /// Derives from the facts what relay tasks, the Hub and the front ends are told, each only if it differs.
    fn derive(&mut self, snapshots: &watch::Sender<Arc<Snapshot>>) {
        let serving = models::serving(&self.matched, &self.following.unwanted, &self.health);
        let engine = match self.health.reach() {
            Reach::Up { listing, .. } => Some(listing.url.clone()),
            Reach::Unknown | Reach::Down { .. } => None,
        };
        let (mib, now) = (self.memory.advertised_mib, self.hands.clock.now().mono);
        let advert = models::advert(&serving, &self.following.idle, mib, MAX_STREAMS, &self.health, now);
        self.hands.adverts.send_if_modified(|told| replace(told, advert));
        let caring = !matches!(self.tunnel.state(), tunnel::State::Off | tunnel::State::SignedOut(_));
        self.hands.caring.send_if_modified(|told| replace(told, caring));
        let wish = self.wish_awake();
        self.hands.awake.send_if_modified(|told| replace(told, wish));
        let draining = self.leaving.is_some();
        let cut = self.leaving.is_some_and(|leaving| leaving.is_cutting());
        let broken = self.broken();
        let bounds = self.bounds();
        self.hands.facts.send_if_modified(|told| {
            let same = *told.serving == serving
                && told.engine == engine
                && told.draining == draining
                && told.cut == cut
                && *told.broken == broken
                && *told.bounds == bounds;
            if !same {
                let (serving, broken, bounds) = (Arc::new(serving), Arc::new(broken), Arc::new(bounds));
                *told = Arc::new(RelayFacts { serving, engine, draining, cut, broken, bounds });
            }
            !same
        });
        self.picture(snapshots);
    }

    fn wish_awake(&self) -> Wish {
        let (set, online, paused) = (self.config.keep_awake.value, self.wishes.online, self.resting.rests());
        Wish { set, online, signed_in: self.account.is_some(), rests: self.leaving.is_some() || paused }
    }

    fn picture(&mut self, snapshots: &watch::Sender<Arc<Snapshot>>) {
        let now = self.hands.clock.now();
        let mut book = std::mem::take(&mut self.book);
        let mut fresh = picture::draw(&self.facts(), &mut book, now);
        self.activity.look(self.reading.traffic.tokens, now.mono);
        fresh.activity = self.activity.view();
        self.book = book;
        self.drawn = Some(now.mono);
        self.owes_picture = false;
        snapshots.send_if_modified(|told| {
            fresh.seq = told.seq;
            let differs = **told != fresh;
            if differs {
                fresh.seq += 1;
                *told = Arc::new(fresh);
            }
            differs
        });
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            host: &self.host,
            config: &self.config,
            online: self.online,
            awake: &self.awake,
            pause: self.resting.view().filter(|_| self.wishes.online),
            draining: self.leaving.is_some(),
            read: self.read,
            account: self.account.as_ref(),
            tunnel: self.tunnel.state(),
            link_since: self.link_since,
            proxy: self.proxy.as_ref(),
            rtt_ms: self.rtt_ms,
            health: &self.health,
            matched: &self.matched,
            telling: &self.following.telling,
            desk: &self.following.desk,
            idle: &self.following.idle,
            lingering: &self.following.lingering,
            nearest: &self.nearest,
            off: &self.following.unwanted,
            standings: &self.standings,
            said: self.said,
            hub_drains: self.hub_drains.as_ref().map(|drain| drain.reason.as_str()),
            memory: self.memory,
            wired: self.wired(),
            traffic: self.reading.traffic,
            by_model: &self.reading.by_model,
        }
    }
}

/// Waits until requests began or ended, but not before a moment.
async fn changed(ledger: &Ledger, not_before: Option<Instant>) {
    if let Some(moment) = not_before {
        tokio::time::sleep_until(moment).await;
    }
    ledger.changed().await;
}

fn replace<T: PartialEq>(told: &mut T, fresh: T) -> bool {
    let differs = *told != fresh;
    if differs {
        *told = fresh;
    }
    differs
}
