//! Decides where a person may be sent: to the Hub's own origin, spelled without tricks, and nowhere else.

use url::Url;

/// The longest address that is looked at (bytes).
const MAX_ADDRESS: usize = 2048;

/// The address, if it is on exactly this origin (`https://host[:port]`, on loopback `http:`) and names no user. What
/// comes back is the parsed address: that one is shown and opened, never the text it was read from.
pub(super) fn same_origin(origin: &str, address: &str) -> Option<Url> {
    // Spaces, controls, letters of other scripts and backslashes are where browsers read another host than people do, and
    // what a terminal obeys instead of showing it. Such characters are escaped in an address.
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if address.len() > MAX_ADDRESS || !plain {
        return None;
    }
    let url = Url::parse(address).ok()?;
    let named = !url.username().is_empty() || url.password().is_some();
    let web = matches!(url.scheme(), "https" | "http");
    let same = url.origin() == Url::parse(origin).ok()?.origin();
    (web && same && !named && !authority_has_at(address)).then_some(url)
}

/// An empty user name (`https://@host`) vanishes when the address is parsed, so it is looked for in the text.
fn authority_has_at(address: &str) -> bool {
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    after_scheme.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HUB: &str = "https://porten.ai";

    /// Fault E8: a person is sent to the Hub's own origin, and nowhere else.
    #[test]
    fn a_person_is_sent_to_the_hub_itself() {
        for good in [
            "https://porten.ai/device",
            "https://PORTEN.ai:443/device?user_code=BCDF-GHJK",
            "https://porten.ai/device#x@y",
            "https://porten.ai",
        ] {
            assert!(same_origin(HUB, good).is_some(), "{good}");
        }
        assert!(same_origin("http://127.0.0.1:81", "http://127.0.0.1:81/device").is_some());
    }

    /// Fault E8: another origin, http, scripts, files, look-alikes and names in the address are refused.
    #[test]
    fn and_nowhere_else() {
        for bad in [
            "https://evil.example/device",
            "https://porten.ai.evil.example/",
            "https://porten.ai:8443/",
            "http://porten.ai/",
            "wss://porten.ai/",
            "javascript:alert(1)//https://porten.ai/",
            "file:///etc/passwd",
            "file://porten.ai/x",
            "data:text/html,x",
            "https://porten.ai@evil.example/",
            "https://hub@porten.ai/",
            "https://:pw@porten.ai/",
            "https://@porten.ai/",
            "https:\\\\porten.ai\\@evil.example",
            "https://evil.example\\@porten.ai/",
            "https://porten.aı/",
            "https://pоrten.ai/",
            "https://xn--prten-5nf.ai/",
            " https://porten.ai/",
            "https://porten.ai/\u{202e}\u{1b}[2J\n",
            "https://por\tten.ai/",
            "https://porten.ai/\u{9b}31m",
            "https://porten.ai/device?x=\u{e4}",
            "https://porten.ai/\u{2800}",
            "//porten.ai/device",
            "/device",
            "",
        ] {
            assert_eq!(same_origin(HUB, bad), None, "{bad:?}");
        }
        assert_eq!(same_origin(HUB, &format!("https://porten.ai/{}", "x".repeat(MAX_ADDRESS))), None);
        assert_eq!(same_origin("http://localhost:81", "http://127.0.0.1:81/"), None, "another name is another origin");
    }

    proptest! {
        /// Fault E8: whatever passes begins with the Hub's origin.
        #[test]
        fn whatever_passes_begins_with_the_origin(tail in "[a-z.:@/\\\\?#-]{0,12}", head in "(https?:)?/{0,3}") {
            if let Some(url) = same_origin(HUB, &format!("{head}porten.ai{tail}")) {
                prop_assert!(url.as_str().starts_with("https://porten.ai/"), "{url}");
            }
        }
    }
}
