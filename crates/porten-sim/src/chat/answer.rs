//! What the simulated models say: plain words that follow from the prompt alone, so that the same prompt gets the same.

/// What answers are made of.
const WORDS: [&str; 32] = [
    "the",
    "pooled",
    "memory",
    "of",
    "three",
    "quiet",
    "machines",
    "holds",
    "a",
    "large",
    "model",
    "and",
    "each",
    "layer",
    "waits",
    "for",
    "its",
    "turn",
    "while",
    "tokens",
    "travel",
    "over",
    "short",
    "cables",
    "to",
    "one",
    "patient",
    "reader",
    "who",
    "asked",
    "something",
    "small",
];
/// Answers that are not cut off have between so many words and so many.
const LENGTHS: std::ops::Range<u64> = 24..56;
/// Characters of a prompt that make a token, about.
const CHARACTERS: usize = 4;
/// Tokens that a chat template adds.
const TEMPLATE: u32 = 8;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    /// It reached the client's limit.
    Length,
}

/// Tokens that were read and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt: u32,
    pub(crate) completion: u32,
}

/// A whole answer; it has one token at the least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) tokens: Vec<String>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
}

impl Answer {
    /// The answer to a prompt, of at most so many tokens.
    pub(crate) fn draw(prompt: &str, limit: Option<u32>) -> Self {
        let mut state = fnv(prompt);
        let wanted = LENGTHS.start + state % (LENGTHS.end - LENGTHS.start);
        let limit = limit.map_or(u64::MAX, u64::from).max(1);
        let count = wanted.min(limit);
        let mut tokens: Vec<String> = (0..count).map(|place| word(&mut state, place == 0)).collect();
        let finish = if wanted <= limit { Finish::Stop } else { Finish::Length };
        if let (Finish::Stop, Some(last)) = (finish, tokens.last_mut()) {
            last.push('.');
        }
        let read = u32::try_from(prompt.chars().count().div_ceil(CHARACTERS)).unwrap_or(u32::MAX - TEMPLATE);
        let usage =
            Usage { prompt: read.saturating_add(TEMPLATE), completion: u32::try_from(count).unwrap_or(u32::MAX) };
        Self { tokens, finish, usage }
    }
}

fn word(state: &mut u64, is_first: bool) -> String {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let place = usize::try_from(*state >> 59).unwrap_or_default();
    let word = WORDS.get(place).copied().unwrap_or_default();
    if is_first { word[..1].to_uppercase() + &word[1..] } else { format!(" {word}") }
}

/// FNV-1a, which is the same everywhere and for ever.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_prompt_gets_the_same_answer_and_another_another() {
        let text = |prompt| Answer::draw(prompt, None).tokens.concat();
        assert_eq!(text("hello"), text("hello"));
        assert_ne!(text("hello"), text("hello!"));
        assert!(text("hello").ends_with('.') && text("hello").starts_with(|first: char| first.is_uppercase()));
    }

    #[test]
    fn a_limit_cuts_the_same_answer_shorter_and_says_so() {
        let (whole, cut) = (Answer::draw("hello", None), Answer::draw("hello", Some(5)));
        assert_eq!((whole.finish, cut.finish, cut.usage.completion), (Finish::Stop, Finish::Length, 5));
        assert_eq!(whole.tokens[..5], cut.tokens);
        assert_eq!(Answer::draw("", Some(0)).tokens.len(), 1);
        assert_eq!(Answer::draw("hello", Some(whole.usage.completion)).finish, Finish::Stop);
    }
}
