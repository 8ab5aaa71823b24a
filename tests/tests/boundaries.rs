//! Who may depend on whom: the table of `docs/architecture.md` as data, held against what cargo really resolves.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// The workspace's own packages, and which of the others each may name.
const HOUSE: &[(&str, &[&str])] = &[
    ("porten-core", &[]),
    ("porten-link", &["porten-core"]),
    ("porten-agent", &["porten-core", "porten-link"]),
    ("porten-log", &["porten-core"]),
    ("porten-cli", &["porten-agent", "porten-core", "porten-log"]),
    ("porten-app", &["porten-agent", "porten-core", "porten-log"]),
    ("porten-hub", &["porten-core", "porten-link", "porten-log"]),
    ("porten-sim", &["porten-core", "porten-log"]),
    ("porten-bench", &["porten-link", "porten-tests"]),
    ("porten-cluster-tests", &["porten-tests"]),
    ("porten-tests", &["porten-agent", "porten-core", "porten-hub", "porten-link", "porten-sim"]),
];

/// All that core may name, tests aside: it decides, and needs nothing that touches the world. `ts-rs` is optional there.
const CORE_MAY: &[&str] = &[
    "http",
    "httparse",
    "icu_properties",
    "jiff",
    "memchr",
    "serde",
    "serde_json",
    "thiserror",
    "toml",
    "toml_edit",
    "ts-rs",
    "url",
];

/// What only some of us may name, in tests too.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("axum", &["porten-hub", "porten-sim"]),
    ("clap", &["porten-cli", "porten-hub", "porten-sim"]),
    ("keyring", &["porten-agent"]),
    ("reqwest", &["porten-agent", "porten-tests"]),
    ("rusqlite", &["porten-agent", "porten-hub"]),
    ("tauri", &["porten-app"]),
    ("tracing-subscriber", &["porten-log"]),
    ("tokio-tungstenite", &["porten-link"]),
    ("tungstenite", &["porten-link"]),
];

/// What must not be found below a package, however deep; what only its tests use does not count.
const NOT_BELOW: &[(&str, &[&str])] = &[
    ("porten-core", &["getrandom", "h2", "hyper", "mio", "rand", "reqwest", "rustls", "socket2", "tauri", "tokio"]),
    ("porten-link", &["axum", "clap", "reqwest", "tauri"]),
    ("porten-agent", &["axum", "clap", "tauri"]),
    ("porten-cli", &["axum", "tauri"]),
    ("porten-hub", &["keyring", "porten-agent", "reqwest", "tauri"]),
    ("porten-sim", &["porten-agent", "porten-hub", "tauri"]),
];

/// What nobody may bring in: there is one TLS library (rustls) with one set of ciphers (ring), which builds everywhere.
const NOWHERE: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

/// What a package names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Names {
    /// In the product: dependencies and build dependencies.
    shipped: BTreeSet<String>,
    /// In its tests only.
    tests: BTreeSet<String>,
}

/// All resolved packages by name, on all platforms. Two versions of one package are one.
type Graph = BTreeMap<String, Names>;

/// One sentence for each rule that is broken.
fn breaches(graph: &Graph, ours: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for who in ours {
        let Some(names) = graph.get(who) else { continue };
        match find(HOUSE, who) {
            None => found.push(format!("{who} has no place in the table: say what it may depend on")),
            Some(may) => {
                let named = names.shipped.union(&names.tests).filter(|name| ours.contains(*name));
                found.extend(
                    named
                        .filter(|name| !may.contains(&name.as_str()))
                        .map(|name| format!("{who} must not depend on {name}")),
                );
            }
        }
        for (what, may) in ONLY_IN {
            let is_named = names.shipped.contains(*what) || names.tests.contains(*what);
            if is_named && !may.contains(&who.as_str()) {
                found.push(format!("{who} must not depend on {what}: only {} may", may.join(" and ")));
            }
        }
        let banned = find(NOT_BELOW, who).unwrap_or_default();
        let below = below(graph, who);
        found.extend(
            banned
                .iter()
                .filter(|what| below.contains(**what))
                .map(|what| format!("{who} must not bring in {what}; `cargo tree -p {who} -i {what}` shows the way")),
        );
    }
    let core = graph.get("porten-core").into_iter().flat_map(|core| &core.shipped);
    found.extend(
        core.filter(|name| !CORE_MAY.contains(&name.as_str()))
            .map(|name| format!("porten-core must not depend on {name}: it decides, and others do")),
    );
    found.extend(
        NOWHERE
            .iter()
            .filter(|what| graph.contains_key(**what))
            .map(|what| format!("nobody must bring in {what}; `cargo tree --target all -i {what}` shows the way")),
    );
    found
}

