//! Reads what shall go wrong: `member-dies studio-2 @30`. Pure; the world carries it out.

mod forms;
mod words;

use std::fmt::Write as _;
use std::time::Duration;

use forms::FORMS;
use words::Words;

/// The latest moment that may be named (seconds): a year.
const LATEST: f64 = 365.0 * 86_400.0;

/// One way in which a cluster misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    MemberDies(String),
    Back(String),
    Ghost(String),
    /// With the Mac that was master, or with none: then the office alone moves on.
    MasterLost(Option<String>),
    Frozen,
    Thaw,
    Replay(Duration),
    DownloadStalls(String),
    DownloadGoesOn(String),
    LoadFails(u32),
    LinkFallsBack([String; 2], Way),
    LinkBack([String; 2]),
    MemoryPressure(String),
    /// Whether its nodes are strangers, and the model if one was named.
    Phantom {
        has_strangers: bool,
        model: Option<String>,
    },
    Empty200(u32),
    CutStream(u32),
    CannotGenerate(String),
    /// Seconds, of the wall clock.
    Clock(f64),
    SomeoneDeletes(String),
    SomeonePlaces(String),
    SlowState(Duration),
    BridgeLoop,
    BuildsDiffer(String),
    RdmaOff(String),
    ThunderboltFour,
    DiskFull(String),
    Well,
}

/// What carries a link that has fallen back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// IP over the Thunderbolt cable.
    Thunderbolt,
    Ethernet,
    Wifi,
    /// A private network over the internet, with an address of 100.64.0.0/10.
    Vpn,
}

/// A trouble and its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) trouble: Trouble,
    /// By the simulator's clock; at once without.
    pub(crate) at: Option<Duration>,
}

/// What a trouble may name.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The Macs' names; the first is the one that answers.
    pub(crate) macs: Vec<String>,
    pub(crate) models: Vec<String>,
}

/// Text that is no trouble, in one sentence that says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TroubleError {
    #[error("{text:?} is no trouble; there are {}", kinds())]
    Kind { text: String },
    #[error("{form}: there is no Mac {name:?}; there are {macs}")]
    Mac { form: String, name: String, macs: String },
    #[error("{form}: {name} is the Mac that answers, and has to stay; there are {others}")]
    Answers { form: String, name: String, others: String },
    #[error("{form}: exo has no model card {model:?}; /v1/models lists what there is")]
    Model { form: String, model: String },
    #[error("{form}: {what} is missing")]
    Missing { form: String, what: &'static str },
    #[error("{form}: {text:?} is not {what}")]
    Wrong { form: String, text: String, what: &'static str },
    #[error("{form}: {text:?} is one word too many")]
    Extra { form: String, text: String },
    #[error("{text:?} is no time: write seconds of the simulator's clock like @30")]
    Time { text: String },
}

/// Reads a trouble.
///
/// # Errors
/// It is none, or names what there is not.
pub(crate) fn read(text: &str, known: &Known) -> Result<Order, TroubleError> {
    let mut parts: Vec<&str> = text.split_whitespace().collect();
    let at = match parts.last().and_then(|last| last.strip_prefix('@')) {
        Some(seconds) => {
            parts.pop();
            Some(read_time(seconds)?)
        }
        None => None,
    };
    let unknown = || TroubleError::Kind { text: text.trim().to_owned() };
    let (kind, rest) = parts.split_first().ok_or_else(unknown)?;
    let form = FORMS.iter().find(|form| form.kind == *kind).ok_or_else(unknown)?;
    let mut words = Words::new(form, rest, known);
    let trouble = (form.read)(&mut words)?;
    words.end()?;
    Ok(Order { trouble, at })
}

fn read_time(text: &str) -> Result<Duration, TroubleError> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=LATEST).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| TroubleError::Time { text: format!("@{text}") })
}

fn kinds() -> String {
    FORMS.map(|form| form.kind).join(", ")
}

