use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::bounds::Bound;
use super::*;

const PATIENCE: Duration = Duration::from_secs(120);

fn bounds(all: Option<u32>, models: &[(&str, Option<u32>)]) -> Bounds {
    let bound = |at_once| Bound { at_once, ..Bound::default() };
    Bounds { at_once: all, models: models.iter().map(|(id, most)| ((*id).to_owned(), bound(*most))).collect() }
}

const fn wish(model: &str) -> Wish<'_> {
    Wish { model, tokens: 0, again: false }
}

fn waits(entered: Entered) -> Ticket {
    match entered {
        Entered::Waits(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_bounded_where_nothing_is_known() {
    let (mut queue, free) = (Queue::default(), Bounds::default());
    for _ in 0..1000 {
        assert_eq!(queue.enter(&free, Wish { tokens: u64::MAX, ..wish("a") }, PATIENCE), Entered::Now);
    }
    assert_eq!(queue.call(&free), None);
}

#[test]
fn within_a_model_the_first_to_come_is_the_first_to_go() {
    let (mut queue, two) = (Queue::default(), bounds(None, &[("a", Some(2))]));
    assert_eq!(queue.enter(&two, wish("a"), PATIENCE), Entered::Now);
    assert_eq!(queue.enter(&two, wish("a"), PATIENCE), Entered::Now);
    let line: Vec<Ticket> = (0..3).map(|_| waits(queue.enter(&two, wish("a"), PATIENCE))).collect();
    assert_eq!(queue.call(&two), None);
    assert_eq!(queue.enter(&two, wish("b"), PATIENCE), Entered::Now, "another model has places of its own");
    queue.give_up("a", line[1]);
    for ticket in [line[0], line[2]] {
        queue.leave("a", 0, None);
        assert_eq!((queue.call(&two), queue.call(&two)), (Some(ticket), None));
    }
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn models_that_share_an_engine_take_turns() {
    let (mut queue, one) = (Queue::default(), bounds(Some(1), &[]));
    assert_eq!(queue.enter(&one, wish("a"), PATIENCE), Entered::Now);
    let greedy: Vec<Ticket> = (0..3).map(|_| waits(queue.enter(&one, wish("a"), PATIENCE))).collect();
    let (b, c) = (waits(queue.enter(&one, wish("b"), PATIENCE)), waits(queue.enter(&one, wish("c"), PATIENCE)));
    let mut order = Vec::new();
    for model in ["a", "a", "b", "c", "a"] {
        queue.leave(model, 0, None);
        order.extend(queue.call(&one));
    }
    // The turn begins before the first name; from there it goes round.
    assert_eq!(order, [greedy[0], b, c, greedy[1], greedy[2]]);
}

#[test]
fn one_that_was_cut_goes_before_those_who_had_no_turn_yet() {
    let (mut queue, one) = (Queue::default(), bounds(None, &[("a", Some(1))]));
    assert_eq!(queue.enter(&one, wish("a"), PATIENCE), Entered::Now);
    let first = waits(queue.enter(&one, wish("a"), PATIENCE));
    let again = waits(queue.enter(&one, Wish { again: true, ..wish("a") }, PATIENCE));
    queue.leave("a", 0, None);
    assert_eq!(queue.call(&one), Some(again));
    queue.leave("a", 0, None);
    assert_eq!(queue.call(&one), Some(first));
}

#[test]
fn a_full_line_says_when_to_come_again_from_how_long_answers_take() {
    let (mut queue, two) = (Queue::default(), bounds(None, &[("a", Some(2))]));
    for _ in 0..2 {
        assert_eq!(queue.enter(&two, wish("a"), PATIENCE), Entered::Now);
    }
    queue.leave("a", 0, Some(Duration::from_secs(3)));
    assert_eq!(queue.enter(&two, wish("a"), PATIENCE), Entered::Now);
    for _ in 0..MAX_WAITING {
        waits(queue.enter(&two, wish("a"), PATIENCE));
    }
    // 64 before it and itself, two at a time, three seconds each.
    assert_eq!(queue.enter(&two, wish("a"), PATIENCE), Entered::Full(Full::Places(98)));
    assert_eq!(queue.retry_after(&two, "a"), 98);
    assert_eq!(queue.enter(&two, wish("b"), PATIENCE), Entered::Now);
}

#[test]
fn who_would_wait_longer_than_it_can_is_told_so_at_once() {
    let (mut queue, one) = (Queue::default(), bounds(None, &[("a", Some(1))]));
    assert_eq!(queue.enter(&one, wish("a"), PATIENCE), Entered::Now);
    queue.leave("a", 0, Some(Duration::from_secs(50)));
    assert_eq!(queue.enter(&one, wish("a"), PATIENCE), Entered::Now);
    waits(queue.enter(&one, wish("a"), PATIENCE));
    waits(queue.enter(&one, wish("a"), PATIENCE));
    assert_eq!(queue.enter(&one, wish("a"), PATIENCE), Entered::Full(Full::Places(150)));
}

#[test]
fn what_runs_together_stays_within_the_memory_there_is_and_one_alone_always_may() {
    let together = Bound { together: Some(1000), ..Bound::default() };
    let bounds = Bounds { at_once: None, models: [("a".to_owned(), together)].into() };
    let with = |tokens| Wish { tokens, ..wish("a") };
    let mut queue = Queue::default();
    assert_eq!(queue.enter(&bounds, with(5000), PATIENCE), Entered::Now, "whatever one may hold is decided before");
    assert_eq!(queue.enter(&bounds, with(1), PATIENCE), Entered::Full(Full::Memory(5)), "nothing was measured yet");
    queue.leave("a", 5000, Some(Duration::from_secs(8)));
    assert_eq!(queue.enter(&bounds, with(600), PATIENCE), Entered::Now);
    assert_eq!(queue.enter(&bounds, with(400), PATIENCE), Entered::Now);
    assert_eq!(
        queue.enter(&bounds, with(1), PATIENCE),
        Entered::Full(Full::Memory(4)),
        "one of two ends in half the time"
    );
    queue.leave("a", 600, None);
    assert_eq!(queue.enter(&bounds, with(600), PATIENCE), Entered::Now);
}

#[test]
fn one_that_waits_is_not_called_into_memory_that_is_not_there() {
    let bound = Bound { at_once: Some(2), together: Some(100), context: None };
    let bounds = Bounds { at_once: None, models: [("a".to_owned(), bound)].into() };
    let mut queue = Queue::default();
    let with = |tokens| Wish { tokens, ..wish("a") };
    assert_eq!(queue.enter(&bounds, with(10), PATIENCE), Entered::Now);
    assert_eq!(queue.enter(&bounds, with(10), PATIENCE), Entered::Now);
    let (large, small) =
        (waits(queue.enter(&bounds, with(80), PATIENCE)), waits(queue.enter(&bounds, with(60), PATIENCE)));
    queue.leave("a", 10, None);
    assert_eq!(queue.call(&bounds), Some(large));
    queue.leave("a", 10, None);
    assert_eq!(queue.call(&bounds), None, "80 and 60 are too much");
    queue.leave("a", 80, None);
    assert_eq!(queue.call(&bounds), Some(small));
}

#[test]
fn retry_after_is_never_nothing_and_never_for_ever() {
    let table =
        [(0, 0, 1, 1), (500, 0, 1, 1), (1001, 0, 1, 2), (10_000, 3, 4, 10), (3_600_000, 9, 1, 600), (1000, 7, 0, 8)];
    for (millis, ahead, places, expected) in table {
        assert_eq!(
            seconds(Some(until_free(Duration::from_millis(millis), ahead, places))),
            expected,
            "{millis} {ahead}"
        );
    }
    assert_eq!(seconds(Some(until_free(Duration::MAX, usize::MAX, 1))), 600);
    assert_eq!(seconds(None), UNMEASURED_RETRY);
}

#[derive(Debug, Clone)]
enum Step {
    Enter(usize, bool),
    Leave(usize),
    GiveUp(usize),
    Bound(Option<u32>, Option<u32>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_usize..3, any::<bool>()).prop_map(|(model, again)| Step::Enter(model, again)),
        4 => (0_usize..50).prop_map(Step::Leave),
        2 => (0_usize..50).prop_map(Step::GiveUp),
        1 => (proptest::option::of(1_u32..5), proptest::option::of(1_u32..5)).prop_map(|(all, own)| Step::Bound(all, own)),
    ]
}

proptest! {
    #[test]
    fn the_engine_never_has_more_than_its_places_and_nobody_is_lost_or_called_twice(
        steps in proptest::collection::vec(any_step(), 0..300),
    ) {
        const MODELS: [&str; 3] = ["a", "b", "c"];
        let mut bounds = bounds(Some(3), &[("a", Some(2))]);
        let (mut queue, mut running, mut waiting) = (Queue::default(), Vec::new(), Vec::new());
        let mut called = BTreeSet::new();
        for step in steps {
            let before = running.len();
            match step {
                Step::Enter(model, again) => {
                    let model = MODELS[model];
                    match queue.enter(&bounds, Wish { again, ..wish(model) }, PATIENCE) {
                        Entered::Now => running.push(model),
                        Entered::Waits(ticket) => waiting.push((ticket, model)),
                        Entered::Full(_) => prop_assert!(waiting.len() >= MAX_WAITING),
                    }
                }
                Step::Leave(at) if !running.is_empty() => queue.leave(running.remove(at % running.len()), 0, None),
                Step::GiveUp(at) if !waiting.is_empty() => {
                    let (ticket, model) = waiting.remove(at % waiting.len());
                    queue.give_up(model, ticket);
                }
                Step::Bound(all, own) => {
                    bounds = self::bounds(all, &[("a", own)]);
                }
                Step::Leave(_) | Step::GiveUp(_) => {}
            }
            while let Some(ticket) = queue.call(&bounds) {
                prop_assert!(called.insert(ticket));
                let at = waiting.iter().position(|(waiting, _)| *waiting == ticket);
                prop_assert!(at.is_some(), "called, but it does not wait");
                let (_, model) = waiting.remove(at.unwrap());
                running.push(model);
            }
            prop_assert_eq!(queue.waiting(), waiting.len());
            prop_assert!(waiting.len() <= MAX_WAITING);
            let of_a = running.iter().filter(|model| **model == "a").count();
            let over = |now: usize, most: Option<u32>| most.is_some_and(|most| now > most as usize);
            // A bound that was lowered is reached as answers end; until then nobody is let in.
            if running.len() > before {
                prop_assert!(!over(running.len(), bounds.at_once));
            }
            // Whoever waits has a reason: the engine is full, or its model is.
            if let Some((_, model)) = waiting.first() {
                let full = |now: usize, most: Option<u32>| most.is_some_and(|most| now >= most as usize);
                let own = waiting.iter().all(|(_, model)| *model == "a" && full(of_a, bounds.of(model).at_once));
                prop_assert!(full(running.len(), bounds.at_once) || own, "{} waits for nothing", model);
            }
        }
    }
}
