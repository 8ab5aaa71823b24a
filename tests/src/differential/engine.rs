//! An engine that answers each case as its dialect would, its bytes cut anywhere.

use std::io;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::case::{Case, ENGINE_ID, Ending, Said};
use crate::engine::{Dialect, request};
use crate::luck::Luck;

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// It runs until it is dropped.
#[derive(Debug)]
pub struct CaseEngine {
    port: u16,
    task: JoinHandle<()>,
}

impl CaseEngine {
    /// Answers the cases of a run.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves is nobody's error.
                running.spawn(async move { drop(serve(stream, seed).await) });
                while running.try_join_next().is_some() {}
            }
        });
        Self { port, task }
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for CaseEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seed: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(seen) = request::read(&mut stream, &mut buffer).await? {
        if seen.target == "/v1/models" {
            whole(&mut stream, 200, JSON, &json!({"object": "list", "data": [{"id": ENGINE_ID}]}).to_string()).await?;
            continue;
        }
        let body = seen.json();
        let text = body["messages"][0]["content"].as_str().or_else(|| body["prompt"].as_str()).unwrap_or_default();
        let number = text.strip_prefix("case ").and_then(|number| number.parse().ok());
        // Proofs are none of the cases: they get their token.
        let case =
            number.map_or_else(|| proof(seen.target.ends_with("/chat/completions")), |number| Case::of(seed, number));
        let asked_usage = body["stream_options"]["include_usage"] == true;
        if !answer(&mut stream, &case, body["stream"] == true, asked_usage).await? {
            return Ok(());
        }
    }
    Ok(())
}

fn proof(is_chat: bool) -> Case {
    let said = Said { reasoning: Vec::new(), content: vec!["a".into()], calls: Vec::new(), finish: "length" };
    Case {
        number: u64::MAX,
        dialect: Dialect::Llama,
        is_chat,
        stream: true,
        include_usage: false,
        choices: vec![said],
        ending: Ending::Whole,
        closes: false,
        cuts: 0,
    }
}

async fn whole(stream: &mut TcpStream, status: u16, kind: &str, body: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).await
}

