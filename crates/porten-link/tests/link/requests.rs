//! A request goes to the side that dialled, its answer comes back, and the control half runs beside it.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Response};
use porten_core::wire::{END_COMPLETE, END_TRAILER};
use porten_link::{Beat, Outgoing};
use tokio::sync::mpsc;

use crate::support::{ask, linked, opened, opened_in_memory, post, read, send_chunk, soon};

#[tokio::test]
async fn a_request_goes_to_the_side_that_dialled_and_its_answer_comes_back_with_trailers() {
    let ends = linked(opened().await, Beat::default(), |request, mut respond| async move {
        assert_eq!(request.uri().path(), "/v1/chat/completions");
        let (question, _) = read(request.into_body()).await.unwrap();
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        assert!(send_chunk(&mut body, &Bytes::from([b"echo ".as_slice(), &question].concat())).await);
        let trailers = HeaderMap::from_iter([(END_TRAILER.parse().unwrap(), END_COMPLETE.parse().unwrap())]);
        body.send_trailers(trailers).unwrap();
    })
    .await;
    let mut requests = soon(ends.requests.clone().ready()).await.unwrap();
    let (response, mut question) = requests.send_request(post("/v1/chat/completions"), false).unwrap();
    question.send_data(Bytes::from_static(b"hello"), true).unwrap();
    let (answer, trailers) = soon(read(soon(response).await.unwrap().into_body())).await.unwrap();
    assert_eq!(answer, b"echo hello");
    assert_eq!(trailers.unwrap()[END_TRAILER], END_COMPLETE);
}

#[tokio::test]
async fn control_texts_flow_both_ways_while_an_answer_streams_and_while_nothing_does() {
    let mut ends = linked(opened().await, Beat::default(), |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        while send_chunk(&mut body, &Bytes::from_static(&[b'.'; 4096])).await {}
    })
    .await;
    for streaming in [false, true] {
        // The pause lets both connections fall asleep: only the channel may wake them.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let stream = if streaming {
            let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
            Some(tokio::spawn(async move {
                while let Some(Ok(chunk)) = body.data().await {
                    let _ = body.flow_control().release_capacity(chunk.len());
                }
            }))
        } else {
            None
        };
        for n in 0..200 {
            ends.hub.outgoing.send(Outgoing::Text(format!("catalog {n}"))).await.unwrap();
            ends.agent.outgoing.send(Outgoing::Text(format!("advert {n}"))).await.unwrap();
            assert_eq!(soon(ends.agent.incoming.recv()).await.unwrap(), format!("catalog {n}"));
            assert_eq!(soon(ends.hub.incoming.recv()).await.unwrap(), format!("advert {n}"));
        }
        if let Some(stream) = stream {
            assert!(!stream.is_finished());
            stream.abort();
        }
    }
}

#[tokio::test]
async fn a_long_catalog_passes_whole_and_one_that_no_peer_takes_is_not_sent() {
    let (mut agent, mut hub) = opened().await;
    let catalog = "m".repeat(1024 * 1024);
    let (sent, got) = soon(async { tokio::join!(hub.send(catalog.clone()), agent.receive()) }).await;
    sent.unwrap();
    assert!(got.unwrap() == catalog);
    assert_eq!(hub.send(format!("{catalog}m")).await, Err(porten_link::End::TooBig));
    hub.send("still here".into()).await.unwrap();
    assert_eq!(soon(agent.receive()).await.unwrap(), "still here");

    let mut ends = linked((agent, hub), Beat::default(), |_, _| async {}).await;
    ends.hub.outgoing.send(Outgoing::Text(catalog.clone())).await.unwrap();
    assert!(soon(ends.agent.incoming.recv()).await.unwrap() == catalog);
}

#[tokio::test]
async fn an_answer_that_the_hub_drops_resets_the_stream_at_the_agent() {
    let (told, mut tell) = mpsc::channel(1);
    let ends = linked(opened().await, Beat::default(), move |_, mut respond| {
        let told = told.clone();
        async move {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            send_chunk(&mut body, &Bytes::from_static(b"data: one\n\n")).await;
            let reset = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
            told.send(reset.unwrap()).await.unwrap();
        }
    })
    .await;
    let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
    assert_eq!(soon(body.data()).await.unwrap().unwrap(), "data: one\n\n");
    drop(body);
    assert_eq!(soon(tell.recv()).await, Some(Reason::CANCEL));
}

#[tokio::test]
async fn data_lives_on_when_the_owner_drops_the_control_half() {
    let ends = linked(opened_in_memory(4096).await, Beat::default(), |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        assert!(send_chunk(&mut body, &Bytes::from(vec![7; 300_000])).await);
        body.send_trailers(HeaderMap::new()).unwrap();
    })
    .await;
    ends.agent.outgoing.send(Outgoing::Text("last words".into())).await.unwrap();
    drop((ends.hub, ends.agent));
    for _ in 0..3 {
        let body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
        assert_eq!(soon(read(body)).await.unwrap().0, vec![7; 300_000]);
    }
}
