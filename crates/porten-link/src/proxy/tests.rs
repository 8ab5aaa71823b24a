//! Which proxy is taken, what it is asked, and what its answers mean.

use tokio::io::{DuplexStream, duplex};

use super::*;

fn found(settings: &Matcher, host: &str) -> Option<String> {
    Proxy::of(settings, "", host, 443).unwrap().map(|proxy| proxy.to_string())
}

/// Fault F11: the proxy that the settings name is taken, but for what `NO_PROXY` lists and for this machine.
#[test]
fn the_proxy_of_the_settings_is_for_hubs_elsewhere_that_are_not_exempt() {
    let settings = Matcher::builder().https("http://proxy.test:3128").no("porten.ai, 10.0.0.0/8, .lan").build();
    for host in ["hub.example", "notporten.ai", "8.8.8.8", "2001:db8::1"] {
        assert_eq!(found(&settings, host).as_deref(), Some("proxy.test:3128"), "{host}");
    }
    for host in ["porten.ai", "eu.porten.ai", "10.1.2.3", "hub.lan", "localhost", "127.0.0.1", "127.9.9.9", "::1"] {
        assert_eq!(found(&settings, host), None, "{host}");
    }
    assert_eq!(found(&Matcher::builder().all("proxy.test").build(), "hub.example").as_deref(), Some("proxy.test:80"));
    assert_eq!(found(&Matcher::builder().http("http://proxy.test").build(), "hub.example"), None, "not for TLS");
    assert!(Proxy::of(&settings, ".lab,10.0.0.0/8", "hub.lab", 443).unwrap().is_none(), "the system's own exceptions");
    assert!(Proxy::of(&settings, ".lab", "hub.example", 443).unwrap().is_some());
    let six = Matcher::builder().https("https://[::1]:8443").build();
    assert_eq!(found(&six, "hub.example").as_deref(), Some("[::1]:8443"));
}

#[test]
fn a_password_is_for_the_proxy_alone() {
    let settings = Matcher::builder().https("http://jane:hunter2@proxy.test:3128").build();
    let proxy = Proxy::of(&settings, "", "hub.example", 443).unwrap().unwrap();
    for text in [format!("{proxy}"), format!("{proxy:?}"), format!("{:?}", ProxyTrouble::Declines(proxy.to_string()))] {
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg") && !text.contains("jane"), "{text}");
    }
    let asked = String::from_utf8(proxy.request("hub.example", 443)).unwrap();
    assert_eq!(
        asked,
        "CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\nProxy-Authorization: Basic amFuZTpodW50ZXIy\r\n\r\n"
    );
    assert!(proxy.request("2001:db8::1", 443).starts_with(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"));
}

#[test]
fn the_variable_that_names_the_proxy_is_the_one_that_is_read() {
    let named = |set: &[(&str, &str)]| {
        variable(|name| set.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned()))
    };
    assert_eq!(named(&[]), None);
    assert_eq!(named(&[("HTTP_PROXY", "p")]), None, "that is for what is not encrypted");
    assert_eq!(named(&[("all_proxy", "p")]), Some("all_proxy"));
    assert_eq!(named(&[("https_proxy", "p"), ("ALL_PROXY", "q")]), Some("https_proxy"));
    assert_eq!(named(&[("HTTPS_PROXY", ""), ("https_proxy", "p"), ("ALL_PROXY", "q")]), Some("ALL_PROXY"));
}

#[test]
fn a_proxy_of_another_kind_is_told_and_not_passed_by() {
    let settings = Matcher::builder().all("socks5h://proxy.test:1080").build();
    let error = Proxy::of(&settings, "", "hub.example", 443).unwrap_err();
    assert_eq!(error.to_string(), "the proxy proxy.test is none for HTTP, and Porten speaks no other kind");
}

/// Fault F11: an answer that is no HTTP, or without end, is no proxy's.
#[tokio::test]
async fn only_a_whole_short_head_is_an_answer() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(MAX_HEAD));
    for (said, status) in [
        ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
        ("HTTP/1.0 200 OK\r\nvia: x\r\n\r\n", Some(200)),
        ("HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n", Some(407)),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\n", None),
        ("", None),
        (&endless, None),
    ] {
        let (mut near, mut far) = duplex(64 * 1024);
        far.write_all(said.as_bytes()).await.unwrap();
        drop(far);
        assert_eq!(read_status(&mut near).await, status, "{said:.40}");
    }
}

