//! A disk that is full or read-only: what was wanted is refused in words, what was kept stays, and later all is well again.
#![cfg(target_os = "linux")] // a disk of its own, by a mount namespace
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::{House, inside};

const SOON: Duration = Duration::from_secs(30);

fn run(command: &str, arguments: &[&str], at: &Path) {
    let done = Command::new(command).args(arguments).arg(at).status().expect("mount and umount");
    assert!(done.success(), "{command} {arguments:?}");
}

/// Writes to the disk until it is full.
fn fill(disk: &Path) -> PathBuf {
    let path = disk.join("filler");
    let mut size = 1 << 20;
    let mut whole = Vec::new();
    while size > 0 {
        whole.resize(whole.len() + size, b'x');
        if std::fs::write(&path, &whole).is_err() {
            whole.truncate(whole.len() - size);
            size /= 2;
        }
    }
    path
}

/// Fault F3: on a disk that is full, or read-only, a wish is declined in one sentence, the old wishes are untouched, the agent
/// goes on serving, and takes the wish once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_kept_is_declined_and_the_old_ones_stay() {
    if !inside::small_disk("a_wish_that_cannot_be_kept_is_declined_and_the_old_ones_stay", 256) {
        return;
    }
    let disk = PathBuf::from(std::env::var_os("HOME").expect("a home"));
    let mut house = House::signed_in(Manner::mlx("tiny"), |agent| {
        agent.set("PORTEN_HOME", &disk.to_string_lossy());
    })
    .await;
    house.wait_ready(SOON).await;
    assert_eq!(house.agent.command(&["models", "off", "tiny"]).await.code, Some(0));
    let state = disk.join("state");
    let wishes = state.join("wishes.json");
    let kept = std::fs::read_to_string(&wishes).expect("the wishes");
    for trouble in ["full", "read-only"] {
        let filler = if trouble == "full" { Some(fill(&disk)) } else { None };
        if filler.is_none() {
            // A mount of its own over the folder: the disk itself has files that are open.
            run("mount", &["--bind", &state.to_string_lossy()], &state);
            run("mount", &["-o", "remount,bind,ro"], &state);
        }
        let ended = house.agent.command(&["models", "on", "tiny"]).await;
        assert_ne!(ended.code, Some(0), "{trouble}");
        let said = ended.stderr.trim();
        assert!(said.lines().count() == 1 && said.contains("wish"), "{trouble}: {said}");
        assert_eq!(std::fs::read_to_string(&wishes).expect("the wishes"), kept, "{trouble}");
        assert!(house.agent.process().is_running(), "{trouble}");
        match filler {
            Some(path) => std::fs::remove_file(path).expect("a file of our own"),
            None => run("umount", &[], &state),
        }
    }
    assert_eq!(house.agent.command(&["models", "on", "tiny"]).await.code, Some(0));
    house.agent.status_until(SOON, "it serves again", is_ready).await;
}
