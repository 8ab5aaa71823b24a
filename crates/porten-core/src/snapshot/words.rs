//! The state word, the same in the menu bar, the popover's host and the terminal.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Overall;

impl Overall {
    /// The state in a word or two.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Off => "Off".to_owned(),
            Self::Connecting => "Connecting…".to_owned(),
            Self::Pending => "Getting ready".to_owned(),
            Self::Blocked => "Not serving".to_owned(),
            Self::ModelsOff => "Every model is off".to_owned(),
            Self::Serving { requests } => format!("Serving {}", count(*requests, "request")),
            Self::Ready { models, wanted } if models == wanted => "Ready".to_owned(),
            Self::Ready { models, wanted } => format!("Ready · {models} of {wanted} models"),
            Self::Waiting { until } => {
                format!("Trying again in {} s", until.duration_since(now).as_secs().max(1))
            }
            Self::Finishing { requests: 0 } => "Finishing".to_owned(),
            Self::Finishing { requests } => format!("Finishing {}", count(*requests, "request")),
            Self::Paused { .. } => "Paused".to_owned(),
            Self::NeedsYou => "Action needed".to_owned(),
        }
    }
}

/// `1 request`, `2 requests`.
#[must_use]
pub fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// With a capital at its start, unless that is an id, and a full stop at its end. For words that begin with no name; see
/// [`Names::sentence`] for those that may.
#[must_use]
pub fn sentence(text: &str) -> String {
    Names::default().sentence(text)
}

/// With a full stop at its end, and as it is otherwise.
#[must_use]
pub fn full_stop(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// The names that a sentence may begin with: a Mac called mbp is not Mbp at the start of a sentence.
#[derive(Debug, Clone, Default)]
pub struct Names<'a>(BTreeSet<&'a str>);

impl<'a> FromIterator<&'a str> for Names<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Names<'_> {
    /// With a capital at its start, unless that is a name or an id, and a full stop at its end.
    #[must_use]
    pub fn sentence(&self, text: &str) -> String {
        full_stop(&self.capital(text))
    }

    /// With a capital at its start, unless that is a name or an id.
    #[must_use]
    pub fn capital(&self, text: &str) -> String {
        let first = text.split(' ').next().unwrap_or_default();
        let is_word = first != "exo" && first.chars().all(|c| c.is_lowercase() || c == ',');
        // A name may have several words, or a comma behind it.
        let starts = |name: &&str| {
            let rest = text.strip_prefix(*name);
            !name.is_empty() && rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        if !is_word || self.0.iter().any(starts) {
            return text.to_owned();
        }
        let mut chars = text.chars();
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_at_the_start_of_a_sentence_keeps_its_letters() {
        let names: Names<'_> = ["mbp", "mac of zoë", "kimi"].into_iter().collect();
        for (text, said) in [
            ("mbp has 1 GB left", "mbp has 1 GB left."),
            ("mbp, which holds a part of it, is away", "mbp, which holds a part of it, is away."),
            ("mac of zoë has left", "mac of zoë has left."),
            ("kimi could be two models", "kimi could be two models."),
            ("macs have left", "Macs have left."),
            ("exo has stopped", "exo has stopped."),
            ("no byte for 90 s", "No byte for 90 s."),
            ("glm-5 is loaded.", "glm-5 is loaded."),
            ("", ""),
        ] {
            assert_eq!(names.sentence(text), said);
        }
    }
}
