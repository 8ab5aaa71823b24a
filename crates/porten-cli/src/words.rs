//! The snapshot in words, for a terminal.

pub(crate) mod cluster;
pub(crate) mod connect;
mod remedy;
mod screen;
mod why;

use jiff::Timestamp;
use porten_core::memory::BudgetOrigin;
use porten_core::notice::{Notice, Severity};
use porten_core::snapshot::{
    AwakeView, ClusterView, Freshness, LinkKind, LinkView, MemberState, MemberView, MemoryView, ModelState, ModelView,
    Overall, PauseView, ProxyOrigin, ProxyView, ReachView, Snapshot, count, full_stop,
};
use porten_core::wire::Standing;

use crate::commands::pause::clock;
use screen::Screen;

/// The state in one line: what blocks or is awaited with the next step, else the word and the one thing that belongs to it.
pub(crate) fn headline(snapshot: &Snapshot, now: Timestamp) -> String {
    let word = snapshot.overall.words(now);
    match (&snapshot.overall, &snapshot.headline) {
        (Overall::Paused { until: Some(until) }, _) => {
            format!("{word} · until {}; sooner: porten resume", clock(*until))
        }
        (Overall::Paused { until: None }, _) => format!("{word} · while somebody uses this machine"),
        (_, Some(headline)) => match &headline.fix {
            Some(fix) => format!("{} · {}", headline.text, remedy::step(fix)),
            None => headline.text.clone(),
        },
        (Overall::Waiting { .. }, None) => match &snapshot.hub.link {
            LinkView::Waiting { why, .. } => format!("{word} · {why}"),
            _ => word,
        },
        (_, None) => word,
    }
}

/// Everything, a line each; nothing is said twice.
pub(crate) fn status(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let mut screen = Screen::default();
    screen.line(headline(snapshot, now));
    screen.line(String::new());
    screen.fact("Node", &snapshot.host.name);
    if let Some(account) = &snapshot.account {
        let name = account.name.as_deref().unwrap_or("signed in");
        screen.fact("Account", &format!("{name} · kept in {}", account.kept_in));
    }
    let hub = [Some(snapshot.hub.url.clone()), screen.unsaid(link(snapshot, now))];
    screen.fact("Hub", &join(hub));
    if let Some(ProxyView { address, origin }) = &snapshot.hub.proxy {
        let named = match origin {
            ProxyOrigin::Environment(name) => name,
            ProxyOrigin::System => "system settings",
        };
        screen.fact("Proxy", &format!("{address} ({named})"));
    }
    if let Some(PauseView { cannot: Some(why), .. }) = &snapshot.pause {
        screen.fact("Rest", why);
    }
    match &snapshot.awake {
        AwakeView::NotWanted | AwakeView::Idle => {}
        AwakeView::Held => screen.fact("Awake", "kept awake on mains power while it is online"),
        AwakeView::OnBattery => screen.fact("Awake", "on battery: this machine may sleep"),
        AwakeView::Refused { why } => screen.fact("Awake", &format!("this machine may sleep: {why}")),
    }
    screen.fact("Engine", &engine(snapshot, now));
    screen.fact("Memory", &advertised(&snapshot.memory, snapshot.cluster.as_ref()));
    for (n, mac) in snapshot.cluster.iter().flat_map(|cluster| &cluster.members).enumerate() {
        screen.fact(if n == 0 { "Macs" } else { "" }, &member(mac, is_stale(snapshot), now));
    }
    let traffic = &snapshot.traffic;
    screen.fact(
        "Requests",
        &format!(
            "{} running · {} answered · {} failed · {} given up by clients · {} refused",
            traffic.in_flight, traffic.completed, traffic.failed, traffic.cancelled, traffic.refused
        ),
    );
    let tokens: u64 = snapshot.activity.tokens_a_minute.iter().copied().map(u64::from).sum();
    if tokens > 0 {
        let minutes = snapshot.activity.tokens_a_minute.len();
        screen.fact("Activity", &format!("{tokens} tokens in the last {minutes} min"));
    }
    for (name, value) in connect::lines(snapshot) {
        screen.fact(name, &value);
    }
    screen.line(String::new());
    for line in models(snapshot, now) {
        screen.line(format!("  {line}"));
    }
    for (n, why) in why::lines(snapshot, now).into_iter().enumerate() {
        if n == 0 {
            screen.line(String::new());
            screen.line("  Why no requests:".to_owned());
        }
        screen.line(format!("    {why}"));
    }
    notices(&mut screen, &snapshot.notices);
    screen.into_lines()
}

