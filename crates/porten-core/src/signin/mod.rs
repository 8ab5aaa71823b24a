//! Signing in at a Hub and staying signed in (RFC 8414, 8628, 6749, 7009), as readers and machines without I/O.

mod answer;
pub mod device;
mod form;
pub mod metadata;
pub mod refresh;
pub mod token;
mod verification;
mod visit;

pub use answer::{Misread, OAuthError};
pub use device::Device;
pub use form::{CONTENT_TYPE, Form};
pub use metadata::Metadata;
pub use token::Credential;
pub use visit::{Visit, visit};

/// The one client there is: the agent. It is public, it has no secret.
pub const CLIENT_ID: &str = "porten";
/// A host waits at most this long for the answer to one request of a sign-in.
pub const REQUEST_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// A host takes at most this much of one answer (bytes).
pub const MAX_ANSWER: usize = 64 * 1024;
