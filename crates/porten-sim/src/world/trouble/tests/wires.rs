//! Links that fall back, and what is wrong with a Mac itself.

use super::*;
use crate::documents::instance::{Meta, Sharding};
use crate::world::Wish;

/// Why a model is not cut in tensors over RDMA; nothing if it is.
fn refused(world: &mut World) -> Option<String> {
    let card = world.card(LARGE).unwrap();
    let wish = Wish { card, sharding: Sharding::Tensor, meta: Meta::MlxJaccl, min_nodes: 2, required: Vec::new() };
    world.placement(&wish).err().map(|reason| reason.to_string())
}

#[test]
fn a_link_falls_back_to_one_slow_way_whose_address_the_other_mac_has() {
    let mut world = world("3x128");
    for (kind, sort) in
        [("thunderbolt", "maybe_ethernet"), ("ethernet", "ethernet"), ("wifi", "wifi"), ("vpn", "unknown")]
    {
        order(&mut world, &format!("link-falls-back studio-2 studio-1 {kind}"));
        let edges = edges(&world);
        let way = &edges["studio-1->studio-2"];
        assert!(way.len() == 1 && edges["studio-2->studio-1"].len() == 1, "{edges:?}");
        assert!(edges["studio-1->mbp-1"].contains(&"rdma".to_owned()), "{edges:?}");
        assert_eq!(way[0].starts_with("100."), kind == "vpn");
        let interfaces = of_mac(&world, "nodeNetwork", "studio-2")["interfaces"].clone();
        let found = interfaces.as_array().unwrap().iter().find(|one| one["ipAddress"] == way[0].as_str());
        assert_eq!(found.unwrap()["interfaceType"], sort, "{kind}");
    }
    order(&mut world, "link-back studio-1 studio-2");
    assert_eq!(edges(&world)["studio-1->studio-2"], ["rdma", "192.168.1.11"]);
}

#[test]
fn without_rdma_between_them_no_macs_are_joined_by_it() {
    let mut world = world("2x128");
    assert_eq!(refused(&mut world), None);
    let no = "Requested RDMA (MlxJaccl) but no RDMA-connected cycles available";
    order(&mut world, "link-falls-back studio-1 studio-2 wifi");
    assert_eq!(refused(&mut world).as_deref(), Some(no));
    world.load(LARGE).unwrap();
    let ring = section(&world, "instances").to_string();
    assert!(ring.contains("MlxRingInstance") && ring.contains("192.168.7."), "{ring}");
    order(&mut world, "link-back studio-2 studio-1");
    assert_eq!(refused(&mut world).unwrap(), "No cycles found with sufficient memory", "the first is still loaded");
}

#[test]
fn rdma_is_off_on_one_mac_or_there_is_none_in_the_cables() {
    let mut world = world("3x128");
    order(&mut world, "rdma-off studio-2");
    assert_eq!(of_mac(&world, "nodeRdmaCtl", "studio-2")["enabled"], false);
    let edges_now = edges(&world);
    assert_eq!((edges_now["studio-1->studio-2"].len(), edges_now["studio-1->mbp-1"].len()), (1, 2));
    order(&mut world, "tb4");
    assert!(edges(&world).values().all(|ways| ways.len() == 1) && refused(&mut world).is_some());
    let ports = of_mac(&world, "nodeThunderbolt", "mbp-1").to_string();
    assert!(ports.contains("Up to 40 Gb/s") && !ports.contains("80 Gb"), "{ports}");
}

#[test]
fn conditions_of_a_mac_outlive_its_node_id() {
    let mut world = world("2x128");
    for text in ["memory-pressure studio-2", "builds-differ studio-2", "disk-full studio-2", "bridge-loop"] {
        order(&mut world, text);
    }
    order(&mut world, "ghost studio-2");
    pass(&mut world, 45.0);
    let memory = of_mac(&world, "nodeMemory", "studio-2");
    let bytes = |name: &str| memory[name]["inBytes"].as_u64().unwrap();
    assert!(bytes("ramAvailable") < bytes("ramTotal") / 100, "{memory}");
    let used = bytes("swapTotal") - bytes("swapAvailable");
    pass(&mut world, 60.0);
    let later = of_mac(&world, "nodeMemory", "studio-2");
    let used_later =
        later["swapTotal"]["inBytes"].as_u64().unwrap() - later["swapAvailable"]["inBytes"].as_u64().unwrap();
    assert!(used > 0 && used_later > used, "{memory} {later}");
    assert_ne!(
        of_mac(&world, "nodeIdentities", "studio-2")["osBuildVersion"],
        of_mac(&world, "nodeIdentities", "studio-1")["osBuildVersion"]
    );
    let disk = |name: &str| of_mac(&world, "nodeDisk", name)["available"]["inBytes"].as_u64().unwrap();
    assert!(disk("studio-2") < 1_000_000_000 && disk("studio-1") > 1_000_000_000);
    let loops = section(&world, "thunderboltBridgeCycles");
    assert_eq!(loops[0].as_array().unwrap().len(), 2);
    assert_eq!(of_mac(&world, "nodeThunderboltBridge", "studio-1")["enabled"], true);
}

#[test]
fn all_that_goes_on_can_be_ended_at_once() {
    let mut world = world("3x128");
    let before = serde_json::to_value(world.state()).unwrap();
    for text in [
        "link-falls-back studio-1 studio-2 vpn",
        "memory-pressure mbp-1",
        "builds-differ mbp-1",
        "rdma-off studio-1",
        "tb4",
        "bridge-loop",
        "disk-full studio-2",
        "download-stalls mbp-1",
        "clock +100",
        "slow-state 300",
        "load-fails",
        "frozen",
        "well",
    ] {
        order(&mut world, text);
    }
    let after = serde_json::to_value(world.state()).unwrap();
    for (name, part) in before.as_object().unwrap() {
        assert!(name == "lastEventAppliedIdx" || *part == after[name], "{name}: {part} {}", after[name]);
    }
    let card = world.card(LARGE).unwrap();
    let placed = world.best_placement(&card).unwrap();
    world.create(placed);
    pass(&mut world, 7.0);
    assert_eq!(runners(&world), ["RunnerReady"; 2]);
}
