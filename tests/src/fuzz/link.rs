//! The bytes that HTTP/2 runs on, out of a WebSocket's frames.

use porten_core::wire::MAX_MESSAGE_TAKEN;
use porten_link::{Beat, End, accept};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::cuts;

/// What a link's owner got of what came.
#[derive(Debug, PartialEq)]
struct Got {
    bytes: Vec<u8>,
    said: Vec<String>,
    end: Option<End>,
}

/// Half of the inputs are frames as they are; the others are made into frames whose heads are right: length, then bytes.
fn frames(bytes: &[u8]) -> Vec<u8> {
    if bytes.len().is_multiple_of(2) {
        return bytes.to_vec();
    }
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let [kind, more @ ..] = rest {
        let (payload, after) = more.split_at(more.len().min(usize::from(*kind % 32)));
        // Text, binary, ping, pong, continuation; mostly final, and masked with zeros, which change nothing.
        let opcode = [1, 2, 9, 10, 0][usize::from(kind % 5)];
        let fin = if kind % 7 == 0 { 0 } else { 0x80 };
        frames.extend([fin | opcode, 0x80 | u8::try_from(payload.len()).unwrap_or_default(), 0, 0, 0, 0]);
        frames.extend(payload);
        rest = after;
    }
    frames
}

async fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Got {
    let (near, far) = duplex(64 * 1024);
    let (mut link, mut control) = accept(near).await.into_link(Beat::default());
    let (mut answers, mut peer) = tokio::io::split(far);
    let reading = async {
        let mut bytes = Vec::new();
        // How it ended is told by the control half.
        let _ = link.read_to_end(&mut bytes).await;
        drop(link);
        bytes
    };
    let hearing = async {
        let mut said = Vec::new();
        while let Some(text) = control.incoming.recv().await {
            said.push(text);
        }
        said
    };
    let writing = async {
        for part in parts {
            if peer.write_all(part).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = peer.shutdown().await;
        let mut rest = Vec::new();
        let _ = answers.read_to_end(&mut rest).await;
    };
    let (bytes, said, ()) = tokio::join!(reading, hearing, writing);
    let end = control.end.borrow().clone();
    Got { bytes, said, end }
}

/// Whatever comes, the link ends and says how; each message is bounded, and how the octets arrive does not matter.
pub(super) fn websocket(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let octets = frames(bytes);
    runtime.expect("a runtime").block_on(async {
        let whole = read(std::iter::once(octets.as_slice())).await;
        assert!(whole.end.is_some());
        assert!(whole.said.iter().all(|text| text.len() <= MAX_MESSAGE_TAKEN));
        assert!(whole.bytes.len() <= octets.len());
        assert_eq!(whole, read(cuts(&octets)).await);
    });
}
