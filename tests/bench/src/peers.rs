//! Other tunnels on the same work: two plain TCP forwards in a row, and rathole, bore and others where they are found.
//!
//! They copy bytes of one TCP connection each. They read no request, check no key and place nothing, so they do less.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path as FilePath, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::engine::MODEL;
use crate::order::{Target, Work};
use crate::path::{Engine, Path};
use crate::rounds;
use crate::seat::{Part, Seating};

/// A tunnel that has carried no answer by then is left out.
const READY: Duration = Duration::from_secs(15);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);
/// Two plain forwards in a row: what a way over two processes costs, and no tunnel.
pub(crate) const LIMIT: &str = "limit";
/// bore's control port cannot be chosen.
const BORE_PORT: u16 = 7835;
/// Those that `tools/bench.sh --peers` installs; the others are in no registry that it could use, and are taken from PATH.
const INSTALLED: [&str; 4] = [LIMIT, "rathole", "rathole-ws", "bore"];
/// One short answer.
const ONE: Work = Work { streams: 1, requests: 1, tokens: 1, pace_us: 0, every_us: 0, prompt: 16, newconn: false };

/// Starts every peer that is there; `tell` hears of each that is not.
pub(crate) async fn start(engine: &Engine, tell: impl Fn(&str)) -> Vec<Path> {
    let mut paths = Vec::new();
    for (name, started) in [
        (LIMIT, limit(engine).await),
        ("rathole", rathole(engine, "tcp")),
        ("rathole-ws", rathole(engine, "websocket")),
        ("bore", bore(engine)),
        ("wstunnel", wstunnel(engine)),
        ("chisel", chisel(engine)),
        ("frp", frp(engine)),
    ] {
        match started {
            Ok(peer) => {
                let path = peer.path(name);
                if carries(&path.target, engine.seating).await {
                    paths.push(path);
                } else {
                    tell(&format!("{name} carried no answer within {} s and is left out", READY.as_secs()));
                }
            }
            // Who has none of a tunnel that nothing installs did not ask for it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !INSTALLED.contains(&name) => {}
            Err(error) => tell(&format!("{name} is left out: {error}")),
        }
    }
    paths
}

/// A tunnel's programs.
struct Peer {
    url: String,
    /// The side of the Hub, then that of the engine.
    programs: Vec<Child>,
    folder: Option<TempDir>,
}

impl Peer {
    fn path(self, name: &'static str) -> Path {
        let target = Target { url: self.url, key: String::new(), model: MODEL.into() };
        let agent = self.programs.last().and_then(Child::id);
        Path { name, target, agent, _parts: Some(Box::new((self.programs, self.folder))) }
    }
}

async fn carries(target: &Target, seating: Seating) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < READY {
        if rounds::load(target, ONE, seating).await.is_ok_and(|found| found.errors == 0) {
            return true;
        }
        tokio::time::sleep(AGAIN).await;
    }
    false
}

async fn limit(engine: &Engine) -> io::Result<Peer> {
    let mut programs = Vec::new();
    let mut url = engine.url.clone();
    // The first to be started is the one beside the engine.
    for part in [Part::EngineSide, Part::HubSide] {
        let mut program = Command::new(std::env::current_exe()?);
        program.args(["forward", url.trim_start_matches("http://")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let seat = engine.seating.take(part);
        let mut program = program.kill_on_drop(true).spawn()?;
        drop(seat);
        let said = program.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        url = BufReader::new(said).lines().next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        programs.push(program);
    }
    programs.reverse();
    Ok(Peer { url, programs, folder: None })
}

fn rathole(engine: &Engine, transport: &str) -> io::Result<Peer> {
    let program = find("rathole")?;
    let folder = tempfile::tempdir()?;
    let extra = if transport == "websocket" { "[SIDE.transport.websocket]\ntls = false\n" } else { "" };
    let side = |side: &str, head: String, service: String| -> io::Result<Command> {
        let text = format!(
            "[{side}]\n{head}default_token = \"bench\"\n[{side}.transport]\ntype = \"{transport}\"\n{}\
             [{side}.services.bench]\n{service}",
            extra.replace("SIDE", side)
        );
        let file = folder.path().join(format!("{side}.toml"));
        std::fs::write(&file, text)?;
        Ok(command(&program, &[&format!("--{side}"), &file.to_string_lossy()]))
    };
    let peer = ends(engine, |Ports { engine, control, visitors }| {
        let at = |key: &str, place: &str| format!("{key} = \"{place}\"\n");
        let (control, visitors) = (format!("127.0.0.1:{control}"), format!("127.0.0.1:{visitors}"));
        Ok([
            side("server", at("bind_addr", &control), at("bind_addr", &visitors))?,
            side("client", at("remote_addr", &control), at("local_addr", engine))?,
        ])
    })?;
    Ok(Peer { folder: Some(folder), ..peer })
}

fn bore(engine: &Engine) -> io::Result<Peer> {
    let program = find("bore")?;
    drop(TcpListener::bind((Ipv4Addr::LOCALHOST, BORE_PORT))?);
    let visitors = free_port()?.to_string();
    let port = engine.url.rsplit(':').next().unwrap_or_default().to_owned();
    let server = at(engine, Part::HubSide, Command::new(&program).args(["server", "--bind-addr", "127.0.0.1"]))?;
    // Its client does not try again.
    let begun = Instant::now();
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, BORE_PORT)).is_err() && begun.elapsed() < READY {
        std::thread::sleep(AGAIN);
    }
    let client = at(
        engine,
        Part::EngineSide,
        Command::new(&program)
            .args(["local", &port, "--local-host", "127.0.0.1", "--to", "127.0.0.1", "--port"])
            .arg(&visitors),
    )?;
    Ok(Peer { url: format!("http://127.0.0.1:{visitors}"), programs: vec![server, client], folder: None })
}

