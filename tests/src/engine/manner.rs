//! How a fake engine behaves: one value, all switches, the defaults of each real engine.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How an engine behaves. Build on one of the real ones: [`Manner::mlx`], [`Manner::llama`], [`Manner::exo`].
#[derive(Debug, Clone)]
pub struct Manner {
    /// The wording of its chunks and errors.
    pub dialect: Dialect,
    /// The ids it lists and serves.
    pub models: Vec<String>,
    /// What `/v1/models` answers.
    pub list: List,
    /// What the two completion routes answer.
    pub reply: Reply,
    /// How its bodies end on the wire.
    pub framing: Framing,
    /// Silence before the head of a generation; [`Duration::MAX`] is a frozen member of the pool.
    pub before_head: Duration,
    /// Silence between head and first chunk: the prefill.
    pub prefill: Duration,
    /// Comments sent at the beginning of the prefill.
    pub comments: u32,
    /// Chunks of content, unless the request's `max_tokens` is less; `None` never ends.
    pub chunks: Option<u32>,
    /// Bytes of content in each chunk; they go through the range.
    pub chunk_size: RangeInclusive<usize>,
    /// Pause before each chunk.
    pub delay: Duration,
    /// Break off after so many chunks; the reply must have more than that.
    pub cut: Option<(u32, Cut)>,
    /// Every answer takes this long before anything of it is sent, `/v1/models` too: a machine that thrashes.
    pub sluggish: Duration,
}

/// Whose wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `mlx_lm.server`: a role in each delta, usage in a chunk of its own, `: keepalive n/m`.
    Mlx,
    /// `llama-server`: a first chunk with only a role, usage and timings in a chunk of their own.
    Llama,
    /// exo: `chat.completion` in chunks too, usage on the last one, `/node_id`.
    Exo,
}

/// What `/v1/models` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// The models.
    Good,
    /// 200 and nothing, as mlx_lm without its cache folder.
    Empty,
    /// Nothing at all, the connection stays open.
    Silent,
    /// 200 and this, as JSON.
    Body(String),
}

/// What a completion route answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It generates.
    Generate,
    /// 200 and nothing, as exo when a non-stream request fails.
    Empty,
    /// An error before the stream.
    Error(ErrorShape),
    /// An error event in the stream, after so many chunks.
    ErrorEvent(u32),
    /// 302 to this address.
    Redirect(String),
}

/// The shapes that errors were seen in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorShape {
    /// 404, mlx_lm: `error` is a string.
    MlxUnknownModel,
    /// 400, mlx_lm.
    MlxBadJson,
    /// 404, mlx_lm: text.
    MlxNotFound,
    /// 503, llama-server while it loads.
    LlamaLoading,
    /// 400, llama-server.
    LlamaTooLong,
    /// 404, exo: `code` is a number.
    ExoNoInstance,
    /// 422, FastAPI.
    ExoInvalid,
    /// 405, FastAPI.
    ExoMethod,
    /// 500, text.
    Crash,
    /// 502, a page of something in front.
    Html,
}

/// How bodies end on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1, chunked, the connection is kept.
    Chunked,
    /// HTTP/1.0: the end of the connection is the end of the body, so a cut looks clean.
    Closing,
}

/// How a generation breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The body ends as if all was well, without `finish_reason` and `[DONE]`.
    Clean,
    /// The connection ends in the middle of a line (and of a chunk, if there are any).
    Torn,
    /// The connection is reset.
    Reset,
}

impl Manner {
    /// `mlx_lm.server` with this model: HTTP/1.0.
    #[must_use]
    pub fn mlx(model: &str) -> Self {
        Self {
            dialect: Dialect::Mlx,
            models: vec![model.to_owned()],
            list: List::Good,
            reply: Reply::Generate,
            framing: Framing::Closing,
            before_head: Duration::ZERO,
            prefill: Duration::ZERO,
            comments: 1,
            chunks: Some(8),
            chunk_size: 4..=4,
            delay: Duration::ZERO,
            cut: None,
            sluggish: Duration::ZERO,
        }
    }

    /// `llama-server` with this model.
    #[must_use]
    pub fn llama(model: &str) -> Self {
        Self { dialect: Dialect::Llama, framing: Framing::Chunked, comments: 0, ..Self::mlx(model) }
    }

    /// exo with this model.
    #[must_use]
    pub fn exo(model: &str) -> Self {
        Self { dialect: Dialect::Exo, framing: Framing::Chunked, ..Self::mlx(model) }
    }

    /// The content that `chunks` chunks carry together.
    #[must_use]
    pub fn text(&self, chunks: u32) -> String {
        (0..chunks).map(|index| content(index, &self.chunk_size)).collect()
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self::mlx("tiny")
    }
}

impl ErrorShape {
    /// Every shape.
    pub const ALL: [Self; 10] = [
        Self::MlxUnknownModel,
        Self::MlxBadJson,
        Self::MlxNotFound,
        Self::LlamaLoading,
        Self::LlamaTooLong,
        Self::ExoNoInstance,
        Self::ExoInvalid,
        Self::ExoMethod,
        Self::Crash,
        Self::Html,
    ];

    /// Status, content type and body, as they were recorded.
    #[must_use]
    pub const fn parts(self) -> (u16, &'static str, &'static str) {
        const JSON: &str = "application/json";
        match self {
            Self::MlxUnknownModel => (404, JSON, r#"{"error": "Cannot find an appropriate cached snapshot folder"}"#),
            Self::MlxBadJson => (400, JSON, r#"{"error": "Invalid JSON in request body"}"#),
            Self::MlxNotFound => (404, "text/html", "Not Found"),
            Self::LlamaLoading => {
                (503, JSON, r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#)
            }
            Self::LlamaTooLong => (
                400,
                JSON,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}"#,
            ),
            Self::ExoNoInstance => (
                404,
                JSON,
                r#"{"error":{"message":"No instance found for model tiny","type":"Not Found","param":null,"code":404}}"#,
            ),
            Self::ExoInvalid => (
                422,
                JSON,
                r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required","input":{}}]}"#,
            ),
            Self::ExoMethod => (405, JSON, r#"{"detail":"Method Not Allowed"}"#),
            Self::Crash => (500, "text/plain; charset=utf-8", "Internal Server Error"),
            Self::Html => (502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        }
    }
}

/// The content of one chunk: its number and then letters, so that a lost, doubled or displaced chunk shows.
#[must_use]
pub fn content(index: u32, sizes: &RangeInclusive<usize>) -> String {
    let span = sizes.end().saturating_sub(*sizes.start()) + 1;
    let size = sizes.start() + (index as usize * 37) % span;
    let mut text = format!("{index} ");
    text.extend((0..size).map(|at| char::from(b'a' + u8::try_from((index as usize + at) % 26).unwrap_or(0))));
    text.truncate(size);
    text
}
