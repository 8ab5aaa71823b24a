//! What a person is told, and the ways in which adding up is wrong.

use super::*;

#[test]
fn each_verdict_is_one_sentence() {
    let usable = rooms(&[96 * GB, 96 * GB]);
    let said = |ask: &Ask<'_>, sharding| plan(ask, &usable, sharding).sentence();
    let gpt = ask("gpt-oss-120b", 70_652_212_224, 131_072);
    assert_eq!(said(&gpt, Sharding::Pipeline), "it fits, and mac-1 keeps 51 GB free");
    let llama = ask("llama-3.3-70b", 144_383_672_320, 131_072);
    assert_eq!(said(&llama, Sharding::Tensor), "it fits with a context of 102,400 tokens");
    let kimi = ask("kimi-k2.6", 376 * GB, 131_072);
    assert_eq!(
        said(&kimi, Sharding::Tensor),
        "mac-1 would need 205 GB and its GPU can use 96 GB: 109 GB too much, and another Mac lacks memory too"
    );
    let unknown = Ask { facts: None, ..kimi.clone() };
    assert_eq!(
        said(&unknown, Sharding::Pipeline),
        "whether it fits is not known: nothing is known here of its architecture"
    );
    let three = rooms(&[400 * GB; 3]);
    assert_eq!(
        plan(&kimi, &three, Sharding::Tensor).sentence(),
        "it cannot be split by tensor on 3 Macs: its hidden size of 7168 does not divide by 3"
    );
    assert_eq!(
        plan(&gpt, &rooms(&[GB; 37]), Sharding::Pipeline).sentence(),
        "it cannot be split as a pipeline on 37 Macs: it has 36 layers, and each Mac needs one"
    );
}

#[test]
fn what_is_too_much_is_the_difference_that_a_person_works_out_and_never_nothing() {
    let ask = Ask { overhead_bytes: 0, context: 0, ..ask("llama-3.3-70b", 201 * GB, 0) };
    let said = |usable| plan(&ask, &rooms(&[usable]), Sharding::Pipeline).sentence();
    assert_eq!(said(96 * GB), "mac-1 would need 201 GB and its GPU can use 96 GB: 105 GB too much");
    assert_eq!(said(201 * GB - 1), "mac-1 would need 201 GB and its GPU can use 200 GB: 1 GB too much");
}

#[test]
fn a_sum_that_is_enough_does_not_help_tensor_when_one_mac_is_small() {
    let usable = [384 * GIB, 96 * GIB];
    let ask = ask("glm-5", 400 * GB, 4_096);
    assert!(plan(&ask, &rooms(&usable), Sharding::Pipeline).fits());
    let Verdict::Missing { per_mac } = plan(&ask, &rooms(&usable), Sharding::Tensor) else {
        panic!("200 GB on 96 GiB")
    };
    assert_eq!((per_mac[0].missing_bytes, per_mac[1].weights_bytes), (0, 200 * GB));
    assert_eq!(schedulable(&usable, Sharding::Pipeline), 480 * GIB);
    assert_eq!(schedulable(&usable, Sharding::Tensor), 192 * GIB);
    assert_eq!(schedulable(&[], Sharding::Tensor), 0);
}

#[test]
fn no_model_can_run_by_tensor_on_three_macs_and_coder_next_only_on_two() {
    for facts in families() {
        for macs in [3, 5, 6] {
            assert!(facts.divides_by(macs).is_err(), "{} on {macs}", facts.name);
        }
        assert!(facts.divides_by(1).is_ok() && facts.divides_by(2).is_ok(), "{}", facts.name);
        assert_eq!(facts.divides_by(4).is_ok(), facts.name != "Qwen3-Coder-Next", "{}", facts.name);
        assert!(facts.divides_by(0).is_err());
    }
    let flash = facts("deepseek-v4-flash").divides_by(16);
    assert_eq!(flash, Err(Indivisible::HeadsPerGroup { heads: 8, macs: 16 }));
}

