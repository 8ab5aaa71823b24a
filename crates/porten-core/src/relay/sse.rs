//! Reads server-sent events out of bytes that arrive in any pieces (WHATWG HTML, "Server-sent events").

/// The largest event or comment that is held (bytes). A larger one ends the stream: it could not be looked at, and what
/// was not looked at may carry the engine's path and does not leave the machine.
pub const MAX_EVENT: usize = 8 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One thing found in a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The data of a whole event; several `data` lines are joined with `\n`.
    Event(&'a [u8]),
    /// What stood after the colon of a comment line.
    Comment(&'a [u8]),
}

/// An event over [`MAX_EVENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_EVENT} bytes")]
pub struct TooBig;

/// Finds events in a stream. Each byte is looked at once; memory is bounded by [`MAX_EVENT`] and is used again.
///
/// `event`, `id` and `retry` fields are skipped: no dialect here needs them.
#[derive(Debug, Default)]
pub struct Scanner {
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The last line that was put together from pieces.
    line: Vec<u8>,
    /// The data lines of the event that is being read.
    data: Vec<u8>,
    has_data: bool,
    /// `data` was lent out and begins anew.
    given: bool,
    /// The last line ended in `\r`: a `\n` that follows belongs to it.
    after_cr: bool,
    past_first_line: bool,
}

enum Found {
    Nothing,
    Event,
    Comment,
}

impl Scanner {
    /// The next event or comment in `bytes`, which is advanced past it; `None` when `bytes` is used up.
    ///
    /// # Errors
    /// [`TooBig`]; the stream cannot be read on.
    pub fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Result<Option<Piece<'a>>, TooBig> {
        if self.given {
            self.data.clear();
            self.has_data = false;
            self.given = false;
        }
        if let Some(data) = self.whole_event(bytes) {
            return Ok(Some(Piece::Event(data)));
        }
        let (found, line) = loop {
            let Some((line, ended)) = self.split_line(bytes) else {
                self.keep(bytes)?;
                *bytes = &[];
                return Ok(None);
            };
            *bytes = ended;
            let (found, line) = if self.partial.is_empty() {
                (self.take_line(line)?, Some(line))
            } else {
                self.keep(line)?;
                (self.take_kept_line()?, None)
            };
            if !matches!(found, Found::Nothing) {
                break (found, line);
            }
        };
        if matches!(found, Found::Event) {
            self.given = true;
            return Ok(Some(Piece::Event(&self.data)));
        }
        // A comment begins with its colon, so a mark before that is the stream's.
        let line = line.unwrap_or(&self.line);
        let comment = line.strip_prefix(BOM).unwrap_or(line);
        Ok(Some(Piece::Comment(comment.get(1..).unwrap_or_default())))
    }

    /// Whether the stream stopped inside an event or a line, which is then lost.
    #[cfg(test)]
    fn has_leftover(&self) -> bool {
        !self.partial.is_empty() || (self.has_data && !self.given)
    }

    /// The data of an event that lies whole in `bytes`, on one line: most do, and are lent as they came.
    fn whole_event<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
        if self.has_data || !self.partial.is_empty() {
            return None;
        }
        let line = bytes.strip_prefix(b"data: ")?;
        let (data, ended) = line.split_at_checked(memchr::memchr2(b'\n', b'\r', line)?)?;
        let rest = ended.strip_prefix(b"\n\n").filter(|_| data.len() < MAX_EVENT)?;
        *bytes = rest;
        self.past_first_line = true;
        self.after_cr = false;
        Some(data)
    }

    /// The line that ends in `bytes`, and what follows it.
    fn split_line<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        if self.after_cr && !bytes.is_empty() {
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            self.after_cr = false;
        }
        let end = memchr::memchr2(b'\n', b'\r', bytes)?;
        let (line, ended) = bytes.split_at_checked(end)?;
        let (ending, rest) = ended.split_first()?;
        self.after_cr = *ending == b'\r';
        Some((line, rest))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooBig> {
        if self.partial.len() + bytes.len() > MAX_EVENT {
            return Err(TooBig);
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn take_kept_line(&mut self) -> Result<Found, TooBig> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        std::mem::swap(&mut self.partial, &mut line);
        let found = self.take_line(&line);
        self.line = line;
        found
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Found, TooBig> {
        if line.len() > MAX_EVENT {
            return Err(TooBig);
        }
        let first = !std::mem::replace(&mut self.past_first_line, true);
        let line = if first { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        if line.is_empty() {
            return Ok(if self.has_data { Found::Event } else { Found::Nothing });
        }
        if line.starts_with(b":") {
            return Ok(Found::Comment);
        }
        let value = match line.strip_prefix(b"data") {
            Some([]) => &[],
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => value,
            _ => return Ok(Found::Nothing),
        };
        if self.data.len() + value.len() >= MAX_EVENT {
            return Err(TooBig);
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(Found::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Seen {
        Event(Vec<u8>),
        Comment(Vec<u8>),
    }

    fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, bool) {
        let mut scanner = Scanner::default();
        let mut seen = Vec::new();
        for mut bytes in pieces {
            while let Some(piece) = scanner.next(&mut bytes).unwrap() {
                seen.push(match piece {
                    Piece::Event(data) => Seen::Event(data.to_vec()),
                    Piece::Comment(text) => Seen::Comment(text.to_vec()),
                });
            }
        }
        (seen, scanner.has_leftover())
    }

    fn event(data: &str) -> Seen {
        Seen::Event(data.as_bytes().to_vec())
    }

    fn comment(text: &str) -> Seen {
        Seen::Comment(text.as_bytes().to_vec())
    }

    /// Fault D13: events are found under every line ending, and with or without a space after `data:`.
    #[test]
    fn events_and_comments_are_found_under_every_line_ending() {
        for ending in ["\n", "\r", "\r\n"] {
            let stream = [
                "\u{feff}: hi",
                "",
                "event: x",
                "id: 1",
                "data: a",
                "data:b",
                "data",
                "retry: 3",
                "",
                ":",
                "data:  c",
                "",
                "",
            ]
            .join(ending);
            let expected = vec![comment(" hi"), event("a\nb\n"), comment(""), event(" c")];
            assert_eq!(scan([stream.as_bytes()]), (expected, false), "{ending:?}");
        }
    }

    #[test]
    fn a_lone_carriage_return_ends_an_event_without_waiting_for_more() {
        assert_eq!(scan([&b"data: a\r\r"[..]]), (vec![event("a")], false));
        assert_eq!(scan([&b"data: a\r"[..], b"\n", b"\r\n"]), (vec![event("a")], false));
    }

    #[test]
    fn an_event_without_its_blank_line_is_left_over() {
        for stream in ["data: a", "data: a\n", "data: [DONE]\r\n", "da", "data: a\n\n:"] {
            let (seen, leftover) = scan([stream.as_bytes()]);
            assert!(leftover && seen.len() == usize::from(stream.ends_with(':')), "{stream:?}");
        }
        assert_eq!(scan([&b"\n\nevent: x\n\n"[..]]), (vec![], false), "an event without data is none");
        assert_eq!(scan([&b"data\n\n"[..]]), (vec![event("")], false));
    }

    #[test]
    fn only_the_first_line_may_begin_with_a_byte_order_mark() {
        assert_eq!(scan([&b"\xef"[..], b"\xbb", b"\xbfdata: a\n\n"]), (vec![event("a")], false));
        assert_eq!(scan(["\n\u{feff}data: a\n\n".as_bytes()]), (vec![], false));
    }

    /// Fault D13: an event over 8 MiB is a typed error, and what does not exceed that is read.
    #[test]
    fn an_event_that_is_too_large_to_look_at_is_an_error() {
        let line = vec![b'x'; 1024 * 1024];
        let mut scanner = Scanner::default();
        let mut fed = 0;
        let end = loop {
            let mut bytes = &line[..];
            if let Err(end) = scanner.next(&mut bytes) {
                break end;
            }
            fed += 1;
            assert!(fed <= 8, "it is bounded");
        };
        assert_eq!((end, fed), (TooBig, 8));
        let mut lines = Scanner::default();
        let data = [b"data:", &line[..], b"\n"].concat().repeat(9);
        assert_eq!(lines.next(&mut &data[..]), Err(TooBig));
    }

    fn cut(stream: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
        cuts.iter_mut().for_each(|cut| *cut %= stream.len() + 1);
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect()
    }

    proptest! {
        /// Fault D13: an event stream reads the same however its bytes are cut.
        #[test]
        fn what_is_found_does_not_depend_on_how_the_bytes_arrive(
            lines in proptest::collection::vec("(data:|data: |: ?|event: |d|\u{feff})?[a-zé ]{0,5}(\n|\r|\r\n|\n\n|\r\n\r\n)", 0..12),
            tail in "(data: x|:)?",
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let stream = lines.concat() + &tail;
            let whole = scan([stream.as_bytes()]);
            prop_assert_eq!(&scan(cut(stream.as_bytes(), cuts)), &whole);
            prop_assert_eq!(&scan(stream.as_bytes().chunks(1)), &whole);
        }
    }
}
