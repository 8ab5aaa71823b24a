//! What is worth a word about the Macs: who is missing, links that fell back, what keeps RDMA away, memory that is short.

use super::one;
use crate::memory::{BudgetOrigin, UsableOrigin};
use crate::notice::{Code, Raised};
use crate::picture::Facts;
use crate::picture::climb::{CLUSTER_STALE, LOOK_AFTER, RESTART_EXO};
use crate::snapshot::{ClusterView, Freshness, LinkKind, MemberState, MemberView, ModelView, PartStateView};
use crate::time::Now;

/// Less free than this part of what is installed (per cent) is short.
const SHORT_PERCENT: u64 = 4;
/// More than this part of what is installed was moved to the disk: memory was short (a thirty-second: 4 GB of 128).
const SWAPPED_PART: u64 = 32;

pub(super) fn raise(facts: &Facts<'_>, cluster: &ClusterView, models: &[ModelView], now: Now) -> Vec<Raised> {
    match cluster.freshness {
        Freshness::Stale { .. } => {
            let text = format!("{CLUSTER_STALE}: it has lost its leader, or hangs");
            return vec![one(Code::ClusterStale, "", "exo stands still", &text, RESTART_EXO)];
        }
        Freshness::Replaying => {
            let text =
                "exo goes through the history of its cluster; until it is through, nothing that it says is believed";
            return vec![one(Code::ClusterReplaying, "", "exo catches up", text, "Wait: long histories take minutes")];
        }
        Freshness::Fresh => {}
    }
    let mut raised = Vec::new();
    raised.extend(missing(facts, cluster, models, now));
    raised.extend(cluster.members.iter().filter_map(ghost));
    raised.extend(models.iter().filter_map(|model| slow_link(cluster, model)));
    raised.extend(cluster.members.iter().filter_map(|mac| rdma(cluster, mac)));
    raised.extend(bridge_loop(facts, cluster));
    raised.extend(builds(cluster));
    raised.extend(cluster.members.iter().filter_map(pressure));
    raised.extend(cluster.members.iter().filter_map(|mac| limit_forgotten(facts, mac)));
    raised.extend(limits_assumed(facts, cluster));
    raised.extend(models.iter().filter_map(|model| disk(cluster, model)));
    raised.extend(budget(facts));
    raised
}

/// Macs that are not heard of, each with what it takes along, and whether that fits on the others.
fn missing(facts: &Facts<'_>, cluster: &ClusterView, models: &[ModelView], now: Now) -> Vec<Raised> {
    let late = cluster.members.iter().filter(|mac| matches!(mac.state, MemberState::Late { .. }));
    let gone = cluster.absent.iter().filter(|gone| gone.since.is_some());
    let names = late.map(|mac| mac.name.as_str()).chain(gone.map(|gone| gone.name.as_str()));
    let word = |name: &str| {
        let held = models.iter().filter(|model| model.parts.iter().any(|part| part.on == name));
        let held: Vec<&ModelView> = held.collect();
        let text = match held.as_slice() {
            [] => format!("{name} is not heard of; its memory is not counted any more."),
            [one] => {
                let recovery = super::recovery(facts, one, now);
                format!("{name} is not heard of; without it {} cannot answer. {recovery}.", one.id)
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|model| model.id.as_str()).collect();
                format!("{name} is not heard of; without it {} cannot answer.", ids.join(", "))
            }
        };
        one(Code::MemberLost, name, &format!("{name} has stopped answering"), &text, LOOK_AFTER)
    };
    names.map(word).collect()
}

fn ghost(mac: &MemberView) -> Option<Raised> {
    let MemberState::Ghost { .. } = mac.state else { return None };
    let text = format!("exo on {} has started anew, and its cluster still lists what was there before.", mac.name);
    let remedy = "It goes within a minute; if not, quit exo on each Mac and start it again";
    Some(one(Code::Ghost, &mac.name, &format!("A ghost of {}", mac.name), &text, remedy))
}

