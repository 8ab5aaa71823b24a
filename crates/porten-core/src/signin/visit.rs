//! Decides where the page in the sign-in window may go: on the Hub's own origin anywhere, elsewhere nowhere.

use url::Url;

use super::verification::same_origin;

/// What becomes of a page's wish to go somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// It is the Hub's own.
    Stay,
    /// Another site, most often an identity provider. The person's own browser is the place for it: some providers
    /// refuse embedded windows, and passkeys do not work in them. Holds the site's name, to be shown.
    Elsewhere(String),
    /// No site at all: the app's own pages and commands, or content made up on the spot.
    Refused,
}

/// Reads the wish. `origin` is the Hub's.
#[must_use]
pub fn visit(origin: &str, address: &str) -> Visit {
    if same_origin(origin, address).is_some() {
        return Visit::Stay;
    }
    let site = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    match site.as_ref().and_then(Url::host_str) {
        Some(host) => Visit::Elsewhere(host.to_owned()),
        None => Visit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://porten.ai";

    #[test]
    fn the_hubs_own_pages_stay() {
        for address in ["https://porten.ai/device?user_code=BCDF-GHJK", "https://porten.ai/x#y"] {
            assert_eq!(visit(HUB, address), Visit::Stay);
        }
    }

    #[test]
    fn another_site_is_named_as_it_is_and_never_visited() {
        for (address, host) in [
            ("https://accounts.example/o?client=1", "accounts.example"),
            ("http://porten.ai/", "porten.ai"),
            ("https://porten.ai:8443/", "porten.ai"),
            ("https://porten.ai@evil.example/", "evil.example"),
            ("https://porten.ai.evil.example/", "porten.ai.evil.example"),
        ] {
            assert_eq!(visit(HUB, address), Visit::Elsewhere(host.to_owned()), "{address}");
        }
    }

    #[test]
    fn the_apps_own_schemes_and_made_up_content_are_refused() {
        for address in [
            "tauri://localhost/index.html",
            "ipc://localhost/send",
            "asset://localhost/etc/passwd",
            "data:text/html,<p>Sign in here</p>",
            "blob:https://porten.ai/5c0e",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "about:blank",
            "about:srcdoc",
            "mailto:a@b.example",
            "",
        ] {
            assert_eq!(visit(HUB, address), Visit::Refused, "{address}");
        }
    }
}
