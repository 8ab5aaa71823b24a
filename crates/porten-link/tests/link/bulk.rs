//! Large bodies both ways, and that neither way takes the line for itself.

use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, Response};
use porten_link::Beat;
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf, duplex};

use crate::support::{ask, dialled, frame, head, linked, opened, post, read, send_chunk, soon};

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
    let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
    let mut got = 0;
    while let Some(chunk) = soon(body.data()).await {
        let chunk = chunk.unwrap();
        got += chunk.len();
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    assert_eq!(got, 64 * MIB);
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

/// HTTP/2 on a link reads until there is nothing to read and then writes until there is nothing to write. In a flood
/// that can be seconds, and a reset or a new request waits behind it.
#[tokio::test]
async fn reading_and_writing_take_turns_also_when_either_could_go_on() {
    let (near, far) = duplex(8 * MIB);
    let (agent, mut far) = dialled(near, far).await;
    let (mut bytes, _control) = agent.into_link(Beat::default());
    let flood = frame(head::FIN | head::BINARY, false, &[0; 16 * 1024]).repeat(256);
    far.write_all(&flood).await.unwrap();
    let mut space = vec![0; 64 * 1024];
    let (mut got, mut put) = (0, 0);
    for _ in 0..4 {
        // The runtime's own budget is many times larger; without it the turn alone ends the loops.
        let (read, written) = tokio::task::unconstrained(std::future::poll_fn(|cx| {
            let (mut read, mut written) = (0, 0);
            let mut buffer = ReadBuf::new(&mut space);
            while Pin::new(&mut bytes).poll_read(cx, &mut buffer).is_ready() {
                read += buffer.filled().len();
                buffer.clear();
            }
            while let Poll::Ready(taken) = Pin::new(&mut bytes).poll_write(cx, &[0; 16 * 1024]) {
                written += taken.unwrap();
            }
            Poll::Ready((read, written))
        }))
        .await;
        assert!((1..=MIB / 2).contains(&read) && (1..=MIB / 2).contains(&written), "{read} read, {written} written");
        (got, put) = (got + read, put + written);
    }
    assert!(got >= MIB && put >= MIB, "a turn that is over comes again: {got} {put}");
}
