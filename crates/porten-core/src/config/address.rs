//! What the addresses of Hub and engine have in common: how they are spelled, and which ones are this machine.

use url::{Host, Url};

/// A URL with `//` and a host, written without the liberties that browsers forgive (white space, backslashes).
pub(super) fn parse(text: &str) -> Option<Url> {
    let honest = text.contains("://") && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    Url::parse(text).ok().filter(|url| honest && url.has_host())
}

/// Whether the host is this machine by its spelling alone: 127.0.0.0/8, `[::1]` or exactly `localhost`. No name is
/// looked up, so none can be rebound.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// `host[:port]`; the port only if it is not the scheme's own.
pub(super) fn authority(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|host| !host.is_empty())?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}
