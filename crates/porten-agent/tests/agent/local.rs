//! The local socket: the same picture and the same commands for front ends in other processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use porten_agent::agent::Agent;
use porten_agent::local::{Local, LocalError, attach};
use porten_core::command::{Command, Declined, DeclinedCode};
use porten_core::ids::ModelId;
use porten_core::leaving::PERSONS;
use porten_core::snapshot::{LinkView, Overall};
use porten_core::wire::FromAgent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::support::agent::{Home, offline};
use crate::support::{soon, until};

/// An agent that wants to be offline, so that nothing happens by itself.
async fn quiet() -> (Home, Agent, PathBuf) {
    let home = offline("ws://127.0.0.1:9").await;
    let agent = home.start();
    let socket = home.places.socket();
    (home, agent, socket)
}

/// Says this to the socket and reads what comes until it closes.
async fn raw(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    soon("an answer", stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn request(line: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn the_picture_is_the_agents_and_names_protocol_and_version() {
    let (_home, agent, socket) = quiet().await;
    let local = Local::at(&socket).unwrap();
    soon("the same picture", async { while local.snapshot().await.unwrap() != *agent.client().snapshot() {} }).await;
    let answer = raw(&socket, &request("GET /v1/snapshot", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("porten-local: 1\r\n") && answer.contains("porten-version: "), "{answer}");
    let mode = std::fs::symlink_metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Fault E15: the socket and its folder are closed to other accounts; of a crowd 64 are held at a time, a line without end is
/// given up, and who comes after them is answered.
#[tokio::test]
async fn a_crowd_and_a_line_without_end_at_the_socket_keep_nobody_out() {
    let (home, _agent, socket) = quiet().await;
    let folder = std::fs::metadata(&home.places.run).unwrap().permissions().mode();
    let file = std::fs::symlink_metadata(&socket).unwrap().permissions().mode();
    assert_eq!((folder & 0o777, file & 0o777), (0o700, 0o600));
    let mut endless = UnixStream::connect(&socket).await.unwrap();
    let flood = async {
        let line = vec![b'a'; 64 * 1024];
        let mut sent = 0;
        while sent < 64 << 20 && endless.write_all(&line).await.is_ok() {
            sent += line.len();
        }
        sent
    };
    assert!(soon("a line without end is given up", flood).await < 64 << 20);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(UnixStream::connect(&socket).await.unwrap());
    }
    // Those beyond the limit are closed at once; the others wait for their head's time.
    let mut byte = [0];
    assert_eq!(soon("the last is turned away", crowd[199].read(&mut byte)).await.unwrap_or_default(), 0);
    drop(crowd);
    let answered = async {
        loop {
            if let Ok(picture) = Local::at(&socket).unwrap().snapshot().await {
                return picture;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon("the next one is answered", answered).await;
}

#[tokio::test]
async fn a_watcher_gets_the_picture_at_once_then_each_that_differs_and_the_end() {
    let (_home, mut agent, socket) = quiet().await;
    let mut pictures = Local::at(&socket).unwrap().watch().await.unwrap();
    let first = soon("the first picture", pictures.next()).await.unwrap().unwrap();
    Local::at(&socket).unwrap().send(&Command::turn(id("tiny"), false)).await.unwrap();
    let mut last = first.seq;
    loop {
        let picture = soon("a picture", pictures.next()).await.unwrap().unwrap();
        assert!(picture.seq > last, "each differs");
        last = picture.seq;
        if !picture.models[0].wanted {
            break;
        }
    }
    agent.quit(PERSONS);
    soon("the end", agent.ended()).await;
    while let Some(picture) = soon("the last pictures", pictures.next()).await.unwrap() {
        assert!(picture.seq > last, "each differs");
        last = picture.seq;
    }
    assert!(!socket.exists(), "nobody is served by a dead socket");
}

fn id(text: &str) -> ModelId {
    ModelId::read(text).unwrap()
}

#[tokio::test]
async fn a_wish_is_on_disk_before_it_is_answered_and_what_cannot_be_is_declined_in_words() {
    let (home, agent, socket) = quiet().await;
    let local = Local::at(&socket).unwrap();
    local.send(&Command::turn(id("tiny"), false)).await.unwrap();
    let stored = std::fs::read_to_string(home.places.state.join("wishes.json")).unwrap();
    assert!(stored.contains("\"tiny\""), "{stored}");
    let Err(LocalError::Declined(unknown)) = local.send(&Command::turn(id("huge"), true)).await else {
        panic!("there is no such model")
    };
    assert_eq!(unknown.code, DeclinedCode::UnknownModel);
    assert_eq!(unknown.text, "There is no model huge here; `porten models` lists them.");
    let blocker = home.places.state.join("wishes.new");
    std::fs::create_dir(&blocker).unwrap();
    let Err(LocalError::Declined(full)) = local.send(&Command::turn(id("tiny"), true)).await else {
        panic!("it could not be kept")
    };
    assert_eq!(full.code, DeclinedCode::NotKept);
    assert!(!agent.client().snapshot().models[0].wanted, "the wish was not taken");
    local.send(&Command::Nudge).await.unwrap();
}

#[tokio::test]
async fn many_wishes_at_once_are_kept_one_after_the_other() {
    let (home, _agent, socket) = quiet().await;
    let local = Local::at(&socket).unwrap();
    let wishes = (0..20).map(|n| {
        let local = local.clone();
        async move { local.send(&Command::turn(id("tiny"), n % 2 == 0)).await }
    });
    for wish in futures_util::future::join_all(wishes).await {
        wish.unwrap();
    }
    assert!(porten_agent::wishes::Wishes::fetch(&home.places.state).off.len() < 2);
}

#[tokio::test]
async fn what_is_no_command_is_refused_in_words() {
    let (_home, _agent, socket) = quiet().await;
    for (body, words) in [
        (r#"{"command":"sing"}"#.to_owned(), "This agent does not know that command."),
        ("{".to_owned(), "This agent does not know that command."),
        (" ".repeat(20_000), "The command is too long or was cut."),
    ] {
        let answer = raw(&socket, &request("POST /v1/command", &body)).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains(words), "{answer}");
        assert!(answer.contains("\"code\":\"not_a_command\""), "{answer}");
    }
    for (line, status) in [
        ("GET /", "404 Not Found"),
        ("GET /v1/snapshot/", "404 Not Found"),
        ("POST /v1/snapshot", "405 Method Not Allowed"),
        ("GET /v1/command", "405 Method Not Allowed"),
    ] {
        let answer = raw(&socket, &request(line, "")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {answer}");
    }
}

/// Fault F2: the socket of a killed agent is replaced.
#[tokio::test]
async fn a_socket_that_a_killed_agent_left_is_replaced() {
    let home = offline("ws://127.0.0.1:9").await;
    let socket = home.places.socket();
    drop(UnixListener::bind(&socket).unwrap());
    assert!(matches!(Local::at(&socket).unwrap().snapshot().await, Err(LocalError::NotRunning)));
    let _agent = home.start();
    Local::at(&socket).unwrap().snapshot().await.unwrap();
}

#[tokio::test]
async fn no_agent_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::at(&folder.path().join("agent.sock")).unwrap();
    for error in [local.snapshot().await.unwrap_err(), local.send(&Command::Nudge).await.unwrap_err()] {
        assert_eq!(error.to_string(), "no agent is running on this machine; start it with: porten run");
    }
}

#[tokio::test]
async fn what_answers_but_not_as_this_agent_does_is_one_sentence() {
    for (headers, words) in [
        (
            "porten-local: 2\r\nporten-version: 9.1\r\n",
            "the running agent is version 9.1, which this porten cannot talk to; restart it",
        ),
        ("server: nginx\r\n", "did not answer; if it hangs, stop and start it"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let serving = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let _ = socket.read(&mut head).await;
            let text = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\n{{}}");
            socket.write_all(text.as_bytes()).await.unwrap();
        });
        let error = Local::at(&path).unwrap().snapshot().await.unwrap_err().to_string();
        assert!(error.ends_with(words), "{error}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_command_to_an_agent_that_has_stopped_is_declined() {
    let (_home, mut agent, _) = quiet().await;
    let client = agent.client().clone();
    agent.quit_now();
    soon("the end", agent.ended()).await;
    let Err(Declined { code, .. }) = client.send(Command::Nudge).await else { panic!("it has stopped") };
    assert_eq!(code, DeclinedCode::Stopping);
}

#[tokio::test]
async fn an_agent_that_is_offline_dials_when_it_is_asked_to_and_leaves_when_it_is_asked_to() {
    let mut hub = crate::support::hub::Hub::start().await;
    let home = offline(&hub.url).await;
    home.sign_in(900).await;
    let agent = home.start();
    let local = Local::at(&home.places.socket()).unwrap();
    until("offline", || agent.client().snapshot().overall == Overall::Off).await;
    assert_eq!(hub.upgrades_seen(), 0);
    local.send(&Command::SetOnline { online: true }).await.unwrap();
    let mut link = crate::support::agent::Link::of(hub.welcome().await).await;
    let advert = link.hear(|said| matches!(said, FromAgent::Advert(_))).await;
    assert!(matches!(advert, FromAgent::Advert(advert) if advert.seq == 1));
    local.send(&Command::SetOnline { online: false }).await.unwrap();
    link.hear(|said| matches!(said, FromAgent::Draining(_))).await;
    until("offline", || agent.client().snapshot().hub.link == LinkView::Off).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn whoever_attaches_sees_the_pictures_sends_commands_looks_and_hears_of_the_end() {
    let (_home, mut agent, socket) = quiet().await;
    let (client, carried) = attach(&socket).await.unwrap();
    let carried = tokio::spawn(carried);
    assert_eq!(client.snapshot().host, agent.client().snapshot().host);
    client.send(Command::turn(id("tiny"), false)).await.unwrap();
    soon("the wish in the picture", async {
        while client.snapshot().models[0].wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let unknown = client.send(Command::turn(id("huge"), true)).await.unwrap_err();
    assert_eq!(unknown.code, DeclinedCode::UnknownModel);
    let look = client.look();
    client.send(Command::turn(id("tiny"), true)).await.unwrap();
    soon("pictures go on while somebody looks", async {
        while !client.snapshot().models[0].wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(look);
    agent.quit(PERSONS);
    soon("the end", agent.ended()).await;
    soon("the end is heard of", carried).await.unwrap();
    assert_eq!(client.send(Command::Nudge).await.unwrap_err().code, DeclinedCode::Stopping);
    assert!(matches!(attach(&socket).await.map(|_| ()), Err(LocalError::NotRunning)));
}
