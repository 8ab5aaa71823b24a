//! Lists the models that can be answered for an account now.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::{account, json};
use crate::answer;
use crate::hub::Hub;
use crate::strangers::Connection;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    /// OpenAI clients want the field. A catalog entry has no birthday, and a made-up one would change for nothing.
    created: u64,
    owned_by: &'static str,
}

/// `GET /v1/models`
pub(crate) async fn list(
    State(hub): State<Arc<Hub>>,
    Extension(who): Extension<Arc<Connection>>,
    headers: HeaderMap,
) -> Response {
    let account = match account(&hub, &who, &headers).await {
        Ok(account) => account,
        Err(error) => return answer::error(&error),
    };
    let catalog = Arc::clone(&hub.catalog.borrow());
    // Each model is looked for at each node: who asks again and again waits.
    tokio::time::sleep(hub.quotas.pace(account, hub.nodes.work(account, catalog.offers().len()))).await;
    let served = catalog.offers().iter().filter(|offer| hub.nodes.could(account, offer));
    let data = served.map(|offer| Model { id: &offer.id, object: "model", created: 0, owned_by: "porten" }).collect();
    // A struct of strings always serialises.
    json(serde_json::to_string(&List { object: "list", data }).unwrap_or_default())
}
