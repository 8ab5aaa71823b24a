//! Decides which of the servers on this machine is the engine, by the shape of their answers; a person's choice wins.

use crate::config::{EngineKind, EngineUrl, Setting};
use crate::models_list::{self, ListError};
use crate::reply::Reply;

/// Where an engine is looked for on `localhost` when nobody names one, in this order: exo's own port, the one its
/// older guides name, and the one that llama.cpp and MLX use.
pub const LOOKED_AT: [u16; 3] = [EXO_PORT, OLD_PORT, 8080];
/// Where exo tells who it is: a JSON string. No other engine has it.
pub const NODE_ID: &str = "/node_id";

const EXO_PORT: u16 = 52415;
const OLD_PORT: u16 = 8000;

/// What one server answered.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Which server.
    pub url: EngineUrl,
    /// To [`models_list::PATH`], read up to [`models_list::MAX_LIST`].
    pub models: Reply,
    /// To [`NODE_ID`].
    pub node_id: Reply,
}

/// What a person chose.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Where the engine is.
    pub url: Option<Setting<EngineUrl>>,
    /// What it is.
    pub kind: Option<Setting<EngineKind>>,
}

/// What to do.
#[derive(Debug)]
pub enum Decision {
    /// This is the engine.
    Use {
        /// Where it is.
        url: Setting<EngineUrl>,
        /// How it is spoken to.
        kind: Setting<EngineKind>,
    },
    /// No engine for now: say why, and look again.
    Missing(Missing),
}

/// Why there is no engine. Its `Display` is the sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Nothing was chosen and nothing was found.
    #[error("no engine answers on localhost, ports 52415, 8000 and 8080; start one, or name it with PORTEN_ENGINE_URL")]
    Nowhere,
    /// exo was chosen, and only others were found.
    #[error("no exo answers on localhost, ports 52415, 8000 and 8080; start it, or name it with PORTEN_ENGINE_URL")]
    NoExo,
    /// The chosen place is silent.
    #[error("no engine answers at {url}; start it, or correct PORTEN_ENGINE_URL")]
    Silent {
        /// The chosen place.
        url: EngineUrl,
    },
    /// The chosen place is silent, and exo is where it always is: guides still name its old port.
    #[error("nothing answers at {url}, but exo does on its own port; set PORTEN_ENGINE_URL={exo}")]
    OtherPort {
        /// The chosen place.
        url: EngineUrl,
        /// Where exo is.
        exo: EngineUrl,
    },
    /// Something else is at the chosen place.
    #[error("{url} answers, but not as an engine ({why}); correct PORTEN_ENGINE_URL")]
    NotAnEngine {
        /// The chosen place.
        url: EngineUrl,
        /// What gave it away.
        why: Foreign,
    },
    /// The 403 that macOS's AirPlay Receiver answers to whoever is no AirPlay sender.
    #[error(
        "at {url} macOS's AirPlay Receiver answers, not an engine; start the engine on another port and set PORTEN_ENGINE_URL to it, or turn AirPlay Receiver off in System Settings"
    )]
    AirPlay {
        /// The chosen place.
        url: EngineUrl,
    },
    /// An engine is at the chosen place, but not exo, which was chosen too.
    #[error("{url} is an engine, but not exo; set PORTEN_ENGINE=openai, or leave it out")]
    NotExo {
        /// The chosen place.
        url: EngineUrl,
    },
}

/// The ports that macOS's AirPlay Receiver listens on. 5000 is also what many servers take when nobody names a port.
const AIRPLAY: [u16; 2] = [5000, 7000];

/// What gives a server away that is no engine.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// No 200.
    #[error("it answers {0} to /v1/models")]
    Status(u16),
    /// A 200 without a list.
    #[error("its /v1/models is no list of models")]
    List(#[source] ListError),
}

/// The shape of a server's answers.
#[derive(Debug)]
enum Shape {
    Silent,
    Foreign(Foreign),
    Engine(EngineKind),
}