fn find<'a>(table: &[(&str, &'a [&'a str])], who: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(name, _)| *name == who).map(|(_, row)| *row)
}

/// Everything that a package brings into the product.
fn below<'a>(graph: &'a Graph, who: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![who];
    while let Some(names) = open.pop().map(|name| graph.get(name)) {
        for name in names.into_iter().flat_map(|names| &names.shipped) {
            if seen.insert(name.as_str()) {
                open.push(name);
            }
        }
    }
    seen
}

/// The graph that cargo resolved, and the names of the workspace's members.
fn read(metadata: &Metadata) -> Option<(Graph, BTreeSet<String>)> {
    let names: BTreeMap<_, _> = metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let name_of = |id: &PackageId| names.get(id).map(|name| (*name).to_owned());
    let mut graph = Graph::new();
    for node in &metadata.resolve.as_ref()?.nodes {
        let names = graph.entry(name_of(&node.id)?).or_default();
        for dependency in &node.deps {
            let name = name_of(&dependency.pkg)?;
            for kind in &dependency.dep_kinds {
                let is_test = kind.kind == DependencyKind::Development;
                let place = if is_test { &mut names.tests } else { &mut names.shipped };
                place.insert(name.clone());
            }
        }
    }
    let ours = metadata.workspace_members.iter().map(name_of).collect::<Option<_>>()?;
    Some((graph, ours))
}

#[test]
fn nobody_depends_on_what_the_table_forbids() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--locked".into()])
        .exec()
        .expect("cargo metadata describes this workspace");
    let (graph, ours) = read(&metadata).expect("every id in the graph is a package");
    assert!(ours.contains("porten-core") && graph.contains_key("serde"), "the graph was read: {ours:?}");
    let found = breaches(&graph, &ours);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A graph of `(who, what it ships, what its tests use)`.
fn made_up(packages: &[(&str, &[&str], &[&str])]) -> (Graph, BTreeSet<String>) {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let graph: Graph = packages
        .iter()
        .map(|(who, shipped, tests)| ((*who).to_owned(), Names { shipped: set(shipped), tests: set(tests) }))
        .collect();
    let ours = graph.keys().filter(|name| name.starts_with("porten-")).cloned().collect();
    (graph, ours)
}

#[track_caller]
fn assert_broken(packages: &[(&str, &[&str], &[&str])], sentence: &str) {
    let (graph, ours) = made_up(packages);
    let found = breaches(&graph, &ours);
    assert!(found.iter().any(|said| said.starts_with(sentence)), "{sentence:?} is not in {found:?}");
}

#[test]
fn a_house_in_order_breaks_nothing() {
    let (graph, ours) = made_up(&[
        ("porten-core", &["serde"], &["proptest"]),
        ("porten-link", &["porten-core", "tokio-tungstenite"], &[]),
        ("porten-agent", &["porten-core", "porten-link", "reqwest"], &[]),
        ("porten-app", &["porten-agent", "tauri"], &[]),
        ("proptest", &["rand"], &[]),
        ("reqwest", &["tokio"], &[]),
    ]);
    assert_eq!(breaches(&graph, &ours), Vec::<String>::new());
}

#[test]
fn each_kind_of_rule_can_be_broken() {
    let hub_on_agent: &[(&str, &[&str], &[&str])] =
        &[("porten-hub", &["porten-agent"], &[]), ("porten-agent", &[], &[])];
    assert_broken(hub_on_agent, "porten-hub must not depend on porten-agent");
    assert_broken(&[("porten-cli", &["reqwest"], &[])], "porten-cli must not depend on reqwest: only");
    assert_broken(&[("porten-hub", &[], &["tokio-tungstenite"])], "porten-hub must not depend on tokio-tungstenite");
    assert_broken(&[("porten-new", &[], &[])], "porten-new has no place in the table");
    assert_broken(&[("porten-core", &["regex"], &[])], "porten-core must not depend on regex");
    assert_broken(&[("porten-core", &[], &[]), ("openssl-sys", &[], &[])], "nobody must bring in openssl-sys");
}

#[test]
fn what_comes_in_through_others_counts_however_deep() {
    let chain: &[(&str, &[&str], &[&str])] =
        &[("porten-core", &["url"], &[]), ("url", &["deep"], &[]), ("deep", &["url", "tokio"], &[])];
    assert_broken(chain, "porten-core must not bring in tokio");
}
