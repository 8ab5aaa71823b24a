//! Device codes that carry their request, sealed with this process's key: a request that was forgotten for want of room
//! comes back with its agent's next poll.

use porten_core::secret::Secret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::clock::Millis;
use crate::secret::{self, Digest};

/// What all device codes begin with: it tells a person who finds one what it is.
const PREFIX: &str = "porten_dc_";
/// The longest code that is looked at (bytes): a request has 64 bytes of node id and 64 characters of name.
const MAX_CODE: usize = 2048;

/// One request to sign in (RFC 8628, 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// What the person types, without its dash.
    pub(crate) user_code: String,
    /// The node's id.
    pub(crate) node: String,
    /// What the machine is called, as a person may read it.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) asked: Millis,
    /// When its codes end.
    pub(crate) expires: Millis,
}

/// Seals requests, and reads what it sealed.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: [u8; 32],
}

/// Why a device code does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is none.
    NoCode,
    /// It is not this process's: the Hub was restarted, or somebody made it up.
    NotOurs,
}

impl Sealer {
    /// With a key of its own: codes end with the process.
    pub(crate) fn new() -> Self {
        Self { key: rand::random() }
    }

    /// A device code. Without the key nobody can make one, nor guess its 128 random bits.
    pub(crate) fn seal(&self, request: &Request) -> Secret {
        let nonce = secret::hex(&rand::random::<[u8; 16]>());
        // A struct of strings and numbers always serialises.
        let body = serde_json::to_string(&(nonce, request)).unwrap_or_default();
        let proof = secret::hex(&self.proof(body.as_bytes()));
        Secret::new(format!("{PREFIX}{}_{proof}", secret::hex(body.as_bytes())))
    }

    /// The request of a device code that was sealed here.
    pub(crate) fn open(&self, code: &str) -> Result<Request, Unreadable> {
        let code = (code.len() <= MAX_CODE).then_some(code).and_then(|code| code.strip_prefix(PREFIX));
        let Some(code) = code else { return Err(Unreadable::NoCode) };
        let (body, proof) = code.split_once('_').ok_or(Unreadable::NoCode)?;
        let body = secret::unhex(body).ok_or(Unreadable::NoCode)?;
        let own = secret::hex(&self.proof(&body));
        if !bool::from(own.as_bytes().ct_eq(proof.as_bytes())) {
            return Err(Unreadable::NotOurs);
        }
        let (_, request): (String, Request) = serde_json::from_slice(&body).map_err(|_| Unreadable::NoCode)?;
        Ok(request)
    }

    fn proof(&self, body: &[u8]) -> Digest {
        secret::digest_of(&[b"device code", &self.key, body])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let (name, node) = ("工".repeat(64), "n".repeat(64));
        Request { user_code: "WDJBMJHT".into(), node, name, asked: 5, expires: 600_000 }
    }

    #[test]
    fn a_code_carries_its_request_and_no_two_are_the_same() {
        let sealer = Sealer::new();
        let code = sealer.seal(&request());
        assert_eq!(sealer.open(code.expose()), Ok(request()));
        assert_ne!(sealer.seal(&request()), code);
        assert!(code.expose().len() <= MAX_CODE, "the longest is {} bytes", code.expose().len());
    }

    #[test]
    fn a_code_that_was_changed_or_made_elsewhere_is_worth_nothing() {
        let sealer = Sealer::new();
        let code = sealer.seal(&request()).expose().to_owned();
        assert_eq!(Sealer::new().open(&code), Err(Unreadable::NotOurs));
        let at = PREFIX.len() + 80;
        let other = if &code[at..=at] == "0" { "1" } else { "0" };
        let changed = format!("{}{other}{}", &code[..at], &code[at + 1..]);
        assert_eq!(sealer.open(&changed), Err(Unreadable::NotOurs));
        for none in ["", "porten_dc_", "porten_dc_00", "porten_dc_0_", "porten_dc_zz_00", &"x".repeat(5000)] {
            assert!(sealer.open(none).is_err(), "{none:?}");
        }
    }
}