/// All kinds, one a line, for those who ask for help.
#[must_use]
pub fn help() -> String {
    let width = FORMS.iter().map(|form| form.said().len()).max().unwrap_or_default();
    let mut help = String::from("Troubles, for --trouble and POST /sim/trouble:\n");
    for form in &FORMS {
        // Writing to a string does not fail.
        let _ = writeln!(help, "  {:width$}  {}", form.said(), form.what);
    }
    help + "Each may end with @SECONDS. All times are the simulator's own, which --speed makes shorter; only \
            clock shifts by seconds of the wall clock."
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "mlx-community/Llama-3.2-1B-Instruct-4bit";

    fn known() -> Known {
        Known { macs: vec!["studio-1".into(), "studio-2".into(), "mbp-1".into()], models: vec![MODEL.into()] }
    }

    fn trouble(text: &str) -> Trouble {
        read(text, &known()).unwrap().trouble
    }

    #[test]
    fn each_kind_is_read_as_its_help_writes_it() {
        for form in &FORMS {
            let written = form.said().replace(['[', ']'], "");
            let filled = written
                .replace("NAME", "mbp-1")
                .replace(" A B", " studio-1 mbp-1")
                .replace("KIND", "wifi")
                .replace("MODEL", MODEL)
                .replace("±SECONDS", "-30")
                .replace("SECONDS", "5")
                .replace("MS", "300")
                .replace(" N", " 3");
            let order = read(&filled, &known()).unwrap_or_else(|error| panic!("{filled}: {error}"));
            assert_eq!(order.at, None);
            let later = read(&format!("{filled} @2.5"), &known()).unwrap();
            assert_eq!((later.trouble, later.at), (order.trouble, Some(Duration::from_millis(2_500))));
        }
    }

    #[test]
    fn what_may_be_left_out_has_a_sense_of_its_own() {
        assert_eq!(trouble("load-fails"), Trouble::LoadFails(5));
        assert_eq!(trouble(" empty-200 "), Trouble::Empty200(1));
        assert_eq!(trouble("master-lost"), Trouble::MasterLost(None));
        assert_eq!(trouble("phantom"), Trouble::Phantom { has_strangers: false, model: None });
        let named = Trouble::Phantom { has_strangers: true, model: Some(MODEL.into()) };
        assert_eq!(trouble(&format!("phantom nodes {MODEL}")), named);
        assert_eq!(trouble("clock +40"), Trouble::Clock(40.0));
        let pair = ["mbp-1".to_owned(), "studio-1".to_owned()];
        assert_eq!(trouble("link-falls-back mbp-1 studio-1 vpn"), Trouble::LinkFallsBack(pair, Way::Vpn));
    }

    #[test]
    fn a_mistake_is_one_sentence_that_names_what_there_is() {
        for (text, named) in [
            ("", "member-dies, "),
            ("@3", "disk-full"),
            ("explode", "\"explode\" is no trouble; there are member-dies"),
            ("member-dies", "NAME is missing"),
            ("member-dies mac-9", "there are studio-1, studio-2, mbp-1"),
            ("member-dies studio-1", "there are studio-2, mbp-1"),
            ("member-dies mbp-1 now", "\"now\""),
            ("member-dies mbp-1 @soon", "@30"),
            ("member-dies mbp-1 @-1", "@30"),
            ("link-falls-back mbp-1 mbp-1 wifi", "another"),
            ("link-falls-back mbp-1 studio-1 string", "thunderbolt"),
            ("load-fails many", "whole number"),
            ("load-fails 0", "whole number"),
            ("cannot-generate llama", "\"llama\""),
            ("clock soon", "+30"),
            ("slow-state inf", "milliseconds"),
            ("replay 0", "seconds"),
        ] {
            let said = read(text, &known()).unwrap_err().to_string();
            assert!(said.contains(named) && said.lines().count() == 1, "{text}: {said}");
        }
    }

    #[test]
    fn help_has_a_line_for_each() {
        let help = help();
        assert!(FORMS.iter().all(|form| help.lines().any(|line| line.trim().starts_with(&form.said()))), "{help}");
        assert!(help.lines().all(|line| line.chars().count() < 200), "{help}");
    }
}