fn join(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// The notices, each with what is not on the screen yet; what is only good to know has no exclamation mark.
fn notices(screen: &mut Screen, notices: &[Notice]) {
    let mut first = true;
    for notice in notices {
        let fix = notice.fix.as_ref();
        let (whole, short) = match fix {
            Some(fix) => (remedy::whole(fix), remedy::step(fix)),
            None => (notice.remedy.clone(), notice.remedy.clone()),
        };
        let title = screen.unsaid(notice.title.clone());
        let text = screen.unsaid(notice.text.clone());
        let remedy = Some(full_stop(&whole)).filter(|_| screen.is_new(&short) && screen.is_new(&whole));
        let said: Vec<String> = [text, remedy].into_iter().flatten().collect();
        let said = match title {
            Some(title) if said.is_empty() => full_stop(&title),
            Some(title) => format!("{title}: {}", said.join(" ")),
            None if said.is_empty() => continue,
            None => said.join(" "),
        };
        if std::mem::take(&mut first) {
            screen.line(String::new());
        }
        let mark = if notice.severity == Severity::Note { "i" } else { "!" };
        screen.line(format!("  {mark} {said}"));
    }
}

/// One line per model.
pub(crate) fn models(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    if snapshot.models.is_empty() {
        return vec!["No models: the engine serves none that the Hub offers.".to_owned()];
    }
    let width = snapshot.models.iter().map(|model| model.id.chars().count()).max().unwrap_or_default();
    let away = away(snapshot).map(|why| format!(" · {why}")).unwrap_or_default();
    let line = |model: &ModelView| {
        let away = if model.state == ModelState::Withdrawn { away.as_str() } else { "" };
        format!("{:<width$}  {}{away}", model.id, self::model(model, now))
    };
    snapshot.models.iter().map(line).collect()
}

/// Whether exo tells nothing new of its Macs.
fn is_stale(snapshot: &Snapshot) -> bool {
    let stale = |cluster: &ClusterView| matches!(cluster.freshness, Freshness::Stale { .. });
    snapshot.cluster.as_ref().is_some_and(stale)
}

/// What keeps models away that could answer else.
fn away(snapshot: &Snapshot) -> Option<&'static str> {
    match &snapshot.engine.reach {
        ReachView::Up { .. } if is_stale(snapshot) => Some("exo has stopped updating"),
        ReachView::Up { .. } => None,
        ReachView::Unknown => Some("the engine was not asked yet"),
        ReachView::Down { .. } => Some("no engine answers"),
    }
}

fn link(snapshot: &Snapshot, now: Timestamp) -> String {
    match &snapshot.hub.link {
        LinkView::Off => "Off".to_owned(),
        LinkView::SignedOut { .. } => "Signed out".to_owned(),
        LinkView::Connecting => "Connecting…".to_owned(),
        LinkView::Online { since } => {
            let rtt = snapshot.hub.rtt_ms.map(|ms| format!(" · {ms} ms")).unwrap_or_default();
            let drains = snapshot.hub.drains.as_ref().map(|why| format!(" · asked this node to finish: {why}"));
            format!("Online for {}{rtt}{}", age(*since, now), drains.unwrap_or_default())
        }
        // Why stands in the first line or the notice.
        LinkView::Waiting { .. } => "No answer".to_owned(),
        LinkView::Refused { .. } => "Refused".to_owned(),
    }
}

fn engine(snapshot: &Snapshot, now: Timestamp) -> String {
    let engine = &snapshot.engine;
    let place = match &engine.url {
        Some(url) => format!("{url} ({})", engine.origin),
        None => "looking on localhost".to_owned(),
    };
    match &engine.reach {
        ReachView::Unknown => place,
        ReachView::Up { since } => format!("{place} · Answering for {}", age(*since, now)),
        // Why, and what to do, stands in the headline and in the notice.
        ReachView::Down { since, .. } => format!("{place} · No answer for {}", age(*since, now)),
    }
}

/// What the Hub is told, and where it comes from.
fn advertised(view: &MemoryView, cluster: Option<&ClusterView>) -> String {
    let memory = &view.memory;
    let told = memory.advertised_mib;
    match (memory.origin, memory.raw_mib) {
        (BudgetOrigin::Set, _) if memory.missing_mib > 0 => {
            format!("{told} MB for models, set by {}, less the share of the Macs that are offline", view.set_by)
        }
        (BudgetOrigin::Set, _) => format!("{told} MB for models, set by {}", view.set_by),
        (BudgetOrigin::Assumed, Some(raw)) if memory.usable_mib == memory.schedulable_mib => {
            format!("{told} MB for models, estimated: three quarters of {raw} MB")
        }
        (BudgetOrigin::Assumed | BudgetOrigin::Known, Some(raw)) => format!("{told} MB for models, of {raw} MB"),
        // Its Macs are there: a budget would not help.
        _ if cluster.is_some() => "Not known while exo tells nothing new".to_owned(),
        (BudgetOrigin::Known | BudgetOrigin::Assumed | BudgetOrigin::Unknown, _) => {
            "Not known; set it: porten config set memory.budget_mb MB".to_owned()
        }
    }
}