/// A model whose parts talk over less than their Macs have, or have had.
fn slow_link(cluster: &ClusterView, model: &ModelView) -> Option<Raised> {
    let holds = |name: &str| model.parts.iter().any(|part| part.on == name);
    let macs: Vec<&MemberView> = cluster.members.iter().filter(|mac| holds(&mac.name)).collect();
    let pairs =
        || macs.iter().flat_map(|mac| mac.links.iter().filter(|link| holds(&link.to)).map(move |link| (mac, link)));
    let fell = pairs().find_map(|(mac, link)| {
        let was = link.was.as_ref()?;
        let now = link.kind.map_or("no link", words);
        Some(format!("{} and {} had {} until {:.0}, and have {now} now", mac.name, link.to, words(was.kind), was.last))
    });
    let used = model.link?;
    let better = pairs().filter_map(|(_, link)| link.kind).max().filter(|slowest| *slowest < used);
    let why = match (fell, better) {
        (Some(fell), _) => fell,
        (None, Some(better)) if used > LinkKind::ThunderboltIp => {
            format!("its parts talk over {}, and their Macs have {}", words(used), words(better))
        }
        (None, None) if used >= LinkKind::WiFi => format!("its parts talk over {}", words(used)),
        (None, _) => return None,
    };
    let text = format!("{} is slower than it could be: {why}.", model.id);
    let remedy = "Check the cables, then turn the model off and on, so that it is placed anew";
    Some(one(Code::SlowLink, &model.id, "A slow link is in use", &text, remedy))
}

/// What a kind of link is called in a sentence.
const fn words(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Rdma => "RDMA over Thunderbolt 5",
        LinkKind::ThunderboltIp => "IP over Thunderbolt",
        LinkKind::Ethernet => "Ethernet",
        LinkKind::WiFi => "Wi-Fi",
        LinkKind::Other => "a VPN or an unknown link",
    }
}

/// What keeps RDMA away from a Mac that others could talk to by it.
fn rdma(cluster: &ClusterView, mac: &MemberView) -> Option<Raised> {
    let has_five =
        |mac: &MemberView| mac.thunderbolt_gbit_per_s.is_some_and(|speed| speed >= crate::exo::THUNDERBOLT_5);
    let another = cluster.members.iter().any(|other| other.id != mac.id && has_five(other));
    if !another || mac.rdma == Some(true) || mac.thunderbolt_gbit_per_s.is_none() {
        return None;
    }
    if has_five(mac) {
        let text = format!("{} has Thunderbolt 5, and RDMA is off there.", mac.name);
        let remedy =
            "Turn it on there: start in Recovery and run rdma_ctl enable in its Terminal (macOS 26.2 or later)";
        return Some(one(Code::RdmaOff, &mac.name, &format!("RDMA is off on {}", mac.name), &text, remedy));
    }
    let text = format!("{} has no Thunderbolt 5 port, which RDMA needs: it can never do it.", mac.name);
    let remedy = "Nothing to do; models that it takes part in run over IP";
    Some(one(Code::Thunderbolt4, &mac.name, &format!("No RDMA with {}", mac.name), &text, remedy))
}

fn bridge_loop(facts: &Facts<'_>, cluster: &ClusterView) -> Option<Raised> {
    let nodes = facts.telling.cluster().loops.first()?;
    let name = |id: &String| cluster.members.iter().find(|mac| mac.id == *id).map(|mac| mac.name.as_str());
    let names: Vec<&str> = nodes.iter().filter_map(name).collect();
    let text =
        format!("The Thunderbolt bridges of {} form a loop, in which packets go round for ever.", names.join(", "));
    let remedy = "Turn Thunderbolt Bridge off on them: System Settings, Network";
    Some(one(Code::BridgeLoop, "", "A loop of Thunderbolt bridges", &text, remedy))
}

fn builds(cluster: &ClusterView) -> Option<Raised> {
    // Linux has no number there.
    let on_macos = |mac: &&MemberView| {
        mac.state.is_heard()
            && mac.macos.as_ref().is_some_and(|os| os.starts_with(|first: char| first.is_ascii_digit()))
    };
    let macs: Vec<&MemberView> =
        cluster.members.iter().filter(on_macos).filter(|mac| mac.macos_build.is_some()).collect();
    let first = macs.first()?;
    if macs.iter().all(|mac| mac.macos_build == first.macos_build) {
        return None;
    }
    let said = macs.iter().map(|mac| {
        let (os, build) = (mac.macos.as_deref().unwrap_or_default(), mac.macos_build.as_deref().unwrap_or_default());
        format!("{} has {os} ({build})", mac.name)
    });
    let text = format!("The Macs do not run the same macOS: {}.", said.collect::<Vec<_>>().join(", "));
    Some(one(
        Code::BuildsDiffer,
        "",
        "macOS differs",
        &text,
        "Update them all to the same version: RDMA between them wants it",
    ))
}

