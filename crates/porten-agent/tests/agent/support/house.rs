//! A Hub, an agent that is signed in there, and the engine behind it; and what tests do with them.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use porten_agent::agent::Agent;
use porten_core::snapshot::Snapshot;
use porten_core::wire::{Advert, FromAgent};

use super::agent::{Home, Link};
use super::engine::{Engine, healthy};
use super::hub::Hub;
use super::tunnel::CHAT;
use super::{until, write};

pub(crate) async fn engine() -> Engine {
    Engine::start(|_, request, mut socket| async move { write(&mut socket, &healthy(&request, &["Hello"])).await })
        .await
}

/// A Hub, an agent that is signed in there, and the engine behind it.
pub(crate) async fn house() -> (Hub, Home, Agent, Engine) {
    let (hub, engine) = (Hub::start().await, engine().await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    (hub, home, agent, engine)
}

pub(crate) async fn link(hub: &mut Hub) -> Link {
    Link::of(hub.welcome().await).await
}

pub(crate) async fn shows(agent: &Agent, what: &str, is_so: impl Fn(&Snapshot) -> bool) {
    until(what, || is_so(&agent.client().snapshot())).await;
}

/// The advert in which `tiny` is proven.
pub(crate) async fn advertised(link: &mut Link) -> Advert {
    let said = link.hear(|said| matches!(said, FromAgent::Advert(advert) if !advert.models.is_empty())).await;
    let FromAgent::Advert(advert) = said else { panic!("no advert") };
    advert
}

pub(crate) async fn post(call: &SendRequest<Bytes>, body: &str) -> Result<ResponseFuture, h2::Error> {
    let request = Request::post(format!("https://agent{CHAT}")).header("content-type", "application/json");
    let (response, mut stream) = call.clone().ready().await?.send_request(request.body(()).unwrap(), false)?;
    stream.send_data(Bytes::from(body.to_owned()), true)?;
    Ok(response)
}
