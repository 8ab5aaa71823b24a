//! Finds what a person probably meant: the known word with the fewest letters to change.
//!
//! A search costs a bounded time, whatever the words are: they may be a stranger's. It is still none for each picture, but
//! for the moment in which a person is told.

use std::collections::BTreeMap;

/// Words are compared up to this many characters. A comparison costs the product of two lengths.
const COMPARED: usize = 64;
/// Of a long list only so many words are compared letter by letter: those whose letters, in any order, are most alike.
const MEASURED: usize = 64;
/// Words for which something near is looked for at a time.
const MOST_WORDS: usize = 8;
/// Kinds of letters that are told apart when they are counted.
const KINDS: usize = 64;

/// A word as it is compared: without regard to case.
struct Word {
    letters: Vec<char>,
    /// How often each kind of letter is in it.
    counts: [u8; KINDS],
}

impl Word {
    fn read(word: &str) -> Self {
        let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).take(COMPARED).collect();
        let mut counts = [0_u8; KINDS];
        for letter in &letters {
            if let Some(count) = counts.get_mut(*letter as usize % KINDS) {
                *count = count.saturating_add(1);
            }
        }
        Self { letters, counts }
    }

    /// Never more than [`Self::distance`], and found in one look at each.
    fn least_distance(&self, other: &Self) -> usize {
        let missing = |a: &Self, b: &Self| -> usize {
            a.counts.iter().zip(&b.counts).map(|(a, b)| usize::from(a.saturating_sub(*b))).sum()
        };
        missing(self, other).max(missing(other, self))
    }

    fn distance(&self, other: &Self) -> usize {
        let mut above: Vec<usize> = (0..=other.letters.len()).collect();
        for (row, from) in self.letters.iter().enumerate() {
            let mut left_above = row;
            let mut left = row + 1;
            if let Some(first) = above.first_mut() {
                *first = left;
            }
            for (cell, to) in above.iter_mut().skip(1).zip(&other.letters) {
                let changed = left_above + usize::from(from != to);
                left_above = *cell;
                left = changed.min(left + 1).min(left_above + 1);
                *cell = left;
            }
        }
        above.last().copied().unwrap_or(0)
    }
}

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein), without regard to case.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    Word::read(a).distance(&Word::read(b))
}

/// The known word nearest to `word`; of two equally near ones the first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_few(word, known, 1).into_iter().next()
}

/// The known words nearest to `word`, at most so many, the nearest first.
pub fn nearest_few<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    Known::of(known).nearest(word, most)
}

/// For each of these words the known one that is near it, if fewer than half of its letters are to change. Only the first
/// few words are looked at.
#[must_use]
pub fn nearest_of_each<'a>(words: impl IntoIterator<Item = &'a str>, known: &[&str]) -> BTreeMap<String, String> {
    let known = Known::of(known.iter().copied());
    let near = |word: &'a str| {
        let read = Word::read(word);
        let (distance, nearest) = known.ranked(&read).into_iter().next()?;
        (distance * 2 < read.letters.len()).then(|| (word.to_owned(), nearest.to_owned()))
    };
    words.into_iter().take(MOST_WORDS).filter_map(near).collect()
}

/// Known words, read once for several searches.
pub struct Known<'a> {
    words: Vec<(Word, &'a str)>,
}

impl<'a> Known<'a> {
    /// These words, in the order in which equally near ones are named.
    pub fn of(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { words: words.into_iter().map(|word| (Word::read(word), word)).collect() }
    }

    /// Those nearest to `word`, at most so many, the nearest first.
    #[must_use]
    pub fn nearest(&self, word: &str, most: usize) -> Vec<&'a str> {
        self.ranked(&Word::read(word)).into_iter().take(most).map(|(_, known)| known).collect()
    }

    /// The likeliest words with their distances, the nearest first; of equally near ones the one that came first.
    fn ranked(&self, word: &Word) -> Vec<(usize, &'a str)> {
        let words = self.words.iter().enumerate();
        let mut likely: Vec<_> =
            words.map(|(at, (read, known))| (word.least_distance(read), at, read, *known)).collect();
        likely.sort_by_key(|(least, at, ..)| (*least, *at));
        likely.truncate(MEASURED);
        let mut ranked: Vec<_> =
            likely.into_iter().map(|(_, at, read, known)| (word.distance(read), at, known)).collect();
        ranked.sort_by_key(|(distance, at, _)| (*distance, *at));
        ranked.into_iter().map(|(distance, _, known)| (distance, known)).collect()
    }
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.words.iter().map(|(_, word)| word)).finish()
    }
}

/// The known word that `word` is probably a slip of: the nearest, if no more than two letters in any word and one in three
/// of a longer one are others. A suggestion from farther away only misleads.
pub fn likely<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(2);
    nearest(word, known).filter(|near| !word.is_empty() && distance(word, near) <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_nearest_word_is_the_one_with_the_fewest_letters_to_change() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("URL", "url"), 0);
        assert_eq!(nearest("modles", ["url", "models", "kind"]), Some("models"));
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn nothing_far_fetched_is_likely() {
        assert_eq!(likely("hub.ulr", ["hub.url", "log.level"]), Some("hub.url"));
        assert_eq!(likely("memory.budget", ["memory.budget_mb"]), Some("memory.budget_mb"));
        for far in ["", "xyz", "colour", "a.very.long.name"] {
            assert_eq!(likely(far, ["hub.url", "log.level"]), None, "{far}");
        }
    }

    #[test]
    fn what_is_far_is_no_suggestion_and_only_a_few_words_get_one() {
        let known = ["deepseek-v4-flash", "qwen3-coder-next"];
        let near = nearest_of_each(["deepseek-v4-flsh", "llama-9"], &known);
        assert_eq!(near, BTreeMap::from([("deepseek-v4-flsh".into(), "deepseek-v4-flash".into())]));
        let words: Vec<String> = (0..20).map(|n| format!("deepseek-v4-flash-{n}")).collect();
        assert_eq!(nearest_of_each(words.iter().map(String::as_str), &known).len(), MOST_WORDS);
    }

    #[test]
    fn the_nearest_of_a_long_list_is_found_among_its_many() {
        let known: Vec<String> = (0..2_000).map(|n| format!("some-model-{n:04}-with-a-long-name-{n:04}")).collect();
        let few = nearest_few("some-model-0815-with-a-long-nam-0815", known.iter().map(String::as_str), 5);
        assert_eq!((few.len(), few[0]), (5, "some-model-0815-with-a-long-name-0815"));
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in "[a-d]{0,8}", b in "[a-d]{0,8}", c in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
            prop_assert!(Word::read(&a).least_distance(&Word::read(&b)) <= distance(&a, &b));
        }
    }
}
