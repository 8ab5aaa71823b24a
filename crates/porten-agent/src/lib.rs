//! Does. Sockets, HTTP, disk, keychain, and the one loop that keeps a cluster online at its Hub.

pub mod agent;
pub mod client;
pub mod clock;
pub mod credentials;
pub mod engine;
pub mod hub_http;
pub mod ledger;
pub mod local;
pub mod login;
pub mod node;
pub mod places;
pub mod relay;
pub mod seat;
pub mod session;
pub mod vault;
pub mod wishes;