#[test]
fn a_placement_of_exos_is_looked_at_as_it_is() {
    let ask = ask("deepseek-v4-flash", 155_095_760_030, 131_072);
    let rooms = rooms(&[96 * GIB, 96 * GIB]);
    let layers = |layers: &[u32]| check(&ask, &rooms, &Split::Pipeline(layers.to_vec()));
    assert!(layers(&[22, 21]).fits());
    let Verdict::Missing { per_mac } = layers(&[33, 10]) else { panic!("119 GB on 96 GiB") };
    assert_eq!(per_mac.iter().map(|share| share.missing_bytes > 0).collect::<Vec<_>>(), [true, false]);
    for wrong in [vec![43], vec![22, 22], vec![u32::MAX, u32::MAX], vec![21, 21, 1]] {
        assert_eq!(layers(&wrong), Verdict::Unknown { why: Doubt::Split });
    }
}

#[test]
fn nothing_is_claimed_of_a_model_whose_card_has_other_layers_or_no_size() {
    let draft = Ask { layers: 5, ..ask("z-lab/Qwen3-Coder-Next-DFlash", GB, 4_096) };
    let verdict = plan(&draft, &rooms(&[96 * GIB]), Sharding::Pipeline);
    assert!(matches!(verdict, Verdict::Unknown { why: Doubt::Layers { known: 48, card: 5, .. } }), "{verdict:?}");
    let card = Ask { layers: 61, ..ask("mlx-community/MiniMax-M2.1-3bit", 100_086_644_736, 4_096) };
    assert!(plan(&card, &rooms(&[96 * GIB, 96 * GIB]), Sharding::Pipeline).fits(), "a card that is known to differ");
    let unsized_card = Ask { weights_bytes: 0, ..card.clone() };
    assert_eq!(plan(&unsized_card, &rooms(&[96 * GIB]), Sharding::Pipeline), Verdict::Unknown { why: Doubt::Weights });
    assert_eq!(plan(&card, &[], Sharding::Tensor), Verdict::Unknown { why: Doubt::NoMac });
}

#[test]
fn a_context_below_4096_is_not_offered_nor_one_as_long_as_asked() {
    let per_token = facts("llama-3.3-70b").bytes_per_token();
    let with_room_for = |tokens: u64, context| {
        let ask = Ask { overhead_bytes: 0, ..ask("llama-3.3-70b", GB, context) };
        plan(&ask, &rooms(&[GB + tokens * per_token]), Sharding::Pipeline)
    };
    assert!(matches!(with_room_for(4_095, 8_192), Verdict::Missing { .. }));
    assert!(matches!(with_room_for(4_096, 8_192), Verdict::FitsWithLess { context: 4_096, .. }));
    assert!(matches!(with_room_for(8_191, 8_192), Verdict::FitsWithLess { context: 7_168, .. }));
    assert!(matches!(with_room_for(6_144, 6_145), Verdict::FitsWithLess { context: 6_144, .. }));
    assert!(matches!(with_room_for(4_096, 4_097), Verdict::FitsWithLess { context: 4_096, .. }));
    assert!(matches!(with_room_for(3_000, 4_000), Verdict::Missing { .. }));
    assert!(with_room_for(8_192, 8_192).fits());
}

#[test]
fn layers_follow_free_memory_by_the_largest_remainder_and_no_mac_goes_without() {
    for (layers, free, expected) in [
        (94, vec![256, 128], vec![63, 31]),
        (43, vec![1, 1], vec![22, 21]),
        (61, vec![100, 100, 100], vec![21, 20, 20]),
        (4, vec![1_000, 1, 1], vec![2, 1, 1]),
        (4, vec![0, 0], vec![2, 2]),
        (3, vec![0, 5, 0], vec![1, 1, 1]),
        (10, vec![10, 10, 0], vec![4, 5, 1]),
    ] {
        assert_eq!(split_layers(layers, &free).as_ref(), Ok(&expected), "{layers} over {free:?}");
    }
    assert_eq!(split_layers(1, &[1, 1]), Err(Indivisible::Layers { layers: 1, macs: 2 }));
}
