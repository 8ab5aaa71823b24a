//! Reads the words behind a trouble's kind, one after the other.

use std::time::Duration;

use super::forms::Form;
use super::{Known, LATEST, TroubleError, Way};

/// The most that may be counted.
const MOST: u32 = 1_000_000;
/// The longest that `/state` may take (milliseconds).
const SLOWEST: f64 = 600_000.0;

/// The words that are left.
pub(super) struct Words<'a> {
    form: &'a Form,
    left: std::slice::Iter<'a, &'a str>,
    known: &'a Known,
}

impl<'a> Words<'a> {
    pub(super) fn new(form: &'a Form, words: &'a [&'a str], known: &'a Known) -> Self {
        Self { form, left: words.iter(), known }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.len() == 0
    }

    /// Fails if a word is left.
    pub(super) fn end(mut self) -> Result<(), TroubleError> {
        match self.left.next() {
            Some(text) => Err(TroubleError::Extra { form: self.form.said(), text: (*text).to_owned() }),
            None => Ok(()),
        }
    }

    /// Takes the next word if it is this one; whether it was.
    pub(super) fn take_if(&mut self, word: &str) -> bool {
        let is_next = self.left.as_slice().first() == Some(&word);
        if is_next {
            self.left.next();
        }
        is_next
    }

    pub(super) fn mac(&mut self) -> Result<String, TroubleError> {
        let name = self.next("NAME")?;
        if self.known.macs.iter().any(|mac| mac == name) {
            return Ok(name.to_owned());
        }
        let macs = self.known.macs.join(", ");
        Err(TroubleError::Mac { form: self.form.said(), name: name.to_owned(), macs })
    }

    /// A Mac that is not the one that answers.
    pub(super) fn other_mac(&mut self) -> Result<String, TroubleError> {
        let name = self.mac()?;
        match self.known.macs.split_first() {
            Some((first, others)) if *first == name => {
                let others = if others.is_empty() { "no others".to_owned() } else { others.join(", ") };
                Err(TroubleError::Answers { form: self.form.said(), name, others })
            }
            _ => Ok(name),
        }
    }

    /// Two Macs.
    pub(super) fn pair(&mut self) -> Result<[String; 2], TroubleError> {
        let pair = [self.mac()?, self.mac()?];
        let [one, other] = &pair;
        if one == other { Err(self.wrong(other, "another Mac than the first")) } else { Ok(pair) }
    }

    pub(super) fn way(&mut self) -> Result<Way, TroubleError> {
        let text = self.next("KIND")?;
        Ok(match text {
            "thunderbolt" => Way::Thunderbolt,
            "ethernet" => Way::Ethernet,
            "wifi" => Way::Wifi,
            "vpn" => Way::Vpn,
            _ => return Err(self.wrong(text, "thunderbolt, ethernet, wifi or vpn")),
        })
    }

    pub(super) fn model(&mut self) -> Result<String, TroubleError> {
        let model = self.next("MODEL")?.to_owned();
        let is_known = self.known.models.contains(&model);
        if is_known { Ok(model) } else { Err(TroubleError::Model { form: self.form.said(), model }) }
    }

    pub(super) fn model_if_any(&mut self) -> Result<Option<String>, TroubleError> {
        if self.is_done() { Ok(None) } else { self.model().map(Some) }
    }

    /// How often; what is left out is the usual.
    pub(super) fn count(&mut self, usual: u32) -> Result<u32, TroubleError> {
        let Some(text) = self.left.next() else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
        number.ok_or_else(|| self.wrong(text, "a whole number from 1"))
    }

    pub(super) fn seconds(&mut self) -> Result<Duration, TroubleError> {
        let text = self.next("SECONDS")?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= LATEST);
        seconds.map(Duration::from_secs_f64).ok_or_else(|| self.wrong(text, "a number of seconds like 20"))
    }

    pub(super) fn milliseconds(&mut self) -> Result<Duration, TroubleError> {
        let text = self.next("MS")?;
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=SLOWEST).contains(number));
        let duration = number.map(|number| Duration::from_secs_f64(number / 1_000.0));
        duration.ok_or_else(|| self.wrong(text, "a number of milliseconds like 300"))
    }

    /// Seconds forward or back.
    pub(super) fn shift(&mut self) -> Result<f64, TroubleError> {
        let text = self.next("SECONDS")?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() <= LATEST);
        seconds.ok_or_else(|| self.wrong(text, "a number of seconds like +30 or -30"))
    }

    fn next(&mut self, what: &'static str) -> Result<&'a str, TroubleError> {
        let next = self.left.next().copied();
        next.ok_or_else(|| TroubleError::Missing { form: self.form.said(), what })
    }

    fn wrong(&self, text: &str, what: &'static str) -> TroubleError {
        TroubleError::Wrong { form: self.form.said(), text: text.to_owned(), what }
    }
}
