//! Reads an engine's answer in HTTP/1.1 (RFC 9112) out of bytes that arrive in any pieces, and writes the head of the request for
//! it.
//!
//! A client library hands each chunk of an answer from task to task through channels of its own; a token is a chunk. Here all
//! that has come is unwrapped in place and at once: a sixth of the agent's work for a short answer was the library's.
//!
//! ```text
//! head ── 204, 304 ──────────────────► no body
//!   ├──── transfer-encoding: chunked ► chunks, each with its length, then trailers that nobody reads
//!   ├──── content-length ────────────► so many bytes
//!   └──── neither ───────────────────► until the connection ends, which then cannot be used again
//! ```

use std::mem::MaybeUninit;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::ParserConfig;

/// The most header lines of an answer.
const MAX_LINES: usize = 64;
/// The longest line before a chunk, and the longest line of a trailer (bytes).
const MAX_LINE: usize = 1024;
/// The most lines of a trailer.
const MAX_TRAILERS: u8 = 64;

/// Bytes that are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The head.
    #[error("what came is no head of an HTTP answer")]
    Head,
    /// How long the body is.
    #[error("the answer does not say in one way how long it is")]
    Length,
    /// The frame around a chunk.
    #[error("a chunk of the answer has no frame")]
    Chunk,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The header lines that can be read as such.
    pub headers: HeaderMap,
    /// What follows.
    pub body: Body,
    /// The connection may be used again once the body was read to its end.
    pub keeps: bool,
    /// How many bytes it took.
    pub used: usize,
}

/// The body of an answer, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// So many bytes are still to come.
    Sized(u64),
    /// Chunks.
    Chunked(Chunked),
    /// Until the connection ends.
    UntilEnd,
}

/// Where in a chunked body the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunked {
    /// To a chunk's first line.
    Size,
    /// To a chunk, which has so many bytes left, and then its end.
    Data(u64),
    /// To the end of a chunk.
    DataEnd,
    /// To the trailers, of which so many lines were read.
    Trailer(u8),
    /// To nothing: the body is over.
    Over,
}

/// What was found in some bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// So many bytes of content stand at the front now.
    pub content: usize,
    /// So many bytes were looked at; the rest is the beginning of what is still to come.
    pub used: usize,
}

/// Writes the head of a request with a body of `length` bytes.
#[must_use]
pub fn request(method: &Method, path: &str, headers: &HeaderMap, length: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    for part in ["content-length: ", &length.to_string(), "\r\n\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    head
}

/// Reads the head that `bytes` begin with; `None` while it is not whole. Heads of provisional answers (1xx) are skipped.
///
/// # Errors
/// What came is no answer, or one whose end could not be told.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Unreadable> {
    let mut skipped = 0;
    loop {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
        let mut answer = httparse::Response::new(&mut []);
        let rest = bytes.get(skipped..).unwrap_or_default();
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut answer, rest, &mut lines);
        let httparse::Status::Complete(used) = parsed.map_err(|_| Unreadable::Head)? else {
            return Ok(None);
        };
        let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Unreadable::Head)?;
        skipped += used;
        // Nobody asked to speak another protocol.
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Unreadable::Head);
        }
        if !status.is_informational() {
            let headers = headers(answer.headers);
            let body = body(status, &headers)?;
            let keeps = answer.version == Some(1) && body != Body::UntilEnd && !closes(&headers);
            return Ok(Some(Head { status, headers, body, keeps, used: skipped }));
        }
    }
}

fn headers(lines: &[httparse::Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        // The parser is as strict; a line that is none of these means nothing here.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(line.name.as_bytes()), HeaderValue::from_bytes(line.value))
        {
            headers.append(name, value);
        }
    }
    headers
}

fn closes(headers: &HeaderMap) -> bool {
    let words = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    words.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
}

/// How the body ends. An answer that says it in two ways may be two answers to somebody else.
fn body(status: StatusCode, headers: &HeaderMap) -> Result<Body, Unreadable> {
    let length = length(headers)?;
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Ok(Body::Sized(0)),
        (None, _) => Ok(length.map_or(Body::UntilEnd, Body::Sized)),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") && length.is_none() => {
            Ok(Body::Chunked(Chunked::Size))
        }
        _ => Err(Unreadable::Length),
    }
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Unreadable> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|value| {
        let digits = value.to_str().ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).ok_or(Unreadable::Length)
    });
    let Some(first) = lengths.next().transpose()? else { return Ok(None) };
    if lengths.all(|length| length == Ok(first)) { Ok(Some(first)) } else { Err(Unreadable::Length) }
}