/// Both ends of a tunnel whose client tries until its server is there.
fn ends(engine: &Engine, ends: impl Fn(&Ports) -> io::Result<[Command; 2]>) -> io::Result<Peer> {
    let ports = Ports {
        engine: engine.url.trim_start_matches("http://").to_owned(),
        control: free_port()?,
        visitors: free_port()?,
    };
    let [mut server, mut client] = ends(&ports)?;
    let programs = vec![at(engine, Part::HubSide, &mut server)?, at(engine, Part::EngineSide, &mut client)?];
    Ok(Peer { url: format!("http://127.0.0.1:{}", ports.visitors), programs, folder: None })
}

/// Where a tunnel's ends meet.
struct Ports {
    /// The engine's host and port.
    engine: String,
    control: u16,
    visitors: u16,
}

fn command(program: &FilePath, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// wstunnel 10: each connection is a WebSocket, without masking.
fn wstunnel(engine: &Engine) -> io::Result<Peer> {
    let program = find("wstunnel")?;
    ends(engine, |Ports { engine, control, visitors }| {
        let (at, way) = (format!("ws://127.0.0.1:{control}"), format!("tcp://127.0.0.1:{visitors}:{engine}"));
        Ok([command(&program, &["server", &at]), command(&program, &["client", "-R", &way, &at])])
    })
}

/// chisel 1: SSH channels over one WebSocket.
fn chisel(engine: &Engine) -> io::Result<Peer> {
    let program = find("chisel")?;
    ends(engine, |Ports { engine, control, visitors }| {
        let (port, at) = (control.to_string(), format!("http://127.0.0.1:{control}"));
        let way = format!("R:127.0.0.1:{visitors}:{engine}");
        let server = command(&program, &["server", "--host", "127.0.0.1", "--port", &port, "--reverse"]);
        Ok([server, command(&program, &["client", &at, &way])])
    })
}

/// frp: yamux over TCP.
fn frp(engine: &Engine) -> io::Result<Peer> {
    let (server, client) = (find("frps")?, find("frpc")?);
    let folder = tempfile::tempdir()?;
    let files = ["server.toml", "client.toml"].map(|name| folder.path().join(name));
    let peer = ends(engine, |Ports { engine, control, visitors }| {
        let (host, port) = engine.rsplit_once(':').unwrap_or((engine, "80"));
        let texts = [
            format!("bindAddr = \"127.0.0.1\"\nbindPort = {control}\n"),
            format!(
                "serverAddr = \"127.0.0.1\"\nserverPort = {control}\nloginFailExit = false\n[[proxies]]\nname = \"bench\"\n\
                 type = \"tcp\"\nlocalIP = \"{host}\"\nlocalPort = {port}\nremotePort = {visitors}\n"
            ),
        ];
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text)?;
        }
        let with = |program: &FilePath, file: &FilePath| command(program, &["-c", &file.to_string_lossy()]);
        Ok([with(&server, &files[0]), with(&client, &files[1])])
    })?;
    Ok(Peer { folder: Some(folder), ..peer })
}

/// A peer's program: in the folder `peers/bin` beside the profile's, where `tools/bench.sh --peers` puts it, or on PATH.
fn find(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.parent().and_then(FilePath::parent).map(|target| target.join("peers/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "it is not installed; tools/bench.sh --peers installs it")
        })
}

/// Nothing holds it until the peer takes it; a peer that loses it is left out.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts a tunnel's end, silently.
fn at(engine: &Engine, part: Part, command: &mut Command) -> io::Result<Child> {
    let _seat = engine.seating.take(part);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()
}