/// Decides from all that was asked: the chosen place if there is one, and [`LOOKED_AT`] (needed in any case for the
/// sentence about exo's port). A place that was not asked counts as silent.
#[must_use]
pub fn decide(chosen: &Chosen, answers: &[Probe]) -> Decision {
    match &chosen.url {
        Some(url) => decide_chosen(url, chosen.kind.as_ref(), answers),
        None => decide_found(chosen.kind.as_ref(), answers),
    }
}

fn decide_chosen(url: &Setting<EngineUrl>, kind: Option<&Setting<EngineKind>>, answers: &[Probe]) -> Decision {
    let place = url.value.clone();
    let probe = answers.iter().find(|probe| probe.url == place);
    match (probe.map_or(Shape::Silent, shape), kind) {
        (Shape::Silent, _) => Decision::Missing(match exo_elsewhere(&place, answers) {
            Some(exo) => Missing::OtherPort { url: place, exo },
            None => Missing::Silent { url: place },
        }),
        (Shape::Foreign(Foreign::Status(403)), _) if is_airplay(&place) => {
            Decision::Missing(Missing::AirPlay { url: place })
        }
        (Shape::Foreign(why), _) => Decision::Missing(Missing::NotAnEngine { url: place, why }),
        (Shape::Engine(EngineKind::Openai), Some(Setting { value: EngineKind::Exo, .. })) => {
            Decision::Missing(Missing::NotExo { url: place })
        }
        (Shape::Engine(found), kind) => Decision::Use { url: url.clone(), kind: spoken(kind, found) },
    }
}

fn is_airplay(place: &EngineUrl) -> bool {
    place.is_loopback() && place.port().is_some_and(|port| AIRPLAY.contains(&port))
}

fn decide_found(kind: Option<&Setting<EngineKind>>, answers: &[Probe]) -> Decision {
    let only_exo = kind.is_some_and(|kind| kind.value == EngineKind::Exo);
    for place in LOOKED_AT.into_iter().filter_map(EngineUrl::localhost) {
        let Some(probe) = answers.iter().find(|probe| probe.url == place) else { continue };
        let Shape::Engine(found) = shape(probe) else { continue };
        if only_exo && found != EngineKind::Exo {
            continue;
        }
        return Decision::Use { url: Setting::found(place), kind: spoken(kind, found) };
    }
    Decision::Missing(if only_exo { Missing::NoExo } else { Missing::Nowhere })
}

/// How an engine that is `found` to be something is spoken to. exo has OpenAI's routes too, so who says `openai` is right
/// about it, and still has a cluster to be shown.
fn spoken(said: Option<&Setting<EngineKind>>, found: EngineKind) -> Setting<EngineKind> {
    match said {
        Some(said) if said.value == found => said.clone(),
        _ => Setting::found(found),
    }
}

/// exo on its own port, if the chosen place is on this machine too: then that is what was meant.
fn exo_elsewhere(place: &EngineUrl, answers: &[Probe]) -> Option<EngineUrl> {
    let exo = EngineUrl::localhost(EXO_PORT)?;
    let meant = place.is_loopback() && place.port() != exo.port();
    let there =
        || answers.iter().any(|probe| probe.url == exo && matches!(shape(probe), Shape::Engine(EngineKind::Exo)));
    (meant && there()).then_some(exo)
}

fn shape(probe: &Probe) -> Shape {
    match &probe.models {
        Reply::Lost => Shape::Silent,
        Reply::Answer { status: 200, body, .. } => match models_list::read(body) {
            Ok(_) if is_exo(&probe.node_id) => Shape::Engine(EngineKind::Exo),
            Ok(_) => Shape::Engine(EngineKind::Openai),
            Err(error) => Shape::Foreign(Foreign::List(error)),
        },
        Reply::Answer { status, .. } => Shape::Foreign(Foreign::Status(*status)),
    }
}