fn pressure(mac: &MemberView) -> Option<Raised> {
    let installed = mac.installed_mib.filter(|_| mac.state.is_heard())?;
    let swapped = mac.swapped_mib.unwrap_or(0);
    let short = mac.free_mib.is_some_and(|free| free.saturating_mul(100) < installed.saturating_mul(SHORT_PERCENT));
    let text = if swapped > installed / SWAPPED_PART {
        format!("{} has moved {} of its memory to the disk; models on it become slow.", mac.name, gb(swapped))
    } else if short {
        format!("{} has {} of memory left.", mac.name, gb(mac.free_mib.unwrap_or(0)))
    } else {
        return None;
    };
    let remedy = "Quit other apps there, or turn a model off";
    Some(one(Code::MemoryPressure, &mac.name, &format!("Memory is short on {}", mac.name), &text, remedy))
}

fn limit_forgotten(facts: &Facts<'_>, mac: &MemberView) -> Option<Raised> {
    let mib = facts.wired.limits.forgotten(&mac.name)?;
    let text =
        format!("exo on {} started anew. If the Mac restarted, the limit of {mib} MB that you told is gone.", mac.name);
    let remedy = format!(
        "Set it there again (sudo sysctl iogpu.wired_limit_mb={mib}), then: porten cluster limit {} {mib}",
        mac.name
    );
    Some(one(Code::LimitForgotten, &mac.name, &format!("The limit of {} does not count", mac.name), &text, &remedy))
}

fn limits_assumed(facts: &Facts<'_>, cluster: &ClusterView) -> Option<Raised> {
    if facts.memory.origin != BudgetOrigin::Assumed {
        return None;
    }
    let assumed = |mac: &&MemberView| mac.state.is_heard() && mac.usable_origin == UsableOrigin::Assumed;
    let names: Vec<&str> = cluster.members.iter().filter(assumed).map(|mac| mac.name.as_str()).collect();
    let text =
        format!("What the GPUs can hold is assumed for {}: three quarters of what is installed.", names.join(", "));
    let remedy = "If you raised a limit, tell it: porten cluster limit NAME MB";
    (!names.is_empty()).then(|| one(Code::LimitAssumed, "", "Memory is assumed", &text, remedy))
}

/// A download that is larger than the room for it.
fn disk(cluster: &ClusterView, model: &ModelView) -> Option<Raised> {
    let short = model.parts.iter().find_map(|part| {
        let PartStateView::Downloading { done_mib, total_mib, .. } = part.state else { return None };
        let free = cluster.members.iter().find(|mac| mac.name == part.on)?.disk_free_mib?;
        let left = total_mib.saturating_sub(done_mib);
        (left > free).then_some((part.on.as_str(), left, free))
    });
    let (mac, left, free) = short?;
    let text = format!("{} needs {} more on the disk of {mac}, and {} is free there.", model.id, gb(left), gb(free));
    Some(one(
        Code::DiskShort,
        &model.id,
        &format!("The disk of {mac} is too small"),
        &text,
        "Delete models there, or free the disk",
    ))
}

/// A budget that was set above what the GPUs can use.
fn budget(facts: &Facts<'_>) -> Option<Raised> {
    let memory = facts.memory;
    let (schedulable, raw) = (memory.schedulable_mib?, memory.raw_mib?);
    if let Some(set) =
        facts.config.budget_mib.as_ref().map(|set| set.value).filter(|_| memory.origin != BudgetOrigin::Set)
    {
        return Some(one(
            Code::BudgetHigh,
            "",
            "The budget was not taken",
            &format!("The budget of {set} MB is more than the {} MB that are installed.", raw + memory.missing_mib),
            "Lower PORTEN_VRAM_BUDGET_MB, or set PORTEN_FORCE_BUDGET=true if it is meant",
        ));
    }
    if memory.origin != BudgetOrigin::Set || memory.advertised_mib <= schedulable {
        return None;
    }
    let set = memory.advertised_mib;
    let text = if set > raw {
        format!("The budget of {set} MB is more than the {raw} MB that are installed.")
    } else {
        format!("The budget of {set} MB is yours; the GPUs can use about {schedulable} MB.")
    };
    Some(one(
        Code::BudgetHigh,
        "",
        "The budget is high",
        &text,
        "Lower PORTEN_VRAM_BUDGET_MB, or raise the Macs' limits",
    ))
}

/// As the popover writes memory.
fn gb(mib: u64) -> String {
    format!("{} GB", mib.div_ceil(1024))
}
