//! Decides which node answers a request.

use porten_core::route::Route;
use porten_core::wire::{Advert, MAX_STREAMS, Offer};

/// A connected node as placement sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The node's id.
    pub(crate) node: &'a str,
    /// What it last advertised; none before its first advert.
    pub(crate) advert: Option<&'a Advert>,
    /// It said that it drains, or whoever runs the Hub drains it.
    pub(crate) draining: bool,
    /// Requests for the model failed there one after the other: the others are asked first.
    pub(crate) resting: bool,
    /// It has not been proven for too long that the model generates there.
    pub(crate) stale: bool,
    /// Requests it is answering.
    pub(crate) busy: u32,
    /// Requests it was given since it connected.
    pub(crate) served: u64,
    /// This very request was there already and came back unanswered.
    pub(crate) tried: bool,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// To the candidate at this index.
    Node(usize),
    /// Nodes could take it, but each is at its cap.
    AllBusy,
    /// No node could take it.
    Nobody,
}

/// Chooses the node for a request for `offer` on `route`: one that rests only if there is no other, then the least busy
/// first, then the one that served fewest, then by id.
pub(crate) fn choose(candidates: &[Candidate<'_>], offer: &Offer, route: Route) -> Choice {
    let able = candidates.iter().enumerate().filter(|(_, candidate)| !candidate.tried && can(candidate, offer, route));
    let mut choice = Choice::Nobody;
    let mut best = None;
    for (at, candidate) in able {
        if candidate.busy >= cap(candidate.advert) {
            if best.is_none() {
                choice = Choice::AllBusy;
            }
            continue;
        }
        let rank = (candidate.resting, candidate.busy, candidate.served, candidate.node);
        if best.is_none_or(|best| rank < best) {
            best = Some(rank);
            choice = Choice::Node(at);
        }
    }
    choice
}

/// Whether a node could answer for `offer` on `route` if it were not busy.
pub(crate) fn can(candidate: &Candidate<'_>, offer: &Offer, route: Route) -> bool {
    let advertised = |advert: &Advert| {
        advert.memory_mib >= offer.memory_mib
            && advert.models.iter().any(|model| model.id == offer.id && model.routes.contains(&route))
    };
    !candidate.draining && !candidate.stale && offer.routes.contains(&route) && candidate.advert.is_some_and(advertised)
}

/// Requests a node takes at a time.
pub(crate) fn cap(advert: Option<&Advert>) -> u32 {
    advert.map_or(0, |advert| advert.max_streams.min(MAX_STREAMS))
}

#[cfg(test)]
mod tests {
    use porten_core::wire::AdvertModel;
    use proptest::prelude::*;

    use super::*;

    fn offer(memory_mib: u64) -> Offer {
        Offer { id: "m".into(), memory_mib, routes: vec![Route::ChatCompletions] }
    }

    fn advert(memory_mib: u64, max_streams: u32, routes: &[Route]) -> Advert {
        let models = vec![AdvertModel { id: "m".into(), routes: routes.to_vec(), proven_s: None }];
        Advert { seq: 1, memory_mib, models, max_streams, engine_up: true, cold: vec![] }
    }

    fn candidate<'a>(node: &'a str, advert: &'a Advert) -> Candidate<'a> {
        Candidate {
            node,
            advert: Some(advert),
            draining: false,
            resting: false,
            stale: false,
            busy: 0,
            served: 0,
            tried: false,
        }
    }

    #[test]
    fn the_least_busy_is_first_then_the_one_that_served_fewest_then_by_id() {
        let fits = advert(100, 8, &[Route::ChatCompletions]);
        let (a, b, c) = (candidate("a", &fits), candidate("b", &fits), candidate("c", &fits));
        let choose = |all: &[Candidate<'_>]| choose(all, &offer(100), Route::ChatCompletions);
        assert_eq!(choose(&[c, b, a]), Choice::Node(2));
        assert_eq!(choose(&[Candidate { served: 1, ..a }, b, c]), Choice::Node(1));
        assert_eq!(choose(&[a, Candidate { busy: 1, ..b }, Candidate { busy: 2, ..c }]), Choice::Node(0));
        assert_eq!(choose(&[Candidate { busy: 1, ..a }, Candidate { served: 90, ..b }]), Choice::Node(1));
    }

    #[test]
    fn a_node_is_not_chosen_for_what_it_does_not_advertise() {
        let chat = [Route::ChatCompletions];
        let choose = |candidate, route| choose(&[candidate], &offer(100), route);
        let small = advert(99, 8, &chat);
        assert_eq!(choose(candidate("a", &small), Route::ChatCompletions), Choice::Nobody);
        let other = advert(100, 8, &[Route::Completions]);
        assert_eq!(choose(candidate("a", &other), Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(candidate("a", &other), Route::Completions), Choice::Nobody, "not offered on that route");
        let fits = advert(100, 8, &chat);
        let fit = candidate("a", &fits);
        assert_eq!(choose(Candidate { draining: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { stale: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { advert: None, ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { tried: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
    }

    #[test]
    fn a_node_that_rests_is_asked_only_if_no_other_can() {
        let fits = advert(100, 1, &[Route::ChatCompletions]);
        let resting = Candidate { resting: true, ..candidate("a", &fits) };
        let choose = |all: &[Candidate<'_>]| choose(all, &offer(100), Route::ChatCompletions);
        assert_eq!(choose(&[resting, candidate("b", &fits)]), Choice::Node(1));
        assert_eq!(choose(&[resting, Candidate { busy: 1, ..candidate("b", &fits) }]), Choice::Node(0));
        assert_eq!(choose(&[resting]), Choice::Node(0));
    }

    #[test]
    fn nodes_at_their_cap_are_busy_not_absent() {
        let two = advert(100, 2, &[Route::ChatCompletions]);
        let many = advert(100, u32::MAX, &[Route::ChatCompletions]);
        let full =
            [Candidate { busy: 2, ..candidate("a", &two) }, Candidate { busy: MAX_STREAMS, ..candidate("b", &many) }];
        assert_eq!(choose(&full, &offer(1), Route::ChatCompletions), Choice::AllBusy);
    }

    type Seen = (u32, u64, bool, bool, u64, u32);

    proptest! {
        #[test]
        fn a_chosen_node_can_take_it_and_none_that_can_is_less_busy(
            seen in proptest::collection::vec((0u32..4, 0u64..3, any::<bool>(), any::<bool>(), 0u64..3, 0u32..4), 0..6)
        ) {
            let adverts: Vec<Advert> =
                seen.iter().map(|s: &Seen| advert(s.4, s.5, &[Route::ChatCompletions])).collect();
            let names: Vec<String> = (0..seen.len()).map(|n| format!("n{n}")).collect();
            let candidates: Vec<Candidate<'_>> = seen.iter().enumerate().map(|(n, s)| Candidate {
                node: &names[n], advert: Some(&adverts[n]), busy: s.0, served: s.1, draining: s.2, tried: s.3,
                resting: false, stale: false,
            }).collect();
            let (offer, route) = (offer(1), Route::ChatCompletions);
            let able: Vec<&Candidate<'_>> =
                candidates.iter().filter(|c| !c.tried && can(c, &offer, route)).collect();
            let free: Vec<&Candidate<'_>> =
                able.iter().copied().filter(|c| c.busy < cap(c.advert)).collect();
            match choose(&candidates, &offer, route) {
                Choice::Node(at) => {
                    let chosen = &candidates[at];
                    prop_assert!(free.iter().any(|c| c.node == chosen.node));
                    prop_assert!(free.iter().all(|c| c.busy >= chosen.busy));
                }
                Choice::AllBusy => prop_assert!(free.is_empty() && !able.is_empty()),
                Choice::Nobody => prop_assert!(able.is_empty()),
            }
        }
    }
}
