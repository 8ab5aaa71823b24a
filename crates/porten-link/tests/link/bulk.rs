//! Large bodies both ways.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Response};
use porten_link::Beat;

use crate::support::{ask, linked, opened, post, read, send_chunk, soon};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn sixty_four_mebibytes_come_back_through_one_stream() {
    let ends = linked(opened().await, Beat::default(), |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        for _ in 0..64 * MIB / chunk.len() {
            assert!(send_chunk(&mut body, &chunk).await);
        }
        body.send_trailers(HeaderMap::new()).unwrap();
    })
    .await;
    let started = Instant::now();
    let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
    let mut got = 0;
    while let Some(chunk) = soon(body.data()).await {
        let chunk = chunk.unwrap();
        got += chunk.len();
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    assert_eq!(got, 64 * MIB);
    eprintln!("64 MiB in {:?}", started.elapsed());
}

#[tokio::test]
async fn a_prompt_of_five_megabytes_arrives_whole() {
    let ends = linked(opened().await, Beat::default(), |request, mut respond| async move {
        let (prompt, _) = read(request.into_body()).await.unwrap();
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        send_chunk(&mut body, &Bytes::from(prompt.len().to_string())).await;
        body.send_trailers(HeaderMap::new()).unwrap();
    })
    .await;
    let mut requests = soon(ends.requests.clone().ready()).await.unwrap();
    let (response, mut prompt) = requests.send_request(post("/"), false).unwrap();
    assert!(soon(send_chunk(&mut prompt, &Bytes::from(vec![b'p'; 5_000_000]))).await);
    prompt.send_trailers(HeaderMap::new()).unwrap();
    let (answer, _) = soon(read(soon(response).await.unwrap().into_body())).await.unwrap();
    assert_eq!(answer, b"5000000");
}
