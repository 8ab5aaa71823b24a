//! What is found out about an engine: what it lists, what it is, and whether it can generate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use porten_agent::engine::{EngineClient, PROOF_DEADLINE, probe, prove};
use porten_core::config::{EngineKind, EngineUrl, Origin, Setting};
use porten_core::detect::Chosen;
use porten_core::engine::{Listing, ProofFailure};
use porten_core::route::Route;
use tokio::net::TcpListener;

use crate::support::engine::{EVENTS, Engine, event, stream, until_closed};
use crate::support::{ENGINE_ID, answer, until, write};

const JSON: &str = "content-type: application/json\r\n";

fn client() -> EngineClient {
    porten_agent::install_crypto();
    EngineClient::new((*porten_agent::tls().unwrap()).clone()).unwrap()
}

fn chosen(url: &EngineUrl) -> Chosen {
    let origin = Origin::Environment("PORTEN_ENGINE_URL".into());
    Chosen { url: Some(Setting { value: url.clone(), origin }), kind: None }
}

fn list() -> String {
    serde_json::json!({ "object": "list", "data": [{ "id": ENGINE_ID }] }).to_string()
}

/// An engine with these two documents.
async fn documents(models: String, node_id: String) -> Engine {
    let (models, node_id) = (Arc::new(models), Arc::new(node_id));
    Engine::start(move |_, request, mut socket| {
        let (models, node_id) = (Arc::clone(&models), Arc::clone(&node_id));
        async move {
            let text = if request.is("GET /v1/models") { models } else { node_id };
            write(&mut socket, &text).await;
        }
    })
    .await
}

async fn look(engine: &Engine) -> Result<Listing, String> {
    probe(&client(), &chosen(&engine.url), None).await
}

#[tokio::test]
async fn an_engine_is_known_by_the_shape_of_its_answers() {
    let missing = answer(404, "content-type: application/json\r\n", "Not Found");
    let mlx = documents(answer(200, JSON, &list()), missing.clone()).await;
    let found = look(&mlx).await.unwrap();
    assert_eq!((found.kind, found.models.len(), found.url), (EngineKind::Openai, 1, mlx.url.clone()));
    let exo = documents(answer(200, JSON, &list()), answer(200, JSON, "\"b9b3b561da12\"")).await;
    assert_eq!(look(&exo).await.unwrap().kind, EngineKind::Exo);
}

/// Fault D10: a 200 with an empty body on `/v1/models` is a failed probe, not an engine without models.
/// Fault D16: a server that is no engine is asked for its list only, and is named in one sentence.
#[tokio::test]
async fn what_is_no_engine_is_one_sentence() {
    let missing = answer(404, "", "");
    for (models, sentence) in [
        (answer(200, JSON, ""), "its /v1/models is no list of models"),
        (answer(200, "content-type: text/html\r\n", "<html>It works!</html>"), "its /v1/models is no list of models"),
        (answer(401, JSON, "{}"), "it answers 401 to /v1/models"),
        (answer(302, "location: /login\r\n", ""), "it answers 302 to /v1/models"),
    ] {
        let engine = documents(models, missing.clone()).await;
        let told = look(&engine).await.unwrap_err();
        let expected = format!("{} answers, but not as an engine ({sentence}); correct PORTEN_ENGINE_URL", engine.url);
        assert_eq!(told, expected);
        assert!(engine.seen().iter().all(|seen| seen.is("GET /v1/models") || seen.is("GET /node_id")));
    }
}

#[tokio::test]
async fn a_place_where_nothing_listens_is_one_sentence_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = EngineUrl::read(&format!("http://{address}"), false).unwrap();
    let begun = Instant::now();
    let told = probe(&client(), &chosen(&url), None).await.unwrap_err();
    assert_eq!(told, format!("no engine answers at {url}; start it, or correct PORTEN_ENGINE_URL"));
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn an_engine_that_answered_before_is_asked_for_its_list_only() {
    let engine = documents(answer(200, JSON, &list()), answer(404, "", "")).await;
    let last = look(&engine).await.unwrap();
    let asked = engine.seen().len();
    assert_eq!(probe(&client(), &chosen(&engine.url), Some(&last)).await.unwrap(), last);
    assert_eq!(engine.seen().len(), asked + 1);
}

