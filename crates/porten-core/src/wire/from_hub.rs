//! The border for what a Hub says: its sentences and names are bounded and made plain where they are read, lists have an
//! end, and an id that is none is left out, never altered.

use std::collections::BTreeSet;

use super::{FromHub, MAX_ADVERT_MODELS, MAX_CATALOG_MODELS, MAX_TEXT, ModelTraffic, Offer, WireError, read};
use crate::display_text::sanitize;
use crate::ids::ModelId;

/// Characters of a refused id that are told, for the log.
const MAX_TOLD: usize = 64;

/// What of a message was not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Entries whose id is no [`ModelId`], or came a second time.
    pub unreadable: usize,
    /// The first of those ids, cut short. Log it quoted: it is as it came.
    pub first: Option<String>,
    /// Entries beyond the longest list that is taken.
    pub beyond: usize,
}

impl LeftOut {
    /// Whether all of it was taken.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.unreadable == 0 && self.beyond == 0
    }
}

/// Reads what a Hub sent, and says what was not taken of it. `Ok(None)` is a type this version does not know, to be
/// ignored. Of a long catalog the models that `is_served` are kept first, wherever they stand in it: what a node serves is
/// not withdrawn because a Hub has many models.
///
/// # Errors
/// The peer broke the protocol: close with [`super::close::PROTOCOL`].
pub fn take_from_hub(text: &str, is_served: impl Fn(&str) -> bool) -> Result<Option<(FromHub, LeftOut)>, WireError> {
    let said = read(text, &["welcome", "catalog", "traffic", "wake", "drained", "drain", "goodbye"])?;
    Ok(said.map(|mut said| {
        let left_out = bound(&mut said, is_served);
        (said, left_out)
    }))
}

/// Every text and list in a Hub's message. A new field that holds text is to be named here.
fn bound(said: &mut FromHub, is_served: impl Fn(&str) -> bool) -> LeftOut {
    let mut left_out = LeftOut::default();
    match said {
        FromHub::Welcome(welcome) => {
            shorten(&mut welcome.node);
            shorten(&mut welcome.account);
            offers(&mut welcome.catalog, is_served, &mut left_out);
        }
        FromHub::Catalog(catalog) => offers(&mut catalog.models, is_served, &mut left_out),
        FromHub::Traffic(traffic) => {
            keep(&mut traffic.models, |told| &told.id, MAX_ADVERT_MODELS, &mut left_out);
            // Which id is near is this side's own arithmetic.
            traffic.models.iter_mut().for_each(|ModelTraffic { nearest, .. }| *nearest = None);
        }
        FromHub::Wake(wake) => {
            if ModelId::read(&wake.model).is_err() {
                left_out.refuse(&wake.model);
                wake.model.clear();
            }
        }
        FromHub::Drain(drain) => shorten(&mut drain.reason),
        FromHub::Goodbye(goodbye) => shorten(&mut goodbye.text),
        FromHub::Drained(_) => {}
    }
    left_out
}

fn shorten(text: &mut String) {
    *text = sanitize(text, MAX_TEXT);
}

fn offers(catalog: &mut Vec<Offer>, is_served: impl Fn(&str) -> bool, left_out: &mut LeftOut) {
    if catalog.len() > MAX_CATALOG_MODELS {
        // The sort is stable: the others stay in the Hub's order.
        catalog.sort_by_cached_key(|offer| !is_served(&offer.id));
    }
    keep(catalog, |offer| &offer.id, MAX_CATALOG_MODELS, left_out);
}

/// The first entries, each with an id of its own.
fn keep<T>(entries: &mut Vec<T>, id: impl Fn(&T) -> &str, most: usize, left_out: &mut LeftOut) {
    let mut seen = BTreeSet::new();
    let mut kept = 0;
    entries.retain(|entry| {
        if kept == most {
            left_out.beyond += 1;
            return false;
        }
        let id = id(entry);
        let taken = ModelId::read(id).is_ok() && seen.insert(id.to_owned());
        if taken {
            kept += 1;
        } else {
            left_out.refuse(id);
        }
        taken
    });
    // What a long list took is given back.
    entries.shrink_to_fit();
}