impl Body {
    /// Whether all of it was read.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Sized(0) | Self::Chunked(Chunked::Over))
    }

    /// Whether it is whole if the connection ends here.
    #[must_use]
    pub const fn may_end(&self) -> bool {
        matches!(self, Self::UntilEnd) || self.is_over()
    }

    /// Moves the content in `bytes` to their front, as far as there is any.
    ///
    /// # Errors
    /// The frame of a chunk is broken.
    pub fn unwrap(&mut self, bytes: &mut [u8]) -> Result<Found, Unreadable> {
        match self {
            Self::UntilEnd => Ok(Found { content: bytes.len(), used: bytes.len() }),
            Self::Sized(left) => {
                let content = take(left, bytes.len());
                Ok(Found { content, used: content })
            }
            Self::Chunked(at) => at.unwrap(bytes),
        }
    }
}

/// As much of `left` as there is, which is then gone from it.
fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
    *left -= taken as u64;
    taken
}

impl Chunked {
    fn unwrap(&mut self, bytes: &mut [u8]) -> Result<Found, Unreadable> {
        let mut found = Found { content: 0, used: 0 };
        loop {
            let rest = bytes.get(found.used..).unwrap_or_default();
            if rest.is_empty() && !matches!(self, Self::Data(0)) {
                return Ok(found);
            }
            match self {
                Self::Size => {
                    let Some((used, size)) = first_line(rest)? else { return Ok(found) };
                    found.used += used;
                    *self = if size == 0 { Self::Trailer(0) } else { Self::Data(size) };
                }
                Self::Data(0) => *self = Self::DataEnd,
                Self::Data(left) => {
                    let taken = take(left, rest.len());
                    bytes.copy_within(found.used..found.used + taken, found.content);
                    found.content += taken;
                    found.used += taken;
                }
                Self::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        found.used += 2;
                        *self = Self::Size;
                    }
                    b"\r" => return Ok(found),
                    _ => return Err(Unreadable::Chunk),
                },
                Self::Trailer(lines) => {
                    let Some(end) = memchr::memchr(b'\n', rest) else { return bounded(rest.len() + 1).map(|()| found) };
                    bounded(end + 1)?;
                    found.used += end + 1;
                    let is_last = matches!(rest.get(..end), Some(b"" | b"\r"));
                    *self = match *lines {
                        _ if is_last => Self::Over,
                        MAX_TRAILERS => return Err(Unreadable::Chunk),
                        lines => Self::Trailer(lines + 1),
                    };
                }
                Self::Over => return Ok(found),
            }
        }
    }
}

/// A chunk's first line, once it is whole: its length in bytes, and how long the chunk is.
fn first_line(bytes: &[u8]) -> Result<Option<(usize, u64)>, Unreadable> {
    match httparse::parse_chunk_size(bytes) {
        // The parser takes an empty line for a length of nothing.
        Ok(httparse::Status::Complete(_)) if !bytes.first().is_some_and(u8::is_ascii_hexdigit) => {
            Err(Unreadable::Chunk)
        }
        Ok(httparse::Status::Complete(line)) => bounded(line.0).map(|()| Some(line)),
        // Its end at least is still to come.
        Ok(httparse::Status::Partial) => bounded(bytes.len() + 1).map(|()| None),
        Err(_) => Err(Unreadable::Chunk),
    }
}

