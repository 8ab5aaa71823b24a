//! The state word, the same in the menu bar, the popover's host and the terminal.

use jiff::Timestamp;

use super::Overall;

impl Overall {
    /// The state in a word or two.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Off => "Off".to_owned(),
            Self::Connecting => "Connecting…".to_owned(),
            Self::Serving { requests } => format!("Serving {}", count(*requests, "request")),
            Self::Ready { models, wanted } if models == wanted => "Ready".to_owned(),
            Self::Ready { models, wanted } => format!("Ready · {models} of {wanted} models"),
            Self::Waiting { until } => {
                format!("Trying again in {} s", until.duration_since(now).as_secs().max(1))
            }
            Self::Finishing { requests: 0 } => "Finishing".to_owned(),
            Self::Finishing { requests } => format!("Finishing {}", count(*requests, "request")),
            Self::Paused { .. } => "Paused".to_owned(),
            Self::NeedsYou => "Needs you".to_owned(),
        }
    }
}

/// `1 request`, `2 requests`.
#[must_use]
pub fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// With a capital at its start, unless that is a name or an id, and a full stop at its end.
#[must_use]
pub fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let is_word = first != "exo" && first.chars().all(|c| c.is_lowercase() || c == ',');
    let mut chars = text.chars();
    let capital: String = if is_word {
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
    } else {
        text.to_owned()
    };
    if capital.ends_with(['.', '!', '?']) { capital } else { format!("{capital}.") }
}