fn is_exo(node_id: &Reply) -> bool {
    match node_id {
        Reply::Answer { status: 200, body, .. } => {
            serde_json::from_slice::<String>(body).is_ok_and(|id| !id.is_empty())
        }
        Reply::Answer { .. } | Reply::Lost => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    const LIST: &str = r#"{"object":"list","data":[{"id":"m"}]}"#;

    fn probe(url: &str, models: &Reply, node_id: &Reply) -> Probe {
        let url = EngineUrl::read(url, true).unwrap();
        Probe { url, models: models.clone(), node_id: node_id.clone() }
    }

    fn at(port: u16, what: &str) -> Probe {
        let url = format!("http://localhost:{port}");
        let missing = Reply::answer(404, "Not Found");
        match what {
            "exo" => probe(&url, &Reply::answer(200, LIST), &Reply::answer(200, "\"b9b3b561da12\"")),
            "openai" => probe(&url, &Reply::answer(200, LIST), &missing),
            "web" => probe(&url, &Reply::answer(200, "<html>"), &Reply::answer(200, "<html>")),
            "locked" => probe(&url, &Reply::answer(401, "{}"), &missing),
            "broken" => probe(&url, &Reply::answer(200, ""), &missing),
            _ => probe(&url, &Reply::Lost, &Reply::Lost),
        }
    }

    fn chose(url: Option<&str>, kind: Option<EngineKind>) -> Chosen {
        let origin = Origin::Environment("PORTEN_ENGINE_URL".into());
        let url = url.map(|url| Setting { value: EngineUrl::read(url, true).unwrap(), origin: origin.clone() });
        Chosen { url, kind: kind.map(|value| Setting { value, origin }) }
    }

    fn used(decision: Decision) -> (String, EngineKind, bool) {
        match decision {
            Decision::Use { url, kind } => (url.value.into(), kind.value, kind.origin == Origin::Found),
            Decision::Missing(why) => panic!("{why}"),
        }
    }

    fn sentence(decision: Decision) -> String {
        match decision {
            Decision::Missing(why) => why.to_string(),
            Decision::Use { url, .. } => panic!("{url:?}"),
        }
    }

    /// Fault D16: of several servers the one that answers as an engine is taken.
    #[test]
    fn the_engine_is_found_by_the_shape_of_its_answers() {
        let found = |answers: &[Probe]| used(decide(&chose(None, None), answers));
        let exo = ("http://localhost:52415".to_owned(), EngineKind::Exo, true);
        assert_eq!(found(&[at(8000, "openai"), at(52415, "exo")]), exo, "the order is ours, not the answers'");
        let plain = ("http://localhost:8000".to_owned(), EngineKind::Openai, true);
        assert_eq!(found(&[at(52415, ""), at(8000, "openai"), at(8080, "openai")]), plain);
        for other in ["web", "locked", "broken", ""] {
            let llama = found(&[at(52415, other), at(8000, other), at(8080, "openai")]);
            assert_eq!(llama.0, "http://localhost:8080", "{other}");
        }
    }

    #[test]
    fn an_exo_that_is_called_openai_is_known_as_exo_so_that_its_cluster_is_shown() {
        let answers = [at(52415, "exo"), at(8000, "openai")];
        let named = used(decide(&chose(Some("http://localhost:52415"), Some(EngineKind::Openai)), &answers));
        assert_eq!(named, ("http://localhost:52415".into(), EngineKind::Exo, true));
        let found = used(decide(&chose(None, Some(EngineKind::Openai)), &answers));
        assert_eq!(found, ("http://localhost:52415".into(), EngineKind::Exo, true));
    }

    /// Fault D16: a person's choice of an engine wins over what else is found.
    #[test]
    fn a_persons_choice_wins_over_what_is_found() {
        let answers = [at(52415, "exo"), at(8000, "openai"), at(9999, "openai")];
        let place = used(decide(&chose(Some("http://localhost:9999"), None), &answers));
        assert_eq!(place, ("http://localhost:9999".into(), EngineKind::Openai, true));
        let plain = used(decide(&chose(Some("http://localhost:9999"), Some(EngineKind::Openai)), &answers));
        assert_eq!(plain, ("http://localhost:9999".into(), EngineKind::Openai, false));
        let kind = used(decide(&chose(None, Some(EngineKind::Exo)), &[at(8000, "exo"), at(52415, "openai")]));
        assert_eq!(kind, ("http://localhost:8000".into(), EngineKind::Exo, false));
    }

    #[test]
    fn whatever_is_missing_is_one_sentence() {
        let all = [at(52415, "exo"), at(8000, ""), at(8080, "web"), at(7000, "locked"), at(7001, "broken")];
        let url = |port: u16| chose(Some(&format!("http://localhost:{port}/v1")), None);
        let told = [
            sentence(decide(&url(8000), &all)),
            sentence(decide(&url(8000), &all[1..])),
            sentence(decide(&url(6000), &[])),
            sentence(decide(&url(8080), &all)),
            sentence(decide(&url(7000), &all)),
            sentence(decide(&url(7001), &all)),
            sentence(decide(&chose(Some("http://localhost:81"), Some(EngineKind::Exo)), &[at(81, "openai")])),
            sentence(decide(&chose(None, None), &all[1..])),
            sentence(decide(&chose(None, Some(EngineKind::Exo)), &[at(8000, "openai")])),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        nothing answers at http://localhost:8000, but exo does on its own port; set PORTEN_ENGINE_URL=http://localhost:52415
        no engine answers at http://localhost:8000; start it, or correct PORTEN_ENGINE_URL
        no engine answers at http://localhost:6000; start it, or correct PORTEN_ENGINE_URL
        http://localhost:8080 answers, but not as an engine (its /v1/models is no list of models); correct PORTEN_ENGINE_URL
        http://localhost:7000 answers, but not as an engine (it answers 401 to /v1/models); correct PORTEN_ENGINE_URL
        http://localhost:7001 answers, but not as an engine (its /v1/models is no list of models); correct PORTEN_ENGINE_URL
        http://localhost:81 is an engine, but not exo; set PORTEN_ENGINE=openai, or leave it out
        no engine answers on localhost, ports 52415, 8000 and 8080; start one, or name it with PORTEN_ENGINE_URL
        no exo answers on localhost, ports 52415, 8000 and 8080; start it, or name it with PORTEN_ENGINE_URL
        "#);
    }

    #[test]
    fn airplay_on_port_5000_is_named_as_the_cause() {
        let forbidden = |url: &str| vec![probe(url, &Reply::answer(403, ""), &Reply::answer(403, ""))];
        let said = |url: &str| sentence(decide(&chose(Some(url), None), &forbidden(url)));
        for url in ["http://localhost:5000", "http://127.0.0.1:7000"] {
            let told = said(url);
            assert!(told.starts_with(&format!("at {url} macOS's AirPlay Receiver answers")), "{told}");
        }
        for other in ["http://localhost:8000", "http://10.0.0.2:5000"] {
            assert!(said(other).contains("it answers 403"), "{other}");
        }
    }

    #[test]
    fn a_silent_engine_on_another_machine_is_not_answered_with_this_ones() {
        let told = sentence(decide(&chose(Some("http://10.0.0.2:8000"), None), &[at(52415, "exo")]));
        assert!(told.starts_with("no engine answers at http://10.0.0.2:8000"), "{told}");
    }

    #[test]
    fn a_web_page_under_every_path_is_not_exo() {
        let odd =
            |node_id: &str| probe("http://localhost:8000", &Reply::answer(200, LIST), &Reply::answer(200, node_id));
        for (node_id, kind) in [
            ("\"a\"", EngineKind::Exo),
            ("\"\"", EngineKind::Openai),
            ("<html>", EngineKind::Openai),
            ("{}", EngineKind::Openai),
            ("", EngineKind::Openai),
        ] {
            assert_eq!(used(decide(&chose(None, None), &[odd(node_id)])).1, kind, "{node_id}");
        }
    }
}
