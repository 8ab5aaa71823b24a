//! Reads which Macs a cluster is made of: `3x128`, or `studio:512,mbp:128`.

/// The fewest and most GiB that a Mac may have: less loads no model, more was never sold.
const GIB: std::ops::RangeInclusive<u64> = 8..=2048;
/// The most Macs in one cluster: a Mac has six Thunderbolt ports at the most, and all are linked to all.
const MAX_MACS: usize = 6;
/// The names given to Macs that come without one, in turn.
const TURN: [Kind; 3] = [Kind::Studio, Kind::Studio, Kind::Book];
/// The longest name (characters).
const MAX_NAME: usize = 32;

/// What a Mac is sold as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Mac Studio with an M3 Ultra.
    Studio,
    /// A MacBook Pro with an M4 Max.
    Book,
    /// A Mac mini with an M4 Pro.
    Mini,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Studio, Self::Book, Self::Mini];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Studio => "studio",
            Self::Book => "mbp",
            Self::Mini => "mini",
        }
    }

    /// The name's kind; what tells nothing is a Mac Studio.
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        Self::ALL.into_iter().find(|kind| name.starts_with(kind.prefix())).unwrap_or(Self::Studio)
    }

    /// The marketing name.
    #[must_use]
    pub const fn model(self) -> &'static str {
        match self {
            Self::Studio => "Mac Studio",
            Self::Book => "MacBook Pro",
            Self::Mini => "Mac mini",
        }
    }

    /// The chip.
    #[must_use]
    pub const fn chip(self) -> &'static str {
        match self {
            Self::Studio => "Apple M3 Ultra",
            Self::Book => "Apple M4 Max",
            Self::Mini => "Apple M4 Pro",
        }
    }
}

/// A Mac to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac {
    /// Its own name, which exo reports as `friendlyName`.
    pub name: String,
    /// What it is sold as.
    pub kind: Kind,
    /// Installed memory (GiB).
    pub gib: u64,
}

/// Text that names no Macs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacsError {
    /// An entry is neither form.
    #[error("{0:?} is no Mac: write a number and GiB like 3x128, or names and GiB like studio:512,mbp:128")]
    Form(String),
    /// Too little or too much memory.
    #[error("{0:?} has no memory a Mac can have: write {min} to {max} GiB, like 3x128", min = GIB.start(), max = GIB.end())]
    Memory(String),
    /// None, or too many.
    #[error("{0} Macs make no cluster: write 1 to {MAX_MACS}, like 3x128")]
    Count(usize),
    /// Two of one name.
    #[error("two Macs are called {0:?}: give each a name of its own, like studio-1:512,studio-2:512")]
    Twice(String),
    /// No name, or a long or strange one.
    #[error("{0:?} is no name: use up to {MAX_NAME} letters, digits, dots and dashes, like studio-1:512")]
    Name(String),
}

/// Reads the Macs of a cluster.
///
/// # Errors
/// The text is not of one of the two forms, or asks for Macs that there are not.
pub fn read(text: &str) -> Result<Vec<Mac>, MacsError> {
    let mut macs: Vec<Mac> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let form = || MacsError::Form(entry.to_owned());
        if let Some((name, gib)) = entry.split_once(':') {
            let (name, gib) = (read_name(name)?, read_gib(entry, gib).ok_or_else(form)??);
            if macs.iter().any(|mac| mac.name == name) {
                return Err(MacsError::Twice(name));
            }
            macs.push(Mac { kind: Kind::of(&name), name, gib });
        } else {
            let (count, gib) = entry.split_once(['x', 'X']).ok_or_else(form)?;
            let count: usize = count.parse().map_err(|_| form())?;
            let gib = read_gib(entry, gib).ok_or_else(form)??;
            if count > MAX_MACS {
                return Err(MacsError::Count(count));
            }
            for kind in TURN.into_iter().cycle().take(count) {
                let name = free_name(&macs, kind);
                macs.push(Mac { name, kind, gib });
            }
        }
    }
    if (1..=MAX_MACS).contains(&macs.len()) { Ok(macs) } else { Err(MacsError::Count(macs.len())) }
}

fn read_name(name: &str) -> Result<String, MacsError> {
    let is_good = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let is_name = !name.is_empty() && name.chars().count() <= MAX_NAME && name.chars().all(is_good);
    if is_name { Ok(name.to_owned()) } else { Err(MacsError::Name(name.to_owned())) }
}

/// GiB; nothing if it is no number.
fn read_gib(entry: &str, text: &str) -> Option<Result<u64, MacsError>> {
    let gib: u64 = text.parse().ok()?;
    Some(if GIB.contains(&gib) { Ok(gib) } else { Err(MacsError::Memory(entry.to_owned())) })
}

fn free_name(macs: &[Mac], kind: Kind) -> String {
    let names = (1..).map(|number| format!("{}-{number}", kind.prefix()));
    names.into_iter().find(|name| macs.iter().all(|mac| mac.name != *name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        read(text).unwrap().into_iter().map(|mac| format!("{} {} {}", mac.name, mac.kind.chip(), mac.gib)).collect()
    }

    #[test]
    fn a_number_of_macs_gets_sensible_names() {
        assert_eq!(
            names("3x128"),
            ["studio-1 Apple M3 Ultra 128", "studio-2 Apple M3 Ultra 128", "mbp-1 Apple M4 Max 128"]
        );
        assert_eq!(names("6x64").len(), 6);
        assert_eq!(names("6x64")[5], "mbp-2 Apple M4 Max 64");
    }

    #[test]
    fn named_macs_keep_their_names_and_the_chip_is_guessed_from_them() {
        assert_eq!(
            names("studio:512, mbp:128,mini-pro:64,Anna:96"),
            ["studio Apple M3 Ultra 512", "mbp Apple M4 Max 128", "mini-pro Apple M4 Pro 64", "Anna Apple M3 Ultra 96"]
        );
        assert_eq!(names("studio-1:512,1x128"), ["studio-1 Apple M3 Ultra 512", "studio-2 Apple M3 Ultra 128"]);
    }

    #[test]
    fn what_makes_no_cluster_is_said_in_one_sentence_with_an_example() {
        for wrong in [
            "",
            "3",
            "x128",
            "3x",
            "3xlots",
            "studio",
            "studio:",
            ":128",
            "studio:7",
            "1x4096",
            "0x128",
            "7x128",
            "4x64,4x64",
            "a:64,a:64",
            "a b:64",
            "3x128,",
        ] {
            let said = read(wrong).unwrap_err().to_string();
            assert!(said.contains("like ") && said.lines().count() == 1, "{wrong}: {said}");
        }
    }
}