/// Fault D11: a list without end is read to its limit and is a failed probe.
#[tokio::test]
async fn a_list_without_end_is_not_read_without_end() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await;
        let page = " ".repeat(1 << 16);
        while tokio::io::AsyncWriteExt::write_all(&mut socket, page.as_bytes()).await.is_ok() {}
    })
    .await;
    let begun = Instant::now();
    assert!(look(&engine).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(4), "it was not the deadline that ended it");
    until("the engine is left", || engine.closed() == engine.seen().len()).await;
}

async fn proof(engine: &Engine) -> Result<Vec<Route>, ProofFailure> {
    prove(&client(), &engine.url, ENGINE_ID, &Route::ALL, PROOF_DEADLINE).await.map(|proof| proof.routes)
}

#[tokio::test]
async fn a_proof_is_one_token_on_each_route_and_leaves_the_engine_at_once() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, &format!("{EVENTS}{}", event("a", None))).await;
        until_closed(&mut socket).await;
    })
    .await;
    assert_eq!(proof(&engine).await.unwrap(), Route::ALL);
    until("the engine is left", || engine.closed() == 2).await;
    for seen in engine.seen() {
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(
            (&body["model"], &body["max_tokens"], &body["stream"]),
            (&ENGINE_ID.into(), &1.into(), &true.into())
        );
    }
}

#[tokio::test]
async fn a_route_that_the_engine_does_not_have_is_left_out() {
    let engine = Engine::start(|_, request, mut socket| async move {
        let text = if request.is("POST /v1/completions") { answer(405, "", "") } else { stream(&["a"]) };
        write(&mut socket, &text).await;
    })
    .await;
    assert_eq!(proof(&engine).await.unwrap(), [Route::ChatCompletions]);
}

#[tokio::test]
async fn whatever_is_less_than_a_token_is_no_proof() {
    let role = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"Runner shutdown\",\"code\":500}}\n\n";
    for said in [
        format!("{EVENTS}{role}"),
        format!("{EVENTS}{role}{error}data: [DONE]\n\n"),
        format!("{EVENTS}: keep-alive\n\ndata: [DONE]\n\n"),
        answer(200, JSON, ""),
        answer(200, "content-type: text/html\r\n", "<html>"),
        answer(404, JSON, &format!(r#"{{"error":{{"message":"No instance found for {ENGINE_ID}"}}}}"#)),
        "HTTP/9.9 nonsense\r\n\r\n".to_owned(),
    ] {
        let engine = Engine::saying(said.clone()).await;
        let Err(ProofFailure::Refused(words)) = proof(&engine).await else { panic!("{said}") };
        assert!(!words.is_empty() && !words.contains("/Users"), "{words}");
    }
}

#[tokio::test]
async fn an_engine_that_goes_away_in_a_proof_is_unreachable() {
    let engine = Engine::start(|_, _, _| async {}).await;
    assert_eq!(proof(&engine).await, Err(ProofFailure::Unreachable));
}

/// Fault D2: an engine that takes a connection and says nothing gives no proof in time.
#[tokio::test]
async fn a_frozen_engine_is_late_and_not_asked_on_a_second_route() {
    let engine = Engine::start(|_, _, mut socket| async move { until_closed(&mut socket).await }).await;
    let soon = Duration::from_millis(400);
    let late = prove(&client(), &engine.url, ENGINE_ID, &Route::ALL, soon).await;
    assert_eq!(late, Err(ProofFailure::Late(soon)));
    until("the engine is left", || engine.closed() == 1).await;
    assert_eq!(engine.seen().len(), 1);
}
