//! Why no requests come, in words.

use jiff::Timestamp;
use porten_core::snapshot::{ModelView, Snapshot, WhyView, count};

use super::{age, seconds};

/// A line for each model that could answer and that something keeps requests away from, then who said so and when.
pub(super) fn lines(snapshot: &Snapshot, now: Timestamp) -> Vec<String> {
    let line = |model: &ModelView| {
        // Nobody asks, or another node answered: nothing stands against it.
        let why = model.why.as_ref().filter(|why| !matches!(why, WhyView::Idle { .. }))?;
        Some(format!("{}: {}", model.id, words(why, now)))
    };
    let mut lines: Vec<String> = snapshot.models.iter().filter_map(line).collect();
    if let (false, Some(said)) = (lines.is_empty(), snapshot.hub.said) {
        lines.push(format!("Reported by the Hub {} ago.", age(said, now)));
    }
    lines
}

fn words(why: &WhyView, now: Timestamp) -> String {
    match why {
        WhyView::Idle { asked, since, nodes } => {
            let asked = match (asked, since) {
                (Some(asked), _) => format!("Last asked for {} ago.", age(*asked, now)),
                (None, Some(since)) => format!("Nobody has asked for it in {}.", age(*since, now)),
                (None, None) => "Nobody asks for it.".to_owned(),
            };
            match nodes {
                Some(nodes) if *nodes > 1 => format!("{asked} {} could answer.", count(*nodes, "node")),
                _ => asked,
            }
        }
        WhyView::AtCap => "As many requests run as this node takes at a time.".to_owned(),
        WhyView::NotOffered { nearest: Some(nearest) } => {
            format!("Not in the Hub's catalog; the nearest there is {nearest}.")
        }
        WhyView::NotOffered { nearest: None } => "Not in the Hub's catalog.".to_owned(),
        WhyView::NeedsMemory { needs_mib: Some(needs), has_mib } => {
            format!("The Hub asks for {needs} MB, and this node has {has_mib} MB for models.")
        }
        WhyView::NeedsMemory { needs_mib: None, .. } => "The Hub asks for more memory than this node has.".to_owned(),
        WhyView::NoRoute => "Offered only on routes that this engine does not answer.".to_owned(),
        WhyView::Draining => "This node takes no new requests.".to_owned(),
        WhyView::HubDrains => "The Hub asked this node to finish.".to_owned(),
        WhyView::StaleProof => "The Hub has not heard for too long that it generates.".to_owned(),
        WhyView::Resting { failures, until } => {
            let again = until.map(|until| format!(" It is tried here again in {} s.", seconds(now, until)));
            let failed = count(*failures, "request");
            format!("{failed} in a row failed here: other nodes are asked first.{}", again.unwrap_or_default())
        }
        WhyView::Unknown => "The Hub has a reason that this version does not know.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_a_sentence_with_its_numbers() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ago = |seconds: i64| Timestamp::from_second(1_000_000 - seconds).unwrap();
        for (why, said) in [
            (
                WhyView::Idle { asked: Some(ago(720)), since: Some(ago(9000)), nodes: Some(3) },
                "Last asked for 12 min ago. 3 nodes could answer.",
            ),
            (WhyView::Idle { asked: None, since: Some(ago(9000)), nodes: Some(1) }, "Nobody has asked for it in 2 h."),
            (
                WhyView::NotOffered { nearest: Some("glm-5".into()) },
                "Not in the Hub's catalog; the nearest there is glm-5.",
            ),
            (
                WhyView::NeedsMemory { needs_mib: Some(154_800), has_mib: 98_304 },
                "The Hub asks for 154800 MB, and this node has 98304 MB for models.",
            ),
            (
                WhyView::Resting { failures: 3, until: Some(ago(-20)) },
                "3 requests in a row failed here: other nodes are asked first. It is tried here again in 20 s.",
            ),
        ] {
            assert_eq!(words(&why, now), said);
        }
    }
}
