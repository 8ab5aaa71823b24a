//! Answers that do not end as they should.

use super::super::generation::Fate;
use super::Troubles;

/// Tokens before a stream is cut.
const BEFORE_CUT: usize = 4;
/// What a model without a chat template says to every chat.
const NO_TEMPLATE: &str = "Cannot use chat template functions because tokenizer.chat_template is not set and no template \
                           argument was passed!";

/// What will become of the next requests.
#[derive(Debug, Default)]
pub(super) struct Fates {
    /// Documents that will be empty.
    pub(super) empty: u32,
    /// Streams that will be cut.
    pub(super) cut: u32,
    /// Models that never answer.
    pub(super) never: Vec<String>,
}

impl Troubles {
    /// How a new request will end.
    pub(in super::super) fn fate(&mut self, model: &str, is_stream: bool) -> Fate {
        let Fates { empty, cut, never } = &mut self.fates;
        if never.iter().any(|never| never == model) {
            return Fate::Failed(NO_TEMPLATE);
        }
        let (left, tokens) = if is_stream { (cut, BEFORE_CUT) } else { (empty, 0) };
        if *left == 0 {
            return Fate::Whole;
        }
        *left -= 1;
        Fate::Cut { tokens }
    }
}
