//! The pooled Macs in words: memory in its three numbers, each Mac with its links, what models do, what to know.

use std::collections::BTreeMap;

use jiff::Timestamp;
use porten_core::exo::Sharding;
use porten_core::memory::UsableOrigin;
use porten_core::notice::Notice;
use porten_core::snapshot::{
    ClusterView, Freshness, LinkKind, MemberState, MemberView, MemoryView, ModelView, PartStateView,
};

use super::screen::Screen;
use super::{age, link_words};

/// What there is to say of a cluster.
pub(crate) struct Cluster<'a> {
    pub(crate) cluster: Option<&'a ClusterView>,
    pub(crate) memory: &'a MemoryView,
    pub(crate) models: &'a [ModelView],
    pub(crate) notices: &'a [Notice],
}

/// Everything, a line each.
pub(crate) fn cluster(told: &Cluster<'_>, now: Timestamp) -> Vec<String> {
    let mut screen = Screen::default();
    facts(told, now).into_iter().for_each(|line| screen.line(line));
    super::notices(&mut screen, told.notices);
    screen.into_lines()
}

fn facts(told: &Cluster<'_>, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    match told.cluster {
        None => lines.push("The engine tells of no Macs.".to_owned()),
        Some(cluster) => {
            lines.push(headline(cluster, now));
            lines.push(format!("  {}", memory(told.memory, cluster)));
            for mac in &cluster.members {
                lines.push(String::new());
                lines.extend(member(mac, now).into_iter().map(|line| format!("  {line}")));
            }
            for gone in &cluster.absent {
                let since = gone.since.map_or_else(
                    || "exo keeps its name".to_owned(),
                    |since| format!("last heard of {} ago", age(since, now)),
                );
                lines.push(String::new());
                lines.push(format!("  {}  not in the cluster · {since}", gone.name));
            }
        }
    }
    if !told.models.is_empty() {
        lines.push(String::new());
    }
    for model in told.models {
        lines.push(format!("  {}  {}", model.id, super::model(model, now)));
        lines.extend(placing(model).map(|line| format!("    {line}")));
        lines.extend(parts(model).into_iter().map(|line| format!("    {line}")));
    }
    lines
}

fn headline(cluster: &ClusterView, now: Timestamp) -> String {
    let macs = porten_core::snapshot::count(u32::try_from(cluster.members.len()).unwrap_or(u32::MAX), "Mac");
    match cluster.freshness {
        Freshness::Fresh => macs,
        Freshness::Replaying => format!("{macs} · exo is replaying its history"),
        Freshness::Stale { since } => format!("{macs} · exo has stopped updating, {} ago", age(since, now)),
    }
}

fn memory(view: &MemoryView, cluster: &ClusterView) -> String {
    let memory = &view.memory;
    let mut said = Vec::new();
    said.extend(memory.raw_mib.map(|raw| format!("{} GB installed", raw / 1024)));
    said.extend(memory.usable_mib.map(|usable| format!("{} GB that the GPUs can hold", usable / 1024)));
    said.extend(memory.schedulable_mib.map(|mib| format!("{} GB as models are cut now", mib / 1024)));
    if memory.missing_mib > 0 {
        said.push(format!("{} GB offline", memory.missing_mib / 1024));
    }
    said.push(super::advertised(view, Some(cluster)));
    said.join(" · ")
}

fn member(mac: &MemberView, now: Timestamp) -> Vec<String> {
    let mut who = Vec::new();
    if mac.this_mac {
        who.push("this Mac".to_owned());
    }
    who.extend(mac.model.clone());
    who.extend(mac.chip.clone());
    who.extend(mac.macos.as_ref().map(|os| match &mac.macos_build {
        Some(build) => format!("{os} ({build})"),
        None => os.clone(),
    }));
    match mac.state {
        MemberState::Online => {}
        MemberState::Joining => who.push("joining".to_owned()),
        MemberState::Late { since } => who.push(format!("last heard of {} ago", age(since, now))),
        MemberState::Ghost { since } => who.push(format!("an old entry of {} ago", age(since, now))),
    }
    let lines = [Some(format!("{}  {}", mac.name, who.join(" · "))), room(mac), load(mac), links(mac, now)];
    lines.into_iter().flatten().enumerate().map(|(n, line)| if n == 0 { line } else { format!("  {line}") }).collect()
}

