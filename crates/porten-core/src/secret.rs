//! A text that must not be seen: nothing prints it, and only the credential's own store may write it down.

use std::fmt;

/// A token, a device code, or a form that holds one. It has no `Display`, its `Debug` shows nothing, and it does not
/// serialise by itself: a type that is meant for the credential store names [`stored`] on the field.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one header or body that must carry it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `#[serde(with = "secret::stored")]`: writes a [`Secret`] in clear, for the credential store alone.
pub mod stored {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    /// Writes it in clear.
    ///
    /// # Errors
    /// Those of the serialiser.
    pub fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Not a string.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault E13: a secret prints as a word, also in a panic or a debug text.
    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("hunter2").count(), 0);
        assert_eq!(secret.expose(), "hunter2");
    }
}
