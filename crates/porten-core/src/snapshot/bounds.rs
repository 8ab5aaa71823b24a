//! A snapshot has an end: each text and each list in it, so that it always fits the local socket's limit.
//!
//! What a stranger says was bounded where it came in; a picture puts several of such words into one sentence, and holds as
//! many rows as there are models, Macs and conditions.

use serde::{Deserialize, Serialize};

use super::{ClusterView, ModelState, ModelView, PartStateView, ReachView, Snapshot};
use crate::display_text::sanitize;
use crate::wire::MAX_ADVERT_MODELS;

/// No snapshot is longer as JSON (bytes): a third more than the largest with these bounds takes.
pub const MAX_SNAPSHOT: usize = 4 * 1024 * 1024;

/// The longest sentence (characters): one that names five models of an engine takes some 400.
const MAX_SENTENCE: usize = 1_000;
/// The longest title or subject (characters).
const MAX_TITLE: usize = 300;
/// As many as an advert may hold.
const MAX_MODELS: usize = MAX_ADVERT_MODELS;
const MAX_NOTICES: usize = 64;
const MAX_ABSENT: usize = 32;

/// How many rows were left out, of each list that was too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(default)]
pub struct LeftOut {
    /// Models; those that are wanted stay first.
    pub models: u32,
    /// Notices; the worst stay.
    pub notices: u32,
    /// Macs that are not there; those that were last heard of from here stay.
    pub absent: u32,
}

impl Snapshot {
    /// The same with an end to each text and list, and word of what was left out.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let left_out = LeftOut {
            models: cut_models(&mut self.models),
            notices: cut(&mut self.notices, MAX_NOTICES),
            absent: self.cluster.as_mut().map_or(0, cut_absent),
        };
        self.left_out = (left_out != LeftOut::default()).then_some(left_out);
        self.shorten();
        self
    }

    /// Every text that is put together from others' words.
    fn shorten(&mut self) {
        self.models.iter_mut().for_each(shorten_model);
        for notice in &mut self.notices {
            shorten(&mut notice.subject, MAX_TITLE);
            shorten(&mut notice.title, MAX_TITLE);
            shorten(&mut notice.text, MAX_SENTENCE);
            shorten(&mut notice.remedy, MAX_SENTENCE);
        }
        for rung in &mut self.ladder {
            shorten(&mut rung.reason, MAX_SENTENCE);
            rung.remedy.iter_mut().for_each(|remedy| shorten(remedy, MAX_SENTENCE));
        }
        if let ReachView::Down { why, .. } = &mut self.engine.reach {
            shorten(why, MAX_SENTENCE);
        }
        self.hub.drains.iter_mut().for_each(|reason| shorten(reason, MAX_SENTENCE));
        self.account.iter_mut().filter_map(|account| account.name.as_mut()).for_each(|name| shorten(name, MAX_TITLE));
    }
}

fn shorten_model(model: &mut ModelView) {
    match &mut model.state {
        ModelState::Broken { why }
        | ModelState::Unmatched { why }
        | ModelState::Waiting { why }
        | ModelState::Stalled { why }
        | ModelState::Unfit { why }
        | ModelState::Failed { why } => shorten(why, MAX_SENTENCE),
        ModelState::Off
        | ModelState::OffElsewhere
        | ModelState::Withdrawn
        | ModelState::Placing
        | ModelState::Downloading { .. }
        | ModelState::Loading { .. }
        | ModelState::Warming
        | ModelState::Proving
        | ModelState::Ready { .. }
        | ModelState::Serving { .. }
        | ModelState::Finishing { .. }
        | ModelState::Cold { .. } => {}
    }
    for part in &mut model.parts {
        if let PartStateView::Failed { why } = &mut part.state {
            shorten(why, MAX_SENTENCE);
        }
    }
}

fn shorten(text: &mut String, most: usize) {
    if text.len() > most && text.chars().nth(most).is_some() {
        *text = sanitize(text, most);
    }
}

/// What is not wanted goes first; the order stays.
fn cut_models(models: &mut Vec<ModelView>) -> u32 {
    let (all, wanted) = (models.len(), models.iter().filter(|model| model.wanted).count());
    let mut room = MAX_MODELS.saturating_sub(wanted);
    models.retain(|model| {
        let stays = model.wanted || room > 0;
        room -= usize::from(stays && !model.wanted);
        stays
    });
    models.truncate(MAX_MODELS);
    count(all - models.len())
}

/// Those that exo alone remembers go first.
fn cut_absent(cluster: &mut ClusterView) -> u32 {
    if cluster.absent.len() > MAX_ABSENT {
        cluster.absent.sort_by_key(|gone| gone.since.is_none());
    }
    cut(&mut cluster.absent, MAX_ABSENT)
}

/// Cuts a list and says by how much.
fn cut<T>(list: &mut Vec<T>, most: usize) -> u32 {
    let over = list.len().saturating_sub(most);
    list.truncate(most);
    count(over)
}

/// No list here comes near four thousand million.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