impl LeftOut {
    fn refuse(&mut self, id: &str) {
        self.unreadable += 1;
        if self.first.is_none() {
            self.first = Some(id.chars().take(MAX_TOLD).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display_text::is_visible;
    use crate::wire::{Goodbye, GoodbyeReason, MAX_MESSAGE_TAKEN, Standing, Traffic, Wake, Welcome, write};

    const EVIL: &str =
        "evil\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n2026-11-30T00:00:00Z  INFO porten: signed out\u{202e}gnp.exe";

    fn taken(text: &str) -> (FromHub, LeftOut) {
        take_from_hub(text, |_| false).unwrap().unwrap()
    }

    fn catalog(ids: impl Iterator<Item = String>) -> String {
        let models: Vec<_> = ids
            .map(|id| serde_json::json!({ "id": id, "memory_mib": 1, "routes": ["/v1/chat/completions"] }))
            .collect();
        serde_json::json!({ "type": "catalog", "models": models }).to_string()
    }

    fn ids(said: &FromHub) -> Vec<&str> {
        match said {
            FromHub::Catalog(catalog) => catalog.models.iter().map(|offer| offer.id.as_str()).collect(),
            FromHub::Welcome(welcome) => welcome.catalog.iter().map(|offer| offer.id.as_str()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_sentence_and_name_is_one_short_plain_line() {
        let limits = serde_json::json!({ "max_streams": 1, "max_body_bytes": 1 });
        let welcome = |account: &str| serde_json::json!({ "type": "welcome", "node": EVIL, "account": account, "limits": limits, "catalog": [] });
        let (FromHub::Welcome(Welcome { node, account, .. }), _) = taken(&welcome(EVIL).to_string()) else { panic!() };
        assert_eq!(account, "evil[2J]0;pwned 2026-11-30T00:00:00Z INFO porten: signed outgnp.exe");
        assert_eq!(node, account);
        let (FromHub::Welcome(Welcome { account, .. }), _) = taken(&welcome(&"A".repeat(600_000)).to_string()) else {
            panic!()
        };
        assert_eq!(account.chars().count(), MAX_TEXT);
        for text in [
            serde_json::json!({ "type": "drain", "reason": EVIL }),
            serde_json::json!({ "type": "goodbye", "reason": "restart", "text": EVIL }),
        ] {
            let shown = match taken(&text.to_string()).0 {
                FromHub::Drain(drain) => drain.reason,
                FromHub::Goodbye(Goodbye { text, reason: GoodbyeReason::Restart, .. }) => text,
                other => panic!("{other:?}"),
            };
            assert!(shown.chars().all(|c| c == ' ' || is_visible(c)), "{shown:?}");
        }
    }

    #[test]
    fn the_first_models_of_a_long_catalog_are_taken() {
        let long = catalog((0..3_900).map(|n| format!("{}{n:05}", "x".repeat(195))));
        assert!(long.len() < MAX_MESSAGE_TAKEN, "a legal message");
        let (said, left_out) = taken(&long);
        assert_eq!(ids(&said).len(), MAX_CATALOG_MODELS);
        assert!(ids(&said)[0].ends_with("00000"));
        assert_eq!((left_out.unreadable, left_out.beyond), (0, 3_700));
    }

    #[test]
    fn what_is_served_stays_wherever_a_long_catalog_names_it() {
        let long = catalog((0..3_900).map(|n| format!("m{n}")));
        let served = |id: &str| ["m3899", "m5", "gone"].contains(&id);
        let (said, left_out) = take_from_hub(&long, served).unwrap().unwrap();
        assert_eq!(ids(&said)[..3], ["m5", "m3899", "m0"]);
        assert_eq!((ids(&said).len(), left_out.beyond), (MAX_CATALOG_MODELS, 3_700));
    }

    #[test]
    fn an_id_that_is_none_is_left_out_and_never_altered() {
        let bad = ["a\u{1b}[2Jb", "", "two words", "/Users/anna/m", "good", &"x".repeat(201), "a\u{202e}b"];
        let (said, left_out) = taken(&catalog(["good"].iter().chain(&bad).map(|id| (*id).to_owned())));
        assert_eq!(ids(&said), ["good"]);
        assert_eq!((left_out.unreadable, left_out.first.as_deref()), (7, Some("a\u{1b}[2Jb")));
        let told =
            |id: &str| ModelTraffic { nearest: Some(EVIL.into()), ..ModelTraffic::new(id, Standing::NotOffered) };
        let traffic = FromHub::Traffic(Traffic { models: vec![told("m\n"), told("m")] });
        let (FromHub::Traffic(traffic), left_out) = taken(&write(&traffic)) else { panic!() };
        assert_eq!(traffic.models, [ModelTraffic::new("m", Standing::NotOffered)]);
        assert_eq!(left_out.unreadable, 1);
        let (wake, left_out) = taken(&write(&FromHub::Wake(Wake { model: "m\u{1b}".into() })));
        assert_eq!((wake, left_out.unreadable), (FromHub::Wake(Wake { model: String::new() }), 1));
    }

    #[test]
    fn a_route_that_is_named_often_is_one_route() {
        let routes = vec!["/v1/chat/completions"; 40_000];
        let text =
            serde_json::json!({ "type": "catalog", "models": [{ "id": "m", "memory_mib": 1, "routes": routes }] });
        let (FromHub::Catalog(catalog), _) = taken(&text.to_string()) else { panic!() };
        assert_eq!(catalog.models[0].routes.len(), 1);
    }
}
