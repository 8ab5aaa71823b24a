//! The snapshot in words, for a terminal.

pub(crate) mod cluster;
pub(crate) mod connect;
mod why;

use jiff::Timestamp;
use porten_core::ladder::RungState;
use porten_core::memory::BudgetOrigin;
use porten_core::notice::{Notice, Severity};
use porten_core::snapshot::{
    AwakeView, LinkKind, LinkView, MemberState, MemberView, MemoryView, ModelState, ModelView, Overall, PauseView,
    ProxyOrigin, ProxyView, ReachView, Snapshot, count, sentence,
};
use porten_core::wire::Standing;

use crate::commands::pause::clock;

/// The state in one line: the word, and the one thing that belongs to it.
pub(crate) fn headline(snapshot: &Snapshot, now: Timestamp) -> String {
    let word = snapshot.overall.words(now);
    match (&snapshot.overall, snapshot.notices.first()) {
        (Overall::NeedsYou, Some(notice)) => {
            format!("{word} · {} {}", sentence(&notice.text), sentence(&notice.remedy))
        }
        (Overall::Connecting, _) => match snapshot.ladder.iter().find(|rung| rung.state != RungState::Reached) {
            Some(rung) if !rung.reason.is_empty() => format!("{word} · {}", rung.reason),
            _ => word,
        },
        (Overall::Paused { until: Some(until) }, _) => {
            format!("{word} · until {}; sooner: porten resume", clock(*until))
        }
        (Overall::Paused { until: None }, _) => format!("{word} · while somebody uses this machine"),
        (Overall::Waiting { .. }, _) => match &snapshot.hub.link {
            LinkView::Waiting { why, .. } => format!("{word} · {why}"),
            _ => word,
        },
        _ => word,
    }
}

/// Everything, a line each.
pub(crate) fn status(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let mut lines = vec![headline(snapshot, now), String::new()];
    let mut fact = |name: &str, value: String| lines.push(format!("  {name:<9} {value}"));
    fact("Node", snapshot.host.name.clone());
    if let Some(account) = &snapshot.account {
        fact("Account", format!("{} · kept in {}", account.name.as_deref().unwrap_or("signed in"), account.kept_in));
    }
    fact("Hub", format!("{} · {}", snapshot.hub.url, link(snapshot, now)));
    if let Some(ProxyView { address, origin }) = &snapshot.hub.proxy {
        let named = match origin {
            ProxyOrigin::Environment(name) => name,
            ProxyOrigin::System => "system settings",
        };
        fact("Proxy", format!("{address} ({named})"));
    }
    if let Some(PauseView { cannot: Some(why), .. }) = &snapshot.pause {
        fact("Rest", why.clone());
    }
    match &snapshot.awake {
        AwakeView::NotWanted | AwakeView::Idle => {}
        AwakeView::Held => fact("Awake", "kept awake on mains power while it is online".to_owned()),
        AwakeView::OnBattery => fact("Awake", "on battery: this machine may sleep".to_owned()),
        AwakeView::Refused { why } => fact("Awake", format!("this machine may sleep: {why}")),
    }
    fact("Engine", engine(snapshot, now));
    fact("Memory", advertised(&snapshot.memory));
    for (n, mac) in snapshot.cluster.iter().flat_map(|cluster| &cluster.members).enumerate() {
        fact(if n == 0 { "Macs" } else { "" }, member(mac, now));
    }
    let traffic = &snapshot.traffic;
    fact(
        "Requests",
        format!(
            "{} running · {} answered · {} failed · {} given up by clients · {} refused",
            traffic.in_flight, traffic.completed, traffic.failed, traffic.cancelled, traffic.refused
        ),
    );
    let tokens: u64 = snapshot.activity.tokens_a_minute.iter().copied().map(u64::from).sum();
    if tokens > 0 {
        let minutes = snapshot.activity.tokens_a_minute.len();
        fact("Activity", format!("{tokens} tokens in the last {minutes} min"));
    }
    for (name, value) in connect::lines(snapshot) {
        fact(name, value);
    }
    lines.push(String::new());
    lines.extend(models(snapshot, now).into_iter().map(|line| format!("  {line}")));
    for (n, why) in why::lines(snapshot, now).into_iter().enumerate() {
        if n == 0 {
            lines.extend([String::new(), "  Why no requests:".to_owned()]);
        }
        lines.push(format!("    {why}"));
    }
    if !snapshot.notices.is_empty() {
        lines.push(String::new());
    }
    lines.extend(snapshot.notices.iter().map(notice));
    lines
}

