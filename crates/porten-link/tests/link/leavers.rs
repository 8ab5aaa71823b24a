//! Clients that leave in the middle of busy answers, all at once and again and again, cost nobody the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Response};
use porten_link::Beat;

use crate::support::{ask, linked, opened, read, send_chunk, soon};

/// h2 forgets a reset stream soon and ends the connection over the 1,025th frame for a stream it forgot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_leaves_busy_answers_again_and_again_does_not_end_the_link() {
    const CROWD: usize = 200;
    let running = Arc::new(AtomicUsize::new(0));
    let ends = linked(opened().await, Beat::default(), {
        let running = Arc::clone(&running);
        move |request, mut respond| {
            let running = Arc::clone(&running);
            async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                if request.uri().path() == "/probe" {
                    return body.send_trailers(HeaderMap::new()).unwrap();
                }
                running.fetch_add(1, Ordering::Relaxed);
                while send_chunk(&mut body, &Bytes::from_static(b"data: {\"token\":1}\n\n")).await {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::Relaxed);
            }
        }
    })
    .await;
    for _ in 0..3 {
        let mut bodies = Vec::new();
        for _ in 0..CROWD {
            bodies.push(soon(ask(&ends.requests, "/")).await.unwrap().into_body());
        }
        soon(bodies[0].data()).await.unwrap().unwrap();
        drop(bodies);
        soon(read(soon(ask(&ends.requests, "/probe")).await.unwrap().into_body())).await.unwrap();
        soon(async {
            while running.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    soon(read(soon(ask(&ends.requests, "/probe")).await.unwrap().into_body())).await.unwrap();
    assert!(!ends.hub_task.is_finished() && !ends.agent_task.is_finished());
}
