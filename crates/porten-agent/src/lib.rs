//! Does. Sockets, HTTP, disk, keychain, and the one loop that keeps a cluster online at its Hub.

pub mod agent;
mod awake;
pub mod client;
pub mod clock;
pub mod credentials;
pub mod engine;
mod heavy;
pub mod hub_http;
pub mod in_use;
pub mod kept;
pub mod ledger;
pub mod local;
pub mod login;
#[cfg(not(target_os = "macos"))]
mod logind;
pub mod node;
pub mod places;
pub mod relay;
pub mod seat;
pub mod service;
pub mod session;
pub mod settings;
pub mod setup;
mod surroundings;
pub mod vault;
pub mod wishes;

use std::sync::Arc;

pub use porten_link::Beat;
pub use porten_link::dial::tcp;
pub use porten_link::proxy::by_settings;
pub use porten_link::tls::{TlsError, install as install_crypto};

/// The one TLS configuration of this process's outward connections.
///
/// # Errors
/// The platform's certificate store cannot be used.
pub fn tls() -> Result<Arc<rustls::ClientConfig>, TlsError> {
    porten_link::tls::client()
}
