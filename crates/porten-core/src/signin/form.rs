//! The body of a request to the Hub's sign-in: a form, out of sight because it may hold a code or a token.

use url::form_urlencoded::Serializer;

use super::{CLIENT_ID, Credential};
use crate::secret::Secret;

/// The form's content type.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// An encoded form; `Debug` shows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form(Secret);

impl Form {
    /// The form with these fields and the client's id.
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", CLIENT_ID).extend_pairs(fields);
        Self(Secret::new(form.finish()))
    }

    /// Asks for a new access token (RFC 6749, 6), at [`super::Metadata::token`].
    #[must_use]
    pub fn refresh(credential: &Credential) -> Self {
        Self::new(&[("grant_type", "refresh_token"), ("refresh_token", credential.refresh.expose())])
    }

    /// Gives the whole grant back (RFC 7009), at [`super::Metadata::revocation`]. The answer matters to nobody.
    #[must_use]
    pub fn revoke(credential: &Credential) -> Self {
        let token = credential.refresh.expose();
        Self::new(&[("token", token), ("token_type_hint", "refresh_token")])
    }

    /// The request's body, of type [`CONTENT_TYPE`].
    #[must_use]
    pub fn body(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_the_client_escapes_its_values_and_is_never_printed() {
        let form = Form::new(&[("name", "Anna’s Mac & more"), ("token", "a+b=c")]);
        assert_eq!(form.body(), "client_id=porten&name=Anna%E2%80%99s+Mac+%26+more&token=a%2Bb%3Dc");
        assert_eq!(format!("{form:?}"), "Form(Secret(…))");
    }
}