/// Answers; whether the connection can be used again.
async fn answer(stream: &mut TcpStream, case: &Case, streams: bool, asked_usage: bool) -> io::Result<bool> {
    if let Ending::Refused(shape) = case.ending {
        let (status, kind, body) = shape.parts();
        whole(stream, status, kind, body).await?;
        return Ok(true);
    }
    let (body, kind) = if streams { (events(case, asked_usage), EVENTS) } else { (document(case), JSON) };
    let is_broken = match case.ending {
        Ending::Torn(_) => true,
        // What a document lacks shows by its length only.
        Ending::Cut(_) => !streams,
        _ => false,
    };
    let body = if is_broken && !streams { &body[..body.len() / 2] } else { &body };
    if case.closes {
        let head = format!("HTTP/1.0 200 OK\r\ncontent-type: {kind}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        pieces(stream, case.cuts, body, false).await?;
        return Ok(false);
    }
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    pieces(stream, case.cuts, body, true).await?;
    if is_broken {
        return Ok(false);
    }
    stream.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

/// The bytes in pieces of any length; each a chunk of its own, and some sent alone.
async fn pieces(stream: &mut TcpStream, cuts: u64, body: &[u8], chunked: bool) -> io::Result<()> {
    let mut luck = Luck::new(cuts);
    let mut rest = body;
    let mut together = Vec::new();
    while !rest.is_empty() {
        let longest = if luck.percent(20) { 3 } else { 400 };
        let (piece, more) = rest.split_at((1 + luck.below(longest)).min(rest.len()));
        rest = more;
        if chunked {
            together.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            together.extend(piece);
            together.extend(b"\r\n");
        } else {
            together.extend(piece);
        }
        if luck.percent(15) {
            stream.write_all(&together).await?;
            together.clear();
            tokio::task::yield_now().await;
        }
    }
    stream.write_all(&together).await
}

/// The whole stream, or as much of it as its ending leaves.
fn events(case: &Case, asked_usage: bool) -> Vec<u8> {
    let mut luck = Luck::new(case.cuts ^ 1);
    let chunks = chunks(case, asked_usage);
    let (end, data) = (luck.pick(&["\n", "\n", "\r\n"]), luck.pick(&["data: ", "data: ", "data:"]));
    let mut text = String::new();
    let after = match case.ending {
        // What breaks off behind the last reason to finish is whole to a client.
        Ending::ErrorEvent(after) | Ending::Cut(after) | Ending::Torn(after) => after.min(last_reason(&chunks)),
        Ending::Whole | Ending::Refused(_) => chunks.len(),
    };
    for chunk in &chunks[..after] {
        if luck.percent(10) {
            text += &format!("{}{end}{end}", luck.pick(&[":", ": keep-alive", ": keepalive 3/9"]));
        }
        text += &format!("{data}{chunk}{end}{end}");
    }
    match case.ending {
        Ending::ErrorEvent(_) => {
            let error = json!({"error": {"message": "Runner shutdown", "type": "InternalServerError", "code": 500}});
            text += &format!("{data}{error}{end}{end}{data}[DONE]{end}{end}");
        }
        Ending::Torn(_) => {
            let torn = format!("{data}{}", chunks[after]);
            text += &torn[..torn.floor_char_boundary(torn.len() / 2)];
        }
        Ending::Whole => text += &format!("{data}[DONE]{end}{end}"),
        Ending::Cut(_) | Ending::Refused(_) => {}
    }
    text.into_bytes()
}

fn last_reason(chunks: &[Value]) -> usize {
    chunks.iter().rposition(|chunk| chunk["choices"][0]["finish_reason"].is_string()).unwrap_or_default()
}

/// The chunks of a stream that is whole.
fn chunks(case: &Case, asked_usage: bool) -> Vec<Value> {
    let event = |choices: Value| {
        let object = if case.is_chat { "chat.completion.chunk" } else { "text_completion" };
        json!({"id": "chatcmpl-1", "object": object, "created": 1_795_374_395, "model": ENGINE_ID, "choices": choices})
    };
    let mut chunks = Vec::new();
    for (index, said) in case.choices.iter().enumerate() {
        let parts = parts(case, said);
        let last = parts.len() - 1;
        // llama.cpp says why it stopped in a chunk of its own.
        let alone = case.dialect == Dialect::Llama;
        for (at, part) in parts.into_iter().enumerate() {
            let finish = if at == last && !alone { Value::from(said.finish) } else { Value::Null };
            chunks.push(event(json!([choice(case, index, &part, &finish)])));
        }
        if alone {
            let empty = if case.is_chat { json!({}) } else { json!("") };
            chunks.push(event(json!([choice(case, index, &empty, &said.finish.into())])));
        }
    }
    match case.dialect {
        Dialect::Exo => {
            if let Some(last) = chunks.last_mut() {
                last["usage"] = case.usage();
            }
        }
        Dialect::Mlx | Dialect::Llama if asked_usage => {
            let mut own = event(json!([]));
            own["usage"] = case.usage();
            if case.dialect == Dialect::Llama {
                own["timings"] = json!({"prompt_n": 7});
            }
            chunks.push(own);
        }
        Dialect::Mlx | Dialect::Llama => {}
    }
    chunks
}

fn choice(case: &Case, index: usize, part: &Value, finish: &Value) -> Value {
    let mut choice = json!({"index": index, if case.is_chat { "delta" } else { "text" }: part});
    if case.dialect != Dialect::Exo || !finish.is_null() {
        choice["finish_reason"] = finish.clone();
    }
    choice
}

/// The parts of one choice, at least one.
fn parts(case: &Case, said: &Said) -> Vec<Value> {
    if !case.is_chat {
        return said.content.iter().map(|text| json!(text)).collect();
    }
    let mut parts = Vec::new();
    if case.dialect == Dialect::Llama {
        parts.push(json!({"role": "assistant", "content": null}));
    }
    parts.extend(said.reasoning.iter().map(|text| json!({reasoning(case.dialect): text})));
    parts.extend(said.content.iter().map(|text| json!({"content": text})));
    for (number, (id, name, arguments)) in said.calls.iter().enumerate() {
        let call = json!({"index": number, "id": id, "type": "function", "function": {"name": name, "arguments": arguments[0]}});
        parts.push(json!({"tool_calls": [call]}));
        for piece in &arguments[1..] {
            parts.push(json!({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}));
        }
    }
    parts
}

const fn reasoning(dialect: Dialect) -> &'static str {
    if matches!(dialect, Dialect::Mlx) { "reasoning" } else { "reasoning_content" }
}

/// What the engine says to a client that does not stream.
fn document(case: &Case) -> Vec<u8> {
    if let Ending::ErrorEvent(_) = case.ending {
        return json!({"error": {"message": "Runner shutdown", "type": "InternalServerError", "code": 500}})
            .to_string()
            .into();
    }
    let choices: Vec<Value> = case
        .choices
        .iter()
        .enumerate()
        .map(|(index, said)| {
            if !case.is_chat {
                return json!({"index": index, "text": said.content.concat(), "finish_reason": said.finish});
            }
            let mut message = json!({"role": "assistant", "content": said.content.concat()});
            if !said.reasoning.is_empty() {
                message[reasoning(case.dialect)] = said.reasoning.concat().into();
            }
            if !said.calls.is_empty() {
                let calls = said.calls.iter().map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.concat()}})
            });
                message["tool_calls"] = calls.collect();
            }
            json!({"index": index, "message": message, "finish_reason": said.finish})
        })
        .collect();
    let object = if case.is_chat { "chat.completion" } else { "text_completion" };
    json!({"id": "chatcmpl-1", "object": object, "created": 1_795_374_395, "model": ENGINE_ID, "choices": choices,
        "usage": case.usage()})
    .to_string()
    .into()
}
