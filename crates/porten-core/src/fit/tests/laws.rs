//! What holds for whatever is asked.

use proptest::prelude::*;

use super::*;

/// Mostly what people have and want, so that every verdict comes about, and now and then anything.
fn any_ask() -> impl Strategy<Value = Ask<'static>> {
    let layers = prop_oneof![15 => Just(None), 1 => any::<u32>().prop_map(Some)];
    let weights = prop_oneof![15 => 0..700 * GB, 1 => any::<u64>()];
    let context = prop_oneof![15 => 0..300_000_u64, 1 => any::<u64>()];
    let sequences = prop_oneof![15 => 0..8_u32, 1 => any::<u32>()];
    let overhead = prop_oneof![15 => 0..20 * GB, 1 => any::<u64>()];
    (0..=families().len(), layers, weights, context, sequences, overhead).prop_map(
        |(family, layers, weights_bytes, context, sequences, overhead_bytes)| {
            let facts = families().get(family);
            let layers = layers.or(facts.map(|facts| facts.layers)).unwrap_or(0);
            Ask { facts, weights_bytes, layers, context, sequences, overhead_bytes }
        },
    )
}

fn any_rooms() -> impl Strategy<Value = Vec<Room>> {
    let bytes = || prop_oneof![31 => 48 * GIB..500 * GIB, 1 => any::<u64>()];
    let room = (bytes(), bytes()).prop_map(|(usable_bytes, free_bytes)| Room {
        name: "mac".to_owned(),
        usable_bytes,
        free_bytes,
    });
    prop::collection::vec(room, 0..6)
}

const SHARDINGS: [Sharding; 2] = [Sharding::Pipeline, Sharding::Tensor];

fn worth(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Fits { .. } => 2,
        Verdict::FitsWithLess { .. } => 1,
        _ => 0,
    }
}

proptest! {
    #[test]
    fn there_is_always_an_answer_and_a_sentence(
        ask in any_ask(),
        rooms in any_rooms(),
        layers in prop::collection::vec(any::<u32>(), 0..9),
    ) {
        for sharding in SHARDINGS {
            prop_assert!(!plan(&ask, &rooms, sharding).sentence().is_empty());
        }
        prop_assert!(!check(&ask, &rooms, &Split::Pipeline(layers)).sentence().is_empty());
        if ask.facts.is_none() {
            prop_assert_eq!(plan(&ask, &rooms, Sharding::Tensor), Verdict::Unknown { why: Doubt::Architecture });
        }
    }

    #[test]
    fn more_usable_memory_never_makes_it_worse(
        ask in any_ask(),
        rooms in any_rooms(),
        more in prop::collection::vec(0..600 * GIB, 9),
    ) {
        let mut larger = rooms.clone();
        for (room, more) in larger.iter_mut().zip(more) {
            room.usable_bytes = room.usable_bytes.saturating_add(more);
        }
        for sharding in SHARDINGS {
            let (before, after) = (plan(&ask, &rooms, sharding), plan(&ask, &larger, sharding));
            prop_assert!(worth(&before) <= worth(&after), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn a_pipelines_layers_add_up_and_every_mac_has_one(
        free in prop::collection::vec(prop_oneof![Just(0), 0..600 * GIB, any::<u64>()], 1..40),
        more in 0..200_u32,
    ) {
        let layers = u32::try_from(free.len()).unwrap() + more;
        let split = split_layers(layers, &free).unwrap();
        prop_assert_eq!(split.len(), free.len());
        prop_assert_eq!(split.iter().sum::<u32>(), layers);
        prop_assert!(split.iter().all(|&layers| layers >= 1));
    }

    #[test]
    fn the_parts_hold_the_whole(ask in any_ask(), rooms in any_rooms()) {
        for sharding in SHARDINGS {
            let (context, per_mac) = match plan(&ask, &rooms, sharding) {
                Verdict::Fits { per_mac } | Verdict::Missing { per_mac } => (ask.context, per_mac),
                Verdict::FitsWithLess { context, per_mac } => (context, per_mac),
                _ => continue,
            };
            let rounding = u128::try_from(per_mac.len()).unwrap();
            let weights: u128 = per_mac.iter().map(|share| u128::from(share.weights_bytes)).sum();
            let whole = u128::from(ask.weights_bytes);
            prop_assert!((whole..whole + rounding).contains(&weights), "{weights} of {whole}");
            let cache: u128 = per_mac.iter().map(|share| u128::from(share.cache_bytes)).sum();
            let whole = u128::from(ask.facts.unwrap().cache_bytes(context, ask.sequences));
            prop_assert!(cache >= whole);
            prop_assert!(sharding == Sharding::Tensor || cache < whole + rounding);
        }
    }

    #[test]
    fn a_shorter_context_that_is_offered_fits_and_the_next_longer_one_does_not(ask in any_ask(), rooms in any_rooms()) {
        for sharding in SHARDINGS {
            let Verdict::FitsWithLess { context, per_mac } = plan(&ask, &rooms, sharding) else { continue };
            prop_assert!(context.is_multiple_of(1_024) && (4_096..ask.context).contains(&context));
            let with = |context| plan(&Ask { context, ..ask.clone() }, &rooms, sharding);
            prop_assert_eq!(with(context), Verdict::Fits { per_mac });
            prop_assert!(!with((context + 1_024).min(ask.context)).fits());
        }
    }

    #[test]
    fn any_text_may_be_asked_for(id in ".{0,60}") {
        let _found = Facts::of(&id);
    }
}
