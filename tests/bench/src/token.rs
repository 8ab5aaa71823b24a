//! The token that carries the time of its making, as the engine writes it and as the load side finds it again.

/// What stands before the digits in an event's text: nothing else in an answer looks like it.
const MARK: &[u8] = b"\"content\":\"@";

/// A token's text: a mark, then the nanoseconds in as many digits as they may need.
pub(crate) fn write(stamp: u64) -> String {
    format!("@{stamp:020} ")
}

/// The stamp in an event, in the engine's own form or in the one that a Hub makes of it.
pub(crate) fn read(event: &[u8]) -> Option<u64> {
    let at = event.iter().position(|byte| *byte == b'@')? + 1;
    if !event.get(..at)?.ends_with(MARK) {
        return None;
    }
    std::str::from_utf8(event.get(at..at + 20)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_wherever_its_delta_stands() {
        for stamp in [0, 7, u64::MAX] {
            let text = write(stamp);
            let event = format!(r#"{{"model":"tiny","choices":[{{"delta":{{"role":"x","content":"{text}"}}}}]}}"#);
            assert_eq!(read(event.as_bytes()), Some(stamp));
        }
        assert_eq!(read(br#"{"id":"@00000000000000000001 "}"#), None);
        assert_eq!(read(br#"{"content":"@12"}"#), None);
    }
}
