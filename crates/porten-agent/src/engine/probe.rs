//! Looks for the engine and asks what it lists: the chosen place, or the usual ports of this machine.

use std::time::Duration;

use futures_util::future::join_all;
use porten_core::config::{EngineKind, EngineUrl};
use porten_core::detect::{self, Chosen, Decision, LOOKED_AT, NODE_ID, Probe};
use porten_core::engine::Listing;
use porten_core::models_list::{self, EngineModel};
use porten_core::reply::Reply;

use super::client::EngineClient;
use crate::heavy;

/// For one document. exo builds its list in 50 ms; a machine that is loading a model may be slow.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// A node id is 32 digits; this is plenty (bytes).
const MAX_NODE_ID: usize = 4096;

/// What the engine lists; asks only the one that answered `last` as long as it does.
///
/// # Errors
/// One sentence for the person: why there is no engine.
pub async fn probe(engine: &EngineClient, chosen: &Chosen, last: Option<&Listing>) -> Result<Listing, String> {
    if let Some(last) = last
        && let Some(models) = list(models(engine, &last.url).await).await
    {
        return Ok(listing(last.kind, last.url.clone(), models));
    }
    let places: Vec<EngineUrl> = match &chosen.url {
        Some(url) => vec![url.value.clone()],
        None => LOOKED_AT.into_iter().filter_map(EngineUrl::localhost).collect(),
    };
    let mut answers = look(engine, places).await;
    if chosen.url.is_some() && answers.iter().all(|probe| probe.models == Reply::Lost) {
        // Only to say where exo is; it is not used unless the person says so.
        let usual = LOOKED_AT.into_iter().filter_map(EngineUrl::localhost).take(1).collect();
        answers.extend(look(engine, usual).await);
    }
    let (bytes, chosen) = (answers.iter().map(|probe| probe.models.body().len()).sum(), chosen.clone());
    let decided = heavy::run(bytes, move || decide(&chosen, &answers)).await;
    decided.unwrap_or_else(|| Err("the agent ends".to_owned()))
}

fn decide(chosen: &Chosen, answers: &[Probe]) -> Result<Listing, String> {
    match detect::decide(chosen, answers) {
        Decision::Use { url, kind } => {
            let answer = answers.iter().find(|probe| probe.url == url.value);
            let models = answer.and_then(|probe| read(&probe.models)).unwrap_or_default();
            Ok(listing(kind.value, url.value, models))
        }
        Decision::Missing(why) => Err(why.to_string()),
    }
}

async fn look(engine: &EngineClient, places: Vec<EngineUrl>) -> Vec<Probe> {
    join_all(places.into_iter().map(|url| async move {
        let models = models(engine, &url).await;
        let node_id = match models {
            Reply::Lost => Reply::Lost,
            Reply::Answer { .. } => engine.get(&url, NODE_ID, PROBE_DEADLINE, MAX_NODE_ID).await,
        };
        Probe { url, models, node_id }
    }))
    .await
}

async fn models(engine: &EngineClient, at: &EngineUrl) -> Reply {
    engine.get(at, models_list::PATH, PROBE_DEADLINE, models_list::MAX_LIST).await
}

async fn list(reply: Reply) -> Option<Vec<EngineModel>> {
    heavy::run(reply.body().len(), move || read(&reply)).await.flatten()
}

fn read(reply: &Reply) -> Option<Vec<EngineModel>> {
    let Reply::Answer { status: 200, body, .. } = reply else { return None };
    models_list::read(body).ok()
}

fn listing(kind: EngineKind, url: EngineUrl, models: Vec<EngineModel>) -> Listing {
    let sizes = models.iter().filter_map(|model| Some((model.id.as_str().to_owned(), model.size_mib?))).collect();
    Listing { kind, url, models: models.into_iter().map(|model| model.id).collect(), sizes }
}
