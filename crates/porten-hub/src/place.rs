//! Decides which node answers a request.

use porten_core::route::Route;
use porten_core::wire::Offer;

/// A connected node as placement sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The node's id.
    pub(crate) node: &'a str,
    /// The memory it advertised (MiB); 0 before its first advert.
    pub(crate) memory_mib: u64,
    /// The routes on which it advertised the model; none if it did not.
    pub(crate) routes: &'a [Route],
    /// Requests it takes at a time.
    pub(crate) cap: u32,
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
        if candidate.busy >= candidate.cap {
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
    let advertised = candidate.memory_mib >= offer.memory_mib && candidate.routes.contains(&route);
    !candidate.draining && !candidate.stale && offer.routes.contains(&route) && advertised
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offer(memory_mib: u64) -> Offer {
        Offer { id: "m".into(), memory_mib, routes: vec![Route::ChatCompletions] }
    }

    const CHAT: &[Route] = &[Route::ChatCompletions];

    /// One that advertised the model with 100 MiB for eight requests at a time.
    const fn candidate(node: &str) -> Candidate<'_> {
        Candidate {
            node,
            memory_mib: 100,
            routes: CHAT,
            cap: 8,
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
        let (a, b, c) = (candidate("a"), candidate("b"), candidate("c"));
        let choose = |all: &[Candidate<'_>]| choose(all, &offer(100), Route::ChatCompletions);
        assert_eq!(choose(&[c, b, a]), Choice::Node(2));
        assert_eq!(choose(&[Candidate { served: 1, ..a }, b, c]), Choice::Node(1));
        assert_eq!(choose(&[a, Candidate { busy: 1, ..b }, Candidate { busy: 2, ..c }]), Choice::Node(0));
        assert_eq!(choose(&[Candidate { busy: 1, ..a }, Candidate { served: 90, ..b }]), Choice::Node(1));
    }

    #[test]
    fn a_node_is_not_chosen_for_what_it_does_not_advertise() {
        let choose = |candidate, route| choose(&[candidate], &offer(100), route);
        let fit = candidate("a");
        assert_eq!(choose(Candidate { memory_mib: 99, ..fit }, Route::ChatCompletions), Choice::Nobody);
        let other = Candidate { routes: &[Route::Completions], ..fit };
        assert_eq!(choose(other, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(other, Route::Completions), Choice::Nobody, "not offered on that route");
        assert_eq!(choose(Candidate { draining: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { stale: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { routes: &[], ..fit }, Route::ChatCompletions), Choice::Nobody);
        assert_eq!(choose(Candidate { tried: true, ..fit }, Route::ChatCompletions), Choice::Nobody);
    }

    #[test]
    fn a_node_that_rests_is_asked_only_if_no_other_can() {
        let other = Candidate { cap: 1, ..candidate("b") };
        let resting = Candidate { resting: true, cap: 1, ..candidate("a") };
        let choose = |all: &[Candidate<'_>]| choose(all, &offer(100), Route::ChatCompletions);
        assert_eq!(choose(&[resting, other]), Choice::Node(1));
        assert_eq!(choose(&[resting, Candidate { busy: 1, ..other }]), Choice::Node(0));
        assert_eq!(choose(&[resting]), Choice::Node(0));
    }

    #[test]
    fn nodes_at_their_cap_are_busy_not_absent() {
        let full = [Candidate { busy: 2, cap: 2, ..candidate("a") }, Candidate { busy: 9, cap: 8, ..candidate("b") }];
        assert_eq!(choose(&full, &offer(1), Route::ChatCompletions), Choice::AllBusy);
    }

    type Seen = (u32, u64, bool, bool, u64, u32);

    proptest! {
        #[test]
        fn a_chosen_node_can_take_it_and_none_that_can_is_less_busy(
            seen in proptest::collection::vec((0u32..4, 0u64..3, any::<bool>(), any::<bool>(), 0u64..3, 0u32..4), 0..6)
        ) {
            let names: Vec<String> = (0..seen.len()).map(|n| format!("n{n}")).collect();
            let candidates: Vec<Candidate<'_>> = seen.iter().enumerate().map(|(n, s): (usize, &Seen)| Candidate {
                node: &names[n], memory_mib: s.4, routes: CHAT, cap: s.5, busy: s.0, served: s.1, draining: s.2, tried: s.3,
                resting: false, stale: false,
            }).collect();
            let (offer, route) = (offer(1), Route::ChatCompletions);
            let able: Vec<&Candidate<'_>> =
                candidates.iter().filter(|c| !c.tried && can(c, &offer, route)).collect();
            let free: Vec<&Candidate<'_>> =
                able.iter().copied().filter(|c| c.busy < c.cap).collect();
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
