//! One bounded HTTP exchange with the Hub's sign-in: no redirects, one TLS configuration, a deadline and a size limit.
//!
//! A proxy named in the environment (`HTTPS_PROXY`, `ALL_PROXY`, but for `NO_PROXY`) is used, through `CONNECT`, so that
//! it sees no more than the Hub's name. A Hub on this machine is never asked through one: there a token may travel
//! unencrypted.

use std::time::Duration;

use porten_core::reply::Reply;
use porten_core::signin::{self, Form};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, redirect};
use url::{Host, Url};

/// For one exchange in all; under `signin::REQUEST_LIMIT`, after which the machines no longer wait for it.
const DEADLINE: Duration = Duration::from_secs(15);

/// The client for sign-in.
#[derive(Debug, Clone)]
pub struct HubHttp {
    /// As the environment says.
    outside: Client,
    /// For this machine.
    inside: Client,
}

impl HubHttp {
    /// A client that judges certificates as the tunnel does.
    ///
    /// # Errors
    /// The TLS configuration was refused.
    pub fn new(tls: &rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(redirect::Policy::none())
                .timeout(DEADLINE)
                .user_agent(concat!("porten/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { outside: builder().build()?, inside: builder().no_proxy().build()? })
    }

    /// `GET`.
    pub async fn get(&self, url: &str) -> Reply {
        let Ok(url) = Url::parse(url) else { return Reply::Lost };
        let request = self.client(&url).get(url);
        self.exchange(request).await
    }

    /// `POST` of a form. Tokens travel in the body, never in the address.
    pub async fn post(&self, url: &Url, form: &Form) -> Reply {
        let request = self.client(url).post(url.clone()).header(CONTENT_TYPE, signin::CONTENT_TYPE);
        self.exchange(request.body(form.body().to_owned())).await
    }

    fn client(&self, url: &Url) -> &Client {
        if is_here(url) { &self.inside } else { &self.outside }
    }

    async fn exchange(&self, request: RequestBuilder) -> Reply {
        let Ok(mut response) = request.send().await else { return Reply::Lost };
        let status = response.status().as_u16();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= signin::MAX_ANSWER => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => return Reply::Lost,
            }
        }
        Reply::Answer { status, body, retry_after: seconds.map(Duration::from_secs) }
    }
}

/// Whether it is on this machine: by its spelling, as the settings judge it. What is not encrypted is only ever here.
fn is_here(url: &Url) -> bool {
    match url.host() {
        _ if url.scheme() != "https" => true,
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_on_this_machine_is_never_asked_through_a_proxy() {
        let here = |url: &str| is_here(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:81/x",
            "http://localhost",
            "https://localhost:8443",
            "https://[::1]/",
            "https://127.9.9.9",
        ] {
            assert!(here(url), "{url}");
        }
        for url in ["https://porten.ai/oauth/token", "https://localhost.evil.example", "https://10.0.0.1"] {
            assert!(!here(url), "{url}");
        }
    }
}
