//! One look at an engine's address for a person who is about to set it.

use std::time::Instant;

use porten_core::bridge::EngineTest;
use porten_core::config::{EngineKind, EngineUrl, Origin, Setting};
use porten_core::detect::Chosen;
use porten_core::engine::Listing;
use porten_core::snapshot::{count, sentence};

use super::{EngineClient, probe};

/// Asks this address for its models, or looks where engines usually are, for one of this kind if one is named; nothing is
/// generated, nothing is kept. Takes 10 s at most, and never fails: what is wrong with the address is the answer.
pub async fn test(url: Option<&str>, allow_remote: bool, kind: Option<Setting<EngineKind>>) -> EngineTest {
    let silent = |why: &str| EngineTest {
        url: url.unwrap_or("localhost").to_owned(),
        answers: false,
        text: sentence(why),
        models: Vec::new(),
    };
    let place = match url.map(|url| EngineUrl::read(url.trim(), allow_remote)).transpose() {
        Ok(place) => place,
        Err(error) => return silent(&format!("the address {error}")),
    };
    let engine = crate::tls().map_err(|error| error.to_string()).and_then(|tls| {
        EngineClient::new((*tls).clone()).map_err(|error| format!("the HTTP client cannot be made: {error}"))
    });
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => return silent(&error),
    };
    let chosen = Chosen { url: place.map(|value| Setting { value, origin: Origin::Found }), kind };
    let begun = Instant::now();
    match probe(&engine, &chosen, None).await {
        Ok(listing) => answers(&listing, begun.elapsed().as_millis()),
        Err(why) => silent(&why),
    }
}

fn answers(listing: &Listing, ms: u128) -> EngineTest {
    let what = match listing.kind {
        EngineKind::Exo => "exo answers",
        EngineKind::Openai => "An engine with OpenAI's routes answers",
    };
    let models = count(u32::try_from(listing.models.len()).unwrap_or(u32::MAX), "model");
    EngineTest {
        url: listing.url.as_str().to_owned(),
        answers: true,
        text: format!("{what} at {} and lists {models}, in {ms} ms.", listing.url),
        models: listing.models.iter().map(|id| id.as_str().to_owned()).collect(),
    }
}