fn room(mac: &MemberView) -> Option<String> {
    let mut said = vec![format!("{} GB", mac.installed_mib? / 1024)];
    said.extend(mac.usable_mib.map(|usable| {
        let origin = match mac.usable_origin {
            UsableOrigin::Read => "measured",
            UsableOrigin::Told => "set by you",
            UsableOrigin::Assumed => "estimated",
        };
        format!("{} GB for its GPU ({origin})", usable / 1024)
    }));
    said.extend(mac.free_mib.map(|free| format!("{} GB free", free / 1024)));
    said.extend((mac.models_mib > 0).then(|| format!("{} of models", size(mac.models_mib))));
    said.extend(mac.swapped_mib.filter(|swapped| *swapped > 0).map(|swapped| format!("{swapped} MB swapped")));
    said.extend(mac.disk_free_mib.map(|free| format!("{} GB free on its disk", free / 1024)));
    Some(said.join(" · "))
}

fn size(mib: u64) -> String {
    if mib < 1024 { format!("{mib} MB") } else { format!("{} GB", mib / 1024) }
}

fn load(mac: &MemberView) -> Option<String> {
    let said: Vec<String> = [
        mac.gpu_percent.map(|percent| format!("GPU {percent}%")),
        mac.cpu_percent.map(|percent| format!("CPU {percent}%")),
        mac.gpu_celsius.map(|celsius| format!("{celsius} °C")),
        mac.watts.map(|watts| format!("{watts} W")),
        mac.thunderbolt_gbit_per_s.map(|speed| format!("Thunderbolt at {speed} Gb/s")),
        mac.rdma.map(|on| format!("RDMA {}", if on { "on" } else { "off" })),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

/// The others by the kind of link, fastest first; and what became slower.
fn links(mac: &MemberView, now: Timestamp) -> Option<String> {
    let mut kinds: BTreeMap<Option<LinkKind>, Vec<String>> = BTreeMap::new();
    for link in &mac.links {
        let was = link.was.as_ref().map(|was| format!(" ({} until {} ago)", link_words(was.kind), age(was.last, now)));
        kinds.entry(link.kind).or_default().push(format!("{}{}", link.to, was.unwrap_or_default()));
    }
    let said = |(kind, to): (Option<LinkKind>, Vec<String>)| {
        format!("{} to {}", kind.map_or("no link", link_words), to.join(", "))
    };
    let none = kinds.remove(&None).map(|to| (None, to));
    let said: Vec<String> = kinds.into_iter().chain(none).map(said).collect();
    (!said.is_empty()).then(|| said.join(" · "))
}

fn placing(model: &ModelView) -> impl Iterator<Item = String> {
    let sharding = model.sharding.map(|sharding| match sharding {
        Sharding::Pipeline => "layers on each Mac",
        Sharding::Tensor => "a slice of every layer on each Mac",
    });
    let link = model.link.map(|link| format!("over {}", link_words(link)));
    let said: Vec<String> = sharding.map(str::to_owned).into_iter().chain(link).collect();
    (!said.is_empty()).then(|| said.join(", ")).into_iter()
}

fn parts(model: &ModelView) -> Vec<String> {
    let part = |part: &porten_core::snapshot::PartView| {
        let layers = part.layers.map(|layers| format!(", {layers} layers")).unwrap_or_default();
        let state = match &part.state {
            PartStateView::Waiting => "waiting".to_owned(),
            PartStateView::Downloading { done_mib, total_mib, mib_per_s, left_s } => {
                let speed = mib_per_s.map(|speed| format!(", {speed} MB/s")).unwrap_or_default();
                let left = left_s.map(|left| format!(", {} to go", super::lasting(left))).unwrap_or_default();
                format!("downloading {done_mib} of {total_mib} MB{speed}{left}")
            }
            PartStateView::Loading { layers, of } => format!("loading {layers}/{of} layers"),
            PartStateView::Warming => "warming up".to_owned(),
            PartStateView::Ready => "ready".to_owned(),
            PartStateView::Failed { why } => format!("failed: {why}"),
        };
        format!("{} · {} MB{layers} · {state}", part.on, part.weights_mib)
    };
    model.parts.iter().map(part).collect()
}
