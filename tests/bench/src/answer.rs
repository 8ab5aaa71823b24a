//! Reads one streamed answer on the load side and judges whether it is whole.

use crate::token;

/// The most of an event whose end has not come (bytes); the engine's have some 200.
const MAX_EVENT: usize = 64 * 1024;

/// An answer as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    tokens: u32,
    is_finished: bool,
    is_done: bool,
    failure: Option<&'static str>,
}

impl Answer {
    /// Takes the next bytes, cut anywhere; `stamp` gets the stamp of each token in them.
    pub(crate) fn take(&mut self, bytes: &[u8], mut stamp: impl FnMut(u64)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                self.line(line, &mut stamp);
            } else {
                self.partial.extend_from_slice(line);
                let line = std::mem::take(&mut self.partial);
                self.line(&line, &mut stamp);
            }
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > MAX_EVENT {
            self.partial.clear();
            self.failure.get_or_insert("an event without an end");
        }
    }

    fn line(&mut self, line: &[u8], stamp: &mut impl FnMut(u64)) {
        let Some(data) = line.strip_prefix(b"data: ") else { return };
        if let Some(made) = token::read(data) {
            self.tokens += 1;
            stamp(made);
        } else if data == b"[DONE]" {
            self.is_done = true;
        } else if data.starts_with(b"{\"error\"") {
            self.failure.get_or_insert("an error event");
        } else if data.windows(FINISHED.len()).any(|window| window == FINISHED) {
            self.is_finished = true;
        }
    }

    /// Whether all of `tokens` tokens, the finish reason and the end came, and nothing that does not belong there.
    pub(crate) fn judge(&self, tokens: u32) -> Result<(), &'static str> {
        match self {
            Self { failure: Some(failure), .. } => Err(failure),
            _ if self.tokens != tokens => Err("an answer without all its tokens"),
            _ if !self.is_finished => Err("an answer without its finish reason"),
            _ if !self.is_done => Err("an answer without [DONE]"),
            _ => Ok(()),
        }
    }
}

const FINISHED: &[u8] = b"\"finish_reason\":\"";

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"@00000000000000000007 \"}}]}\n\n\
        : keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"@00000000000000000009 \"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";

    fn read(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<u64>, Answer) {
        let (mut stamps, mut answer) = (Vec::new(), Answer::default());
        for piece in pieces {
            answer.take(piece.as_ref(), |stamp| stamps.push(stamp));
        }
        (stamps, answer)
    }

    #[test]
    fn an_answer_is_read_however_it_was_cut() {
        for size in 1..EVENTS.len() {
            let (stamps, answer) = read(EVENTS.as_bytes().chunks(size));
            assert_eq!((stamps.as_slice(), answer.judge(2)), (&[7, 9][..], Ok(())), "in pieces of {size}");
        }
    }

    #[test]
    fn an_answer_that_lacks_anything_is_not_whole() {
        let judged = |text: &str, tokens| read([text]).1.judge(tokens);
        assert_eq!(judged(EVENTS, 3), Err("an answer without all its tokens"));
        assert_eq!(judged(&EVENTS.replace("[DONE]", "[DO]"), 2), Err("an answer without [DONE]"));
        assert_eq!(judged(&EVENTS.replace("\"length\"", "null"), 2), Err("an answer without its finish reason"));
        let broken = EVENTS.replace("data: [DONE]", "data: {\"error\":{}}");
        assert_eq!(judged(&broken, 2), Err("an error event"));
        assert_eq!(read(["x".repeat(MAX_EVENT), "y".to_owned()]).1.judge(0), Err("an event without an end"));
    }
}
