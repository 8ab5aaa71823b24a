//! Clients that leave in the middle of busy answers, all at once and again and again, cost nobody the link.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use porten_link::Beat;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::support::{ask, linked, opened, read, send_chunk, soon};

/// h2 forgets a reset stream soon and ends the connection over the 1,025th frame for a stream it forgot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_leaves_busy_answers_again_and_again_does_not_end_the_link() {
    const CROWD: usize = 500;
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
    for _ in 0..4 {
        let mut readers = JoinSet::new();
        let (reads, mut read_so_far) = mpsc::channel(CROWD);
        for _ in 0..CROWD {
            let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
            let reads = reads.clone();
            readers.spawn(async move {
                // Whoever reads keeps frames under way; a stalled reader's leaving would cost nothing.
                for n in 0.. {
                    let chunk = body.data().await.unwrap().unwrap();
                    body.flow_control().release_capacity(chunk.len()).unwrap();
                    if n == 3 {
                        reads.send(()).await.unwrap();
                    }
                }
            });
        }
        for _ in 0..CROWD {
            soon(read_so_far.recv()).await.unwrap();
        }
        readers.shutdown().await;
        soon(read(soon(ask(&ends.requests, "/probe")).await.unwrap().into_body())).await.unwrap();
        soon(async {
            while running.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    soon(read(soon(ask(&ends.requests, "/probe")).await.unwrap().into_body())).await.unwrap();
    assert!(!ends.hub_task.is_finished() && !ends.agent_task.is_finished());
}
