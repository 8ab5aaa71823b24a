//! A plain TCP forward: copies bytes both ways and knows nothing of them. Two in a row are the least that a way through a
//! Hub and an agent can cost.

use std::io::{self, Write as _};

use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::engine;

/// The role: prints where it listens and forwards to `target` until its standard input ends.
pub(crate) async fn run(target: &str) -> io::Result<()> {
    let listener = engine::bind()?;
    let mut out = io::stdout();
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    let mut connections = JoinSet::new();
    let (mut stdin, mut nothing) = (tokio::io::stdin(), [0]);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors: a request fails, and is counted on the load side.
                let Ok((socket, _)) = accepted else { continue };
                let target = target.to_owned();
                connections.spawn(async move {
                    // How it ended, both ends see for themselves.
                    let _ = forward(socket, &target).await;
                });
            }
            Some(_) = connections.join_next() => {}
            ended = stdin.read(&mut nothing) => return ended.map(|_| ()),
        }
    }
}

async fn forward(mut from: TcpStream, target: &str) -> io::Result<()> {
    let mut to = TcpStream::connect(target).await?;
    from.set_nodelay(true)?;
    to.set_nodelay(true)?;
    copy_bidirectional(&mut from, &mut to).await?;
    Ok(())
}
