//! Finds what a person probably meant: the known word with the fewest letters to change.

/// Words are compared up to this many characters, so that a long one costs a bounded time.
const COMPARED: usize = 200;

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein), without regard to case.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let fold = |word: &str| word.chars().flat_map(char::to_lowercase).take(COMPARED).collect::<Vec<_>>();
    let (a, b) = (fold(a), fold(b));
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (row, from) in a.iter().enumerate() {
        let mut left_above = row;
        let mut left = row + 1;
        if let Some(first) = above.first_mut() {
            *first = left;
        }
        for (cell, to) in above.iter_mut().skip(1).zip(&b) {
            let changed = left_above + usize::from(from != to);
            left_above = *cell;
            left = changed.min(left + 1).min(left_above + 1);
            *cell = left;
        }
    }
    above.last().copied().unwrap_or(0)
}

/// The known word nearest to `word`; of two equally near ones the first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|candidate| distance(word, candidate))
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

    proptest! {
        #[test]
        fn distance_is_a_metric(a in "[a-d]{0,8}", b in "[a-d]{0,8}", c in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        }
    }
}
