//! Makes the Hub's random secrets, and the digests that are kept in their place.

use porten_core::secret::Secret;
use sha2::{Digest as _, Sha256};

/// Twenty consonants: no word comes out by chance, and none is read as another (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters in a user code: 20⁸ codes, 34 bits.
const USER_CODE_LETTERS: usize = 8;
/// Letters in a passphrase that the Hub makes: 20²⁰, 86 bits.
const PASSPHRASE_LETTERS: usize = 20;

/// What is stored in place of a secret: its SHA-256.
pub(crate) type Digest = [u8; 32];

/// What a secret is for. The prefix tells a person who finds one what it opens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Opens a tunnel.
    Access,
    /// Renews an access token.
    Refresh,
    /// Lets a client ask for answers.
    ApiKey,
    /// A browser's visit to the approval page.
    Visit,
}

/// A new secret of 256 random bits.
pub(crate) fn make(kind: Kind) -> Secret {
    let prefix = match kind {
        Kind::Access => "porten_at_",
        Kind::Refresh => "porten_rt_",
        Kind::ApiKey => "porten_key_",
        Kind::Visit => "porten_visit_",
    };
    Secret::new(format!("{prefix}{}", hex(&rand::random::<[u8; 32]>())))
}

/// The digest of a secret that somebody presents.
pub(crate) fn digest(secret: &str) -> Digest {
    Sha256::digest(secret).into()
}

/// The digest of several parts. The parts' lengths are in it, so that moving a boundary changes it.
pub(crate) fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut sum = Sha256::new();
    for part in parts {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    sum.finalize().into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    // `format!` of each byte was a twenty-fifth of what the Hub does for a short answer.
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes of lower-case hexadecimal.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(value(*high)? << 4 | value(*low)?) } else { None }).collect()
}

/// A code a person reads from one screen and types into another, as it is stored: `WDJBMJHT`.
pub(crate) fn user_code() -> String {
    letters(USER_CODE_LETTERS)
}

/// A user code as it is shown: `WDJB-MJHT`.
pub(crate) fn show_user_code(code: &str) -> String {
    grouped(code, USER_CODE_LETTERS / 2)
}

/// What a person typed as a user code, without case, blanks and dashes; none if it cannot be one.
pub(crate) fn read_user_code(typed: &str) -> Option<String> {
    // Whatever is longer than a code with a separator after each letter is not looked at.
    let typed = (typed.len() <= 4 * USER_CODE_LETTERS).then_some(typed)?;
    let code: String =
        typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let fits = code.len() == USER_CODE_LETTERS && code.bytes().all(|byte| LETTERS.contains(&byte));
    fits.then_some(code)
}

/// A passphrase for a new account.
pub(crate) fn passphrase() -> Secret {
    Secret::new(grouped(&letters(PASSPHRASE_LETTERS).to_ascii_lowercase(), 5))
}

fn letters(count: usize) -> String {
    (0..count).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect()
}

fn grouped(text: &str, size: usize) -> String {
    let mut shown = String::with_capacity(text.len() * 2);
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % size == 0 {
            shown.push('-');
        }
        shown.push(letter);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_256_random_bits_and_says_what_it_is_for() {
        let secret = make(Kind::Access);
        assert_eq!(secret.expose().len(), "porten_at_".len() + 64);
        assert_ne!(secret, make(Kind::Access));
    }

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_does() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for none in ["0", "0g", "AB", "é", " 0"] {
            assert_eq!(unhex(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_user_code_reads_back_however_a_person_types_it() {
        let code = user_code();
        let shown = show_user_code(&code);
        assert_eq!(shown.len(), 9);
        assert_eq!(read_user_code(&shown).as_deref(), Some(code.as_str()));
        assert_eq!(read_user_code(&format!(" {} ", shown.to_lowercase())).as_deref(), Some(code.as_str()));
        assert_eq!(read_user_code(&code.replace("", " ")).as_deref(), Some(code.as_str()));
    }

    #[test]
    fn what_cannot_be_a_user_code_is_none() {
        for typed in ["", "WDJB", "WDJB-MJHA", "WDJB-MJHTT", "ẞẞẞẞ", &"-".repeat(10_000)] {
            assert_eq!(read_user_code(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn a_digest_of_parts_knows_where_a_part_ends() {
        assert_ne!(digest_of(&[b"ab", b"c"]), digest_of(&[b"a", b"bc"]));
    }
}
