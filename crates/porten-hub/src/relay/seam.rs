//! Cuts a stream of server-sent events at the events' ends, so that a cut answer never ends inside one and the error
//! event that follows it is read as what it is.

use bytes::{Bytes, BytesMut};

/// The longest part of an event that is held back (bytes); what is longer passes as it comes.
const MAX_HELD: usize = 128 * 1024;

/// Holds back the part of an event whose end has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Seam {
    held: BytesMut,
    /// An event longer than [`MAX_HELD`] has partly passed: the next bytes belong to it.
    torn: bool,
}

impl Seam {
    /// Takes the next bytes; gives what is whole. A chunk that ends with an event passes untouched.
    pub(crate) fn pass(&mut self, chunk: Bytes) -> Option<Bytes> {
        if self.held.is_empty() && (self.torn || ends_event(&chunk)) {
            self.torn = self.torn && !ends_event(&chunk);
            return Some(chunk);
        }
        // An end may begin in what is held: look from two bytes before the seam (`\n\r` + `\n`).
        let from = self.held.len().saturating_sub(2);
        self.held.extend_from_slice(&chunk);
        if let Some(end) = last_end(&self.held[from..]) {
            return Some(self.held.split_to(from + end).freeze());
        }
        if self.held.len() > MAX_HELD {
            self.torn = true;
            return Some(self.held.split().freeze());
        }
        None
    }

    /// What is still held: for an answer that is complete.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        (!self.held.is_empty()).then(|| self.held.split().freeze())
    }

    /// Whether what has passed ends inside an event.
    pub(crate) const fn is_torn(&self) -> bool {
        self.torn
    }
}

fn ends_event(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n")
}

/// The index after the last blank line.
fn last_end(bytes: &[u8]) -> Option<usize> {
    (2..=bytes.len()).rev().find(|&end| ends_event(&bytes[..end]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chunk_that_ends_with_an_event_passes_at_once() {
        let mut seam = Seam::default();
        let chunk = Bytes::from_static(b": ping\n\ndata: 1\n\n");
        assert_eq!(seam.pass(chunk.clone()), Some(chunk));
        assert_eq!(seam.rest(), None);
    }

    #[test]
    fn a_part_of_an_event_waits_for_its_end() {
        let mut seam = Seam::default();
        assert_eq!(seam.pass(Bytes::from_static(b"data: 1\n\ndata: {\"a")).as_deref(), Some(&b"data: 1\n\n"[..]));
        assert_eq!(seam.pass(Bytes::from_static(b"\":1}\r\n\r")), None);
        assert_eq!(seam.pass(Bytes::from_static(b"\nda")).as_deref(), Some(&b"data: {\"a\":1}\r\n\r\n"[..]));
        assert_eq!(seam.rest().as_deref(), Some(&b"da"[..]));
    }

    #[test]
    fn an_endless_event_is_not_held_for_ever() {
        let mut seam = Seam::default();
        let part = Bytes::from(vec![b'x'; MAX_HELD]);
        assert_eq!(seam.pass(part.clone()), None);
        assert_eq!(seam.pass(part.clone()).map(|passed| passed.len()), Some(2 * MAX_HELD));
        assert!(seam.is_torn());
        assert_eq!(seam.pass(part.clone()), Some(part));
        assert!(seam.pass(Bytes::from_static(b"x\n\n")).is_some());
        assert!(!seam.is_torn());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_changed_and_each_piece_ends_with_an_event(
            text in "[ax\r\n]{0,200}", cuts in proptest::collection::vec(1usize..20, 1..40)
        ) {
            let mut seam = Seam::default();
            let mut out = Vec::new();
            let mut left = Bytes::from(text.clone());
            for cut in cuts.iter().cycle() {
                if left.is_empty() {
                    break;
                }
                if let Some(piece) = seam.pass(left.split_to((*cut).min(left.len()))) {
                    out.extend_from_slice(&piece);
                    prop_assert!(ends_event(&out));
                }
            }
            let rest = seam.rest().unwrap_or_default();
            prop_assert_eq!(last_end(&rest), None, "what is whole does not wait");
            out.extend_from_slice(&rest);
            prop_assert_eq!(out, text.into_bytes());
        }
    }
}
