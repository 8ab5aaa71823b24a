//! Clients that leave in the middle of busy answers, all at once and again and again, cost nobody the link.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use porten_link::{Beat, http2};
use tokio::sync::{Semaphore, watch};

use crate::support::{ask, opened_in_memory, read, send_chunk, soon};

const CROWD: u32 = 500;
/// What each answer has under way when its client leaves.
const UNDER_WAY: usize = 64 * 1024;

/// By its own settings h2 forgets most of a crowd of streams that are reset at once, and ends the connection over the
/// 1,025th frame that still comes for one it forgot: this link then ends in the first round or the second.
#[tokio::test]
async fn a_crowd_that_leaves_busy_answers_again_and_again_does_not_end_the_link() {
    let (agent, hub) = opened_in_memory(2 * CROWD as usize * UNDER_WAY).await;
    let (agent_bytes, _agent) = agent.into_link(Beat::default());
    let (hub_bytes, _hub) = hub.into_link(Beat::default());
    let (go, sent) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gates = (Arc::clone(&go), Arc::clone(&sent));
    let agent = tokio::spawn(async move {
        let mut connection = http2::serve(agent_bytes).await?;
        while let Some(accepted) = connection.accept().await {
            let (request, mut respond) = accepted?;
            let (go, sent) = gates.clone();
            tokio::spawn(async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                if request.uri().path() == "/probe" {
                    return body.send_trailers(HeaderMap::new()).unwrap();
                }
                go.acquire().await.unwrap().forget();
                for _ in 0..UNDER_WAY / 1024 {
                    send_chunk(&mut body, &Bytes::from_static(&[b'.'; 1024])).await;
                }
                sent.add_permits(1);
                let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
            });
        }
        Ok::<(), h2::Error>(())
    });
    let (requests, mut connection) = soon(http2::call(hub_bytes)).await.unwrap();
    // A slow line in small: while it is held, nothing that was sent arrives.
    let (hold, mut held) = watch::channel(false);
    let driven = tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                _ = held.wait_for(|held| *held) => {}
                ended = &mut connection => return ended,
            }
            let _ = held.wait_for(|held| !*held).await;
        }
    });
    for _ in 0..3 {
        let mut answers = Vec::new();
        for _ in 0..CROWD {
            answers.push(soon(ask(&requests, "/")).await.unwrap().into_body());
        }
        hold.send_replace(true);
        go.add_permits(CROWD as usize);
        soon(sent.acquire_many(CROWD)).await.unwrap().forget();
        // Lets the agent's connection put it on the line.
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(answers);
        hold.send_replace(false);
        let probe = async { read(ask(&requests, "/probe").await?.into_body()).await };
        soon(probe).await.expect("the link lives");
    }
    assert!(!driven.is_finished() && !agent.is_finished());
}
