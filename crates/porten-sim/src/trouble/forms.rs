//! The list of troubles: how each is written, what it does, and how it is read.

use super::words::Words;
use super::{Trouble, TroubleError};

/// One kind of trouble.
pub(super) struct Form {
    pub(super) kind: &'static str,
    /// The words after it, those that may be left out in brackets.
    pub(super) words: &'static str,
    /// What it does, in one line.
    pub(super) what: &'static str,
    pub(super) read: fn(&mut Words<'_>) -> Result<Trouble, TroubleError>,
}

impl Form {
    /// As it is written.
    pub(super) fn said(&self) -> String {
        format!("{} {}", self.kind, self.words).trim_end().to_owned()
    }
}

/// A load is tried so often before exo deletes the instance.
const LOADS: u32 = 5;

const fn form(
    kind: &'static str,
    words: &'static str,
    what: &'static str,
    read: fn(&mut Words<'_>) -> Result<Trouble, TroubleError>,
) -> Form {
    Form { kind, words, what, read }
}

/// All, in the order in which help shows them.
pub(super) const FORMS: [Form; 27] = [
    form("member-dies", "NAME", "a Mac goes without a word; its links, itself, its instances follow", |words| {
        words.other_mac().map(Trouble::MemberDies)
    }),
    form("back", "NAME", "a dead Mac comes back, with a new node id", |words| words.other_mac().map(Trouble::Back)),
    form("ghost", "NAME", "a Mac's exo restarts: a new node id beside the old one, which lingers", |words| {
        words.other_mac().map(Trouble::Ghost)
    }),
    form("master-lost", "[NAME]", "the master stops, and its Mac if named: all instances gone, /state anew", |words| {
        Ok(Trouble::MasterLost(if words.is_done() { None } else { Some(words.other_mac()?) }))
    }),
    form("frozen", "", "every answer is 200 and nothing moves; chats hang", |_| Ok(Trouble::Frozen)),
    form("thaw", "", "ends frozen", |_| Ok(Trouble::Thaw)),
    form("replay", "SECONDS", "/state shows itself alone, then nothing, then history, then the truth", |words| {
        words.seconds().map(Trouble::Replay)
    }),
    form("download-stalls", "NAME", "downloads to that Mac make no more progress", |words| {
        words.mac().map(Trouble::DownloadStalls)
    }),
    form("download-goes-on", "NAME", "ends download-stalls", |words| words.mac().map(Trouble::DownloadGoesOn)),
    form("load-fails", "[N]", "the next N loads fail, 5 if left out: then exo gives the instance up", |words| {
        words.count(LOADS).map(Trouble::LoadFails)
    }),
    form("link-falls-back", "A B KIND", "only that way is left: thunderbolt (IP), ethernet, wifi or vpn", |words| {
        Ok(Trouble::LinkFallsBack(words.pair()?, words.way()?))
    }),
    form("link-back", "A B", "ends link-falls-back", |words| words.pair().map(Trouble::LinkBack)),
    form("memory-pressure", "NAME", "hardly any memory is free there, and swap grows", |words| {
        words.mac().map(Trouble::MemoryPressure)
    }),
    form("phantom", "[nodes] [MODEL]", "an instance whose runners (or nodes) never exist", |words| {
        Ok(Trouble::Phantom { has_strangers: words.take_if("nodes"), model: words.model_if_any()? })
    }),
    form("empty-200", "[N]", "the next N answers that are no streams are 200 with nothing in them", |words| {
        words.count(1).map(Trouble::Empty200)
    }),
    form("cut-stream", "[N]", "the next N streams end after a few tokens without finish_reason or [DONE]", |words| {
        words.count(1).map(Trouble::CutStream)
    }),
    form("cannot-generate", "MODEL", "the model is ready, and every chat of it is an error", |words| {
        words.model().map(Trouble::CannotGenerate)
    }),
    form("clock", "±SECONDS", "the master's clock, and with it lastSeen, is off by that", |words| {
        words.shift().map(Trouble::Clock)
    }),
    form("someone-deletes", "MODEL", "somebody deletes an instance of it in exo's dashboard", |words| {
        words.model().map(Trouble::SomeoneDeletes)
    }),
    form("someone-places", "MODEL", "somebody places it there", |words| words.model().map(Trouble::SomeonePlaces)),
    form("slow-state", "MS", "each /state takes so long and holds up all else; 0 ends it", |words| {
        words.milliseconds().map(Trouble::SlowState)
    }),
    form("bridge-loop", "", "all Macs have their Thunderbolt Bridge on, in a loop", |_| Ok(Trouble::BridgeLoop)),
    form("builds-differ", "NAME", "that Mac has another build of macOS", |words| {
        words.mac().map(Trouble::BuildsDiffer)
    }),
    form("rdma-off", "NAME", "that Mac has RDMA turned off", |words| words.mac().map(Trouble::RdmaOff)),
    form("tb4", "", "all Macs have Thunderbolt 4 ports, and no RDMA", |_| Ok(Trouble::ThunderboltFour)),
    form("disk-full", "NAME", "that Mac's disk is full, and downloads to it fail", |words| {
        words.mac().map(Trouble::DiskFull)
    }),
    form("well", "", "ends all that goes on: conditions, links, stalls, what awaits answers, clock, freeze", |_| {
        Ok(Trouble::Well)
    }),
];