/// The proxy at this address, as a person sets it, that answers so; what it was asked, and what came of it.
async fn asked(address: &str, answer: &str) -> (String, Result<Transport, ProxyTrouble>) {
    let settings = Matcher::builder().https(address).build();
    let proxy = Proxy::of(&settings, "", "hub.example", 443).unwrap().unwrap();
    let (near, mut far) = duplex(64 * 1024);
    let answering = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(far.read_u8().await.unwrap());
        }
        far.write_all(answer.as_bytes()).await.unwrap();
        (String::from_utf8(head).unwrap(), far)
    };
    let (came, (head, mut far)) = tokio::join!(proxy.ask_over(Box::new(near), "hub.example", 443), answering);
    let came = match came {
        Ok(mut way) => {
            assert_carries(&mut way, &mut far).await;
            Ok(way)
        }
        other => other,
    };
    (head, came)
}

async fn assert_carries(near: &mut Transport, far: &mut DuplexStream) {
    near.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    far.write_all(b"there").await.unwrap();
    near.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"there");
}

const PLAIN: &str = "http://proxy.test:3128";
const WITH_USER: &str = "http://jane:hunter2@proxy.test:3128";

/// Fault F11: a proxy that agrees is a way to the Hub; each other answer is a sentence that names the proxy.
#[tokio::test]
async fn each_answer_of_a_proxy_is_read_for_what_it_means() {
    let (head, way) = asked(PLAIN, "HTTP/1.1 200 Connection established\r\n\r\n").await;
    assert!(way.is_ok());
    assert_eq!(head, "CONNECT hub.example:443 HTTP/1.1\r\nHost: hub.example:443\r\n\r\n");
    let (head, way) = asked(WITH_USER, "HTTP/1.0 200 OK\r\nvia: x\r\n\r\n").await;
    assert!(way.is_ok() && head.contains("Proxy-Authorization: Basic amFuZTpodW50ZXIy\r\n"), "{head}");
    let asks = "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n";
    let refused = |words: &str| Failure::Refused(Refused::Proxy(words.into()));
    let lost = |words: &str| Failure::Lost(Lost::Proxy(words.into()));
    for (address, answer, meaning) in [
        (PLAIN, asks, refused("the proxy proxy.test:3128 asks for a user and a password")),
        (
            WITH_USER,
            asks,
            refused("the proxy proxy.test:3128 does not accept the user and the password in its address"),
        ),
        (
            PLAIN,
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            lost("the proxy proxy.test:3128 does not let this machine through to the Hub (HTTP 403)"),
        ),
        (
            PLAIN,
            "HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\n\r\n",
            lost("the proxy proxy.test:3128 does not let this machine through to the Hub (HTTP 302)"),
        ),
        (
            PLAIN,
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
            lost("what answers at the proxy's address proxy.test:3128 is no HTTP proxy"),
        ),
    ] {
        let (_, way) = asked(address, answer).await;
        assert_eq!(way.map(drop).unwrap_err().failure(), meaning, "{answer}");
    }
}

/// Fault F11: a proxy that hangs is given up before the dial's own deadline, and named.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_hangs_is_given_up_in_time_to_be_named() {
    assert!(DEADLINE < porten_core::tunnel::DIAL_DEADLINE);
    let proxy = Proxy { host: "proxy.test".into(), port: 3128, encrypted: false, credentials: None };
    let (near, _silent) = duplex(64 * 1024);
    let begun = tokio::time::Instant::now();
    let error = proxy.bounded(proxy.ask_over(Box::new(near), "hub.example", 443)).await.map(drop).unwrap_err();
    assert_eq!(begun.elapsed(), DEADLINE);
    assert_eq!(error.to_string(), "the proxy proxy.test:3128 did not answer");
}