/// One notice; what is only good to know has no exclamation mark.
fn notice(notice: &Notice) -> String {
    let mark = if notice.severity == Severity::Note { "i" } else { "!" };
    format!("  {mark} {}: {} {}", notice.title, sentence(&notice.text), sentence(&notice.remedy))
}

/// One line per model.
pub(crate) fn models(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    if snapshot.models.is_empty() {
        return vec!["No models: set PORTEN_ENGINE_MODELS to an id that the Hub offers.".to_owned()];
    }
    let width = snapshot.models.iter().map(|model| model.id.chars().count()).max().unwrap_or_default();
    snapshot.models.iter().map(|model| format!("{:<width$}  {}", model.id, self::model(model, now))).collect()
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
        LinkView::Waiting { until, why } => format!("Trying again in {} s · {why}", seconds(now, *until).max(1)),
        LinkView::Refused { why, .. } => format!("Refused · {why}"),
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
fn advertised(view: &MemoryView) -> String {
    let memory = &view.memory;
    let told = memory.advertised_mib;
    match (memory.origin, memory.raw_mib) {
        (BudgetOrigin::Set, _) if memory.missing_mib > 0 => {
            format!("{told} MB for models, set by {}, less the share of the Macs that are missing", view.set_by)
        }
        (BudgetOrigin::Set, _) => format!("{told} MB for models, set by {}", view.set_by),
        (BudgetOrigin::Assumed, Some(raw)) if memory.usable_mib == memory.schedulable_mib => {
            format!("{told} MB for models, assumed: three quarters of {raw} MB")
        }
        (BudgetOrigin::Assumed | BudgetOrigin::Known, Some(raw)) => format!("{told} MB for models, of {raw} MB"),
        (BudgetOrigin::Known | BudgetOrigin::Assumed | BudgetOrigin::Unknown, _) => {
            "Not known; set PORTEN_VRAM_BUDGET_MB".to_owned()
        }
    }
}

fn member(mac: &MemberView, now: Timestamp) -> String {
    let mut said = vec![mac.name.clone()];
    said.extend(mac.installed_mib.map(|mib| format!("{} GB", mib / 1024)));
    said.extend(mac.chip.clone());
    said.extend(mac.link.map(|link| link_words(link).to_owned()));
    if mac.this_mac {
        said.push("this Mac".to_owned());
    }
    match mac.state {
        MemberState::Online => {}
        MemberState::Joining => said.push("Joining".to_owned()),
        MemberState::Late { since } => said.push(format!("last heard of {} ago", age(since, now))),
        MemberState::Ghost { since } => said.push(format!("ghost of {} ago", age(since, now))),
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
        ModelState::Withdrawn => "Withdrawn · no engine".to_owned(),
        ModelState::Unmatched { why } | ModelState::Failed { why } => format!("Failed · {why}"),
        ModelState::Unfit { why } => format!("Does not fit · {why}"),
        ModelState::Cold { since } => format!("Cold · given back {} ago, loads when asked for", age(*since, now)),
        ModelState::Stalled { why } => format!("Stalled · {why}"),
        ModelState::Broken { why } => format!("Broken · {why}"),
        ModelState::Waiting { why } => format!("Waiting · {why}"),
        ModelState::Placing => "Loading · the engine was asked".to_owned(),
        ModelState::Downloading { percent, mib_per_s } => {
            let speed = mib_per_s.map(|speed| format!(" · {speed} MB/s")).unwrap_or_default();
            format!("Downloading {percent} %{speed}")
        }
        ModelState::Loading { layers, of } => format!("Loading {layers}/{of} layers"),
        ModelState::Warming => "Warming · first token".to_owned(),
        ModelState::Proving => "Proving".to_owned(),
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
