//! Reads the secret out of an `Authorization` header.

use axum::http::{HeaderMap, header};

use crate::secret::{self, Digest};

/// The digest of the one bearer secret of a request; the secret itself is not kept.
pub(crate) fn read(headers: &HeaderMap) -> Option<Digest> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, secret) = line.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then(|| secret::digest(secret))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (header::AUTHORIZATION, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn one_bearer_secret_reads_and_anything_else_does_not() {
        assert_eq!(read(&with(&["Bearer abc"])), Some(secret::digest("abc")));
        assert_eq!(read(&with(&["bearer  abc "])), Some(secret::digest("abc")));
        for wrong in [&[][..], &["abc"], &["Basic abc"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(&with(wrong)), None, "{wrong:?}");
        }
    }
}
