//! `/v1/models`: every card that exo knows, loaded or not.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Serialize;

use super::query::{self, Pairs};
use super::{Shared, answer};
use crate::documents::card::Listed;

pub(super) async fn list(State(sim): Shared, Query(pairs): Pairs) -> Response {
    let only_downloaded = query::optional(&pairs, "status") == Some("downloaded");
    sim.with(|world| {
        let cards = world.cards().iter().filter(|card| !only_downloaded || world.is_downloaded(&card.model_id));
        let data = cards.map(|card| Listed::of(card, world.created())).collect();
        answer::ok(&List { object: "list", data })
    })
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Listed<'a>>,
}