/// `stale`: nothing new is told of it, which stands elsewhere.
fn member(mac: &MemberView, stale: bool, now: Timestamp) -> String {
    let mut said = vec![mac.name.clone()];
    said.extend(mac.installed_mib.map(|mib| format!("{} GB", mib / 1024)));
    said.extend(mac.chip.clone());
    said.extend(mac.link.map(|link| link_words(link).to_owned()));
    if mac.this_mac {
        said.push("this Mac".to_owned());
    }
    match mac.state {
        MemberState::Online => {}
        _ if stale => {}
        MemberState::Joining => said.push("Joining".to_owned()),
        MemberState::Late { since } => said.push(format!("last heard of {} ago", age(since, now))),
        MemberState::Ghost { since } => said.push(format!("old entry of {} ago", age(since, now))),
    }
    said.join(" · ")
}

const fn link_words(link: LinkKind) -> &'static str {
    match link {
        LinkKind::Rdma => "RDMA",
        LinkKind::ThunderboltIp => "Thunderbolt IP",
        LinkKind::Ethernet => "Ethernet",
        LinkKind::WiFi => "Wi-Fi",
        LinkKind::Other => "VPN or another link",
    }
}

pub(crate) fn model(model: &ModelView, now: Timestamp) -> String {
    let speed = model.tokens_per_s.map(|speed| format!(" · {speed:.1} tok/s")).unwrap_or_default();
    let hub = match model.standing {
        None | Some(Standing::Eligible) => "",
        Some(Standing::NotOffered) => " · not offered by the Hub",
        Some(Standing::NeedsMemory) => " · the Hub asks for more memory",
        Some(Standing::NoRoute) => " · no common route with the Hub",
        Some(Standing::Draining) => " · draining",
        Some(Standing::HubDrains) => " · the Hub asked it to finish",
        Some(Standing::StaleProof) => " · proven too long ago for the Hub",
        Some(Standing::Resting) => " · failed, others are asked first",
        Some(Standing::Unknown) => " · the Hub sends nothing here",
    };
    match &model.state {
        ModelState::Off => "Off".to_owned(),
        ModelState::OffElsewhere => "Off elsewhere · turned off in exo".to_owned(),
        ModelState::Withdrawn => "Not offered".to_owned(),
        ModelState::Unmatched { why } | ModelState::Failed { why } => format!("Failed · {why}"),
        ModelState::Unfit { why } => format!("Does not fit · {why}"),
        ModelState::Cold { since } => format!("Unloaded {} ago · loads on the first request", age(*since, now)),
        ModelState::Stalled { why } => format!("Stalled · {why}"),
        ModelState::Broken { why } => format!("Broken · {why}"),
        ModelState::Waiting { why } => format!("Waiting · {why}"),
        ModelState::Placing => "Loading · the engine was asked".to_owned(),
        ModelState::Downloading { percent, mib_per_s } => {
            let speed = mib_per_s.map(|speed| format!(" · {speed} MB/s")).unwrap_or_default();
            format!("Downloading {percent}%{speed}")
        }
        ModelState::Loading { layers, of } => format!("Loading {layers}/{of} layers"),
        ModelState::Warming => "Warming · first token".to_owned(),
        ModelState::Loaded => "Loaded · not tested".to_owned(),
        ModelState::Proving => "Testing".to_owned(),
        ModelState::Ready { proven } => format!("Ready · proven {} ago{speed}{hub}", age(*proven, now)),
        ModelState::Serving { requests } => format!("Serving {}{speed}", count(*requests, "request")),
        ModelState::Finishing { requests } => format!("Finishing · {}", count(*requests, "request")),
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs().max(0)
}

/// How long ago, in the largest unit that says something.
fn age(since: Timestamp, now: Timestamp) -> String {
    lasting(seconds(since, now).unsigned_abs())
}

/// A time in the largest unit that says something.
fn lasting(seconds: u64) -> String {
    match seconds {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s @ 3600..172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests;
