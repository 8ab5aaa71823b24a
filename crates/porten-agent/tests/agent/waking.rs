//! Keeping the machine awake: held while the node is wanted online, let go when it is not, and a refusal is told.

use porten_core::command::Command;
use porten_core::config::Setting;
use porten_core::snapshot::{AwakeView, Snapshot};

use crate::support::agent::{Home, keeper};
use crate::support::house::{advertised, engine, link, shows};
use crate::support::hub::Hub;

async fn wakeful(hub: &Hub, words: &[&str]) -> (Home, crate::support::engine::Engine) {
    let engine = engine().await;
    let mut home = Home::signed_in(&hub.url, &engine).await;
    home.keeper = keeper(words);
    home.config.keep_awake = Setting::default(true);
    (home, engine)
}

/// Whether a process with this argument runs.
fn runs(argument: &str) -> bool {
    let commands = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |process: std::fs::DirEntry| std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
    commands.map(of).any(|words| words.split('\0').any(|word| word == argument))
}

#[tokio::test]
async fn the_machine_is_kept_awake_while_it_serves_and_may_sleep_after() {
    // A number of seconds that no other process is told.
    let mut hub = Hub::start().await;
    let (home, _engine) = wakeful(&hub, &["sleep", "98761.5"]).await;
    let mut agent = home.start();
    advertised(&mut link(&mut hub).await).await;
    shows(&agent, "it is held", |picture| picture.awake == AwakeView::Held).await;
    crate::support::until("the tool runs", || runs("98761.5")).await;
    agent.client().send(Command::SetOnline { online: false }).await.unwrap();
    shows(&agent, "it may sleep", |picture| picture.awake == AwakeView::Idle).await;
    crate::support::until("the tool has ended", || !runs("98761.5")).await;
    agent.client().send(Command::SetOnline { online: true }).await.unwrap();
    crate::support::until("the tool runs again", || runs("98761.5")).await;
    agent.quit_now();
    agent.ended().await;
    crate::support::until("nothing is left", || !runs("98761.5")).await;
}

#[tokio::test]
async fn a_system_that_does_not_keep_awake_is_told_and_nothing_else_changes() {
    for (words, why) in [(&["false"][..], "exit status: 1"), (&["/nowhere/keeper"][..], "No such file")] {
        let mut hub = Hub::start().await;
        let (home, _engine) = wakeful(&hub, words).await;
        let agent = home.start();
        advertised(&mut link(&mut hub).await).await;
        let refused =
            |picture: &Snapshot| matches!(&picture.awake, AwakeView::Refused { why: told } if told.contains(why));
        shows(&agent, why, refused).await;
    }
}