/// A line that is longer than any could be, whether its end has come or not.
fn bounded(line: usize) -> Result<(), Unreadable> {
    if line > MAX_LINE { Err(Unreadable::Chunk) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framing(lines: &str) -> Result<(Body, bool), Unreadable> {
        head(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes()).map(|head| {
            let head = head.unwrap();
            (head.body, head.keeps)
        })
    }

    /// What a body comes to whose bytes arrive in such pieces, what is left, and how it stands.
    fn read<'a>(
        mut body: Body,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Vec<u8>, Vec<u8>, Body), Unreadable> {
        let (mut content, mut kept) = (Vec::new(), Vec::new());
        for piece in pieces {
            kept.extend_from_slice(piece);
            let found = body.unwrap(&mut kept)?;
            content.extend_from_slice(&kept[..found.content]);
            kept.drain(..found.used);
        }
        Ok((content, kept, body))
    }

    const CHUNKED: Body = Body::Chunked(Chunked::Size);

    #[test]
    fn how_long_a_body_is_stands_in_its_head() {
        assert_eq!(framing("content-length: 12\r\n"), Ok((Body::Sized(12), true)));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok((CHUNKED, true)));
        assert_eq!(
            framing("content-length: 12\r\nContent-Length: 12\r\nConnection: x, Close\r\n"),
            Ok((Body::Sized(12), false))
        );
        assert_eq!(framing("content-type: text/event-stream\r\n"), Ok((Body::UntilEnd, false)));
        for two in [
            "content-length: 12\r\ncontent-length: 13\r\n",
            "content-length: 12\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "content-length: -1\r\n",
            "content-length: +1\r\n",
            "content-length: 99999999999999999999\r\n",
        ] {
            assert_eq!(framing(two), Err(Unreadable::Length), "{two}");
        }
    }

    #[test]
    fn a_head_is_read_once_it_is_whole_and_provisional_ones_are_skipped() {
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 Fine\r\nX-A: b\r\n\r\nrest";
        for end in 0..bytes.len() - 4 {
            assert!(matches!(head(&bytes[..end]), Ok(None)), "{end}");
        }
        let found = head(bytes).unwrap().unwrap();
        assert_eq!(
            (found.status.as_u16(), &found.headers["x-a"], found.used),
            (204, &"b".parse().unwrap(), bytes.len() - 4)
        );
        assert!(found.body.is_over() && !found.keeps, "HTTP/1.0 closes");
        for wrong in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\n a\r\n\r\n",
        ] {
            assert_eq!(head(wrong.as_bytes()).map(|_| ()), Err(Unreadable::Head), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_written_as_it_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost:8000"));
        assert_eq!(
            request(&Method::POST, "/v1/completions", &headers, 5),
            b"POST /v1/completions HTTP/1.1\r\nhost: localhost:8000\r\ncontent-length: 5\r\n\r\n"
        );
    }

    #[test]
    fn chunks_are_unwrapped_and_what_follows_them_is_left() {
        let body = b"3;a=\"b\"\r\nabc\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\nnext";
        let (content, left, body) = read(CHUNKED, [&body[..]]).unwrap();
        assert_eq!((&content[..], &left[..], body.is_over()), (&b"abc0123456789"[..], &b"next"[..], true));
        for wrong in ["3\r\nabcd\r\n", "\r\n", "x\r\n", ";a\r\n", "-1\r\n", "fffffffffffffffff\r\n", "0\r\n\r"] {
            let end = read(CHUNKED, [wrong.as_bytes()]);
            assert!(end.is_err() || !end.unwrap().2.is_over(), "{wrong:?}");
        }
    }

    #[test]
    fn lines_without_an_end_are_bounded() {
        let long = vec![b'1'; MAX_LINE + 1];
        assert_eq!(read(CHUNKED, [&b"1;"[..], &long]), Err(Unreadable::Chunk));
        assert_eq!(read(CHUNKED, [&b"0\r\n"[..], &long]), Err(Unreadable::Chunk));
        let many = b"X: y\r\n".repeat(usize::from(MAX_TRAILERS) + 1);
        assert_eq!(read(CHUNKED, [&b"0\r\n"[..], &many]), Err(Unreadable::Chunk));
    }

    #[test]
    fn only_a_body_that_says_no_length_may_end_with_its_connection() {
        assert!(Body::UntilEnd.may_end() && Body::Sized(0).may_end());
        assert!(!Body::Sized(1).may_end() && !CHUNKED.may_end() && !Body::Chunked(Chunked::Trailer(0)).may_end());
        let (content, _, body) = read(Body::Sized(3), [&b"ab"[..], b"cd"]).unwrap();
        assert_eq!((&content[..], body.is_over()), (&b"abc"[..], true));
    }

    proptest! {
        #[test]
        fn content_is_the_same_however_the_bytes_arrive(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            step in 1_usize..20,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\nleft");
            let (content, left, end) = read(CHUNKED, body.chunks(step)).unwrap();
            prop_assert_eq!((content, &left[..], end.is_over()), (chunks.concat(), &b"left"[..], true));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), step in 1_usize..50) {
            let _ = head(&bytes);
            if let Ok((content, left, _)) = read(CHUNKED, bytes.chunks(step)) {
                prop_assert!(content.len() + left.len() <= bytes.len());
            }
        }
    }
}
